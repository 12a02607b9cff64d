//! Rules for tests: everybody may do everything, but for what is said.

use std::sync::Arc;

use gridmq_namespace::Rules;
use gridmq_namespace::explain::Explanation;
use gridmq_namespace::gate::{ConnectRequest, Credentials, Refusal, RefusalKind, Verdict};
use gridmq_namespace::principal::{Principal, PrincipalKind};
use gridmq_namespace::profile::{ConnectionLimits, SessionLimits};
use gridmq_proto::time::Wall;
use gridmq_proto::{ReasonCode, TopicFilter, TopicName};

/// Open rules with limits of their own, and with clients, topics and filters that are refused.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "tests write it out")]
pub struct Adjusted {
    /// What is told in CONNACK and enforced.
    pub connection: ConnectionLimits,
    /// What holds for sessions.
    pub session: SessionLimits,
    /// Client identifiers that are refused, with the code.
    pub refused_clients: Vec<(String, ReasonCode)>,
    /// Topics and filters that nobody may publish or subscribe to.
    pub forbidden: Vec<String>,
}

impl Default for Adjusted {
    fn default() -> Self {
        Self {
            connection: ConnectionLimits::OPEN,
            session: SessionLimits::OPEN,
            refused_clients: Vec::new(),
            forbidden: Vec::new(),
        }
    }
}

impl Adjusted {
    /// Ready for a builder.
    #[must_use]
    pub fn rules(self) -> Arc<dyn Rules> {
        Arc::new(self)
    }

    fn judge(&self, text: &str) -> Verdict {
        if self.forbidden.iter().any(|forbidden| forbidden == text) {
            Verdict::Denied(Explanation::Other("the test forbids it".into()))
        } else {
            Verdict::Allowed(Explanation::Unrestricted(PrincipalKind::Open))
        }
    }
}

impl Rules for Adjusted {
    fn generation(&self) -> u64 {
        0
    }

    fn admit(&self, request: &ConnectRequest<'_>, _now: Wall) -> Result<Principal, Refusal> {
        match self.refused_clients.iter().find(|(name, _)| name == request.client_id) {
            Some((_, reason)) => Err(Refusal::new(*reason, RefusalKind::Other("the test refuses it".to_owned()))),
            None => Ok(Principal::new(PrincipalKind::Open, request.client_id)),
        }
    }

    fn readmit(&self, principal: &Principal, _credentials: &Credentials, _now: Wall) -> Result<Principal, Refusal> {
        Ok(principal.clone())
    }

    fn publish(&self, _principal: &Principal, topic: &TopicName) -> Verdict {
        self.judge(topic.as_str())
    }

    fn subscribe(&self, _principal: &Principal, filter: &TopicFilter) -> Verdict {
        self.judge(filter.as_str())
    }

    fn session_limits(&self) -> SessionLimits {
        self.session
    }

    fn connection_limits(&self) -> ConnectionLimits {
        self.connection
    }
}
