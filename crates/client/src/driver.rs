//! The one task that owns the connection.

mod replies;
mod router;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::{SubscribeFilter, UserProperties};
use gridmq_proto::session::Admitted;
use gridmq_proto::session::client::{Event, Outgoing};
use gridmq_proto::time::Monotonic;
use gridmq_proto::{QoS, ReasonCode, SubscriptionFilter};
use tokio::sync::{mpsc, oneshot, watch};

use self::replies::Replies;
use self::router::Router;
use crate::error::{DisconnectCause, PublishError, SubscribeError};
use crate::inbox::{Inbox, News, SubscriptionKey};
use crate::link::{Happening, Link};
use crate::publish::Published;
use crate::queue::Queue;
use crate::state::ConnectionState;

/// Requests that wait for the driver.
pub(crate) const MAX_REQUESTS: usize = 64;
/// Publishes that wait for the driver.
pub(crate) const MAX_PUBLISHES: usize = 256;
/// Unacknowledged messages, and their bytes, beyond which no publish is taken.
const MAX_UNACKNOWLEDGED: usize = 1000;
const MAX_UNACKNOWLEDGED_BYTES: usize = 16 << 20;
/// Bytes that wait to be written, beyond which no publish is taken.
const MAX_BACKLOG: usize = 256 * 1024;
/// While there is no room, how often to look whether there is again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// Commands taken in one turn, so that reading gets its turn.
const COMMANDS: usize = 512;

/// What a handle asks for, beside publishing.
#[derive(Debug)]
pub(crate) enum Request {
    Subscribe(Box<SubscribeCommand>),
    Unsubscribe(Box<UnsubscribeCommand>),
    Ping(oneshot::Sender<()>),
    Disconnect(DisconnectCommand),
}

#[derive(Debug)]
pub(crate) struct SubscribeCommand {
    pub(crate) key: SubscriptionKey,
    pub(crate) entry: SubscribeFilter,
    pub(crate) identifier: Option<SubscriptionId>,
    pub(crate) user_properties: UserProperties,
    pub(crate) queue: Arc<Queue>,
    pub(crate) reply: oneshot::Sender<Result<QoS, SubscribeError>>,
}

#[derive(Debug)]
pub(crate) struct UnsubscribeCommand {
    pub(crate) filter: SubscriptionFilter,
    pub(crate) user_properties: UserProperties,
    pub(crate) reply: oneshot::Sender<Result<(), SubscribeError>>,
}

#[derive(Debug)]
pub(crate) struct DisconnectCommand {
    pub(crate) reason: ReasonCode,
    pub(crate) session_expiry: Option<u32>,
    pub(crate) reply: oneshot::Sender<()>,
}

#[derive(Debug)]
pub(crate) struct PublishCommand {
    pub(crate) outgoing: Outgoing,
    pub(crate) reply: oneshot::Sender<Result<Published, PublishError>>,
}

/// The driver's ends of the channels.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) publishes: mpsc::Receiver<PublishCommand>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) state: watch::Sender<ConnectionState>,
}

#[derive(Debug)]
pub(crate) struct Driver {
    link: Link,
    channels: Channels,
    replies: Replies,
    router: Router,
    /// The machine has ended.
    ended: bool,
}

impl Driver {
    /// `hold_until`: until when messages that match no subscription wait for one.
    pub(crate) fn new(link: Link, channels: Channels, hold_until: Option<Monotonic>) -> Self {
        let router = Router::new(Arc::clone(&channels.inbox), hold_until);
        Self { link, channels, replies: Replies::default(), router, ended: false }
    }

    /// Works until the connection has ended.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What CONNACK's turn left behind, or the last one.
        self.events();
        self.news(cx);
        let mut more = self.requests(cx);
        more |= self.publishes(cx);
        let had_room = self.has_room();
        let look_again = (!had_room).then(|| self.link.now().after(LOOK_AGAIN));
        let at = [self.router.deadline(), look_again].into_iter().flatten().min();
        more |= self.link.turn(cx, at);
        self.events();
        self.replies.written(self.link.progress().1);
        self.replies.answered(self.link.pings_answered());
        self.router.expire(self.link.now());
        if self.link.is_closed() {
            self.replies.left();
            return Poll::Ready(());
        }
        if more || (!had_room && self.has_room()) {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    }

    fn news(&mut self, cx: &Context<'_>) {
        let News { completions, dropped, catch_all } = self.channels.inbox.take(cx);
        for (token, verdict) in completions {
            self.link.with(|machine, now| machine.complete(now, token, verdict));
        }
        if let Some(queue) = catch_all {
            self.router.catch_all(queue);
        }
        for key in dropped {
            if let Some(filter) = self.router.drop_subscription(key)
                && !self.ended
            {
                let asked = self.link.with(|machine, now| machine.unsubscribe(now, vec![filter], Vec::new()));
                if let Err(error) = asked {
                    tracing::debug!(%error, "a dropped subscription was not given up");
                }
            }
        }
    }

    fn requests(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            match self.channels.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.request(request),
                Poll::Ready(None) => {
                    if !self.ended && self.channels.publishes.is_empty() {
                        self.link.with(|machine, now| machine.disconnect(now, ReasonCode::NORMAL_DISCONNECTION, None));
                    }
                    return false;
                }
                Poll::Pending => return false,
            }
        }
        true
    }

    fn request(&mut self, request: Request) {
        match request {
            // Dropping the reply says that there is no connection.
            Request::Subscribe(_) | Request::Unsubscribe(_) | Request::Ping(_) if self.ended => {}
            Request::Subscribe(command) => self.subscribe(*command),
            Request::Unsubscribe(command) => {
                let UnsubscribeCommand { filter, user_properties, reply } = *command;
                let keys = self.router.keys_of(&filter);
                let filters = vec![filter];
                match self.link.with(|machine, now| machine.unsubscribe(now, filters, user_properties)) {
                    Ok(id) => self.replies.unsubscribe(id, keys, reply),
                    Err(error) => drop(reply.send(Err(SubscribeError::Limit(error)))),
                }
            }
            Request::Ping(reply) => {
                let number = self.link.ping();
                self.replies.ping(number, reply);
            }
            Request::Disconnect(DisconnectCommand { reason, session_expiry, reply }) => {
                self.replies.disconnect(reply);
                self.link.with(|machine, now| machine.disconnect(now, reason, session_expiry));
            }
        }
    }

    fn subscribe(&mut self, command: SubscribeCommand) {
        let SubscribeCommand { key, entry, identifier, user_properties, queue, reply } = command;
        if queue.is_abandoned() {
            return;
        }
        let filter = entry.filter.clone();
        match self.link.with(|machine, now| machine.subscribe(now, vec![entry], identifier, user_properties)) {
            Ok(id) => {
                // From now on: the server may send messages before its SUBACK (MQTT 5.0 §3.8.4).
                self.router.subscribe(key, filter, identifier, queue);
                self.replies.subscribe(id, key, reply);
            }
            Err(error) => drop(reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    fn has_room(&self) -> bool {
        self.link.backlog() < MAX_BACKLOG && self.replies.has_room(MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES)
    }

    fn publishes(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            if self.ended || !self.has_room() {
                return false;
            }
            match self.channels.publishes.poll_recv(cx) {
                Poll::Ready(Some(PublishCommand { outgoing, reply })) => self.publish(outgoing, reply),
                // With the last request gone too, the next turn says goodbye.
                Poll::Ready(None) => return !self.ended,
                Poll::Pending => return false,
            }
        }
        true
    }

    fn publish(&mut self, outgoing: Outgoing, reply: oneshot::Sender<Result<Published, PublishError>>) {
        let weight = outgoing.message.weight();
        match self.link.with(|machine, now| machine.publish(now, outgoing)) {
            Ok(Admitted::Sent(None)) => self.replies.write(self.link.progress().0, reply),
            Ok(Admitted::Sent(Some(position)) | Admitted::Queued(position)) => {
                self.replies.publish(position, weight, reply);
            }
            // The session's queue has no limit of its own here, so these do not occur.
            Ok(Admitted::Dropped | Admitted::Full) => drop(reply),
            Err(error) => drop(reply.send(Err(PublishError::Limit(error)))),
        }
    }

    fn events(&mut self) {
        while let Some(Happening { event, words }) = self.link.next_event() {
            match event {
                Event::Message(incoming) => self.router.deliver(incoming),
                Event::Published { position, reason, .. } => self.replies.published(position, reason, words),
                Event::Subscribed(ack) => {
                    if let Some(key) = self.replies.subscribed(ack) {
                        self.router.forget(key);
                    }
                }
                Event::Unsubscribed(ack) => {
                    if let Some(keys) = self.replies.unsubscribed(ack) {
                        self.router.unsubscribed(&keys);
                    }
                }
                Event::Ended { end, words } => {
                    let ending = self.link.ending(end, words);
                    self.end(DisconnectCause::new(ending));
                }
                // No authentication method is ever asked for, and CONNACK was before our time.
                Event::Connected(_) | Event::Auth(_) => {}
            }
        }
    }

    fn end(&mut self, cause: DisconnectCause) {
        tracing::debug!(%cause, "disconnected");
        self.ended = true;
        self.channels.state.send_replace(ConnectionState::Disconnected(cause.clone()));
        self.channels.publishes.close();
        while let Ok(PublishCommand { reply, .. }) = self.channels.publishes.try_recv() {
            drop(reply.send(Err(PublishError::Disconnected(cause.clone()))));
        }
        self.replies.fail(&cause);
        self.router.close();
        self.channels.inbox.close();
    }
}

/// Streams end too when the task is stopped with its runtime.
impl Drop for Driver {
    fn drop(&mut self) {
        self.router.close();
        self.channels.inbox.close();
    }
}
