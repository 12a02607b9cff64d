//! How a broker is set up.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use bytestring::ByteString;
use gridmq_namespace::profile::QueueLimits;
use gridmq_namespace::{Gate, Open, Rules};
use gridmq_store::Store;

use crate::broker::Broker;
use crate::hooks::{AsyncHook, Hook, Hooks};
use crate::listener::{ListenAddress, Listener};
use crate::observer::Observer;
use crate::strategy::SharedStrategy;

/// Moves of sessions count workers in one 64-bit word.
const MAXIMUM_WORKERS: usize = 64;

/// Limits of the whole broker. What a client is told stands in its namespace's rules.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Limits {
    /// Open connections. Default 16,000; more are closed at once.
    pub connections: usize,
    /// From a connection's beginning to the end of all that comes before MQTT: the PROXY header, the TLS handshake and
    /// the wait for a place for it, the WebSocket upgrade. Default 10 s.
    pub handshake_timeout: Duration,
    /// From a connection's beginning, all of that included, to a whole CONNECT. Default 10 s.
    pub connect_timeout: Duration,
    /// TLS handshakes under way at once; further ones wait in line, within their deadline. A client that has not sent
    /// anything yet takes no place. Default 256, at least 1.
    pub handshakes: usize,
    /// How many of these one source address (of IPv6, one /64 network) may have; Unix sockets are not counted.
    /// Default 64, at least 1.
    pub handshakes_per_source: usize,
    /// How many wait in line; one more is closed. Default 16,000.
    pub handshakes_waiting: usize,
    /// How long a handshake may take while others wait for its place. Default 2 s.
    pub handshake_patience: Duration,
    /// Bytes of a CONNECT. Default 64 KiB.
    pub connect_packet: u32,
    /// Bytes received from all clients that are not in yet. Default 16 MiB; the connection that goes beyond is closed.
    pub unadmitted_bytes: usize,
    /// Bytes that wait to be written to one client. Beyond it QoS 0 messages are dropped, and it is not read from.
    /// Default 1 MiB.
    pub egress_bytes: usize,
    /// Subscriptions of one session. Default 10,000; a further one is answered with 0x97.
    pub subscriptions: usize,
    /// Retained messages. Default 1,000,000; a PUBLISH that would add one is answered with 0x97.
    pub retained_messages: usize,
    /// How long an MQTT 3.1.1 client whose publish found no room stays connected without an acknowledgement of it.
    /// Default 10 s.
    pub refused_publish_timeout: Duration,
    /// For a hook, and for work that rules want done, to answer. Default 10 s; then a CONNECT is refused with 0x88, a
    /// subscription and a PUBLISH with 0x83.
    pub decision_timeout: Duration,
    /// Decisions of asynchronous hooks and of rules that one worker waits for. Default 10,000; beyond it a CONNECT is
    /// refused with 0x89, a subscription and a PUBLISH with 0x97.
    pub decisions: usize,
    /// Steps of one enhanced authentication. Default 10; one more is answered with 0x87.
    pub authentication_steps: usize,
    /// Work that rules want done before they judge a CONNECT (passwords to be hashed) that runs at once, each on a
    /// thread of its own. Default: half of the cores, at least 1.
    pub computations: usize,
    /// Such work that waits its turn. Default 1,000; then a CONNECT is refused with 0x89.
    pub computations_waiting: usize,
    /// Events that a reader of [`Broker::events`] may be behind. Default 8,192; then the oldest are lost to it.
    pub events: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 16_000,
            handshake_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(10),
            handshakes: 256,
            handshakes_per_source: 64,
            handshakes_waiting: 16_000,
            handshake_patience: Duration::from_secs(2),
            connect_packet: gridmq_proto::codec::DEFAULT_MAX_CONNECT_SIZE,
            unadmitted_bytes: 16 << 20,
            egress_bytes: 1 << 20,
            subscriptions: 10_000,
            retained_messages: 1_000_000,
            refused_publish_timeout: Duration::from_secs(10),
            decision_timeout: Duration::from_secs(10),
            decisions: 10_000,
            authentication_steps: 10,
            computations: std::thread::available_parallelism().map_or(1, |cores| usize::from(cores).div_ceil(2)),
            computations_waiting: 1000,
            events: 8192,
        }
    }
}

/// Sets a [`Broker`] up.
#[derive(Debug)]
#[must_use]
pub struct Builder {
    pub(crate) workers: usize,
    pub(crate) gate: Gate,
    pub(crate) listeners: Vec<Listener>,
    pub(crate) limits: Limits,
    pub(crate) store: Option<Store>,
    pub(crate) observers: Vec<Arc<dyn Observer>>,
    pub(crate) hooks: Hooks,
    pub(crate) shared_strategy: SharedStrategy,
    pub(crate) system_topics: Option<Duration>,
    pub(crate) shutdown_deadline: Duration,
    pub(crate) insiders: HashMap<ByteString, QueueLimits>,
}

impl Default for Builder {
    fn default() -> Self {
        Self {
            workers: std::thread::available_parallelism().map_or(1, usize::from).min(MAXIMUM_WORKERS),
            gate: Gate::new(Arc::new(Open::default())),
            listeners: Vec::new(),
            limits: Limits::default(),
            store: None,
            observers: Vec::new(),
            hooks: Hooks::default(),
            shared_strategy: SharedStrategy::default(),
            system_topics: None,
            shutdown_deadline: Duration::from_secs(5),
            insiders: HashMap::new(),
        }
    }
}

impl Builder {
    /// How many workers; at least 1, at most 64. Default: one per core.
    pub fn workers(mut self, workers: usize) -> Self {
        self.workers = workers.clamp(1, MAXIMUM_WORKERS);
        self
    }

    /// The rules that decide. Default: [`Open`].
    pub fn rules(mut self, rules: Arc<dyn Rules>) -> Self {
        self.gate = Gate::new(rules);
        self
    }

    /// Adds a listener.
    pub fn listener(mut self, listener: Listener) -> Self {
        self.listeners.push(listener);
        self
    }

    /// Limits of the whole broker.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Where sessions and retained messages are kept as well, to be taken up by the next start. Default: nowhere; they
    /// live in this process's memory alone.
    pub fn store(mut self, store: Store) -> Self {
        self.store = Some(store);
        self
    }

    /// Adds somebody who watches.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observers.push(observer);
        self
    }

    /// Which member of a shared subscription gets a message. Default: one after the other.
    pub fn shared_strategy(mut self, strategy: SharedStrategy) -> Self {
        self.shared_strategy = strategy;
        self
    }

    /// Publishes counters under `$SYS/broker/` as retained QoS 0 messages, those that have changed, every `interval`, at
    /// least 1 s. docs/embedding.md lists them. Default: none.
    pub fn system_topics(mut self, interval: Duration) -> Self {
        self.system_topics = Some(interval);
        self
    }

    /// Adds a hook, which is asked after those that were added before.
    pub fn hook(mut self, hook: Arc<dyn Hook>) -> Self {
        self.hooks.add(&hook);
        self
    }

    /// Adds a hook that answers later. It is asked after every [`hook`](Self::hook).
    pub fn async_hook(mut self, hook: Arc<dyn AsyncHook>) -> Self {
        self.hooks.add_later(&hook);
        self
    }

    /// How long [`Broker::shutdown`] lets clients take what is on its way to them. Default 5 s.
    pub fn shutdown_deadline(mut self, deadline: Duration) -> Self {
        self.shutdown_deadline = deadline;
        self
    }

    /// Keeps a client identifier for the program itself: only over [`Control::dial`](crate::Control::dial) does a client
    /// come in with it, and its session may hold what `queue` says, in place of what the rules say, from the start on.
    /// Everybody else who asks for it is refused with 0x85.
    pub fn insider(mut self, client_id: impl Into<ByteString>, queue: QueueLimits) -> Self {
        self.insiders.insert(client_id.into(), queue);
        self
    }

    /// Binds every listener and starts the workers.
    ///
    /// # Errors
    /// An address that cannot be bound, or a thread or runtime that the system refuses. Nothing is left running.
    #[allow(clippy::unused_async, reason = "starting may wait for storage in a later engine")]
    pub async fn start(self) -> Result<Broker, StartError> {
        Broker::start(self)
    }
}

/// Why a broker did not start. The operator's to mend.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// No listener was given.
    #[error("no listener was given: add one for TLS or a plain one")]
    NoListener,
    /// An address cannot be bound.
    #[error("cannot listen on {address}: {}", bind_advice(source))]
    Bind {
        /// The address.
        address: ListenAddress,
        /// What the system said.
        source: std::io::Error,
    },
    /// The system refused a thread or an event queue.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] std::io::Error),
    /// What is stored cannot be read.
    #[error("cannot take up what is stored: {0}")]
    Store(#[source] Box<dyn std::error::Error + Send + Sync>),
}

fn bind_advice(source: &std::io::Error) -> String {
    match source.kind() {
        std::io::ErrorKind::AddrInUse => "another program listens there; stop it or choose another port".to_owned(),
        std::io::ErrorKind::PermissionDenied => {
            "it is not allowed: ports below 1024 need a privilege, a Unix socket the right to write to its directory"
                .to_owned()
        }
        std::io::ErrorKind::AddrNotAvailable => "this machine does not have that address".to_owned(),
        _ => source.to_string(),
    }
}
