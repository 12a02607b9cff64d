//! From options to a connection: name, TCP, TLS, CONNACK, under one deadline.

mod dial;

use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::task::Poll;
use std::time::Duration;

use gridmq_proto::packet::{ConnAck, Connect};
use gridmq_proto::session::client::{Config, Connection, Event, ServerLimits, Session};
use gridmq_proto::session::{End, QueueLimits};
use gridmq_tls::client::{ClientConfigBuilder, ConfigError};
use gridmq_tls::stream::HandshakeInfo;
use gridmq_tls::{ClientConfig, CredentialProvider, Generation, explain};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::address::Address;
use crate::client::{Client, Inner};
use crate::clock::Clock;
use crate::driver::{Channels, Driver, MAX_PUBLISHES, MAX_REQUESTS, Rotator};
use crate::error::{ConnectError, ConnectErrorKind, Ending, Stage};
use crate::events::BUFFER;
use crate::inbox::Inbox;
use crate::link::{Happening, Link};
use crate::state::{ConnectionInfo, ConnectionState};
use crate::transport::Transport;

/// Options that were found good.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) address: Address,
    pub(crate) tls: Option<Tls>,
    pub(crate) connect: Connect,
    /// The session's expiry is ours, not the application's: it ends when the application disconnects.
    pub(crate) ends_session: bool,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
}

/// How TLS is set up for each connection.
#[derive(Debug)]
pub(crate) struct Tls {
    /// All but what changes from one generation to the next.
    pub(crate) config: ClientConfigBuilder,
    pub(crate) credentials: Option<Arc<dyn CredentialProvider>>,
}

impl Tls {
    /// A configuration of its own for each generation: nothing of an earlier one speaks for it.
    pub(crate) fn config(&self, generation: Option<&Generation>) -> Result<ClientConfig, ConfigError> {
        let config = self.config.clone();
        match generation {
            Some(generation) => config.identity(generation.identity.clone()).build(),
            None => config.build(),
        }
    }
}

impl Plan {
    fn error(&self, stage: Stage, kind: ConnectErrorKind) -> ConnectError {
        let error = ConnectError::new(&self.address.shown(), self.connect.version, stage, kind);
        error.with_tls(self.tls.is_some())
    }

    fn late(&self, stage: Stage) -> ConnectError {
        self.error(stage, ConnectErrorKind::Timeout { after: self.connect_timeout, attempts: Vec::new() })
    }

    pub(crate) fn credentials(&self) -> Option<&Arc<dyn CredentialProvider>> {
        self.tls.as_ref().and_then(|tls| tls.credentials.as_ref())
    }
}

/// One attempt to connect.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) connect: Connect,
    pub(crate) session: Session,
    pub(crate) generation: Option<Arc<Generation>>,
    pub(crate) clock: Clock,
}

/// A connection that the server has accepted. Its messages wait for [`Link::release`] if the session is new.
#[derive(Debug)]
pub(crate) struct Established {
    pub(crate) link: Link,
    pub(crate) info: Arc<ConnectionInfo>,
    pub(crate) generation: Option<Arc<Generation>>,
    /// Events that came before the server's answer.
    pub(crate) early: Vec<Happening>,
}

/// An attempt that failed. The session goes on.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) error: ConnectError,
    pub(crate) session: Session,
    pub(crate) generation: Option<Arc<Generation>>,
    pub(crate) early: Vec<Happening>,
}

/// Connects as planned, over `io` if the caller brings one.
pub(crate) async fn connect(plan: Plan, io: Option<Transport>) -> Result<Client, ConnectError> {
    // The driver bounds what it takes from the application.
    let unbounded = QueueLimits { messages: usize::MAX, bytes: usize::MAX };
    let attempt = Attempt {
        connect: plan.connect.clone(),
        session: Session::new(unbounded),
        generation: plan.credentials().map(|credentials| credentials.current()),
        clock: Clock::start(),
    };
    let comes_back = io.is_none();
    match Box::pin(establish(&plan, attempt, io)).await {
        Ok(established) => Ok(start(plan, established, comes_back)),
        Err(failed) => Err(failed.error),
    }
}

/// Name, TCP, TLS and CONNACK under one deadline.
pub(crate) async fn establish(
    plan: &Plan,
    attempt: Attempt,
    io: Option<Transport>,
) -> Result<Established, Box<Failed>> {
    let Attempt { connect, session, generation, clock } = attempt;
    let deadline = deadline(plan.connect_timeout);
    let (io, address, tls) = match Box::pin(transport(plan, generation.as_deref(), io, deadline)).await {
        Ok(open) => open,
        Err(error) => return Err(Box::new(Failed { error, session, generation, early: Vec::new() })),
    };
    let client_id = connect.client_id.clone();
    let config = Config {
        connect,
        connect_timeout: deadline.saturating_duration_since(Instant::now()),
        receive_maximum: plan.receive_maximum,
        outbound_topic_aliases: 0,
    };
    let machine = Connection::new(clock.now(), config, session);
    let mut link = Link::new(io, machine, clock, plan.maximum_packet_size);
    link.hold();
    let mut early = Vec::new();
    match accepted(&mut link, &mut early).await {
        Ok((ack, limits)) => {
            let info = ConnectionInfo {
                version: plan.connect.version,
                address,
                tls,
                generation: generation.as_ref().map(|generation| generation.number),
                session_present: ack.session_present,
                client_id: ack.properties.assigned_client_identifier.clone().unwrap_or(client_id),
                limits,
                properties: ack.properties,
            };
            tracing::debug!(server = plan.address.shown(), client_id = %info.client_id, "connected");
            Ok(Established { link, info: Arc::new(info), generation, early })
        }
        Err(ending) => {
            let error = refused(plan, &link, ending);
            let session = link.take_session().unwrap_or_default();
            Err(Box::new(Failed { error, session, generation, early }))
        }
    }
}

type Open = (Transport, Option<SocketAddr>, Option<HandshakeInfo>);

async fn transport(
    plan: &Plan,
    generation: Option<&Generation>,
    io: Option<Transport>,
    deadline: Instant,
) -> Result<Open, ConnectError> {
    let config = match &plan.tls {
        Some(tls) => Some(
            tls.config(generation).map_err(|error| plan.error(Stage::Options, ConnectErrorKind::TlsConfig(error)))?,
        ),
        None => None,
    };
    let (io, address) = match io {
        Some(io) => (io, None),
        None => {
            let (tcp, address) = dial::dial(plan, deadline).await?;
            (Box::new(tcp) as Transport, Some(address))
        }
    };
    let (io, tls) = match &config {
        Some(config) => Box::pin(secure(plan, config, io, deadline)).await?,
        None => (io, None),
    };
    Ok((io, address, tls))
}

/// When the time is up; what the clock cannot express is a year.
fn deadline(timeout: Duration) -> Instant {
    const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
    let now = Instant::now();
    now.checked_add(timeout).unwrap_or(now + YEAR)
}

async fn secure(
    plan: &Plan,
    config: &ClientConfig,
    io: Transport,
    deadline: Instant,
) -> Result<(Transport, Option<HandshakeInfo>), ConnectError> {
    match timeout_at(deadline, gridmq_tls::stream::connect(io, &plan.address.host, config)).await {
        Ok(Ok((stream, info))) => Ok((Box::new(stream), Some(info))),
        Ok(Err(error)) => Err(plan.error(Stage::Tls, ConnectErrorKind::Tls(error))),
        Err(_) => Err(plan.late(Stage::Tls)),
    }
}

/// Waits for the server's decision. A server that takes us and leaves in the same breath has refused.
async fn accepted(link: &mut Link, early: &mut Vec<Happening>) -> Result<(Box<ConnAck>, ServerLimits), Ending> {
    poll_fn(|cx| {
        let more = link.turn(cx, None);
        while let Some(Happening { event, words }) = link.next_event() {
            match event {
                Event::Connected(ack) => {
                    if let Some(limits) = link.machine().server_limits() {
                        return Poll::Ready(Ok((ack, limits.clone())));
                    }
                }
                Event::Ended { end, words } => return Poll::Ready(Err(link.ending(end, words))),
                event => early.push(Happening { event, words }),
            }
        }
        if more {
            cx.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

fn refused(plan: &Plan, link: &Link, ending: Ending) -> ConnectError {
    let stage = Stage::Connect;
    let Ending { end, words, failure } = ending;
    match end {
        End::Refused(reason) | End::PeerDisconnected(reason) => {
            plan.error(stage, ConnectErrorKind::Refused { reason, words })
        }
        End::Violation(violation) => {
            let kind = link.foreign().map_or(ConnectErrorKind::Violation(violation), ConnectErrorKind::NotMqtt);
            plan.error(stage, kind)
        }
        End::Deadline(_) => plan.late(stage),
        _ => match failure {
            None => match link.foreign() {
                Some(foreign) => plan.error(stage, ConnectErrorKind::NotMqtt(foreign)),
                None => plan.error(stage, ConnectErrorKind::Closed),
            },
            // With TLS 1.3 the server judges our certificate after our side of the handshake.
            Some(error) => match explain::from_io(&error) {
                Some(tls) => plan.error(Stage::Tls, ConnectErrorKind::Tls(tls)),
                None if is_close(error.kind()) => plan.error(stage, ConnectErrorKind::Closed),
                None => plan.error(stage, ConnectErrorKind::Network(error)),
            },
        },
    }
}

/// Ways in which a server's closing shows when it has not read everything.
const fn is_close(kind: std::io::ErrorKind) -> bool {
    use std::io::ErrorKind;
    matches!(kind, ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset | ErrorKind::BrokenPipe)
}

fn start(plan: Plan, established: Established, comes_back: bool) -> Client {
    let Established { mut link, info, generation, .. } = established;
    link.release();
    let hold_until = info.session_present.then(|| link.now().after(plan.request_timeout));
    let (requests, request_receiver) = mpsc::channel(MAX_REQUESTS);
    let (publishes, publish_receiver) = mpsc::channel(MAX_PUBLISHES);
    let inbox = Arc::new(Inbox::default());
    let (state_sender, state) = watch::channel(ConnectionState::Connected(Arc::clone(&info)));
    let (info_sender, info) = watch::channel(info);
    let (event_sender, events) = broadcast::channel(BUFFER);
    let channels = Channels {
        requests: request_receiver,
        publishes: publish_receiver,
        inbox: Arc::clone(&inbox),
        state: state_sender,
        info: info_sender,
        events: event_sender,
    };
    let plan = Arc::new(plan);
    let rotator = generation
        .filter(|_| comes_back)
        .and_then(|generation| Some(Rotator::new(Arc::clone(&plan), Arc::clone(plan.credentials()?), generation)));
    let inner = Inner {
        requests,
        publishes,
        inbox,
        state,
        info,
        events,
        credentials: plan.credentials().cloned(),
        version: plan.connect.version,
        request_timeout: plan.request_timeout,
        keys: AtomicU64::new(0),
    };
    tokio::spawn(Driver::new(link, channels, hold_until, plan.ends_session, rotator).run());
    Client::new(inner)
}
