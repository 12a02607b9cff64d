//! What happens in a broker, as a stream.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytestring::ByteString;
use gridmq_proto::session::End;
use gridmq_proto::{QoS, ReasonCode, SubscriptionFilter, TopicName, Version};
use tokio::sync::broadcast;

use crate::hooks::SessionEnd;
use crate::observer::ConnectionId;

/// Something that happened. Texts are for people; client identifiers are in them, payloads and secrets never.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A client is in.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// The session's name.
        client_id: ByteString,
        /// Who it is.
        authentication_name: ByteString,
        /// Where from.
        from: String,
        /// What it speaks.
        version: Version,
        /// Whether a stored session was resumed.
        session_present: bool,
    },
    /// A connection was refused, or ended before its client was in.
    Refused {
        /// Where from.
        from: String,
        /// Why, for programs; absent where the connection just ended.
        reason: Option<ReasonCode>,
        /// Why, for people.
        why: String,
    },
    /// A client is out.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
        /// The session's name.
        client_id: ByteString,
        /// Who ended it.
        by: EndedBy,
        /// The reason code of the DISCONNECT, whoever sent it; absent without one.
        reason: Option<ReasonCode>,
        /// Why, for people.
        why: String,
    },
    /// A session was made.
    SessionCreated {
        /// Its name.
        client_id: ByteString,
    },
    /// Another connection took a session over.
    TakenOver {
        /// Its name.
        client_id: ByteString,
    },
    /// A session has ended.
    SessionEnded {
        /// Its name.
        client_id: ByteString,
        /// Why.
        end: SessionEnd,
    },
    /// A subscription was made or changed.
    Subscribed {
        /// The session's name.
        client_id: ByteString,
        /// What to.
        filter: SubscriptionFilter,
        /// The QoS granted.
        qos: QoS,
    },
    /// A subscription was given up.
    Unsubscribed {
        /// The session's name.
        client_id: ByteString,
        /// What from.
        filter: SubscriptionFilter,
    },
    /// Rules or hooks did not allow a publish or a subscription.
    Denied {
        /// The session's name.
        client_id: ByteString,
        /// What it wanted: a topic or a filter.
        wanted: String,
        /// Why not.
        why: String,
    },
    /// A session did not get a message.
    MessageDropped {
        /// The session's name.
        client_id: ByteString,
        /// The message's topic.
        topic: TopicName,
        /// Why.
        why: Dropped,
    },
}

/// Who ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum EndedBy {
    /// The client sent DISCONNECT.
    Client,
    /// It was closed or lost without DISCONNECT.
    Network,
    /// The broker: by its rules, for the protocol, or because it stops.
    Broker,
    /// The program that embeds the broker.
    Program,
}

/// Why a session did not get a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dropped {
    /// QoS 0, and its client does not read fast enough.
    NotRead,
    /// Its queue is full; the publisher was told.
    QueueFull,
}

impl EndedBy {
    pub(crate) const fn of(end: &End) -> (Self, Option<ReasonCode>) {
        match end {
            End::PeerDisconnected(reason) => (Self::Client, Some(*reason)),
            End::ConnectionLost => (Self::Network, None),
            End::Closed(ReasonCode::AdministrativeAction) => (Self::Program, Some(ReasonCode::AdministrativeAction)),
            End::Closed(reason) | End::Refused(reason) => (Self::Broker, Some(*reason)),
            End::KeepAliveTimeout => (Self::Broker, Some(ReasonCode::KeepAliveTimeout)),
            _ => (Self::Broker, None),
        }
    }
}

/// What [`Events::next`] answers.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_enums, reason = "a stream of events has these two")]
pub enum Notice {
    /// Something happened.
    Event(Arc<Event>),
    /// The reader was too slow: so many events are lost to it.
    Missed(u64),
}

/// The events from now on, in the order in which they happen on each worker. A reader that is more than
/// [`Limits::events`](crate::Limits::events) behind loses the oldest and is told; it holds up nobody.
#[derive(Debug)]
pub struct Events {
    events: broadcast::Receiver<Arc<Event>>,
    listeners: Arc<AtomicUsize>,
}

impl Drop for Events {
    fn drop(&mut self) {
        self.listeners.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Events {
    /// The next one; `None`: the broker has gone, and every [`Control`](crate::Control) of it.
    pub async fn next(&mut self) -> Option<Notice> {
        match self.events.recv().await {
            Ok(event) => Some(Notice::Event(event)),
            Err(broadcast::error::RecvError::Lagged(count)) => Some(Notice::Missed(count)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }

    /// The next one, if it is there.
    pub fn try_next(&mut self) -> Option<Notice> {
        match self.events.try_recv() {
            Ok(event) => Some(Notice::Event(event)),
            Err(broadcast::error::TryRecvError::Lagged(count)) => Some(Notice::Missed(count)),
            Err(_) => None,
        }
    }
}

/// Tells whoever listens.
#[derive(Debug)]
pub(crate) struct Teller {
    events: broadcast::Sender<Arc<Event>>,
    listeners: Arc<AtomicUsize>,
}

impl Teller {
    pub(crate) fn new(capacity: usize) -> Self {
        Self { events: broadcast::Sender::new(capacity.clamp(1, 1 << 20)), listeners: Arc::default() }
    }

    pub(crate) fn listen(&self) -> Events {
        self.listeners.fetch_add(1, Ordering::Relaxed);
        Events { events: self.events.subscribe(), listeners: Arc::clone(&self.listeners) }
    }

    /// Whether anybody listens.
    pub(crate) fn is_heard(&self) -> bool {
        self.listeners.load(Ordering::Relaxed) > 0
    }

    /// Costs one load where nobody listens.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if self.is_heard() {
            // Whoever listened may be gone.
            let _ = self.events.send(Arc::new(event()));
        }
    }
}
