//! One thread of the generator: a runtime, and the links that are its.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, Instant};

use tokio::sync::Semaphore;
use tokio::task::LocalSet;
use tokio::time::{sleep_until, timeout};

use crate::link::{End, Link, Scratch};
use crate::open::{LinkError, connect, leave};
use crate::pacer;
use crate::plan::{Plan, Stop, Work};
use crate::publisher::Publisher;
use crate::shared::{Phase, Role, Shared};
use crate::subscriber::Subscriber;
use crate::tracker::Tracker;
use crate::transport;

/// What a link knows at its end.
#[derive(Debug)]
pub(crate) enum Outcome {
    Published {
        publisher: u32,
        sent: u32,
        acknowledged: Tracker,
        settled: bool,
    },
    /// The trackers of the streams from `first` on.
    Received {
        first: u32,
        trackers: Vec<Tracker>,
    },
}

/// Carries out this thread's part; comes back when everybody has left.
pub(crate) fn run(shared: &Arc<Shared>, addresses: &Arc<[SocketAddr]>, thread: usize) -> std::io::Result<Vec<Outcome>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().event_interval(31).build()?;
    let local = LocalSet::new();
    let outcomes = Rc::new(RefCell::new(Vec::new()));
    let scratch = Rc::new(RefCell::new(Scratch::new(thread)));
    let threads = shared.plan.threads;
    let share = (shared.plan.connect.concurrency as usize).div_ceil(threads).max(1);
    let permits = Rc::new(Semaphore::new(share));
    if shared.plan.work == Work::Connects {
        for _ in 0..share {
            local.spawn_local(connector(Arc::clone(shared), Arc::clone(addresses), thread));
        }
    }
    for number in (thread..shared.links.len()).step_by(threads) {
        let place = Place {
            number,
            shared: Arc::clone(shared),
            addresses: Arc::clone(addresses),
            scratch: Rc::clone(&scratch),
            permits: Rc::clone(&permits),
        };
        let outcomes = Rc::clone(&outcomes);
        local.spawn_local(async move {
            let outcome = place.live().await;
            outcomes.borrow_mut().extend(outcome);
        });
    }
    let publishers = (thread..shared.links.len()).step_by(threads).filter_map(|link| match shared.role(link) {
        Role::Publisher(number) => Some(number),
        _ => None,
    });
    let publishers = publishers.collect::<Vec<_>>();
    let paced = Arc::clone(shared);
    local.spawn_local(async move {
        while paced.phase() == Phase::Connecting {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        pacer::run(paced, publishers).await;
    });
    runtime.block_on(local);
    Ok(outcomes.take())
}

/// What a link needs to begin.
struct Place {
    number: usize,
    shared: Arc<Shared>,
    addresses: Arc<[SocketAddr]>,
    scratch: Rc<RefCell<Scratch>>,
    permits: Rc<Semaphore>,
}

impl Place {
    async fn live(self) -> Option<Outcome> {
        let (shared, number) = (Arc::clone(&self.shared), self.number);
        let mut link = match Box::pin(self.open()).await {
            Ok(link) => link,
            Err(error) => {
                shared.error(error.to_string());
                shared.failed.fetch_add(1, Relaxed);
                return None;
            }
        };
        let handle = shared.links.get(number)?;
        handle.lives.store(true, Relaxed);
        shared.ready.fetch_add(1, Relaxed);
        let end = std::future::poll_fn(|cx| link.poll(cx)).await;
        handle.lives.store(false, Relaxed);
        match end {
            End::Asked => Box::pin(leave(&mut link.io)).await,
            End::Lost(words) => {
                shared.error(words);
                let thread = link.scratch.borrow().thread;
                if let Some(thread) = shared.threads.get(thread) {
                    thread.counters.disconnects.fetch_add(1, Relaxed);
                }
            }
        }
        match (link.publisher, link.subscriber, shared.role(number)) {
            (Some(of), _, Role::Publisher(publisher)) => {
                let settled = of.settled();
                Some(Outcome::Published { publisher, sent: of.sent, acknowledged: of.acknowledged, settled })
            }
            (_, Some(of), _) => Some(Outcome::Received { first: of.first, trackers: of.trackers }),
            _ => None,
        }
    }

    async fn open(self) -> Result<Link, LinkError> {
        let Self { number, shared, addresses, scratch, permits } = self;
        let permit = permits.acquire().await;
        if let Some(rate) = shared.plan.connect.rate {
            let ticket = shared.tickets.fetch_add(1, Relaxed);
            sleep_until(begin(&shared, ticket, rate).into()).await;
        }
        if shared.phase() == Phase::Closing {
            return Err(LinkError::Late);
        }
        let plan = &shared.plan;
        let (thread, role) = (scratch.borrow().thread, shared.role(number));
        let limit = plan.connect.timeout;
        let began = Instant::now();
        let outcome = timeout(limit, opened(plan, &shared, &addresses, number, role)).await;
        let state = shared.threads.get(thread);
        let opened = match outcome.unwrap_or(Err(LinkError::Late)) {
            Ok(opened) => opened,
            Err(error) => {
                if let Some(state) = state {
                    state.counters.connect_failures.fetch_add(1, Relaxed);
                }
                return Err(error);
            }
        };
        let (mut opening, receive_maximum) = opened;
        if let Some(state) = state {
            state.counters.connects.fetch_add(1, Relaxed);
            let _ = state.histograms.lock().connect.record(nanoseconds(began.elapsed()));
        }
        let mut subscriber = None;
        let mut publisher = None;
        match role {
            Role::Subscriber(of) => {
                let filters = plan.filters_of(shared.run, of, true);
                let foreign = timeout(limit * 3, opening.subscribe(plan, &filters)).await;
                let foreign = foreign.unwrap_or(Err(LinkError::Late))?;
                if let Some(state) = state {
                    state.counters.foreign.fetch_add(foreign, Relaxed);
                }
                subscriber = Some(Box::new(Subscriber::new(&shared, of)));
            }
            Role::Publisher(of) => publisher = Some(Box::new(Publisher::new(&shared, of, receive_maximum)?)),
            Role::Idle(_) => {}
        }
        drop(permit);
        let tail = opening.rest.to_vec();
        Ok(Link {
            io: opening.io,
            number,
            scratch,
            tail,
            answers: Vec::new(),
            answered: 0,
            unflushed: false,
            publisher,
            subscriber,
            shared,
        })
    }
}

async fn opened(
    plan: &Plan,
    shared: &Shared,
    addresses: &[SocketAddr],
    number: usize,
    role: Role,
) -> Result<(crate::open::Opening, u16), LinkError> {
    let io = transport::open(plan, addresses, number).await?;
    let (role, of) = match role {
        Role::Subscriber(of) => ("sub", of),
        Role::Publisher(of) => ("pub", of),
        Role::Idle(of) => ("idle", of),
    };
    let (opening, ack) = connect(plan, io, client_id(shared, role, of.into()), number).await?;
    Ok((opening, ack.properties.receive_maximum.map_or(u16::MAX, std::num::NonZero::get)))
}

fn client_id(shared: &Shared, role: &str, number: u64) -> String {
    let id = shared.plan.connect.client_id.replace("{run}", &format!("{:04x}", shared.run));
    id.replace("{role}", role).replace("{i}", &number.to_string())
}

#[allow(clippy::cast_precision_loss, reason = "a number of connections")]
fn begin(shared: &Shared, ticket: u64, rate: f64) -> Instant {
    shared.at(0) + Duration::from_secs_f64(ticket as f64 / rate)
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1)
}

/// Makes connections and leaves them, as long as there are tickets.
async fn connector(shared: Arc<Shared>, addresses: Arc<[SocketAddr]>, thread: usize) {
    let Some(state) = shared.threads.get(thread) else { return };
    while shared.phase() == Phase::Connecting {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let all = match shared.plan.stop {
        Stop::Count(all) => all,
        Stop::After(_) => u64::MAX,
    };
    while shared.phase() == Phase::Running {
        let ticket = shared.tickets.fetch_add(1, Relaxed);
        if ticket >= all {
            return;
        }
        if let Some(rate) = shared.plan.connect.rate {
            let at = shared.at(shared.began()) + Duration::from_secs_f64(tickets(ticket) / rate);
            sleep_until(at.into()).await;
        }
        let number = usize::try_from(ticket).unwrap_or(0);
        let began = Instant::now();
        let one = async {
            let io = transport::open(&shared.plan, &addresses, number).await?;
            connect(&shared.plan, io, client_id(&shared, "conn", ticket), number).await
        };
        match timeout(shared.plan.connect.timeout, Box::pin(one)).await.unwrap_or(Err(LinkError::Late)) {
            Ok((mut opening, _)) => {
                let _ = state.histograms.lock().connect.record(nanoseconds(began.elapsed()));
                Box::pin(leave(&mut opening.io)).await;
                state.counters.connects.fetch_add(1, Relaxed);
            }
            Err(error) => {
                shared.error(error.to_string());
                state.counters.connect_failures.fetch_add(1, Relaxed);
            }
        }
    }
}

#[allow(clippy::cast_precision_loss, reason = "a number of connections")]
const fn tickets(ticket: u64) -> f64 {
    ticket as f64
}
