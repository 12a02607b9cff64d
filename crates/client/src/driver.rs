//! The one task that owns the session, and every connection of it in turn.

mod asking;
mod authenticating;
mod away;
mod back;
mod commands;
mod departure;
mod lost;
mod moving;
mod publishing;
mod replies;
mod requests;
mod router;
mod settling;
mod storing;
mod turns;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use gridmq_proto::session::client::{Config, Connection, Event, Session};
use tokio::sync::{broadcast, mpsc, oneshot, watch};

use self::asking::Asking;
use self::authenticating::Authentication;
use self::away::Absence;
pub(crate) use self::commands::{
    DisconnectCommand, PublishCommand, PublishReply, Request, ShutdownCommand, SubscribeAnswers, SubscribeCommand,
    UnsubscribeCommand,
};
use self::departure::Departure;
use self::moving::Certificates;
use self::publishing::Outbox;
use self::replies::Replies;
use self::router::Router;
pub(crate) use self::router::new_lookup;
use self::turns::Turns;
use crate::address::Address;
use crate::auth::User;
use crate::clock::{self, Clock};
use crate::connect::{Greeting, Plan, Ready};
use crate::error::{ConnectError, DisconnectCause, PublishError};
use crate::events::{ConnectionEvent, Ledger};
use crate::inbox::Inbox;
use crate::lifecycle::{Lifecycle, Phase, Rules};
use crate::link::Link;
use crate::outbox::Gauge;
use crate::state::{ConnectionInfo, ConnectionState};
use crate::store::SessionStore;
use crate::transport::{ServerOrder, Transport};
use crate::watch::Watch;

/// Requests that wait for the driver.
pub(crate) const MAX_REQUESTS: usize = 64;
/// Publishes that wait for the driver.
pub(crate) const MAX_PUBLISHES: usize = 256;
/// Commands taken in one turn, so that reading gets its turn.
const COMMANDS: usize = 512;

type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// The driver's ends of the channels.
#[derive(Debug)]
pub(crate) struct Channels {
    pub(crate) requests: mpsc::Receiver<Request>,
    pub(crate) publishes: mpsc::Receiver<PublishCommand>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) state: watch::Sender<ConnectionState>,
    pub(crate) info: watch::Sender<Option<Arc<ConnectionInfo>>>,
    pub(crate) events: broadcast::Sender<ConnectionEvent>,
    pub(crate) undelivered: Arc<Ledger>,
}

pub(crate) struct Driver {
    plan: Arc<Plan>,
    clock: Clock,
    life: Lifecycle,
    /// Between connections it is closed, and its machine has the session.
    link: Link,
    channels: Channels,
    replies: Replies,
    /// What was not delivered in this turn and nobody awaits: the first of each kind, and how many there are.
    unheard: Vec<(PublishError, u64)>,
    asking: Asking,
    departure: Departure,
    outbox: Outbox,
    router: Router,
    /// Absent: the certificate does not change.
    certificates: Option<Certificates>,
    attempt: Option<Boxed<Result<Ready, ConnectError>>>,
    /// Who is being greeted.
    greeting: Option<Greeting>,
    /// Absent: there is nothing but CONNECT to say who we are.
    authentication: Option<Authentication>,
    /// What the caller brought to connect over, once.
    io: Option<Transport>,
    absence: Absence,
    /// Where the server has sent us.
    redirect: Option<Address>,
    /// How often in a row.
    redirects: u8,
    /// The server of the latest attempt.
    dialled: Option<Address>,
    /// Whom the application has put in the place of the user of the options.
    user: Option<User>,
    /// Who waits for the first outcome.
    first: Option<oneshot::Sender<Result<(), ConnectError>>>,
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// Nothing follows but the closing of the connection.
    ended: bool,
    turns: Turns,
    watch: Watch,
}

impl Driver {
    pub(crate) fn new(
        plan: Arc<Plan>,
        channels: Channels,
        io: Option<Transport>,
        first: Option<oneshot::Sender<Result<(), ConnectError>>>,
        watch: Watch,
        (store, mut session): (Option<Box<dyn SessionStore>>, Session),
    ) -> Self {
        session.queue_at_most_once(plan.queue.at_most_once);
        let clock = Clock::start();
        let certificates = plan.credentials().map(|credentials| Certificates::new(Arc::clone(credentials)));
        let policy = &plan.reconnect;
        let rules = Rules {
            returns: policy.enabled && io.is_none(),
            patient: first.is_none(),
            first: policy.first,
            longest: policy.longest,
            steady: policy.steady,
            rounds: policy.attempts,
            servers: plan.addresses.len(),
            shuffled: plan.transport.order == ServerOrder::Random,
        };
        let certificate = certificates.as_ref().filter(|_| io.is_none()).map(Certificates::number);
        let life = Lifecycle::new(clock.now().monotonic, rules, certificate, clock::random());
        let config = Config {
            connect: plan.connect.clone(),
            connect_timeout: plan.connect_timeout,
            receive_maximum: plan.receive_maximum,
            outbound_topic_aliases: plan.outbound_topic_aliases,
        };
        let link = Link::resting(Connection::resting(config, session), clock, watch.meter());
        let outbox = Outbox::new(store, Arc::clone(&channels.gauge));
        let router = Router::new(Arc::clone(&channels.inbox), plan.profile.max_filters());
        Self {
            plan,
            clock,
            life,
            link,
            channels,
            replies: Replies::default(),
            unheard: Vec::new(),
            asking: Asking::default(),
            departure: Departure::default(),
            outbox,
            router,
            certificates,
            attempt: None,
            greeting: None,
            authentication: None,
            io,
            absence: Absence::default(),
            redirect: None,
            redirects: 0,
            dialled: None,
            user: None,
            first,
            sleep: Box::pin(tokio::time::sleep_until(tokio::time::Instant::now())),
            ended: false,
            turns: Turns::default(),
            watch,
        }
    }

    /// Works until there will be no connection any more.
    pub(crate) async fn run(mut self) {
        self.turns = Turns::here();
        poll_fn(|cx| self.poll(cx)).await;
        self.close_store().await;
        self.replies.left();
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.link.begin();
        // What the last turn left behind.
        self.events();
        let turn = match self.life.phase() {
            Phase::Waiting { .. } | Phase::Opening => self.poll_away(cx),
            Phase::Greeting | Phase::Up | Phase::Finishing { .. } | Phase::Leaving | Phase::Over => self.poll_link(cx),
        };
        if self.keep(cx) && turn.is_pending() {
            cx.waker().wake_by_ref();
        }
        self.log_undelivered();
        self.watch.overflowed(self.router.take_lost());
        self.watch.load(self.link.machine().session(), self.router.count());
        turn
    }

    /// One turn with a connection.
    fn poll_link(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let mut more = self.rotate(cx);
        if self.life.phase() != Phase::Leaving {
            self.news(cx);
            more |= if self.life.phase() == Phase::Up { self.requests(cx) } else { self.hold(cx) };
        }
        more |= self.publishes(cx);
        let had_room = self.has_room();
        let at =
            [self.router.deadline(), self.life.deadline(), self.authentication_deadline(), self.departure.deadline()];
        let may_read = self.turns.may_read();
        more |= self.link.turn(cx, at.into_iter().flatten().min(), may_read);
        let before = (self.life.phase(), self.link.progress().0);
        self.events();
        // What a new connection is asked for is still to be written.
        more |= before != (self.life.phase(), self.link.progress().0);
        more |= self.authenticate(cx);
        more |= self.depart();
        self.replies.written(self.link.progress().1);
        self.replies.answered(self.link.pings_answered());
        self.router.expire(self.link.now());
        if self.life.is_away() {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.link.is_closed() {
            if !self.ended && self.life.phase() == Phase::Leaving {
                self.gone();
            }
            if self.ended {
                return Poll::Ready(());
            }
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        self.turns.over(cx, more || (!had_room && self.has_room()) || self.has_finished());
        Poll::Pending
    }

    fn events(&mut self) {
        while let Some(event) = self.link.next_event() {
            self.happened(event);
        }
    }

    fn happened(&mut self, event: Event) {
        match event {
            Event::Message(incoming) => {
                self.turns.gave();
                self.router.deliver(incoming);
            }
            Event::Published { position, qos, end } => self.settled(position, qos, end),
            Event::Subscribed(ack) => self.subscribed(ack),
            Event::Unsubscribed(ack) => self.unsubscribed(ack),
            Event::Connected(ack) => self.welcomed(*ack),
            Event::Ended { end, farewell } => {
                let ending = self.link.ending(end, farewell);
                match self.life.phase() {
                    Phase::Greeting => self.refused(ending),
                    _ => self.connection_ended(ending),
                }
            }
            Event::Auth(auth) => self.authentication_goes_on(*auth),
        }
    }

    /// For good.
    fn end(&mut self, cause: DisconnectCause) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        self.life.stop();
        self.attempt = None;
        self.set_state(ConnectionState::Disconnected(cause.clone()));
        self.channels.publishes.close();
        self.forsake(&cause);
        self.tell(ConnectionEvent::Disconnected(cause.clone()));
        // A clean end still writes what was sent before it.
        if !cause.is_requested() {
            self.lose_unwritten(&cause);
        }
        self.replies.fail();
        self.asking.fail(&cause);
        if let Some(session) = self.link.machine().session() {
            self.channels.gauge.set(session);
        }
        self.channels.gauge.set_unwritten(self.replies.unwritten_load());
        self.departure = Departure::default();
        self.absence.fail();
        self.router.close();
        self.channels.inbox.close();
    }

    fn set_state(&self, state: ConnectionState) {
        self.watch.state(&state);
        self.channels.state.send_replace(state);
    }

    fn tell(&self, event: ConnectionEvent) {
        self.watch.event(&event);
        // Nobody may listen.
        let _ = self.channels.events.send(event);
    }
}

/// Streams end too when the task is stopped with its runtime.
impl Drop for Driver {
    fn drop(&mut self) {
        self.router.close();
        self.channels.inbox.close();
        self.channels.undelivered.close();
    }
}
