//! The thread that the work is done in, and waiting for it.

use std::future::IntoFuture as _;
use std::io;
use std::pin::pin;
use std::sync::mpsc::{Receiver, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle};
use tokio::sync::oneshot;

use super::Error;
use crate::error::ConnectError;

/// How long leaving in order may take when the client is dropped.
const LEAVE: Duration = Duration::from_secs(3);
/// And the end of the thread after it.
const END: Duration = Duration::from_millis(500);

/// Nobody may wait here: other tasks would stand still.
#[derive(Debug)]
pub(super) struct Inside;

/// A runtime in a thread of its own. Dropping it has the client leave, then ends the thread.
#[derive(Debug)]
pub(super) struct Engine {
    handle: Handle,
    client: Option<crate::Client>,
    stop: Option<oneshot::Sender<()>>,
    /// Ends with the thread.
    ended: Mutex<Receiver<()>>,
}

impl Engine {
    pub(super) fn start() -> Result<Self, Error<ConnectError>> {
        outside()?;
        Self::spawn().map_err(Error::Thread)
    }

    fn spawn() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let (ends, ended) = sync_channel::<()>(0);
        thread::Builder::new().name("gridmq-client".to_owned()).spawn(move || {
            // Told to stop, or nobody is left who could tell.
            let _ = runtime.block_on(stopped);
            // A look-up of a name may still be under way; it is not waited for.
            runtime.shutdown_background();
            drop(ends);
        })?;
        Ok(Self { handle, client: None, stop: Some(stop), ended: Mutex::new(ended) })
    }

    /// Has the client leave when this is dropped.
    pub(super) fn own(&mut self, client: crate::Client) {
        self.client = Some(client);
    }

    /// Waits for what the client's thread, or this one, has to do.
    pub(super) fn run<F: Future>(&self, future: F) -> Result<F::Output, Inside> {
        outside()?;
        let mut future = pin!(future);
        loop {
            // Without a limit it ends with an answer only.
            if let Some(answer) = self.wait(future.as_mut(), None) {
                return Ok(answer);
            }
        }
    }

    /// Waits until then at most.
    pub(super) fn wait<F: Future>(&self, future: F, until: Option<Instant>) -> Option<F::Output> {
        // Timers and sockets that the future makes are the other thread's to drive.
        let _entered = self.handle.enter();
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let mut cx = Context::from_waker(&waker);
        let mut future = pin!(future);
        loop {
            if let Poll::Ready(answer) = future.as_mut().poll(&mut cx) {
                return Some(answer);
            }
            match until.map(|until| until.saturating_duration_since(Instant::now())) {
                None => thread::park(),
                Some(Duration::ZERO) => return None,
                Some(left) => thread::park_timeout(left),
            }
        }
    }
}

/// Whether this thread may wait.
pub(super) fn outside() -> Result<(), Inside> {
    if Handle::try_current().is_ok() { Err(Inside) } else { Ok(()) }
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.0.unpark();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        let (client, stop) = (self.client.take(), self.stop.take());
        self.handle.spawn(async move {
            if let Some(client) = client {
                let leaving = client.disconnect().into_future();
                // The server may not answer; the process goes on all the same.
                let _ = tokio::time::timeout(LEAVE, leaving).await;
            }
            drop(stop);
        });
        if outside().is_ok() {
            let ended = self.ended.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = ended.recv_timeout(LEAVE + END);
        }
    }
}
