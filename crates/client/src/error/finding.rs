//! Errors as entries of the catalogue of failures.

use std::io;

use gridmq_catalogue::{Finding, Id, Severity};
use gridmq_proto::ReasonCode;
use gridmq_proto::codec::Foreign;

use super::connect::{Attempt, ConnectError, ConnectErrorKind, What};
use super::proxy::{ProxyError, SocksReply};
use super::websocket::WebSocketError;
use super::{AuthError, AuthErrorKind, DisconnectCause, DisconnectKind, Stage, advice};

fn of_attempts(attempts: &[Attempt]) -> Id {
    let refused = |attempt: &Attempt| {
        attempt.error.as_ref().is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
    };
    if attempts.iter().any(refused) { Id::C02 } else { Id::C03 }
}

/// A proxy's own troubles are none of the catalogue's; what it says of the server may be.
fn of_proxy(error: &ProxyError) -> Option<Id> {
    match error {
        ProxyError::Refused(SocksReply::ConnectionRefused) => Some(Id::C02),
        ProxyError::Name(_) => Some(Id::C01),
        ProxyError::Tls(error) => Some(error.id()),
        _ => None,
    }
}

const fn of_websocket(error: &WebSocketError) -> Option<Id> {
    match error {
        WebSocketError::NotHttp(Some(Foreign::Tls | Foreign::TlsAlert)) => Some(Id::C09),
        WebSocketError::NotHttp(_) => Some(Id::C08),
        WebSocketError::Closed => Some(Id::F12),
        WebSocketError::TextFrame | WebSocketError::NotUtf8 | WebSocketError::Protocol(_) => Some(Id::F14),
        _ => None,
    }
}

/// Where tokens come from is none of the catalogue's business; what the server wants to see is.
fn of_auth(error: &AuthError) -> Option<Id> {
    matches!(error.kind(), AuthErrorKind::Challenge).then_some(Id::F11)
}

/// A CONNACK, or a DISCONNECT in its place.
const fn of_connack(reason: ReasonCode) -> Option<Id> {
    Some(match reason {
        ReasonCode::UnsupportedProtocolVersion => Id::F01,
        ReasonCode::ClientIdentifierNotValid => Id::F02,
        ReasonCode::BadUserNameOrPassword => Id::F03,
        ReasonCode::NotAuthorized | ReasonCode::Banned => Id::F04,
        ReasonCode::RetainNotSupported => Id::F05,
        ReasonCode::QosNotSupported => Id::F06,
        ReasonCode::MalformedPacket | ReasonCode::ProtocolError => Id::F09,
        ReasonCode::ServerUnavailable
        | ReasonCode::ServerBusy
        | ReasonCode::ServerShuttingDown
        | ReasonCode::UseAnotherServer
        | ReasonCode::ServerMoved
        | ReasonCode::ConnectionRateExceeded => Id::F10,
        ReasonCode::BadAuthenticationMethod => Id::F11,
        ReasonCode::QuotaExceeded => Id::F13,
        ReasonCode::PacketTooLarge => Id::G03,
        ReasonCode::TopicNameInvalid => Id::G05,
        _ => return None,
    })
}

const fn of_disconnect(reason: ReasonCode) -> Option<Id> {
    Some(match reason {
        ReasonCode::QosNotSupported => Id::G01,
        ReasonCode::RetainNotSupported => Id::G02,
        ReasonCode::PacketTooLarge => Id::G03,
        ReasonCode::TopicFilterInvalid => Id::G04,
        ReasonCode::TopicNameInvalid => Id::G05,
        ReasonCode::TopicAliasInvalid => Id::G06,
        ReasonCode::SessionTakenOver => Id::G09,
        ReasonCode::KeepAliveTimeout => Id::G10,
        ReasonCode::ReceiveMaximumExceeded => Id::G12,
        ReasonCode::MessageRateTooHigh | ReasonCode::QuotaExceeded => Id::G13,
        ReasonCode::ServerBusy | ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => Id::F10,
        _ => return None,
    })
}

impl ConnectError {
    /// The entry of the catalogue that this is, if one fits. Options that cannot work are none.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        match self.kind() {
            ConnectErrorKind::Address(_)
            | ConnectErrorKind::Option { .. }
            | ConnectErrorKind::Store(_)
            | ConnectErrorKind::Packet(_)
            | ConnectErrorKind::NoTrust
            | ConnectErrorKind::IdentityWithoutTls
            | ConnectErrorKind::Stopped
            | ConnectErrorKind::TlsConfig(_) => None,
            ConnectErrorKind::Auth(error) => of_auth(error),
            ConnectErrorKind::Name(_) | ConnectErrorKind::NoAddress => Some(Id::C01),
            ConnectErrorKind::NoAddressOfFamily { .. } | ConnectErrorKind::Dialer(_) => None,
            ConnectErrorKind::Tcp(attempts) => Some(of_attempts(attempts)),
            ConnectErrorKind::UnixSocket { error, .. } if error.kind() == io::ErrorKind::ConnectionRefused => {
                Some(Id::C02)
            }
            ConnectErrorKind::UnixSocket { .. } => None,
            ConnectErrorKind::Proxy(error) => of_proxy(error),
            ConnectErrorKind::WebSocket(error) => of_websocket(error),
            ConnectErrorKind::Tls(error) => Some(error.id()),
            ConnectErrorKind::Refused { reason, .. } => of_connack(*reason),
            ConnectErrorKind::Closed => Some(Id::F12),
            ConnectErrorKind::NotMqtt(Foreign::Tls | Foreign::TlsAlert) => Some(Id::C09),
            ConnectErrorKind::NotMqtt(_) if self.over_tls() => Some(Id::F14),
            ConnectErrorKind::NotMqtt(_) => Some(Id::C08),
            ConnectErrorKind::Violation(_) => Some(Id::F14),
            ConnectErrorKind::Network(_) => Some(Id::F12),
            ConnectErrorKind::Timeout { .. } => match self.stage() {
                Stage::Options | Stage::Credentials => None,
                Stage::Name => Some(Id::C01),
                Stage::Tcp => Some(Id::C03),
                Stage::Proxy | Stage::Tls | Stage::WebSocket => Some(Id::C15),
                Stage::Connect => Some(Id::F12),
            },
        }
    }

    /// What the doctor would say of it, if an entry of the catalogue fits.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        if let ConnectErrorKind::Tls(error) = self.kind() {
            return Some(error.finding());
        }
        let fix = match self.advice() {
            "" => "see the server's log, or run gridmq doctor against it",
            advice => advice,
        };
        Some(Finding::new(self.id()?, Severity::Error, self.target(), What(self).to_string(), fix))
    }
}

impl DisconnectCause {
    /// The entry of the catalogue that this is, if one fits.
    #[must_use]
    pub fn id(&self) -> Option<Id> {
        match self.kind() {
            DisconnectKind::Server(reason) => of_disconnect(*reason),
            DisconnectKind::KeepAlive => Some(Id::C13),
            DisconnectKind::Violation(_) => Some(Id::F14),
            DisconnectKind::Tls(error) => Some(error.id()),
            DisconnectKind::WebSocket(error) => of_websocket(error),
            DisconnectKind::Unreachable(error) => error.id(),
            DisconnectKind::Auth(error) => of_auth(error),
            DisconnectKind::Requested
            | DisconnectKind::Closed
            | DisconnectKind::Network(_)
            | DisconnectKind::Store(_)
            | DisconnectKind::Unsendable(_)
            | DisconnectKind::Stopped => None,
        }
    }

    /// What the doctor would say of it, if an entry of the catalogue fits.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        match self.kind() {
            DisconnectKind::Unreachable(error) => return error.finding(),
            DisconnectKind::Tls(error) => return Some(error.finding()),
            _ => {}
        }
        let fix = self.reason().map_or("connect again; if it stays, run gridmq doctor against the server", |reason| {
            advice::of_disconnect(reason)
        });
        Some(Finding::new(self.id()?, Severity::Error, "the connection", format!("{self:#}"), fix))
    }
}
