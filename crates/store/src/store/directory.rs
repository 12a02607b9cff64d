//! The store in a broker's data directory.

use std::path::Path;

use super::{OpenError, Options, Store};
use crate::{Durability, Kind, RedbEngine, RedbOptions};

/// How much of the file is kept in memory, in bytes.
const CACHE: usize = 64 << 20;

/// The name of the file in the directory.
pub(super) const FILE: &str = "store";

impl Store {
    /// A broker's store in the file `store` of this directory, which has to exist; the file is made if need be.
    /// `None`: under [`Durability::Memory`] there is none, and no file is looked at.
    ///
    /// # Errors
    /// When another process has it, when it is damaged, of another kind or format, and when the system refuses.
    pub fn open_directory(
        directory: impl AsRef<Path>,
        durability: Durability,
        options: Options,
    ) -> Result<Option<Self>, OpenError> {
        if durability == Durability::Memory {
            return Ok(None);
        }
        let file = RedbOptions { kind: Kind::Broker, durability, cache: CACHE };
        let engine = RedbEngine::open_with(directory.as_ref().join(FILE), &file)?;
        Self::open(engine, options).map(Some)
    }
}
