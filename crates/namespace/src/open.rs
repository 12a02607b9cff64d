//! Rules that forbid nothing.

use gridmq_proto::time::Wall;
use gridmq_proto::{TopicFilter, TopicName};

use crate::explain::Explanation;
use crate::gate::{ConnectRequest, Credentials, Refusal, RefusalKind, Rules, Verdict};
use crate::principal::{NameSource, Principal, PrincipalKind};
use crate::profile::{ConnectionLimits, SessionLimits};

/// A broker without a namespace: everybody is admitted and may do everything, within
/// [`ConnectionLimits::OPEN`] and [`SessionLimits::OPEN`].
///
/// A client is named by its user name, or else by its client identifier; neither is proven. Enhanced authentication
/// is refused with 0x8C.
#[derive(Debug, Clone, Copy, Default)]
#[non_exhaustive]
pub struct Open;

impl Open {
    /// The rules.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

impl Rules for Open {
    fn generation(&self) -> u64 {
        0
    }

    fn admit(&self, request: &ConnectRequest<'_>, _now: Wall) -> Result<Principal, Refusal> {
        if let Some(method) = request.authentication_method {
            return Err(RefusalKind::UnsupportedAuthenticationMethod { method: method.to_owned() }.into());
        }
        let (name, source) = match request.username {
            Some(username) if !username.is_empty() => (username, NameSource::Username),
            _ => (request.client_id, NameSource::ClientId),
        };
        Ok(Principal::new(PrincipalKind::Open, name).with_name_source(source))
    }

    fn readmit(&self, principal: &Principal, _credentials: &Credentials, _now: Wall) -> Result<Principal, Refusal> {
        Ok(principal.clone())
    }

    fn publish(&self, principal: &Principal, _topic: &TopicName) -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(principal.kind()))
    }

    fn subscribe(&self, principal: &Principal, _filter: &TopicFilter) -> Verdict {
        Verdict::Allowed(Explanation::Unrestricted(principal.kind()))
    }

    fn session_limits(&self) -> SessionLimits {
        SessionLimits::OPEN
    }

    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::OPEN
    }
}
