//! What the broker says about a refusal to those who run it; the device is told the reason code alone.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gridmq_broker::{Observer, Occurrence};
use gridmq_namespace::gate::{ConnectRequest, Credentials, RefusalKind};
use gridmq_namespace::profile::{ConnectionLimits, SessionLimits};
use gridmq_namespace::{Policy, Principal, Refusal, Rules, Verdict};
use gridmq_proto::time::Wall;
use gridmq_proto::{TopicFilter, TopicName};

/// The broker's last words on a refusal, and why it refused a CONNECT.
#[derive(Debug, Default)]
pub(in crate::commands::quickstart) struct Words(Mutex<Last>);

#[derive(Debug, Default)]
struct Last {
    words: Option<String>,
    refusal: Option<RefusalKind>,
}

impl Words {
    pub(super) fn forget(&self) {
        *self.last() = Last::default();
    }

    /// What the device saw, and after it the broker's words, if there are any.
    pub(super) fn after(&self, seen: &str) -> String {
        match &self.last().words {
            Some(words) => format!("{seen}; the broker's log: {words}"),
            None => seen.to_owned(),
        }
    }

    /// Whether the last CONNECT was refused for such a reason.
    pub(super) fn refused_for(&self, expected: impl FnOnce(&RefusalKind) -> bool) -> bool {
        self.last().refusal.as_ref().is_some_and(expected)
    }

    fn last(&self) -> MutexGuard<'_, Last> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Observer for Words {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        match occurrence {
            Occurrence::Refused { why, .. } | Occurrence::Denied { why, .. } => {
                self.last().words = Some((*why).to_owned());
            }
            _ => {}
        }
    }
}

/// The namespace's rules; why they refuse is noted.
#[derive(Debug)]
pub(in crate::commands::quickstart) struct Watched {
    pub(in crate::commands::quickstart) policy: Policy,
    pub(in crate::commands::quickstart) words: Arc<Words>,
}

impl Rules for Watched {
    fn generation(&self) -> u64 {
        self.policy.generation()
    }

    fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal> {
        let outcome = self.policy.admit(request, now);
        if let Err(refusal) = &outcome {
            self.words.last().refusal = Some(refusal.why.clone());
        }
        outcome
    }

    fn readmit(&self, principal: &Principal, credentials: &Credentials, now: Wall) -> Result<Principal, Refusal> {
        self.policy.readmit(principal, credentials, now)
    }

    fn publish(&self, principal: &Principal, topic: &TopicName) -> Verdict {
        self.policy.publish(principal, topic)
    }

    fn subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Verdict {
        self.policy.subscribe(principal, filter)
    }

    fn session_limits(&self) -> SessionLimits {
        self.policy.session_limits()
    }

    fn connection_limits(&self) -> ConnectionLimits {
        self.policy.connection_limits()
    }
}
