//! The catalogue of ways in which an MQTT connection over TLS fails.
//!
//! Every entry has a stable id: a letter for the group and a number, `A01` to `H11`, and a name in
//! words. The doctor's findings, the errors of the client and the log of the broker use the same
//! ids; docs/doctor.md lists them all.

#![forbid(unsafe_code)]

use std::fmt;

mod ids;
mod words;

pub use ids::{Id, UnknownId};

/// Where on the way to a working connection something shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Stage {
    /// Reading certificates, keys and trust, before any connection.
    Files,
    /// Looking up the host's name.
    Name,
    /// Connecting over TCP.
    Tcp,
    /// The first exchange of TLS: versions, cipher suites, server name.
    Hello,
    /// Judging the server's certificate.
    Server,
    /// The server judging the client's certificate.
    Client,
    /// CONNECT and CONNACK.
    Connect,
    /// Publishing and subscribing.
    Access,
    /// Everything after.
    Session,
    /// Only recognised by its text, in another program's log.
    Text,
}

impl Stage {
    /// Its name in reports.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Files => "files",
            Self::Name => "name",
            Self::Tcp => "tcp",
            Self::Hello => "hello",
            Self::Server => "server",
            Self::Client => "client",
            Self::Connect => "connect",
            Self::Access => "access",
            Self::Session => "session",
            Self::Text => "text",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// How much a [`Finding`] matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Severity {
    /// Works; worth knowing.
    Info,
    /// Works with some peers and not with others, wastes something, or will fail soon.
    Warning,
    /// Does not work, or a peer that checks will refuse it.
    Error,
}

impl Severity {
    /// `info`, `warning` or `error`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One thing that was found: an entry of the catalogue, made concrete.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Finding {
    /// The entry.
    pub id: Id,
    /// How much it matters here.
    pub severity: Severity,
    /// What it is about: a file, a certificate's subject, an address.
    pub about: String,
    /// What is so, and why that fails, in one sentence.
    pub why: String,
    /// What to do about it, in one sentence.
    pub fix: String,
    /// What was seen that says so, each in a few words.
    pub evidence: Vec<String>,
}

impl Finding {
    /// A finding about `about`.
    pub fn new(
        id: Id,
        severity: Severity,
        about: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self { id, severity, about: about.into(), why: why.into(), fix: fix.into(), evidence: Vec::new() }
    }

    /// Adds something that was seen.
    #[must_use]
    pub fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }
}

impl fmt::Display for Finding {
    /// `A19 key-mismatch: why; fix`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}; {}", self.id, self.id.name(), self.why, self.fix)
    }
}
