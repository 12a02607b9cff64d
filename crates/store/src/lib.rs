//! Durable state: typed tables over one engine, written in groups.
//!
//! Whoever owns state declares a [`Table`] and builds keys with [`Key`], so that one commit can hold a queue entry,
//! a retained message and a routed event. Workers hand a [`WriteBatch`] to the [`Store`] and get a [`Seq`]; one writer
//! thread takes everything that waits, commits it at once, and tells each worker how far it is durable. What depends
//! on a batch is said to a peer only then.
//!
//! Invariants:
//! - Batches are committed in the order in which they were submitted, each one whole or not at all.
//! - After an engine failed, nothing that was not durable before is ever reported durable.
//! - What waits is bounded in number and bytes; a batch that finds no room is handed back.
//!
//! No network, no asynchronous runtime, no clock.

mod batch;
mod disk;
mod durability;
mod engine;
mod key;
mod memory;
#[cfg(feature = "redb")]
mod redb;
mod room;
#[cfg(feature = "simulated")]
mod simulated;
mod store;

#[cfg(feature = "redb")]
pub use self::redb::{Kind, RedbEngine, RedbOpenError, RedbOptions};
pub use batch::{Operation, WriteBatch};
pub use disk::Disk;
pub use durability::{Durability, UnknownDurability};
pub use engine::{Engine, EngineError, KeyValue, Page, Reader, Row, Rows};
pub use key::{Key, KeyError, NamespaceId, Table};
pub use memory::MemoryEngine;
pub use room::{Room, Stall};
#[cfg(feature = "simulated")]
pub use simulated::{Cut, Keep, SimDisk};
#[cfg(feature = "redb")]
pub use store::RestoreError;
pub use store::{BackupError, OpenError, Options, Progress, Seq, Store, SubmitError, Watch};
