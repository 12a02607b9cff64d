//! Bytes ⇄ packets (MQTT 5.0 §2 and §3).
//!
//! [`Decoder`] takes packets off the front of a buffer and borrows from it: topics, payloads and strings are slices
//! of what arrived. [`encode`] appends a packet to a buffer, or leaves the buffer as it was. Messages that go to many
//! subscribers are encoded by [`OutgoingPublish`](crate::OutgoingPublish), which shares its work.

mod ack;
mod auth;
mod connack;
mod connect;
mod decoder;
mod disconnect;
mod encode;
mod foreign;
mod header;
mod properties;
pub(crate) mod publish;
mod read;
mod read_topic;
mod subscribe;
mod write;

pub use decoder::{DecodeLimits, Decoder, Role};
pub use encode::{encode, encoded_len};
pub use foreign::{Foreign, recognise};

/// The largest Remaining Length, in bytes (MQTT 5.0 §2.1.4).
pub const MAX_REMAINING_LENGTH: u32 = 268_435_455;

/// The largest packet, in bytes: the first byte, four bytes of length, and what they announce.
pub const MAX_PACKET_SIZE: u32 = MAX_REMAINING_LENGTH + 5;

/// The largest CONNECT that a server takes unless told otherwise, in bytes.
pub const DEFAULT_MAX_CONNECT_SIZE: u32 = 64 * 1024;
