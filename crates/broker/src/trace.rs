//! Traces of single clients and topics, switched on and off while the broker runs.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytestring::ByteString;
use gridmq_proto::time::Monotonic;
use gridmq_proto::{TopicFilter, TopicName};
use parking_lot::Mutex;

/// How many there may be at once.
pub const MAX_TRACES: usize = 16;
/// How long one may last: an hour.
pub const MAX_TRACE_TIME: Duration = Duration::from_secs(3600);

/// What is traced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum TraceTarget {
    /// Every packet from and to the client of this identifier.
    Client(ByteString),
    /// Every PUBLISH, from and to anybody, whose topic matches.
    Topic(TopicFilter),
}

impl fmt::Display for TraceTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(id) => write!(f, "client {id:?}"),
            Self::Topic(filter) => write!(f, "topic {filter}"),
        }
    }
}

/// Why a trace was not begun. The operator's to mend.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TraceError {
    /// As many as there may be.
    #[error("there are {MAX_TRACES} traces already: end one first")]
    TooMany,
    /// Longer than a trace may last, or no time at all.
    #[error("a trace lasts from 1 to {} seconds", MAX_TRACE_TIME.as_secs())]
    Time,
}

/// The traces that are on.
#[derive(Debug, Default)]
pub(crate) struct Traces {
    on: AtomicBool,
    active: Mutex<Vec<(TraceTarget, Monotonic)>>,
}

impl Traces {
    /// Whether there is any; all that a broker without traces pays.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.on.load(Ordering::Relaxed)
    }

    /// Begins a trace, or lets one last from now on.
    pub(crate) fn begin(&self, now: Monotonic, target: TraceTarget, lasts: Duration) -> Result<(), TraceError> {
        if lasts.is_zero() || lasts > MAX_TRACE_TIME {
            return Err(TraceError::Time);
        }
        let mut active = self.active.lock();
        active.retain(|(known, until)| *until > now && *known != target);
        if active.len() >= MAX_TRACES {
            return Err(TraceError::TooMany);
        }
        active.push((target, now.after(lasts)));
        self.on.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Ends a trace. Answers whether there was one.
    pub(crate) fn end(&self, target: &TraceTarget) -> bool {
        let mut active = self.active.lock();
        let before = active.len();
        active.retain(|(known, _)| known != target);
        self.on.store(!active.is_empty(), Ordering::Relaxed);
        active.len() < before
    }

    /// Those that are on, and until when.
    pub(crate) fn list(&self, now: Monotonic) -> Vec<(TraceTarget, Monotonic)> {
        self.active.lock().iter().filter(|(_, until)| *until > now).cloned().collect()
    }

    /// Whether somebody wants to see it. Forgets what is over.
    pub(crate) fn want(&self, now: Monotonic, client: Option<&str>, topic: Option<&TopicName>) -> bool {
        let mut active = self.active.lock();
        active.retain(|(_, until)| *until > now);
        if active.is_empty() {
            self.on.store(false, Ordering::Relaxed);
        }
        active.iter().any(|(target, _)| match target {
            TraceTarget::Client(id) => client == Some(&**id),
            TraceTarget::Topic(filter) => topic.is_some_and(|topic| filter.matches(topic)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: usize) -> TraceTarget {
        TraceTarget::Client(number.to_string().into())
    }

    #[test]
    fn traces_are_bounded_in_number_and_time() {
        let traces = Traces::default();
        let start = Monotonic::from_micros(0);
        let minute = Duration::from_secs(60);
        assert!(!traces.is_on());
        for number in 0..MAX_TRACES {
            traces.begin(start, client(number), minute).unwrap();
        }
        traces.begin(start, client(3), minute).unwrap();
        assert_eq!(traces.begin(start, client(MAX_TRACES), minute), Err(TraceError::TooMany));
        assert_eq!(traces.begin(start, client(0), MAX_TRACE_TIME + minute), Err(TraceError::Time));
        assert_eq!(traces.begin(start, client(0), Duration::ZERO), Err(TraceError::Time));
        assert!(traces.is_on() && traces.want(start, Some("3"), None));
        let later = start.after(minute);
        assert!(!traces.want(later, Some("3"), None));
        assert!(!traces.is_on() && traces.list(later).is_empty(), "what is over is forgotten");
    }

    #[test]
    fn a_trace_wants_its_client_or_its_topic_and_ends_when_told() {
        let traces = Traces::default();
        let now = Monotonic::from_micros(0);
        let topic = |text: &str| text.parse::<TopicName>().unwrap();
        let filter = TraceTarget::Topic("a/+".parse().unwrap());
        traces.begin(now, filter.clone(), MAX_TRACE_TIME).unwrap();
        assert!(traces.want(now, Some("x"), Some(&topic("a/b"))));
        assert!(!traces.want(now, Some("a/b"), Some(&topic("b"))) && !traces.want(now, Some("x"), None));
        assert!(traces.end(&filter) && !traces.end(&filter) && !traces.is_on());
    }
}
