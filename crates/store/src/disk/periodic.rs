//! A file that is synced now and then.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// Syncs what was written since the last time, once per interval, on a thread of its own.
pub(super) struct Periodic {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_due: bool,
    is_ended: bool,
    /// The first sync that failed. None is tried after it: nobody knows what the disk has.
    failure: Option<io::Error>,
}

impl Periodic {
    pub(super) fn start(
        interval: Duration,
        mut sync: impl FnMut() -> io::Result<()> + Send + 'static,
    ) -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let thread =
            thread::Builder::new().name("store-sync".to_owned()).spawn(move || theirs.run(interval, &mut sync))?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// Something was written that is to be synced in time.
    ///
    /// # Errors
    /// When an earlier sync failed.
    pub(super) fn due(&self) -> io::Result<()> {
        let mut state = self.shared.state.lock();
        state.is_due = true;
        let failed = state.failure();
        drop(state);
        self.shared.changed.notify_one();
        failed
    }

    /// Syncs what is due, and ends.
    ///
    /// # Errors
    /// When that or an earlier sync failed.
    pub(super) fn end(&self) -> io::Result<()> {
        self.shared.state.lock().is_ended = true;
        self.shared.changed.notify_one();
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            return Err(io::Error::other("the thread that syncs has stopped"));
        }
        self.shared.state.lock().failure()
    }
}

impl State {
    fn failure(&self) -> io::Result<()> {
        let Some(error) = &self.failure else { return Ok(()) };
        Err(error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error))
    }
}

impl Shared {
    fn run(&self, interval: Duration, sync: &mut dyn FnMut() -> io::Result<()>) {
        let mut state = self.state.lock();
        loop {
            while !state.is_due && !state.is_ended {
                self.changed.wait(&mut state);
            }
            // What comes in the meantime goes along. Each word of what is due wakes this, and changes nothing.
            let _: parking_lot::WaitTimeoutResult =
                self.changed.wait_while_for(&mut state, |state| !state.is_ended, interval);
            if std::mem::take(&mut state.is_due) && state.failure.is_none() {
                drop(state);
                let synced = sync();
                state = self.state.lock();
                state.failure = synced.err();
            }
            if state.is_ended && !state.is_due {
                return;
            }
        }
    }
}

impl Drop for Periodic {
    fn drop(&mut self) {
        drop(self.end());
    }
}

impl fmt::Debug for Periodic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Periodic").field("is_due", &self.shared.state.lock().is_due).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(10);

    /// One that syncs at once, and says so.
    fn eager(mut outcome: impl FnMut() -> io::Result<()> + Send + 'static) -> (Periodic, Receiver<()>) {
        let (say, said) = sync_channel(10);
        let sync = move || {
            say.send(()).unwrap();
            outcome()
        };
        (Periodic::start(Duration::ZERO, sync).unwrap(), said)
    }

    #[test]
    fn what_is_written_is_synced_without_being_closed_and_only_then() {
        let (periodic, synced) = eager(|| Ok(()));
        for _ in 0..3 {
            periodic.due().unwrap();
            synced.recv_timeout(PATIENCE).unwrap();
        }
        periodic.end().unwrap();
        assert!(synced.try_recv().is_err(), "nothing was due");
    }

    #[test]
    fn what_is_due_at_the_end_is_synced_then() {
        let (say, said) = sync_channel(10);
        let sync = move || {
            say.send(()).unwrap();
            Ok(())
        };
        let periodic = Periodic::start(Duration::from_secs(3600), sync).unwrap();
        periodic.due().unwrap();
        periodic.due().unwrap();
        periodic.end().unwrap();
        assert_eq!(said.try_iter().count(), 1);
    }

    #[test]
    fn a_failed_sync_is_said_and_not_tried_again() {
        let (periodic, synced) = eager(|| Err(io::ErrorKind::StorageFull.into()));
        periodic.due().unwrap();
        synced.recv_timeout(PATIENCE).unwrap();
        assert_eq!(periodic.end().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert_eq!(periodic.due().unwrap_err().kind(), io::ErrorKind::StorageFull);
        assert!(synced.try_recv().is_err());
    }
}
