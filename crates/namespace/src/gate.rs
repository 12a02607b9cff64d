//! The only way in: tokens that prove a decision.
//!
//! [`Rules`] decide; the [`Gate`] turns their decisions into tokens. A session becomes active with an [`Admission`],
//! a message reaches the router inside an [`Authorized`]. Both have private fields and no other maker, so that
//! forgetting a decision does not compile:
//!
//! ```compile_fail,E0451
//! use gridmq_namespace::gate::Authorized;
//! let forged = Authorized { item: "message" };
//! ```
//! ```compile_fail,E0451
//! use gridmq_namespace::gate::Admission;
//! use gridmq_namespace::principal::{Principal, PrincipalKind};
//! let principal = std::sync::Arc::new(Principal::new(PrincipalKind::Client, "me"));
//! let forged = Admission { principal, generation: 0, program: false };
//! ```
//! ```compile_fail,E0308
//! use gridmq_namespace::gate::Authorized;
//! fn copy(token: &Authorized<String>) -> Authorized<String> {
//!     token.clone()
//! }
//! ```

mod cache;
mod exchange;
mod prepare;
mod refusal;
mod request;

pub use crate::event_grid::TokenProblem;
pub use cache::DecisionCache;
pub use exchange::{Exchange, Step};
pub use prepare::{Computation, Proof};
pub use refusal::{CertificateName, Refusal, RefusalKind};
pub use request::{ConnectRequest, Credentials, Transport};

use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::time::Wall;
use gridmq_proto::{ReasonCode, SubscriptionFilter, TopicFilter, TopicName};

use crate::explain::Explanation;
use crate::principal::{Principal, PrincipalKind};
use crate::profile::{ConnectionLimits, SessionLimits};

/// Who may do what. Immutable: a change makes new rules with another generation.
///
/// Every function is pure and is called on the hot path; none may block.
pub trait Rules: Send + Sync + fmt::Debug {
    /// Differs between any two rules of one broker, so that a cached decision shows its age.
    fn generation(&self) -> u64;

    /// CPU work to be done on another thread before [`admit`](Self::admit) judges this CONNECT, such as hashing its
    /// password; `admit` then gets the outcome in [`ConnectRequest::proof`]. The work is bounded: where too much waits,
    /// the client is refused with 0x89 (Server busy) and `admit` is not asked. Default: none.
    fn prepare(&self, request: &ConnectRequest<'_>, now: Wall) -> Option<Computation> {
        let _ = (request, now);
        None
    }

    /// Begins enhanced authentication by the method that the request names (MQTT 5.0 §4.12), at CONNECT and when the
    /// client authenticates again. `None`, the default: the method is not served, and `admit` judges the CONNECT as it
    /// is; it must refuse it with 0x8C unless it takes the method without an exchange.
    fn exchange(&self, request: &ConnectRequest<'_>) -> Option<Box<dyn Exchange>> {
        let _ = request;
        None
    }

    /// Judges a connected client that has authenticated again (MQTT 5.0 §4.12.1). Default: as
    /// [`readmit`](Self::readmit).
    ///
    /// # Errors
    /// Why the client must be disconnected.
    fn reauthenticate(
        &self,
        principal: &Principal,
        credentials: &Credentials,
        proof: &Proof,
        now: Wall,
    ) -> Result<Principal, Refusal> {
        let _ = proof;
        self.readmit(principal, credentials, now)
    }

    /// Judges a CONNECT.
    ///
    /// # Errors
    /// Why the client is refused, with the reason code to answer.
    fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal>;

    /// Judges a connected client again: after a change of rules, and when its proof expires.
    ///
    /// # Errors
    /// Why the client must be disconnected.
    fn readmit(&self, principal: &Principal, credentials: &Credentials, now: Wall) -> Result<Principal, Refusal>;

    /// Judges the owner of a stored session, of whom no more than the names are known: a will of theirs is due, and they
    /// have not been here since the broker's start. Unless rules say otherwise, the name alone is not enough.
    ///
    /// # Errors
    /// Why the will is not published.
    fn readmit_stored(&self, authentication_name: &str, _client_id: &str, _now: Wall) -> Result<Principal, Refusal> {
        let words = format!("'{authentication_name}' has not connected since the broker was started");
        Err(RefusalKind::Other(words).into())
    }

    /// Judges a publish, a will's and a retained message's included.
    fn publish(&self, principal: &Principal, topic: &TopicName) -> Verdict;

    /// Whether [`publish`](Self::publish) allows that principal every topic, so that nobody need ask topic by topic.
    /// Asked for every message; must be quick, and `true` only where `publish` would say so of any topic. Default: no.
    fn allows_every_publish(&self, _principal: &Principal) -> bool {
        false
    }

    /// Judges a subscription; of a shared one, its inner filter.
    fn subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Verdict;

    /// What holds for sessions.
    fn session_limits(&self) -> SessionLimits;

    /// What holds for connections.
    fn connection_limits(&self) -> ConnectionLimits;
}

/// What rules say about a topic or filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a decision has two outcomes")]
pub enum Verdict {
    /// Allowed, and why.
    Allowed(Explanation),
    /// Not allowed, and why.
    Denied(Explanation),
}

impl Verdict {
    /// Whether it is allowed.
    #[must_use]
    pub const fn is_allowed(&self) -> bool {
        matches!(self, Self::Allowed(_))
    }

    /// Why.
    #[must_use]
    pub const fn explanation(&self) -> &Explanation {
        match self {
            Self::Allowed(explanation) | Self::Denied(explanation) => explanation,
        }
    }
}

/// The rules in force, as connections hold them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Gate(Arc<dyn Rules>);

impl Gate {
    /// A gate that asks those rules.
    #[must_use]
    pub fn new(rules: Arc<dyn Rules>) -> Self {
        Self(rules)
    }

    /// The generation of its rules.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.0.generation()
    }

    /// What holds for sessions.
    #[must_use]
    pub fn session_limits(&self) -> SessionLimits {
        self.0.session_limits()
    }

    /// What holds for connections.
    #[must_use]
    pub fn connection_limits(&self) -> ConnectionLimits {
        self.0.connection_limits()
    }

    /// Judges a CONNECT.
    ///
    /// # Errors
    /// Why the client is refused.
    pub fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Admission, Refusal> {
        let principal = self.0.admit(request, now)?;
        Ok(Admission { principal: Arc::new(principal), generation: self.generation(), program: false })
    }

    /// Admits the program that embeds the broker, or a part of the broker, as a client of that name: rules are not asked,
    /// now or later, and it may do everything.
    ///
    /// Never call it for a client that came through a listener.
    #[must_use]
    pub fn admit_program(&self, name: impl Into<ByteString>) -> Admission {
        let principal = Arc::new(Principal::new(PrincipalKind::System, name));
        Admission { principal, generation: self.generation(), program: true }
    }

    /// Work to be done before [`admit`](Self::admit), on another thread.
    #[must_use]
    pub fn prepare(&self, request: &ConnectRequest<'_>, now: Wall) -> Option<Computation> {
        self.0.prepare(request, now)
    }

    /// Begins enhanced authentication, if the rules serve the request's method.
    #[must_use]
    pub fn exchange(&self, request: &ConnectRequest<'_>) -> Option<Box<dyn Exchange>> {
        request.authentication_method.and_then(|_| self.0.exchange(request))
    }

    /// Judges a connected client that has authenticated again. It cannot become another one.
    ///
    /// # Errors
    /// Why the client must be disconnected.
    pub fn reauthenticate(
        &self,
        admission: &Admission,
        credentials: &Credentials,
        proof: &Proof,
        now: Wall,
    ) -> Result<Admission, Refusal> {
        let principal = self.0.reauthenticate(&admission.principal, credentials, proof, now)?;
        let (from, to) = (admission.principal.authentication_name(), principal.authentication_name());
        if from != to {
            return Err(RefusalKind::NameChanged { from: from.to_string(), to: to.to_string() }.into());
        }
        Ok(Admission { principal: Arc::new(principal), generation: self.generation(), program: false })
    }

    /// Judges a connected client again.
    ///
    /// # Errors
    /// Why the client must be disconnected.
    pub fn readmit(&self, admission: &Admission, credentials: &Credentials, now: Wall) -> Result<Admission, Refusal> {
        if admission.program {
            return Ok(Admission { generation: self.generation(), ..admission.clone() });
        }
        let principal = self.0.readmit(&admission.principal, credentials, now)?;
        Ok(Admission { principal: Arc::new(principal), generation: self.generation(), program: false })
    }

    /// Judges the owner of a stored session ([`Rules::readmit_stored`]).
    ///
    /// # Errors
    /// Why a will of theirs is not published.
    pub fn readmit_stored(&self, authentication_name: &str, client_id: &str, now: Wall) -> Result<Admission, Refusal> {
        let principal = self.0.readmit_stored(authentication_name, client_id, now)?;
        Ok(Admission { principal: Arc::new(principal), generation: self.generation(), program: false })
    }

    /// Judges a publish of `item` to `topic`, which must be the topic that `item` names.
    ///
    /// # Errors
    /// Why it may not be published.
    pub fn publish<T>(
        &self,
        admission: &Admission,
        cache: &mut DecisionCache,
        topic: &TopicName,
        item: T,
    ) -> Result<Authorized<T>, Denied> {
        if admission.program || self.0.allows_every_publish(&admission.principal) {
            return Ok(Authorized { item });
        }
        let generation = self.generation();
        let decision = match cache.lookup(generation, &admission.principal, topic.as_str()) {
            Some(decision) => decision,
            None => {
                let decision = match self.0.publish(&admission.principal, topic) {
                    Verdict::Allowed(_) => Ok(()),
                    Verdict::Denied(explanation) => Err(Denied::new(explanation)),
                };
                cache.remember(topic.as_str(), &decision);
                decision
            }
        };
        decision.map(|()| Authorized { item })
    }

    /// Judges a subscription.
    ///
    /// # Errors
    /// Why it may not be made.
    pub fn subscribe(
        &self,
        admission: &Admission,
        filter: &SubscriptionFilter,
    ) -> Result<Authorized<SubscriptionFilter>, Denied> {
        if admission.program {
            return Ok(Authorized { item: filter.clone() });
        }
        match self.0.subscribe(&admission.principal, filter.filter()) {
            Verdict::Allowed(_) => Ok(Authorized { item: filter.clone() }),
            Verdict::Denied(explanation) => Err(Denied::new(explanation)),
        }
    }

    /// Whether a publish would be allowed, and why: for whoever asks, not for the router.
    #[must_use]
    pub fn explain_publish(&self, principal: &Principal, topic: &TopicName) -> Verdict {
        self.0.publish(principal, topic)
    }

    /// Whether a subscription would be allowed, and why.
    #[must_use]
    pub fn explain_subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Verdict {
        self.0.subscribe(principal, filter)
    }

    /// Passes `item` without a decision, as the broker itself or the program that embeds it.
    ///
    /// Never call it for something that a client sent.
    pub const fn inject_as_system<T>(item: T) -> Authorized<T> {
        Authorized { item }
    }
}

/// Proof that rules admitted a client. Only a [`Gate`] makes it.
#[derive(Debug, Clone)]
pub struct Admission {
    principal: Arc<Principal>,
    generation: u64,
    /// It is the program itself, whom rules are not asked about.
    program: bool,
}

impl Admission {
    /// Who was admitted.
    #[must_use]
    pub const fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// The generation of the rules that admitted it; if the gate's differs, the client should be judged again.
    #[must_use]
    pub const fn generation(&self) -> u64 {
        self.generation
    }
}

/// Proof that rules allowed `T`, for one use: it cannot be cloned. Only a [`Gate`] makes it.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub struct Authorized<T> {
    item: T,
}

impl<T> Authorized<T> {
    /// What was allowed.
    #[must_use]
    pub const fn get(&self) -> &T {
        &self.item
    }

    /// What was allowed, without its proof.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.item
    }
}

/// A publish or subscription that is not allowed. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{explanation}")]
#[non_exhaustive]
pub struct Denied {
    /// The reason code to answer.
    pub reason: ReasonCode,
    /// Why.
    pub explanation: Explanation,
}

impl Denied {
    const fn new(explanation: Explanation) -> Self {
        Self { reason: ReasonCode::NotAuthorized, explanation }
    }
}
