//! A run from its beginning to its end: connect, warm up, measure, let everything arrive, count.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::plan::{Pace, Plan, PlanError, Stop, Target, Work};
use crate::process::Usage;
use crate::report::Report;
use crate::shared::{Counts, Phase, Shared};
use crate::worker::{self, Outcome};

mod account;
mod losses;

/// How often the coordinator looks.
const STEP: Duration = Duration::from_millis(5);
/// A closed loop that stands still for so long has lost something.
const STILL: Duration = Duration::from_secs(1);

/// Why a run could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The name of the broker has no address.
    #[error("the broker's name {host:?} cannot be resolved: {error}")]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        error: io::Error,
    },
    /// Some of the connections were not made.
    #[error("{made} of {wanted} connections were made; {failed} were not, first because {first}")]
    Connect {
        /// Ready.
        made: u32,
        /// Asked for.
        wanted: usize,
        /// Given up.
        failed: u32,
        /// In words.
        first: String,
    },
    /// A process to watch is not there.
    #[error("there is no process {0} to watch: --pid wants the number of one that runs")]
    NoProcess(u32),
    /// The system refused a thread or a runtime.
    #[error("the system refused to run the generator: {0}")]
    System(#[from] io::Error),
    /// A histogram was refused.
    #[error("no histogram: {0}")]
    Histogram(#[from] hdrhistogram::CreationError),
}

/// What is to be seen while it runs.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Progress {
    /// What it does: `connecting`, `warming up`, `running`, `draining`.
    pub phase: &'static str,
    /// Seconds since that began.
    pub seconds: f64,
    /// Connections that are ready, or have been made.
    pub connections: u64,
    /// Messages so far.
    pub sent: u64,
    /// Deliveries so far.
    pub delivered: u64,
    /// Deliveries a second, since the last progress.
    pub per_second: f64,
    /// Deliveries that are to come, if nothing is lost.
    pub in_flight: u64,
    /// Second deliveries so far.
    pub duplicated: u64,
    /// Deliveries out of order so far.
    pub out_of_order: u64,
    /// 99 % are below, in microseconds.
    pub p99_us: f64,
    /// Processor time of the watched processes per delivery since the last progress, in microseconds.
    pub cpu_us: Option<f64>,
    /// Their resident memory, in KiB.
    pub rss_kib: Option<u64>,
}

/// Whoever wants to see it.
pub trait Observer {
    /// About once a second.
    fn progress(&mut self, progress: &Progress);
}

impl Observer for () {
    fn progress(&mut self, _: &Progress) {}
}

/// Carries out a plan. Blocks until everybody has left.
///
/// # Errors
/// If the plan makes no sense, or what it asks for cannot be had. What a broker does wrong under load is no error but
/// in the [`Report`].
pub fn run(plan: Plan, observer: &mut dyn Observer) -> Result<Report, Fault> {
    plan.check()?;
    let addresses = resolve(&plan.target)?;
    let before = Usage::of(&plan.watch);
    if let Some(&gone) = plan.watch.iter().find(|pid| !before.pids.contains(pid)) {
        return Err(Fault::NoProcess(gone));
    }
    let run = number(&plan);
    let shared = Arc::new(Shared::new(plan, run)?);
    let threads = (0..shared.plan.threads)
        .map(|thread| {
            let (shared, addresses) = (Arc::clone(&shared), Arc::clone(&addresses));
            thread::Builder::new()
                .name(format!("bench-{thread}"))
                .spawn(move || worker::run(&shared, &addresses, thread))
        })
        .collect::<io::Result<Vec<_>>>()?;
    let mut run = Run { shared, observer, threads, watch: Watch::new(before) };
    let outcome = run.carry_out();
    run.shared.enter(Phase::Closing);
    let outcomes = run.join()?;
    let measured = outcome?;
    Ok(run.report(&measured, outcomes))
}

/// Tells this run's messages from any other's.
fn number(plan: &Plan) -> u16 {
    let clock = || {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        now.as_nanos() as u64 ^ u64::from(std::process::id()).rotate_left(32)
    };
    let seed = if plan.seed == 0 { clock() } else { plan.seed };
    // The finish of splitmix64: all bits of the seed count.
    let mixed = (seed ^ seed >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    u16::try_from((mixed ^ mixed >> 31) & 0xFFFF).unwrap_or(0)
}

fn resolve(target: &Target) -> Result<Arc<[SocketAddr]>, Fault> {
    let Target::Tcp { host, port } = target else { return Ok(Arc::from([])) };
    let fault = |error| Fault::Resolve { host: host.clone(), error };
    let found: Vec<_> = (host.as_str(), *port).to_socket_addrs().map_err(fault)?.collect();
    if found.is_empty() {
        return Err(fault(io::ErrorKind::NotFound.into()));
    }
    Ok(found.into())
}

/// The watched processes and this one.
struct Watch {
    before: Usage,
    last: Usage,
}

impl Watch {
    fn new(before: Usage) -> Self {
        Self { last: before.clone(), before }
    }
}

struct Run<'a> {
    shared: Arc<Shared>,
    observer: &'a mut dyn Observer,
    threads: Vec<JoinHandle<io::Result<Vec<Outcome>>>>,
    watch: Watch,
}

/// One moment.
#[derive(Debug, Clone)]
struct Moment {
    at: Instant,
    counts: Counts,
    server: Usage,
    own: Usage,
}

/// What was taken while it ran.
#[derive(Debug)]
struct Measured {
    from: Moment,
    to: Moment,
    /// When the last delivery was seen.
    last_delivery: Instant,
    /// Processor time of the watched processes per second while all rested.
    rest_share: Option<f64>,
    rested_rss: u64,
}

/// Says once a second how it goes.
struct Ticker {
    phase: &'static str,
    began: Instant,
    last: Instant,
    counts: Counts,
}

impl Ticker {
    fn new(phase: &'static str, counts: Counts) -> Self {
        let now = Instant::now();
        Self { phase, began: now, last: now, counts }
    }
}

impl Run<'_> {
    fn moment(&self) -> Moment {
        Moment {
            at: Instant::now(),
            counts: self.shared.counts(),
            server: Usage::of(&self.shared.plan.watch),
            own: Usage::of(&[std::process::id()]),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "for people")]
    fn tick(&mut self, ticker: &mut Ticker) {
        let passed = ticker.last.elapsed();
        if passed < Duration::from_secs(1) {
            return;
        }
        let shared = &self.shared;
        let counts = shared.counts();
        let delivered = counts.delivered - ticker.counts.delivered;
        let server = Usage::of(&shared.plan.watch);
        let cpu = server.since(&self.watch.last).cpu_us as f64;
        let done =
            if shared.plan.work == Work::Messages { delivered } else { counts.connects - ticker.counts.connects };
        let mut latency = 0;
        for thread in &shared.threads {
            latency = latency.max(thread.histograms.lock().latency.value_at_quantile(0.99));
        }
        let copies = u64::from(shared.plan.copies());
        let watched = !shared.plan.watch.is_empty();
        let progress = Progress {
            phase: ticker.phase,
            seconds: ticker.began.elapsed().as_secs_f64(),
            connections: if shared.plan.work == Work::Connects {
                counts.connects
            } else {
                shared.ready.load(Relaxed).into()
            },
            sent: counts.sent,
            delivered: counts.delivered,
            per_second: done as f64 / passed.as_secs_f64(),
            in_flight: (counts.sent * copies).saturating_sub(counts.delivered),
            duplicated: counts.duplicated,
            out_of_order: counts.out_of_order,
            p99_us: latency as f64 / 1000.0,
            cpu_us: (watched && done > 0).then(|| cpu / done as f64),
            rss_kib: watched.then_some(server.rss_kib),
        };
        self.observer.progress(&progress);
        self.watch.last = server;
        ticker.last = Instant::now();
        ticker.counts = counts;
        let after = u32::from(shared.plan.connect.keep_alive) / 2;
        if after > 0 {
            shared.ping(after);
        }
    }

    fn carry_out(&mut self) -> Result<Measured, Fault> {
        match self.shared.plan.work {
            Work::Messages => self.messages(),
            Work::Connects => self.connects(),
            Work::Idle => self.idle(),
        }
    }

    fn all_ready(&mut self) -> Result<(), Fault> {
        let wanted = self.shared.links.len();
        let mut ticker = Ticker::new("connecting", self.shared.counts());
        loop {
            let (made, failed) = (self.shared.ready.load(Relaxed), self.shared.failed.load(Relaxed));
            // One that is missing makes the run another one; the others are waited for, so that all is said.
            let over = self.threads.iter().any(JoinHandle::is_finished);
            if failed > 0 && (u64::from(made) + u64::from(failed) >= wanted as u64 || failed > 64) || over {
                let first = self.shared.errors().into_iter().max_by_key(|(_, count)| *count);
                let first = first.map_or_else(|| "a thread of the generator ended".to_owned(), |(words, _)| words);
                return Err(Fault::Connect { made, wanted, failed, first });
            }
            if made as usize >= wanted {
                return Ok(());
            }
            thread::sleep(STEP);
            self.tick(&mut ticker);
        }
    }

    /// Waits that long, or until `over`.
    fn wait(&mut self, phase: &'static str, time: Duration, mut over: impl FnMut(&Shared) -> bool) {
        let mut ticker = Ticker::new(phase, self.shared.counts());
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || over(&self.shared) {
                return;
            }
            thread::sleep(left.min(STEP));
            self.tick(&mut ticker);
        }
    }

    fn messages(&mut self) -> Result<Measured, Fault> {
        self.all_ready()?;
        let shared = Arc::clone(&self.shared);
        let plan = &shared.plan;
        shared.enter(Phase::Running);
        let gone = |shared: &Shared| shared.links.iter().all(|link| !link.lives.load(Relaxed));
        if matches!(plan.stop, Stop::After(_)) {
            self.wait("warming up", plan.warmup, gone);
            for thread in &shared.threads {
                thread.histograms.lock().clear();
            }
        }
        let from = self.moment();
        self.watch.last = from.server.clone();
        let (time, count) = match plan.stop {
            Stop::After(time) => (time, u64::MAX),
            Stop::Count(count) => (Duration::from_secs(86_400), count),
        };
        let mut still = Still::new(&shared);
        let forgives = plan.pace == Pace::Closed;
        self.wait("running", time, |shared| {
            if still.since(shared) > STILL && forgives {
                shared.forgive();
                still = Still::new(shared);
            }
            shared.counts().sent >= count || gone(shared)
        });
        shared.enter(Phase::Draining);
        let copies = u64::from(plan.copies());
        let drain = plan.drain;
        let mut still = Still::new(&shared);
        self.wait("draining", Duration::from_secs(3600), |shared| {
            let counts = shared.counts();
            let settled =
                plan.qos == gridmq_proto::QoS::AtMostOnce || counts.acknowledged + counts.refused >= counts.sent;
            let all = counts.delivered >= (counts.sent - counts.refused) * copies && settled;
            all || still.since(shared) > drain || gone(shared)
        });
        let last_delivery = still.at;
        let to = self.moment();
        let rested_rss = to.server.rss_kib;
        Ok(Measured { from, to, last_delivery, rest_share: None, rested_rss })
    }

    fn connects(&mut self) -> Result<Measured, Fault> {
        let shared = Arc::clone(&self.shared);
        let (time, count) = match shared.plan.stop {
            Stop::After(time) => (time, u64::MAX),
            Stop::Count(count) => (Duration::from_secs(86_400), count),
        };
        let from = self.moment();
        shared.enter(Phase::Running);
        self.wait("connecting", time, |shared| {
            let counts = shared.counts();
            counts.connects + counts.connect_failures >= count
                || (counts.connects == 0 && counts.connect_failures > 256)
        });
        let to = self.moment();
        if to.counts.connects == 0 {
            let first = shared.errors().into_iter().next().map_or_else(String::new, |(words, _)| words);
            let failed = u32::try_from(to.counts.connect_failures).unwrap_or(u32::MAX);
            return Err(Fault::Connect {
                made: 0,
                wanted: usize::try_from(count).unwrap_or(usize::MAX),
                failed,
                first,
            });
        }
        let (last_delivery, rested_rss) = (to.at, to.server.rss_kib);
        Ok(Measured { from, to, last_delivery, rest_share: None, rested_rss })
    }

    fn idle(&mut self) -> Result<Measured, Fault> {
        let from = self.moment();
        self.all_ready()?;
        let to = self.moment();
        let rest = self.shared.plan.rest;
        self.wait("resting", rest, |_| false);
        let rested = self.moment();
        let spent = rested.server.since(&to.server).cpu_us;
        #[allow(clippy::cast_precision_loss, reason = "a share")]
        let share = (!rest.is_zero()).then(|| spent as f64 / (rested.at - to.at).as_micros() as f64);
        let last_delivery = to.at;
        Ok(Measured { from, to, last_delivery, rest_share: share, rested_rss: rested.server.rss_kib })
    }

    fn join(&mut self) -> Result<Vec<Outcome>, Fault> {
        let mut all = Vec::new();
        for thread in self.threads.drain(..) {
            let outcome = thread.join().map_err(|_| io::Error::other("a thread of the generator broke off"))?;
            all.extend(outcome?);
        }
        Ok(all)
    }
}

/// Since when nothing has arrived.
struct Still {
    at: Instant,
    counts: (u64, u64),
}

impl Still {
    fn new(shared: &Shared) -> Self {
        Self { at: Instant::now(), counts: Self::counts(shared) }
    }

    fn counts(shared: &Shared) -> (u64, u64) {
        let counts = shared.counts();
        (counts.delivered + counts.duplicated, counts.acknowledged + counts.refused)
    }

    fn since(&mut self, shared: &Shared) -> Duration {
        let counts = Self::counts(shared);
        if counts != self.counts {
            (self.at, self.counts) = (Instant::now(), counts);
        }
        self.at.elapsed()
    }
}
