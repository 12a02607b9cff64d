//! Addresses that can be listened at.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
#[cfg(unix)]
use std::path::{Path, PathBuf};

/// Where a listener listens.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ListenAddress {
    /// A TCP address; port 0 takes any free one.
    Tcp(SocketAddr),
    /// A Unix socket.
    #[cfg(unix)]
    Unix(UnixSocket),
}

impl ListenAddress {
    /// The TCP address, if it is one.
    #[must_use]
    pub const fn tcp(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(address) => Some(*address),
            #[cfg(unix)]
            Self::Unix(_) => None,
        }
    }

    /// Whether only this machine can connect.
    pub(crate) const fn is_local(&self) -> bool {
        match self {
            Self::Tcp(address) => match address {
                SocketAddr::V4(address) => address.ip().is_loopback(),
                SocketAddr::V6(address) => address.ip().is_loopback(),
            },
            #[cfg(unix)]
            Self::Unix(_) => true,
        }
    }
}

impl From<SocketAddr> for ListenAddress {
    fn from(address: SocketAddr) -> Self {
        Self::Tcp(address)
    }
}

impl<I: Into<IpAddr>> From<(I, u16)> for ListenAddress {
    fn from(address: (I, u16)) -> Self {
        Self::Tcp(address.into())
    }
}

/// `127.0.0.1:1883`, or `unix:///run/gridmq/mqtt.sock`.
impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            #[cfg(unix)]
            Self::Unix(socket) => write!(f, "unix://{}", socket.path.display()),
        }
    }
}

/// A Unix socket to listen at. There is none on other systems.
///
/// A socket file that is left over, which nobody listens at, is replaced; any other file makes the start fail. The file
/// goes when the broker stops.
#[cfg(unix)]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[must_use]
pub struct UnixSocket {
    pub(crate) path: PathBuf,
    pub(crate) mode: u32,
}

#[cfg(unix)]
impl UnixSocket {
    /// A socket at that path, for the broker's user and group (mode 0660). The path's directory must exist.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), mode: 0o660 }
    }

    /// The file's mode: who may write to it may connect. It is set before anybody can connect.
    pub const fn mode(mut self, mode: u32) -> Self {
        self.mode = mode;
        self
    }

    /// Its path.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(unix)]
impl From<UnixSocket> for ListenAddress {
    fn from(socket: UnixSocket) -> Self {
        Self::Unix(socket)
    }
}
