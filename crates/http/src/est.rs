//! A server of Enrollment over Secure Transport (RFC 7030) over a local authority.
//!
//! | operation | who may | what is issued |
//! |---|---|---|
//! | `cacerts`, `csrattrs` | everybody | - |
//! | `simpleenroll` | a user by password, or a certificate of a bootstrap authority | what [`Policy`] allows them |
//! | `simplereenroll` | the holder of a certificate of this authority, valid, not barred | the same subject and names |
//!
//! Every certificate, and every refusal, is a line of the log under the target `gridmq::est::audit`.
//!
//! Not here: server-side key generation (§4.4), Full CMC (§4.3), and the binding of a request to its TLS connection
//! (§3.5), whose `tls-unique` TLS 1.3 does not have.

use std::fmt;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use gridmq_tls::est::{Label, Operation};
use gridmq_tls::issue::CertificateAuthority;
use gridmq_tls::verify::AnchorsError;
use gridmq_tls::{Anchors, Certificate};
use tokio::sync::Semaphore;

mod approvals;
mod authenticate;
mod enrol;
mod policy;
mod reply;
mod users;

pub use approvals::{Approval, PendingRequest};
pub use policy::{Policy, SubjectRule};
pub use users::{Users, UsersError};

use approvals::Approvals;

/// The largest request body: a PKCS#10 request of 64 KiB in base64.
pub const MAX_REQUEST_BODY: usize = 128 * 1024;
/// The target of log lines that tell who got what.
const AUDIT: &str = "gridmq::est::audit";
/// Passwords that are checked at once; each takes a processor for a moment.
const PASSWORD_CHECKS: usize = 2;

/// Tells seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Is this certificate of the authority worth nothing any more?
pub type Barred = Arc<dyn Fn(&Certificate) -> bool + Send + Sync>;

/// An EST server's authority, users, policy and memory.
pub struct EstServer {
    authority: CertificateAuthority,
    /// What `cacerts` answers: the issuing authority first.
    chain: Vec<Certificate>,
    anchors: Anchors,
    bootstrap: Anchors,
    users: Arc<Users>,
    policy: Policy,
    approvals: Approvals,
    label: Option<Label>,
    barred: Option<Barred>,
    clock: Clock,
    checks: Arc<Semaphore>,
}

impl EstServer {
    /// Starts with this authority, nobody who may enrol, the default policy and the system's clock.
    pub fn builder(authority: CertificateAuthority) -> EstServerBuilder {
        EstServerBuilder {
            authority,
            above: Vec::new(),
            bootstrap: Vec::new(),
            users: Users::default(),
            policy: Policy::default(),
            approval: Approval::default(),
            label: None,
            barred: None,
            clock: Arc::new(|| SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())),
        }
    }

    /// The routes of RFC 7030 §3.2.2, under the label too if there is one.
    pub fn router(self: &Arc<Self>) -> Router {
        let limit = DefaultBodyLimit::max(MAX_REQUEST_BODY);
        let mut router = Router::new();
        for label in [None].into_iter().chain(self.label.as_ref().map(Some)) {
            let path = |operation: Operation| operation.path(label);
            router = router
                .route(&path(Operation::CaCerts), get(enrol::ca_certificates))
                .route(&path(Operation::CsrAttrs), get(enrol::csr_attributes))
                .route(&path(Operation::SimpleEnroll), post(enrol::enroll))
                .route(&path(Operation::SimpleReenroll), post(enrol::reenroll));
        }
        router.layer(limit).with_state(Arc::clone(self))
    }

    /// The requests that wait for [`approve`](Self::approve).
    #[must_use]
    pub fn pending(&self) -> Vec<PendingRequest> {
        self.approvals.pending()
    }

    /// Approves a request that waits: it is granted when it is sent again. Answers whether there is one of this id.
    pub fn approve(&self, id: &str) -> bool {
        self.approvals.approve(id)
    }

    fn now(&self) -> u64 {
        (self.clock)()
    }
}

impl fmt::Debug for EstServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EstServer")
            .field("authority", &self.authority)
            .field("users", &self.users)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

/// Makes an [`EstServer`].
#[must_use]
pub struct EstServerBuilder {
    authority: CertificateAuthority,
    above: Vec<Certificate>,
    bootstrap: Vec<Certificate>,
    users: Users,
    policy: Policy,
    approval: Approval,
    label: Option<Label>,
    barred: Option<Barred>,
    clock: Clock,
}

impl EstServerBuilder {
    /// Gives out these certificates above the authority too, the root last.
    pub fn above(mut self, certificates: Vec<Certificate>) -> Self {
        self.above = certificates;
        self
    }

    /// Lets these users enrol by password.
    pub fn users(mut self, users: Users) -> Self {
        self.users = users;
        self
    }

    /// Lets holders of certificates of these authorities enrol; their common name is whom they may enrol as.
    pub fn bootstrap(mut self, authorities: Vec<Certificate>) -> Self {
        self.bootstrap = authorities;
        self
    }

    /// Sets what is issued.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Sets who decides.
    pub const fn approval(mut self, approval: Approval) -> Self {
        self.approval = approval;
        self
    }

    /// Answers under this label besides.
    pub fn label(mut self, label: Label) -> Self {
        self.label = Some(label);
        self
    }

    /// Refuses to renew, and to enrol by, certificates of this authority that `barred` answers true for: revoked ones,
    /// as a rule.
    pub fn barred(mut self, barred: Barred) -> Self {
        self.barred = Some(barred);
        self
    }

    /// Tells the time by this; for tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Builds the server.
    ///
    /// # Errors
    /// When an authority cannot serve as one.
    pub fn build(self) -> Result<Arc<EstServer>, AnchorsError> {
        let own = self.authority.certificate().clone();
        let mut chain = vec![own.clone()];
        chain.extend(self.above.into_iter().filter(|certificate| *certificate != own));
        Ok(Arc::new(EstServer {
            anchors: Anchors::new([own])?,
            bootstrap: Anchors::new(self.bootstrap)?,
            authority: self.authority,
            chain,
            users: Arc::new(self.users),
            policy: self.policy,
            approvals: Approvals::new(self.approval),
            label: self.label,
            barred: self.barred,
            clock: self.clock,
            checks: Arc::new(Semaphore::new(PASSWORD_CHECKS)),
        }))
    }
}

impl fmt::Debug for EstServerBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EstServerBuilder").field("authority", &self.authority).finish_non_exhaustive()
    }
}
