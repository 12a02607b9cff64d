//! A disk that hangs before one of its syncs, until its power goes.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};

use gridmq_store::{Disk, SimDisk};

/// A simulated disk that hangs at the sync of that number. A clone is the same disk.
#[derive(Debug, Clone)]
pub struct Plug {
    disk: SimDisk,
    at: u64,
    state: Arc<(Mutex<State>, Condvar)>,
}

#[derive(Debug, Default)]
struct State {
    hangs: bool,
    pulled: bool,
}

impl Plug {
    /// A disk that hangs before that sync, the first being 0.
    #[must_use]
    pub fn new(disk: SimDisk, at: u64) -> Self {
        Self { disk, at, state: Arc::default() }
    }

    /// One that never hangs.
    #[must_use]
    pub fn never(disk: SimDisk) -> Self {
        Self::new(disk, u64::MAX)
    }

    /// The disk itself.
    #[must_use]
    pub const fn disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Whether it does.
    #[must_use]
    pub fn hangs(&self) -> bool {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).hangs
    }

    /// Has the power go where it hangs, or when it would.
    pub fn pull(&self) {
        self.state.0.lock().unwrap_or_else(PoisonError::into_inner).pulled = true;
        self.state.1.notify_all();
    }
}

impl Disk for Plug {
    fn len(&self) -> io::Result<u64> {
        self.disk.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.disk.set_len(len)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.disk.read(at, out)
    }

    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        self.disk.write(at, data)
    }

    fn sync(&self) -> io::Result<()> {
        if self.disk.syncs() == self.at {
            let mut state = self.state.0.lock().unwrap_or_else(PoisonError::into_inner);
            state.hangs = true;
            drop(self.state.1.wait_while(state, |state| !state.pulled).unwrap_or_else(PoisonError::into_inner));
            self.disk.power_off();
        }
        self.disk.sync()
    }
}
