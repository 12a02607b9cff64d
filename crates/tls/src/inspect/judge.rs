//! One chain before three judges: Event Grid, OpenSSL and rustls.
//!
//! The same certificate works with one program and fails with another. Here each one's rules are applied to the same
//! certificates, and where they disagree the reason is named.

use std::fmt;

use crate::certificate::Certificate;
use crate::keys::KeyKind;
use crate::peer::PresentedPeer;
use crate::verify::Anchors;

mod constraints;
mod difference;
mod hosts;
mod openssl;
mod webpki;

pub use difference::Difference;
pub use openssl::DEBIAN_SECURITY_LEVEL;

/// The most intermediates and the most authorities that are looked at.
pub const MAX_CERTIFICATES: usize = 100;

/// Which side presents the certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Purpose {
    /// A client, to a server.
    Client,
    /// A server, to a client.
    Server,
}

/// Who judges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Judge {
    /// An Event Grid namespace with the authorities as its CA certificates.
    EventGrid,
    /// `openssl verify` of OpenSSL 3, and the programs built on it, at a security level.
    OpenSsl,
    /// rustls with its own verifier, and the programs built on it.
    Rustls,
}

impl fmt::Display for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EventGrid => "Event Grid",
            Self::OpenSsl => "OpenSSL",
            Self::Rustls => "rustls",
        })
    }
}

/// What is to be judged.
#[derive(Debug, Clone, Copy)]
#[must_use]
pub struct Question<'a> {
    leaf: &'a Certificate,
    intermediates: &'a [Certificate],
    anchors: &'a [Certificate],
    purpose: Purpose,
    host: Option<&'a str>,
    security_level: u8,
    now: u64,
}

impl<'a> Question<'a> {
    /// Is `leaf`, sent with `intermediates`, believed for `purpose` by somebody who trusts `anchors` at `now`?
    /// Of either list the first [`MAX_CERTIFICATES`] count.
    pub fn new(
        leaf: &'a Certificate,
        intermediates: &'a [Certificate],
        anchors: &'a [Certificate],
        purpose: Purpose,
        now: u64,
    ) -> Self {
        let few = |all: &'a [Certificate]| all.get(..MAX_CERTIFICATES).unwrap_or(all);
        Self {
            leaf,
            intermediates: few(intermediates),
            anchors: few(anchors),
            purpose,
            host: None,
            security_level: DEBIAN_SECURITY_LEVEL,
            now,
        }
    }

    /// The host name or IP address that the server was called by.
    pub const fn host(mut self, host: &'a str) -> Self {
        self.host = Some(host);
        self
    }

    /// OpenSSL's security level: 2 on Debian and Ubuntu, 1 elsewhere, 0 to take everything.
    pub const fn security_level(mut self, level: u8) -> Self {
        self.security_level = level;
        self
    }

    /// Asks all three, and explains where they differ.
    #[must_use]
    pub fn judge(&self) -> Comparison {
        let verdicts = vec![
            Verdict { judge: Judge::EventGrid, outcome: self.event_grid() },
            Verdict { judge: Judge::OpenSsl, outcome: openssl::judge(self) },
            Verdict { judge: Judge::Rustls, outcome: webpki::judge(self) },
        ];
        let differences = difference::explain(self, &verdicts);
        Comparison { verdicts, differences }
    }

    fn event_grid(&self) -> Outcome {
        if self.purpose != Purpose::Client {
            return Outcome::NotAsked;
        }
        let refused = |rule: String| Outcome::Refused { code: None, rule, subject: self.leaf.subject().to_string() };
        let chain = std::iter::once(self.leaf).chain(self.intermediates).map(|one| one.der().to_vec()).collect();
        let presented = match PresentedPeer::from_der_unproven(chain) {
            Ok(presented) => presented,
            Err(error) => return refused(error.to_string()),
        };
        // A namespace does not take a leaf among its CA certificates; the others still count.
        let usable = self.anchors.iter().filter(|anchor| anchor.can_issue()).cloned();
        let anchors = match Anchors::new(usable) {
            Ok(anchors) => anchors,
            Err(error) => return refused(error.to_string()),
        };
        let key = KeyKind::of(self.leaf.public_key());
        match crate::verify::verify(&presented, &anchors, self.now) {
            Ok(_) if key.is_usable() => Outcome::Accepted,
            Ok(_) => refused(format!("a key of the kind {key} cannot sign the handshake")),
            Err(error) => refused(error.to_string()),
        }
    }
}

/// What one judge said.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// It is believed.
    Accepted,
    /// It is not.
    Refused {
        /// OpenSSL's number of the error, as `openssl verify` prints it.
        code: Option<u16>,
        /// The rule that was broken, in a few words.
        rule: String,
        /// The certificate that broke it.
        subject: String,
    },
    /// This judge does not judge such certificates.
    NotAsked,
}

impl Outcome {
    /// Is it believed?
    #[must_use]
    pub const fn is_accepted(&self) -> bool {
        matches!(self, Self::Accepted)
    }

    /// OpenSSL's number of the error.
    #[must_use]
    pub const fn code(&self) -> Option<u16> {
        match self {
            Self::Refused { code, .. } => *code,
            _ => None,
        }
    }
}

/// One judge and its verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Verdict {
    /// Who.
    pub judge: Judge,
    /// What it said.
    pub outcome: Outcome,
}

/// All verdicts, and why they differ.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Comparison {
    /// One for each judge.
    pub verdicts: Vec<Verdict>,
    /// Why they differ, where they do; and what else the certificates hold that programs disagree about.
    pub differences: Vec<Difference>,
}

impl Comparison {
    /// What one judge said.
    #[must_use]
    pub fn of(&self, judge: Judge) -> &Outcome {
        self.verdicts.iter().find(|verdict| verdict.judge == judge).map_or(&Outcome::NotAsked, |found| &found.outcome)
    }

    /// Does every judge that was asked believe it?
    #[must_use]
    pub fn is_accepted_by_all(&self) -> bool {
        self.verdicts.iter().all(|verdict| matches!(verdict.outcome, Outcome::Accepted | Outcome::NotAsked))
    }
}
