//! What waits for the store.
//!
//! What a turn wants stored collects in one batch. It goes to the store at the end of the turn, and what depends on it
//! (a withheld acknowledgement, a verdict on a publish, a receipt) follows when the store says that it is durable. A
//! store that commits at once answers within the turn.

use std::collections::VecDeque;
use std::sync::Arc;

use gridmq_proto::ByteString;
use gridmq_proto::session::{PublishToken, Record, Seq as RecordSeq, Verdict};
use gridmq_store::{NamespaceId, Seq, SubmitError, WriteBatch};

use super::{ConnKey, Worker};
use crate::directory::{Slot, WorkerId};
use crate::mailbox::{Mail, Outcome, TicketId};
use crate::retained::Topic;
use crate::routed::{Origin, Receiver, RoutedAs, Unfinished};
use crate::tables::{self, FiringId, SessionRow, WillRow};

/// Batches handed to the store and not durable at which connections are no longer read.
const IN_STORE: usize = 256;

/// What a turn wants stored. Where the store keeps nothing beyond this process, nothing is even written down.
#[derive(Debug, Default)]
pub(super) struct Draft {
    batch: WriteBatch,
    /// Topics whose retained message has changed.
    retained: Vec<Topic>,
    pub(super) volatile: bool,
}

impl Draft {
    pub(super) fn write(&mut self, namespace: NamespaceId, client_id: &ByteString, record: &Record) {
        if !self.volatile {
            tables::write(&mut self.batch, namespace, client_id, record);
        }
    }

    pub(super) fn write_session_row(&mut self, slot: &Slot, row: impl FnOnce() -> SessionRow) {
        if !self.volatile {
            tables::write_session_row(&mut self.batch, slot.key.namespace, &slot.key.client_id, &row());
        }
    }

    /// Notes that a session has a message that a start may route again.
    pub(super) fn write_routed(&mut self, origin: &Origin, slot: &Slot, share: Option<&str>) {
        if !self.volatile {
            let receiver = Receiver::new(&slot.key.client_id, share);
            tables::write_routed(&mut self.batch, slot.key.namespace, origin, &receiver);
        }
    }

    /// The session that published that QoS 2 message has ended, or was refused: nobody sends it again.
    pub(super) fn forget_routed(&mut self, unfinished: &Unfinished, slot: &Slot, routed: Option<RoutedAs>) {
        let Some(routed) = routed else { return };
        unfinished.forget(slot.id, routed);
        if !self.volatile {
            tables::forget_routed(&mut self.batch, slot.key.namespace, &slot.key.client_id, routed);
        }
    }

    pub(super) fn write_will(&mut self, slot: &Slot, row: impl FnOnce() -> Option<WillRow>) {
        if !self.volatile {
            tables::write_will(&mut self.batch, slot.key.namespace, &slot.key.client_id, row().as_ref());
        }
    }

    /// Notes a will that is on its way; nothing: all have it.
    pub(super) fn write_firing(&mut self, namespace: NamespaceId, id: FiringId, row: impl FnOnce() -> Option<WillRow>) {
        if !self.volatile {
            tables::write_firing(&mut self.batch, namespace, id, row().as_ref());
        }
    }

    /// Has a topic's retained message stored as it is when the batch goes out.
    pub(super) fn write_retained(&mut self, namespace: NamespaceId, topic: ByteString) {
        if !self.volatile {
            self.retained.push((namespace, topic));
        }
    }

    fn is_empty(&self) -> bool {
        self.batch.is_empty() && self.retained.is_empty()
    }
}

/// Something that waits until a batch is durable.
#[derive(Debug)]
pub(super) enum Dependent {
    /// A machine's records.
    Records { key: ConnKey, seq: RecordSeq },
    /// The answer to a publish; `routed`: its packet identifier, if it may be sent again on another connection.
    Verdict { key: ConnKey, slot: Arc<Slot>, token: PublishToken, verdict: Verdict, routed: Option<RoutedAs> },
    /// The answer to another worker.
    Receipt { to: WorkerId, ticket: TicketId, outcome: Outcome },
}

/// Something that waits until what this turn wants stored is on its way to the store: what another worker then stores
/// comes after it.
#[derive(Debug)]
pub(super) enum AfterSubmission {
    Post(WorkerId, Mail),
    /// A session has ended.
    Release(Arc<Slot>),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) draft: Draft,
    /// Connections whose machines got messages in this turn that they want stored.
    pub(super) unread: Vec<ConnKey>,
    dependents: Vec<Dependent>,
    after_submission: Vec<AfterSubmission>,
    waiting: VecDeque<(Seq, Vec<Dependent>)>,
    /// The store did not take the batch yet.
    refused: bool,
    /// The store has failed: nothing that depends on it is ever answered.
    failed: bool,
    watch: Option<gridmq_store::Watch>,
}

impl Journal {
    fn has_something(&self) -> bool {
        !self.draft.is_empty() || !self.dependents.is_empty() || !self.after_submission.is_empty()
    }

    /// Whether no more should be taken in: the store is behind. Of one that does nothing at all, what needs it is refused
    /// instead.
    pub(super) fn is_full(&self) -> bool {
        self.refused || self.waiting.len() >= IN_STORE
    }
}

impl Worker {
    /// Has the store tell this worker how far it has come.
    pub(super) fn attach_store(&mut self) {
        self.journal.draft.volatile = self.shared.volatile;
        let inbox = self.shared.inboxes.get(usize::from(self.id)).cloned();
        let id = self.id;
        self.journal.watch = Some(self.shared.store.subscribe(move |_progress| {
            if let Some(inbox) = &inbox {
                // A worker whose inbox is full looks at the end of its next turn anyway.
                let _ = inbox.try_send(crate::mailbox::Batch { from: id, mail: vec![Mail::Stored] });
            }
        }));
    }

    /// A machine wants a record stored.
    pub(super) fn record(&mut self, key: ConnKey, record: Record, seq: RecordSeq) {
        let Some(conn) = self.conns.get(key.place).filter(|conn| conn.id == key.id) else { return };
        let session = match (&conn.client, conn.machine.session()) {
            (Some(client), _) => Some((conn.realm.id, client.slot.key.client_id.clone())),
            (None, Some(session)) => Some((conn.realm.id, session.client_id().clone())),
            (None, None) => None,
        };
        if let Some((namespace, client_id)) = session {
            self.journal.draft.write(namespace, &client_id, &record);
        }
        self.journal.dependents.push(Dependent::Records { key, seq });
    }

    /// Lets `dependent` happen: at once if nothing of it is `stored`, else when all that this turn wants stored is
    /// durable.
    pub(super) fn after_batch(&mut self, stored: bool, dependent: Dependent) {
        if stored {
            self.journal.dependents.push(dependent);
        } else {
            self.release(dependent);
        }
    }

    /// Does `what` when all that this turn wants stored is on its way: at once if that is nothing.
    pub(super) fn after_submission(&mut self, what: AfterSubmission) {
        if self.journal.failed || (self.journal.draft.batch.is_empty() && self.journal.unread.is_empty()) {
            self.submitted(what);
        } else {
            self.journal.after_submission.push(what);
        }
    }

    fn submitted(&mut self, what: AfterSubmission) {
        match what {
            AfterSubmission::Post(to, mail) => self.post(to, mail, None),
            AfterSubmission::Release(slot) => {
                let is_back = self.locals.get(&slot.id).is_some_and(|local| !matches!(local.state, super::State::Away));
                if !is_back && self.shared.directory.release(&slot, self.id) {
                    self.shared.counters.sessions.less_one();
                }
            }
        }
    }

    /// Hands the batch to the store, at the end of a turn.
    pub(crate) fn commit(&mut self) {
        let was_full = self.journal.is_full();
        self.try_commit();
        if was_full && !self.journal.is_full() {
            self.wake_all();
        }
    }

    /// Whether another commit would hand something to the store.
    pub(crate) fn commits_more(&self) -> bool {
        let journal = &self.journal;
        !journal.refused && !journal.failed && (journal.has_something() || !journal.unread.is_empty())
    }

    /// Wakes every connection: what held them back is over.
    fn wake_all(&mut self) {
        for (_, conn) in &mut self.conns {
            if let Some(waker) = conn.waker.take() {
                waker.wake();
            }
        }
    }

    fn try_commit(&mut self) {
        if !self.journal.unread.is_empty() {
            let now = self.now();
            for key in std::mem::take(&mut self.journal.unread) {
                self.drain(now, key);
            }
        }
        self.release_durable();
        // What is released may want more stored, and a session that overflows leaves a will.
        loop {
            self.end_overflowed();
            if self.journal.failed {
                // It would only pile up.
                self.journal.draft.batch = WriteBatch::new();
                self.journal.draft.retained.clear();
                self.journal.dependents.clear();
                return;
            }
            if !self.journal.has_something() {
                return;
            }
            match self.submit() {
                Ok(()) => self.journal.refused = false,
                Err(SubmitError::Full(_)) => {
                    self.journal.refused = true;
                    return;
                }
                Err(error) => return self.store_failed(&error.to_string()),
            }
            if !self.release_durable() {
                return;
            }
        }
    }

    /// Hands over what this turn wants stored. What is not taken stays.
    fn submit(&mut self) -> Result<(), SubmitError> {
        let draft = &mut self.journal.draft;
        if !draft.retained.is_empty() {
            let seq = self.shared.retained.store(&self.shared.store, &draft.retained)?;
            draft.retained.clear();
            self.journal.waiting.push_back((seq, Vec::new()));
        }
        if !draft.batch.is_empty() {
            match self.shared.store.submit(std::mem::take(&mut draft.batch)) {
                Ok(seq) => self.journal.waiting.push_back((seq, Vec::new())),
                Err(SubmitError::Full(batch)) => {
                    draft.batch = batch;
                    return Err(SubmitError::Full(WriteBatch::new()));
                }
                Err(error) => return Err(error),
            }
        }
        for what in std::mem::take(&mut self.journal.after_submission) {
            self.submitted(what);
        }
        // What was submitted in earlier turns may still be on its way.
        let dependents = std::mem::take(&mut self.journal.dependents);
        match self.journal.waiting.back_mut() {
            Some((_, waiting)) => waiting.extend(dependents),
            None => dependents.into_iter().for_each(|dependent| self.release(dependent)),
        }
        Ok(())
    }

    /// The store has come further.
    pub(super) fn stored(&mut self) {
        if let Some(error) = self.shared.store.failure() {
            return self.store_failed(&error.to_string());
        }
        self.commit();
        if self.shared.store_state.is_down() {
            // Others than the store's may go on now.
            self.wake_all();
        }
    }

    fn store_failed(&mut self, error: &str) {
        if !self.journal.failed {
            self.journal.failed = true;
            self.shared.store_state.failed(error);
            self.wake_all();
            for what in std::mem::take(&mut self.journal.after_submission) {
                self.submitted(what);
            }
        }
    }

    /// Lets happen what waited for batches that are durable. `true`: something did.
    fn release_durable(&mut self) -> bool {
        let durable = self.shared.store.durable();
        let mut released = false;
        while self.journal.waiting.front().is_some_and(|&(seq, _)| seq <= durable) {
            if let Some((_, dependents)) = self.journal.waiting.pop_front() {
                for dependent in dependents {
                    released = true;
                    self.release(dependent);
                }
            }
        }
        released
    }

    fn release(&mut self, dependent: Dependent) {
        match dependent {
            Dependent::Records { key, seq } => {
                if let Some(conn) = self.conn(key) {
                    conn.machine.persisted(seq);
                }
                self.wake(key);
            }
            Dependent::Verdict { key, slot, token, verdict, routed } => {
                self.complete(key, &slot, token, verdict, routed);
            }
            Dependent::Receipt { to, ticket, outcome } => self.post(to, Mail::Receipt { ticket, outcome }, None),
        }
    }
}
