//! The client's and the server's session machines, without I/O and without a clock.
//!
//! # Contract
//! Each call on a machine is one mutation and takes the time as [`Now`](crate::time::Now). After each call the
//! caller drains `poll_output()` until it answers [`Output::Timeout`]; only then does it mutate again. The time in
//! that answer is when `handle_timeout` wants to be called, unless another call comes first.
//!
//! ```text
//!   handle_packet ┐
//!   handle_timeout├─▶ machine ─▶ poll_output: Send | Publish | Persist | Event | Close … Timeout
//!   decide_…      │
//!   deliver       │
//!   complete      │
//!   persisted     ┘
//! ```
//!
//! # Acknowledgements are deferred
//! No machine acknowledges by itself. A PUBLISH of QoS 1 or 2 yields an event with a [`PublishToken`], and
//! `complete(token, reason)` releases PUBACK or PUBREC in the order of receipt [MQTT-4.6.0-2]. CONNECT, SUBSCRIBE,
//! UNSUBSCRIBE and AUTH wait for a decision under a deadline. While one is due, [`server::Connection::wants_input`]
//! is false and the driver leaves further bytes where they are, so what a peer pipelines is bounded by the driver's
//! read buffer.
//!
//! # Persistence is an output
//! A session that must last yields [`Output::Persist`] with a sequence number. What may only be said once the record
//! is safe is withheld until `persisted(seq)`.

pub mod alias;
mod by_id;
pub mod client;
pub mod inbound;
pub mod outbound;
pub mod outputs;
pub mod record;
mod replay;
mod rules;
pub mod server;
pub mod stored;
pub mod timer;

pub use inbound::{Judgement, PublishToken};
pub use outbound::{Admitted, Delivery, Position, QueueLimits, Settled, Unsent};
pub use outputs::{Output, Seq};
pub use record::Record;

use bytestring::ByteString;

use crate::ReasonCode;
use crate::packet::UserProperties;

/// What the owner says of a request: a reason code for programs, and words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Verdict {
    /// For programs.
    pub reason: ReasonCode,
    /// For people; sent on MQTT 5.0 unless the peer asked not to get it [MQTT-3.1.2-29].
    pub words: Option<ByteString>,
    /// What else is said, if anything; sent on MQTT 5.0.
    pub more: Option<Box<More>>,
}

/// What an answer can say besides its reason. Where the peer's Maximum Packet Size leaves no room for it, the answer is
/// sent without.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct More {
    /// User properties; not sent to a peer that asked for none [MQTT-3.1.2-29].
    pub user_properties: UserProperties,
    /// Another server to use (MQTT 5.0 §4.13): in a CONNACK that refuses, and in DISCONNECT.
    pub server_reference: Option<ByteString>,
}

impl From<ReasonCode> for Verdict {
    fn from(reason: ReasonCode) -> Self {
        Self { reason, words: None, more: None }
    }
}

/// Why a connection ends, seen from the machine.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum End {
    /// The peer sent DISCONNECT with this reason.
    PeerDisconnected(ReasonCode),
    /// The transport closed without DISCONNECT.
    ConnectionLost,
    /// The peer broke the protocol.
    Violation(crate::SpecViolation),
    /// Nothing arrived within one and a half keep-alive intervals (server), or no answer to PINGREQ (client).
    KeepAliveTimeout,
    /// No CONNECT, CONNACK or decision came in time.
    Deadline(Stage),
    /// This side refused the CONNECT, or the server refused ours.
    Refused(ReasonCode),
    /// This side sent DISCONNECT, or closed, with this reason.
    Closed(ReasonCode),
}

/// What a deadline was for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Stage {
    /// The peer's first packet.
    Connect,
    /// The owner's answer to a CONNECT, SUBSCRIBE, UNSUBSCRIBE or AUTH.
    Decision,
    /// The peer's next AUTH.
    Auth,
}
