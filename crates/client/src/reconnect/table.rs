//! Which failures are worth another attempt, unless the application says otherwise.

use gridmq_proto::ReasonCode;

use super::{Failure, FailureKind};
use crate::error::{ConnectError, ConnectErrorKind, DisconnectKind};
use crate::secure::TlsError;
#[cfg(feature = "tls")]
use crate::secure::TlsErrorKind;
use crate::store::StoreError;

impl ConnectError {
    /// Whether another attempt with the same options fails too, as far as can be told: by the table of
    /// [`Reconnect`](crate::Reconnect#whether). For programs that call [`Options::connect`](crate::Options::connect)
    /// until it succeeds.
    #[must_use]
    pub fn is_permanent(&self) -> bool {
        let failure = Failure { kind: FailureKind::Attempt(self), attempts: 0 };
        row(&failure) == Row::Final
    }
}

/// What to do about a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    Retry,
    /// It does not pass within seconds.
    Slowly,
    Final,
}

impl Row {
    const fn of(retries: bool) -> Self {
        if retries { Self::Retry } else { Self::Final }
    }
}

pub(super) fn row(failure: &Failure<'_>) -> Row {
    match failure.kind {
        FailureKind::Attempt(error) => match error.kind() {
            ConnectErrorKind::Tls(error) => of_tls(error),
            kind => Row::of(attempt(kind)),
        },
        FailureKind::Lost(cause) => Row::of(lost(cause.kind())),
    }
}

#[cfg(feature = "tls")]
fn of_tls(error: &TlsError) -> Row {
    match error.kind() {
        TlsErrorKind::CertificateRequired
        | TlsErrorKind::NoCommonSignatureScheme
        | TlsErrorKind::UnknownCa
        | TlsErrorKind::BadCertificate
        | TlsErrorKind::CertificateExpired
        | TlsErrorKind::CertificateRevoked
        | TlsErrorKind::WrongUsage
        | TlsErrorKind::CaAsLeaf
        | TlsErrorKind::NameMismatch
        | TlsErrorKind::AccessDenied
        | TlsErrorKind::ProtocolVersion
        | TlsErrorKind::NoCommonParameters
        | TlsErrorKind::HandshakeFailure
        | TlsErrorKind::NoCommonProtocol
        | TlsErrorKind::UnrecognisedName
        | TlsErrorKind::NotTls(_) => Row::Slowly,
        TlsErrorKind::InvalidServerName => Row::Final,
        // The rest is the network's, or passes with the time: a device may begin with a clock that is far behind.
        _ => Row::Retry,
    }
}

#[cfg(not(feature = "tls"))]
fn of_tls(error: &TlsError) -> Row {
    match *error {}
}

fn attempt(kind: &ConnectErrorKind) -> bool {
    match kind {
        ConnectErrorKind::Refused { reason, .. } => passes(*reason),
        ConnectErrorKind::Name(_)
        | ConnectErrorKind::NoAddress
        | ConnectErrorKind::Tcp(_)
        | ConnectErrorKind::Closed
        | ConnectErrorKind::Network(_)
        | ConnectErrorKind::UnixSocket { .. }
        | ConnectErrorKind::Dialer(_)
        | ConnectErrorKind::Timeout { .. } => true,
        // Who has it may let go of it, also an attempt of this program's that was given up.
        ConnectErrorKind::Store(error) => matches!(error, StoreError::InUse { .. }),
        ConnectErrorKind::Auth(error) => !error.is_permanent(),
        ConnectErrorKind::Proxy(error) => error.passes(),
        ConnectErrorKind::WebSocket(error) => error.passes(),
        _ => false,
    }
}

fn lost(kind: &DisconnectKind) -> bool {
    match kind {
        DisconnectKind::Server(ReasonCode::Success) => true,
        DisconnectKind::Server(reason) => passes(*reason),
        DisconnectKind::Auth(error) => !error.is_permanent(),
        DisconnectKind::WebSocket(error) => error.passes(),
        // What could not be written on one connection may be possible on the next.
        DisconnectKind::Unsendable(_)
        | DisconnectKind::Closed
        | DisconnectKind::KeepAlive
        | DisconnectKind::Tls(_)
        | DisconnectKind::Network(_) => true,
        _ => false,
    }
}

/// Whether the server may think otherwise later, although nothing changes here.
pub(crate) const fn passes(reason: ReasonCode) -> bool {
    matches!(
        reason,
        ReasonCode::UnspecifiedError
            | ReasonCode::ImplementationSpecificError
            | ReasonCode::ServerUnavailable
            | ReasonCode::ServerBusy
            | ReasonCode::ServerShuttingDown
            | ReasonCode::KeepAliveTimeout
            | ReasonCode::ReceiveMaximumExceeded
            | ReasonCode::MessageRateTooHigh
            | ReasonCode::QuotaExceeded
            | ReasonCode::ConnectionRateExceeded
            | ReasonCode::MaximumConnectTime
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::WebSocketError;

    #[test]
    fn what_cannot_pass_by_itself_is_final() {
        for reason in [
            ReasonCode::MalformedPacket,
            ReasonCode::ProtocolError,
            ReasonCode::UnsupportedProtocolVersion,
            ReasonCode::ClientIdentifierNotValid,
            ReasonCode::BadUserNameOrPassword,
            ReasonCode::NotAuthorized,
            ReasonCode::Banned,
            ReasonCode::SessionTakenOver,
            ReasonCode::AdministrativeAction,
            ReasonCode::PacketTooLarge,
            ReasonCode::QosNotSupported,
            ReasonCode::UseAnotherServer,
            ReasonCode::ServerMoved,
        ] {
            assert!(!attempt(&ConnectErrorKind::Refused { reason, farewell: None }), "{reason}");
            assert!(!lost(&DisconnectKind::Server(reason)), "{reason}");
        }
        assert!(!lost(&DisconnectKind::Requested));
    }

    #[test]
    fn what_may_pass_is_tried_again() {
        for reason in [ReasonCode::ServerUnavailable, ReasonCode::ServerBusy, ReasonCode::ConnectionRateExceeded] {
            assert!(attempt(&ConnectErrorKind::Refused { reason, farewell: None }), "{reason}");
            assert!(lost(&DisconnectKind::Server(reason)), "{reason}");
        }
        assert!(lost(&DisconnectKind::Server(ReasonCode::Success)));
        assert!(lost(&DisconnectKind::KeepAlive) && lost(&DisconnectKind::Closed));
        let left = |code| DisconnectKind::WebSocket(WebSocketError::Left { code, reason: String::new() });
        assert!(lost(&left(1012)) && !lost(&left(1003)));
        assert!(!lost(&DisconnectKind::WebSocket(WebSocketError::TooLong { size: 2, max: 1 })));
        // A goodbye, whatever is wrong with it.
        assert!(lost(&DisconnectKind::WebSocket(WebSocketError::CloseCode)));
        assert!(lost(&DisconnectKind::WebSocket(WebSocketError::NotUtf8)));
        let path = String::new;
        assert!(attempt(&ConnectErrorKind::Store(StoreError::InUse { path: path() })));
        assert!(!attempt(&ConnectErrorKind::Store(StoreError::Corrupt { path: path(), problem: path() })));
        // A server that closes before CONNACK may have been about to restart.
        assert!(attempt(&ConnectErrorKind::Closed));
    }
}
