//! The byte stream under a link.

use std::io::{self, IoSlice};
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use gridmq_tls::stream::TlsStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
#[cfg(unix)]
use tokio::net::UnixStream;

use crate::plan::{Plan, Target};

/// What bytes go over.
#[derive(Debug)]
pub(crate) enum Io {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

/// Why there is none.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("{0}")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Tls(#[from] Box<gridmq_tls::TlsError>),
    #[cfg(not(unix))]
    #[error("this system has no Unix sockets")]
    NoUnix,
}

macro_rules! each {
    ($self:ident, $io:ident => $call:expr) => {
        match $self.get_mut() {
            Self::Tcp($io) => $call,
            #[cfg(unix)]
            Self::Unix($io) => $call,
            Self::Tls($io) => {
                let $io = &mut **$io;
                $call
            }
        }
    };
}

impl AsyncRead for Io {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_read(cx, buf))
    }
}

impl AsyncWrite for Io {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, buf))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}

impl Io {
    /// Whether what is written may wait here for a flush.
    pub(crate) const fn buffers(&self) -> bool {
        matches!(self, Self::Tls(_))
    }
}

/// Connects the link of that number to `addresses`, the first that answers.
pub(crate) async fn open(plan: &Plan, addresses: &[SocketAddr], number: usize) -> Result<Io, OpenError> {
    if let Target::Unix(path) = &plan.target {
        #[cfg(unix)]
        return Ok(Io::Unix(UnixStream::connect(path).await?));
        #[cfg(not(unix))]
        return Err(OpenError::NoUnix);
    }
    let sources = &plan.connect.sources;
    let source = sources.get(number.checked_rem(sources.len()).unwrap_or(0)).copied();
    let tcp = dial(addresses, source).await?;
    tcp.set_nodelay(plan.connect.nodelay)?;
    let Some(tls) = &plan.tls else { return Ok(Io::Tcp(tcp)) };
    let Some(config) = tls.configs.get(number.checked_rem(tls.configs.len()).unwrap_or(0)) else {
        return Ok(Io::Tcp(tcp));
    };
    let (stream, _) = gridmq_tls::stream::connect(tcp, &tls.server_name, config).await.map_err(Box::new)?;
    Ok(Io::Tls(Box::new(stream)))
}

async fn dial(addresses: &[SocketAddr], source: Option<IpAddr>) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the name of the broker has no address");
    for &address in addresses {
        let socket = if address.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() };
        let socket = socket?;
        if let Some(source) = source {
            socket.bind(SocketAddr::new(source, 0))?;
        }
        match socket.connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) => last = error,
        }
    }
    Err(last)
}
