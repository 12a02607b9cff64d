//! Words for every TLS failure: whose side, which stage, why, and what to do.

use std::io;

use crate::first_bytes::FirstBytes;
use crate::versions::TlsVersions;

mod classify;
mod kind;
mod words;

pub use kind::TlsErrorKind;

/// Which side of the connection this program is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Role {
    /// The one that connects.
    #[default]
    Client,
    /// The one that accepts.
    Server,
}

/// Who ended it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Side {
    /// This side refused.
    Us,
    /// The other side refused.
    Peer,
    /// Neither said anything; the connection went.
    Network,
}

/// When it happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Before the first byte.
    ServerName,
    /// In the handshake.
    Handshake,
    /// After this side's handshake was complete. A TLS 1.3 server's refusal of a client certificate
    /// arrives here.
    AfterHandshake,
}

/// A TLS alert (RFC 8446 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Alert {
    /// Its number.
    pub code: u8,
    /// Its name in the standard, or the number again.
    pub name: String,
}

/// What was seen of a handshake, complete or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HandshakeReport {
    /// Which side this program was.
    pub role: Role,
    /// Client: the name that was asked for. Server: the name that the client asked for, if known.
    pub server_name: Option<String>,
    /// The versions that this side offered or accepted.
    pub versions: TlsVersions,
    /// Client: the server sent a CertificateRequest. Server: this side did.
    pub asked_for_certificate: bool,
    /// Client: how many authorities the server named in that request.
    pub ca_hints: usize,
    /// Client: the signature schemes that the server accepts.
    pub schemes: Vec<String>,
    /// Client: the subject of the identity that was there to be sent.
    pub identity: Option<String>,
    /// The subjects of the certificates that this side sent, leaf first; empty for none.
    pub sent_chain: Vec<String>,
    /// Client: the identity's key fits none of the server's signature schemes, so nothing was sent.
    pub no_common_scheme: bool,
    /// The subjects of the chain that the other side sent, leaf first.
    pub peer_chain: Vec<String>,
    /// Who issued the last certificate of that chain.
    pub peer_issuer: Option<String>,
    /// The names that the other side's leaf is for.
    pub peer_names: Vec<String>,
    /// Client: the subjects of the authorities that this side believes.
    pub trusted: Vec<String>,
    /// What the other side's first bytes look like.
    pub first_bytes: Option<FirstBytes>,
    /// The alert that the other side sent.
    pub alert: Option<Alert>,
}

/// A TLS failure. Its display is a sentence or two: who refused, why, and the cure.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsError(Box<Details>);

#[derive(Debug, Clone, PartialEq, Eq)]
struct Details {
    side: Side,
    stage: Stage,
    kind: TlsErrorKind,
    detail: String,
    report: HandshakeReport,
}

impl TlsError {
    /// Who refused.
    #[must_use]
    pub fn side(&self) -> Side {
        self.0.side
    }

    /// When.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Why.
    #[must_use]
    pub fn kind(&self) -> TlsErrorKind {
        self.0.kind
    }

    /// What was seen of the handshake.
    #[must_use]
    pub fn report(&self) -> &HandshakeReport {
        &self.0.report
    }

    /// The TLS stack's own words, for logs.
    #[must_use]
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// Its id in the catalogue of TLS failures, where one entry fits.
    #[must_use]
    pub fn catalogue_id(&self) -> Option<&'static str> {
        self.0.kind.catalogue_id(self.0.report.role, self.0.side)
    }

    #[cfg(feature = "stream")]
    pub(crate) fn invalid_server_name(name: &str) -> Self {
        let report = HandshakeReport { server_name: Some(name.to_owned()), ..HandshakeReport::default() };
        Self(Box::new(Details {
            side: Side::Us,
            stage: Stage::ServerName,
            kind: TlsErrorKind::InvalidServerName,
            detail: String::new(),
            report,
        }))
    }

    /// Classifies whatever ended a connection whose handshake is described by `report`.
    pub(crate) fn new(error: &io::Error, stage: Stage, report: HandshakeReport) -> Self {
        let mut report = report;
        let (side, kind) = classify::io(error, stage, &mut report);
        Self(Box::new(Details { side, stage, kind, detail: error.to_string(), report }))
    }
}

impl std::error::Error for TlsError {}

/// The TLS failure inside an error from reading or writing, if there is one.
///
/// Errors from [`TlsStream`](crate::stream::TlsStream) carry what was seen of the handshake.
#[cfg_attr(not(feature = "stream"), allow(rustdoc::broken_intra_doc_links, reason = "the stream is a feature"))]
#[must_use]
pub fn from_io(error: &io::Error) -> Option<TlsError> {
    let inner = error.get_ref()?;
    if let Some(known) = inner.downcast_ref::<TlsError>() {
        return Some(known.clone());
    }
    inner.downcast_ref::<rustls::Error>()?;
    Some(TlsError::new(error, Stage::AfterHandshake, HandshakeReport::default()))
}

#[cfg(test)]
mod tests;
