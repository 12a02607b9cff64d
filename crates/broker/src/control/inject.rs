//! Messages without a socket.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::session::Verdict;
use gridmq_proto::{ReasonCode, TopicName};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::oneshot;

use super::Control;
use crate::directory::{SessionKey, Slot, WorkerId};
use crate::hooks::Publication;
use crate::mailbox::{Batch, Mail, Order};
use crate::worker::Worker;

/// What became of an injected message. At QoS 1 and 2 every session that gets it has taken it by then, and where it
/// must last it is durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Injected {
    /// At least one session gets it, or a hook has taken it.
    Matched,
    /// No session has a subscription for it. A message to be retained is retained all the same.
    NoSubscribers,
}

/// Why a message was not injected.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InjectError {
    /// Rules, a hook or a full queue refused it.
    #[error("refused: {reason}{}", words.as_deref().map(|words| format!(": {words}")).unwrap_or_default())]
    Refused {
        /// The reason code that a client would have got.
        reason: ReasonCode,
        /// Why, for people.
        words: Option<ByteString>,
    },
    /// There is no session of that client.
    #[error("there is no session of the client in whose name it was to be published")]
    NoSession,
    /// The worker has no room for more mail: try again later, or wait with `inject`.
    #[error("the worker is behind: try again later")]
    Busy,
    /// The broker has stopped.
    #[error("the broker has stopped")]
    Stopped,
}

/// The answer to [`Control::try_inject`], to be awaited or dropped.
#[derive(Debug)]
#[must_use = "it says what became of the message"]
pub struct Injection(oneshot::Receiver<Verdict>);

impl Injection {
    /// What became of it.
    ///
    /// # Errors
    /// See [`InjectError`].
    pub async fn outcome(self) -> Result<Injected, InjectError> {
        let Verdict { reason, words, .. } = self.0.await.map_err(|_| InjectError::Stopped)?;
        match reason {
            ReasonCode::NoMatchingSubscribers => Ok(Injected::NoSubscribers),
            reason if reason.is_failure() => Err(InjectError::Refused { reason, words }),
            _ => Ok(Injected::Matched),
        }
    }
}

impl Control {
    /// Publishes a message as the broker itself: rules are not asked, hooks are. Messages to one topic keep their order.
    ///
    /// # Errors
    /// See [`InjectError`].
    pub async fn inject(&self, publication: Publication) -> Result<Injected, InjectError> {
        let (batch, inbox, injection) = self.system_order(publication)?;
        inbox.send(batch).await.map_err(|_| InjectError::Stopped)?;
        injection.outcome().await
    }

    /// As [`inject`](Self::inject), without waiting for room or for the outcome.
    ///
    /// # Errors
    /// [`InjectError::Busy`], [`InjectError::Stopped`].
    pub fn try_inject(&self, publication: Publication) -> Result<Injection, InjectError> {
        let (batch, inbox, injection) = self.system_order(publication)?;
        match inbox.try_send(batch) {
            Ok(()) => Ok(injection),
            Err(TrySendError::Full(_)) => Err(InjectError::Busy),
            Err(TrySendError::Closed(_)) => Err(InjectError::Stopped),
        }
    }

    /// Publishes a message in the name of a client that has a session, online or not: rules judge it as the client's,
    /// hooks see it as the client's, and No Local keeps it from that client.
    ///
    /// # Errors
    /// See [`InjectError`].
    pub async fn inject_as(&self, client_id: &str, publication: Publication) -> Result<Injected, InjectError> {
        let key = SessionKey { namespace: self.shared.realm.id, client_id: client_id.into() };
        let slot = self.shared.directory.find(&key).ok_or(InjectError::NoSession)?;
        let (batch, injection) = order(publication, Some(Arc::clone(&slot)));
        let inbox = self.shared.inboxes.get(usize::from(slot.worker())).ok_or(InjectError::Stopped)?;
        inbox.send(batch).await.map_err(|_| InjectError::Stopped)?;
        injection.outcome().await
    }

    fn system_order(
        &self,
        publication: Publication,
    ) -> Result<(Batch, &tokio::sync::mpsc::Sender<Batch>, Injection), InjectError> {
        let worker = self.worker_of(&publication.message.topic);
        let (batch, injection) = order(publication, None);
        Ok((batch, self.shared.inboxes.get(worker).ok_or(InjectError::Stopped)?, injection))
    }

    /// The same worker for a topic, so that its messages keep their order.
    fn worker_of(&self, topic: &TopicName) -> usize {
        let mut hasher = DefaultHasher::new();
        topic.as_str().hash(&mut hasher);
        usize::try_from(hasher.finish() % self.shared.inboxes.len().max(1) as u64).unwrap_or(0)
    }
}

fn order(publication: Publication, client: Option<Arc<Slot>>) -> (Batch, Injection) {
    let (answer, answered) = oneshot::channel();
    let order = Order::new(move |worker: &mut Worker| worker.inject(publication, client.as_ref(), answer));
    (Batch { from: WorkerId::MAX, mail: vec![Mail::Order(order)] }, Injection(answered))
}
