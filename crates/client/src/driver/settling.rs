//! What became of messages, and who is told.

use gridmq_proto::QoS;
use gridmq_proto::packet::AckProperties;
use gridmq_proto::session::{Position, Settled};

use super::{Driver, PublishCommand};
use crate::error::{DisconnectCause, PublishError};
use crate::metrics::MessageFate;
use crate::publish::Published;

impl Driver {
    /// A message is done with.
    pub(super) fn settled(&mut self, position: Position, qos: QoS, end: Settled) {
        let outcome = match end {
            Settled::Taken { reason, properties } => Ok(Published { reason, properties }),
            Settled::Refused { reason, properties, message } => {
                let topic = message.message().topic.clone();
                let AckProperties { reason_string, user_properties } =
                    properties.map_or_else(<_>::default, |said| *said);
                Err(PublishError::Refused { topic, reason, reason_string, user_properties })
            }
            Settled::Unsent { why, maybe_sent, message } => {
                Err(PublishError::unsent(message.message().topic.clone(), position, why, maybe_sent))
            }
        };
        if let Some(why) = self.replies.published((position, qos), outcome, self.link.progress().0) {
            self.undelivered(Some(position), why);
        }
    }

    /// Messages of QoS 0 that a connection was given and has not written.
    pub(super) fn lose_unwritten(&mut self, cause: &DisconnectCause) {
        for why in self.replies.unwritten(cause) {
            self.undelivered(None, why);
        }
    }

    /// A message did not make it, and nobody awaits that.
    fn undelivered(&mut self, position: Option<Position>, why: PublishError) {
        let kind = std::mem::discriminant(&why);
        match self.unheard.iter_mut().find(|(first, _)| std::mem::discriminant(first) == kind) {
            Some((_, count)) => *count += 1,
            None => self.unheard.push((why.clone(), 1)),
        }
        self.channels.undelivered.push(position, why);
    }

    /// Logs what was not delivered in this turn.
    pub(super) fn log_undelivered(&mut self) {
        for (first, count) in self.unheard.drain(..) {
            self.watch.undelivered(&first, count);
        }
    }

    /// No message will be sent any more: says so to whoever waits for one.
    pub(super) fn forsake(&mut self, cause: &DisconnectCause) {
        let waiting = self.outbox.waiting.take();
        let waiting = waiting.into_iter().chain(std::iter::from_fn(|| self.channels.publishes.try_recv().ok()));
        for PublishCommand { outgoing, reply, .. } in waiting {
            self.watch.metrics().message(MessageFate::Dropped, outgoing.qos);
            let topic = reply.topic.clone();
            drop(reply.send(Err(PublishError::NotTaken { topic, cause: cause.clone() })));
        }
        let last_sent = self.link.machine().session().map_or(Position::MAX, |session| session.last_sent());
        for (position, qos, reply) in self.replies.take_published() {
            // What is in the store is sent when the client is started again.
            let is_kept = self.outbox.is_kept() && qos != QoS::AtMostOnce;
            let is_unsent = position > last_sent && !is_kept;
            let (topic, cause) = (reply.topic.clone(), cause.clone());
            let why = if is_unsent {
                PublishError::NotTaken { topic, cause }
            } else {
                PublishError::Disconnected { topic, cause }
            };
            if is_unsent {
                self.watch.metrics().message(MessageFate::Dropped, qos);
            }
            if let Err(Err(why)) = reply.send(Err(why))
                && !is_kept
            {
                self.undelivered(Some(position), why);
            }
        }
    }
}
