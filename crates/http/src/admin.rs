//! What an operator's tools ask a broker: metrics, health, and switches of traces.
//!
//! | request | answer |
//! |---|---|
//! | `GET /metrics` | OpenMetrics 1.0; the names are [`METRICS`] |
//! | `GET /livez` | 200 as long as the process answers |
//! | `GET /readyz` | 200, or 503 while clients should go elsewhere; a JSON body with the parts |
//! | `GET /trace` | the traces that are on, as JSON |
//! | `PUT /trace/clients/ID`, `PUT /trace/topics/FILTER` | begins a trace, for `?seconds=600` unless said otherwise |
//! | `DELETE` of the same | ends it |
//!
//! There are no passwords here: bind it to a loopback address. What changes something, or names clients, is answered to
//! this machine alone, whatever the address, and not to a page in a browser.

use std::fmt;
use std::sync::{Arc, OnceLock};

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{Next, from_fn};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, put};
use gridmq_broker::Monitor;
use gridmq_tls::revocation::watched::RevocationStatus;

mod health;
mod metrics;
mod trace;

pub use metrics::{Kind, METRICS, Metric};

use crate::server::Peer;

/// Tells how revocation lists stand.
pub type Lists = Arc<dyn Fn() -> Option<RevocationStatus> + Send + Sync>;
/// Tells how bridges stand.
pub type Bridges = Arc<dyn Fn() -> Vec<BridgeNumbers> + Send + Sync>;
/// Tells seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;

/// How a bridge to another broker stands.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "whoever runs bridges builds it")]
pub struct BridgeNumbers {
    /// Its name.
    pub name: String,
    /// Whether the other broker is connected.
    pub connected: bool,
    /// Connections that were made.
    pub connects: u64,
    /// Attempts that failed, and connections that were lost.
    pub failures: u64,
    /// Direction (`out` or `in`), outcome, and how many messages.
    pub messages: Vec<(&'static str, &'static str, u64)>,
}

/// What the endpoints tell of. It can be asked before the broker has started: then that is what it tells.
#[derive(Clone)]
pub struct Admin(Arc<Inner>);

struct Inner {
    broker: OnceLock<Monitor>,
    lists: OnceLock<Lists>,
    bridges: OnceLock<Bridges>,
    clock: Clock,
    version: &'static str,
}

impl fmt::Debug for Admin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admin").field("broker", &self.0.broker).finish_non_exhaustive()
    }
}

impl Admin {
    /// Nothing to tell yet. `version`: the program's, for `gridmq_build_info`.
    #[must_use]
    pub fn new(version: &'static str, clock: Clock) -> Self {
        Self(Arc::new(Inner {
            broker: OnceLock::new(),
            lists: OnceLock::new(),
            bridges: OnceLock::new(),
            clock,
            version,
        }))
    }

    /// The broker has started, and what is stored is taken up. Only the first call counts.
    pub fn started(&self, broker: Monitor, lists: Lists) {
        // A second broker in one process has its own endpoints.
        let _ = self.0.lists.set(lists);
        let _ = self.0.broker.set(broker);
    }

    /// There are bridges. Only the first call counts.
    pub fn bridges(&self, bridges: Bridges) {
        let _ = self.0.bridges.set(bridges);
    }

    /// The routes. Those of `further`, such as backups, are answered to this machine alone.
    pub fn router(&self, further: Router) -> Router {
        let here = Router::new()
            .route("/trace", get(trace::list))
            .route("/trace/clients/{id}", put(trace::begin_client).delete(trace::end_client))
            .route("/trace/topics/{*filter}", put(trace::begin_topic).delete(trace::end_topic))
            .with_state(self.clone())
            .merge(further)
            .layer(from_fn(only_here));
        Router::new()
            .route("/metrics", get(metrics))
            .route("/livez", get(health::live))
            .route("/readyz", get(health::ready))
            .with_state(self.clone())
            .merge(here)
    }

    fn broker(&self) -> Option<&Monitor> {
        self.0.broker.get()
    }

    fn now(&self) -> u64 {
        (self.0.clock)()
    }
}

async fn metrics(State(admin): State<Admin>) -> Response {
    const TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    match metrics::encode(&admin) {
        Ok(text) => ([(header::CONTENT_TYPE, TYPE)], text).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Refuses other machines, and pages in a browser of this one (by `Origin`, and by a `Host` that is a name of theirs).
async fn only_here(request: Request, next: Next) -> Response {
    let near = request.extensions().get::<Peer>().is_some_and(|peer| peer.0.ip().is_loopback());
    if !near || request.headers().contains_key(header::ORIGIN) || !is_own_host(request.headers()) {
        let words = "only programs on this machine may ask for this: use the loopback address\n";
        return (StatusCode::FORBIDDEN, words).into_response();
    }
    next.run(request).await
}

fn is_own_host(headers: &HeaderMap) -> bool {
    let Some(host) = headers.get(header::HOST).and_then(|host| host.to_str().ok()) else { return false };
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost") || name.parse::<std::net::IpAddr>().is_ok()
}
