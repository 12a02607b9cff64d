//! Who waits for which answer.

mod by_position;

use std::collections::VecDeque;

use gridmq_proto::session::Position;
use gridmq_proto::{QoS, ReasonCode};
use tokio::sync::oneshot;

use self::by_position::ByPosition;
use super::PublishReply;
use crate::error::{DisconnectCause, PublishError};
use crate::publish::Published;

/// A message that the server has not acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    qos: QoS,
    weight: u32,
    reply: PublishReply,
}

/// A message of QoS 0 that is done with when the stream has come to `place`.
#[derive(Debug)]
struct Unwritten {
    place: u64,
    weight: u32,
    reply: PublishReply,
}

/// No message is heavier than a packet.
fn whole(weight: usize) -> u32 {
    u32::try_from(weight).unwrap_or(u32::MAX)
}

/// Requests whose answers are due. A reply that nobody waits for any more is dropped when it comes.
#[derive(Debug, Default)]
pub(super) struct Replies {
    published: ByPosition<Unacknowledged>,
    written: VecDeque<Unwritten>,
    /// What the messages in there weigh.
    unwritten_bytes: usize,
    /// PINGREQs by number.
    pinged: VecDeque<(u64, oneshot::Sender<()>)>,
    left: Vec<oneshot::Sender<()>>,
}

impl Replies {
    pub(super) fn publish(&mut self, position: Position, qos: QoS, weight: usize, reply: PublishReply) {
        self.published.insert(position, Unacknowledged { qos, weight: whole(weight), reply });
    }

    /// How a message ended, and the place in the stream behind what has been sent. Gives the failure that nobody has
    /// heard of.
    pub(super) fn published(
        &mut self,
        (position, qos): (Position, QoS),
        outcome: Result<Published, PublishError>,
        place: u64,
    ) -> Option<PublishError> {
        match (self.published.remove(&position), outcome) {
            (Some(Unacknowledged { weight, reply, .. }), Ok(_)) if qos == QoS::AtMostOnce => {
                self.write(place, weight as usize, reply);
                None
            }
            (Some(Unacknowledged { reply, .. }), outcome) => reply.send(outcome).err()?.err(),
            (None, outcome) => outcome.err(),
        }
    }

    /// All messages whose outcome is open, in order; there will be none.
    pub(super) fn take_published(&mut self) -> Vec<(Position, QoS, PublishReply)> {
        let open = self.published.drain();
        let mut open: Vec<_> = open.map(|(at, Unacknowledged { qos, reply, .. })| (at, qos, reply)).collect();
        open.sort_by_cached_key(|&(position, ..)| position);
        open
    }

    pub(super) fn ping(&mut self, number: u64, reply: oneshot::Sender<()>) {
        self.pinged.push_back((number, reply));
    }

    /// The server has answered so many PINGREQs.
    pub(super) fn answered(&mut self, count: u64) {
        while let Some((_, reply)) = self.pinged.pop_front_if(|(number, _)| *number <= count) {
            let _ = reply.send(());
        }
    }

    pub(super) fn write(&mut self, place: u64, weight: usize, reply: PublishReply) {
        let weight = whole(weight);
        self.unwritten_bytes += weight as usize;
        self.written.push_back(Unwritten { place, weight, reply });
    }

    /// Messages of QoS 0 that a connection was given and has not written, and their bytes.
    pub(super) fn unwritten_load(&self) -> (usize, usize) {
        (self.written.len(), self.unwritten_bytes)
    }

    /// The stream is on its way up to `place`.
    pub(super) fn written(&mut self, place: u64) {
        while let Some(Unwritten { weight, reply, .. }) = self.written.pop_front_if(|it| it.place <= place) {
            self.unwritten_bytes -= weight as usize;
            drop(reply.send(Ok(ReasonCode::Success.into())));
        }
    }

    /// Whether every ping was answered, and every message acknowledged or written.
    pub(super) fn is_idle(&self) -> bool {
        self.published.is_empty() && self.written.is_empty() && self.pinged.is_empty()
    }

    /// The connection has ended and there will be another: who waits for a PINGRESP.
    pub(super) fn interrupt(&mut self) -> Vec<oneshot::Sender<()>> {
        self.pinged.drain(..).map(|(_, reply)| reply).collect()
    }

    pub(super) fn disconnect(&mut self, reply: oneshot::Sender<()>) {
        self.left.push(reply);
    }

    /// The connection is closed on both sides.
    pub(super) fn left(&mut self) {
        for reply in self.left.drain(..) {
            // Nobody may wait for it any more.
            let _ = reply.send(());
        }
    }

    /// What was to be written will not be. Gives the failures that nobody has heard of.
    pub(super) fn unwritten(&mut self, cause: &DisconnectCause) -> Vec<PublishError> {
        let fail = |Unwritten { reply, .. }: Unwritten| {
            let why = PublishError::Disconnected { topic: reply.topic.clone(), cause: cause.clone() };
            reply.send(Err(why)).err()?.err()
        };
        self.unwritten_bytes = 0;
        self.written.drain(..).filter_map(fail).collect()
    }

    /// No answer will come any more.
    pub(super) fn fail(&mut self) {
        self.pinged.clear();
    }
}
