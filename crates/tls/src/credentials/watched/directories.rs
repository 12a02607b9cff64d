//! The directories that the system watches for us.

use std::collections::BTreeSet;
use std::path::PathBuf;

use notify::event::{AccessKind, AccessMode};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};

use super::wanted;

pub(crate) struct Directories {
    paths: Vec<PathBuf>,
    watcher: RecommendedWatcher,
    watched: BTreeSet<PathBuf>,
}

impl Directories {
    /// Calls `changed` whenever something changes in a directory that matters to one of `paths`.
    pub(crate) fn new(paths: &[PathBuf], changed: impl Fn() + Send + 'static) -> notify::Result<Self> {
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            // An error may stand for lost events.
            if event.is_ok_and(|event| !is_change(event.kind)) {
                return;
            }
            changed();
        })?;
        let mut directories = Self { paths: paths.to_vec(), watcher, watched: BTreeSet::new() };
        // What fails now fails again before the first load.
        directories.renew();
        Ok(directories)
    }

    /// Watches what is to be watched now: links may lead elsewhere, and directories may have been made anew. A
    /// directory that is not there is found by a later call; the first error about one that is there is answered.
    pub(crate) fn renew(&mut self) -> Option<notify::Error> {
        let wanted = wanted(&self.paths);
        for gone in self.watched.difference(&wanted) {
            // It may be gone from the disk too.
            let _ = self.watcher.unwatch(gone);
        }
        self.watched.clear();
        let mut failed = None;
        for directory in wanted {
            match self.watcher.watch(&directory, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(directory);
                }
                Err(error) if directory.is_dir() => failed = failed.or(Some(error)),
                Err(_) => {}
            }
        }
        failed
    }
}

/// Reading the files, which this program does too, is none.
const fn is_change(kind: EventKind) -> bool {
    !matches!(kind, EventKind::Access(access) if !matches!(access, AccessKind::Close(AccessMode::Write)))
}
