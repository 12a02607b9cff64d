//! The PROXY protocol, versions 1 and 2, as its receiver: whom a proxy speaks for.

mod header;
mod network;

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

pub(crate) use header::{Header, SIGNATURE, Said, V1_LONGEST, v1, v2};
pub use network::{Network, NetworkError};

use crate::peer::PeerAddress;

/// The part of a version 2 header that says how long the rest is.
const V2_FIXED: usize = 16;

/// What a listener behind a proxy believes.
///
/// Every connection must begin with a header of the PROXY protocol, within the handshake's deadline. Whoever is not a
/// proxy is closed: without that, any client could say that it is another.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct ProxyProtocol {
    sources: Vec<Network>,
    longest: usize,
    trust_names: bool,
}

impl ProxyProtocol {
    /// The networks that proxies connect from. Over a Unix socket its file's mode decides instead.
    pub fn from_sources(sources: impl IntoIterator<Item = Network>) -> Self {
        Self { sources: sources.into_iter().collect(), longest: 536, trust_names: false }
    }

    /// The longest header of version 2 that is taken, in bytes. Default 536, at least 16, at most 4096; version 1 has
    /// 107 always.
    pub fn longest_header(mut self, bytes: usize) -> Self {
        self.longest = bytes.clamp(V2_FIXED, 4096);
        self
    }

    /// Whether the proxy ends TLS and is believed when it says that it has verified a client's certificate: then the
    /// certificate's common name, which it tells in version 2, is proof of who the client is. Default: no.
    pub const fn trust_names(mut self, trust: bool) -> Self {
        self.trust_names = trust;
        self
    }

    fn trusts(&self, from: PeerAddress) -> bool {
        from.ip().is_none_or(|ip| self.sources.iter().any(|network| network.contains(ip)))
    }
}

/// Why a connection to a listener behind a proxy was closed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProxyError {
    #[error(
        "only proxies may connect here, and {0} is in none of the listener's networks of proxies: add it there, or let it connect to another listener"
    )]
    NotAProxy(PeerAddress),
    #[error(
        "the connection does not begin with a PROXY header: make the proxy send one (version 1 or 2), or turn it off for this listener"
    )]
    NoHeader,
    #[error("the PROXY header has {length} bytes, and {longest} are taken: raise the listener's longest header")]
    TooLong { length: usize, longest: usize },
    #[error("the PROXY header is malformed: {0}")]
    Malformed(&'static str),
    #[error("the connection ended within the PROXY header")]
    Closed,
    #[error("the PROXY header could not be read: {0}")]
    Io(#[source] io::Error),
}

impl From<io::Error> for ProxyError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Closed,
            _ => Self::Io(error),
        }
    }
}

/// Reads a connection's header, and not a byte more. Nothing: the connection is the proxy's own.
pub(crate) async fn receive<IO: AsyncRead + Unpin>(
    io: &mut IO,
    config: &ProxyProtocol,
    from: PeerAddress,
) -> Result<Option<Said>, ProxyError> {
    if !config.trusts(from) {
        return Err(ProxyError::NotAProxy(from));
    }
    let header = read(io, config.longest).await?;
    Ok(match header {
        Header::Local => None,
        Header::Proxy { from: said, name } => {
            let name = name.filter(|_| config.trust_names);
            Some(Said { from: said.unwrap_or(from), name })
        }
    })
}

async fn read<IO: AsyncRead + Unpin>(io: &mut IO, longest: usize) -> Result<Header, ProxyError> {
    let mut begin = [0; SIGNATURE.len()];
    // Who speaks MQTT or TLS may send less than this, and wait.
    let mut have = 0;
    while let Some(space) = begin.get_mut(have..).filter(|space| !space.is_empty()) {
        match io.read(space).await? {
            0 => return Err(ProxyError::Closed),
            read => have += read,
        }
        let got = begin.get(..have).unwrap_or_default();
        if !SIGNATURE.starts_with(got) && !b"PROXY ".starts_with(got) && !got.starts_with(b"PROXY ") {
            return Err(ProxyError::NoHeader);
        }
    }
    if begin == SIGNATURE {
        let mut header = begin.to_vec();
        header.resize(V2_FIXED, 0);
        io.read_exact(header.get_mut(SIGNATURE.len()..).unwrap_or_default()).await?;
        let length = match header.get(14..V2_FIXED) {
            Some(&[high, low]) => V2_FIXED + usize::from(u16::from_be_bytes([high, low])),
            _ => V2_FIXED,
        };
        if length > longest {
            return Err(ProxyError::TooLong { length, longest });
        }
        header.resize(length, 0);
        io.read_exact(header.get_mut(V2_FIXED..).unwrap_or_default()).await?;
        return v2(&header);
    }
    // What follows the line belongs to the client, and a line tells only by its end how long it is.
    let mut line = begin.to_vec();
    while !line.ends_with(b"\r\n") {
        if line.len() == V1_LONGEST {
            return Err(ProxyError::Malformed("its line does not end within 107 bytes"));
        }
        line.push(io.read_u8().await?);
    }
    v1(&line)
}

#[cfg(test)]
mod tests;
