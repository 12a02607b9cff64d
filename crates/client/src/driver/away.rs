//! Between two connections: attempts, what becomes of them, and what waits meanwhile.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use gridmq_proto::session::client::{Config, Connection};
use gridmq_proto::time::Monotonic;
use gridmq_proto::{ByteString, ReasonCode, SubscriptionFilter};
use tokio::sync::oneshot;
use tokio::time::Instant;
use tracing::Instrument as _;

use super::asking::Asked;
use super::authenticating::Authentication;
use super::{Driver, MAX_REQUESTS, Request};
use crate::auth::wiped;
use crate::clock;
use crate::connect::{Ready, Seed, attempt, refusal};
use crate::error::{ConnectError, ConnectErrorKind, DisconnectCause, Ending, Side, Stage};
use crate::events::ConnectionEvent;
use crate::lifecycle::{Judgement, Next, Phase, Try};
use crate::link::Link;
use crate::reconnect::{Failure, FailureKind};
use crate::state::{ConnectionState, Setback};

/// What waits for the next connection.
#[derive(Debug)]
pub(super) struct Absence {
    /// Why the connection ended that was there before.
    pub(super) cause: Option<DisconnectCause>,
    /// What was asked of it and not answered, in order.
    pub(super) unanswered: Vec<Asked>,
    pub(super) pinged: Vec<oneshot::Sender<()>>,
    /// Requests, each with somebody who waits for its answer.
    pub(super) held: VecDeque<Request>,
    /// With so many of them, those that nobody waits for any more are dropped.
    look_through: usize,
    /// Subscriptions that were dropped meanwhile; a resumed session has them still.
    pub(super) dropped: Vec<SubscriptionFilter>,
    /// The server has begun a new session since subscriptions were last made again.
    pub(super) session_lost: bool,
}

impl Default for Absence {
    fn default() -> Self {
        Self {
            cause: None,
            unanswered: Vec::new(),
            pinged: Vec::new(),
            held: VecDeque::new(),
            look_through: MAX_REQUESTS,
            dropped: Vec::new(),
            session_lost: false,
        }
    }
}

impl Absence {
    fn hold(&mut self, request: Request) {
        // Never a reason to stop: behind them may be the wish to disconnect.
        if self.held.len() >= self.look_through {
            self.held.retain(|request| !request.is_abandoned());
            self.look_through = MAX_REQUESTS.max(2 * self.held.len());
        }
        self.held.push_back(request);
    }

    /// There will be no other connection: dropping a reply says so.
    pub(super) fn fail(&mut self) {
        *self = Self::default();
    }
}

/// Whether the server spoke against us, so that another certificate may help.
fn refuses_us(error: &ConnectError) -> bool {
    let busy = match error.kind() {
        ConnectErrorKind::Refused { reason, .. } => matches!(
            reason,
            ReasonCode::ServerUnavailable
                | ReasonCode::ServerBusy
                | ReasonCode::QuotaExceeded
                | ReasonCode::ConnectionRateExceeded
        ),
        _ => false,
    };
    !busy && error.stage() >= Stage::Tls && error.side() == Side::Server
}

impl Driver {
    /// One turn without a connection.
    pub(super) fn poll_away(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            // Each round has waited for something, perhaps for a time that has come since the turn began.
            self.link.begin();
            self.hold(cx);
            self.news(cx);
            if self.publishes(cx) {
                cx.waker().wake_by_ref();
            }
            self.events();
            self.depart();
            if self.ended {
                return Poll::Ready(());
            }
            let now = self.link.now();
            self.listen(cx, now);
            if let Some(attempt) = &mut self.attempt {
                let Poll::Ready(outcome) = attempt.as_mut().poll(cx) else {
                    if self.sleeps(cx, self.departure.deadline()) {
                        return Poll::Pending;
                    }
                    continue;
                };
                self.attempt = None;
                match outcome {
                    Ok(ready) => {
                        self.opened(ready);
                        cx.waker().wake_by_ref();
                        return Poll::Pending;
                    }
                    Err(error) => self.attempt_failed(error),
                }
            } else if let Some(next) = self.life.tries(now) {
                self.start(next);
            } else {
                let at = [self.life.deadline(), self.departure.deadline()].into_iter().flatten().min();
                if self.sleeps(cx, at) {
                    return Poll::Pending;
                }
            }
        }
    }

    /// Has the task woken then; `false`: it is time already.
    fn sleeps(&mut self, cx: &mut Context<'_>, at: Option<Monotonic>) -> bool {
        let Some(at) = at else { return true };
        self.sleep.as_mut().reset(self.clock.instant(at));
        self.sleep.as_mut().poll(cx).is_pending()
    }

    fn start(&mut self, Try { choice, server }: Try) {
        let mut connect = self.plan.connect.clone();
        if self.life.was_up() && connect.version.is_v5() {
            connect.clean_start = false;
            if let Some(info) = &*self.channels.info.borrow() {
                connect.client_id = info.client_id.clone();
            }
        }
        let generation = self.certificates.as_mut().map(|certificates| certificates.choose(choice));
        let listed = || self.plan.addresses.get(server).or_else(|| self.plan.addresses.first()).cloned();
        let Some(address) = self.redirect.take().or_else(listed) else { return self.nowhere() };
        if self.plan.username_of_address {
            connect.username = address.username.as_deref().map(ByteString::from);
        }
        if self.plan.password_of_address {
            connect.password = address.password.clone().map(wiped);
        }
        if let Some(user) = &self.user {
            (connect.username, connect.password) = user.clone().into_parts();
        }
        if !self.life.is_moving() {
            self.set_state(ConnectionState::Connecting { attempts: self.life.attempts() });
        }
        let span = self.watch.attempt(&address.shown(), self.life.attempts());
        let asks_user = self.user.is_none();
        self.dialled = Some(address.clone());
        let seed = Seed { address, generation, connect, asks_user, io: self.io.take() };
        self.attempt = Some(Box::pin(attempt(Arc::clone(&self.plan), seed).instrument(span)));
    }

    /// There is no server to try.
    fn nowhere(&mut self) {
        let problem = "there is no server to connect to".to_owned();
        let kind = ConnectErrorKind::Option { option: "address", problem };
        let error = ConnectError::new("", self.plan.connect.version, Stage::Options, kind);
        if let Some(first) = self.first.take() {
            // Who asked may have gone.
            let _ = first.send(Err(error.clone()));
        }
        self.end(DisconnectCause::unreachable(error));
    }

    /// The stream is open: CONNECT goes out.
    fn opened(&mut self, ready: Ready) {
        let Ready { io, connect, greeting, exchange, deadline } = ready;
        let config = Config {
            connect,
            connect_timeout: deadline.saturating_duration_since(Instant::now()),
            receive_maximum: self.plan.receive_maximum,
            outbound_topic_aliases: self.plan.outbound_topic_aliases,
        };
        self.collect();
        let session = self.link.take_session().unwrap_or_default();
        let machine = Connection::new(self.clock.now(), config, session);
        let mut link = Link::new(io, machine, self.clock, self.plan.maximum_packet_size, self.watch.meter());
        link.hold(exchange.is_some());
        self.link = link;
        self.greeting = Some(greeting);
        self.authentication = exchange.map(Authentication::new);
        self.life.opened();
    }

    /// The server did not accept us.
    pub(super) fn refused(&mut self, ending: Ending) {
        let Some(greeting) = &self.greeting else { return };
        let error = match self.authentication.take().and_then(Authentication::into_error) {
            Some(error) => self.plan.error(&greeting.address, Stage::Connect, ConnectErrorKind::Auth(error)),
            None => refusal(&self.plan, &greeting.address, &self.link, ending),
        };
        self.link.hang_up();
        // A server that takes us and leaves in one breath: what was for it has not been written.
        self.lose_unwritten(&DisconnectCause::unreachable(error.clone()));
        self.attempt_failed(error);
    }

    fn attempt_failed(&mut self, error: ConnectError) {
        let now = self.clock.now();
        self.greeting = None;
        let number = self.certificates.as_ref().map(|certificates| certificates.tried());
        let failure = Failure { kind: FailureKind::Attempt(&error), attempts: self.life.rounds().saturating_add(1) };
        let verdict = self.plan.reconnect.decide(&failure);
        self.user = verdict.user.or_else(|| self.user.take());
        let judgement = Judgement {
            retries: verdict.retries,
            slow: verdict.slow,
            after: verdict.after,
            refused: refuses_us(&error),
            of_this_server: !verdict.stops && error.stage() > Stage::Credentials,
            redirected: !verdict.stops && self.follow(error.server_reference(), error.reason()),
        };
        self.redirected(judgement.redirected);
        let moving = self.life.is_moving();
        let next = self.life.failed(now.monotonic, now.wall.as_secs(), number, judgement, clock::random());
        let attempts = self.life.attempts();
        let retry_in = match next {
            Next::Retry { wait } => Some(wait),
            Next::GiveUp => None,
        };
        if moving {
            self.set_state(self.rotating(Some(error.clone())));
            let generation = number.unwrap_or(0);
            self.tell(ConnectionEvent::RotationFailed { generation, attempts, error: error.clone(), retry_in });
        } else {
            self.tell(ConnectionEvent::AttemptFailed { error: error.clone(), attempts, retry_in });
        }
        match retry_in {
            Some(wait) if !moving => {
                let retry_at = self.clock.instant(now.monotonic.after(wait));
                self.set_state(ConnectionState::Waiting { why: Setback::Failed(error), attempts, retry_at });
            }
            Some(_) => {}
            None => {
                if let Some(first) = self.first.take() {
                    // Who asked may have gone.
                    let _ = first.send(Err(error.clone()));
                }
                self.end(DisconnectCause::unreachable(error));
            }
        }
    }

    /// Takes requests without handling them. `true`: there is more to do at once.
    pub(super) fn hold(&mut self, cx: &mut Context<'_>) -> bool {
        loop {
            match self.channels.requests.poll_recv(cx) {
                Poll::Ready(Some(Request::Disconnect(command))) if self.ended => self.replies.disconnect(command.reply),
                Poll::Ready(Some(_)) if self.ended => {}
                Poll::Ready(Some(request @ Request::Disconnect(_))) => {
                    self.stay_away(Some(request));
                    return true;
                }
                Poll::Ready(Some(request @ (Request::Flush(_) | Request::Shutdown(_)))) => self.request(request),
                Poll::Ready(Some(request)) => self.absence.hold(request),
                Poll::Ready(None) if self.departure.is_leaving() => return false,
                Poll::Ready(None) => {
                    let first = !self.ended;
                    self.stay_away(None);
                    return first;
                }
                Poll::Pending => return false,
            }
        }
    }

    /// The application leaves for good, or nobody is there any more: no coming back.
    pub(super) fn stay_away(&mut self, request: Option<Request>) {
        match self.life.phase() {
            Phase::Up => {}
            Phase::Finishing { .. } => self.life.stay(),
            phase => {
                if let Some(Request::Disconnect(command)) = request {
                    self.replies.disconnect(command.reply);
                }
                if phase == Phase::Greeting {
                    self.link.hang_up();
                }
                return self.end(DisconnectCause::requested());
            }
        }
        // Without a request the next turn says goodbye.
        if let Some(request) = request {
            self.certificates = None;
            self.request(request);
        }
    }
}
