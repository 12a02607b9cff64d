//! From options to an open stream and a CONNECT: one attempt, under one deadline.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use gridmq_proto::Packet;
use gridmq_proto::codec::encoded_len;
use gridmq_proto::packet::Connect;
use gridmq_proto::session::End;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use tracing::Instrument as _;

use crate::address::Address;
use crate::auth::{AuthOptions, Exchanging};
use crate::client::{Client, Inner};
use crate::clock::Clock;
use crate::driver::{Channels, Driver, MAX_PUBLISHES, MAX_REQUESTS};
use crate::error::{ConnectError, ConnectErrorKind, Ending, Stage};
use crate::events::{BUFFER, Ledger, Source};
use crate::inbox::Inbox;
use crate::link::Link;
use crate::outbox::{Gauge, QueueOptions};
use crate::profile::{Login, Profile};
use crate::reconnect::Reconnect;
use crate::secure::{CredentialProvider, Generation, HandshakeInfo, Tls};
use crate::state::ConnectionState;
use crate::store::Stored;
use crate::transport::{self, Heard, Opened, Proxy, Transport, TransportOptions};
use crate::watch::{Watch, WatchOptions};

/// Options that were found good.
#[derive(Debug)]
pub(crate) struct Plan {
    /// At least one.
    pub(crate) addresses: Vec<Address>,
    pub(crate) tls: Option<Tls>,
    pub(crate) connect: Connect,
    /// What the service refuses.
    pub(crate) profile: Profile,
    /// How many topics may be replaced by aliases.
    pub(crate) outbound_topic_aliases: u16,
    /// The session's expiry is ours, not the application's: it ends when the application disconnects.
    pub(crate) ends_session: bool,
    /// The server finds the client's name in its certificate, or in a token.
    pub(crate) named_elsewhere: bool,
    /// Each address has its own user name, or none.
    pub(crate) username_of_address: bool,
    /// Each address has its own password, or none.
    pub(crate) password_of_address: bool,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
    pub(crate) transport: TransportOptions,
    pub(crate) auth: AuthOptions,
    pub(crate) queue: QueueOptions,
    pub(crate) watch: WatchOptions,
    pub(crate) reconnect: Reconnect,
}

impl Plan {
    pub(crate) fn error(&self, address: &Address, stage: Stage, kind: ConnectErrorKind) -> ConnectError {
        let error = ConnectError::new(&address.shown(), self.connect.version, stage, kind);
        error.with_tls(address.tls).by_way_of(self.transport.proxy.as_ref().and_then(Proxy::shown))
    }

    pub(crate) fn late(&self, address: &Address, stage: Stage) -> ConnectError {
        self.error(address, stage, ConnectErrorKind::Timeout { after: self.connect_timeout, attempts: Vec::new() })
    }

    pub(crate) fn credentials(&self) -> Option<&Arc<dyn CredentialProvider>> {
        self.tls.as_ref().and_then(Tls::credentials)
    }
}

/// What an attempt begins with.
#[derive(Debug)]
pub(crate) struct Seed {
    pub(crate) address: Address,
    pub(crate) generation: Option<Arc<Generation>>,
    pub(crate) connect: Connect,
    /// The provider is to say who the user is.
    pub(crate) asks_user: bool,
    /// A stream that the caller brought.
    pub(crate) io: Option<Transport>,
}

/// An open stream, and what to say on it first.
#[derive(Debug)]
pub(crate) struct Ready {
    pub(crate) io: (Transport, Heard),
    pub(crate) connect: Connect,
    pub(crate) greeting: Greeting,
    /// Absent: there is nothing but CONNECT to say who we are.
    pub(crate) exchange: Option<Box<dyn Exchanging>>,
    /// When the server has to have answered.
    pub(crate) deadline: Instant,
}

/// Who the server is that CONNECT goes to.
#[derive(Debug)]
pub(crate) struct Greeting {
    pub(crate) address: Address,
    pub(crate) socket: Option<SocketAddr>,
    pub(crate) tls: Option<HandshakeInfo>,
    pub(crate) generation: Option<Arc<Generation>>,
    pub(crate) client_id: gridmq_proto::ByteString,
}

/// Credentials, name, TCP, proxy, TLS and WebSocket under one deadline.
pub(crate) async fn attempt(plan: Arc<Plan>, seed: Seed) -> Result<Ready, ConnectError> {
    let Seed { address, generation, mut connect, asks_user, io } = seed;
    let deadline = deadline(plan.connect_timeout);
    if io.is_none() {
        // Also where another server has sent us.
        plan.auth.check_way(&address, &plan.transport).map_err(|(option, problem)| {
            plan.error(&address, Stage::Options, ConnectErrorKind::Option { option, problem })
        })?;
    }
    let exchange = introduced(&plan, &address, &mut connect, asks_user, deadline).await?;
    let opened = Box::pin(transport::open(&plan, &address, generation.as_deref(), io, deadline)).await?;
    let Opened { io, heard, address: socket, tls } = opened;
    let client_id = connect.client_id.clone();
    let greeting = Greeting { address, socket, tls, generation, client_id };
    Ok(Ready { io: (io, heard), connect, greeting, exchange, deadline })
}

/// Completes the CONNECT with what is known only now, and looks at what has come of it.
pub(crate) async fn introduced(
    plan: &Plan,
    address: &Address,
    connect: &mut Connect,
    asks_user: bool,
    deadline: Instant,
) -> Result<Option<Box<dyn Exchanging>>, ConnectError> {
    let exchange = credentials(plan, address, connect, asks_user, deadline).await?;
    // A provider, or the application's judgement, may have named another user than the options.
    let login = Login { named_elsewhere: plan.named_elsewhere };
    plan.profile.check_connect(connect, login).map_err(|broken| {
        let (option, problem) = (broken.rule.option(), broken.to_string());
        plan.error(address, Stage::Credentials, ConnectErrorKind::Option { option, problem })
    })?;
    Ok(exchange)
}

/// Asks those who know who we are, and writes it into the CONNECT.
async fn credentials(
    plan: &Plan,
    address: &Address,
    connect: &mut Connect,
    asks_user: bool,
    deadline: Instant,
) -> Result<Option<Box<dyn Exchanging>>, ConnectError> {
    if !plan.auth.asks() {
        return Ok(None);
    }
    let stage = Stage::Credentials;
    let asked = Box::pin(plan.auth.prepare(connect, asks_user, plan.profile, Clock::start()));
    let exchange = match timeout_at(deadline, asked).await {
        Ok(Ok(exchange)) => exchange,
        Ok(Err(error)) => return Err(plan.error(address, stage, ConnectErrorKind::Auth(error))),
        Err(_) => return Err(plan.late(address, stage)),
    };
    let packet = Packet::Connect(Box::new(connect.clone()));
    match encoded_len(&packet, connect.version) {
        Ok(_) => Ok(exchange),
        Err(error) => Err(plan.error(address, stage, ConnectErrorKind::Packet(error))),
    }
}

/// When the time is up; what the clock cannot express is a year.
pub(crate) fn deadline(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + YEAR)
}

/// Why the server did not accept us.
pub(crate) fn refusal(plan: &Plan, address: &Address, link: &Link, ending: Ending) -> ConnectError {
    let stage = Stage::Connect;
    let Ending { end, farewell, failure, unsayable } = ending;
    let error = |stage, kind| plan.error(address, stage, kind);
    if let Some(problem) = unsayable {
        return error(stage, ConnectErrorKind::Packet(problem));
    }
    match end {
        End::Refused(reason) | End::PeerDisconnected(reason) => {
            error(stage, ConnectErrorKind::Refused { reason, farewell })
        }
        End::Violation(violation) => {
            let kind = link.foreign().map_or(ConnectErrorKind::Violation(violation), ConnectErrorKind::NotMqtt);
            error(stage, kind)
        }
        End::Deadline(_) | End::KeepAliveTimeout => plan.late(address, stage),
        _ => match failure {
            None => match link.foreign() {
                Some(foreign) => error(stage, ConnectErrorKind::NotMqtt(foreign)),
                None => error(stage, ConnectErrorKind::Closed),
            },
            // With TLS 1.3 the server judges our certificate after our side of the handshake.
            Some(failure) => match ConnectErrorKind::of_io(failure) {
                tls @ ConnectErrorKind::Tls(_) => error(Stage::Tls, tls),
                websocket @ ConnectErrorKind::WebSocket(_) => error(Stage::WebSocket, websocket),
                ConnectErrorKind::Network(failure) if is_close(failure.kind()) => {
                    error(stage, ConnectErrorKind::Closed)
                }
                kind => error(stage, kind),
            },
        },
    }
}

/// Ways in which a server's closing shows when it has not read everything.
const fn is_close(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind;
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

/// Connects as planned, over `io` if the caller brings one, and waits for the first outcome.
pub(crate) async fn connect(plan: Plan, io: Option<Transport>) -> Result<Client, ConnectError> {
    let address = plan.addresses.first().cloned();
    let version = plan.connect.version;
    let session = open_in_time(&plan).await?;
    let (sender, first) = oneshot::channel();
    let client = begin(plan, io, Some(sender), session);
    match first.await {
        Ok(Ok(())) => Ok(client),
        Ok(Err(error)) => Err(error),
        // The driver always answers, unless it is stopped with its runtime.
        Err(_) => {
            let target = address.as_ref().map(Address::shown).unwrap_or_default();
            Err(ConnectError::new(&target, version, Stage::Options, ConnectErrorKind::Stopped))
        }
    }
}

pub(crate) fn store_error(plan: &Plan, kind: ConnectErrorKind) -> ConnectError {
    let target = plan.addresses.first().map(Address::shown).unwrap_or_default();
    ConnectError::new(&target, plan.connect.version, Stage::Options, kind)
}

/// Opens the store where no task stands still for the disk, and within the time for connecting.
async fn open_in_time(plan: &Plan) -> Result<Stored, ConnectError> {
    let opening = plan.queue.store.open_beside(&plan.connect.client_id);
    let kind = match timeout_at(deadline(plan.connect_timeout), opening).await {
        Ok(Ok(stored)) => return Ok(stored),
        Ok(Err(error)) => ConnectErrorKind::Store(error),
        Err(_) => ConnectErrorKind::Timeout { after: plan.connect_timeout, attempts: Vec::new() },
    };
    Err(store_error(plan, kind))
}

/// Opens the store, if there is one, and starts the client. The call waits for the disk.
pub(crate) fn start(plan: Plan, io: Option<Transport>) -> Result<Client, ConnectError> {
    let stored = plan.queue.store.open(&plan.connect.client_id);
    let stored = stored.map_err(|error| store_error(&plan, ConnectErrorKind::Store(error)))?;
    Ok(begin(plan, io, None, stored))
}

/// With `first` the client ends if the first attempts fail, and tells why.
fn begin(
    plan: Plan,
    io: Option<Transport>,
    first: Option<oneshot::Sender<Result<(), ConnectError>>>,
    session: Stored,
) -> Client {
    let gauge = Arc::new(Gauge::default());
    gauge.set(&session.1);
    let (requests, request_receiver) = mpsc::channel(MAX_REQUESTS);
    let (publishes, publish_receiver) = mpsc::channel(MAX_PUBLISHES);
    let inbox = Arc::new(Inbox::new(plan.profile, plan.connect.version));
    let (state_sender, state) = watch::channel(ConnectionState::Connecting { attempts: 0 });
    let (info_sender, info) = watch::channel(None);
    let (event_sender, events) = broadcast::channel(BUFFER);
    let undelivered = Arc::new(Ledger::default());
    let channels = Channels {
        requests: request_receiver,
        publishes: publish_receiver,
        inbox: Arc::clone(&inbox),
        gauge: Arc::clone(&gauge),
        state: state_sender,
        info: info_sender,
        events: event_sender,
        undelivered: Arc::clone(&undelivered),
    };
    let watch = Watch::new(&plan);
    let inner = Inner {
        requests,
        publishes,
        inbox,
        gauge,
        state,
        info,
        events: Source::new(events),
        undelivered,
        client_id: plan.connect.client_id.clone(),
        credentials: plan.credentials().cloned(),
        version: plan.connect.version,
        profile: plan.profile,
        request_timeout: plan.request_timeout,
        keys: AtomicU64::new(0),
        metrics: Arc::clone(watch.metrics()),
    };
    let span = watch.span();
    tokio::spawn(Driver::new(Arc::new(plan), channels, io, first, watch, session).run().instrument(span));
    Client::new(inner)
}
