//! Files that somebody else replaces: by rename, in place, or the way a Kubernetes volume does.
//!
//! Directories are watched, not files: a file's watch goes with the file. Because events get lost (a
//! network file system tells none), the files are also read now and then.

use std::collections::BTreeSet;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::watcher::{Action, ContentHash, Outcome, Settings, Watcher};
use super::{Changed, CredentialProvider, CredentialStatus, Generation, Published, Usage};
use crate::identity::{Identity, IdentityError};

pub(crate) mod directories;

use directories::Directories;

/// What became of a change of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// There is a new generation.
    Replaced {
        /// Its number.
        generation: u64,
        /// The subject of its leaf.
        subject: String,
        /// The leaf's SHA-256 thumbprint: 64 lower-case hexadecimal digits.
        thumbprint_sha256: String,
        /// The last second of the leaf's validity, in seconds since 1970.
        not_after: u64,
    },
    /// The files hold something that cannot be used; the old generation stays. The same reason is
    /// not told twice in a row.
    Kept {
        /// The number of the generation that stays.
        generation: u64,
        /// What is wrong with the new one.
        why: String,
    },
    /// The system refuses to tell about changes; the files are still read now and then.
    NotWatched {
        /// What it said.
        why: String,
    },
}

type Load<E> = dyn Fn() -> Result<Identity, E> + Send + Sync;
type Wall = dyn Fn() -> u64 + Send + Sync;
type OnEvent = dyn Fn(&Event) + Send + Sync;

/// Sets [`WatchedFiles`] up.
#[must_use]
pub struct Watch<E> {
    paths: Vec<PathBuf>,
    load: Arc<Load<E>>,
    usage: Usage,
    settings: Settings,
    wall: Arc<Wall>,
    on_event: Arc<OnEvent>,
}

impl<E> fmt::Debug for Watch<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").field("paths", &self.paths).field("usage", &self.usage).finish_non_exhaustive()
    }
}

impl<E: Error + Send + 'static> Watch<E> {
    /// What the identity is to prove; [`Usage::Client`] when not called. One that cannot does not
    /// become current.
    pub const fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    /// How patient it is.
    pub const fn settings(mut self, settings: Settings) -> Self {
        self.settings = settings;
        self
    }

    /// The clock that certificates are judged by, in seconds since 1970; the system's when not called.
    pub fn clock(mut self, wall: impl Fn() -> u64 + Send + Sync + 'static) -> Self {
        self.wall = Arc::new(wall);
        self
    }

    /// Whom to tell, such as a log. Called on the watching task: it must not block.
    pub fn on_event(mut self, on_event: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.on_event = Arc::new(on_event);
        self
    }

    /// Loads the files, which become generation 1, and watches them until the last clone is dropped.
    ///
    /// The first identity is taken as it is. What speaks against it stands in the status.
    ///
    /// # Errors
    /// What loading says.
    ///
    /// # Panics
    /// Outside of a tokio runtime with time enabled.
    pub fn start(self) -> Result<WatchedFiles, E> {
        let identity = (self.load)()?;
        let content = content(&identity);
        let unfit = self.usage.refuses(&identity, (self.wall)());
        let published = Published::new(identity);
        if let Some(why) = unfit {
            published.failed(why);
        }
        let signals = Arc::new(Signals::default());
        let driver =
            Driver { watch: self, origin: Instant::now(), published: published.clone(), signals: Arc::clone(&signals) };
        let task = tokio::spawn(driver.run(content)).abort_handle();
        Ok(WatchedFiles(Arc::new(Inner { published, signals, task })))
    }
}

/// Identities from files that are watched. Clones share one task, which ends with the last of them.
///
/// A new identity becomes current when it was loaded as a whole and nothing speaks against it: the
/// key belongs to the certificate, which is valid now and may be used so. Until then the old one
/// stays.
#[derive(Debug, Clone)]
pub struct WatchedFiles(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    published: Published,
    signals: Arc<Signals>,
    task: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl WatchedFiles {
    /// Loads by `load` whatever it wants, and does so again when something changes beside one of
    /// `paths` or beside what they link to.
    pub fn loading<E: Error + Send + 'static>(
        paths: impl IntoIterator<Item = impl Into<PathBuf>>,
        load: impl Fn() -> Result<Identity, E> + Send + Sync + 'static,
    ) -> Watch<E> {
        Watch {
            paths: paths.into_iter().map(Into::into).collect(),
            load: Arc::new(load),
            usage: Usage::default(),
            settings: Settings::default(),
            wall: Arc::new(system_clock),
            on_event: Arc::new(|_| {}),
        }
    }

    /// Loads certificates and key from PEM files, which may be the same one.
    pub fn pem(certificate: &Path, key: &Path) -> Watch<IdentityError> {
        let (certificate, key) = (certificate.to_owned(), key.to_owned());
        Self::loading([certificate.clone(), key.clone()], move || Identity::from_pem_files(&certificate, &key))
    }

    /// Has the files read now, such as on a signal.
    pub fn reload(&self) {
        self.0.signals.reload.store(true, Ordering::Relaxed);
        self.0.signals.wake.notify_one();
    }
}

impl CredentialProvider for WatchedFiles {
    fn current(&self) -> Arc<Generation> {
        self.0.published.current()
    }

    fn changed(&self, after: u64) -> Changed<'_> {
        self.0.published.changed(after)
    }

    fn status(&self) -> CredentialStatus {
        self.0.published.status()
    }
}

fn system_clock() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

fn content(identity: &Identity) -> ContentHash {
    identity.chain().iter().flat_map(|certificate| certificate.thumbprint_sha256().bytes()).collect()
}

/// What wakes the driver; many changes are one.
#[derive(Debug, Default)]
struct Signals {
    wake: Notify,
    changed: AtomicBool,
    reload: AtomicBool,
}

impl Signals {
    fn change(&self) {
        self.changed.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }
}

struct Driver<E> {
    watch: Watch<E>,
    origin: Instant,
    published: Published,
    signals: Arc<Signals>,
}

impl<E: Error + Send + 'static> Driver<E> {
    async fn run(self, current: ContentHash) {
        let mut machine = Watcher::new(self.now(), self.watch.settings, current);
        let signals = Arc::clone(&self.signals);
        let mut directories = match Directories::new(&self.watch.paths, move || signals.change()) {
            Ok(directories) => Some(directories),
            Err(error) => {
                self.tell(&Event::NotWatched { why: error.to_string() });
                None
            }
        };
        // What changed between the first load and the first watch.
        machine.changed(self.now());
        let (mut loaded, mut unwatched) = (None, None);
        loop {
            while let Some(action) = machine.next_action() {
                match action {
                    Action::Load => {
                        let failed = directories.as_mut().and_then(Directories::renew).map(|error| error.to_string());
                        if unwatched != failed {
                            unwatched.clone_from(&failed);
                            failed.into_iter().for_each(|why| self.tell(&Event::NotWatched { why }));
                        }
                        let (outcome, identity) = self.load().await;
                        loaded = identity;
                        machine.loaded(self.now(), outcome);
                    }
                    Action::Publish => {
                        if let Some(identity) = loaded.take() {
                            self.publish(identity);
                        }
                    }
                    Action::Keep { why, new } => self.keep(why, new),
                    Action::Confirm => self.published.confirmed(),
                }
            }
            let timer = async {
                match machine.deadline().and_then(|at| self.origin.checked_add(at)) {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = self.signals.wake.notified() => {}
                () = timer => {}
            }
            let now = self.now();
            if self.signals.reload.swap(false, Ordering::Relaxed) {
                machine.reload(now);
            }
            if self.signals.changed.swap(false, Ordering::Relaxed) {
                machine.changed(now);
            }
            machine.timeout(now);
        }
    }

    async fn load(&self) -> (Outcome, Option<Identity>) {
        let load = Arc::clone(&self.watch.load);
        match tokio::task::spawn_blocking(move || load()).await {
            Ok(Ok(identity)) => {
                let content = content(&identity);
                match self.watch.usage.refuses(&identity, (self.watch.wall)()) {
                    Some(why) => (Outcome::Unfit(content, why), None),
                    None => (Outcome::Good(content), Some(identity)),
                }
            }
            Ok(Err(error)) => (Outcome::Broken(error.to_string()), None),
            Err(_) => (Outcome::Broken("loading was stopped".to_owned()), None),
        }
    }

    fn publish(&self, identity: Identity) {
        let (subject, thumbprint_sha256) = (identity.subject(), identity.thumbprint_sha256().to_owned());
        let not_after = identity.not_after();
        let generation = self.published.publish(identity);
        self.tell(&Event::Replaced { generation, subject, thumbprint_sha256, not_after });
    }

    fn keep(&self, why: String, new: bool) {
        self.published.failed(&why);
        if new {
            self.tell(&Event::Kept { generation: self.published.current().number, why });
        }
    }

    fn tell(&self, event: &Event) {
        (self.watch.on_event)(event);
    }

    fn now(&self) -> Duration {
        self.origin.elapsed()
    }
}

/// Every directory in which a change can matter: of each path as it is given and of what it links to, and the path
/// itself if it is one.
fn wanted(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut wanted = BTreeSet::new();
    for path in paths {
        for path in [Some(path.clone()), path.canonicalize().ok()].into_iter().flatten() {
            if let Some(parent) = path.parent() {
                let here = parent.as_os_str().is_empty();
                wanted.insert(if here { PathBuf::from(".") } else { parent.to_owned() });
            }
            if path.is_dir() {
                wanted.insert(path);
            }
        }
    }
    wanted
}

#[cfg(test)]
#[cfg(all(feature = "issue", unix))]
mod tests;
