//! One handshake and the moment after it, in which a TLS 1.3 server refuses a certificate.

use std::io;
use std::time::{Duration, Instant};

use gridmq_tls::TlsVersions;
use gridmq_tls::probe::{End, Probe, Seen, Settings};
use tokio::net::TcpStream;

use super::{Context, Route, tcp, within};

/// How long a refusal is waited for at least.
const LISTEN: Duration = Duration::from_millis(200);
/// How much a peer may say in that time.
const MAX_EARLY: usize = 64 * 1024;

/// What a handshake is made with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    pub(crate) versions: TlsVersions,
    pub(crate) name: bool,
    pub(crate) alpn: bool,
    pub(crate) identity: bool,
    pub(crate) mss: Option<u32>,
}

/// What came of it.
#[derive(Debug)]
pub(crate) struct Shaken {
    pub(crate) seen: Seen,
    /// The limit passed before the handshake was complete.
    pub(crate) stalled: bool,
    /// The connection could not be opened again.
    pub(crate) no_tcp: Option<String>,
    pub(crate) took: Duration,
    /// Still usable.
    pub(crate) probe: Option<Box<Probe<TcpStream>>>,
    /// What the server said before it was spoken to.
    pub(crate) early: Vec<u8>,
    /// On TLS 1.3 it asked for no certificate, and on TLS 1.2 it does.
    pub(crate) asks_late: bool,
}

impl Shaken {
    /// Complete, and nothing was said against it.
    pub(crate) fn is_good(&self) -> bool {
        self.seen.complete && self.seen.end.is_none()
    }
}

impl Shape {
    /// As the application would.
    pub(crate) fn usual(cx: &Context<'_>) -> Self {
        Self {
            versions: cx.options.tls_versions,
            name: cx.options.send_server_name,
            alpn: true,
            identity: true,
            mss: None,
        }
    }
}

/// The protocols to offer: the caller's, or those that the profile has for the port.
pub(crate) fn protocols(cx: &Context<'_>) -> Vec<Vec<u8>> {
    if cx.options.alpn.is_empty() {
        cx.profile.alpn_for(cx.target.port).iter().map(|protocol| protocol.clone().into_bytes()).collect()
    } else {
        cx.options.alpn.clone()
    }
}

/// Connects and shakes hands within `limit`, then listens for a refusal if a certificate was asked for.
pub(crate) async fn shake(cx: &Context<'_>, route: Route, shape: Shape, limit: Duration) -> Shaken {
    // Several may run at once, and each holds a whole TLS connection.
    Box::pin(attempt(cx, route, shape, limit)).await
}

async fn attempt(cx: &Context<'_>, route: Route, shape: Shape, limit: Duration) -> Shaken {
    let begun = Instant::now();
    let mut shaken = Shaken {
        seen: Seen::default(),
        stalled: false,
        no_tcp: None,
        took: Duration::ZERO,
        probe: None,
        early: Vec::new(),
        asks_late: false,
    };
    let mut settings = Settings::new(cx.server_name(), Instant::now);
    settings.send_server_name = shape.name;
    settings.versions = shape.versions;
    if shape.alpn {
        settings.alpn = protocols(cx);
    }
    if shape.identity {
        settings.identity.clone_from(&cx.options.identity);
    }
    let io = match within(limit, tcp::open(route.address, shape.mss)).await {
        Some(Ok(io)) => io,
        // A server that resets at once may do so before the system has reported the connection, or after.
        Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
            shaken.took = begun.elapsed();
            shaken.seen.end = Some(End::in_handshake(&error));
            return shaken;
        }
        Some(Err(error)) => {
            shaken.no_tcp = Some(error.to_string());
            return shaken;
        }
        None => {
            shaken.no_tcp = Some("no answer".to_owned());
            return shaken;
        }
    };
    let mut probe = match Probe::new(io, &settings) {
        Ok(probe) => probe,
        Err(error) => {
            shaken.no_tcp = Some(error.to_string());
            return shaken;
        }
    };
    let complete = within(limit.saturating_sub(begun.elapsed()), probe.handshake()).await;
    shaken.took = begun.elapsed();
    shaken.stalled = complete.is_none();
    if complete == Some(true) && probe.seen().request.is_some() {
        let listen = LISTEN.max(route.took * 2).min(cx.left());
        let hear = async {
            while let Some(bytes) = probe.read().await {
                shaken.early.extend(bytes.iter().take(MAX_EARLY.saturating_sub(shaken.early.len())));
                if shaken.early.len() >= MAX_EARLY {
                    break;
                }
            }
        };
        let _ = within(listen, hear).await;
    }
    shaken.seen = probe.seen();
    if shaken.is_good() {
        shaken.probe = Some(Box::new(probe));
    }
    shaken
}
