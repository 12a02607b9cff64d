//! Listening sockets, and the connections that come out of them.

use std::io;
use std::net::TcpStream;
use std::pin::Pin;
use std::task::{Context, Poll};

use socket2::{Domain, Protocol, SockAddr, Type};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::{ListenAddress, Listener};
use crate::peer::PeerAddress;

#[cfg(unix)]
mod unix;

/// Connections that wait in the kernel to be taken.
const BACKLOG: i32 = 4096;

/// A socket that listens, and that no runtime watches yet.
#[derive(Debug)]
pub(crate) enum Bound {
    Tcp(std::net::TcpListener),
    #[cfg(unix)]
    Unix(unix::BoundUnix),
}

/// Binds a listener; answers the socket and the address that it got.
pub(crate) fn bind(listener: &Listener) -> io::Result<(Bound, ListenAddress)> {
    let address = match &listener.address {
        ListenAddress::Tcp(address) => *address,
        #[cfg(unix)]
        ListenAddress::Unix(socket) => {
            return Ok((Bound::Unix(unix::bind(socket)?), listener.address.clone()));
        }
    };
    let socket = socket2::Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted broker must not wait for connections of its predecessor to leave TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_nonblocking(true)?;
    // Each turn of a connection is one write; waiting to fill a segment would only add delay. Linux hands it down.
    socket.set_tcp_nodelay(true)?;
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    let socket = std::net::TcpListener::from(socket);
    let address = socket.local_addr()?;
    Ok((Bound::Tcp(socket), ListenAddress::Tcp(address)))
}

/// A connection that no runtime watches yet.
#[derive(Debug)]
pub(crate) enum Incoming {
    Tcp(TcpStream),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixStream),
    /// From the program itself.
    Program(DuplexStream),
}

/// A listening socket that the runtime watches.
#[derive(Debug)]
pub(crate) enum Watched {
    #[cfg(unix)]
    Tcp(tokio::io::unix::AsyncFd<mio::net::TcpListener>),
    #[cfg(unix)]
    Unix(
        tokio::io::unix::AsyncFd<mio::net::UnixListener>,
        #[allow(dead_code, reason = "goes with the socket")] unix::SocketFile,
    ),
    #[cfg(not(unix))]
    Tcp(tokio::net::TcpListener),
}

impl Bound {
    /// To be called within the runtime that will watch it.
    #[cfg_attr(
        unix,
        allow(
            deprecated,
            reason = "what is watched owns its descriptor, which is all that the newer, unsafe one asks"
        )
    )]
    pub(crate) fn watch(self) -> io::Result<Watched> {
        #[cfg(unix)]
        {
            use tokio::io::Interest;
            use tokio::io::unix::AsyncFd;
            Ok(match self {
                Self::Tcp(socket) => {
                    let socket = mio::net::TcpListener::from_std(socket);
                    Watched::Tcp(AsyncFd::with_interest(socket, Interest::READABLE)?)
                }
                Self::Unix(socket) => {
                    let (socket, file) = socket.into_parts();
                    let socket = mio::net::UnixListener::from_std(socket);
                    Watched::Unix(AsyncFd::with_interest(socket, Interest::READABLE)?, file)
                }
            })
        }
        #[cfg(not(unix))]
        {
            let Self::Tcp(socket) = self;
            Ok(Watched::Tcp(tokio::net::TcpListener::from_std(socket)?))
        }
    }
}

impl Watched {
    /// Takes a connection as the system gives it: the worker that gets it is the first to watch it.
    pub(crate) async fn accept(&self) -> io::Result<(Incoming, PeerAddress)> {
        match self {
            #[cfg(unix)]
            Self::Tcp(socket) => loop {
                if let Ok(taken) = socket.readable().await?.try_io(|socket| socket.get_ref().accept()) {
                    return taken.map(|(stream, from)| (Incoming::Tcp(stream.into()), from.into()));
                }
            },
            #[cfg(unix)]
            Self::Unix(socket, _) => loop {
                if let Ok(taken) = socket.readable().await?.try_io(|socket| socket.get_ref().accept()) {
                    return taken.map(|(stream, _)| (Incoming::Unix(stream.into()), PeerAddress::Unix));
                }
            },
            #[cfg(not(unix))]
            Self::Tcp(socket) => {
                let (stream, from) = socket.accept().await?;
                Ok((Incoming::Tcp(stream.into_std()?), from.into()))
            }
        }
    }
}

impl Incoming {
    /// To be called within the runtime that will watch it.
    pub(crate) fn watch(self) -> io::Result<Socket> {
        Ok(match self {
            Self::Tcp(stream) => {
                let stream = tokio::net::TcpStream::from_std(stream)?;
                #[cfg(not(target_os = "linux"))]
                let _ = stream.set_nodelay(true);
                Socket::Tcp(stream)
            }
            #[cfg(unix)]
            Self::Unix(stream) => Socket::Unix(tokio::net::UnixStream::from_std(stream)?),
            Self::Program(stream) => Socket::Program(stream),
        })
    }
}

/// A connection's socket.
#[derive(Debug)]
pub(crate) enum Socket {
    Tcp(tokio::net::TcpStream),
    #[cfg(unix)]
    Unix(tokio::net::UnixStream),
    Program(DuplexStream),
}

impl Socket {
    /// Waits until there is something to read, or the end.
    pub(crate) async fn readable(&self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.readable().await,
            #[cfg(unix)]
            Self::Unix(stream) => stream.readable().await,
            // The program's own speaks neither TLS nor behind a proxy.
            Self::Program(_) => Ok(()),
        }
    }
}

macro_rules! either {
    ($socket:expr, $stream:ident => $call:expr) => {
        match $socket {
            Socket::Tcp(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            #[cfg(unix)]
            Socket::Unix(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
            Socket::Program(stream) => {
                let $stream = Pin::new(stream);
                $call
            }
        }
    };
}

impl AsyncRead for Socket {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => stream.poll_read(cx, buf))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => stream.poll_write(cx, bytes))
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        either!(self.get_mut(), stream => stream.poll_write_vectored(cx, slices))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => stream.poll_flush(cx))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        either!(self.get_mut(), stream => stream.poll_shutdown(cx))
    }
}
