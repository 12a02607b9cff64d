//! The one task that owns the connection.

mod commands;
mod replies;
mod rotating;
mod router;

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use gridmq_proto::session::Admitted;
use gridmq_proto::session::client::{Event, Outgoing, RequestError};
use gridmq_proto::time::Monotonic;
use gridmq_proto::{PacketId, ReasonCode};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

pub(crate) use self::commands::{DisconnectCommand, PublishCommand, Request, SubscribeCommand, UnsubscribeCommand};
use self::replies::{Replies, Unsubscribing};
pub(crate) use self::rotating::Rotator;
use self::router::{Again, Router};
use crate::error::{DisconnectCause, PublishError, SubscribeError};
use crate::events::ConnectionEvent;
use crate::inbox::{Inbox, News};
use crate::link::{Happening, Link};
use crate::publish::Published;
use crate::state::{ConnectionInfo, ConnectionState};

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

/// The driver's ends of the channels.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) publishes: mpsc::Receiver<PublishCommand>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) info: watch::Sender<Arc<ConnectionInfo>>,
    pub(crate) events: broadcast::Sender<ConnectionEvent>,
}

#[derive(Debug)]
pub(crate) struct Driver {
    link: Link,
    channels: Channels,
    replies: Replies,
    router: Router,
    /// The session's expiry is taken back when the application disconnects.
    ends_session: bool,
    /// Absent: the certificate does not change.
    rotator: Option<Rotator>,
    /// The machine has ended.
    ended: bool,
}

impl Driver {
    /// `hold_until`: until when messages that match no subscription wait for one.
    pub(crate) fn new(
        link: Link,
        channels: Channels,
        hold_until: Option<Monotonic>,
        ends_session: bool,
        rotator: Option<Rotator>,
    ) -> Self {
        let router = Router::new(Arc::clone(&channels.inbox), hold_until);
        Self { link, channels, replies: Replies::default(), router, ends_session, rotator, ended: false }
    }

    /// Works until the connection has ended.
    pub(crate) async fn run(mut self) {
        poll_fn(|cx| self.poll(cx)).await;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.is_away() {
            return self.poll_away(cx);
        }
        // What CONNACK's turn left behind, or the last one.
        self.events();
        let mut more = self.rotate(cx);
        if !self.is_leaving() {
            self.news(cx);
            more |= self.requests(cx);
        }
        more |= self.publishes(cx);
        let had_room = self.has_room();
        let look_again = (!had_room).then(|| self.link.now().after(LOOK_AGAIN));
        let rotation = self.rotator.as_ref().and_then(Rotator::deadline);
        let at = [self.router.deadline(), look_again, rotation].into_iter().flatten().min();
        more |= self.link.turn(cx, at);
        self.events();
        self.replies.written(self.link.progress().1);
        self.replies.answered(self.link.pings_answered());
        self.router.expire(self.link.now());
        if self.link.is_closed() {
            if !self.ended && self.is_rotating() {
                self.gone();
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            self.replies.left();
            return Poll::Ready(());
        }
        if more || (!had_room && self.has_room()) || self.has_finished() {
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
        if self.is_rotating() {
            return self.hold(cx);
        }
        for _ in 0..COMMANDS {
            match self.channels.requests.poll_recv(cx) {
                Poll::Ready(Some(request)) => self.request(request),
                Poll::Ready(None) => {
                    if !self.ended && self.channels.publishes.is_empty() {
                        self.disconnect(ReasonCode::NORMAL_DISCONNECTION, None);
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
            Request::Unsubscribe(command) => self.unsubscribe(*command),
            Request::Ping(reply) => {
                let number = self.link.ping();
                self.replies.ping(number, reply);
            }
            Request::Disconnect(DisconnectCommand { reason, session_expiry, reply }) => {
                self.replies.disconnect(reply);
                self.disconnect(reason, session_expiry);
            }
        }
    }

    fn disconnect(&mut self, reason: ReasonCode, session_expiry: Option<u32>) {
        let session_expiry = session_expiry.or_else(|| self.ends_session.then_some(0));
        self.link.with(|machine, now| machine.disconnect(now, reason, session_expiry));
    }

    fn unsubscribe(&mut self, command: UnsubscribeCommand) {
        let keys = self.router.keys_of(&command.filter);
        let (filters, user_properties) = (vec![command.filter.clone()], command.user_properties.clone());
        match self.link.with(|machine, now| machine.unsubscribe(now, filters, user_properties)) {
            Ok(id) => self.replies.unsubscribe(id, Unsubscribing { keys, command }),
            Err(error) => drop(command.reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    fn subscribe(&mut self, command: SubscribeCommand) {
        let SubscribeCommand { key, entry, identifier, user_properties, queue, reply } = command;
        if queue.is_abandoned() {
            return;
        }
        let again = Again { key, entry, identifier, user_properties };
        match self.ask(again.clone()) {
            Ok(id) => {
                // From now on: the server may send messages before its SUBACK (MQTT 5.0 §3.8.4).
                self.router.subscribe(again, queue);
                self.replies.subscribe(id, key, reply);
            }
            Err(error) => drop(reply.send(Err(SubscribeError::Limit(error)))),
        }
    }

    fn ask(&mut self, again: Again) -> Result<PacketId, RequestError> {
        let Again { entry, identifier, user_properties, .. } = again;
        self.link.with(|machine, now| machine.subscribe(now, vec![entry], identifier, user_properties))
    }

    fn has_room(&self) -> bool {
        self.link.backlog() < MAX_BACKLOG && self.replies.has_room(MAX_UNACKNOWLEDGED, MAX_UNACKNOWLEDGED_BYTES)
    }

    fn publishes(&mut self, cx: &mut Context<'_>) -> bool {
        for _ in 0..COMMANDS {
            if self.ended || self.is_rotating() || !self.has_room() {
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
        while let Some(happening) = self.link.next_event() {
            self.happened(happening);
        }
    }

    fn happened(&mut self, Happening { event, words }: Happening) {
        match event {
            Event::Message(incoming) => self.router.deliver(incoming),
            Event::Published { position, reason, .. } => self.replies.published(position, reason, words),
            Event::Subscribed(ack) => {
                self.subscribed_again(&ack);
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
                let survives = self.survives(&end);
                let cause = DisconnectCause::new(self.link.ending(end, words));
                if survives {
                    self.interrupt(cause);
                } else {
                    self.end(cause);
                }
            }
            // No authentication method is ever asked for, and CONNACK was before our time.
            Event::Connected(_) | Event::Auth(_) => {}
        }
    }

    fn end(&mut self, cause: DisconnectCause) {
        tracing::debug!(%cause, "disconnected");
        self.ended = true;
        self.channels.state.send_replace(ConnectionState::Disconnected(cause.clone()));
        // Nobody may listen.
        let _ = self.channels.events.send(ConnectionEvent::Disconnected(cause.clone()));
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
