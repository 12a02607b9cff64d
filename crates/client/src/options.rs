//! What a client is to be.

mod auth;
mod checks;
mod connect_properties;
mod queue;
mod session;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "options/without_tls.rs"]
mod tls;
mod transport;
mod watch;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::packet::ConnectProperties;
use gridmq_proto::{ByteString, Version};

use self::checks::Purpose;
use self::tls::TlsOptions;
use crate::address::Address;
use crate::auth::AuthOptions;
use crate::client::Client;
use crate::connect;
use crate::error::{AddressError, ConnectError};
use crate::outbox::QueueOptions;
use crate::profile::Profile;
use crate::reconnect::Reconnect;
use crate::transport::{ByteStream, TransportOptions};
use crate::watch::WatchOptions;
use crate::will::Will;

const DEFAULT_TIMEOUT: Duration = Duration::from_secs(30);
const DEFAULT_KEEP_ALIVE: Duration = Duration::from_secs(60);
const DEFAULT_RECEIVE_MAXIMUM: u16 = 256;
const DEFAULT_MAXIMUM_PACKET_SIZE: u32 = 16 << 20;

/// What a client is to be: set options, then [`connect`](Self::connect). Nothing is looked at before, but for
/// [`check`](Self::check).
///
/// ```
/// use std::time::Duration;
///
/// use gridmq_client::{Options, QoS, Version, Will};
///
/// let options = Options::new("mqtt://localhost")
///     .client_id("vehicle03")
///     .clean_start(false)
///     .keep_alive(Duration::from_secs(20))
///     .will(Will::new("vehicles/vehicle03/status", "gone").qos(QoS::AtLeastOnce).retain(true));
/// options.check()?;
///
/// // What MQTT 5.0 alone has is an error elsewhere, not left out.
/// assert!(options.version(Version::V3_1_1).session_expiry(Duration::from_secs(60)).check().is_err());
/// # Ok::<(), gridmq_client::ConnectError>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Options {
    address: Result<Address, AddressError>,
    tls: TlsOptions,
    version: Version,
    clean_start: bool,
    keep_alive: Duration,
    client_id: ByteString,
    username: Option<ByteString>,
    password: Option<Bytes>,
    will: Option<Will>,
    receive_maximum: u16,
    maximum_packet_size: u32,
    topic_alias_maximum: Option<u16>,
    outbound_topic_aliases: Option<u16>,
    properties: ConnectProperties,
    connect_timeout: Duration,
    request_timeout: Duration,
    pub(crate) profile: Profile,
    pub(crate) named_elsewhere: bool,
    transport: TransportOptions,
    auth: AuthOptions,
    queue: QueueOptions,
    watch: WatchOptions,
    reconnect: Reconnect,
}

impl Options {
    /// Starts with an address, `scheme://user:password@host:port`; user and password are percent-encoded, IPv6
    /// addresses stand in brackets.
    ///
    /// | scheme | what goes over it | port when none is given |
    /// |---|---|---|
    /// | `mqtts`, `tls`, `ssl`, or none | TLS | 8883 |
    /// | `mqtt`, `tcp` | plain TCP | 1883 |
    /// | `wss` | WebSocket over TLS, at the path of the address or `/mqtt` | 443 |
    /// | `ws` | WebSocket over plain TCP, likewise | 80 |
    /// | `unix` | a Unix socket: `unix:///run/server.sock` | – |
    ///
    /// `wss` and `ws` need the feature `websocket`, and what has TLS the feature `tls`. An address that cannot be used
    /// is an error of [`check`](Self::check), [`connect`](Self::connect) and [`start`](Self::start).
    pub fn new(address: &str) -> Self {
        Self {
            address: Address::parse(address),
            tls: TlsOptions::default(),
            version: Version::V5,
            clean_start: true,
            keep_alive: DEFAULT_KEEP_ALIVE,
            client_id: ByteString::new(),
            username: None,
            password: None,
            will: None,
            receive_maximum: DEFAULT_RECEIVE_MAXIMUM,
            maximum_packet_size: DEFAULT_MAXIMUM_PACKET_SIZE,
            topic_alias_maximum: None,
            outbound_topic_aliases: None,
            properties: ConnectProperties::default(),
            connect_timeout: DEFAULT_TIMEOUT,
            request_timeout: DEFAULT_TIMEOUT,
            profile: Profile::default(),
            named_elsewhere: false,
            transport: TransportOptions::default(),
            auth: AuthOptions::default(),
            queue: QueueOptions::default(),
            watch: WatchOptions::default(),
            reconnect: Reconnect::default(),
        }
    }

    /// Another address in place of the first one, as with [`new`](Self::new): for options that come from elsewhere, such
    /// as the environment. User name and password in the earlier address are forgotten; those of
    /// [`username`](Self::username) and [`password`](Self::password) stay, and so does a preset.
    pub fn address(mut self, address: &str) -> Self {
        self.address = Address::parse(address);
        self
    }

    /// Whether and when the client comes back by itself after the connection was lost; [`Reconnect::new`] when not
    /// called.
    pub fn reconnect(mut self, policy: Reconnect) -> Self {
        self.reconnect = policy;
        self
    }

    /// Starts the client without waiting for a connection: it goes on trying as [`Reconnect`] says, also if it has
    /// never been connected. What is published meanwhile waits.
    ///
    /// With a store, this call opens it and reads it, which may wait for the disk: in a runtime of one thread every other
    /// task stands still for so long. [`connect`](Self::connect) does it beside them, and within its time.
    ///
    /// # Errors
    /// Only for options that cannot work.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub fn start(self) -> Result<Client, ConnectError> {
        connect::start(self.plan(Purpose::Session)?, None)
    }

    /// Connects.
    ///
    /// The store, if there is one, is opened first. That cannot be taken back: when the time is up meanwhile, or this
    /// future is dropped, a file stays in use until it is open, and the next attempt may find it so
    /// ([`StoreError::InUse`](crate::store::StoreError::InUse), which is worth another attempt).
    ///
    /// # Errors
    /// With the stage that it failed in, who refused, and what to do.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn connect(self) -> Result<Client, ConnectError> {
        let plan = self.plan(Purpose::Session)?;
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
        let plan = self.plan(Purpose::OwnStream)?;
        Box::pin(connect::connect(plan, Some(Box::new(stream)))).await
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("address", &self.address.as_ref().map(Address::shown))
            .field("client_id", &self.client_id)
            .field("username", &self.username.as_ref().map(|_| "(not shown)"))
            .field("password", &self.password.as_ref().map(|_| "(not shown)"))
            .field("tls", &self.tls)
            .field("version", &self.version)
            .finish_non_exhaustive()
    }
}
