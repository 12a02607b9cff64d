//! Why a connection could not be made.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use gridmq_proto::codec::Foreign;
use gridmq_proto::session::client::Farewell;
use gridmq_proto::{EncodeError, ReasonCode, SpecViolation, Version};

use super::cause::tls_side;
use super::proxy::ProxyError;
use super::websocket::WebSocketError;
use super::{AddressError, AuthError, Side, Stage, advice, quoted};
use crate::secure::{self, ConfigError, TlsError};
use crate::store::StoreError;

/// Why a connection could not be made. Its display is a sentence or two: what, where, who refused, and the cure.
/// Cheap to clone.
///
/// ```
/// use gridmq_client::Options;
/// use gridmq_client::error::{Side, Stage};
///
/// let error = Options::new("mqtt://").check().unwrap_err();
/// assert_eq!((error.stage(), error.side()), (Stage::Options, Side::Us));
/// println!("{error}");
/// ```
#[derive(Debug, Clone)]
pub struct ConnectError(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `host:port`, or nothing where the address could not be read.
    target: String,
    stage: Stage,
    version: Version,
    over_tls: bool,
    /// The proxy in between, as `host:port`.
    proxy: Option<String>,
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
    /// The session store cannot be used.
    Store(StoreError),
    /// The CONNECT cannot be written in the version asked for.
    Packet(EncodeError),
    /// TLS is asked for and nobody is trusted.
    NoTrust,
    /// An identity is given that a plain connection does not use.
    IdentityWithoutTls,
    /// Trust, identity and versions do not make a configuration.
    TlsConfig(ConfigError),
    /// Who the client is could not be said, or the exchange about it failed.
    Auth(AuthError),
    /// The name could not be looked up.
    Name(io::Error),
    /// The name has no address.
    NoAddress,
    /// The name has addresses, none of them of the family asked for.
    NoAddressOfFamily {
        /// The addresses that it has.
        found: Vec<SocketAddr>,
    },
    /// No address took the connection.
    Tcp(Vec<Attempt>),
    /// The Unix socket could not be opened.
    UnixSocket {
        /// Its path.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The caller's [`Dialer`](crate::Dialer) gave an error.
    Dialer(io::Error),
    /// The proxy did not let us through.
    Proxy(ProxyError),
    /// The server does not do WebSocket as it should.
    WebSocket(WebSocketError),
    /// TLS failed.
    Tls(TlsError),
    /// The server refused the CONNECT.
    Refused {
        /// Why.
        reason: ReasonCode,
        /// What it said beside the reason, if anything (MQTT 5.0).
        farewell: Option<Box<Farewell>>,
    },
    /// The server closed the connection instead of answering.
    Closed,
    /// The server speaks something else.
    NotMqtt(Foreign),
    /// The server's answer breaks the protocol.
    Violation(SpecViolation),
    /// Reading or writing failed.
    Network(io::Error),
    /// The client's task was stopped with its runtime.
    Stopped,
    /// The time was up.
    Timeout {
        /// How much there was.
        after: Duration,
        /// Addresses that were tried and did not answer, or failed before.
        attempts: Vec<Attempt>,
    },
}

impl ConnectErrorKind {
    /// What reading or writing says: TLS, WebSocket, or the network.
    pub(crate) fn of_io(error: io::Error) -> Self {
        if let Some(tls) = secure::from_io(&error) {
            return Self::Tls(tls);
        }
        match WebSocketError::of_io(&error) {
            Some(error) => Self::WebSocket(error.clone()),
            None => Self::Network(error),
        }
    }
}

impl ConnectError {
    pub(crate) fn new(target: &str, version: Version, stage: Stage, kind: ConnectErrorKind) -> Self {
        Self(Arc::new(Inner { target: target.to_owned(), stage, version, over_tls: false, proxy: None, kind }))
    }

    /// MQTT was to be spoken over TLS.
    pub(crate) fn with_tls(mut self, over_tls: bool) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.over_tls = over_tls;
        }
        self
    }

    /// There is a proxy in between.
    pub(crate) fn by_way_of(mut self, proxy: Option<String>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.proxy = proxy;
        }
        self
    }

    /// The proxy in between, as `host:port`. Up to [`Stage::Proxy`] it is what could not be reached.
    #[must_use]
    pub fn proxy(&self) -> Option<&str> {
        self.0.proxy.as_deref()
    }

    pub(super) fn over_tls(&self) -> bool {
        self.0.over_tls
    }

    pub(super) fn target(&self) -> &str {
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

    /// What the server said for people, if it did: the reason string of its CONNACK.
    #[must_use]
    pub fn reason_string(&self) -> Option<&str> {
        match &self.0.kind {
            ConnectErrorKind::Refused { farewell: Some(farewell), .. } => farewell.reason_string.as_deref(),
            _ => None,
        }
    }

    /// The server to use instead, if the one that refused named one: `host`, `host:port`, or several.
    #[must_use]
    pub fn server_reference(&self) -> Option<&str> {
        match &self.0.kind {
            ConnectErrorKind::Refused { farewell: Some(farewell), .. } => farewell.server_reference.as_deref(),
            _ => None,
        }
    }

    /// Who ended it.
    #[must_use]
    pub fn side(&self) -> Side {
        match &self.0.kind {
            ConnectErrorKind::Address(_)
            | ConnectErrorKind::Option { .. }
            | ConnectErrorKind::Store(_)
            | ConnectErrorKind::Packet(_)
            | ConnectErrorKind::NoTrust
            | ConnectErrorKind::IdentityWithoutTls
            | ConnectErrorKind::TlsConfig(_)
            | ConnectErrorKind::NotMqtt(_)
            | ConnectErrorKind::Stopped
            | ConnectErrorKind::Violation(_) => Side::Us,
            ConnectErrorKind::Refused { .. } | ConnectErrorKind::Closed => Side::Server,
            ConnectErrorKind::Tls(error) => tls_side(error),
            ConnectErrorKind::Auth(error) => error.side(),
            ConnectErrorKind::Proxy(error) => error.side(),
            ConnectErrorKind::WebSocket(error) => error.side(),
            ConnectErrorKind::NoAddressOfFamily { .. } => Side::Us,
            ConnectErrorKind::Name(_)
            | ConnectErrorKind::NoAddress
            | ConnectErrorKind::UnixSocket { .. }
            | ConnectErrorKind::Dialer(_)
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
            ConnectErrorKind::NoAddressOfFamily { .. } => {
                "allow the other family with .address_family(..), or bind to a local address of that family, or to none"
            }
            ConnectErrorKind::Tcp(attempts) => of_attempts(attempts),
            ConnectErrorKind::UnixSocket { .. } => {
                "check that the server runs, that this is its socket, and that this user may write to it"
            }
            ConnectErrorKind::Proxy(error) => error.advice(),
            ConnectErrorKind::WebSocket(error) => error.advice(),
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
            ConnectErrorKind::Store(StoreError::InUse { .. }) => {
                "it may be this program's own earlier attempt to connect that still opens it: try again then"
            }
            ConnectErrorKind::Timeout { .. } if self.0.stage == Stage::Options => {
                "the session store was not open by then: its disk is slow or hangs, or it holds very much; try again, \
                 or allow a longer connect_timeout"
            }
            ConnectErrorKind::Timeout { .. } if self.0.stage == Stage::Tcp => {
                "a firewall may drop the packets, or the host is down: check host and port, and outgoing TCP to it"
            }
            ConnectErrorKind::Timeout { .. } if self.0.stage == Stage::Proxy => {
                "the proxy does not answer: check its address and kind, and that it can reach the server"
            }
            ConnectErrorKind::Timeout { .. } if self.0.stage == Stage::WebSocket => {
                "the port is open, but does not answer HTTP: check the port, and whether it wants TLS (wss://)"
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
    } else if kinds.clone().any(|kind| kind == io::ErrorKind::AddrNotAvailable) {
        "the local address is not one of this machine's: check the option local_address"
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

/// Addresses, with commas.
struct Listed<'a>(&'a [SocketAddr]);

impl fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, address) in self.0.iter().enumerate() {
            let between = if index == 0 { "" } else { ", " };
            write!(f, "{between}{}", address.ip())?;
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
        let Inner { target, stage, version, kind, proxy, .. } = &*self.0.0;
        // Up to there, it is the proxy that is looked for.
        let sought = match proxy {
            Some(proxy) if *stage <= Stage::Proxy => format!("the proxy {proxy}"),
            _ => target.clone(),
        };
        match kind {
            ConnectErrorKind::Address(error) => write!(f, "{error}")?,
            ConnectErrorKind::Option { option, problem } => write!(f, "the option {option} cannot be used: {problem}")?,
            ConnectErrorKind::Store(error) => write!(f, "{error}")?,
            ConnectErrorKind::Packet(error) => write!(f, "the CONNECT cannot be sent: {error}")?,
            ConnectErrorKind::NoTrust => write!(f, "nobody is trusted to vouch for {target}")?,
            ConnectErrorKind::IdentityWithoutTls => {
                write!(
                    f,
                    "an identity (certificate and key) is given for {target}, which is to be reached without TLS"
                )?;
            }
            ConnectErrorKind::TlsConfig(error) => write!(f, "TLS with {target} cannot be set up: {error}")?,
            ConnectErrorKind::Auth(error) => write!(f, "{target} cannot be told who we are: {error}")?,
            ConnectErrorKind::Name(error) => write!(f, "the host of {sought} cannot be found: {error}")?,
            ConnectErrorKind::NoAddress => write!(f, "the host of {sought} has no address")?,
            ConnectErrorKind::NoAddressOfFamily { found } => {
                write!(f, "the host of {sought} has no address of the family asked for, only {}", Listed(found))?;
            }
            ConnectErrorKind::Tcp(attempts) => write!(f, "no connection to {sought} ({})", Tried(attempts))?,
            ConnectErrorKind::UnixSocket { path, error } => {
                write!(f, "the Unix socket {} cannot be opened: {error}", path.display())?;
            }
            ConnectErrorKind::Dialer(error) => write!(f, "the dialer has no connection to {sought}: {error}")?,
            ConnectErrorKind::Proxy(error) => write!(f, "no way to {target} by {sought}: {error}")?,
            ConnectErrorKind::WebSocket(error) => write!(f, "{target} does not do MQTT over WebSocket: {error}")?,
            ConnectErrorKind::Tls(error) => write!(f, "TLS with {target} failed: {error:#}")?,
            ConnectErrorKind::Refused { reason, .. } => {
                write!(f, "{target} refused the connection: {}", code(*reason, *version))?;
                if let Some(words) = self.0.reason_string() {
                    write!(f, ", in its words \"{}\"", quoted(words))?;
                }
            }
            ConnectErrorKind::Stopped => f.write_str(
                "the client's task was stopped with its runtime: keep the runtime for as long as the client",
            )?,
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
                if let Some(proxy) = proxy {
                    write!(f, " by the proxy {proxy}")?;
                }
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
            _ if self.reason_string().is_some() => {}
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
            ConnectErrorKind::Store(error) => Some(error),
            ConnectErrorKind::Packet(error) => Some(error),
            ConnectErrorKind::Auth(error) => Some(error),
            ConnectErrorKind::TlsConfig(error) => Some(error),
            ConnectErrorKind::Name(error) | ConnectErrorKind::Network(error) => Some(error),
            ConnectErrorKind::Tcp(attempts) => {
                attempts.iter().rev().find_map(|attempt| attempt.error.as_ref()).map(|error| error as _)
            }
            ConnectErrorKind::Tls(error) => Some(error),
            ConnectErrorKind::UnixSocket { error, .. } | ConnectErrorKind::Dialer(error) => Some(error),
            ConnectErrorKind::Proxy(error) => Some(error),
            ConnectErrorKind::WebSocket(error) => Some(error),
            ConnectErrorKind::Violation(violation) => Some(violation),
            _ => None,
        }
    }
}
