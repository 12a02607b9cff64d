//! What a service manager is told (sd_notify(3)); nothing where there is none.

use std::time::Duration;

#[cfg(unix)]
use sd_notify::NotifyState;

/// Told to the service manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State<'a> {
    /// Every listener is bound, and what is stored is taken up.
    Ready,
    /// SIGHUP has come; [`Reloaded`](Self::Reloaded) follows.
    Reloading,
    /// The reload is over, well or not; the words say which.
    Reloaded(&'a str),
    /// The end has begun.
    Stopping,
    /// The main loop turns.
    Alive,
}

#[cfg(unix)]
pub(super) fn tell(state: State<'_>) {
    let told = match state {
        State::Ready => sd_notify::notify(&[NotifyState::Ready, NotifyState::Status("serving")]),
        State::Reloading => NotifyState::monotonic_usec_now()
            .and_then(|now| sd_notify::notify(&[NotifyState::Reloading, now, NotifyState::Status("reloading")])),
        State::Reloaded(words) => sd_notify::notify(&[NotifyState::Ready, NotifyState::Status(words)]),
        State::Stopping => sd_notify::notify(&[NotifyState::Stopping, NotifyState::Status("telling clients")]),
        State::Alive => sd_notify::notify(&[NotifyState::Watchdog]),
    };
    if let Err(error) = told {
        tracing::warn!(%error, ?state, "the service manager could not be told");
    }
}

#[cfg(not(unix))]
pub(super) fn tell(_state: State<'_>) {}

/// Resolves each time that the service manager wants to hear from the main loop: at half of what it allows. Never where
/// it does not ask for that.
pub(super) struct Watchdog(Option<tokio::time::Interval>);

impl Watchdog {
    pub(super) fn start() -> Self {
        #[cfg(unix)]
        let allowed = sd_notify::watchdog_enabled();
        #[cfg(not(unix))]
        let allowed: Option<Duration> = None;
        Self(allowed.map(|allowed| tokio::time::interval((allowed / 2).max(Duration::from_millis(1)))))
    }

    pub(super) async fn due(&mut self) {
        match &mut self.0 {
            Some(interval) => drop(interval.tick().await),
            None => std::future::pending().await,
        }
    }
}
