//! Who waits for which answer.

use std::collections::{HashMap, VecDeque};

use gridmq_proto::packet::{SubAck, UnsubAck};
use gridmq_proto::session::Position;
use gridmq_proto::{ByteString, PacketId, QoS, ReasonCode};
use tokio::sync::oneshot;

use super::UnsubscribeCommand;
use crate::error::{DisconnectCause, PublishError, SubscribeError};
use crate::inbox::SubscriptionKey;
use crate::publish::Published;

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// A message that the server has not acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    weight: usize,
    /// When the session drops it, if it could not be sent until then.
    reply: Reply<Published, PublishError>,
}

/// An UNSUBSCRIBE that is not answered.
#[derive(Debug)]
pub(super) struct Unsubscribing {
    /// The subscriptions that end with it. One made later with the same filter does not.
    pub(super) keys: Vec<SubscriptionKey>,
    pub(super) command: UnsubscribeCommand,
}

/// What is not answered when a connection ends, and can be asked again on the next.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    pub(super) subscribed: Vec<(SubscriptionKey, Reply<QoS, SubscribeError>)>,
    pub(super) unsubscribed: Vec<UnsubscribeCommand>,
    pub(super) pinged: Vec<oneshot::Sender<()>>,
}

/// Requests whose answers are due. A reply that nobody waits for any more is dropped when it comes.
#[derive(Debug, Default)]
pub(super) struct Replies {
    published: HashMap<Position, Unacknowledged>,
    bytes: usize,
    /// QoS 0: written when the stream has come this far.
    written: VecDeque<(u64, Reply<Published, PublishError>)>,
    subscribed: HashMap<PacketId, (SubscriptionKey, Reply<QoS, SubscribeError>)>,
    unsubscribed: HashMap<PacketId, Unsubscribing>,
    /// PINGREQs by number.
    pinged: VecDeque<(u64, oneshot::Sender<()>)>,
    left: Vec<oneshot::Sender<()>>,
}

impl Replies {
    /// Whether there may be one more unacknowledged message. One is always let in, however large.
    pub(super) fn has_room(&self, messages: usize, bytes: usize) -> bool {
        self.published.is_empty() || (self.published.len() < messages && self.bytes < bytes)
    }

    pub(super) fn publish(&mut self, position: Position, weight: usize, reply: Reply<Published, PublishError>) {
        self.bytes += weight;
        self.published.insert(position, Unacknowledged { weight, reply });
    }

    pub(super) fn published(&mut self, position: Position, reason: ReasonCode, words: Option<ByteString>) {
        let Some(Unacknowledged { weight, reply, .. }) = self.published.remove(&position) else { return };
        self.bytes -= weight;
        drop(reply.send(if reason.is_failure() {
            Err(PublishError::Refused { reason, words })
        } else {
            Ok(Published { reason })
        }));
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

    pub(super) fn write(&mut self, place: u64, reply: Reply<Published, PublishError>) {
        self.written.push_back((place, reply));
    }

    /// The stream is on its way up to `place`.
    pub(super) fn written(&mut self, place: u64) {
        while let Some((_, reply)) = self.written.pop_front_if(|(due, _)| *due <= place) {
            drop(reply.send(Ok(Published { reason: ReasonCode::Success })));
        }
    }

    pub(super) fn subscribe(&mut self, id: PacketId, key: SubscriptionKey, reply: Reply<QoS, SubscribeError>) {
        self.subscribed.insert(id, (key, reply));
    }

    /// The key of a subscription that the server refused.
    pub(super) fn subscribed(&mut self, ack: SubAck) -> Option<SubscriptionKey> {
        let (key, reply) = self.subscribed.remove(&ack.packet_id)?;
        let reason = ack.reasons.first().copied().unwrap_or(ReasonCode::UnspecifiedError);
        match QoS::from_u8(reason.as_u8()) {
            Some(granted) => {
                drop(reply.send(Ok(granted)));
                None
            }
            None => {
                let words = ack.properties.reason_string;
                drop(reply.send(Err(SubscribeError::Refused { reason, words })));
                Some(key)
            }
        }
    }

    pub(super) fn unsubscribe(&mut self, id: PacketId, unsubscribing: Unsubscribing) {
        self.unsubscribed.insert(id, unsubscribing);
    }

    /// The subscriptions that the server has given up.
    pub(super) fn unsubscribed(&mut self, ack: UnsubAck) -> Option<Vec<SubscriptionKey>> {
        let Unsubscribing { keys, command } = self.unsubscribed.remove(&ack.packet_id)?;
        let UnsubscribeCommand { reply, .. } = command;
        // 3.1.1 has no codes here, and no way to refuse.
        let reason = ack.reasons.first().copied().unwrap_or(ReasonCode::Success);
        if reason.is_failure() {
            let words = ack.properties.reason_string;
            drop(reply.send(Err(SubscribeError::Refused { reason, words })));
            return None;
        }
        drop(reply.send(Ok(())));
        Some(keys)
    }

    /// Whether every request was answered, and every message acknowledged or written.
    pub(super) fn is_idle(&self) -> bool {
        self.published.is_empty()
            && self.written.is_empty()
            && self.subscribed.is_empty()
            && self.unsubscribed.is_empty()
            && self.pinged.is_empty()
    }

    /// The connection has ended and there will be another. Messages of QoS 1 and 2 go on with the session; those of
    /// QoS 0 that were not written are lost.
    pub(super) fn interrupt(&mut self, cause: &DisconnectCause) -> Unanswered {
        for (_, reply) in self.written.drain(..) {
            drop(reply.send(Err(PublishError::Disconnected(cause.clone()))));
        }
        Unanswered {
            subscribed: self.subscribed.drain().map(|(_, waiting)| waiting).collect(),
            unsubscribed: self.unsubscribed.drain().map(|(_, waiting)| waiting.command).collect(),
            pinged: self.pinged.drain(..).map(|(_, reply)| reply).collect(),
        }
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

    /// No answer will come any more.
    pub(super) fn fail(&mut self, cause: &DisconnectCause) {
        self.pinged.clear();
        let publish = || Err(PublishError::Disconnected(cause.clone()));
        for (_, Unacknowledged { reply, .. }) in self.published.drain() {
            drop(reply.send(publish()));
        }
        self.bytes = 0;
        // A clean end still writes what was sent before it.
        if !cause.is_requested() {
            for (_, reply) in self.written.drain(..) {
                drop(reply.send(publish()));
            }
        }
        for (_, (_, reply)) in self.subscribed.drain() {
            drop(reply.send(Err(SubscribeError::Disconnected(cause.clone()))));
        }
        for (_, Unsubscribing { command, .. }) in self.unsubscribed.drain() {
            drop(command.reply.send(Err(SubscribeError::Disconnected(cause.clone()))));
        }
    }
}
