//! Why a client did not leave as it was told to.

use gridmq_proto::{EncodeError, ReasonCode};

use super::DisconnectCause;

/// Why a DISCONNECT was not sent, or the client ended in another way.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum DisconnectError {
    /// No client leaves with that reason. Nothing was sent, and the client stays connected.
    #[error(
        "{reason} is not what a client leaves with: give one that MQTT 5.0 §3.14.2.1 has for clients, such as 0x04"
    )]
    Reason {
        /// The reason that was given.
        reason: ReasonCode,
    },
    /// The DISCONNECT cannot be written in the connection's version. Nothing was sent, and the client stays connected.
    #[error("the client did not leave: {0}")]
    Packet(EncodeError),
    /// The client has ended, and for another reason than this request.
    #[error("{0}")]
    Ended(DisconnectCause),
}

impl DisconnectError {
    /// The server's reason code, if it is the server that has ended the client's connection.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        match self {
            Self::Ended(cause) => cause.reason(),
            _ => None,
        }
    }
}
