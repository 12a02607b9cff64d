//! Wakes publishers when their next message is due. The runtime's timer has steps of a millisecond, which is ten times
//! what a good broker takes; Linux has a finer one.

use std::sync::Arc;
use std::time::Instant;

use crate::plan::Pace;
use crate::shared::{Phase, Shared};

/// Whether messages leave when they should, to some microseconds.
pub(crate) const FINE: bool = cfg!(target_os = "linux");

/// Wakes those publishers of the thread, in turn, until publishing ends.
pub(crate) async fn run(shared: Arc<Shared>, publishers: Vec<u32>) {
    let Pace::Rate { per_second } = shared.plan.pace else { return };
    let Ok(timer) = Timer::new() else { return };
    if publishers.is_empty() {
        return;
    }
    for seq in 0..u32::MAX {
        for &publisher in &publishers {
            timer.until(shared.at(shared.due(publisher, seq, per_second))).await;
            if shared.phase() != Phase::Running {
                return;
            }
            if let Some(link) = shared.publisher_link(publisher) {
                link.wake();
            }
        }
    }
}

#[cfg(target_os = "linux")]
struct Timer(tokio::io::unix::AsyncFd<rustix::fd::OwnedFd>);

#[cfg(target_os = "linux")]
impl Timer {
    fn new() -> std::io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        // The descriptor is owned and never replaced, which is all that the deprecation asks to be sure of.
        #[allow(deprecated, reason = "what replaces it is unsafe to call")]
        tokio::io::unix::AsyncFd::new(timer).map(Self)
    }

    async fn until(&self, at: Instant) {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        let left = at.saturating_duration_since(Instant::now());
        if left.is_zero() {
            // Others have their turn even when messages are late.
            return tokio::task::yield_now().await;
        }
        let none = Timespec { tv_sec: 0, tv_nsec: 0 };
        let value =
            Timespec { tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX), tv_nsec: left.subsec_nanos().into() };
        let _ =
            timerfd_settime(&self.0, TimerfdTimerFlags::empty(), &Itimerspec { it_interval: none, it_value: value });
        loop {
            let Ok(mut ready) = self.0.readable().await else { return };
            let mut expirations = [0; 8];
            match rustix::io::read(&self.0, &mut expirations) {
                Ok(_) => return,
                Err(_) => ready.clear_ready(),
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
struct Timer;

#[cfg(not(target_os = "linux"))]
impl Timer {
    #[allow(clippy::unnecessary_wraps, reason = "as on Linux")]
    fn new() -> std::io::Result<Self> {
        Ok(Self)
    }

    async fn until(&self, at: Instant) {
        tokio::time::sleep_until(at.into()).await;
    }
}
