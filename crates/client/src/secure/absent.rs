//! What stands where TLS is not built in. No value of these types exists, but for those that name kinds.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;

use gridmq_catalogue::{Finding, Id};

/// An error of TLS.
#[derive(Debug, Clone, Copy)]
pub enum TlsError {}

/// A kind of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "there is nothing to have one")]
pub(crate) enum TlsErrorKind {
    /// The connection was closed after the handshake.
    ClosedAfterHandshake,
}

/// Whose it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "there is nothing to have one")]
pub(crate) enum TlsSide {
    /// Ours.
    Us,
    /// The server's.
    Peer,
    /// Nobody's.
    Network,
}

impl TlsError {
    pub(crate) fn id(&self) -> Id {
        match *self {}
    }

    pub(crate) fn finding(&self) -> Finding {
        match *self {}
    }

    pub(crate) fn side(&self) -> TlsSide {
        match *self {}
    }

    pub(crate) fn kind(&self) -> TlsErrorKind {
        match *self {}
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for TlsError {}

/// A configuration that cannot work.
#[derive(Debug, Clone, Copy)]
pub enum ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {}
    }
}

impl std::error::Error for ConfigError {}

/// What a handshake agreed on.
#[derive(Debug, Clone, Copy)]
pub enum HandshakeInfo {}

/// How TLS is set up.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tls {}

/// One certificate of a provider.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) number: u64,
    pub(crate) identity: Identity,
}

/// Its key and chain.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Identity {}

impl Identity {
    pub(crate) fn not_after(&self) -> u64 {
        match *self {}
    }
}

pub(crate) trait CredentialProvider: fmt::Debug + Send + Sync {
    fn current(&self) -> Arc<Generation>;
    fn changed(&self, after: u64) -> Pin<Box<dyn Future<Output = Arc<Generation>> + Send + '_>>;
}

impl Tls {
    pub(crate) fn credentials(&self) -> Option<&Arc<dyn CredentialProvider>> {
        match *self {}
    }

    pub(crate) fn fixed_not_after(&self) -> Option<u64> {
        match *self {}
    }
}

/// An error of the transport is none of TLS.
pub(crate) const fn from_io(_: &io::Error) -> Option<TlsError> {
    None
}
