//! A broker seen and steered from its program.

mod inject;
mod retained;
mod sessions;

use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::packet::SubscribeOptions;
use gridmq_proto::time::Wall;
use gridmq_proto::{SubscriptionFilter, Version};
use tokio::sync::oneshot;

use crate::directory::{SessionKey, Slot, WorkerId};
use crate::events::Events;
use crate::mailbox::{Batch, Mail, Order};
use crate::observer::ConnectionId;
use crate::shared::Shared;
use crate::worker::Worker;

pub use inject::{InjectError, Injected, Injection};
pub use retained::{RetainedCursor, RetainedMessage, RetainedPage};
pub use sessions::{SessionCursor, SessionPage, SubscribeError};

/// Looks into a running broker and steers it, from any thread. Cheap to clone; it does not keep the broker running.
///
/// Nothing here stops a worker: what it asks of one is done in a turn between others.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), gridmq_broker::StartError> {
/// use gridmq_broker::{Broker, Listener};
///
/// let here = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
/// let broker = Broker::builder().listener(Listener::plain(here)).start().await?;
/// let control = broker.control();
/// assert!(control.sessions(None, 100).await.sessions.is_empty());
/// assert!(control.session("nobody").await.is_none());
/// # broker.shutdown().await; Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct Control {
    pub(crate) shared: Arc<Shared>,
}

/// A session at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionInfo {
    /// Its name.
    pub client_id: ByteString,
    /// Who it was last admitted as; `None` for one that was stored and whose client has not come back.
    pub authentication_name: Option<ByteString>,
    /// Its connection, if its client is there.
    pub connection: Option<ConnectionInfo>,
    /// Seconds that it outlives its connection; `u32::MAX` for ever.
    pub expiry_interval: u32,
    /// Subscriptions.
    pub subscriptions: usize,
    /// Messages that wait or are not acknowledged.
    pub queued_messages: usize,
    /// The bytes of these.
    pub queued_bytes: usize,
    /// Of these, sent and not acknowledged.
    pub in_flight: usize,
    /// The worker that has it.
    pub worker: u16,
}

/// The connection of a client that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ConnectionInfo {
    /// Names it.
    pub id: ConnectionId,
    /// Where from: `192.0.2.1:5321`, or `unix`.
    pub from: String,
    /// What it speaks.
    pub version: Version,
    /// Since when.
    pub since: Wall,
}

/// A session with its subscriptions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionDetails {
    /// The session.
    pub info: SessionInfo,
    /// Its subscriptions, by filter.
    pub subscriptions: Vec<(SubscriptionFilter, SubscribeOptions)>,
}

impl Control {
    /// Follows what happens from now on.
    #[must_use]
    pub fn events(&self) -> Events {
        self.shared.events.listen()
    }

    /// Has a worker do something in a turn of its own. `None`: the broker has stopped.
    pub(crate) async fn ask<T: Send + 'static>(
        &self,
        worker: WorkerId,
        what: impl FnOnce(&mut Worker) -> T + Send + 'static,
    ) -> Option<T> {
        let (answer, answered) = oneshot::channel();
        let order = Order::new(move |worker: &mut Worker| {
            // Whoever asked may have gone.
            let _ = answer.send(what(worker));
        });
        let inbox = self.shared.inboxes.get(usize::from(worker))?;
        let mail = vec![Mail::Order(order)];
        inbox.send(Batch { from: WorkerId::MAX, mail }).await.ok()?;
        answered.await.ok()
    }

    /// Asks the worker that has a session, and the next one if it has just moved.
    pub(crate) async fn ask_session<T: Send + 'static>(
        &self,
        client_id: &str,
        what: impl Fn(&mut Worker, &Arc<Slot>) -> Option<T> + Clone + Send + 'static,
    ) -> Option<T> {
        /// A session that keeps moving is not worth following.
        const TRIES: usize = 8;
        let key = SessionKey { namespace: self.shared.realm.id, client_id: client_id.into() };
        for _ in 0..TRIES {
            let slot = self.shared.directory.find(&key)?;
            let (worker, asked) = (slot.worker(), what.clone());
            if let Some(answer) = self.ask(worker, move |worker| asked(worker, &slot)).await? {
                return Some(answer);
            }
        }
        None
    }
}
