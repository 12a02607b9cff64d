//! What a client is to be.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::codec::encoded_len;
use gridmq_proto::packet::{Connect, ConnectProperties};
use gridmq_proto::{ByteString, Packet, Version};
use gridmq_tls::{ClientConfig, CredentialProvider, Identity, TlsVersions, Trust};

use crate::address::Address;
use crate::client::Client;
use crate::connect::{self, Plan, Tls};
use crate::error::{AddressError, ConnectError, ConnectErrorKind, Stage};
use crate::publish::whole_seconds;
use crate::transport::ByteStream;
use crate::will::Will;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(60);
const DEFAULT_RECEIVE_MAXIMUM: u16 = 256;
const DEFAULT_MAXIMUM_PACKET_SIZE: u32 = 16 << 20;
/// How long a session lasts on the way from one certificate to the next, if the application asks for nothing.
const MIN_MOVE_EXPIRY: Duration = Duration::from_secs(60);
const MAX_MOVE_EXPIRY: Duration = Duration::from_secs(60 * 60);

/// What a client is to be: set options, then [`connect`](Self::connect). Nothing is looked at before.
#[derive(Clone)]
#[must_use]
pub struct Options {
    address: Result<Address, AddressError>,
    identity: Option<Identity>,
    credentials: Option<Arc<dyn CredentialProvider>>,
    trust: Option<Trust>,
    tls_versions: TlsVersions,
    version: Version,
    clean_start: bool,
    keep_alive: Duration,
    client_id: ByteString,
    username: Option<ByteString>,
    password: Option<Bytes>,
    will: Option<Will>,
    receive_maximum: u16,
    maximum_packet_size: u32,
    properties: ConnectProperties,
    connect_timeout: Duration,
    request_timeout: Duration,
}

impl Options {
    pub(crate) fn new(address: &str) -> Self {
        Self {
            address: Address::parse(address),
            identity: None,
            credentials: None,
            trust: None,
            tls_versions: TlsVersions::BOTH,
            version: Version::V5,
            clean_start: true,
            keep_alive: DEFAULT_KEEP_ALIVE,
            client_id: ByteString::new(),
            username: None,
            password: None,
            will: None,
            receive_maximum: DEFAULT_RECEIVE_MAXIMUM,
            maximum_packet_size: DEFAULT_MAXIMUM_PACKET_SIZE,
            properties: ConnectProperties::default(),
            connect_timeout: DEFAULT_TIMEOUT,
            request_timeout: DEFAULT_TIMEOUT,
        }
    }

    /// The client identifier; when not given, the server assigns one.
    pub fn client_id(mut self, client_id: impl Into<ByteString>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// The user name; with Event Grid the client's authentication name. Wins over the address's.
    pub fn username(mut self, username: impl Into<ByteString>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password. Wins over the address's. Never shown in logs or errors.
    pub fn password(mut self, password: impl Into<Bytes>) -> Self {
        self.password = Some(password.into());
        self
    }

    /// What this client proves in TLS when the server asks: its key and chain.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self.credentials = None;
        self
    }

    /// What this client proves in TLS, generation by generation: see [Certificates that
    /// change](crate#certificates-that-change). Over a stream that the caller brings the first one stays, for there is
    /// no way to come back.
    pub fn credentials(mut self, credentials: Arc<dyn CredentialProvider>) -> Self {
        self.credentials = Some(credentials);
        self.identity = None;
        self
    }

    /// Whom it believes about the server. Needed with TLS, unless the feature `platform-verifier` is on.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Which TLS versions it offers; 1.2 and 1.3 when not called.
    pub fn tls_versions(mut self, versions: impl Into<TlsVersions>) -> Self {
        self.tls_versions = versions.into();
        self
    }

    /// The version of MQTT; 5.0 when not called.
    pub const fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Whether to begin without an earlier session (3.1.1: a clean session); yes when not called.
    pub const fn clean_start(mut self, clean_start: bool) -> Self {
        self.clean_start = clean_start;
        self
    }

    /// How long the connection may be silent before the client asks whether the server is there: whole seconds,
    /// 18 hours at most, 60 s when not called. Zero asks never. The server may set another [MQTT-3.1.2-21].
    pub const fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// How long the session outlives the connection, in whole seconds; not at all when not called (MQTT 5.0 only).
    /// From 136 years on, for ever.
    pub fn session_expiry(mut self, expiry: Duration) -> Self {
        self.properties.session_expiry_interval = Some(whole_seconds(expiry));
        self
    }

    /// What the server is to publish when the connection is lost.
    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// How many messages of QoS 1 and 2 may wait to be acknowledged by this client; 256 when not called. 3.1.1 servers
    /// are not told; there, reading stops.
    pub const fn receive_maximum(mut self, messages: u16) -> Self {
        self.receive_maximum = messages;
        self
    }

    /// The largest packet that this client takes, in bytes; 16 MiB when not called. 3.1.1 servers are not told; a
    /// larger packet ends the connection.
    pub const fn maximum_packet_size(mut self, bytes: u32) -> Self {
        self.maximum_packet_size = bytes;
        self
    }

    /// Asks the server for a base of response topics (MQTT 5.0 only).
    pub fn request_response_information(mut self, wanted: bool) -> Self {
        self.properties.request_response_information = Some(wanted);
        self
    }

    /// Adds a user property to the CONNECT (MQTT 5.0 only; Event Grid refuses them).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.properties.user_properties.push((name.into(), value.into()));
        self
    }

    /// How long name, TCP, TLS and CONNACK may take together; 30 s when not called.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a publish, a subscribe or an unsubscribe may take; 30 s when not called.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }

    /// Connects.
    ///
    /// # Errors
    /// With the stage that it failed in, who refused, and what to do.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let plan = self.plan()?;
        Box::pin(connect::connect(plan, None)).await
    }

    /// Connects over a byte stream that the caller brings, such as a tunnel. The address says whether TLS goes over
    /// it, and the name to expect of the server.
    ///
    /// # Errors
    /// As [`connect`](Self::connect).
    ///
    /// # Panics
    /// As [`connect`](Self::connect).
    pub async fn connect_over(self, stream: impl ByteStream + 'static) -> Result<Client, ConnectError> {
        let plan = self.plan()?;
        Box::pin(connect::connect(plan, Some(Box::new(stream)))).await
    }

    /// Looks at everything that can be wrong before anything is sent.
    fn plan(self) -> Result<Plan, ConnectError> {
        let version = self.version;
        let target = self.address.as_ref().map(Address::shown).unwrap_or_default();
        let fail = |kind| ConnectError::new(&target, version, Stage::Options, kind);
        let option = |option, problem: &str| fail(ConnectErrorKind::Option { option, problem: problem.to_owned() });
        let address = self.address.map_err(|error| fail(ConnectErrorKind::Address(error)))?;
        let keep_alive = u16::try_from(whole_seconds(self.keep_alive))
            .map_err(|_| option("keep_alive", "it is longer than 65,535 seconds"))?;
        let receive_maximum = NonZeroU16::new(self.receive_maximum)
            .ok_or_else(|| option("receive_maximum", "it is 0, so nothing of QoS 1 or 2 could be received"))?;
        let maximum_packet_size = NonZeroU32::new(self.maximum_packet_size)
            .ok_or_else(|| option("maximum_packet_size", "it is 0, so nothing could be received"))?;
        let will = match self.will.map(Will::into_packet).transpose() {
            Ok(will) => will.map(Box::new),
            Err(error) => return Err(option("will", &error.to_string())),
        };
        let mut properties = self.properties;
        let lends_session = self.credentials.is_some() && properties.session_expiry_interval.unwrap_or(0) == 0;
        if lends_session && version.is_v5() {
            let expiry = self.connect_timeout.saturating_mul(2).clamp(MIN_MOVE_EXPIRY, MAX_MOVE_EXPIRY);
            properties.session_expiry_interval = Some(whole_seconds(expiry));
        }
        if version.is_v5() {
            properties.receive_maximum = Some(receive_maximum);
            properties.maximum_packet_size = Some(maximum_packet_size);
        }
        let connect = Connect {
            version,
            clean_start: self.clean_start,
            keep_alive,
            client_id: self.client_id,
            username: self.username.or_else(|| address.username.as_deref().map(ByteString::from)),
            password: self.password.or_else(|| address.password.clone().map(Bytes::from)),
            will,
            properties,
        };
        let packet = Packet::Connect(Box::new(connect.clone()));
        encoded_len(&packet, version).map_err(|error| fail(ConnectErrorKind::Packet(error)))?;
        let tls = if address.tls {
            let Some(trust) = self.trust.or_else(default_trust) else { return Err(fail(ConnectErrorKind::NoTrust)) };
            let mut config = ClientConfig::builder().trust(trust).versions(self.tls_versions);
            if let Some(identity) = self.identity {
                config = config.identity(identity);
            }
            let tls = Tls { config, credentials: self.credentials };
            let current = tls.credentials.as_deref().map(CredentialProvider::current);
            tls.config(current.as_deref()).map_err(|error| fail(ConnectErrorKind::TlsConfig(error)))?;
            Some(tls)
        } else if self.identity.is_some() || self.credentials.is_some() {
            return Err(fail(ConnectErrorKind::IdentityWithoutTls));
        } else {
            None
        };
        Ok(Plan {
            address,
            tls,
            connect,
            ends_session: lends_session,
            receive_maximum: receive_maximum.get(),
            maximum_packet_size: maximum_packet_size.get(),
            connect_timeout: self.connect_timeout,
            request_timeout: self.request_timeout,
        })
    }
}

#[cfg(feature = "platform-verifier")]
#[allow(clippy::unnecessary_wraps, reason = "without the feature there is none")]
fn default_trust() -> Option<Trust> {
    Some(Trust::platform())
}

#[cfg(not(feature = "platform-verifier"))]
const fn default_trust() -> Option<Trust> {
    None
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address.as_ref().map(Address::shown))
            .field("client_id", &self.client_id)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "(not shown)"))
            .field("identity", &self.identity)
            .field("credentials", &self.credentials)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
