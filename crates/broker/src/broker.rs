//! A running broker.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use gridmq_namespace::{Gate, Rules};
use gridmq_store::{BackupError, NamespaceId, Store};
use gridmq_tls::ServerConfig;
use tokio::sync::{mpsc, oneshot, watch};

use crate::builder::{Builder, Limits, StartError};
use crate::clock::Clock;
use crate::computing::Computing;
use crate::control::Control;
use crate::credentials::{ListenerCredentials, SetTlsError};
use crate::directory::{Directory, WorkerId};
use crate::events::{Events, Teller};
use crate::handshakes::Handshakes;
use crate::index::Index;
use crate::insider::Insiders;
use crate::listener::{self, Door, ListenAddress, Security};
use crate::live::LiveLimits;
use crate::mailbox::{Batch, INBOX_BATCHES, Mail};
use crate::monitor::Monitor;
use crate::retained::RetainedStore;
use crate::routed::Unfinished;
use crate::shared::{Program, Realm, Shared};
use crate::stats::{Counters, Stats};
use crate::store_status::StoreStatus;
use crate::trace::Traces;
use crate::worker;

/// A running broker. Dropped, it stops without waiting for anybody; [`shutdown`](Self::shutdown) is kinder.
#[derive(Debug)]
pub struct Broker {
    pub(crate) shared: Arc<Shared>,
    /// The TCP ones.
    addresses: Vec<SocketAddr>,
    pub(crate) doors: Vec<Arc<Door>>,
    shutdown: watch::Sender<bool>,
    ended: Vec<oneshot::Receiver<()>>,
    threads: Vec<JoinHandle<()>>,
    /// Of the store's state.
    _watch: gridmq_store::Watch,
}

impl Broker {
    /// Sets a broker up.
    pub fn builder() -> Builder {
        Builder::default()
    }

    pub(crate) fn start(builder: Builder) -> Result<Self, StartError> {
        if builder.listeners.is_empty() {
            return Err(StartError::NoListener);
        }
        let mut bound = Vec::new();
        for listener in builder.listeners {
            let (socket, address) = listener::bind(&listener)
                .map_err(|source| StartError::Bind { address: listener.address.clone(), source })?;
            bound.push((socket, Arc::new(Door::new(listener, address))));
        }
        let doors: Vec<_> = bound.iter().map(|(_, door)| Arc::clone(door)).collect();
        let addresses = doors.iter().filter_map(|door| door.address.tcp()).collect();
        let (inboxes, receivers): (Vec<_>, Vec<_>) =
            (0..builder.workers).map(|_| mpsc::channel::<Batch>(INBOX_BATCHES)).unzip();
        let (shutdown, shutdown_seen) = watch::channel(false);
        let seed = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), 0u8);
        let realm =
            Realm { id: NamespaceId::DEFAULT, gate: ArcSwap::from_pointee(builder.gate), index: Index::new(seed) };
        let shared = Arc::new(Shared {
            clock: Clock::start(),
            retained: RetainedStore::new(builder.limits.retained_messages),
            computing: Computing::new(builder.limits.computations, builder.limits.computations_waiting),
            hooks: builder.hooks,
            shared_strategy: builder.shared_strategy,
            system_topics: builder.system_topics,
            events: Teller::new(builder.limits.events),
            program: Program::new(NamespaceId::DEFAULT),
            insiders: Insiders::new(builder.insiders),
            handshakes: Arc::new(Handshakes::new(
                builder.limits.handshakes,
                builder.limits.handshakes_per_source,
                builder.limits.handshakes_waiting,
            )),
            live: LiveLimits::new(&builder.limits),
            traces: Traces::default(),
            hasher: std::hash::RandomState::new(),
            limits: builder.limits,
            realm: Arc::new(realm),
            directory: Directory::new(),
            unfinished: Unfinished::default(),
            volatile: builder.store.is_none(),
            store_state: Arc::default(),
            store: builder.store.unwrap_or_else(Store::memory),
            counters: Counters::default(),
            observers: builder.observers,
            inboxes,
            unadmitted_bytes: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            shutdown: shutdown_seen,
            shutdown_deadline: builder.shutdown_deadline,
        });
        let state = Arc::clone(&shared.store_state);
        // Before the workers, who look at it when they are told.
        let watch = shared.store.subscribe(move |progress| state.progress(&progress));
        let mut revived = crate::revive::revive(&shared, &shared.store).map_err(StartError::Store)?.sessions;
        let mut broker =
            Self { shared, addresses, doors, shutdown, ended: Vec::new(), threads: Vec::new(), _watch: watch };
        let mut bound = Some(bound);
        for (id, inbox) in receivers.into_iter().enumerate() {
            let shared = Arc::clone(&broker.shared);
            let id = WorkerId::try_from(id).unwrap_or(WorkerId::MAX);
            let sessions = revived.pop_front().unwrap_or_default();
            // The first takes connections for all.
            let doors = bound.take().unwrap_or_default();
            broker.spawn(format!("gridmq-worker-{id}"), move |runtime| {
                worker::run(runtime, id, shared, inbox, sessions, doors);
            })?;
        }
        Ok(broker)
    }

    fn spawn(
        &mut self,
        name: String,
        body: impl FnOnce(&tokio::runtime::Runtime) + Send + 'static,
    ) -> Result<(), StartError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(StartError::Worker)?;
        let (done, ended) = oneshot::channel();
        let thread = std::thread::Builder::new()
            .name(name)
            .spawn(move || {
                body(&runtime);
                let _ = done.send(());
            })
            .map_err(StartError::Worker)?;
        self.ended.push(ended);
        self.threads.push(thread);
        Ok(())
    }

    /// The bound TCP addresses, in the order of the listeners; Unix sockets have none.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Where each listener listens, in their order.
    pub fn listening(&self) -> impl Iterator<Item = &ListenAddress> {
        self.doors.iter().map(|door| &door.address)
    }

    /// Replaces the TLS configuration of a listener, by its place in the order of the listeners. Connections that come
    /// from now on get it; those that are there go on as they are. A listener that follows credentials takes over their
    /// next generation all the same.
    ///
    /// # Errors
    /// When there is no such listener, or it has no TLS.
    pub fn set_tls(&self, listener: usize, config: ServerConfig) -> Result<(), SetTlsError> {
        match self.doors.get(listener).map(|door| &door.security) {
            Some(Security::Tls(cell)) => {
                cell.replace(config, None);
                Ok(())
            }
            Some(Security::Plain { .. }) => Err(SetTlsError::Plain { index: listener }),
            None => Err(SetTlsError::NoListener { index: listener, listeners: self.doors.len() }),
        }
    }

    /// How the certificates of the TLS listeners stand, in the order of the listeners: of each its default first, then
    /// those for names.
    #[must_use]
    pub fn credentials(&self) -> Vec<ListenerCredentials> {
        let tls = |door: &Arc<Door>| match &door.security {
            Security::Tls(cell) => cell.credentials(&door.address),
            Security::Plain { .. } => Vec::new(),
        };
        self.doors.iter().flat_map(tls).collect()
    }

    /// Looks into the broker and steers it, from any thread.
    #[must_use]
    pub fn control(&self) -> Control {
        Control { shared: Arc::clone(&self.shared) }
    }

    /// Follows what happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.events.listen()
    }

    /// What was counted since the start.
    #[must_use]
    pub fn stats(&self) -> Stats {
        self.shared.counters.read()
    }

    /// How the store is.
    #[must_use]
    pub fn store_status(&self) -> StoreStatus {
        self.shared.store_state.status()
    }

    /// Writes what the store holds as it is at one time, for `gridmq restore`, and answers how many rows. The broker goes
    /// on meanwhile; the file may grow by what changes until the end. Blocks for as long as it takes: call it on a
    /// thread of its own. Without a store there are no rows.
    ///
    /// # Errors
    /// When the store cannot be read, and when `to` refuses.
    pub fn backup(&self, to: impl std::io::Write) -> Result<u64, BackupError> {
        self.shared.store.backup(to)
    }

    /// How many retained messages there are.
    #[must_use]
    pub fn retained_messages(&self) -> usize {
        self.shared.retained.len()
    }

    /// A handle for whoever watches the broker from elsewhere, such as an endpoint for metrics.
    #[must_use]
    pub fn monitor(&self) -> Monitor {
        Monitor::new(&self.shared, &self.doors)
    }

    /// Puts other limits in force, for what comes from now on: nobody who is there is ended, and a session keeps the
    /// subscriptions that it has. These change: `connections`, `handshake_timeout`, `connect_timeout`,
    /// `connect_packet`, `unadmitted_bytes`, `egress_bytes`, `subscriptions`; the others stay as they were at the start.
    pub fn set_limits(&self, limits: &Limits) {
        self.shared.live.set(limits);
    }

    /// Puts other rules in force. From now on every decision is theirs; clients, sessions, subscriptions and wills
    /// that exist are judged again by each worker in slices, and what is no longer allowed is ended.
    pub async fn set_rules(&self, rules: Arc<dyn Rules>) {
        self.shared.realm.gate.store(Arc::new(Gate::new(rules)));
        for inbox in &self.shared.inboxes {
            // A worker that is gone has nothing left to judge.
            let _ = inbox.send(Batch { from: WorkerId::MAX, mail: vec![Mail::RulesChanged] }).await;
        }
    }

    /// Stops taking connections, tells MQTT 5.0 clients 0x8B (Server shutting down), lets them take what is on its
    /// way, and ends when all are gone or the deadline has passed.
    pub async fn shutdown(mut self) {
        self.shutdown.send_replace(true);
        for ended in self.ended.drain(..) {
            let _ = ended.await;
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.shutdown.send_replace(true);
    }
}
