//! What an engine's file is kept on.

#[cfg(feature = "redb")]
mod file;
#[cfg(feature = "redb")]
mod periodic;
#[cfg(feature = "redb")]
mod room;

use std::fmt;
use std::io;

#[cfg(feature = "redb")]
pub(crate) use self::file::{FileDisk, sync_directory_of};

/// A file, as an engine uses it. What was written is there after a loss of power only if a later [`sync`](Self::sync)
/// returned; without one any part of it may be, in any order.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Its length in bytes.
    ///
    /// # Errors
    /// When the system refuses.
    fn len(&self) -> io::Result<u64>;

    /// Whether nothing is in it.
    ///
    /// # Errors
    /// When the system refuses.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }

    /// Cuts it, or makes it longer by zeros.
    ///
    /// # Errors
    /// When the system refuses. [`StorageFull`](io::ErrorKind::StorageFull) may be tried again.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// Reads what is there.
    ///
    /// # Errors
    /// When the system refuses, and where the file ends earlier.
    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()>;

    /// Writes there.
    ///
    /// # Errors
    /// When the system refuses. [`StorageFull`](io::ErrorKind::StorageFull) may be tried again.
    fn write(&self, at: u64, data: &[u8]) -> io::Result<()>;

    /// Returns when all that was written will outlast a loss of power.
    ///
    /// # Errors
    /// When that cannot be promised. It must not be tried again: the system may have forgotten what it did not write.
    fn sync(&self) -> io::Result<()>;

    /// Takes the whole file for this process alone. `false`: another has it.
    ///
    /// # Errors
    /// When the system refuses.
    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    /// Gives the lock back.
    ///
    /// # Errors
    /// When the system refuses.
    fn close(&self) -> io::Result<()> {
        Ok(())
    }
}
