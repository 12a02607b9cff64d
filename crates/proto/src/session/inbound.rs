//! What the peer publishes: deferred acknowledgements in order, and QoS 2 identifiers that outlive a connection.

use std::collections::{HashMap, VecDeque};

use super::{Record, Verdict};
use super::outputs::{Output, Outputs};
use crate::packet::{Ack, AckProperties};
use crate::{Packet, PacketId, QoS, ReasonCode};

/// Names one inbound PUBLISH of QoS 1 or 2 until it is completed. Valid for the machine that made it, also after its
/// connection has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PublishToken(u64);

/// The state of one QoS 2 identifier: session state (MQTT 5.0 §4.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Received {
    /// Handed to the owner, not completed.
    Pending(PublishToken),
    /// Completed with success; PUBREL is due.
    Taken,
}

/// One acknowledgement in the order of receipt.
#[derive(Debug)]
struct Due {
    token: PublishToken,
    packet_id: PacketId,
    qos: QoS,
    done: Option<Verdict>,
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
    /// How many of `due` are QoS 1.
    at_least_once: usize,
    received: HashMap<PacketId, Received>,
}

impl Inbound {
    /// Takes an arriving PUBLISH. `maximum`: unacknowledged ones allowed at once.
    pub(crate) fn arrive(&mut self, qos: QoS, packet_id: Option<PacketId>, maximum: usize) -> Arrival {
        let (Some(packet_id), QoS::AtLeastOnce | QoS::ExactlyOnce) = (packet_id, qos) else {
            return Arrival::New(None);
        };
        if qos == QoS::ExactlyOnce
            && let Some(&state) = self.received.get(&packet_id)
        {
            match state {
                Received::Pending(token) if self.due.iter().all(|due| due.token != token) => {
                    self.due.push_back(Due { token, packet_id, qos, done: None });
                }
                Received::Pending(_) => {}
                Received::Taken => {
                    let token = self.token();
                    self.due.push_back(Due { token, packet_id, qos, done: Some(ReasonCode::Success.into()) });
                }
            }
            return Arrival::Duplicate;
        }
        if self.unacknowledged() >= maximum {
            return Arrival::OverReceiveMaximum;
        }
        let token = self.token();
        self.due.push_back(Due { token, packet_id, qos, done: None });
        if qos == QoS::ExactlyOnce {
            self.received.insert(packet_id, Received::Pending(token));
        } else {
            self.at_least_once += 1;
        }
        Arrival::New(Some(token))
    }

    const fn token(&mut self) -> PublishToken {
        self.next += 1;
        PublishToken(self.next)
    }

    /// PUBLISH packets that count against the Receive Maximum (MQTT 5.0 §4.9).
    fn unacknowledged(&self) -> usize {
        self.at_least_once + self.received.len()
    }

    /// How many completions the owner owes.
    pub(crate) fn owed(&self) -> usize {
        self.due.len()
    }

    /// Records the owner's verdict; the connection that carried the message may be gone. Unknown tokens change
    /// nothing.
    pub(crate) fn complete<E>(
        &mut self,
        token: PublishToken,
        verdict: Verdict,
        lasting: bool,
        out: &mut Outputs<E>,
    ) {
        let reason = verdict.reason;
        if let Some(due) = self.due.iter_mut().find(|due| due.token == token) {
            due.done = Some(verdict);
            if due.qos == QoS::AtLeastOnce {
                return;
            }
        }
        let pending = Received::Pending(token);
        let Some(id) = self.received.iter().find(|&(_, state)| *state == pending).map(|(&id, _)| id) else {
            return;
        };
        if reason.is_failure() {
            self.received.remove(&id);
        } else {
            self.received.insert(id, Received::Taken);
            if lasting {
                out.persist(Record::Received(id));
            }
        }
    }

    /// Releases PUBACK and PUBREC as far as the oldest ones are completed.
    pub(crate) fn release<E>(&mut self, out: &mut Outputs<E>) {
        while let Some(due) = self.due.pop_front_if(|due| due.done.is_some()) {
            let Verdict { reason, words } = due.done.unwrap_or_else(|| ReasonCode::Success.into());
            let properties = words.map(|words| {
                Box::new(AckProperties { reason_string: Some(words), ..AckProperties::default() })
            });
            let ack = Ack { packet_id: due.packet_id, reason, properties };
            if due.qos == QoS::AtLeastOnce {
                self.at_least_once -= 1;
                out.push_in_order(Output::Send(Packet::PubAck(ack)));
            } else {
                out.push_after_records(Output::Send(Packet::PubRec(ack)));
            }
        }
    }

    /// Answers PUBREL [MQTT-4.3.3-11].
    pub(crate) fn pubrel<E>(&mut self, packet_id: PacketId, lasting: bool, out: &mut Outputs<E>) {
        let known = matches!(self.received.get(&packet_id), Some(Received::Taken));
        let reason = if known {
            self.received.remove(&packet_id);
            if lasting {
                out.persist(Record::Forgotten(packet_id));
            }
            ReasonCode::Success
        } else {
            ReasonCode::PacketIdentifierNotFound
        };
        out.push_after_records(Output::Send(Packet::PubComp(Ack::new(packet_id, reason))));
    }

    /// The connection is gone: nothing is acknowledged on it any more.
    pub(crate) fn disconnect(&mut self) {
        self.due.clear();
        self.at_least_once = 0;
    }

    /// A stored identifier, read back.
    pub(crate) fn restore(&mut self, packet_id: PacketId) {
        self.received.insert(packet_id, Received::Taken);
    }

    /// A stored identifier was released.
    pub(crate) fn forget(&mut self, packet_id: PacketId) {
        self.received.remove(&packet_id);
    }

    /// The QoS 2 identifiers that were taken over and not released, in order.
    pub(crate) fn taken(&self) -> Vec<PacketId> {
        let mut ids: Vec<_> =
            self.received.iter().filter(|&(_, state)| *state == Received::Taken).map(|(&id, _)| id).collect();
        ids.sort_unstable();
        ids
    }
}

