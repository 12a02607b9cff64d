//! A proxy on loopback that makes bad days: it forwards TCP to one server and, when told or as a seed says, cuts, stalls,
//! delays and splits what passes. It changes nothing else: no byte is altered, lost inside a connection, or overtaken.
//!
//! It needs nothing but tokio and names where its parts are, so that an example can take it up without this crate.

#[path = "fault/pump.rs"]
mod pump;
#[path = "fault/storm.rs"]
mod storm;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use self::storm::{Blow, Storm, StormSettings};

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "TCP has no more")]
pub enum Cut {
    /// In order, as TCP sees it: what was sent before still arrives.
    Fin,
    /// By a reset: what is on its way may be lost.
    Reset,
}

/// What becomes of one read's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_enums, reason = "tests name each")]
pub enum Pieces {
    /// They go on as they came.
    #[default]
    Whole,
    /// In two halves, with a breath between.
    Halves,
    /// One by one.
    Bytes,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "tests set fields")]
pub struct Way {
    /// Nothing passes, and nothing is read: the sender's buffers fill up.
    pub stalled: bool,
    /// How long each read's bytes wait before they go on.
    pub delay: RangeInclusive<Duration>,
    /// How they are split.
    pub pieces: Pieces,
    /// So many bytes of a connection pass; then it is cut.
    pub limit: Option<(u64, Cut)>,
}

impl Default for Way {
    fn default() -> Self {
        Self { stalled: false, delay: Duration::ZERO..=Duration::ZERO, pieces: Pieces::Whole, limit: None }
    }
}

/// What happens in both directions. Looked at before each read, so that a change counts at once.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "tests set fields")]
pub struct Faults {
    /// From the client to the server.
    pub up: Way,
    /// From the server to the client.
    pub down: Way,
    /// A new connection is taken and reset at once, before the server hears of it.
    pub closed: bool,
}

impl Faults {
    /// Nothing passes either way, although the connections stand.
    #[must_use]
    pub fn silence() -> Self {
        let stalled = Way { stalled: true, ..Way::default() };
        Self { up: stalled.clone(), down: stalled, closed: false }
    }

    /// Both directions the same.
    #[must_use]
    pub fn both(way: &Way) -> Self {
        Self { up: way.clone(), down: way.clone(), closed: false }
    }
}

/// What every connection looks at.
#[derive(Debug, Clone, Default)]
struct Orders {
    faults: Arc<Faults>,
    /// How many cuts there have been, and how the last was.
    cuts: u64,
    cut: Option<Cut>,
}

#[derive(Debug, Default)]
struct Counters {
    accepted: AtomicU64,
    live: AtomicUsize,
    cut: AtomicU64,
    up: AtomicU64,
    down: AtomicU64,
}

/// The proxy; its connections are cut by a reset and its port closed when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    orders: watch::Sender<Orders>,
    counters: Arc<Counters>,
    acceptor: JoinHandle<()>,
}

impl Proxy {
    /// Listens on a free port of loopback and forwards to `target`. All chance comes from `seed`.
    ///
    /// # Errors
    /// If there is no port to listen on.
    pub async fn start(target: SocketAddr, seed: u64) -> io::Result<Self> {
        Self::listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), target, seed).await
    }

    /// As [`Self::start`], on an address of the caller's choice.
    ///
    /// # Errors
    /// If it cannot be listened on.
    pub async fn listen(at: SocketAddr, target: SocketAddr, seed: u64) -> io::Result<Self> {
        let listener = TcpListener::bind(at).await?;
        let address = listener.local_addr()?;
        let (orders, receiver) = watch::channel(Orders::default());
        let counters = Arc::new(Counters::default());
        let acceptor = tokio::spawn(accept(listener, target, seed, receiver, Arc::clone(&counters)));
        Ok(Self { address, orders, counters, acceptor })
    }

    /// Where it listens.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What happens from now on, to connections that are there too.
    pub fn set(&self, faults: Faults) {
        self.orders.send_modify(|orders| orders.faults = Arc::new(faults));
    }

    /// Everything passes again.
    pub fn calm(&self) {
        self.set(Faults::default());
    }

    /// Cuts every connection that is there.
    pub fn cut(&self, how: Cut) {
        self.orders.send_modify(|orders| {
            orders.cuts += 1;
            orders.cut = Some(how);
        });
    }

    /// Connections taken so far.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.counters.accepted.load(Ordering::Relaxed)
    }

    /// Connections that are there.
    #[must_use]
    pub fn live(&self) -> usize {
        self.counters.live.load(Ordering::Relaxed)
    }

    /// Connections that were cut here, and not ended by one of the two.
    #[must_use]
    pub fn cuts(&self) -> u64 {
        self.counters.cut.load(Ordering::Relaxed)
    }

    /// Bytes that passed: up to the server, and down to the client.
    #[must_use]
    pub fn bytes(&self) -> (u64, u64) {
        (self.counters.up.load(Ordering::Relaxed), self.counters.down.load(Ordering::Relaxed))
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.cut(Cut::Reset);
        self.acceptor.abort();
    }
}

async fn accept(
    listener: TcpListener,
    target: SocketAddr,
    seed: u64,
    orders: watch::Receiver<Orders>,
    counters: Arc<Counters>,
) {
    let mut number = 0_u64;
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // Out of file descriptors, most likely: others may be given back.
            tokio::time::sleep(Duration::from_millis(10)).await;
            continue;
        };
        number += 1;
        counters.accepted.fetch_add(1, Ordering::Relaxed);
        let mut orders = orders.clone();
        if orders.borrow_and_update().faults.closed {
            counters.cut.fetch_add(1, Ordering::Relaxed);
            reset(&client);
            continue;
        }
        let random = Random::new(seed, number);
        let counters = Arc::clone(&counters);
        tokio::spawn(async move {
            let live = Live::new(&counters);
            pump::connection(client, target, random, orders, &counters).await;
            drop(live);
        });
    }
}

/// Closing then sends a reset, and nothing that was not sent before. If the system does not let it, it is an
/// ordinary close, which cuts as well.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}

/// Counts a connection for as long as it is there.
#[derive(Debug)]
struct Live<'a>(&'a Counters);

impl<'a> Live<'a> {
    fn new(counters: &'a Counters) -> Self {
        counters.live.fetch_add(1, Ordering::Relaxed);
        Self(counters)
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.0.live.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Xorshift: the same numbers for the same seed and connection.
#[derive(Debug, Clone)]
struct Random(u64);

impl Random {
    fn new(seed: u64, stream: u64) -> Self {
        let mixed = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ stream.wrapping_mul(0xD1B5_4A32_D192_ED03);
        Self(mixed | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 >> 11
    }

    fn within(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (low, high) = (range.start().as_micros() as u64, range.end().as_micros() as u64);
        Duration::from_micros(low + self.next() % (high.saturating_sub(low) + 1))
    }
}

#[cfg(test)]
#[allow(clippy::indexing_slicing, reason = "tests")]
#[path = "fault/tests.rs"]
mod tests;
