//! What a new connection is asked for in place of the one before.

use std::fmt;

use gridmq_proto::QoS;
use gridmq_proto::ReasonCode;
use gridmq_proto::packet::SubAck;

use super::super::replies::Unanswered;
use super::super::router::Again;
use super::Driver;
use crate::error::SubscribeError;
use crate::events::ConnectionEvent;
use crate::inbox::SubscriptionKey;

impl Driver {
    /// The server has these subscriptions no more, or never had them.
    pub(super) fn subscribe_again(&mut self, subscriptions: Vec<Again>) {
        for again in subscriptions {
            let key = again.key;
            match self.ask(again) {
                Ok(id) => {
                    if let Some(rotator) = &mut self.rotator {
                        rotator.resubscribed.insert(id, key);
                    }
                }
                Err(error) => self.lose(key, &error),
            }
        }
    }

    /// Asks what the connection before did not answer.
    pub(super) fn ask_again(&mut self, unanswered: Unanswered) {
        for (key, reply) in unanswered.subscribed {
            // Given up meanwhile, if it is not there.
            let Some(again) = self.router.one(key) else { continue };
            match self.ask(again) {
                Ok(id) => self.replies.subscribe(id, key, reply),
                Err(error) => {
                    self.router.forget(key);
                    drop(reply.send(Err(SubscribeError::Limit(error))));
                }
            }
        }
        for command in unanswered.unsubscribed {
            self.unsubscribe(command);
        }
        for reply in unanswered.pinged {
            let number = self.link.ping();
            self.replies.ping(number, reply);
        }
    }

    /// A SUBACK, perhaps for a subscription that was made again.
    pub(in crate::driver) fn subscribed_again(&mut self, ack: &SubAck) {
        let Some(rotator) = &mut self.rotator else { return };
        let Some(key) = rotator.resubscribed.remove(&ack.packet_id) else { return };
        let reason = ack.reasons.first().copied().unwrap_or(ReasonCode::UnspecifiedError);
        if QoS::from_u8(reason.as_u8()).is_none() {
            self.lose(key, &reason);
        }
    }

    fn lose(&mut self, key: SubscriptionKey, why: &dyn fmt::Display) {
        if let Some(filter) = self.router.forget(key) {
            tracing::warn!(%why, filter = filter.as_str(), "a subscription could not be made again");
            self.tell(ConnectionEvent::SubscriptionLost { filter });
        }
    }
}
