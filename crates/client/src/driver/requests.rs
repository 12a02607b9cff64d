//! What handles ask for, beside publishing.

use std::task::{Context, Poll};

use gridmq_proto::packet::DisconnectProperties;
use gridmq_proto::session::client::RequestError;
use gridmq_proto::{PacketId, ReasonCode, SubscriptionFilter};

use super::replies::Unsubscribing;
use super::router::Again;
use super::{COMMANDS, DisconnectCommand, Driver, Request, SubscribeCommand, UnsubscribeCommand};
use crate::error::SubscribeError;
use crate::inbox::News;
use crate::lifecycle::Phase;

impl Driver {
    pub(super) fn news(&mut self, cx: &Context<'_>) {
        let News { completions, abandoned, dropped, catch_all } = self.channels.inbox.take(cx);
        for (token, verdict) in completions {
            self.link.with(|machine, now| machine.complete(now, token, verdict));
        }
        for token in abandoned {
            self.link.with(|machine, _| machine.abandon(token));
        }
        if let Some(queue) = catch_all {
            self.router.catch_all(queue);
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

    /// Unsubscribes from what the application has dropped.
    pub(super) fn give_up(&mut self, dropped: Vec<SubscriptionFilter>) {
        for filters in self.router.packets(dropped) {
            let asked = self.link.with(|machine, now| machine.unsubscribe(now, filters, Vec::new()));
            if let Err(error) = asked {
                tracing::debug!(%error, "a dropped subscription was not given up");
            }
        }
    }

    pub(super) fn requests(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            match self.channels.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.request(request),
                Poll::Ready(None) => {
                    if !self.ended && self.channels.publishes.is_empty() {
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
            Request::Subscribe(_) | Request::Unsubscribe(_) | Request::Ping(_) if self.ended => {}
            Request::Subscribe(command) => self.subscribe(*command),
            Request::Unsubscribe(command) => self.unsubscribe(*command),
            Request::Ping(reply) => {
                let number = self.link.ping();
                self.replies.ping(number, reply);
            }
            Request::Disconnect(DisconnectCommand { reason, properties, reply }) => {
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

    pub(super) fn unsubscribe(&mut self, command: UnsubscribeCommand) {
        let keys = command.filters.iter().map(|filter| self.router.keys_of(filter)).collect();
        let (filters, user_properties) = (command.filters.clone(), command.user_properties.clone());
        match self.link.with(|machine, now| machine.unsubscribe(now, filters, user_properties)) {
            Ok(id) => self.replies.unsubscribe(id, Unsubscribing { keys, command }),
            Err(error) => drop(command.reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    fn subscribe(&mut self, command: SubscribeCommand) {
        let SubscribeCommand { filters, identifier, user_properties, queue, reply } = command;
        if queue.is_abandoned() {
            return;
        }
        let again = Again { filters, identifier, user_properties };
        match self.ask(again.clone()) {
            Ok(id) => {
                // From now on: the server may send messages before its SUBACK (MQTT 5.0 §3.8.4).
                let keys = again.keys();
                self.router.subscribe(again, &queue);
                self.replies.subscribe(id, keys, reply);
            }
            Err(error) => drop(reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    pub(super) fn ask(&mut self, again: Again) -> Result<PacketId, RequestError> {
        let Again { filters, identifier, user_properties } = again;
        let entries = filters.into_iter().map(|(_, entry)| entry).collect();
        self.link.with(|machine, now| machine.subscribe(now, entries, identifier, user_properties))
    }
}
