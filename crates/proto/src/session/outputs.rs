//! The queue of what a machine wants done, and what waits for persistence.

use std::collections::VecDeque;

use super::{End, Record};
use crate::time::Monotonic;
use crate::{OutgoingPublish, Packet};

/// The number of a [`Output::Persist`], rising by one per machine.
pub type Seq = u64;

/// What the caller has to do next.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "a driver must handle every one")]
pub enum Output<E> {
    /// Encode and send this packet.
    Send(Packet),
    /// Encode and send this message.
    Publish(OutgoingPublish),
    /// Store this record, then call `persisted` with its number.
    Persist(Record, Seq),
    /// Something for the owner of the machine.
    Event(E),
    /// Flush what was sent, then close the transport. Nothing follows but [`Output::Timeout`].
    Close(End),
    /// Nothing more for now; call `handle_timeout` at this point if nothing else comes first.
    Timeout(Option<Monotonic>),
}

/// Outputs in order, and those withheld until a record is safe.
#[derive(Debug)]
pub(crate) struct Outputs<E> {
    ready: VecDeque<Output<E>>,
    held: VecDeque<(Seq, Output<E>)>,
    issued: Seq,
    safe: Seq,
}

impl<E> Default for Outputs<E> {
    fn default() -> Self {
        Self { ready: VecDeque::new(), held: VecDeque::new(), issued: 0, safe: 0 }
    }
}

impl<E> Outputs<E> {
    /// Queues what depends on no record.
    pub(crate) fn push(&mut self, output: Output<E>) {
        self.ready.push_back(output);
    }

    pub(crate) fn event(&mut self, event: E) {
        self.push(Output::Event(event));
    }

    pub(crate) fn send(&mut self, packet: Packet) {
        self.push(Output::Send(packet));
    }

    /// Asks for `record` to be stored.
    pub(crate) fn persist(&mut self, record: Record) {
        self.issued += 1;
        self.ready.push_back(Output::Persist(record, self.issued));
    }

    /// Queues what may only be said once every record so far is safe, in the order of these calls.
    pub(crate) fn push_after_records(&mut self, output: Output<E>) {
        if self.safe >= self.issued && self.held.is_empty() {
            self.ready.push_back(output);
        } else {
            self.held.push_back((self.issued, output));
        }
    }

    /// Queues an acknowledgement that depends on no record itself but must not overtake one that does.
    pub(crate) fn push_in_order(&mut self, output: Output<E>) {
        match self.held.back() {
            Some(&(seq, _)) => self.held.push_back((seq, output)),
            None => self.ready.push_back(output),
        }
    }

    /// Every record up to `seq` is safe.
    pub(crate) fn persisted(&mut self, seq: Seq) {
        self.safe = self.safe.max(seq.min(self.issued));
        while self.held.front().is_some_and(|&(needed, _)| needed <= self.safe) {
            if let Some((_, output)) = self.held.pop_front() {
                self.ready.push_back(output);
            }
        }
    }

    /// Drops everything that would still be sent; records and events stay.
    pub(crate) fn drop_unsent(&mut self) {
        self.held.clear();
        self.ready.retain(|output| !matches!(output, Output::Send(_) | Output::Publish(_)));
    }

    /// Drops what was withheld: it can no longer be sent.
    pub(crate) fn drop_held(&mut self) {
        self.held.clear();
    }

    pub(crate) fn pop(&mut self) -> Option<Output<E>> {
        self.ready.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(outputs: &mut Outputs<u8>) -> String {
        std::iter::from_fn(|| outputs.pop())
            .map(|output| match output {
                Output::Persist(_, seq) => format!("persist{seq} "),
                Output::Send(_) => "send ".to_owned(),
                Output::Event(event) => format!("event{event} "),
                other => format!("{other:?} "),
            })
            .collect()
    }

    #[test]
    fn what_depends_on_a_record_waits_for_it_and_order_is_kept() {
        let mut outputs = Outputs::default();
        outputs.persist(Record::Ended);
        outputs.push_after_records(Output::Send(Packet::PingReq));
        outputs.push_in_order(Output::Event(1));
        outputs.push(Output::Event(2));
        assert_eq!(drain(&mut outputs), "persist1 event2 ");
        outputs.persisted(0);
        assert_eq!(drain(&mut outputs), "");
        outputs.persisted(1);
        assert_eq!(drain(&mut outputs), "send event1 ");
        outputs.push_after_records(Output::Event(3));
        assert_eq!(drain(&mut outputs), "event3 ");
    }

    #[test]
    fn a_number_that_was_never_issued_releases_nothing_of_the_future() {
        let mut outputs = Outputs::default();
        outputs.persisted(9);
        outputs.persist(Record::Ended);
        outputs.push_after_records(Output::Event(1));
        assert_eq!(drain(&mut outputs), "persist1 ");
    }
}
