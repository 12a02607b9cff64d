//! The queue of what a machine wants done, and what waits for persistence.

use std::collections::VecDeque;

use super::{End, Record};
use crate::time::Monotonic;
use crate::{OutgoingPublish, Packet};

/// The number of a [`Output::Persist`], rising by one per machine; at the client per session, over all its machines.
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

/// How many outputs may wait for records before no more input is wanted, so that a slow store bounds what a peer can
/// pile up.
const WITHHELD: usize = 4096;

/// Outputs in order, and those withheld until a record is safe.
#[derive(Debug)]
pub(crate) struct Outputs<E> {
    ready: VecDeque<Output<E>>,
    held: VecDeque<(Seq, Output<E>)>,
    /// What has to be sent before anything else, while it waits for a record.
    first: Option<(Seq, Output<E>)>,
    /// What waits for `first` and for no record.
    behind: VecDeque<Output<E>>,
    issued: Seq,
    safe: Seq,
}

impl<E> Default for Outputs<E> {
    fn default() -> Self {
        Self { ready: VecDeque::new(), held: VecDeque::new(), first: None, behind: VecDeque::new(), issued: 0, safe: 0 }
    }
}

/// How far a session has asked for records, and how far they are safe; goes with it from machine to machine.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Numbers {
    pub(crate) issued: Seq,
    pub(crate) safe: Seq,
}

impl<E> Outputs<E> {
    /// Goes on where another machine of the same session has ended.
    pub(crate) fn after(Numbers { issued, safe }: Numbers) -> Self {
        Self { issued, safe, ..Self::default() }
    }

    pub(crate) const fn numbers(&self) -> Numbers {
        Numbers { issued: self.issued, safe: self.safe }
    }

    /// Queues what depends on no record.
    pub(crate) fn push(&mut self, output: Output<E>) {
        if self.first.is_some() && matches!(output, Output::Send(_) | Output::Publish(_)) {
            self.behind.push_back(output);
        } else {
            self.ready.push_back(output);
        }
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

    /// Queues the first packet of all: it waits for every record so far, and whatever is sent later waits for it.
    pub(crate) fn send_first(&mut self, packet: Packet) {
        if self.safe >= self.issued {
            self.ready.push_back(Output::Send(packet));
        } else {
            self.first = Some((self.issued, Output::Send(packet)));
        }
    }

    /// Queues what may only be said once every record so far is safe, in the order of these calls.
    pub(crate) fn push_after_records(&mut self, output: Output<E>) {
        if self.safe >= self.issued && self.held.is_empty() && self.first.is_none() {
            self.ready.push_back(output);
        } else if self.held.is_empty() && self.first.as_ref().is_some_and(|&(needed, _)| needed >= self.issued) {
            // It waits for no more than the first packet does, and must not be overtaken by what waits for that alone.
            self.behind.push_back(output);
        } else {
            self.held.push_back((self.issued, output));
        }
    }

    /// Queues what may only be said once the records up to `needed` are safe; it may then wait for later ones too.
    pub(crate) fn push_once_safe(&mut self, needed: Seq, output: Output<E>) {
        if self.safe >= needed { self.push(output) } else { self.push_after_records(output) }
    }

    /// Queues a SUBSCRIBE or UNSUBSCRIBE, once the records up to `needed` are safe and in the order of these calls: the
    /// last word about a filter must be the application's.
    pub(crate) fn push_request(&mut self, needed: Seq, request: Packet) {
        let is_request = |held: &Output<E>| matches!(held, Output::Send(Packet::Subscribe(_) | Packet::Unsubscribe(_)));
        if self.held.iter().any(|(_, held)| is_request(held)) {
            self.push_in_order(Output::Send(request));
        } else {
            self.push_once_safe(needed, Output::Send(request));
        }
    }

    /// Queues an acknowledgement that depends on no record itself but must not overtake one that does.
    pub(crate) fn push_in_order(&mut self, output: Output<E>) {
        match self.held.back() {
            Some(&(seq, _)) => self.held.push_back((seq, output)),
            None => self.push(output),
        }
    }

    /// Every record up to `seq` is safe.
    pub(crate) fn persisted(&mut self, seq: Seq) {
        self.safe = self.safe.max(seq.min(self.issued));
        if let Some((_, first)) = self.first.take_if(|&mut (needed, _)| needed <= self.safe) {
            self.ready.push_back(first);
            self.ready.append(&mut self.behind);
        }
        if self.first.is_some() {
            return;
        }
        while let Some((_, output)) = self.held.pop_front_if(|&mut (needed, _)| needed <= self.safe) {
            self.ready.push_back(output);
        }
    }

    /// Whether the first packet of all still waits.
    pub(crate) const fn is_first_due(&self) -> bool {
        self.first.is_some()
    }

    /// Whether what more input would make this side say can still be held.
    pub(crate) fn has_room(&self) -> bool {
        self.first.is_none() && self.held.len() < WITHHELD
    }

    /// Drops everything that would still be sent; records and events stay.
    pub(crate) fn drop_unsent(&mut self) {
        self.drop_held();
        self.ready.retain(|output| !matches!(output, Output::Send(_) | Output::Publish(_)));
    }

    /// Drops what was withheld: it can no longer be sent.
    pub(crate) fn drop_held(&mut self) {
        self.held.clear();
        self.first = None;
        self.behind.clear();
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

    #[test]
    fn nothing_is_sent_before_the_first_packet() {
        let mut outputs = Outputs::<u8>::default();
        outputs.persist(Record::Ended);
        outputs.send_first(Packet::PingResp);
        assert!(outputs.is_first_due() && !outputs.has_room());
        outputs.send(Packet::PingReq);
        outputs.persist(Record::Ended);
        outputs.push_after_records(Output::Event(1));
        outputs.push_in_order(Output::Event(2));
        outputs.event(3);
        assert_eq!(drain(&mut outputs), "persist1 persist2 event3 ");
        outputs.persisted(1);
        assert!(!outputs.is_first_due() && outputs.has_room());
        assert_eq!(drain(&mut outputs), "send send ");
        outputs.persisted(2);
        assert_eq!(drain(&mut outputs), "event1 event2 ");
    }

    #[test]
    fn what_waits_as_long_as_the_first_packet_keeps_its_place_behind_it() {
        let mut outputs = Outputs::<u8>::default();
        outputs.persist(Record::Ended);
        outputs.send_first(Packet::PingResp);
        outputs.push_after_records(Output::Event(1));
        outputs.send(Packet::PingReq);
        outputs.push_in_order(Output::Event(2));
        assert_eq!(drain(&mut outputs), "persist1 event2 ");
        outputs.persisted(1);
        assert_eq!(drain(&mut outputs), "send event1 send ");
    }

    #[test]
    fn requests_keep_their_order_although_only_one_waits_for_a_record() {
        let unsubscribe = || {
            let filters = vec!["a".try_into().unwrap()];
            Packet::Unsubscribe(crate::packet::Unsubscribe {
                packet_id: crate::PacketId::MIN,
                user_properties: Vec::new(),
                filters,
            })
        };
        let mut outputs = Outputs::<u8>::default();
        outputs.push_request(0, unsubscribe());
        assert_eq!(drain(&mut outputs), "send ");
        outputs.persist(Record::Ended);
        outputs.push_request(1, unsubscribe());
        outputs.push_request(0, unsubscribe());
        outputs.send(Packet::PingReq);
        assert_eq!(drain(&mut outputs), "persist1 send ");
        outputs.persisted(1);
        assert_eq!(drain(&mut outputs), "send send ");
    }

    #[test]
    fn a_slow_store_ends_the_room() {
        let mut outputs = Outputs::<u8>::default();
        outputs.persist(Record::Ended);
        for _ in 0..WITHHELD {
            assert!(outputs.has_room());
            outputs.push_after_records(Output::Send(Packet::PingResp));
        }
        assert!(!outputs.has_room());
        outputs.persisted(1);
        assert!(outputs.has_room());
    }
}
