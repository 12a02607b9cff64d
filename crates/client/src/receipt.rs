//! Who still has to judge a message before it is acknowledged.

use std::sync::{Arc, Mutex, PoisonError};

use gridmq_proto::ReasonCode;
use gridmq_proto::session::{PublishToken, Verdict};

use crate::inbox::Inbox;

/// One message of QoS 1 or 2, shared by all subscriptions that got it.
#[derive(Debug)]
struct Owed {
    token: PublishToken,
    inbox: Arc<Inbox>,
    opinion: Mutex<Opinion>,
}

#[derive(Debug, Default)]
struct Opinion {
    /// The first refusal.
    refused: Option<Verdict>,
    /// Somebody let go of the message without a word: it stays unacknowledged, and the server sends it again when
    /// the session is resumed.
    abandoned: bool,
}

/// When the last of those who got the message is done with it, it is acknowledged.
impl Drop for Owed {
    fn drop(&mut self) {
        let opinion = std::mem::take(self.opinion.get_mut().unwrap_or_else(PoisonError::into_inner));
        if !opinion.abandoned {
            self.inbox.complete(self.token, opinion.refused.unwrap_or_else(|| ReasonCode::Success.into()));
        }
    }
}

/// One subscription's duty to judge a message. Dropping it without a judgement leaves the message unacknowledged.
#[derive(Debug)]
pub(crate) struct Receipt(Option<Arc<Owed>>);

impl Receipt {
    pub(crate) fn new(token: PublishToken, inbox: &Arc<Inbox>) -> Self {
        Self(Some(Arc::new(Owed { token, inbox: Arc::clone(inbox), opinion: Mutex::default() })))
    }

    /// A duty of one more subscription.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn accept(mut self) {
        self.0 = None;
    }

    pub(crate) fn reject(mut self, verdict: Verdict) {
        if let Some(owed) = self.0.take() {
            let mut opinion = owed.opinion.lock().unwrap_or_else(PoisonError::into_inner);
            opinion.refused.get_or_insert(verdict);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(owed) = &self.0 {
            owed.opinion.lock().unwrap_or_else(PoisonError::into_inner).abandoned = true;
        }
    }
}
