//! Who waits for which answer.

use std::collections::{HashMap, VecDeque};

use gridmq_proto::packet::{SubAck, UnsubAck};
use gridmq_proto::session::Position;
use gridmq_proto::{ByteString, PacketId, QoS, ReasonCode};
use tokio::sync::oneshot;

use super::{SubscribeAnswers, UnsubscribeCommand};
use crate::error::{DisconnectCause, PublishError, SubscribeError};
use crate::inbox::SubscriptionKey;
use crate::publish::Published;
use crate::unsubscribe::Unsubscribed;

type Reply<T, E> = oneshot::Sender<Result<T, E>>;

/// A message that the server has not acknowledged.
#[derive(Debug)]
struct Unacknowledged {
    qos: QoS,
    reply: Reply<Published, PublishError>,
}

/// An UNSUBSCRIBE that is not answered.
#[derive(Debug)]
pub(super) struct Unsubscribing {
    /// For each filter the subscriptions that end with it. One made later with the same filter does not.
    pub(super) keys: Vec<Vec<SubscriptionKey>>,
    pub(super) command: UnsubscribeCommand,
}

/// What is not answered when a connection ends, and can be asked again on the next.
#[derive(Debug, Default)]
pub(super) struct Unanswered {
    pub(super) subscribed: Vec<(Vec<SubscriptionKey>, Reply<SubscribeAnswers, SubscribeError>)>,
    pub(super) unsubscribed: Vec<UnsubscribeCommand>,
    pub(super) pinged: Vec<oneshot::Sender<()>>,
}

/// Requests whose answers are due. A reply that nobody waits for any more is dropped when it comes.
#[derive(Debug, Default)]
pub(super) struct Replies {
    published: HashMap<Position, Unacknowledged>,
    /// QoS 0: written when the stream has come this far.
    written: VecDeque<(u64, Reply<Published, PublishError>)>,
    subscribed: HashMap<PacketId, (Vec<SubscriptionKey>, Reply<SubscribeAnswers, SubscribeError>)>,
    unsubscribed: HashMap<PacketId, Unsubscribing>,
    /// PINGREQs by number.
    pinged: VecDeque<(u64, oneshot::Sender<()>)>,
    left: Vec<oneshot::Sender<()>>,
}

impl Replies {
    pub(super) fn publish(&mut self, position: Position, qos: QoS, reply: Reply<Published, PublishError>) {
        self.published.insert(position, Unacknowledged { qos, reply });
    }

    /// A message gave way to another. Its QoS, if somebody has asked for its outcome.
    pub(super) fn dropped(&mut self, position: Position) -> Option<QoS> {
        let Unacknowledged { qos, reply } = self.published.remove(&position)?;
        drop(reply.send(Err(PublishError::Dropped { position })));
        Some(qos)
    }

    /// `place`: the place in the stream behind what has been sent.
    pub(super) fn published(&mut self, position: Position, reason: ReasonCode, words: Option<ByteString>, place: u64) {
        let Some(Unacknowledged { qos, reply }) = self.published.remove(&position) else { return };
        if qos == QoS::AtMostOnce && !reason.is_failure() {
            return self.write(place, reply);
        }
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

    pub(super) fn subscribe(
        &mut self,
        id: PacketId,
        keys: Vec<SubscriptionKey>,
        reply: Reply<SubscribeAnswers, SubscribeError>,
    ) {
        self.subscribed.insert(id, (keys, reply));
    }

    /// The keys of filters that the server refused.
    pub(super) fn subscribed(&mut self, ack: SubAck) -> Vec<SubscriptionKey> {
        let Some((keys, reply)) = self.subscribed.remove(&ack.packet_id) else { return Vec::new() };
        // The machine has seen to it that there are as many.
        let reasons: Vec<_> = keys.into_iter().zip(ack.reasons).collect();
        let refused = reasons.iter().filter(|(_, reason)| QoS::from_u8(reason.as_u8()).is_none());
        let refused = refused.map(|(key, _)| *key).collect();
        drop(reply.send(Ok(SubscribeAnswers { reasons, words: ack.properties.reason_string })));
        refused
    }

    pub(super) fn unsubscribe(&mut self, id: PacketId, unsubscribing: Unsubscribing) {
        self.unsubscribed.insert(id, unsubscribing);
    }

    /// The subscriptions that the server has given up.
    pub(super) fn unsubscribed(&mut self, ack: UnsubAck) -> Vec<SubscriptionKey> {
        let Some(Unsubscribing { keys, command }) = self.unsubscribed.remove(&ack.packet_id) else { return Vec::new() };
        let UnsubscribeCommand { filters, reply, .. } = command;
        // 3.1.1 has no codes here, and no way to refuse.
        let reasons = ack.reasons.into_iter().chain(std::iter::repeat(ReasonCode::Success));
        let words = ack.properties.reason_string;
        let outcomes = filters.into_iter().zip(reasons);
        let outcomes = outcomes.map(|(filter, reason)| Unsubscribed { filter, reason, words: words.clone() });
        let outcomes: Vec<_> = outcomes.collect();
        let over = outcomes.iter().zip(keys).filter(|(outcome, _)| !outcome.reason.is_failure());
        let over = over.flat_map(|(_, keys)| keys).collect();
        drop(reply.send(Ok(outcomes)));
        over
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
