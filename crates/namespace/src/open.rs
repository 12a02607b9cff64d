//! Rules without a namespace: users, certificates, access rules, and a brake on guessing.

mod access;
mod admit;
mod brake;
mod certificates;
mod users;

pub use access::{
    Access, AccessProblem, AccessProblemKind, AccessRefusal, AccessRule, MAX_ACCESS_BYTES, MAX_MEMBERS, MAX_RULES,
    NearestRule,
};
pub use brake::{Brake, BrakeStats, BrakeSteps};
pub use certificates::CertificateNames;
pub use users::{
    HashError, MAX_USERS, MAX_USERS_BYTES, PasswordHash, UserName, Users, UsersFile, UsersProblem, UsersProblemKind,
};

use std::sync::Arc;

use gridmq_proto::time::Wall;
use gridmq_proto::{TopicFilter, TopicName};

use crate::explain::Explanation;
use crate::gate::{Computation, ConnectRequest, Credentials, Refusal, Rules, Verdict};
use crate::principal::{Principal, PrincipalKind};
use crate::profile::{ConnectionLimits, SessionLimits};
use access::{Party, Wanted};
use users::User;

/// The name of whoever has proven none, on a broker that knows users.
pub const ANONYMOUS: &str = "anonymous";

/// A broker without a namespace. As it is made, it admits everybody and forbids nothing, within
/// [`ConnectionLimits::OPEN`] and [`SessionLimits::OPEN`]:
///
/// - with [users](Self::with_users), who gives a user name must give its password;
/// - with [certificates](Self::with_certificates), a client's certificate names it;
/// - with either, nobody else is admitted unless [anonymous clients](Self::allow_anonymous) are, and a session belongs
///   to the name that made it;
/// - with [access rules](Self::with_access), nothing is allowed that they do not allow.
///
/// On a broker that knows neither users nor certificates a client is named by its user name, or else by its client
/// identifier, and neither is proven. Enhanced authentication is refused with 0x8C.
///
/// | why | MQTT 5.0 | MQTT 3.1.1 |
/// |---|---|---|
/// | the user name or the password is wrong, or one is missing | 0x86 | 4 |
/// | nothing is given, and anonymous clients are not admitted; a certificate that does not hold | 0x87 | 5 |
/// | too many wrong passwords from there or for that name | 0x9F | 3 |
#[derive(Debug, Clone)]
pub struct Open {
    generation: u64,
    users: Option<Arc<Users>>,
    certificates: Option<Arc<CertificateNames>>,
    anonymous: Option<bool>,
    access: Option<Arc<Access>>,
    brake: Option<Arc<Brake>>,
}

/// What a principal was given by these rules.
#[derive(Debug, Clone)]
pub(crate) struct OpenRights {
    generation: u64,
    client_id: Box<str>,
    /// Whose password it gave.
    user: Option<Arc<User>>,
    /// The access rules that are for it, by place.
    rules: Box<[u32]>,
}

impl Open {
    /// Rules that forbid nothing.
    #[must_use]
    pub const fn new() -> Self {
        Self { generation: 0, users: None, certificates: None, anonymous: None, access: None, brake: None }
    }

    /// The same under another generation, which must differ from that of every other rules of the broker.
    #[must_use]
    pub const fn with_generation(mut self, generation: u64) -> Self {
        self.generation = generation;
        self
    }

    /// Asks for passwords.
    #[must_use]
    pub fn with_users(mut self, users: Arc<Users>) -> Self {
        self.users = Some(users);
        self
    }

    /// Takes names from clients' certificates. The listener must ask for them.
    #[must_use]
    pub fn with_certificates(mut self, certificates: Arc<CertificateNames>) -> Self {
        self.certificates = Some(certificates);
        self
    }

    /// Whether to admit clients that neither give a user name nor show a certificate. Unless this is called, they are
    /// where there are neither users nor certificates.
    #[must_use]
    pub const fn allow_anonymous(mut self, allow: bool) -> Self {
        self.anonymous = Some(allow);
        self
    }

    /// Decides by access rules.
    #[must_use]
    pub fn with_access(mut self, access: Arc<Access>) -> Self {
        self.access = Some(access);
        self
    }

    /// Slows down those who guess passwords. Rules that take the place of others should have the same brake, so that
    /// it forgets nothing.
    #[must_use]
    pub fn with_brake(mut self, brake: Arc<Brake>) -> Self {
        self.brake = Some(brake);
        self
    }

    /// Its brake.
    #[must_use]
    pub const fn brake(&self) -> Option<&Arc<Brake>> {
        self.brake.as_ref()
    }

    /// Whether names are proven here.
    const fn knows_names(&self) -> bool {
        self.users.is_some() || self.certificates.is_some()
    }

    fn admits_anonymous(&self) -> bool {
        self.anonymous.unwrap_or_else(|| !self.knows_names())
    }

    fn decide(&self, principal: &Principal, wanted: Wanted<'_>) -> Verdict {
        if principal.kind() == PrincipalKind::System {
            return Verdict::Allowed(Explanation::Unrestricted(PrincipalKind::System));
        }
        let Some(rights) = principal.open() else { return Verdict::Denied(Explanation::Foreign) };
        let Some(access) = &self.access else {
            return Verdict::Allowed(Explanation::Unrestricted(principal.kind()));
        };
        let party = party(principal, &rights.client_id);
        if rights.generation == self.generation {
            access.decide(&rights.rules, party, wanted)
        } else {
            // Other rules admitted it, and it was not judged again yet.
            access.decide(&access.applicable(party), party, wanted)
        }
    }
}

impl Default for Open {
    fn default() -> Self {
        Self::new()
    }
}

/// A principal as access rules see it.
fn party<'a>(principal: &'a Principal, client_id: &'a str) -> Party<'a> {
    let proven = principal.kind() == PrincipalKind::Client;
    Party { user: proven.then(|| &**principal.authentication_name()), client_id }
}

impl Rules for Open {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn prepare(&self, request: &ConnectRequest<'_>, now: Wall) -> Option<Computation> {
        self.check_password(request, now)
    }

    fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal> {
        self.judge(request, now)
    }

    fn readmit(&self, principal: &Principal, credentials: &Credentials, now: Wall) -> Result<Principal, Refusal> {
        self.judge_again(principal, credentials, now)
    }

    fn readmit_stored(&self, authentication_name: &str, client_id: &str, _now: Wall) -> Result<Principal, Refusal> {
        self.judge_stored(authentication_name, client_id)
    }

    fn publish(&self, principal: &Principal, topic: &TopicName) -> Verdict {
        self.decide(principal, Wanted::Publish(topic))
    }

    fn allows_every_publish(&self, principal: &Principal) -> bool {
        self.access.is_none() && principal.open().is_some()
    }

    fn subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Verdict {
        self.decide(principal, Wanted::Subscribe(filter))
    }

    fn session_limits(&self) -> SessionLimits {
        SessionLimits { owner_only: self.knows_names(), ..SessionLimits::OPEN }
    }

    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::OPEN
    }
}
