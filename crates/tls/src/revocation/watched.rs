//! Revocation lists that somebody else replaces, such as a job that fetches them.
//!
//! Files and directories are watched, and read now and then because events get lost; they are also read when a list in
//! force is due to be replaced. What is read replaces what is in force if all of it can be used and none of it is
//! overdue. Otherwise the old lists stay, and what they cover is refused once they are overdue.

use std::collections::BTreeSet;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::schedule::{Action, Schedule};
use super::{ListInfo, Outdated, Revocation, RevocationBuilder, RevocationError};
use crate::credentials::watched::directories::Directories;
use crate::credentials::watcher::{Outcome, Settings};

/// What is in force from one point in time on.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Edition {
    /// Counts from 1, and rises whenever a certificate may be judged otherwise than before: with other lists, and when
    /// one of the lists becomes overdue.
    pub number: u64,
    /// The lists.
    pub revocation: Revocation,
    /// One of them is overdue: what it covers is refused.
    pub overdue: bool,
}

/// How the lists stand, for metrics and logs.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RevocationStatus {
    /// The number of the edition in force.
    pub edition: u64,
    /// Its lists.
    pub lists: Vec<ListInfo>,
    /// When the first of them is due to be replaced, in seconds since 1970.
    pub next_update: Option<u64>,
    /// Why the latest attempt to read them failed; absent after one that did not.
    pub last_error: Option<String>,
    /// Attempts that brought other lists.
    pub reloads: u64,
    /// Attempts that failed.
    pub failures: u64,
}

/// What became of the lists.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// Other lists are in force.
    Replaced {
        /// The number of their edition.
        edition: u64,
        /// How many lists there are.
        lists: usize,
        /// How many certificates they name.
        revoked: usize,
        /// When the first of them is due to be replaced, in seconds since 1970.
        next_update: Option<u64>,
    },
    /// What is there now cannot be used; the old lists stay. The same reason is not told twice in a row.
    Kept {
        /// The number of the edition that stays.
        edition: u64,
        /// What is wrong with the new lists.
        why: String,
    },
    /// A list in force was to be replaced by now, and was not: what it covers is refused from now on.
    Overdue {
        /// The number of the edition that begins.
        edition: u64,
        /// When it was due, in seconds since 1970.
        next_update: u64,
    },
    /// The system refuses to tell about changes; the lists are still read now and then.
    NotWatched {
        /// What it said.
        why: String,
    },
}

type Wall = dyn Fn() -> u64 + Send + Sync;
type OnEvent = dyn Fn(&Event) + Send + Sync;

/// Sets [`WatchedLists`] up.
#[must_use]
pub struct Watch {
    rules: RevocationBuilder,
    paths: Vec<PathBuf>,
    settings: Settings,
    wall: Arc<Wall>,
    on_event: Arc<OnEvent>,
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("rules", &self.rules).field("paths", &self.paths).finish_non_exhaustive()
    }
}

impl Watch {
    /// How patient it is; every 60 s the lists are read in any case when not called.
    pub const fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The clock that lists are judged by, in seconds since 1970; the system's when not called.
    pub fn clock(mut self, wall: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.wall = Arc::new(wall);
        self
    }

    /// Whom to tell, such as a log. Called on the watching task: it must not block.
    pub fn on_event(mut self, on_event: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.on_event = Arc::new(on_event);
        self
    }

    /// Loads the lists, which become edition 1, and watches them until the last clone is dropped. Blocks while it loads.
    ///
    /// # Errors
    /// As [`RevocationBuilder::load`]: there is nothing to fall back on yet.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    pub fn start(self) -> Result<WatchedLists, RevocationError> {
        let revocation = self.rules.load(&self.paths, (self.wall)())?;
        let status = RevocationStatus {
            edition: 1,
            lists: revocation.lists().to_vec(),
            next_update: revocation.next_update(),
            last_error: None,
            reloads: 0,
            failures: 0,
        };
        let (current, _) = watch::channel(Arc::new(Edition { number: 1, revocation, overdue: false }));
        let shared = Arc::new(Shared { current, status: Mutex::new(status), signals: Signals::default() });
        let driver = Driver { watch: self, origin: Instant::now(), shared: Arc::clone(&shared) };
        let task = tokio::spawn(driver.run()).abort_handle();
        Ok(WatchedLists(Arc::new(Inner { shared, task })))
    }
}

/// Revocation lists that are watched. Clones share one task, which ends with the last of them.
#[derive(Debug, Clone)]
pub struct WatchedLists(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    shared: Arc<Shared>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WatchedLists {
    /// Loads the lists of these files and directories under `rules`, and does so again when something changes there.
    pub fn loading(rules: RevocationBuilder, paths: impl IntoIterator<Item = impl Into<PathBuf>>) -> Watch {
        Watch {
            rules,
            paths: paths.into_iter().map(Into::into).collect(),
            settings: Settings::default(),
            wall: Arc::new(system_clock),
            on_event: Arc::new(|_| {}),
        }
    }

    /// What is in force. Does not block and does no I/O.
    #[must_use]
    pub fn current(&self) -> Arc<Edition> {
        Arc::clone(&self.0.shared.current.borrow())
    }

    /// Waits for an edition with a number above `after`.
    pub async fn changed(&self, after: u64) -> Arc<Edition> {
        let mut editions = self.0.shared.current.subscribe();
        let edition = editions.wait_for(|edition| edition.number > after).await.map(|edition| Arc::clone(&edition));
        match edition {
            Ok(edition) => edition,
            // Not while this value is there.
            Err(_) => std::future::pending().await,
        }
    }

    /// How the lists stand.
    #[must_use]
    pub fn status(&self) -> RevocationStatus {
        self.0.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Has the lists read now, such as on a signal.
    pub fn reload(&self) {
        self.0.shared.signals.reload.store(true, Ordering::Relaxed);
        self.0.shared.signals.wake.notify_one();
    }
}

fn system_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

/// What wakes the driver; many changes are one.
#[derive(Debug, Default)]
struct Signals {
    wake: Notify,
    changed: AtomicBool,
    reload: AtomicBool,
}

#[derive(Debug)]
struct Shared {
    current: watch::Sender<Arc<Edition>>,
    status: Mutex<RevocationStatus>,
    signals: Signals,
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut RevocationStatus)) {
        change(&mut self.status.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Puts other lists, or the same ones as overdue, in force and answers the edition's number. The status is there
    /// before the edition.
    fn replace(&self, revocation: Revocation, overdue: bool, note: impl FnOnce(&mut RevocationStatus)) -> u64 {
        let number = self.current.borrow().number.saturating_add(1);
        self.note(|status| {
            status.edition = number;
            note(status);
        });
        self.current.send_replace(Arc::new(Edition { number, revocation, overdue }));
        number
    }
}

struct Driver {
    watch: Watch,
    origin: Instant,
    shared: Arc<Shared>,
}

impl Driver {
    async fn run(self) {
        let current = self.current();
        let (content, due) = (current.0.digest.to_vec(), ends(&current));
        let mut schedule = Schedule::new(self.now(), self.watch.settings, content, due);
        let shared = Arc::clone(&self.shared);
        let changed = move || {
            shared.signals.changed.store(true, Ordering::Relaxed);
            shared.signals.wake.notify_one();
        };
        let mut directories = match Directories::new(&self.watch.paths, changed) {
            Ok(directories) => Some(directories),
            Err(error) => {
                self.tell(&Event::NotWatched { why: error.to_string() });
                None
            }
        };
        // What changed between the first load and the first watch.
        schedule.changed(self.now());
        let mut loaded = None;
        loop {
            while let Some(action) = schedule.next_action() {
                match action {
                    Action::Load => {
                        if let Some(directories) = &mut directories {
                            directories.renew();
                        }
                        let (outcome, revocation) = self.load().await;
                        loaded = revocation;
                        schedule.loaded(self.now(), outcome);
                    }
                    Action::Publish => {
                        if let Some(revocation) = loaded.take() {
                            schedule.in_force(ends(&revocation));
                            self.publish(revocation);
                        }
                    }
                    Action::Keep { why, new } => self.keep(why, new),
                    Action::Confirm => self.shared.note(|status| status.last_error = None),
                    Action::Overdue { next_update } => self.overdue(next_update),
                }
            }
            let timer = async {
                let deadline = schedule.deadline(self.now(), (self.watch.wall)());
                match deadline.and_then(|at| self.origin.checked_add(at)) {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let signals = &self.shared.signals;
            tokio::select! {
                () = signals.wake.notified() => {}
                () = timer => {}
            }
            let now = self.now();
            if signals.reload.swap(false, Ordering::Relaxed) {
                schedule.reload(now);
            }
            if signals.changed.swap(false, Ordering::Relaxed) {
                schedule.changed(now);
            }
            schedule.timeout(now, (self.watch.wall)());
        }
    }

    async fn load(&self) -> (Outcome, Option<Revocation>) {
        let (rules, paths, wall) = (self.watch.rules, self.watch.paths.clone(), Arc::clone(&self.watch.wall));
        let current = self.current();
        let in_force = current.0.digest.to_vec();
        match tokio::task::spawn_blocking(move || rules.load_other(&paths, wall(), &current)).await {
            Ok(Ok(None)) => (Outcome::Good(in_force), None),
            Ok(Ok(Some(revocation))) => (Outcome::Good(revocation.0.digest.to_vec()), Some(revocation)),
            // Reading again does not make it younger.
            Ok(Err(error @ RevocationError::Outdated { .. })) => (Outcome::Unfit(Vec::new(), error.to_string()), None),
            Ok(Err(error)) => (Outcome::Broken(error.to_string()), None),
            Err(_) => (Outcome::Broken("loading was stopped".to_owned()), None),
        }
    }

    fn publish(&self, revocation: Revocation) {
        let (lists, next_update) = (revocation.lists().to_vec(), revocation.next_update());
        let (count, revoked) = (lists.len(), lists.iter().map(|list| list.revoked).sum());
        let edition = self.shared.replace(revocation, false, |status| {
            status.lists = lists;
            status.next_update = next_update;
            status.last_error = None;
            status.reloads = status.reloads.saturating_add(1);
        });
        self.tell(&Event::Replaced { edition, lists: count, revoked, next_update });
    }

    fn keep(&self, why: String, new: bool) {
        self.shared.note(|status| {
            status.last_error = Some(why.clone());
            status.failures = status.failures.saturating_add(1);
        });
        if new {
            self.tell(&Event::Kept { edition: self.shared.current.borrow().number, why });
        }
    }

    fn overdue(&self, next_update: u64) {
        let edition = self.shared.replace(self.current(), true, |_| {});
        self.tell(&Event::Overdue { edition, next_update });
    }

    fn current(&self) -> Revocation {
        self.shared.current.borrow().revocation.clone()
    }

    fn tell(&self, event: &Event) {
        (self.watch.on_event)(event);
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// When something has to be done about lists that are not replaced; never where they are believed all the same.
fn ends(revocation: &Revocation) -> BTreeSet<u64> {
    match revocation.0.rules.outdated {
        Outdated::Refuse => revocation.lists().iter().map(|list| list.next_update).collect(),
        Outdated::Accept => BTreeSet::new(),
    }
}

#[cfg(test)]
#[cfg(feature = "issue")]
mod tests;
