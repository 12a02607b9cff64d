//! Clients that are the program itself: they come without a socket, and their client identifiers are theirs alone.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytestring::ByteString;
use gridmq_namespace::profile::{QueueLimits, SessionLimits};
use tokio::io::DuplexStream;
use tokio::sync::mpsc::error::TrySendError;

use crate::control::Control;
use crate::listener::{Door, Incoming, Listener};
use crate::mailbox::{Accepted, Batch, Mail};
use crate::peer::PeerAddress;

/// Bytes that lie between the program and a worker, each way.
const PIPE: usize = 64 * 1024;

/// The client identifiers that the program keeps for itself, and what their sessions may hold.
#[derive(Debug)]
pub(crate) struct Insiders {
    queues: HashMap<ByteString, QueueLimits>,
    /// What their connections come through.
    door: Arc<Door>,
    /// Which worker gets the next one.
    next: AtomicUsize,
}

impl Insiders {
    pub(crate) fn new(queues: HashMap<ByteString, QueueLimits>) -> Self {
        let listener = Listener::plain(([127, 0, 0, 1], 0));
        let address = listener.address.clone();
        Self { queues, door: Arc::new(Door::new(listener, address)), next: AtomicUsize::new(0) }
    }

    /// Whether nobody else may have that client identifier.
    pub(crate) fn keep(&self, client_id: &str) -> bool {
        !self.queues.is_empty() && self.queues.contains_key(client_id)
    }

    /// What a session may hold, and what happens beyond.
    pub(crate) fn queue(&self, client_id: &str, rules: &SessionLimits) -> QueueLimits {
        if self.queues.is_empty() {
            return rules.offline_queue;
        }
        self.queues.get(client_id).copied().unwrap_or(rules.offline_queue)
    }
}

/// The broker has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the broker has stopped")]
pub struct Stopped;

impl Control {
    /// A connection from the program itself, which speaks MQTT over it as a client would over a socket. Whoever has it is
    /// the program: rules are not asked, may refuse it nothing, and its authentication name is its client identifier.
    /// Hooks see what it publishes and subscribes to, but not its CONNECT. It counts as a connection, and no limit of
    /// connections refuses it. Client identifiers of [`Builder::insider`](crate::Builder::insider) come in this way only.
    ///
    /// # Errors
    /// When the broker has stopped.
    pub async fn dial(&self) -> Result<DuplexStream, Stopped> {
        let shared = &self.shared;
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let door = Arc::clone(&shared.insiders.door);
        let turn = shared.insiders.next.fetch_add(1, Ordering::Relaxed) % shared.inboxes.len().max(1);
        let inbox = shared.inboxes.get(turn).ok_or(Stopped)?;
        let _ = door.enter();
        shared.connections.fetch_add(1, Ordering::Relaxed);
        shared.counters.connections_accepted.one();
        let at = shared.clock.now().monotonic;
        let accepted = Accepted { stream: Incoming::Program(theirs), from: PeerAddress::Program, at, door };
        let batch = Batch { from: crate::directory::WorkerId::MAX, mail: vec![Mail::Accepted(Box::new(accepted))] };
        let sent = match inbox.try_send(batch) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(batch)) => inbox.send(batch).await.map_err(|_| Stopped),
            Err(TrySendError::Closed(_)) => Err(Stopped),
        };
        if sent.is_err() {
            shared.insiders.door.leave();
            shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
        sent.map(|()| ours)
    }
}
