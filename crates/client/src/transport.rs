//! The byte stream under a connection, layer by layer: TCP, a Unix socket or the caller's own; a proxy; TLS;
//! WebSocket. One deadline lies over all of them, and each is a [`Stage`] in the error.

mod dialer;
mod heard;
mod http;
mod proxy;
mod settings;
mod tcp;
#[cfg(feature = "websocket")]
mod websocket;

use std::fmt;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};

#[cfg(not(feature = "tls"))]
use crate::address::NEEDS_TLS;
#[cfg(not(feature = "websocket"))]
use crate::address::NEEDS_WEBSOCKET;
use crate::address::{Address, Carrier};
use crate::connect::Plan;
use crate::error::{ConnectError, ConnectErrorKind, Stage};
#[cfg(feature = "tls")]
use crate::secure;
use crate::secure::{Generation, HandshakeInfo};

pub use dialer::{Dialer, Dialing, Target};
pub(crate) use heard::Heard;
pub use proxy::Proxy;
pub use settings::{AddressFamily, LocalAddress, ServerOrder};

pub(crate) use settings::{TransportOptions, UserTimeout};

/// Whatever bytes can be read from and written to: TCP, TLS over it, or a stream that the caller brings.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<IO: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for IO {}

impl fmt::Debug for dyn ByteStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByteStream")
    }
}

pub(crate) type Transport = Box<dyn ByteStream>;

/// A stream that CONNECT can be written to, and what is known of it.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) io: Transport,
    /// What arrives, below TLS and WebSocket.
    pub(crate) heard: Heard,
    /// The server's; absent where something else than TCP, or a proxy, leads to it.
    pub(crate) address: Option<SocketAddr>,
    pub(crate) tls: Option<HandshakeInfo>,
}

/// One attempt to reach one server.
#[derive(Debug, Clone, Copy)]
struct Way<'a> {
    plan: &'a Plan,
    address: &'a Address,
    deadline: Instant,
}

impl Way<'_> {
    fn error(&self, stage: Stage, kind: ConnectErrorKind) -> ConnectError {
        self.plan.error(self.address, stage, kind)
    }

    fn late(&self, stage: Stage) -> ConnectError {
        self.plan.late(self.address, stage)
    }

    /// What reading or writing said; with TLS 1.3, a server's judgement of our certificate arrives here.
    #[cfg_attr(not(feature = "websocket"), allow(dead_code, reason = "used over TLS by WebSocket"))]
    fn io(&self, stage: Stage, error: std::io::Error) -> ConnectError {
        match ConnectErrorKind::of_io(error) {
            tls @ ConnectErrorKind::Tls(_) => self.error(Stage::Tls, tls),
            kind => self.error(stage, kind),
        }
    }
}

/// Opens a stream to that server, as planned; over `io`, if the caller brings it.
pub(crate) async fn open(
    plan: &Plan,
    address: &Address,
    generation: Option<&Generation>,
    io: Option<Transport>,
    deadline: Instant,
) -> Result<Opened, ConnectError> {
    let way = Way { plan, address, deadline };
    let (io, peer) = match io {
        Some(io) => (io, None),
        None => {
            let (io, peer) = Box::pin(base(way)).await?;
            match plan.transport.proxy.as_ref() {
                Some(proxy) => (through(way, proxy, io).await?, None),
                None => (io, peer),
            }
        }
    };
    let (io, heard) = Heard::over(io);
    let (io, tls) = Box::pin(over(way, io, generation)).await?;
    Ok(Opened { io, heard, address: peer, tls })
}

/// The lowest layer: to the proxy if there is one, else to the server.
async fn base(way: Way<'_>) -> Result<(Transport, Option<SocketAddr>), ConnectError> {
    if way.address.carrier == Carrier::Unix {
        return unix(way).await.map(|io| (io, None));
    }
    let options = &way.plan.transport;
    let (host, port) = match options.proxy.as_ref().map(Proxy::host_and_port) {
        Some(Ok(there)) => there,
        Some(Err(error)) => return Err(way.error(Stage::Options, ConnectErrorKind::Address(error.clone()))),
        None => (way.address.host.as_str(), way.address.port),
    };
    if let Some(dialer) = &options.dialer {
        return match timeout_at(way.deadline, dialer.dial(Target::new(host, port))).await {
            Ok(Ok(io)) => Ok((io, None)),
            Ok(Err(error)) => Err(way.error(Stage::Tcp, ConnectErrorKind::Dialer(error))),
            Err(_) => Err(way.late(Stage::Tcp)),
        };
    }
    let (tcp, address) = tcp::dial(way, host, port).await?;
    Ok((Box::new(tcp), Some(address)))
}

#[cfg(unix)]
async fn unix(way: Way<'_>) -> Result<Transport, ConnectError> {
    let path = std::path::Path::new(&way.address.host);
    match timeout_at(way.deadline, tokio::net::UnixStream::connect(path)).await {
        Ok(Ok(io)) => Ok(Box::new(io)),
        Ok(Err(error)) => Err(way.error(Stage::Tcp, ConnectErrorKind::UnixSocket { path: path.to_owned(), error })),
        Err(_) => Err(way.late(Stage::Tcp)),
    }
}

#[cfg(not(unix))]
async fn unix(way: Way<'_>) -> Result<Transport, ConnectError> {
    let (path, error) = (way.address.host.as_str().into(), std::io::ErrorKind::Unsupported.into());
    Err(way.error(Stage::Options, ConnectErrorKind::UnixSocket { path, error }))
}

async fn through(way: Way<'_>, proxy: &Proxy, io: Transport) -> Result<Transport, ConnectError> {
    let family = way.plan.transport.family;
    match timeout_at(way.deadline, proxy.tunnel(io, &way.address.host, way.address.port, family)).await {
        Ok(Ok(io)) => Ok(io),
        Ok(Err(error)) => Err(way.error(Stage::Proxy, ConnectErrorKind::Proxy(error))),
        Err(_) => Err(way.late(Stage::Proxy)),
    }
}

/// TLS and WebSocket, if the address has them.
async fn over(
    way: Way<'_>,
    io: Transport,
    generation: Option<&Generation>,
) -> Result<(Transport, Option<HandshakeInfo>), ConnectError> {
    let (io, tls) = if way.address.tls {
        let (io, tls) = Box::pin(secure(way, io, generation)).await?;
        (io, Some(tls))
    } else {
        (io, None)
    };
    let io = match &way.address.carrier {
        Carrier::WebSocket { path } => Box::pin(upgraded(way, io, path)).await?,
        Carrier::Tcp | Carrier::Unix => io,
    };
    Ok((io, tls))
}

/// Such addresses are refused before.
#[cfg(not(feature = "tls"))]
async fn secure(
    way: Way<'_>,
    _: Transport,
    _: Option<&Generation>,
) -> Result<(Transport, HandshakeInfo), ConnectError> {
    let error = crate::error::AddressError::NotInThisBuild { scheme: "mqtts".to_owned(), needs: NEEDS_TLS };
    std::future::ready(Err(way.error(Stage::Options, ConnectErrorKind::Address(error)))).await
}

#[cfg(feature = "tls")]
async fn secure(
    way: Way<'_>,
    io: Transport,
    generation: Option<&Generation>,
) -> Result<(Transport, HandshakeInfo), ConnectError> {
    let options = |kind| way.error(Stage::Options, kind);
    let tls = way.plan.tls.as_ref().ok_or_else(|| options(ConnectErrorKind::NoTrust))?;
    let config =
        tls.config(generation, way.address.port).map_err(|error| options(ConnectErrorKind::TlsConfig(error)))?;
    let name = tls.server_name().unwrap_or_else(|| way.address.server_name());
    match timeout_at(way.deadline, secure::connect(io, name, &config)).await {
        Ok(Ok((stream, info))) => Ok((Box::new(stream), info)),
        Ok(Err(error)) => Err(way.error(Stage::Tls, ConnectErrorKind::Tls(error))),
        Err(_) => Err(way.late(Stage::Tls)),
    }
}

#[cfg(feature = "websocket")]
async fn upgraded(way: Way<'_>, io: Transport, path: &str) -> Result<Transport, ConnectError> {
    let options = &way.plan.transport;
    let upgrade = websocket::Upgrade {
        path: options.websocket.path.as_deref().unwrap_or(path),
        host: websocket::host_field(way.address),
        subprotocol: options.websocket.subprotocol_for(way.plan.connect.version),
        headers: &options.websocket.headers,
        max_packet: way.plan.maximum_packet_size,
        deadline: way.deadline,
    };
    let key = websocket::random_key().map_err(|error| way.io(Stage::WebSocket, error))?;
    match timeout_at(way.deadline, upgrade.ask(io, &key)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(websocket::Failure::WebSocket(error))) => {
            Err(way.error(Stage::WebSocket, ConnectErrorKind::WebSocket(error)))
        }
        Ok(Err(websocket::Failure::Io(error))) => Err(way.io(Stage::WebSocket, error)),
        Err(_) => Err(way.late(Stage::WebSocket)),
    }
}

/// Such addresses are not read without the feature.
#[cfg(not(feature = "websocket"))]
async fn upgraded(way: Way<'_>, _: Transport, _: &str) -> Result<Transport, ConnectError> {
    let error = crate::error::AddressError::NotInThisBuild { scheme: "ws".to_owned(), needs: NEEDS_WEBSOCKET };
    Err(way.error(Stage::Options, ConnectErrorKind::Address(error)))
}

#[cfg(test)]
mod tests;
