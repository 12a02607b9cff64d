//! What a program that embeds the broker can watch.

use std::fmt::Debug;

use gridmq_tls::Certificate;

use crate::peer::PeerAddress;

/// Names a connection for the life of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnectionId(pub(crate) u64);

/// Something that happened. Texts are for people; client identifiers are in them, payloads and secrets never.
#[derive(Debug)]
#[non_exhaustive]
pub enum Occurrence<'a> {
    /// A client is in.
    Connected {
        /// The connection.
        connection: ConnectionId,
        /// Where from.
        from: PeerAddress,
        /// The session's name.
        client_id: &'a str,
        /// Who it is.
        authentication_name: &'a str,
        /// Whether a stored session was resumed.
        session_present: bool,
        /// The certificate that it presented, whose key it has; absent without one.
        certificate: Option<&'a Certificate>,
    },
    /// A connection was refused, or ended before it was in.
    Refused {
        /// Where from.
        from: PeerAddress,
        /// Why.
        why: &'a str,
    },
    /// A client is out.
    Disconnected {
        /// The connection.
        connection: ConnectionId,
        /// The session's name.
        client_id: &'a str,
        /// Why.
        why: &'a str,
    },
    /// A session ends because its queue is full and the rules want that. What it held is lost.
    Overflowed {
        /// The session's name.
        client_id: &'a str,
    },
    /// A publish or a subscription was not allowed.
    Denied {
        /// The session's name.
        client_id: &'a str,
        /// What it wanted: a topic or a filter.
        wanted: &'a str,
        /// Why not.
        why: &'a str,
    },
}

/// Watches a broker. Called on the worker threads, on the hot path: it must not block.
pub trait Observer: Send + Sync + Debug {
    /// Something happened.
    fn observe(&self, occurrence: &Occurrence<'_>);
}
