//! For development and tests only: a test certificate authority, a namespace and a broker to run it.
//!
//! - [`authority`]: certificates of a small two-level authority, made for each test.
//! - [`broker`]: a broker in this process, with a namespace over mutual TLS or open on a plain port.
//! - [`pki`]: certificates of every kind that a connection can fail on.
//! - [`peers`]: servers that go wrong on purpose.
//! - [`fixtures`]: a set-up for each entry of the doctor's catalogue, with its true cause, and healthy ones.
//! - [`guide`]: what the examples of docs/client.md run in; they are this crate's documentation tests.
//! - [`ledger`]: clients that note what they were told, over a disk whose power goes.
//! - [`fault`]: a proxy that cuts, stalls, delays and splits what passes.
//! - [`wire`]: a client that says and shows every packet, and barriers that show that nothing more comes.
//! - The packet vectors are `gridmq_proto::vectors`; the pair of machines on a fake clock is [`pair`].
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "what fails here fails the test that asked for it"
)]

pub mod authority;
pub mod broker;
pub mod engine;
pub mod fault;
pub mod fixtures;
pub mod guide;
pub mod ledger;
pub mod pair;
pub mod peers;
pub mod pki;
pub mod rules;
pub mod wire;

pub use broker::{ClientFiles, Namespace, OpenBroker, namespace, open};
pub use engine::Gated;
pub use wire::Wire;

#[cfg(doctest)]
#[doc = include_str!("../../../docs/client.md")]
mod client_guide {}

#[cfg(doctest)]
#[doc = include_str!("../../../docs/mqttnet.md")]
mod migration_guide {}
