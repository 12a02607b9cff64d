//! What handles ask for, beside publishing.

use std::task::{Context, Poll};

use gridmq_proto::ReasonCode;
use gridmq_proto::packet::DisconnectProperties;

use super::{COMMANDS, DisconnectCommand, Driver, Request};
use crate::inbox::News;
use crate::lifecycle::Phase;

impl Driver {
    pub(super) fn news(&mut self, cx: &Context<'_>) {
        let News { completions, abandoned, dropped, catch_all, hurry } = self.channels.inbox.take(cx);
        for (token, verdict) in completions {
            self.link.with(|machine, now| machine.complete(now, token, verdict));
        }
        for token in abandoned {
            self.link.with(|machine, _| machine.abandon(token));
        }
        if let Some(queue) = catch_all {
            self.router.catch_all(queue);
        }
        if hurry {
            self.life.hasten(self.link.now());
        }
        let dropped = self.router.drop_subscriptions(&dropped);
        if !self.ended {
            if matches!(self.life.phase(), Phase::Up | Phase::Finishing { .. }) {
                self.give_up(dropped);
            } else {
                self.absence.dropped.extend(dropped);
            }
        }
    }

    pub(super) fn requests(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            match self.channels.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.request(request),
                Poll::Ready(None) => {
                    if !self.ended && !self.departure.is_leaving() && self.channels.publishes.is_empty() {
                        self.disconnect(ReasonCode::NORMAL_DISCONNECTION, DisconnectProperties::default());
                    }
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        true
    }

    pub(super) fn request(&mut self, request: Request) {
        match request {
            // Dropping the reply says that there is no connection.
            Request::Subscribe(_)
            | Request::Unsubscribe(_)
            | Request::Ping(_)
            | Request::Flush(_)
            | Request::Shutdown(_)
                if self.ended => {}
            Request::Subscribe(command) => self.subscribe(*command),
            Request::Unsubscribe(command) => self.unsubscribe(*command),
            Request::Flush(reply) => self.departure.flush(reply),
            Request::Shutdown(command) => self.shut_down(command),
            Request::Ping(reply) => {
                let number = self.link.ping();
                self.replies.ping(number, reply);
            }
            Request::Disconnect(DisconnectCommand { reason, properties, timeout, reply }) => {
                if let Some(timeout) = timeout {
                    self.link.linger(timeout);
                }
                self.replies.disconnect(reply);
                self.disconnect(reason, properties);
            }
        }
    }

    fn disconnect(&mut self, reason: ReasonCode, mut properties: DisconnectProperties) {
        if properties.session_expiry_interval.is_none() && self.plan.ends_session {
            properties.session_expiry_interval = Some(0);
        }
        self.link.with(|machine, now| machine.disconnect(now, reason, properties));
    }
}
