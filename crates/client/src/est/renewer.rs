//! An identity that is kept fresh.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use gridmq_tls::credentials::{Changed, Published};
use gridmq_tls::est::renewal::{Action, Renewal, RenewalPolicy, RenewalStatus};
use gridmq_tls::est::{CertificateRequest, Enrolment, EnrolmentKey, Operation};
use gridmq_tls::issue::KeyType;
use gridmq_tls::{Certificate, CredentialProvider, CredentialStatus, Generation, Identity, pem};
use tokio::sync::broadcast;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::client::{EstClient, millis};
use super::error::{EstError, EstErrorKind};
use super::files::PairFiles;
use super::hook::{Hook, HookError};
use crate::clock;

/// The wall clock may be set: it is looked at this often at least.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// Events that a slow reader may lag behind.
const MAX_EVENTS: usize = 64;

/// Which key a new certificate is for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum RenewalKey {
    /// A new one each time: what was stolen is worth nothing after the next renewal.
    New(KeyType),
    /// Always this one.
    Same(EnrolmentKey),
}

/// What happened in a renewal.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RenewalEvent {
    /// A new generation is the current one.
    Renewed {
        /// Its number.
        generation: u64,
        /// The last second of its validity, in seconds since 1970.
        not_after: u64,
    },
    /// The server wants to be asked again later.
    Pending {
        /// When, in milliseconds since 1970.
        next: u64,
    },
    /// The old certificate stays.
    Failed {
        /// Why.
        why: String,
        /// When the next attempt is due, in milliseconds since 1970.
        next: u64,
    },
    /// The renewal stands, but the hook did not do its work.
    HookFailed {
        /// Why.
        why: String,
    },
}

/// Renews an identity by EST before it runs out, and gives each as a generation.
///
/// Dropping it ends the renewals; clones share it.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use gridmq_client::Options;
/// use gridmq_client::est::{EstClient, EstRenewer};
/// use gridmq_client::tls::{Identity, Trust};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let trust = Trust::only_pem_file("root-ca.pem".as_ref())?;
/// let identity = Identity::from_pem_files("device1.pem".as_ref(), "device1.key".as_ref())?;
/// let est = EstClient::builder("https://ca.example").trust(trust.clone()).identity(identity.clone()).build()?;
/// let renewer = EstRenewer::builder(est, identity).start();
/// let client = Options::new("mqtts://broker.example").trust(trust).credentials(Arc::new(renewer)).connect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct EstRenewer {
    shared: Arc<Shared>,
    task: Arc<Task>,
}

struct Shared {
    published: Published,
    events: broadcast::Sender<RenewalEvent>,
    status: Mutex<RenewalStatus>,
}

struct Task(AbortHandle);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl EstRenewer {
    /// Starts from an identity that the server issued. It authenticates the renewals; once it has expired, the
    /// client's user name and password do, if there are any.
    pub fn builder(client: EstClient, identity: Identity) -> EstRenewerBuilder {
        EstRenewerBuilder {
            client,
            identity,
            key: RenewalKey::New(KeyType::default()),
            policy: RenewalPolicy::default(),
            files: None,
            hook: None,
        }
    }

    /// What happens from now on. A reader that lags more than 64 events behind misses some.
    #[must_use]
    pub fn events(&self) -> broadcast::Receiver<RenewalEvent> {
        self.shared.events.subscribe()
    }

    /// How the renewals stand, for metrics.
    #[must_use]
    pub fn renewal_status(&self) -> RenewalStatus {
        self.shared.status.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl CredentialProvider for EstRenewer {
    fn current(&self) -> Arc<Generation> {
        self.shared.published.current()
    }

    fn changed(&self, after: u64) -> Changed<'_> {
        self.shared.published.changed(after)
    }

    fn status(&self) -> CredentialStatus {
        self.shared.published.status()
    }
}

impl fmt::Debug for EstRenewer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EstRenewer")
            .field("published", &self.shared.published)
            .field("running", &!self.task.0.is_finished())
            .finish_non_exhaustive()
    }
}

/// Makes an [`EstRenewer`].
#[derive(Debug)]
#[must_use]
pub struct EstRenewerBuilder {
    client: EstClient,
    identity: Identity,
    key: RenewalKey,
    policy: RenewalPolicy,
    files: Option<PairFiles>,
    hook: Option<Hook>,
}

impl EstRenewerBuilder {
    /// Which key; a new one on P-256 unless set.
    pub fn key(mut self, key: RenewalKey) -> Self {
        self.key = key;
        self
    }

    /// When; see [`RenewalPolicy::default`].
    pub const fn policy(mut self, policy: RenewalPolicy) -> Self {
        self.policy = policy;
        self
    }

    /// Replaces these files at each renewal, before the new generation is given out. A key that stays is not written.
    pub fn files(mut self, files: PairFiles) -> Self {
        self.files = Some(files);
        self
    }

    /// Runs this after each renewal.
    pub fn hook(mut self, hook: Hook) -> Self {
        self.hook = Some(hook);
        self
    }

    /// Starts the task. It must be called inside a runtime.
    pub fn start(self) -> EstRenewer {
        let shared = Arc::new(Shared {
            published: Published::new(self.identity.clone()),
            events: broadcast::Sender::new(MAX_EVENTS),
            status: Mutex::new(RenewalStatus::default()),
        });
        let not_before = self.identity.chain().first().map_or(0, Certificate::not_before);
        let renewal = Renewal::new(self.policy, not_before, self.identity.not_after(), random());
        let driver = Driver { options: self, shared: Arc::clone(&shared), renewal, unanswered: None };
        driver.tell(None);
        let task = Arc::new(Task(tokio::spawn(driver.run()).abort_handle()));
        EstRenewer { shared, task }
    }
}

/// A request that the server has not answered, to be sent again with the same key.
struct Unanswered {
    key: EnrolmentKey,
    request: CertificateRequest,
}

struct Driver {
    options: EstRenewerBuilder,
    shared: Arc<Shared>,
    renewal: Renewal,
    unanswered: Option<Unanswered>,
}

#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Est(#[from] EstError),
    #[error("the new certificate cannot be written to {path}: {source}")]
    Files { path: String, source: std::io::Error },
}

enum Outcome {
    Issued(Identity),
    Pending(u64),
}

impl Driver {
    async fn run(mut self) {
        loop {
            match self.renewal.poll(millis()) {
                Action::Wait { until } => {
                    sleep(Duration::from_millis(until.saturating_sub(millis())).min(LONGEST_SLEEP)).await;
                }
                _ => self.renew().await,
            }
        }
    }

    async fn renew(&mut self) {
        let outcome = Box::pin(self.attempt()).await;
        let now = millis();
        match outcome {
            Ok(Outcome::Issued(identity)) => {
                self.unanswered = None;
                let not_after = identity.not_after();
                self.renewal.issued(now, not_after, random());
                // Whoever wakes by the new generation finds it counted.
                self.tell(None);
                let generation = self.shared.published.publish(identity.clone());
                tracing::info!(subject = identity.subject(), not_after, generation, "certificate renewed");
                self.tell(Some(RenewalEvent::Renewed { generation, not_after }));
                self.run_hook(&identity).await;
            }
            Ok(Outcome::Pending(retry_after)) => {
                self.renewal.pending(now, retry_after);
                self.shared.published.confirmed();
                tracing::info!(retry_after, "the EST server has not decided yet");
                self.tell(Some(RenewalEvent::Pending { next: self.renewal.status().next }));
            }
            Err(failure) => {
                let retry_after = match &failure {
                    Failure::Est(error) => {
                        if matches!(error.kind(), EstErrorKind::Answer(_)) {
                            self.unanswered = None;
                        }
                        error.retry_after()
                    }
                    Failure::Files { .. } => None,
                };
                let why = failure.to_string();
                self.renewal.failed(now, why.clone(), retry_after, random());
                self.shared.published.failed(&why);
                tracing::warn!(%why, "the certificate was not renewed; the old one stays");
                self.tell(Some(RenewalEvent::Failed { why, next: self.renewal.status().next }));
            }
        }
    }

    async fn attempt(&mut self) -> Result<Outcome, Failure> {
        let current = self.shared.published.current().identity.clone();
        let expired = self.renewal.is_expired(millis());
        let by_password = expired && self.options.client.has_password();
        let client = self.options.client.with_identity((!by_password).then(|| current.clone()))?;
        if self.unanswered.is_none() {
            let made = self.request(&current).await;
            let made = made.map_err(|kind| client.error(Operation::SimpleReenroll, kind))?;
            self.unanswered = Some(made);
        }
        let Some(Unanswered { key, request }) = &self.unanswered else { return Ok(Outcome::Pending(1)) };
        let answer = if by_password { client.enroll(request).await? } else { client.reenroll(request).await? };
        let granted = match answer {
            Enrolment::Issued(granted) => granted,
            Enrolment::Pending { retry_after } => return Ok(Outcome::Pending(retry_after)),
            _ => return Ok(Outcome::Pending(1)),
        };
        let identity = client.accept(granted, request, key).await?;
        if let Some(files) = &self.options.files {
            let key = matches!(self.options.key, RenewalKey::New(_)).then(|| key.pem());
            files
                .replace(&pem::encode(identity.chain()), key)
                .map_err(|source| Failure::Files { path: files.certificate().display().to_string(), source })?;
        }
        Ok(Outcome::Issued(identity))
    }

    async fn request(&self, current: &Identity) -> Result<Unanswered, EstErrorKind> {
        let key = match &self.options.key {
            RenewalKey::Same(key) => key.clone(),
            RenewalKey::New(kind) => {
                let kind = *kind;
                // RSA takes its time.
                tokio::task::spawn_blocking(move || EnrolmentKey::generate(kind))
                    .await
                    .map_err(|_| EstErrorKind::Stopped)??
            }
        };
        let leaf = current.chain().first().ok_or(EstErrorKind::NoIdentity)?;
        let request = CertificateRequest::renewing(&key, leaf)?;
        Ok(Unanswered { key, request })
    }

    async fn run_hook(&self, identity: &Identity) {
        let Some(hook) = &self.options.hook else { return };
        let ended: Result<(), HookError> = hook.run(identity, self.options.files.as_ref()).await;
        if let Err(error) = ended {
            tracing::warn!(%error, "the certificate is renewed, but the hook failed");
            self.tell(Some(RenewalEvent::HookFailed { why: error.to_string() }));
        }
    }

    /// Shows how it stands, and an event to whoever listens.
    fn tell(&self, event: Option<RenewalEvent>) {
        *self.shared.status.lock().unwrap_or_else(PoisonError::into_inner) = self.renewal.status().clone();
        if let Some(event) = event {
            // Nobody has to listen.
            drop(self.shared.events.send(event));
        }
    }
}

/// Any number in 0..1, for spreading renewals over time; no secret depends on it.
fn random() -> f64 {
    let bits = clock::random() >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}
