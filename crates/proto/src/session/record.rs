//! What a lasting session asks to have stored.

use super::outbound::{Delivery, Position};
use super::server::Subscription;
use crate::{PacketId, SubscriptionFilter};

/// One change of a stored session. Applied in order to nothing, the records of a session rebuild it.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Record {
    /// The session exists, with this expiry in seconds (`u32::MAX`: never). Also sent when the expiry changes.
    Started {
        /// Seconds that the session outlives its connection.
        expiry_interval: u32,
    },
    /// Every position up to this one has been used, whether or not a message with it is left.
    Positioned(Position),
    /// Messages up to this position that wait may have been sent, although they have no packet identifier: the peer
    /// has lost the session since. Only a client's.
    Tried(Position),
    /// The session is gone; every other record of it with it.
    Ended,
    /// A subscription was made or changed.
    Subscribed(SubscriptionFilter, Subscription),
    /// A subscription was given up.
    Unsubscribed(SubscriptionFilter),
    /// A message waits to be delivered.
    Enqueued(Position, Delivery),
    /// That message was given a packet identifier and may have been sent.
    Sent(Position, PacketId),
    /// QoS 2: the peer has that message, sent with this identifier; PUBREL is due.
    Released(Position, PacketId),
    /// That message is done with.
    Done(Position),
    /// QoS 2: a message with this identifier was taken over from the peer.
    Received(PacketId),
    /// QoS 2: the peer released that identifier.
    Forgotten(PacketId),
}
