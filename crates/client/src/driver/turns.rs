//! Turns of those who read streams.
//!
//! On a runtime of one thread, the future that the runtime was started with is polled only after up to 61 turns of
//! tasks that are ready. A client that reads on meanwhile overruns the buffers of streams that are read there.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};

use tokio::runtime::{Handle, RuntimeFlavor};

/// Messages given to streams after which their readers must have had a turn before more is read; half of a stream's
/// buffer, as that is by default, is left for what one turn brings.
const MOST: usize = 64;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Turns {
    /// The runtime has one thread.
    single: bool,
    /// Messages given out since the readers had a turn for certain.
    given: usize,
    /// Whether they have had it, where that is waited for.
    theirs: Option<Arc<Theirs>>,
}

#[derive(Debug)]
struct Theirs {
    had: AtomicBool,
    driver: Waker,
}

impl Wake for Theirs {
    fn wake(self: Arc<Self>) {
        self.had.store(true, Ordering::Release);
        self.driver.wake_by_ref();
    }
}

impl Turns {
    /// To be called on the runtime.
    pub(super) fn here() -> Self {
        let runtime = Handle::try_current();
        let single = runtime.is_ok_and(|runtime| runtime.runtime_flavor() == RuntimeFlavor::CurrentThread);
        Self { single, ..Self::default() }
    }

    /// A message was given to a stream.
    pub(super) const fn gave(&mut self) {
        self.given += 1;
    }

    /// Whether more may be read now; if not, the task is woken when it may.
    pub(super) fn may_read(&mut self) -> bool {
        let waits = self.theirs.as_ref().is_some_and(|theirs| !theirs.had.load(Ordering::Acquire));
        if !waits && self.theirs.take().is_some() {
            self.given = 0;
        }
        !waits
    }

    /// The task's turn is over. `more`: there is more to do at once, which it is to be woken for.
    pub(super) fn over(&mut self, cx: &Context<'_>, more: bool) {
        let waits = self.theirs.is_some();
        if self.single && !waits && (self.given >= MOST || more && self.given > 0) {
            let theirs = Arc::new(Theirs { had: AtomicBool::new(false), driver: cx.waker().clone() });
            let waker = Waker::from(Arc::clone(&theirs));
            self.theirs = Some(theirs);
            // Wakes when the runtime has looked at everything else that is ready.
            let _ = pin!(tokio::task::yield_now()).poll(&mut Context::from_waker(&waker));
        } else if more && !waits {
            cx.waker().wake_by_ref();
        }
    }
}
