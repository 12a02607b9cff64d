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
use gridmq_tls::stream::HandshakeInfo;
use gridmq_tls::{ClientConfig, explain};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout_at};

use crate::address::Address;
use crate::client::{Client, Inner};
use crate::clock::Clock;
use crate::driver::{Channels, Driver, MAX_PUBLISHES, MAX_REQUESTS};
use crate::error::{ConnectError, ConnectErrorKind, Ending, Stage};
use crate::inbox::Inbox;
use crate::link::{Happening, Link};
use crate::state::{ConnectionInfo, ConnectionState};
use crate::transport::Transport;

/// Options that were found good.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) address: Address,
    pub(crate) tls: Option<ClientConfig>,
    pub(crate) connect: Connect,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) connect_timeout: Duration,
    pub(crate) request_timeout: Duration,
}

impl Plan {
    fn error(&self, stage: Stage, kind: ConnectErrorKind) -> ConnectError {
        ConnectError::new(&self.address.shown(), self.connect.version, stage, kind)
    }

    fn late(&self, stage: Stage) -> ConnectError {
        self.error(stage, ConnectErrorKind::Timeout { after: self.connect_timeout, attempts: Vec::new() })
    }
}

/// Connects as planned, over `io` if the caller brings one.
pub(crate) async fn connect(plan: Plan, io: Option<Transport>) -> Result<Client, ConnectError> {
    let deadline = deadline(plan.connect_timeout);
    let (io, address) = match io {
        Some(io) => (io, None),
        None => {
            let (tcp, address) = dial::dial(&plan, deadline).await?;
            (Box::new(tcp) as Transport, Some(address))
        }
    };
    let (io, tls) = match &plan.tls {
        Some(config) => Box::pin(secure(&plan, config, io, deadline)).await?,
        None => (io, None),
    };
    let clock = Clock::start();
    let config = Config {
        connect: plan.connect.clone(),
        connect_timeout: deadline.saturating_duration_since(Instant::now()),
        receive_maximum: plan.receive_maximum,
        outbound_topic_aliases: 0,
    };
    // The driver bounds what it takes from the application.
    let unbounded = QueueLimits { messages: usize::MAX, bytes: usize::MAX };
    let machine = Connection::new(clock.now(), config, Session::new(unbounded));
    let mut link = Link::new(io, machine, clock, plan.maximum_packet_size);
    match accepted(&mut link).await {
        Ok((ack, limits)) => Ok(start(&plan, link, *ack, limits, address, tls)),
        Err(ending) => Err(refused(&plan, &link, ending)),
    }
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
async fn accepted(link: &mut Link) -> Result<(Box<ConnAck>, ServerLimits), Ending> {
    poll_fn(|cx| {
        let more = link.turn(cx, None);
        while let Some(Happening { event, .. }) = link.next_event() {
            match event {
                Event::Connected(ack) => {
                    if let Some(limits) = link.machine().server_limits() {
                        return Poll::Ready(Ok((ack, limits.clone())));
                    }
                }
                Event::Ended { end, words } => return Poll::Ready(Err(link.ending(end, words))),
                _ => {}
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

fn start(
    plan: &Plan,
    link: Link,
    ack: ConnAck,
    limits: ServerLimits,
    address: Option<SocketAddr>,
    tls: Option<HandshakeInfo>,
) -> Client {
    let client_id = ack.properties.assigned_client_identifier.clone().unwrap_or_else(|| plan.connect.client_id.clone());
    let hold_until = ack.session_present.then(|| link.now().after(plan.request_timeout));
    let (requests, request_receiver) = mpsc::channel(MAX_REQUESTS);
    let (publishes, publish_receiver) = mpsc::channel(MAX_PUBLISHES);
    let inbox = Arc::new(Inbox::default());
    let info = Arc::new(ConnectionInfo {
        version: plan.connect.version,
        address,
        tls,
        session_present: ack.session_present,
        client_id,
        limits,
        properties: ack.properties,
    });
    tracing::debug!(server = plan.address.shown(), client_id = %info.client_id, "connected");
    let (sender, state) = watch::channel(ConnectionState::Connected(Arc::clone(&info)));
    let channels =
        Channels { requests: request_receiver, publishes: publish_receiver, inbox: Arc::clone(&inbox), state: sender };
    tokio::spawn(Driver::new(link, channels, hold_until).run());
    let keys = AtomicU64::new(0);
    Client::new(Inner { requests, publishes, inbox, state, info, request_timeout: plan.request_timeout, keys })
}
