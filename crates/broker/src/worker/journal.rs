//! What waits for the store.
//!
//! What a turn wants stored collects in one batch. It goes to the store at the end of the turn, and what depends on it
//! (a withheld acknowledgement, a verdict on a publish, a receipt) follows when the store says that it is durable. A
//! store that commits at once answers within the turn.

use std::collections::VecDeque;
use std::sync::Arc;

use gridmq_proto::session::{PublishToken, Record, Seq as RecordSeq, Verdict};
use gridmq_proto::{ByteString, TopicName};
use gridmq_store::{NamespaceId, Seq, SubmitError, WriteBatch};

use super::{ConnKey, Worker};
use crate::directory::{Slot, WorkerId};
use crate::mailbox::{Mail, Outcome, TicketId};
use crate::tables::{self, RetainedRow, SessionRow};

/// Batches handed to the store and not durable at which connections are no longer read.
const IN_STORE: usize = 256;

/// What a turn wants stored. Where the store keeps nothing beyond this process, nothing is even written down.
#[derive(Debug, Default)]
pub(super) struct Draft {
    batch: WriteBatch,
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

    pub(super) fn write_retained(
        &mut self,
        namespace: NamespaceId,
        topic: &TopicName,
        row: impl FnOnce() -> Option<RetainedRow>,
    ) {
        if !self.volatile {
            tables::write_retained(&mut self.batch, namespace, topic, row().as_ref());
        }
    }
}

/// Something that waits until a batch is durable.
#[derive(Debug)]
pub(super) enum Dependent {
    /// A machine's records.
    Records { key: ConnKey, seq: RecordSeq },
    /// The answer to a publish.
    Verdict { key: ConnKey, slot: Arc<Slot>, token: PublishToken, verdict: Verdict },
    /// The answer to another worker.
    Receipt { to: WorkerId, ticket: TicketId, outcome: Outcome },
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Journal {
    pub(super) draft: Draft,
    /// Connections whose machines got messages in this turn that they want stored.
    pub(super) unread: Vec<ConnKey>,
    dependents: Vec<Dependent>,
    waiting: VecDeque<(Seq, Vec<Dependent>)>,
    /// The store did not take the batch yet.
    refused: bool,
    /// The store has failed: nothing that depends on it is ever answered.
    failed: bool,
    watch: Option<gridmq_store::Watch>,
}

impl Journal {
    const fn has_something(&self) -> bool {
        !self.draft.batch.is_empty() || !self.dependents.is_empty()
    }

    /// Whether no more should be taken in.
    pub(super) fn is_full(&self) -> bool {
        self.refused || self.failed || self.waiting.len() >= IN_STORE
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

    /// Lets `dependent` happen when all that this turn wants stored is durable: at once if that is nothing.
    pub(super) fn after_batch(&mut self, dependent: Dependent) {
        let nothing_new = self.journal.draft.batch.is_empty() && self.journal.unread.is_empty();
        if nothing_new && self.journal.waiting.is_empty() && !self.journal.failed {
            self.release(dependent);
        } else {
            self.journal.dependents.push(dependent);
        }
    }

    /// Hands the batch to the store, at the end of a turn.
    pub(crate) fn commit(&mut self) {
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
            if self.journal.failed || !self.journal.has_something() {
                return;
            }
            let batch = std::mem::take(&mut self.journal.draft.batch);
            match self.shared.store.submit(batch) {
                Ok(seq) => {
                    self.journal.refused = false;
                    let dependents = std::mem::take(&mut self.journal.dependents);
                    self.journal.waiting.push_back((seq, dependents));
                }
                Err(SubmitError::Full(batch)) => {
                    self.journal.draft.batch = batch;
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

    /// The store has come further.
    pub(super) fn stored(&mut self) {
        if let Some(error) = self.shared.store.failure() {
            return self.store_failed(&error.to_string());
        }
        let was_full = self.journal.is_full();
        self.commit();
        if was_full && !self.journal.is_full() {
            for (_, conn) in &mut self.conns {
                if let Some(waker) = conn.waker.take() {
                    waker.wake();
                }
            }
        }
    }

    fn store_failed(&mut self, error: &str) {
        if !self.journal.failed {
            self.journal.failed = true;
            tracing::error!(error, "the store has failed: nothing that must last is acknowledged any more");
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
            Dependent::Verdict { key, slot, token, verdict } => self.complete(key, &slot, token, verdict),
            Dependent::Receipt { to, ticket, outcome } => self.post(to, Mail::Receipt { ticket, outcome }, None),
        }
    }
}
