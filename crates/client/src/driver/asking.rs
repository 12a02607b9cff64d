//! SUBSCRIBE and UNSUBSCRIBE: who waits for the answer, and what is asked again on the next connection, in order.

use std::collections::VecDeque;
use std::fmt;

use gridmq_proto::packet::{AckProperties, SubAck, UnsubAck};
use gridmq_proto::session::client::RequestError;
use gridmq_proto::{PacketId, QoS, ReasonCode, SubscriptionFilter};
use tokio::sync::oneshot;

use super::router::Again;
use super::{Driver, SubscribeAnswers, SubscribeCommand, UnsubscribeCommand};
use crate::error::{DisconnectCause, SubscribeError};
use crate::events::ConnectionEvent;
use crate::inbox::SubscriptionKey;
use crate::unsubscribe::Unsubscribed;

type SubscribeReply = oneshot::Sender<Result<SubscribeAnswers, SubscribeError>>;

/// What the server was asked for.
#[derive(Debug)]
pub(super) enum Asked {
    /// New subscriptions of the application.
    Subscribe { keys: Vec<SubscriptionKey>, reply: SubscribeReply },
    /// Subscriptions that the application has, and the server had lost.
    Again { keys: Vec<SubscriptionKey> },
    /// For each filter the subscriptions that end with it. One made later with the same filter does not.
    Unsubscribe { keys: Vec<Vec<SubscriptionKey>>, command: UnsubscribeCommand },
    /// Filters whose subscriptions the application has dropped.
    GivenUp { filters: Vec<SubscriptionFilter> },
}

impl Asked {
    /// Whether it is what the application waits for to get that subscription.
    pub(super) fn is_new(&self, key: SubscriptionKey) -> bool {
        matches!(self, Self::Subscribe { keys, .. } if keys.contains(&key))
    }
}

/// What the server has not answered, in the order in which it was asked.
#[derive(Debug, Default)]
pub(super) struct Asking(VecDeque<(PacketId, Asked)>);

impl Asking {
    pub(super) fn push(&mut self, id: PacketId, asked: Asked) {
        self.0.push_back((id, asked));
    }

    /// What an answer is to: most often the oldest.
    fn take(&mut self, id: PacketId) -> Option<Asked> {
        let place = self.0.iter().position(|&(asked, _)| asked == id)?;
        self.0.remove(place).map(|(_, asked)| asked)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The connection has ended and there will be another: what is to be asked again there.
    pub(super) fn interrupt(&mut self) -> impl Iterator<Item = Asked> {
        std::mem::take(&mut self.0).into_iter().map(|(_, asked)| asked)
    }

    /// No answer will come any more.
    pub(super) fn fail(&mut self, cause: &DisconnectCause) {
        let error = || SubscribeError::Disconnected(cause.clone());
        for asked in self.interrupt() {
            match asked {
                Asked::Subscribe { reply, .. } => drop(reply.send(Err(error()))),
                Asked::Unsubscribe { command, .. } => drop(command.reply.send(Err(error()))),
                Asked::Again { .. } | Asked::GivenUp { .. } => {}
            }
        }
    }
}

impl Driver {
    pub(super) fn subscribe(&mut self, command: SubscribeCommand) {
        let SubscribeCommand { filters, identifier, user_properties, queue, new_lookup, reply } = command;
        if queue.is_abandoned() {
            return;
        }
        let again = Again { filters, identifier, user_properties };
        match self.ask(again.clone()) {
            Ok(id) => {
                // From now on: the server may send messages before its SUBACK (MQTT 5.0 §3.8.4).
                let keys = again.keys();
                self.router.subscribe(again, &queue, new_lookup);
                self.asking.push(id, Asked::Subscribe { keys, reply });
            }
            Err(error) => drop(reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    pub(super) fn unsubscribe(&mut self, command: UnsubscribeCommand) {
        let keys = command.filters.iter().map(|filter| self.router.keys_of(filter)).collect();
        self.unsubscribe_these(keys, command);
    }

    fn unsubscribe_these(&mut self, keys: Vec<Vec<SubscriptionKey>>, command: UnsubscribeCommand) {
        let (filters, user_properties) = (command.filters.clone(), command.user_properties.clone());
        match self.link.with(|machine, now| machine.unsubscribe(now, filters, user_properties)) {
            Ok(id) => self.asking.push(id, Asked::Unsubscribe { keys, command }),
            Err(error) => drop(command.reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    /// Unsubscribes from what the application has dropped.
    pub(super) fn give_up(&mut self, dropped: Vec<SubscriptionFilter>) {
        let mut packets: VecDeque<_> = self.router.packets(dropped).into();
        while let Some(mut filters) = packets.pop_front() {
            let packet = filters.clone();
            match self.link.with(|machine, now| machine.unsubscribe(now, packet, Vec::new())) {
                Ok(id) => self.asking.push(id, Asked::GivenUp { filters }),
                Err(RequestError::PacketTooLarge { .. }) if filters.len() > 1 => {
                    let rest = filters.split_off(filters.len() / 2);
                    packets.push_front(rest);
                    packets.push_front(filters);
                }
                Err(error) => tracing::debug!(%error, "a dropped subscription was not given up"),
            }
        }
    }

    fn ask(&mut self, again: Again) -> Result<PacketId, RequestError> {
        let Again { filters, identifier, user_properties } = again;
        let entries = filters.into_iter().map(|(_, entry)| entry).collect();
        self.link.with(|machine, now| machine.subscribe(now, entries, identifier, user_properties))
    }

    /// The server has these subscriptions no more, or never had them.
    pub(super) fn subscribe_again(&mut self, subscriptions: Vec<Again>) {
        let mut packets: VecDeque<_> = subscriptions.into();
        while let Some(mut again) = packets.pop_front() {
            match self.ask(again.clone()) {
                Ok(id) => self.asking.push(id, Asked::Again { keys: again.keys() }),
                // This server takes less at once than the one before.
                Err(RequestError::PacketTooLarge { .. }) if again.filters.len() > 1 => {
                    let filters = again.filters.split_off(again.filters.len() / 2);
                    let rest = Again { filters, ..again.clone() };
                    packets.push_front(rest);
                    packets.push_front(again);
                }
                Err(error) => again.keys().into_iter().for_each(|key| self.lose(key, &error)),
            }
        }
    }

    /// Asks what the connection before did not answer. `resumed`: the server has the session of then.
    pub(super) fn ask_again(&mut self, unanswered: Vec<Asked>, resumed: bool) {
        for asked in unanswered {
            match asked {
                Asked::Subscribe { keys, reply } => self.subscribe_once_more(&keys, reply),
                Asked::Again { keys } if resumed => {
                    let again = self.router.again(&|key| keys.contains(&key));
                    self.subscribe_again(again);
                }
                Asked::Unsubscribe { keys, command } => self.unsubscribe_these(keys, command),
                Asked::GivenUp { mut filters } if resumed => {
                    // Somebody may have subscribed to them since.
                    filters.retain(|filter| self.router.keys_of(filter).is_empty());
                    self.give_up(filters);
                }
                // A new session has none of them, or all of them are made again.
                Asked::Again { .. } | Asked::GivenUp { .. } => {}
            }
        }
    }

    fn subscribe_once_more(&mut self, keys: &[SubscriptionKey], reply: SubscribeReply) {
        // Given up meanwhile, if it is not there. What was one packet becomes one again.
        let Some(again) = self.router.again(&|key| keys.contains(&key)).into_iter().next() else { return };
        let keys = again.keys();
        match self.ask(again) {
            Ok(id) => self.asking.push(id, Asked::Subscribe { keys, reply }),
            Err(error) => {
                keys.into_iter().for_each(|key| self.router.forget(key));
                drop(reply.send(Err(SubscribeError::Limit(error))));
            }
        }
    }

    /// A SUBACK.
    pub(super) fn subscribed(&mut self, ack: SubAck) {
        match self.asking.take(ack.packet_id) {
            Some(Asked::Subscribe { keys, reply }) => {
                // The machine has seen to it that there are as many.
                let reasons: Vec<_> = keys.into_iter().zip(ack.reasons).collect();
                for &(key, _) in reasons.iter().filter(|(_, reason)| is_refusal(*reason)) {
                    self.router.forget(key);
                }
                drop(reply.send(Ok(SubscribeAnswers { reasons, properties: ack.properties })));
            }
            Some(Asked::Again { keys }) => {
                for (key, reason) in keys.into_iter().zip(&ack.reasons) {
                    if is_refusal(*reason) {
                        self.lose(key, reason);
                    }
                }
            }
            Some(Asked::Unsubscribe { .. } | Asked::GivenUp { .. }) | None => {}
        }
    }

    /// An UNSUBACK. What the server has given up ends.
    pub(super) fn unsubscribed(&mut self, ack: UnsubAck) {
        let Some(Asked::Unsubscribe { keys, command }) = self.asking.take(ack.packet_id) else { return };
        let UnsubscribeCommand { filters, reply, .. } = command;
        // 3.1.1 has no codes here, and no way to refuse.
        let reasons = ack.reasons.into_iter().chain(std::iter::repeat(ReasonCode::Success));
        let outcomes = filters.into_iter().zip(reasons).map(|(filter, reason)| {
            let AckProperties { reason_string, user_properties } = ack.properties.clone();
            Unsubscribed { filter, reason, reason_string, user_properties }
        });
        let outcomes: Vec<_> = outcomes.collect();
        let over = outcomes.iter().zip(keys).filter(|(outcome, _)| !outcome.reason.is_failure());
        let over: Vec<_> = over.flat_map(|(_, keys)| keys).collect();
        drop(reply.send(Ok(outcomes)));
        self.router.unsubscribed(&over);
    }

    fn lose(&mut self, key: SubscriptionKey, why: &dyn fmt::Display) {
        if let Some(filter) = self.router.lose(key) {
            tracing::warn!(%why, filter = filter.as_str(), "a subscription could not be made again");
            self.tell(ConnectionEvent::SubscriptionLost { filter });
        }
    }
}

fn is_refusal(reason: ReasonCode) -> bool {
    QoS::from_u8(reason.as_u8()).is_none()
}
