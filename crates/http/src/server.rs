//! The listener under every part: TLS or none, limits, and an end that lets requests finish.

use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use gridmq_tls::{PresentedPeer, ServerConfig, TlsVersion};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tower_service::Service;

/// After the system had no descriptor for a connection.
const PAUSE: Duration = Duration::from_millis(50);

/// What peers can make the server hold, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Connections at once; more wait in the kernel. 256.
    pub connections: usize,
    /// For the TLS handshake. 10 seconds.
    pub handshake: Duration,
    /// For the head of a request, and between two requests of a connection. 15 seconds.
    pub head: Duration,
    /// From a request's head to the last byte of its body read and its answer made. 30 seconds.
    pub request: Duration,
    /// For a connection altogether; the request under way is still answered. 5 minutes.
    pub connection: Duration,
    /// Fields of a request. 100.
    pub fields: usize,
    /// Octets of a request's head. 64 KiB, and no less than 8 KiB.
    pub head_bytes: usize,
    /// For requests under way when the server is asked to stop. 5 seconds.
    pub drain: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 256,
            handshake: Duration::from_secs(10),
            head: Duration::from_secs(15),
            request: Duration::from_secs(30),
            connection: Duration::from_secs(5 * 60),
            fields: 100,
            head_bytes: 64 * 1024,
            drain: Duration::from_secs(5),
        }
    }
}

/// Over what a request came: an extension of every request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Connection {
    /// The other side's address.
    pub from: SocketAddr,
    /// The client's certificate, whose key it holds; judged by nobody yet.
    pub presented: Option<PresentedPeer>,
    /// The name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The TLS version.
    pub version: TlsVersion,
}

/// The other side's address: an extension of every request, with or without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "an address and nothing else")]
pub struct Peer(pub SocketAddr);

/// A listener that is bound and not serving yet.
#[derive(Debug)]
pub struct HttpServer {
    listener: TcpListener,
    /// Absent without TLS.
    tls: Option<watch::Sender<ServerConfig>>,
    limits: Limits,
}

impl HttpServer {
    /// Binds. `tls` decides what is asked of clients: a part that knows them by certificate needs
    /// [`ClientAuth::Optional`](gridmq_tls::ClientAuth).
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(address: SocketAddr, tls: ServerConfig) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, tls: Some(watch::Sender::new(tls)), limits: Limits::default() })
    }

    /// Binds without TLS, for what stays on this machine. Requests have no [`Connection`].
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind_plain(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        Ok(Self { listener, tls: None, limits: Limits::default() })
    }

    /// Sets the limits.
    #[must_use]
    pub const fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// The address that it got.
    ///
    /// # Errors
    /// When the system does not tell.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Where a new configuration is put in: connections accepted from then on get it. Absent without TLS.
    #[must_use]
    pub fn configuration(&self) -> Option<watch::Sender<ServerConfig>> {
        self.tls.clone()
    }

    /// Serves until `stop` is complete. Requests under way then get [`Limits::drain`].
    pub async fn serve(self, router: Router, stop: impl Future<Output = ()>) {
        let room = Arc::new(Semaphore::new(self.limits.connections));
        let (stopping, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let mut stop = pin!(stop);
        loop {
            let next = async {
                let permit = Arc::clone(&room).acquire_owned().await;
                (permit, self.listener.accept().await)
            };
            let (permit, accepted) = tokio::select! {
                next = next => next,
                Some(_) = tasks.join_next() => continue,
                () = &mut stop => break,
            };
            match (permit, accepted) {
                (Ok(permit), Ok((tcp, from))) => {
                    let config = self.tls.as_ref().map(|tls| tls.borrow().clone());
                    let one = One { router: router.clone(), limits: self.limits, stopped: stopped.clone() };
                    tasks.spawn(async move {
                        one.run(tcp, from, config).await;
                        drop(permit);
                    });
                }
                (_, Err(error)) => {
                    tracing::warn!(%error, "cannot take an HTTP connection");
                    sleep(PAUSE).await;
                }
                (Err(_), _) => break,
            }
        }
        drop(self.listener);
        // Nobody may be there to be told.
        let _ = stopping.send(true);
        let gone = async { while tasks.join_next().await.is_some() {} };
        if timeout(self.limits.drain, gone).await.is_err() {
            tracing::warn!("HTTP connections were cut off: their requests took too long");
        }
    }
}

/// One connection's share.
struct One {
    router: Router,
    limits: Limits,
    stopped: watch::Receiver<bool>,
}

impl One {
    async fn run(self, tcp: TcpStream, from: SocketAddr, config: Option<ServerConfig>) {
        // An answer in two writes must not wait for an acknowledgement; without it, it is only slower.
        let _ = tcp.set_nodelay(true);
        match config {
            Some(config) => self.secure(tcp, from, config).await,
            None => self.answer(tcp, from, None).await,
        }
    }

    async fn secure(self, tcp: TcpStream, from: SocketAddr, config: ServerConfig) {
        let accepting = Box::pin(gridmq_tls::stream::accept(tcp, &config));
        let (stream, info) = match timeout(self.limits.handshake, accepting).await {
            Ok(Ok(accepted)) => accepted,
            Ok(Err(error)) => {
                tracing::info!(%from, %error, "TLS handshake failed");
                return;
            }
            Err(_) => {
                tracing::info!(%from, "TLS handshake not done in time");
                return;
            }
        };
        let connection =
            Connection { from, presented: info.presented, server_name: info.server_name, version: info.version };
        self.answer(stream, from, Some(connection)).await;
    }

    async fn answer<S>(mut self, stream: S, from: SocketAddr, connection: Option<Connection>)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let (router, limit) = (self.router, self.limits.request);
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(from));
            if let Some(connection) = &connection {
                request.extensions_mut().insert(connection.clone());
            }
            let mut router = router.clone();
            async move {
                let answer = Service::<Request<Incoming>>::call(&mut router, request);
                timeout(limit, answer).await.unwrap_or_else(|_| Ok(late()))
            }
        });
        let serving = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.limits.head)
            .max_headers(self.limits.fields)
            .max_buf_size(self.limits.head_bytes.max(8 * 1024))
            .serve_connection(TokioIo::new(stream), service);
        let mut serving = pin!(serving);
        let ended = tokio::select! {
            ended = &mut serving => Some(ended),
            () = stopping(&mut self.stopped) => None,
            () = sleep(self.limits.connection) => None,
        };
        let ended = match ended {
            Some(ended) => Ok(ended),
            None => {
                serving.as_mut().graceful_shutdown();
                // Whoever does not read its answer holds up writing without end.
                timeout(self.limits.request.saturating_add(self.limits.drain), serving).await
            }
        };
        match ended {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%from, %error, "HTTP connection ended"),
            Err(_) => tracing::info!(%from, "HTTP connection cut off: its time was up"),
        }
    }
}

/// Also when whoever would say it is gone.
async fn stopping(stopped: &mut watch::Receiver<bool>) {
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

fn late() -> Response<Body> {
    let mut response = Response::new(Body::from("the request took too long\n"));
    *response.status_mut() = StatusCode::REQUEST_TIMEOUT;
    response
}
