//! Words for every TLS failure: whose side, which stage, why, and what to do.

use std::fmt;
use std::io;
use std::sync::Arc;

use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::Certificate;
use crate::first_bytes::FirstBytes;
use crate::verify::Refusal;
use crate::versions::{TlsVersion, TlsVersions};

mod classify;
mod entry;
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
    /// The version that was agreed on, once the handshake was complete.
    pub version: Option<TlsVersion>,
    /// Client: the time by which the server's chain was judged, in seconds since 1970.
    pub time: Option<u64>,
    /// Client: the server sent a CertificateRequest. Server: this side did.
    pub asked_for_certificate: bool,
    /// Client: how many authorities the server named in that request.
    pub ca_hints: usize,
    /// Client: the first 64 of those authorities.
    pub hint_names: Vec<String>,
    /// Client: one of those is the issuer of our certificate or of one above it; `None` without hints
    /// or without an identity.
    pub hints_name_our_issuer: Option<bool>,
    /// Client: the signature schemes that the server accepts.
    pub schemes: Vec<String>,
    /// Client: the scheme that the identity's key signed with; `None` if nothing was sent.
    pub scheme: Option<String>,
    /// The subject of the identity that was there to be sent.
    pub identity: Option<String>,
    /// Its certificates, leaf first, whether or not they were sent; at most sixteen.
    pub identity_chain: Vec<Certificate>,
    /// Client: the issuer of the last certificate of the identity is among what we trust, and is itself
    /// issued by another; `None` if it is not among that.
    pub issuer_is_intermediate: Option<bool>,
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
    /// The chain itself, as far as it could be parsed; at most sixteen certificates. A server has it once
    /// the handshake is complete, or if it refused the chain.
    pub peer_certificates: Vec<Certificate>,
    /// Client: what this side believes about servers: subjects of authorities first.
    pub trusted: Vec<String>,
    /// Client: the authority among those that issued the identity, or is part of it.
    pub trusts_own_issuer: Option<String>,
    /// If this side refused the other's chain: the rule, the certificate that broke it, and the chain.
    pub refusal: Option<Box<Refusal>>,
    /// What the other side's first bytes look like.
    pub first_bytes: Option<FirstBytes>,
    /// The alert that the other side sent.
    pub alert: Option<Alert>,
}

/// A TLS failure. Its display is a sentence or two, who refused, why, and the cure, and ends with the
/// entry of the [catalogue](crate::catalogue) in brackets, `[E01 no-client-certificate]`, which `{:#}` leaves out.
#[derive(Clone, PartialEq, Eq)]
pub struct TlsError(Arc<Details>);

#[derive(PartialEq, Eq)]
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

    /// Its entry in the catalogue: what the doctor would say with no more than was seen here.
    #[must_use]
    pub fn id(&self) -> Id {
        entry::of(&self.0)
    }

    /// The id's letter and number. Every failure has one.
    #[must_use]
    pub fn catalogue_id(&self) -> Option<&'static str> {
        Some(self.id().code())
    }

    /// If this side refused the other's chain: the rule, the certificate that broke it, and the chain.
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        self.0.report.refusal.as_deref()
    }

    /// The finding: what it is about, why it failed, what to do, and what was seen.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let words = words::of(&self.0);
        let mut finding = Finding::new(self.id(), Severity::Error, words.about, words.why, words.fix);
        finding.evidence = words::evidence(&self.0);
        finding
    }

    #[cfg(feature = "stream")]
    pub(crate) fn invalid_server_name(name: &str) -> Self {
        let report = HandshakeReport { server_name: Some(name.to_owned()), ..HandshakeReport::default() };
        Self(Arc::new(Details {
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
        Self(Arc::new(Details { side, stage, kind, detail: error.to_string(), report }))
    }
}

/// Without the report, which has a debug form of its own: programs that only hand errors on need not carry that.
impl fmt::Debug for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsError")
            .field("side", &self.side())
            .field("stage", &self.stage())
            .field("kind", &self.kind())
            .field("detail", &self.detail())
            .finish_non_exhaustive()
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
