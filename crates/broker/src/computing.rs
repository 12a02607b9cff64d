//! Work that rules want done before they judge a CONNECT: on threads of their own, a bounded amount.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gridmq_namespace::gate::{Computation, Proof};
use tokio::sync::Semaphore;

/// What all workers have computed together.
#[derive(Debug)]
pub(crate) struct Computing {
    running: Arc<Semaphore>,
    /// Those that run, and those that wait for it.
    present: Arc<AtomicUsize>,
    maximum: usize,
}

/// A place among those that run or wait.
#[derive(Debug)]
pub(crate) struct Place {
    running: Arc<Semaphore>,
    present: Arc<AtomicUsize>,
}

impl Computing {
    pub(crate) fn new(running: usize, waiting: usize) -> Self {
        let running = running.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            running: Arc::new(Semaphore::new(running)),
            present: Arc::default(),
            maximum: running.saturating_add(waiting),
        }
    }

    /// `None`: as many wait as may.
    pub(crate) fn enter(&self) -> Option<Place> {
        let before = self.present.fetch_add(1, Ordering::Relaxed);
        let place = Place { running: Arc::clone(&self.running), present: Arc::clone(&self.present) };
        (before < self.maximum).then_some(place)
    }
}

impl Place {
    /// `None`: the work panicked.
    pub(crate) async fn run(self, work: Computation) -> Option<Proof> {
        let permit = Arc::clone(&self.running).acquire_owned().await.ok()?;
        // Both go with the work: once it runs, nothing stops it.
        let work = move || {
            let _held = (permit, self);
            work.run()
        };
        tokio::task::spawn_blocking(work).await.ok()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.present.fetch_sub(1, Ordering::Relaxed);
    }
}
