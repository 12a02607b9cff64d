//! A file of the system's.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::Disk;
use crate::Durability;

/// A file of the system's. Under [`Durability::Os`] it is synced as it is closed only.
#[derive(Debug)]
pub(crate) struct FileDisk {
    file: FileBackend,
    durability: Durability,
}

impl FileDisk {
    /// Opens it, or makes it, readable to its owner only (on Unix). One that was made is still there after a loss of
    /// power.
    pub(crate) fn open(path: &Path, durability: Durability) -> io::Result<Self> {
        let is_new = !path.try_exists()?;
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        // There are payloads in it.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        if is_new {
            sync_directory_of(path)?;
        }
        let file = FileBackend::new(file).map_err(io::Error::other)?;
        Ok(Self { file, durability })
    }
}

/// Has the system write down that a file is in its directory.
pub(crate) fn sync_directory_of(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(parent.unwrap_or_else(|| Path::new(".")))?.sync_all()
    }
    #[cfg(not(unix))]
    {
        let _: (&Path, Option<File>) = (path, None);
        Ok(())
    }
}

impl Disk for FileDisk {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(at, out)
    }

    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        self.file.write(at, data)
    }

    fn sync(&self) -> io::Result<()> {
        match self.durability {
            Durability::Fsync => self.file.sync_data(),
            Durability::Os | Durability::Memory => Ok(()),
        }
    }

    fn lock(&self) -> io::Result<bool> {
        match self.file.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
            Ok(taken) => Ok(taken),
            // A system without locks.
            Err(BackendError::Unsupported) => Ok(true),
            Err(BackendError::Io(error)) => Err(error),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    fn close(&self) -> io::Result<()> {
        let synced = match self.durability {
            Durability::Os => self.file.sync_data(),
            Durability::Fsync | Durability::Memory => Ok(()),
        };
        self.file.close().and(synced)
    }
}
