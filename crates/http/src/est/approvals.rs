//! Requests that wait for somebody's decision.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use aws_lc_rs::digest::{SHA256, digest};
use gridmq_tls::issue::SigningRequest;

use super::reply::Refusal;

/// Requests that wait at once.
const MAX_PENDING: usize = 1000;

/// Who decides about requests that the policy allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Approval {
    /// The policy alone.
    #[default]
    Automatic,
    /// Somebody, by [`EstServer::approve`](super::EstServer::approve); until then the answer is 202 (RFC 7030 §4.2.3).
    Manual {
        /// In how many seconds the client shall ask again.
        retry_after: u64,
    },
}

/// A request that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PendingRequest {
    /// SHA-256 of the key that it is for (its SubjectPublicKeyInfo) and of who asks, in lower-case hexadecimal.
    pub id: String,
    /// Who asks.
    pub requester: String,
    /// For whom.
    pub subject: String,
    /// Since when, in seconds since 1970.
    pub since: u64,
    /// It is granted when it is sent again.
    pub approved: bool,
}

#[derive(Debug)]
pub(super) struct Approvals {
    mode: Approval,
    waiting: Mutex<BTreeMap<String, PendingRequest>>,
}

impl Approvals {
    pub(super) const fn new(mode: Approval) -> Self {
        Self { mode, waiting: Mutex::new(BTreeMap::new()) }
    }

    /// Lets a request through, or notes that it waits. What is let through is forgotten.
    pub(super) fn check(&self, requester: &str, request: &SigningRequest, now: u64) -> Result<(), Refusal> {
        let Approval::Manual { retry_after } = self.mode else { return Ok(()) };
        let id = id(requester, request);
        let mut waiting = self.lock();
        match waiting.get(&id) {
            Some(known) if known.approved => {
                waiting.remove(&id);
                return Ok(());
            }
            Some(_) => {}
            None if waiting.len() == MAX_PENDING => {
                return Err(Refusal::Busy { seconds: retry_after, words: "too many requests wait for approval" });
            }
            None => {
                let subject = request.subject().to_string();
                let requester = requester.to_owned();
                let known = PendingRequest { id: id.clone(), requester, subject, since: now, approved: false };
                waiting.insert(id, known);
            }
        }
        Err(Refusal::Pending { seconds: retry_after })
    }

    pub(super) fn pending(&self) -> Vec<PendingRequest> {
        self.lock().values().filter(|waiting| !waiting.approved).cloned().collect()
    }

    pub(super) fn approve(&self, id: &str) -> bool {
        self.lock().get_mut(id).is_some_and(|waiting| {
            waiting.approved = true;
            true
        })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, PendingRequest>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The same key for another name is another decision.
fn id(requester: &str, request: &SigningRequest) -> String {
    let names = request.alternative_names().join("\n");
    let all = [request.public_key(), request.subject().der(), names.as_bytes(), b"\n", requester.as_bytes()].concat();
    digest(&SHA256, &all).as_ref().iter().map(|octet| format!("{octet:02x}")).collect()
}
