//! Which failures are worth another attempt, unless the application says otherwise.

use gridmq_proto::ReasonCode;

use super::{Failure, FailureKind};
use crate::error::{ConnectErrorKind, DisconnectKind};

pub(super) fn retries(failure: &Failure<'_>) -> bool {
    match failure.kind {
        FailureKind::Attempt(error) => attempt(error.kind()),
        FailureKind::Lost(cause) => lost(cause.kind()),
    }
}

fn attempt(kind: &ConnectErrorKind) -> bool {
    match kind {
        ConnectErrorKind::Refused { reason, .. } => passes(*reason),
        ConnectErrorKind::Name(_)
        | ConnectErrorKind::NoAddress
        | ConnectErrorKind::Tcp(_)
        | ConnectErrorKind::Tls(_)
        | ConnectErrorKind::Closed
        | ConnectErrorKind::Network(_)
        | ConnectErrorKind::UnixSocket { .. }
        | ConnectErrorKind::Dialer(_)
        | ConnectErrorKind::Timeout { .. } => true,
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
        DisconnectKind::Closed | DisconnectKind::KeepAlive | DisconnectKind::Tls(_) | DisconnectKind::Network(_) => {
            true
        }
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
        // A server that closes before CONNACK may have been about to restart.
        assert!(attempt(&ConnectErrorKind::Closed));
    }
}
