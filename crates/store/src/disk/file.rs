//! A file of the system's.

use std::fs::{File, OpenOptions};
use std::io;
use std::ops::Bound;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

use super::periodic::Periodic;
use super::{Disk, room};
use crate::Durability;

/// Under [`Durability::Os`] it is synced so often, and as it is closed.
const OS_INTERVAL: Duration = Duration::from_secs(1);

/// A file of the system's.
#[derive(Debug)]
pub(crate) struct FileDisk {
    backend: FileBackend,
    /// The same file.
    file: Arc<File>,
    /// Under [`Durability::Os`].
    periodic: Option<Periodic>,
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
        let again = Arc::new(file.try_clone()?);
        let backend = FileBackend::new(file).map_err(io::Error::other)?;
        let for_syncs = Arc::clone(&again);
        let periodic =
            (durability == Durability::Os).then(|| Periodic::start(OS_INTERVAL, move || for_syncs.sync_data()));
        Ok(Self { backend, file: again, periodic: periodic.transpose()?, durability })
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
        self.backend.len()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let now = self.backend.len()?;
        if len > now {
            room::take(&self.file, now, len)?;
        }
        self.backend.set_len(len)
    }

    fn read(&self, at: u64, out: &mut [u8]) -> io::Result<()> {
        self.backend.read(at, out)
    }

    fn write(&self, at: u64, data: &[u8]) -> io::Result<()> {
        self.backend.write(at, data)
    }

    fn sync(&self) -> io::Result<()> {
        match (self.durability, &self.periodic) {
            (Durability::Fsync, _) => self.backend.sync_data(),
            (_, Some(periodic)) => periodic.due(),
            (_, None) => Ok(()),
        }
    }

    fn lock(&self) -> io::Result<bool> {
        match self.backend.try_lock_range(Bound::Unbounded, Bound::Unbounded) {
            Ok(taken) => Ok(taken),
            // A system without locks.
            Err(BackendError::Unsupported) => Ok(true),
            Err(BackendError::Io(error)) => Err(error),
            Err(error) => Err(io::Error::other(error.to_string())),
        }
    }

    fn close(&self) -> io::Result<()> {
        let synced = self.periodic.as_ref().map_or(Ok(()), Periodic::end);
        self.backend.close().and(synced)
    }
}
