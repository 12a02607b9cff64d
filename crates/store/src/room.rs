//! Waiting for room on a full disk.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

use crate::Progress;

/// Between two attempts.
const PAUSE: Duration = Duration::from_millis(500);

/// A disk that is full.
#[derive(Debug)]
#[non_exhaustive]
pub struct Stall {
    /// What the system said.
    pub error: io::Error,
}

impl fmt::Display for Stall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the disk of the store is full ({}): make room; it goes on by itself", self.error)
    }
}

type Tell = dyn Fn(Progress) + Send + Sync;

/// Between an engine that meets a full disk and the store whose engine it is.
#[derive(Default)]
pub struct Room {
    state: Mutex<State>,
    changed: Condvar,
    tell: OnceLock<Box<Tell>>,
}

#[derive(Debug, Default)]
struct State {
    stall: Option<Arc<Stall>>,
    given_up: bool,
}

impl Room {
    /// There is none, says the error: waits a while. `false`: it is not worth it any more, the store is being closed.
    #[must_use]
    pub fn wait(&self, error: &io::Error) -> bool {
        let mut state = self.state.lock();
        if state.stall.is_none() && !state.given_up {
            let error = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            let stall = Arc::new(Stall { error });
            state.stall = Some(Arc::clone(&stall));
            drop(state);
            self.say(Progress::Stalled(stall));
            state = self.state.lock();
        }
        if !state.given_up {
            self.changed.wait_for(&mut state, PAUSE);
        }
        !state.given_up
    }

    /// There is room, after all.
    pub fn found(&self) {
        let had = self.state.lock().stall.take().is_some();
        if had {
            self.say(Progress::Resumed);
        }
    }

    fn say(&self, progress: Progress) {
        if let Some(tell) = self.tell.get() {
            tell(progress);
        }
    }

    pub(crate) fn tells(&self, tell: impl Fn(Progress) + Send + Sync + 'static) {
        drop(self.tell.set(Box::new(tell)));
    }

    pub(crate) fn stall(&self) -> Option<Arc<Stall>> {
        self.state.lock().stall.clone()
    }

    pub(crate) fn give_up(&self) {
        self.state.lock().given_up = true;
        self.changed.notify_all();
    }
}

impl fmt::Debug for Room {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Room").field("state", &*self.state.lock()).finish_non_exhaustive()
    }
}
