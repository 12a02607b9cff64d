//! The server has accepted us: what a new connection is asked for in place of the one before.

use std::fmt;
use std::sync::Arc;

use gridmq_proto::QoS;
use gridmq_proto::packet::{ConnAck, SubAck};

use super::Driver;
use super::replies::Unanswered;
use super::router::Again;
use crate::error::SubscribeError;
use crate::events::ConnectionEvent;
use crate::inbox::SubscriptionKey;
use crate::state::{ConnectionInfo, ConnectionState};

impl Driver {
    pub(super) fn accepted(&mut self, ack: ConnAck) {
        // Also of a server that takes us and leaves in the same breath, or that we do not take.
        self.absence.session_lost |= !ack.session_present;
        // Such a one has refused.
        let Some(limits) = self.link.machine().server_limits().cloned() else { return };
        let Some(greeting) = self.greeting.take() else { return };
        let info = Arc::new(ConnectionInfo {
            version: self.plan.connect.version,
            server: greeting.address.shown(),
            address: greeting.socket,
            tls: greeting.tls,
            generation: greeting.generation.as_ref().map(|generation| generation.number),
            session_present: ack.session_present,
            client_id: ack.properties.assigned_client_identifier.clone().unwrap_or(greeting.client_id),
            limits,
            properties: ack.properties,
        });
        let (returns, moved) = (self.life.was_up(), self.life.is_moving());
        let certificate = greeting.generation.as_ref().map(|used| (used.number, used.identity.not_after()));
        self.life.accepted(self.link.now(), certificate);
        if let Some((_, until)) = certificate {
            self.watch.metrics().certificate(until);
        }
        let known = self.life.known_generation();
        if let (Some(certificates), Some(generation)) = (&mut self.certificates, greeting.generation) {
            certificates.accepted(generation, known);
        }
        let session_present = info.session_present;
        self.channels.info.send_replace(Some(Arc::clone(&info)));
        self.set_state(ConnectionState::Connected(Arc::clone(&info)));
        self.tell(match info.generation.filter(|_| moved) {
            Some(generation) => ConnectionEvent::Rotated { generation, session_present },
            None => ConnectionEvent::Connected { session_present },
        });
        if let Some(first) = self.first.take() {
            // Who asked may have gone; then the last handle has, too.
            let _ = first.send(Ok(()));
        }
        if !returns && session_present {
            let until = self.link.now().after(self.plan.request_timeout);
            self.router.await_subscriptions(until);
        }
        self.take_up(returns, session_present);
    }

    /// Goes on where the connection before was.
    fn take_up(&mut self, returns: bool, session_present: bool) {
        let unanswered = std::mem::take(&mut self.absence.unanswered);
        let unmade = std::mem::take(&mut self.absence.unmade);
        let dropped = std::mem::take(&mut self.absence.dropped);
        let held = std::mem::take(&mut self.absence.held);
        let lost = std::mem::take(&mut self.absence.session_lost);
        if session_present && !lost {
            self.give_up(dropped);
            let unmade = self.router.again(|key| unmade.contains(&key));
            self.subscribe_again(unmade);
        } else if returns {
            self.tell(ConnectionEvent::SessionLost);
            let waiting = |key| unanswered.subscribed.iter().any(|(waiting, _)| waiting.contains(&key));
            let lost = self.router.again(|key| !waiting(key));
            self.subscribe_again(lost);
        }
        self.ask_again(unanswered);
        self.link.release();
        for request in held {
            self.request(request);
        }
    }

    /// The server has these subscriptions no more, or never had them.
    fn subscribe_again(&mut self, subscriptions: Vec<Again>) {
        for again in subscriptions {
            let keys = again.keys();
            match self.ask(again) {
                Ok(id) => drop(self.absence.resubscribed.insert(id, keys)),
                Err(error) => keys.into_iter().for_each(|key| self.lose(key, &error)),
            }
        }
    }

    /// Asks what the connection before did not answer.
    fn ask_again(&mut self, unanswered: Unanswered) {
        for (keys, reply) in unanswered.subscribed {
            // Given up meanwhile, if it is not there. What was one packet becomes one again.
            let Some(again) = self.router.again(|key| keys.contains(&key)).into_iter().next() else { continue };
            let keys = again.keys();
            match self.ask(again) {
                Ok(id) => self.replies.subscribe(id, keys, reply),
                Err(error) => {
                    keys.into_iter().for_each(|key| self.router.forget(key));
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
    pub(super) fn subscribed_again(&mut self, ack: &SubAck) {
        let Some(keys) = self.absence.resubscribed.remove(&ack.packet_id) else { return };
        for (key, reason) in keys.into_iter().zip(&ack.reasons) {
            if QoS::from_u8(reason.as_u8()).is_none() {
                self.lose(key, reason);
            }
        }
    }

    fn lose(&mut self, key: SubscriptionKey, why: &dyn fmt::Display) {
        if let Some(filter) = self.router.lose(key) {
            tracing::warn!(%why, filter = filter.as_str(), "a subscription could not be made again");
            self.tell(ConnectionEvent::SubscriptionLost { filter });
        }
    }
}
