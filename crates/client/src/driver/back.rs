//! The server has accepted us: what a new connection is asked for in place of the one before.

use std::sync::Arc;

use gridmq_proto::packet::ConnAck;

use super::Driver;
use crate::events::ConnectionEvent;
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
        let absence = &mut self.absence;
        let (unanswered, pinged) = (std::mem::take(&mut absence.unanswered), std::mem::take(&mut absence.pinged));
        let (dropped, held) = (std::mem::take(&mut absence.dropped), std::mem::take(&mut absence.held));
        let lost = std::mem::take(&mut absence.session_lost);
        let resumed = session_present && !lost;
        self.router.came_back(resumed, self.plan.receive_maximum);
        if resumed {
            self.give_up(dropped);
        } else if returns {
            self.tell(ConnectionEvent::SessionLost);
            let waiting = |key| unanswered.iter().any(|asked| asked.is_new(key));
            let lost = self.router.again(&|key| !waiting(key));
            self.subscribe_again(lost);
        }
        self.ask_again(unanswered, resumed);
        for reply in pinged {
            let number = self.link.ping();
            self.replies.ping(number, reply);
        }
        self.link.release();
        for request in held {
            self.request(request);
        }
    }
}
