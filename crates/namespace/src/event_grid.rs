//! Event Grid's decisions: [`Rules`] for [`Policy`].
//!
//! Where the documentation is silent:
//! - A username wins over `alternativeAuthenticationNameSources`; an empty one counts as absent.
//! - The subject names a client by its common name or as a whole in RFC 4514's form; of several alternative names
//!   any may name it; cases are ignored throughout.
//! - A subscription must be covered by one template alone, not by several together.
//! - An enhanced authentication method that is not served is refused with 0x8C.

pub(crate) mod authenticate;
mod closest;
mod token;

pub use token::TokenProblem;
pub(crate) use token::{IssuerKey, SignedBy, TokenIssuer};

use std::borrow::Cow;
use std::sync::Arc;

use gridmq_proto::time::Wall;
use gridmq_proto::{TopicFilter, TopicName};

use crate::explain::{Explanation, Refused};
use crate::fold::same;
use crate::gate::{ConnectRequest, Credentials, Exchange, Proof, Refusal, RefusalKind, Rules, Transport, Verdict};
use crate::policy::Policy;
use crate::principal::{AuthenticatedBy, NameSource, Principal, PrincipalKind, Rights};
use crate::profile::{ConnectionLimits, SessionLimits};
use crate::resource::{ClientState, Permission};
use authenticate::Claim;
use token::Token;

impl Rules for Policy {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal> {
        if let Some(method) = request.authentication_method {
            return match request.proof.and_then(Proof::get::<Token>) {
                Some(token) => self.admit_token(token, request.transport),
                None => Err(RefusalKind::UnsupportedAuthenticationMethod { method: method.to_owned() }.into()),
            };
        }
        let (username, presented, transport) = (request.username, request.presented, request.transport);
        self.authenticate(Claim { username, presented, vouched: request.vouched, transport }, now)
    }

    fn exchange(&self, request: &ConnectRequest<'_>) -> Option<Box<dyn Exchange>> {
        let tokens = self.tokens.as_ref().filter(|_| request.authentication_method == Some(token::METHOD))?;
        Some(Box::new(token::TokenExchange(Arc::clone(tokens))))
    }

    fn reauthenticate(
        &self,
        _principal: &Principal,
        credentials: &Credentials,
        proof: &Proof,
        _now: Wall,
    ) -> Result<Principal, Refusal> {
        match proof.get::<Token>() {
            Some(token) => self.admit_token(token, credentials.transport),
            None => Err(RefusalKind::Token(TokenProblem::Absent).into()),
        }
    }

    fn readmit(&self, principal: &Principal, credentials: &Credentials, now: Wall) -> Result<Principal, Refusal> {
        if principal.kind() == PrincipalKind::System {
            return Ok(principal.clone());
        }
        if let Some(signed_by) = principal.signed_by() {
            return self.readmit_token(principal, signed_by, now);
        }
        let username = credentials.username.as_deref();
        let (presented, vouched) = (credentials.presented.as_ref(), credentials.vouched.as_deref());
        let claim = Claim { username, presented, vouched, transport: credentials.transport };
        let again = self.authenticate(claim, now)?;
        let (from, to) = (principal.authentication_name(), again.authentication_name());
        if !same(from, to) {
            return Err(RefusalKind::NameChanged { from: from.to_string(), to: to.to_string() }.into());
        }
        Ok(again)
    }

    fn publish(&self, principal: &Principal, topic: &TopicName) -> Verdict {
        self.decide(principal, Permission::Publisher, Subject::Topic(topic))
    }

    fn subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Verdict {
        self.decide(principal, Permission::Subscriber, Subject::Filter(filter))
    }

    fn session_limits(&self) -> SessionLimits {
        self.sessions
    }

    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::EVENT_GRID
    }
}

impl Policy {
    /// The client that a good token names.
    fn admit_token(&self, token: &Token, transport: Transport) -> Result<Principal, Refusal> {
        if !self.enabled {
            return Err(RefusalKind::BrokerDisabled.into());
        }
        if transport == (Transport::Plain { trusted: false }) {
            return Err(RefusalKind::PlainNotTrusted.into());
        }
        self.is_not_disabled(&token.name)?;
        let by = AuthenticatedBy::Token {
            issuer: Arc::clone(&token.signed_by.issuer),
            kid: Arc::clone(&token.signed_by.kid),
        };
        Ok(Principal::new(PrincipalKind::Client, token.name.clone())
            .with_name_source(NameSource::Token)
            .with_proof(by, Some(token.expires_at))
            .with_attributes(token.attributes.clone())
            .with_rights(self.rights(&token.name, &token.attributes))
            .with_token(token.signed_by.clone()))
    }

    /// Judges a client again by what is known of its token.
    fn readmit_token(&self, principal: &Principal, signed_by: &SignedBy, now: Wall) -> Result<Principal, Refusal> {
        if !self.enabled {
            return Err(RefusalKind::BrokerDisabled.into());
        }
        if !self.tokens.as_ref().is_some_and(|tokens| tokens.trusts(signed_by)) {
            return Err(RefusalKind::IssuerWithdrawn.into());
        }
        if let Some(ended) = principal.expires_at().filter(|ends| *ends <= now) {
            let seconds = now.as_secs() - ended.as_secs();
            return Err(RefusalKind::Token(TokenProblem::Expired { seconds }).into());
        }
        let name = principal.authentication_name();
        self.is_not_disabled(name)?;
        Ok(principal.clone().with_rights(self.rights(name, principal.attributes())))
    }

    fn is_not_disabled(&self, name: &str) -> Result<(), RefusalKind> {
        match self.client(name) {
            Some(client) if client.properties.state != ClientState::Enabled => {
                Err(RefusalKind::Disabled { authentication_name: name.to_owned() })
            }
            _ => Ok(()),
        }
    }
}

/// What a principal wants to use.
#[derive(Debug, Clone, Copy)]
enum Subject<'a> {
    /// The topic of a message.
    Topic(&'a TopicName),
    /// The filter of a subscription.
    Filter(&'a TopicFilter),
}

impl Subject<'_> {
    fn as_str(&self) -> &str {
        match self {
            Self::Topic(topic) => topic.as_str(),
            Self::Filter(filter) => filter.as_str(),
        }
    }

    /// Whether whoever may use `granted` may use this.
    fn is_within(&self, granted: &TopicFilter) -> bool {
        match self {
            Self::Topic(topic) => granted.matches(topic),
            Self::Filter(filter) => granted.covers(filter),
        }
    }
}

impl Policy {
    fn decide(&self, principal: &Principal, permission: Permission, subject: Subject<'_>) -> Verdict {
        let rights = match self.current_rights(principal) {
            Ok(rights) => rights,
            Err(verdict) => return verdict,
        };
        let granted = rights.grants(permission).iter().find(|grant| subject.is_within(grant.filter()));
        if let Some(grant) = granted {
            return Verdict::Allowed(Explanation::Granted(grant.clone()));
        }
        let closest = self.closest(principal, &rights, permission, subject);
        let refused = Refused { permission, subject: subject.as_str().to_owned(), closest };
        Verdict::Denied(Explanation::Refused(Arc::new(refused)))
    }

    /// What the principal has under this policy; computed anew where an older one admitted it, so that a change of
    /// resources takes effect before the connection was judged again.
    fn current_rights<'a>(&self, principal: &'a Principal) -> Result<Cow<'a, Rights>, Verdict> {
        match principal.kind() {
            PrincipalKind::System => return Err(Verdict::Allowed(Explanation::Unrestricted(PrincipalKind::System))),
            PrincipalKind::Client => {}
            PrincipalKind::Open => return Err(Verdict::Denied(Explanation::Foreign)),
        }
        let rights = principal.rights();
        if *rights.namespace != *self.name {
            return Err(Verdict::Denied(Explanation::Foreign));
        }
        if rights.generation == self.generation {
            return Ok(Cow::Borrowed(rights));
        }
        if let Some(signed_by) = principal.signed_by() {
            if self.tokens.as_ref().is_some_and(|tokens| tokens.trusts(signed_by)) {
                return Ok(Cow::Owned(self.rights(principal.authentication_name(), principal.attributes())));
            }
            return Err(Verdict::Denied(Explanation::Withdrawn));
        }
        match self.client(principal.authentication_name()) {
            Some(client) if client.properties.state == ClientState::Enabled => {
                Ok(Cow::Owned(self.rights(client.authentication_name(), &client.properties.attributes)))
            }
            _ => Err(Verdict::Denied(Explanation::Withdrawn)),
        }
    }
}
