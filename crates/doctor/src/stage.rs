//! The stages: what each does, sees and concludes.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::future::Future;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use gridmq_tls::catalogue::Stage;
use gridmq_tls::{Finding, Id, Severity};
use tokio::time::Instant;

use crate::profile::Profile;
use crate::report::{StageReport, Status};
use crate::run::Progress;
use crate::target::{Options, Target};

pub(crate) mod access;
pub(crate) mod client;
pub(crate) mod connect;
pub(crate) mod hello;
pub(crate) mod mqtt;
pub(crate) mod name;
pub(crate) mod observe;
pub(crate) mod server;
pub(crate) mod shake;
pub(crate) mod tcp;

/// What every stage is given.
pub(crate) struct Context<'a> {
    pub(crate) target: &'a Target,
    pub(crate) options: &'a Options,
    pub(crate) profile: &'a Profile,
    /// Seconds since 1970.
    pub(crate) now: u64,
    deadline: Instant,
    /// Behind a lock, so that several exchanges may share the context.
    progress: Mutex<&'a mut (dyn FnMut(Progress) + Send)>,
}

impl<'a> Context<'a> {
    pub(crate) fn new(
        target: &'a Target,
        options: &'a Options,
        profile: &'a Profile,
        now: u64,
        progress: &'a mut (dyn FnMut(Progress) + Send),
    ) -> Self {
        Self {
            target,
            options,
            profile,
            now,
            deadline: Instant::now() + options.deadline,
            progress: Mutex::new(progress),
        }
    }

    /// What is left of the whole run.
    pub(crate) fn left(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }

    /// The deadline of the whole run has passed.
    pub(crate) fn is_over(&self) -> bool {
        self.left().is_zero()
    }

    /// How long one exchange may take now.
    pub(crate) fn patience(&self) -> Duration {
        self.options.patience.min(self.left())
    }

    /// How long a retry may take: shorter, since it only confirms.
    pub(crate) fn brief(&self) -> Duration {
        (self.options.patience * 3 / 5).min(self.left())
    }

    /// Tells what is being done.
    pub(crate) fn step(&self, stage: Stage, text: impl Into<String>) {
        self.tell(Progress::Step(stage, text.into()));
    }

    pub(crate) fn tell(&self, progress: Progress) {
        (self.progress.lock().unwrap_or_else(PoisonError::into_inner))(progress);
    }

    /// A finding whose cure is the profile's, where it has one.
    pub(crate) fn finding(
        &self,
        id: Id,
        severity: Severity,
        about: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        let fix = self.profile.hints.get(id.code()).cloned().unwrap_or_else(|| fix.into());
        Finding::new(id, severity, about, why, fix)
    }

    pub(crate) fn error(
        &self,
        id: Id,
        about: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        self.finding(id, Severity::Error, about, why, fix)
    }

    pub(crate) fn warning(
        &self,
        id: Id,
        about: impl Into<String>,
        why: impl Into<String>,
        fix: impl Into<String>,
    ) -> Finding {
        self.finding(id, Severity::Warning, about, why, fix)
    }

    /// The name that the server's certificate must be for.
    pub(crate) fn server_name(&self) -> &str {
        self.options.server_name.as_deref().unwrap_or(&self.target.host)
    }

    /// Is a name sent as SNI?
    pub(crate) fn sends_name(&self) -> bool {
        self.options.send_server_name && self.server_name().parse::<std::net::IpAddr>().is_err()
    }

    /// Does the profile name one service, rather than a kind of broker?
    pub(crate) fn is_cloud(&self) -> bool {
        !self.profile.hosts.is_empty()
    }

    /// The user name: the option's, or the URL's.
    pub(crate) fn username(&self) -> Option<&str> {
        self.options.username.as_deref().or(self.target.username.as_deref())
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("target", &self.target).finish_non_exhaustive()
    }
}

/// The way to the server that worked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Route {
    pub(crate) address: SocketAddr,
    /// How long connecting took.
    pub(crate) took: Duration,
}

/// The future's output, or nothing when it takes longer.
pub(crate) async fn within<F: Future>(limit: Duration, future: F) -> Option<F::Output> {
    tokio::time::timeout(limit, future).await.ok()
}

/// A stage that was not tried, and why.
pub(crate) fn skipped(stage: Stage, why: &str) -> StageReport {
    let mut report = StageReport::new(stage);
    report.status = Status::Skipped;
    report.lines.push(why.to_owned());
    report
}

/// Milliseconds for people.
pub(crate) fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

/// A number that nobody else chooses. Good for names, not for secrets.
pub(crate) fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

/// Text from a peer, shortened and without control characters.
pub(crate) fn tame(text: &str) -> String {
    tame_to(text, 200)
}

/// As [`tame`], to that many characters.
pub(crate) fn tame_to(text: &str, most: usize) -> String {
    let mut chars = text.chars();
    let mut tamed: String = chars.by_ref().take(most).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    if chars.next().is_some() {
        tamed.push('…');
    }
    tamed
}
