//! Why a connection could not be made.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use gridmq_proto::codec::Foreign;
use gridmq_proto::{ByteString, EncodeError, ReasonCode, SpecViolation, Version};
use gridmq_tls::TlsError;
use gridmq_tls::client::ConfigError;

use super::cause::tls_side;
use super::{AddressError, Side, Stage, advice, quoted};

/// Why a connection could not be made. Its display is a sentence or two: what, where, who refused, and the cure.
#[derive(Debug)]
pub struct ConnectError(Box<Inner>);

#[derive(Debug)]
struct Inner {
    /// `host:port`, or nothing where the address could not be read.
    target: String,
    stage: Stage,
    version: Version,
    over_tls: bool,
    kind: ConnectErrorKind,
}

/// One address that was tried.
#[derive(Debug)]
#[non_exhaustive]
pub struct Attempt {
    /// The address.
    pub address: SocketAddr,
    /// Why it failed; absent while it had not answered.
    pub error: Option<io::Error>,
}

/// Why a connection could not be made, for programs.
#[derive(Debug)]
#[non_exhaustive]
pub enum ConnectErrorKind {
    /// The address cannot be used.
    Address(AddressError),
    /// An option has a value that cannot work.
    Option {
        /// Which.
        option: &'static str,
        /// What is wrong, and what would do.
        problem: String,
    },
    /// The CONNECT cannot be written in the version asked for.
    Packet(EncodeError),
    /// TLS is asked for and nobody is trusted.
    NoTrust,
    /// An identity is given that a plain connection does not use.
    IdentityWithoutTls,
    /// Trust, identity and versions do not make a configuration.
    TlsConfig(ConfigError),
    /// The name could not be looked up.
    Name(io::Error),
    /// The name has no address.
    NoAddress,
    /// No address took the connection.
    Tcp(Vec<Attempt>),
    /// TLS failed.
    Tls(TlsError),
    /// The server refused the CONNECT.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// In its own words, if it has any.
        words: Option<ByteString>,
    },
    /// The server closed the connection instead of answering.
    Closed,
    /// The server speaks something else.
    NotMqtt(Foreign),
    /// The server's answer breaks the protocol.
    Violation(SpecViolation),
    /// Reading or writing failed.
    Network(io::Error),
    /// The time was up.
    Timeout {
        /// How much there was.
        after: Duration,
        /// Addresses that were tried and did not answer, or failed before.
        attempts: Vec<Attempt>,
    },
}

impl ConnectError {
    pub(crate) fn new(target: &str, version: Version, stage: Stage, kind: ConnectErrorKind) -> Self {
        Self(Box::new(Inner { target: target.to_owned(), stage, version, over_tls: false, kind }))
    }

    /// MQTT was to be spoken over TLS.
    pub(crate) fn with_tls(mut self, over_tls: bool) -> Self {
        self.0.over_tls = over_tls;
        self
    }

    pub(super) const fn over_tls(&self) -> bool {
        self.0.over_tls
    }

    pub(super) const fn target(&self) -> &str {
        self.0.target.as_str()
    }

    /// How far it came.
    #[must_use]
    pub fn stage(&self) -> Stage {
        self.0.stage
    }

    /// Why.
    #[must_use]
    pub fn kind(&self) -> &ConnectErrorKind {
        &self.0.kind
    }

    /// The server's reason code, if it refused the CONNECT.
    #[must_use]
    pub fn reason(&self) -> Option<ReasonCode> {
        match self.0.kind {
            ConnectErrorKind::Refused { reason, .. } => Some(reason),
            _ => None,
        }
    }

    /// What the server said in words, if it did.
    #[must_use]
    pub fn words(&self) -> Option<&str> {
        match &self.0.kind {
            ConnectErrorKind::Refused { words, .. } => words.as_deref(),
            _ => None,
        }
    }

    /// Who ended it.
    #[must_use]
    pub fn side(&self) -> Side {
        match &self.0.kind {
            ConnectErrorKind::Address(_)
            | ConnectErrorKind::Option { .. }
            | ConnectErrorKind::Packet(_)
            | ConnectErrorKind::NoTrust
            | ConnectErrorKind::IdentityWithoutTls
            | ConnectErrorKind::TlsConfig(_)
            | ConnectErrorKind::NotMqtt(_)
            | ConnectErrorKind::Violation(_) => Side::Us,
            ConnectErrorKind::Refused { .. } | ConnectErrorKind::Closed => Side::Server,
            ConnectErrorKind::Tls(error) => tls_side(error),
            ConnectErrorKind::Name(_)
            | ConnectErrorKind::NoAddress
            | ConnectErrorKind::Tcp(_)
            | ConnectErrorKind::Network(_)
            | ConnectErrorKind::Timeout { .. } => Side::Network,
        }
    }

    /// What to do; empty where the reason itself says it.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match &self.0.kind {
            ConnectErrorKind::NoTrust if cfg!(feature = "platform-verifier") => "name the authorities to trust",
            ConnectErrorKind::NoTrust => {
                "give .trust(Trust::only_pem_file(..)), or build with the feature platform-verifier to believe what \
                 the system believes"
            }
            ConnectErrorKind::IdentityWithoutTls => {
                "connect to mqtts://, or leave the identity out: a plain connection cannot use it"
            }
            ConnectErrorKind::Name(_) | ConnectErrorKind::NoAddress => {
                "check the spelling, and that this machine can look names up"
            }
            ConnectErrorKind::Tcp(attempts) => of_attempts(attempts),
            ConnectErrorKind::Refused { reason, .. } => advice::of_connack(*reason),
            ConnectErrorKind::Closed if self.0.version.is_v5() => {
                "check that the port is right and not meant for TLS, and that the server speaks MQTT 5.0: some close \
                 on a version they do not know, so try 3.1.1; its log says more"
            }
            ConnectErrorKind::Closed => {
                "check that the port is right and not meant for TLS; MQTT 3.1.1 has few ways to say why, so the \
                 server's log says more, and so may MQTT 5.0"
            }
            ConnectErrorKind::NotMqtt(Foreign::TlsAlert | Foreign::Tls) => {
                "connect with mqtts://, or to the plain port"
            }
            ConnectErrorKind::NotMqtt(_) => "check the port: MQTT is usually on 8883 with TLS and on 1883 without",
            ConnectErrorKind::Violation(_) => {
                "check that this is an MQTT server's port, and that no proxy sits between"
            }
            ConnectErrorKind::Timeout { .. } if self.0.stage == Stage::Tcp => {
                "a firewall may drop the packets, or the host is down: check host and port, and outgoing TCP to it"
            }
            ConnectErrorKind::Timeout { .. } if self.0.stage == Stage::Connect => {
                "the port is open, but no MQTT server answers on it: check the port, and whether it wants TLS"
            }
            ConnectErrorKind::Timeout { .. } => "check the network between; the server may also be too busy to answer",
            ConnectErrorKind::Network(_) => "try again; if it stays, check the network between",
            _ => "",
        }
    }
}

fn of_attempts(attempts: &[Attempt]) -> &'static str {
    let mut kinds = attempts.iter().filter_map(|attempt| attempt.error.as_ref()).map(io::Error::kind);
    if kinds.clone().any(|kind| kind == io::ErrorKind::ConnectionRefused) {
        "nothing listens on that port there: check host and port, and that the server runs"
    } else if kinds.any(|kind| matches!(kind, io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable)) {
        "there is no way to that network from here: check this machine's network"
    } else {
        "check host and port, and that no firewall drops the packets"
    }
}

/// Addresses and what became of them.
struct Tried<'a>(&'a [Attempt]);

impl fmt::Display for Tried<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, attempt) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { ", " };
            match &attempt.error {
                Some(error) => write!(f, "{between}{}: {error}", attempt.address)?,
                None => write!(f, "{between}{}: no answer", attempt.address)?,
            }
        }
        Ok(())
    }
}

/// A CONNACK's reason as the version puts it on the wire.
fn code(reason: ReasonCode, version: Version) -> String {
    match reason.to_v3_connect_code() {
        Some(code) if !version.is_v5() => format!("{} (return code {code})", reason.name()),
        _ => reason.to_string(),
    }
}

/// What happened, without advice.
pub(super) struct What<'a>(pub(super) &'a ConnectError);

impl fmt::Display for What<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { target, stage, version, kind, .. } = &*self.0.0;
        match kind {
            ConnectErrorKind::Address(error) => write!(f, "{error}")?,
            ConnectErrorKind::Option { option, problem } => write!(f, "the option {option} cannot be used: {problem}")?,
            ConnectErrorKind::Packet(error) => write!(f, "the CONNECT cannot be sent: {error}")?,
            ConnectErrorKind::NoTrust => write!(f, "nobody is trusted to vouch for {target}")?,
            ConnectErrorKind::IdentityWithoutTls => {
                write!(
                    f,
                    "an identity (certificate and key) is given for {target}, which is to be reached without TLS"
                )?;
            }
            ConnectErrorKind::TlsConfig(error) => write!(f, "TLS with {target} cannot be set up: {error}")?,
            ConnectErrorKind::Name(error) => write!(f, "the host of {target} cannot be found: {error}")?,
            ConnectErrorKind::NoAddress => write!(f, "the host of {target} has no address")?,
            ConnectErrorKind::Tcp(attempts) => write!(f, "no connection to {target} ({})", Tried(attempts))?,
            ConnectErrorKind::Tls(error) => write!(f, "TLS with {target} failed: {error:#}")?,
            ConnectErrorKind::Refused { reason, words } => {
                write!(f, "{target} refused the connection: {}", code(*reason, *version))?;
                if let Some(words) = words {
                    write!(f, ", in its words \"{}\"", quoted(words))?;
                }
            }
            ConnectErrorKind::Closed => {
                write!(f, "{target} closed the connection instead of answering the {version} CONNECT")?;
            }
            ConnectErrorKind::NotMqtt(foreign) => write!(f, "{target} does not speak MQTT: {foreign}")?,
            ConnectErrorKind::Violation(violation) => {
                write!(f, "{target} answered with something that is not valid MQTT: {violation}")?
            }
            ConnectErrorKind::Network(error) => {
                write!(f, "the connection to {target} failed while {}: {error}", stage.words())?
            }
            ConnectErrorKind::Timeout { after, attempts } => {
                write!(f, "the time for {target} was up after {after:?}, while {}", stage.words())?;
                if !attempts.is_empty() {
                    write!(f, " ({})", Tried(attempts))?;
                }
            }
        }
        Ok(())
    }
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        What(self).fmt(f)?;
        match self.advice() {
            "" => {}
            // The server's own words know the case better than general advice.
            _ if self.words().is_some() => {}
            advice => write!(f, "; {advice}")?,
        }
        match self.id() {
            Some(id) => write!(f, " [{id} {}]", id.name()),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ConnectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0.kind {
            ConnectErrorKind::Address(error) => Some(error),
            ConnectErrorKind::Packet(error) => Some(error),
            ConnectErrorKind::TlsConfig(error) => Some(error),
            ConnectErrorKind::Name(error) | ConnectErrorKind::Network(error) => Some(error),
            ConnectErrorKind::Tcp(attempts) => {
                attempts.iter().rev().find_map(|attempt| attempt.error.as_ref()).map(|error| error as _)
            }
            ConnectErrorKind::Tls(error) => Some(error),
            ConnectErrorKind::Violation(violation) => Some(violation),
            _ => None,
        }
    }
}
