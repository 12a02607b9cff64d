//! What the peer publishes: deferred acknowledgements in order, and QoS 2 identifiers that outlive a connection.

use std::collections::VecDeque;

use super::by_id::ById;
use super::outputs::{Output, Outputs};
use super::{Record, Verdict};
use crate::packet::{Ack, AckProperties, PacketType};
use crate::{Packet, PacketId, QoS, ReasonCode, Version};

/// Names one inbound PUBLISH of QoS 1 or 2 until it is completed. Valid for the machine that made it, also after its
/// connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishToken(u64);

impl PublishToken {
    /// Names no message of any machine: for an owner's own.
    pub const NONE: Self = Self(0);
}

/// What the owner says of a message that arrived: the reason code and the properties of its PUBACK or PUBREC.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Judgement {
    /// Success, or why the message is refused. Left out before MQTT 5.0.
    pub reason: ReasonCode,
    /// The rest, if there is any. Left out before MQTT 5.0.
    pub properties: Option<Box<AckProperties>>,
}

impl From<ReasonCode> for Judgement {
    fn from(reason: ReasonCode) -> Self {
        Self { reason, properties: None }
    }
}

impl From<Verdict> for Judgement {
    fn from(Verdict { reason, words, more }: Verdict) -> Self {
        let user_properties = more.map(|more| more.user_properties).unwrap_or_default();
        let says = words.is_some() || !user_properties.is_empty();
        let properties = says.then(|| Box::new(AckProperties { reason_string: words, user_properties }));
        Self { reason, properties }
    }
}

/// How far a QoS 2 message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Handed to the owner, not completed.
    Pending(PublishToken),
    /// The owner let go of it without a verdict.
    Abandoned,
    /// Completed with success; PUBREL is due.
    Taken,
}

/// The state of one QoS 2 identifier: session state (MQTT 5.0 §4.1).
#[derive(Debug, Clone, Copy)]
struct Received {
    stage: Stage,
    /// Its PUBLISH came on this connection and counts against the Receive Maximum (MQTT 5.0 §4.9).
    counted: bool,
    /// Its acknowledgement is among those that are due.
    due: bool,
}

/// One acknowledgement in the order of receipt.
#[derive(Debug)]
struct Due {
    token: PublishToken,
    packet_id: PacketId,
    qos: QoS,
    done: Option<Judgement>,
}

/// What an arriving PUBLISH is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Arrival {
    /// To be handed on; the token is absent for QoS 0.
    New(Option<PublishToken>),
    /// A QoS 2 message that the owner already has.
    Duplicate,
    /// More than the announced Receive Maximum [MQTT-3.3.4-9].
    OverReceiveMaximum,
}

/// Inbound state. The QoS 2 identifiers belong to the session, the order of acknowledgements to the connection.
#[derive(Debug, Default)]
pub(crate) struct Inbound {
    next: u64,
    due: VecDeque<Due>,
    /// PUBLISH packets of this connection that count against the Receive Maximum.
    unacknowledged: usize,
    received: ById<Received>,
    /// Acknowledgements have reason codes and properties: MQTT 5.0.
    explains: bool,
}

impl Inbound {
    /// Nothing is due, and no token is used again.
    pub(crate) fn successor(&self) -> Self {
        Self { next: self.next, ..Self::default() }
    }

    /// A connection of that version is there.
    pub(crate) const fn connect(&mut self, version: Version) {
        self.explains = version.is_v5();
    }

    /// Takes an arriving PUBLISH. `maximum`: unacknowledged ones allowed at once.
    pub(crate) fn arrive(&mut self, qos: QoS, packet_id: Option<PacketId>, maximum: usize) -> Arrival {
        let (Some(packet_id), QoS::AtLeastOnce | QoS::ExactlyOnce) = (packet_id, qos) else {
            return Arrival::New(None);
        };
        let known = self.received.get_mut(&packet_id).filter(|_| qos == QoS::ExactlyOnce);
        let counts = known.as_ref().is_none_or(|received| !received.counted);
        if counts && self.unacknowledged >= maximum {
            return Arrival::OverReceiveMaximum;
        }
        self.unacknowledged += usize::from(counts);
        if let Some(received) = known {
            received.counted = true;
            if !received.due {
                let stage = received.stage;
                received.due = stage != Stage::Abandoned;
                self.arrived_again(packet_id, stage);
            }
            return Arrival::Duplicate;
        }
        let token = self.token();
        self.due.push_back(Due { token, packet_id, qos, done: None });
        if qos == QoS::ExactlyOnce {
            self.received.insert(packet_id, Received { stage: Stage::Pending(token), counted: true, due: true });
        }
        Arrival::New(Some(token))
    }

    /// A QoS 2 message that is known is acknowledged again, but at most once at a time: what a peer repeats does not
    /// pile up.
    fn arrived_again(&mut self, packet_id: PacketId, stage: Stage) {
        let qos = QoS::ExactlyOnce;
        let (token, done) = match stage {
            Stage::Pending(token) => (token, None),
            // As long as there is such a one, its acknowledgement is due.
            Stage::Abandoned => return,
            Stage::Taken => (self.token(), Some(ReasonCode::Success.into())),
        };
        self.due.push_back(Due { token, packet_id, qos, done });
    }

    const fn token(&mut self) -> PublishToken {
        self.next += 1;
        PublishToken(self.next)
    }

    /// How many completions the owner owes.
    pub(crate) fn owed(&self) -> usize {
        self.due.len()
    }

    /// Records the owner's judgement; the connection that carried the message may be gone. Unknown tokens change
    /// nothing.
    pub(crate) fn complete<E>(
        &mut self,
        token: PublishToken,
        judgement: Judgement,
        lasting: bool,
        out: &mut Outputs<E>,
    ) {
        let failed = judgement.reason.is_failure();
        let pending = Stage::Pending(token);
        let id = match self.due.iter_mut().find(|due| due.token == token) {
            Some(due) if due.done.is_some() => return,
            Some(due) => {
                due.done = Some(judgement);
                if due.qos == QoS::AtLeastOnce {
                    return;
                }
                Some(due.packet_id)
            }
            None => self.received.iter().find(|(_, received)| received.stage == pending).map(|(&id, _)| id),
        };
        let Some(id) = id else { return };
        if failed {
            self.remove(id);
        } else if let Some(received) = self.received.get_mut(&id) {
            received.stage = Stage::Taken;
            if lasting {
                out.persist(Record::Received(id));
            }
        }
    }

    /// Whether the owner's judgement of that QoS 2 message is due.
    pub(crate) fn awaits(&self, token: PublishToken) -> bool {
        self.received.values().any(|received| received.stage == Stage::Pending(token))
    }

    /// The owner will not judge it. Its acknowledgement stays due on this connection; on the next, a QoS 2 message that
    /// comes again is new to the owner.
    pub(crate) fn abandon(&mut self, token: PublishToken) {
        let pending = Stage::Pending(token);
        let is_due = self.due.iter().any(|due| due.token == token);
        let Some((&id, received)) = self.received.iter_mut().find(|(_, received)| received.stage == pending) else {
            return;
        };
        received.stage = Stage::Abandoned;
        if !is_due {
            self.received.remove(&id);
        }
    }

    fn remove(&mut self, id: PacketId) {
        if self.received.remove(&id).is_some_and(|received| received.counted) {
            self.unacknowledged = self.unacknowledged.saturating_sub(1);
        }
    }

    /// Releases PUBACK and PUBREC as far as the oldest ones are completed.
    pub(crate) fn release<E>(&mut self, out: &mut Outputs<E>) {
        while let Some(due) = self.due.pop_front_if(|due| due.done.is_some()) {
            let judgement = due.done.unwrap_or_else(|| ReasonCode::Success.into());
            if due.qos == QoS::AtLeastOnce {
                self.unacknowledged = self.unacknowledged.saturating_sub(1);
                let ack = self.answer(due.packet_id, judgement, PacketType::PubAck);
                out.push_in_order(Output::Send(Packet::PubAck(ack)));
            } else {
                if let Some(received) = self.received.get_mut(&due.packet_id) {
                    received.due = false;
                }
                let ack = self.answer(due.packet_id, judgement, PacketType::PubRec);
                out.push_after_records(Output::Send(Packet::PubRec(ack)));
            }
        }
    }

    /// The judgement as `packet` of this connection's version can say it. Before MQTT 5.0 an acknowledgement cannot
    /// refuse [MQTT-3.3.5-2 of 3.1.1].
    fn answer(&self, packet_id: PacketId, judgement: Judgement, packet: PacketType) -> Ack {
        if !self.explains {
            return Ack::new(packet_id, ReasonCode::Success);
        }
        let Judgement { reason, properties } = judgement;
        let otherwise = if reason.is_failure() { ReasonCode::UnspecifiedError } else { ReasonCode::Success };
        let reason = if reason.valid_in(packet) { reason } else { otherwise };
        Ack { packet_id, reason, properties }
    }

    /// Answers PUBREL [MQTT-4.3.3-11].
    pub(crate) fn pubrel<E>(&mut self, packet_id: PacketId, lasting: bool, out: &mut Outputs<E>) {
        let known = self.received.get(&packet_id).is_some_and(|received| received.stage == Stage::Taken);
        if known {
            self.remove(packet_id);
            if lasting {
                out.persist(Record::Forgotten(packet_id));
            }
        }
        let reason = if known || !self.explains { ReasonCode::Success } else { ReasonCode::PacketIdentifierNotFound };
        out.push_after_records(Output::Send(Packet::PubComp(Ack::new(packet_id, reason))));
    }

    /// The connection is gone: nothing is acknowledged on it any more.
    pub(crate) fn disconnect(&mut self) {
        self.due.clear();
        self.unacknowledged = 0;
        self.received.retain(|_, received| received.stage != Stage::Abandoned);
        for received in self.received.values_mut() {
            (received.counted, received.due) = (false, false);
        }
    }

    /// The peer has lost the session: its identifiers mean nothing any more. Tokens stay unique.
    pub(crate) fn start_over<E>(&mut self, lasting: bool, out: &mut Outputs<E>) {
        if lasting {
            for id in self.taken() {
                out.persist(Record::Forgotten(id));
            }
        }
        self.received.clear();
        self.disconnect();
    }

    /// A stored identifier, read back.
    pub(crate) fn restore(&mut self, packet_id: PacketId) {
        self.received.insert(packet_id, Received { stage: Stage::Taken, counted: false, due: false });
    }

    /// A stored identifier was released.
    pub(crate) fn forget(&mut self, packet_id: PacketId) {
        self.received.remove(&packet_id);
    }

    /// The QoS 2 identifiers that were taken over and not released, in order.
    pub(crate) fn taken(&self) -> Vec<PacketId> {
        let mut ids: Vec<_> =
            self.received.iter().filter(|(_, received)| received.stage == Stage::Taken).map(|(&id, _)| id).collect();
        ids.sort_by_cached_key(|id| u64::from(id.get()));
        ids
    }
}
