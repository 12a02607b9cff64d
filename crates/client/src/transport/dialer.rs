//! Streams that the caller opens.

use std::fmt;
use std::io;
use std::pin::Pin;

use super::ByteStream;

/// A stream that is being opened.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn ByteStream>>> + Send + 'a>>;

/// Opens byte streams in place of this crate: tunnels, simulated networks, sockets with settings of their own.
///
/// It is asked at every attempt, also when the client comes back after a loss. Proxy, TLS and WebSocket go over what it
/// gives. The future is dropped when the time is up ([`Options::connect_timeout`](crate::Options::connect_timeout)).
///
/// ```
/// use std::sync::Arc;
/// use gridmq_client::{Client, Dialer, Dialing, Target};
///
/// #[derive(Debug)]
/// struct Marked;
///
/// impl Dialer for Marked {
///     fn dial<'a>(&'a self, target: Target<'a>) -> Dialing<'a> {
///         Box::pin(async move {
///             let tcp = tokio::net::TcpStream::connect((target.host, target.port)).await?;
///             // Settings that this crate does not have go here.
///             Ok(Box::new(tcp) as _)
///         })
///     }
/// }
///
/// let options = Client::builder("mqtt://localhost").dialer(Arc::new(Marked));
/// # drop(options);
/// ```
pub trait Dialer: fmt::Debug + Send + Sync {
    /// Opens a stream to that place.
    fn dial<'a>(&'a self, target: Target<'a>) -> Dialing<'a>;
}

/// Where a [`Dialer`] is to open a stream to: the proxy if there is one, else the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target<'a> {
    /// A name or an IP address; IPv6 without brackets.
    pub host: &'a str,
    /// The port.
    pub port: u16,
}

impl<'a> Target<'a> {
    pub(super) const fn new(host: &'a str, port: u16) -> Self {
        Self { host, port }
    }
}
