//! A client without a session: packets out, packets in.
//!
//! For tests of servers, for tools, and for whoever keeps the state of a session themselves. [`RawClient`] reaches a
//! server as [`Options`](crate::Options) say it (TLS, proxy, WebSocket and all), and from then on does nothing by
//! itself: no CONNECT, no answer, no PINGREQ, no DISCONNECT. The codec checks what comes and goes; the order of packets
//! is the caller's.
//!
//! ```no_run
//! use gridmq_client::Client;
//! use gridmq_client::raw::Packet;
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let mut raw = Client::builder("mqtt://localhost").client_id("probe").open_raw().await?;
//! let connect = raw.connect_packet();
//! raw.send(&connect).await?;
//! match raw.receive().await? {
//!     Some(Packet::ConnAck(ack)) => println!("{}", ack.reason),
//!     other => println!("{other:?}"),
//! }
//! raw.send(&Packet::PingReq).await?;
//! assert_eq!(raw.receive().await?, Some(Packet::PingResp));
//! # Ok(())
//! # }
//! ```

use std::fmt;
use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, BytesMut};
use gridmq_proto::codec::{self, Decoder, Foreign};
use gridmq_proto::packet::Connect;
use gridmq_proto::{EncodeError, SpecViolation, Version};
use tokio::io::{AsyncReadExt, AsyncWrite as _, AsyncWriteExt};

pub use gridmq_proto::{Packet, packet};

use crate::connect::{Plan, deadline, introduced};
use crate::error::{AddressError, ConnectError, ConnectErrorKind, Stage};
use crate::secure::{self, CredentialProvider, HandshakeInfo, TlsError};
use crate::transport::{self, Opened, Transport};

/// Bytes that may wait to be written; a packet that finds more is not taken.
const MAX_BACKLOG: usize = 1 << 20;
/// Room for one read, in bytes.
const READ_SIZE: usize = 16 * 1024;
/// The first bytes that tell one protocol from another.
const FIRST_BYTES: usize = 16;

/// Why a packet was not sent, or none came.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RawError {
    /// The packet breaks the standard, or is larger than the server takes; nothing of it was sent.
    #[error("the packet cannot be sent: {0}")]
    Packet(EncodeError),
    /// Earlier packets wait to be written, and the server reads none; this one was not taken.
    #[error("{waiting} bytes of earlier packets wait for the server to read them: flush() before sending more")]
    Backlog {
        /// How many bytes wait.
        waiting: usize,
    },
    /// What came breaks the standard. Nothing more can be read.
    #[error("the server sent something that is not valid MQTT: {0}")]
    Violation(SpecViolation),
    /// The server speaks something else.
    #[error("the server does not speak MQTT: {0}")]
    NotMqtt(Foreign),
    /// TLS ended the connection; with TLS 1.3 a refusal of our certificate arrives here.
    #[error("TLS ended the connection: {0}")]
    Tls(TlsError),
    /// Reading or writing failed, or the connection ended within a packet.
    #[error("the network failed: {0}; open a new connection")]
    Network(io::Error),
}

impl From<io::Error> for RawError {
    fn from(error: io::Error) -> Self {
        match secure::from_io(&error) {
            Some(tls) => Self::Tls(tls),
            None => Self::Network(error),
        }
    }
}

/// A connection that packets go over: see [the module](self). Dropping it closes the transport without DISCONNECT.
///
/// ```no_run
/// use gridmq_client::Options;
/// use gridmq_client::raw::Packet;
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let mut raw = Options::new("mqtt://localhost").client_id("probe").open_raw().await?;
/// let connect = raw.connect_packet();
/// raw.send(&connect).await?;
/// if let Some(Packet::ConnAck(ack)) = raw.receive().await? {
///     println!("{}", ack.reason);
/// }
/// # Ok(())
/// # }
/// ```
pub struct RawClient {
    io: Transport,
    connect: Connect,
    decoder: Decoder,
    incoming: BytesMut,
    outgoing: BytesMut,
    first: Vec<u8>,
    /// What broke the standard; behind it, no packet's beginning is known.
    violation: Option<SpecViolation>,
    server_maximum: Option<u32>,
    address: Option<SocketAddr>,
    tls: Option<HandshakeInfo>,
}

impl RawClient {
    /// Opens the transport to the first server of the plan.
    pub(crate) async fn open(plan: &Plan) -> Result<Self, ConnectError> {
        let Some(address) = plan.addresses.first() else {
            let kind = ConnectErrorKind::Address(AddressError::NoHost);
            return Err(ConnectError::new("", plan.connect.version, Stage::Options, kind));
        };
        let deadline = deadline(plan.connect_timeout);
        let mut connect = plan.connect.clone();
        // What the server asks further, in AUTH, is the caller's to answer.
        drop(introduced(plan, address, &mut connect, true, deadline).await?);
        let generation = plan.credentials().map(|credentials| CredentialProvider::current(&**credentials));
        let opening = transport::open(plan, address, generation.as_deref(), None, deadline);
        let Opened { io, address, tls, .. } = Box::pin(opening).await?;
        Ok(Self {
            io,
            decoder: Decoder::for_client(connect.version, plan.maximum_packet_size),
            connect,
            incoming: BytesMut::new(),
            outgoing: BytesMut::new(),
            first: Vec::new(),
            violation: None,
            server_maximum: None,
            address,
            tls,
        })
    }

    /// The CONNECT that the options describe, with what their user provider and authenticator have said before the
    /// transport was opened. It is not sent by itself.
    #[must_use]
    pub fn connect_packet(&self) -> Packet {
        Packet::Connect(Box::new(self.connect.clone()))
    }

    /// The protocol's version, which packets are written and read in.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.connect.version
    }

    /// The server's address; absent where something else than TCP, or a proxy, leads to it.
    #[must_use]
    pub const fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What TLS agreed on; absent without TLS.
    #[must_use]
    pub const fn tls(&self) -> Option<&HandshakeInfo> {
        self.tls.as_ref()
    }

    /// The largest packet that the server takes, in bytes, as its CONNACK says; larger ones are then refused before
    /// they are sent. No limit unless set.
    pub const fn set_server_maximum(&mut self, bytes: Option<u32>) {
        self.server_maximum = bytes;
    }

    /// Sends a packet: [`Self::feed`] and [`Self::flush`]. A future that is dropped has taken the whole packet or
    /// nothing: what is not written yet goes out before the next one.
    ///
    /// # Errors
    /// If the packet cannot be written, or writing fails.
    pub async fn send(&mut self, packet: &Packet) -> Result<(), RawError> {
        self.feed(packet)?;
        self.flush().await
    }

    /// Takes a packet, to be written by the next [`Self::flush`] or [`Self::send`].
    ///
    /// # Errors
    /// If the packet breaks the standard or the server's limit, or 1 MiB waits already.
    pub fn feed(&mut self, packet: &Packet) -> Result<(), RawError> {
        let waiting = self.outgoing.len();
        if waiting >= MAX_BACKLOG {
            return Err(RawError::Backlog { waiting });
        }
        codec::encode(packet, self.version(), self.server_maximum, &mut self.outgoing).map_err(RawError::Packet)
    }

    /// Writes what was taken. Dropping the future loses nothing.
    ///
    /// # Errors
    /// If writing fails.
    pub async fn flush(&mut self) -> Result<(), RawError> {
        Ok(poll_fn(|cx| self.poll_flush(cx)).await?)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outgoing.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(cx, &self.outgoing))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.outgoing.advance(written),
            }
        }
        Pin::new(&mut self.io).poll_flush(cx)
    }

    /// The next packet; `None` when the server has closed. Dropping the future loses nothing. Packets larger than
    /// [`Options::maximum_packet_size`](crate::Options::maximum_packet_size) are violations.
    ///
    /// # Errors
    /// If what came is not valid, or reading fails. Once something was not valid, it always is.
    pub async fn receive(&mut self) -> Result<Option<Packet>, RawError> {
        loop {
            let decoded = match &self.violation {
                Some(violation) => Err(violation.clone()),
                None => self.decoder.decode(&mut self.incoming),
            };
            match decoded {
                Ok(Some(packet)) => return Ok(Some(packet)),
                Ok(None) => {}
                Err(violation) => {
                    self.incoming.clear();
                    self.violation = Some(violation.clone());
                    return Err(codec::recognise(&self.first).map_or(RawError::Violation(violation), RawError::NotMqtt));
                }
            }
            self.incoming.reserve(self.decoder.needed().max(READ_SIZE));
            let before = self.incoming.len();
            let count = self.io.read_buf(&mut self.incoming).await?;
            let arrived = self.incoming.get(before..).unwrap_or_default();
            self.first.extend(arrived.iter().take(FIRST_BYTES.saturating_sub(self.first.len())));
            match count {
                0 if self.incoming.is_empty() => return Ok(None),
                0 => return Err(RawError::Network(io::ErrorKind::UnexpectedEof.into())),
                _ => {}
            }
        }
    }

    /// Writes what was taken and closes this side of the transport.
    ///
    /// # Errors
    /// If writing fails.
    pub async fn close(mut self) -> Result<(), RawError> {
        self.flush().await?;
        Ok(self.io.shutdown().await?)
    }
}

/// Lengths in place of bytes: passwords and payloads are among them.
impl fmt::Debug for RawClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawClient")
            .field("version", &self.connect.version)
            .field("address", &self.address)
            .field("tls", &self.tls)
            .field("incoming", &self.incoming.len())
            .field("outgoing", &self.outgoing.len())
            .field("violation", &self.violation)
            .finish_non_exhaustive()
    }
}
