//! Why a connection that was up is not any more.

use std::fmt;
use std::io;
use std::sync::Arc;

use gridmq_proto::session::End;
use gridmq_proto::session::client::Farewell;
use gridmq_proto::{ByteString, EncodeError, ReasonCode, SpecViolation};

use super::{AuthError, ConnectError, Side, Stage, WebSocketError, advice, quoted};
use crate::secure::{self, TlsError, TlsSide};
use crate::store::StoreError;

/// Why a connection ended. Cheap to clone; its display says who ended it, why, and what to do, the
/// alternate one (`{:#}`) leaves out advice and id.
///
/// ```no_run
/// # fn show(client: &gridmq_client::Client) {
/// if let Some(cause) = client.disconnected().filter(|cause| !cause.is_requested()) {
///     println!("{cause}: {:?} by {:?}", cause.reason(), cause.side());
/// }
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct DisconnectCause(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    kind: DisconnectKind,
    farewell: Option<Box<Farewell>>,
}

/// Why a connection ended, for programs.
#[derive(Debug)]
#[non_exhaustive]
pub enum DisconnectKind {
    /// The application asked for it, or dropped every handle.
    Requested,
    /// The server sent DISCONNECT.
    Server(ReasonCode),
    /// The server closed the connection and said nothing.
    Closed,
    /// The server did not answer PINGREQ.
    KeepAlive,
    /// The server broke the protocol.
    Violation(SpecViolation),
    /// TLS ended it; with TLS 1.3 a refusal of our certificate can arrive here.
    Tls(TlsError),
    /// The WebSocket ended, or was used as it must not be.
    WebSocket(WebSocketError),
    /// The server was to be told again who the client is, and that failed.
    Auth(AuthError),
    /// Reading or writing failed.
    Network(io::Error),
    /// The session cannot be stored any more, so the client ends; what was stored is sent when it is started again.
    Store(StoreError),
    /// A packet of ours cannot be written in the connection's version, or is larger than the server takes, although it
    /// was found good before: a fault of this library.
    Unsendable(EncodeError),
    /// No connection could be made, and the client was not to go on trying.
    Unreachable(ConnectError),
    /// The client's task was stopped with its runtime.
    Stopped,
}

/// How a connection came to its end: what the machine says, and what the transport does.
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) end: End,
    pub(crate) farewell: Option<Box<Farewell>>,
    pub(crate) failure: Option<io::Error>,
    /// What could not be written, if the machine ended for that.
    pub(crate) unsayable: Option<EncodeError>,
}

impl DisconnectCause {
    pub(crate) fn new(ending: Ending) -> Self {
        if let Some(error) = ending.unsayable {
            return Self(Arc::new(Inner { kind: DisconnectKind::Unsendable(error), farewell: None }));
        }
        let kind = match ending.end {
            End::PeerDisconnected(reason) => DisconnectKind::Server(reason),
            End::Violation(violation) => DisconnectKind::Violation(violation),
            End::KeepAliveTimeout | End::Deadline(_) => DisconnectKind::KeepAlive,
            End::ConnectionLost => match ending.failure {
                None => DisconnectKind::Closed,
                Some(error) => match secure::from_io(&error) {
                    Some(tls) => DisconnectKind::Tls(tls),
                    None if error.kind() == io::ErrorKind::UnexpectedEof => DisconnectKind::Closed,
                    None => match WebSocketError::of_io(&error) {
                        Some(error) => DisconnectKind::WebSocket(error.clone()),
                        None => DisconnectKind::Network(error),
                    },
                },
            },
            _ => DisconnectKind::Requested,
        };
        Self(Arc::new(Inner { kind, farewell: ending.farewell }))
    }

    pub(crate) fn unreachable(error: ConnectError) -> Self {
        Self(Arc::new(Inner { kind: DisconnectKind::Unreachable(error), farewell: None }))
    }

    pub(crate) fn store(error: StoreError) -> Self {
        Self(Arc::new(Inner { kind: DisconnectKind::Store(error), farewell: None }))
    }

    pub(crate) fn auth(error: AuthError) -> Self {
        Self(Arc::new(Inner { kind: DisconnectKind::Auth(error), farewell: None }))
    }

    pub(crate) fn requested() -> Self {
        Self(Arc::new(Inner { kind: DisconnectKind::Requested, farewell: None }))
    }

    pub(crate) fn stopped() -> Self {
        Self(Arc::new(Inner { kind: DisconnectKind::Stopped, farewell: None }))
    }

    /// Why.
    #[must_use]
    pub fn kind(&self) -> &DisconnectKind {
        &self.0.kind
    }

    /// The server's reason code, if it sent one: with DISCONNECT, or as it refused the last attempt.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        match &self.0.kind {
            DisconnectKind::Server(reason) => Some(*reason),
            DisconnectKind::Unreachable(error) => error.reason(),
            _ => None,
        }
    }

    /// What the server said for people, if it did: the reason string of its DISCONNECT.
    #[must_use]
    pub fn reason_string(&self) -> Option<&str> {
        self.0.farewell.as_ref()?.reason_string.as_deref()
    }

    /// The server to use instead, if this one named one: `host`, `host:port`, or several.
    #[must_use]
    pub fn server_reference(&self) -> Option<&str> {
        self.0.farewell.as_ref()?.server_reference.as_deref()
    }

    /// The user properties that the server sent with its reason.
    #[must_use]
    pub fn user_properties(&self) -> &[(ByteString, ByteString)] {
        self.0.farewell.as_ref().map_or(&[], |farewell| &farewell.user_properties)
    }

    /// Whether the application itself ended it.
    #[must_use]
    pub fn is_requested(&self) -> bool {
        matches!(self.0.kind, DisconnectKind::Requested)
    }

    /// What to do; empty where the cause itself says it, or there is nothing to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &self.0.kind {
            DisconnectKind::Server(ReasonCode::Success) => "",
            DisconnectKind::Server(reason) => advice::of_disconnect(*reason),
            DisconnectKind::Closed => "its log says why; MQTT 5.0 servers often tell, 3.1.1 ones cannot",
            DisconnectKind::KeepAlive => "check that the server runs, and the network between",
            DisconnectKind::Network(_) => "connect again; if it stays, check the network between",
            DisconnectKind::WebSocket(error) => error.advice(),
            DisconnectKind::Unreachable(error) => error.advice(),
            DisconnectKind::Stopped => "keep the runtime for as long as the client",
            _ => "",
        }
    }

    /// How far the last attempt came, where no connection could be made; absent where one was lost.
    #[must_use]
    pub fn stage(&self) -> Option<Stage> {
        match &self.0.kind {
            DisconnectKind::Unreachable(error) => Some(error.stage()),
            _ => None,
        }
    }

    /// Who ended it.
    #[must_use]
    pub fn side(&self) -> Side {
        match &self.0.kind {
            DisconnectKind::Requested
            | DisconnectKind::Violation(_)
            | DisconnectKind::Store(_)
            | DisconnectKind::Unsendable(_)
            | DisconnectKind::Stopped => Side::Us,
            DisconnectKind::Server(_) | DisconnectKind::Closed => Side::Server,
            DisconnectKind::KeepAlive | DisconnectKind::Network(_) => Side::Network,
            DisconnectKind::Tls(error) => tls_side(error),
            DisconnectKind::WebSocket(error) => error.side(),
            DisconnectKind::Auth(error) => error.side(),
            DisconnectKind::Unreachable(error) => error.side(),
        }
    }
}

/// The side of a TLS error in this crate's terms.
pub(super) fn tls_side(error: &TlsError) -> Side {
    match error.side() {
        TlsSide::Us => Side::Us,
        TlsSide::Peer => Side::Server,
        _ => Side::Network,
    }
}

/// What happened, without advice.
struct What<'a>(&'a DisconnectCause);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(cause) = self;
        match &cause.0.kind {
            DisconnectKind::Requested => f.write_str("the connection was closed by this program"),
            DisconnectKind::Server(ReasonCode::Success) => f.write_str("the server ended the connection in order"),
            DisconnectKind::Server(reason) => {
                write!(f, "the server ended the connection: {reason}")?;
                if let Some(words) = cause.reason_string() {
                    write!(f, ", in its words \"{}\"", quoted(words))?;
                }
                Ok(())
            }
            DisconnectKind::Closed => f.write_str("the server closed the connection without a reason"),
            DisconnectKind::KeepAlive => {
                f.write_str("the server did not answer within the keep-alive time: the network or the server has gone")
            }
            DisconnectKind::Violation(violation) => {
                write!(f, "the server broke the protocol, so the connection was closed: {violation}")
            }
            DisconnectKind::Tls(error) => write!(f, "TLS ended the connection: {error}"),
            DisconnectKind::WebSocket(error) => write!(f, "the WebSocket to the server ended: {error}"),
            DisconnectKind::Auth(error) => write!(f, "the server could not be told again who we are: {error}"),
            DisconnectKind::Network(error) => write!(f, "the network failed: {error}"),
            DisconnectKind::Unreachable(error) => error.fmt(f),
            DisconnectKind::Store(error) => {
                write!(f, "the client ended, because its session cannot be stored: {error}")
            }
            DisconnectKind::Unsendable(error) => {
                write!(
                    f,
                    "a packet of this client could not be written ({error}), so it ended the connection: report this"
                )
            }
            DisconnectKind::Stopped => f.write_str("the client's task was stopped with its runtime"),
        }
    }
}

impl fmt::Display for DisconnectCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let DisconnectKind::Unreachable(error) = &self.0.kind {
            return error.fmt(f);
        }
        What(self).fmt(f)?;
        if f.alternate() {
            return Ok(());
        }
        match self.advice() {
            "" => {}
            // The server's own words know the case better than general advice.
            _ if self.reason_string().is_some() => {}
            advice => write!(f, "; {advice}")?,
        }
        match (&self.0.kind, self.id()) {
            (DisconnectKind::Server(reason), Some(id)) if *reason != ReasonCode::Success => {
                write!(f, " [{id} {}]", id.name())
            }
            _ => Ok(()),
        }
    }
}

impl std::error::Error for DisconnectCause {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            DisconnectKind::Violation(violation) => Some(violation),
            DisconnectKind::Tls(error) => Some(error),
            DisconnectKind::WebSocket(error) => Some(error),
            DisconnectKind::Auth(error) => Some(error),
            DisconnectKind::Network(error) => Some(error),
            DisconnectKind::Store(error) => Some(error),
            DisconnectKind::Unsendable(error) => Some(error),
            DisconnectKind::Unreachable(error) => Some(error),
            _ => None,
        }
    }
}
