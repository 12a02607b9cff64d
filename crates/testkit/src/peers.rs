//! Servers that go wrong on purpose, on loopback: what the doctor has to recognise.
//!
//! Each function starts one and answers with its address; it runs until the runtime ends. [`programs`] has those that
//! are other people's programs, which end when their handle is dropped.

use std::future::Future;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

pub mod hello;
pub mod mqtt;
pub mod programs;
pub mod tls;

/// Longer than any deadline of a test.
const FOREVER: Duration = Duration::from_secs(600);

/// Listens on a free port of both loopback addresses, so that `localhost` leads here whatever it resolves to first.
///
/// # Panics
/// When no port is free, or outside of a runtime.
pub fn listen<F, Fut>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + Send + 'static,
{
    let serve = Arc::new(serve);
    let (v4, v6) = sockets();
    let address = v4.local_addr().expect("an address");
    for listener in std::iter::once(v4).chain(v6) {
        listener.set_nonblocking(true).expect("a mode");
        let listener = TcpListener::from_std(listener).expect("a runtime");
        let serve = Arc::clone(&serve);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                stream.set_nodelay(true).ok();
                tokio::spawn(serve(stream));
            }
        });
    }
    address
}

fn sockets() -> (StdListener, Option<StdListener>) {
    for _ in 0..64 {
        let v4 = StdListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let port = v4.local_addr().expect("an address").port();
        match StdListener::bind((Ipv6Addr::LOCALHOST, port)) {
            Ok(v6) => return (v4, Some(v6)),
            Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {}
            Err(_) => return (v4, None),
        }
    }
    panic!("no port is free on both loopback addresses");
}

/// A port that nothing listens on: it was free a moment ago.
#[must_use]
pub fn closed_port() -> SocketAddr {
    sockets().0.local_addr().expect("an address")
}

/// Closes as soon as somebody connects.
pub fn fin() -> SocketAddr {
    listen(|mut stream| async move {
        stream.shutdown().await.ok();
        // What comes to a closed socket is answered by a reset.
        tokio::io::copy(&mut stream, &mut tokio::io::sink()).await.ok();
    })
}

/// Resets as soon as somebody connects.
pub fn rst() -> SocketAddr {
    listen(|stream| async move { reset(stream) })
}

/// Closes after the first bytes.
pub fn fin_after_hello() -> SocketAddr {
    listen(|mut stream| async move {
        swallow(&mut stream).await;
        stream.shutdown().await.ok();
    })
}

/// Resets after the first bytes.
pub fn rst_after_hello() -> SocketAddr {
    listen(|mut stream| async move {
        swallow(&mut stream).await;
        reset(stream);
    })
}

/// Takes everything and says nothing.
pub fn silent() -> SocketAddr {
    listen(|mut stream| async move { drain(&mut stream).await })
}

/// Says these bytes when somebody connects, and no more.
pub fn banner(bytes: &'static [u8]) -> SocketAddr {
    listen(move |mut stream| async move {
        stream.write_all(bytes).await.ok();
        drain(&mut stream).await;
    })
}

/// An SSH server's first line.
pub fn ssh() -> SocketAddr {
    banner(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n")
}

/// A web server without TLS: answers whatever it does not understand with 400, and closes.
pub fn http() -> SocketAddr {
    listen(|mut stream| async move {
        swallow(&mut stream).await;
        let answer = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        stream.write_all(answer).await.ok();
        part(&mut stream).await;
    })
}

/// Sends these bytes one by one, with a pause after each, for ever.
pub fn trickle(pause: Duration) -> SocketAddr {
    listen(move |mut stream| async move {
        swallow(&mut stream).await;
        // The header of a record that would take hours to come.
        let bytes = [22, 3, 3, 0x3f, 0xff, 2, 0, 0x3f, 0xfb, 3, 3].into_iter().chain(std::iter::repeat(0));
        for byte in bytes {
            if stream.write_all(&[byte]).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    })
}

/// Reads once.
async fn swallow(stream: &mut TcpStream) {
    let mut space = Vec::with_capacity(16 << 10);
    stream.read_buf(&mut space).await.ok();
}

/// Reads until the other side ends.
async fn drain(stream: &mut TcpStream) {
    let mut space = vec![0; 16 << 10];
    let reading = async { while stream.read(&mut space).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(FOREVER, reading).await.ok();
}

/// Ends the sending side and reads a while: unread bytes would turn the end into a reset.
async fn part(stream: &mut TcpStream) {
    stream.shutdown().await.ok();
    tokio::time::timeout(Duration::from_secs(2), drain(stream)).await.ok();
}

fn reset(stream: TcpStream) {
    stream.set_zero_linger().ok();
    drop(stream);
}
