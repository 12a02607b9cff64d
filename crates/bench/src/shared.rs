//! What the threads of a run and its coordinator have in common.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::task::Waker;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use parking_lot::Mutex;

use crate::plan::{Audience, Plan, Work};
use crate::tracker::Tracker;

/// Where a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Phase {
    /// Connections are made; who is ready waits.
    Connecting,
    /// Publishers send.
    Running,
    /// Publishers have stopped; what is on its way arrives.
    Draining,
    /// Everybody leaves.
    Closing,
}

/// What a link is for. Subscribers come first, then publishers, then the idle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    Subscriber(u32),
    Publisher(u32),
    Idle(u32),
}

/// One publisher's messages, seen from both ends.
#[derive(Debug, Default)]
pub(crate) struct Stream {
    /// Messages that subscribers are past, each counted by each of them.
    passed: AtomicU64,
    /// The publisher wants to be woken when `passed` is there.
    wake_at: AtomicU64,
}

/// A link, as others see it.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    waker: Mutex<Option<Waker>>,
    /// A PINGREQ is due.
    ping: AtomicBool,
    /// Seconds from the epoch to the last write.
    wrote: AtomicU32,
    /// It is connected and has not ended.
    pub(crate) lives: AtomicBool,
}

macro_rules! counters {
    ($($name:ident),* $(,)?) => {
        /// What one thread counts while it goes.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: AtomicU64,)*
        }

        /// The same, at one moment, or for a moment.
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
        pub(crate) struct Counts {
            $(pub(crate) $name: u64,)*
        }

        impl Counters {
            pub(crate) fn add(&self, counts: &Counts) {
                $(if counts.$name > 0 { self.$name.fetch_add(counts.$name, Relaxed); })*
            }
        }

        impl Counts {
            fn of(all: &[ThreadState]) -> Self {
                Self { $($name: all.iter().map(|thread| thread.counters.$name.load(Relaxed)).sum(),)* }
            }
        }
    };
}

counters!(
    sent,
    acknowledged,
    refused,
    delivered,
    duplicated,
    duplicated_with_dup,
    out_of_order,
    foreign,
    corrupt,
    unexpected,
    bytes_sent,
    bytes_received,
    connects,
    connect_failures,
    disconnects,
);

/// What one thread measures.
#[derive(Debug)]
pub(crate) struct ThreadState {
    pub(crate) counters: Counters,
    pub(crate) histograms: Mutex<Histograms>,
}

/// Times, in nanoseconds.
#[derive(Debug, Clone)]
pub(crate) struct Histograms {
    pub(crate) latency: Histogram<u64>,
    pub(crate) acknowledged: Histogram<u64>,
    pub(crate) send_lag: Histogram<u64>,
    pub(crate) connect: Histogram<u64>,
}

impl Histograms {
    pub(crate) fn new() -> Result<Self, hdrhistogram::CreationError> {
        let one = || Histogram::new_with_bounds(1, 600_000_000_000, 3);
        Ok(Self { latency: one()?, acknowledged: one()?, send_lag: one()?, connect: one()? })
    }

    pub(crate) fn add(&mut self, other: &Self) {
        // All have the same bounds.
        let _ = self.latency.add(&other.latency);
        let _ = self.acknowledged.add(&other.acknowledged);
        let _ = self.send_lag.add(&other.send_lag);
        let _ = self.connect.add(&other.connect);
    }

    pub(crate) fn clear(&mut self) {
        self.latency.reset();
        self.acknowledged.reset();
        self.send_lag.reset();
    }
}

/// The whole of it.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) plan: Plan,
    pub(crate) run: u16,
    epoch: Instant,
    phase: AtomicU8,
    /// Nanoseconds from the epoch to the first message at a given rate.
    began: AtomicU64,
    pub(crate) streams: Vec<Stream>,
    /// Who has seen what, where each message is for one of all subscribers.
    pub(crate) together: Vec<Mutex<Tracker>>,
    pub(crate) links: Vec<Handle>,
    pub(crate) threads: Vec<ThreadState>,
    pub(crate) ready: AtomicU32,
    pub(crate) failed: AtomicU32,
    /// Tickets of connections that are only made and left.
    pub(crate) tickets: AtomicU64,
    /// Times that a closed loop stood still and was let go on.
    pub(crate) stalls: AtomicU64,
    errors: Mutex<BTreeMap<String, u64>>,
    pub(crate) refusals: Mutex<BTreeMap<u8, u64>>,
}

/// How many different errors are remembered.
const MAX_ERRORS: usize = 32;

impl Shared {
    pub(crate) fn new(plan: Plan, run: u16) -> Result<Self, hdrhistogram::CreationError> {
        let links = match plan.work {
            Work::Messages => plan.subscribers + plan.publishers + plan.idle,
            Work::Idle => plan.idle,
            Work::Connects => 0,
        };
        let streams = if plan.work == Work::Messages { plan.publishers } else { 0 };
        let together = if plan.audience == Audience::One { streams } else { 0 };
        let threads = (0..plan.threads)
            .map(|_| Ok(ThreadState { counters: Counters::default(), histograms: Mutex::new(Histograms::new()?) }))
            .collect::<Result<_, _>>()?;
        Ok(Self {
            run,
            epoch: Instant::now(),
            phase: AtomicU8::new(0),
            began: AtomicU64::new(0),
            streams: (0..streams).map(|_| Stream::default()).collect(),
            together: (0..together).map(|_| Mutex::default()).collect(),
            links: (0..links).map(|_| Handle::default()).collect(),
            threads,
            ready: AtomicU32::new(0),
            failed: AtomicU32::new(0),
            tickets: AtomicU64::new(0),
            stalls: AtomicU64::new(0),
            errors: Mutex::default(),
            refusals: Mutex::default(),
            plan,
        })
    }

    pub(crate) fn role(&self, link: usize) -> Role {
        let link = u32::try_from(link).unwrap_or(u32::MAX);
        if self.plan.work == Work::Idle {
            return Role::Idle(link);
        }
        if link < self.plan.subscribers {
            return Role::Subscriber(link);
        }
        let link = link - self.plan.subscribers;
        if link < self.plan.publishers { Role::Publisher(link) } else { Role::Idle(link - self.plan.publishers) }
    }

    /// Nanoseconds since the epoch.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.epoch.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    pub(crate) fn at(&self, nanoseconds: u64) -> Instant {
        self.epoch + Duration::from_nanos(nanoseconds)
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.phase.load(Relaxed) {
            0 => Phase::Connecting,
            1 => Phase::Running,
            2 => Phase::Draining,
            _ => Phase::Closing,
        }
    }

    /// Goes on to a phase, and lets every link see it.
    pub(crate) fn enter(&self, phase: Phase) {
        if phase == Phase::Running {
            self.began.store(self.now(), Relaxed);
        }
        self.phase.store(phase as u8, std::sync::atomic::Ordering::SeqCst);
        self.links.iter().for_each(Handle::wake);
    }

    pub(crate) fn began(&self) -> u64 {
        self.began.load(Relaxed)
    }

    /// When a publisher's message should leave, at `per_second` messages of all together.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "times")]
    pub(crate) fn due(&self, publisher: u32, seq: u32, per_second: f64) -> u64 {
        let number = f64::from(seq) * f64::from(self.plan.publishers) + f64::from(publisher);
        self.began() + (number * 1e9 / per_second) as u64
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts::of(&self.threads)
    }

    /// Remembers an error by its words.
    pub(crate) fn error(&self, words: String) {
        let mut errors = self.errors.lock();
        if errors.len() < MAX_ERRORS || errors.contains_key(&words) {
            *errors.entry(words).or_default() += 1;
        } else {
            *errors.entry("other errors".to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn errors(&self) -> BTreeMap<String, u64> {
        self.errors.lock().clone()
    }

    /// The link of a publisher.
    pub(crate) fn publisher_link(&self, publisher: u32) -> Option<&Handle> {
        self.links.get(usize::try_from(self.plan.subscribers + publisher).ok()?)
    }

    /// A subscriber is past so many more of a stream's messages.
    pub(crate) fn pass(&self, stream: u16, messages: u64) {
        let Some(of) = self.streams.get(usize::from(stream)) else { return };
        let passed = of.passed.fetch_add(messages, std::sync::atomic::Ordering::SeqCst) + messages;
        if passed >= of.wake_at.load(std::sync::atomic::Ordering::SeqCst) {
            of.wake_at.store(u64::MAX, std::sync::atomic::Ordering::SeqCst);
            if let Some(link) = self.publisher_link(stream.into()) {
                link.wake();
            }
        }
    }

    /// A closed loop in which something was lost stands still: takes what is on its way for lost, so that it goes on.
    pub(crate) fn forgive(&self) {
        self.stalls.fetch_add(1, Relaxed);
        let window = u64::from(self.plan.window) * u64::from(self.plan.copies());
        for stream in 0..self.streams.len() {
            self.pass(u16::try_from(stream).unwrap_or(u16::MAX), window);
        }
    }

    /// Marks the links that have been silent for so many seconds as due for a PINGREQ.
    pub(crate) fn ping(&self, after: u32) {
        let now = u32::try_from(self.epoch.elapsed().as_secs()).unwrap_or(u32::MAX);
        for link in self.links.iter().filter(|link| link.lives.load(Relaxed)) {
            if now.saturating_sub(link.wrote.load(Relaxed)) >= after {
                link.wrote.store(now, Relaxed);
                link.ping.store(true, Relaxed);
                link.wake();
            }
        }
    }
}

impl Stream {
    pub(crate) fn passed(&self) -> u64 {
        self.passed.load(std::sync::atomic::Ordering::SeqCst)
    }

    /// Asks for a wake-up when `passed` has come that far; `false` if it has already.
    pub(crate) fn wait_for(&self, passed: u64) -> bool {
        self.wake_at.store(passed, std::sync::atomic::Ordering::SeqCst);
        self.passed() < passed
    }
}

impl Handle {
    pub(crate) fn wake(&self) {
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }

    pub(crate) fn register(&self, waker: &Waker) {
        let mut slot = self.waker.lock();
        if slot.as_ref().is_none_or(|known| !known.will_wake(waker)) {
            *slot = Some(waker.clone());
        }
    }

    pub(crate) fn take_ping(&self) -> bool {
        self.ping.load(Relaxed) && self.ping.swap(false, Relaxed)
    }

    pub(crate) fn wrote(&self, now: u64) {
        self.wrote.store(u32::try_from(now / 1_000_000_000).unwrap_or(u32::MAX), Relaxed);
    }
}
