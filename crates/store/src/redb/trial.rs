//! A file that is tried out as it is opened: until it is kept, what is written to it is in memory only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use redb::{BackendError, StorageBackend};

use crate::{Disk, Room};

/// What is kept at once, in bytes.
const PAGE: usize = 4096;

/// The engine repairs as it opens, and a repair of what is not a crash's work makes a smaller store of a damaged one. So
/// what it writes stays here until it is known to be sound; then it is written out, and all that follows goes through.
#[derive(Debug)]
pub(super) struct Trial {
    disk: Arc<dyn Disk>,
    kept: AtomicBool,
    written: Mutex<Written>,
    room: OnceLock<Arc<Room>>,
}

#[derive(Debug)]
struct Written {
    /// Numbers of pages, and what they hold in place of the file's.
    pages: BTreeMap<u64, Box<[u8; PAGE]>>,
    len: u64,
    /// How much of the file counts: what was cut off is zero when the length grows again.
    of_file: u64,
}

impl Trial {
    /// The engine makes a new file in an order of its own, which an interruption may cut anywhere: nothing is to be
    /// tried out there.
    pub(super) fn new(disk: Arc<dyn Disk>) -> io::Result<Self> {
        let len = disk.len()?;
        let written = Written { pages: BTreeMap::new(), len, of_file: len };
        Ok(Self { disk, kept: AtomicBool::new(len == 0), written: Mutex::new(written), room: OnceLock::new() })
    }

    /// Whom a full disk is told, and who says for how long to wait.
    pub(super) fn attach(&self, room: Arc<Room>) {
        // A second store of one engine leaves the first one's.
        drop(self.room.set(room));
    }

    /// Writes out what was written. A cut on the way leaves a file to which the same can happen again: the header,
    /// which says what the other pages are, is changed last, and they are in places that it calls unused before.
    pub(super) fn keep(&self) -> io::Result<()> {
        if self.kept.load(Ordering::Acquire) {
            return Ok(());
        }
        let mut written = self.written();
        let Written { len, of_file, .. } = *written;
        let mut pages = std::mem::take(&mut written.pages);
        let header = pages.remove(&0);
        let there = self.disk.len()?;
        if len > there {
            self.disk.set_len(len)?;
        }
        let zeros = [0; PAGE];
        let mut at = of_file;
        while at < len.min(there) {
            let (_, _, length) = place(at, usize::try_from(len.min(there) - at).unwrap_or(PAGE));
            self.disk.write(at, zeros.get(..length).unwrap_or_default())?;
            at += length as u64;
        }
        let write = |number: u64, page: &[u8; PAGE]| {
            let start = number.saturating_mul(PAGE as u64);
            let length = usize::try_from(len.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
            self.disk.write(start, page.get(..length).unwrap_or_default())
        };
        for (number, page) in &pages {
            write(*number, page)?;
        }
        if !pages.is_empty() || len != there {
            self.disk.sync()?;
        }
        if let Some(header) = header {
            write(0, &header)?;
            self.disk.sync()?;
        }
        if len < there {
            self.disk.set_len(len)?;
        }
        self.kept.store(true, Ordering::Release);
        Ok(())
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is in memory, unless all goes through.
    fn tried(&self) -> Option<MutexGuard<'_, Written>> {
        if self.kept.load(Ordering::Acquire) { None } else { Some(self.written()) }
    }

    /// What the file has there; zeros behind its end.
    fn page(&self, number: u64, of_file: u64) -> io::Result<Box<[u8; PAGE]>> {
        let mut page = Box::new([0; PAGE]);
        let start = number.saturating_mul(PAGE as u64);
        let there = usize::try_from(of_file.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
        if let Some(bytes) = page.get_mut(..there).filter(|bytes| !bytes.is_empty()) {
            self.disk.read(start, bytes)?;
        }
        Ok(page)
    }

    /// Tries again while the disk is full, as long as whoever owns the store wants that.
    fn with_room(&self, mut act: impl FnMut() -> io::Result<()>) -> io::Result<()> {
        loop {
            let outcome = act();
            let Some(room) = self.room.get() else { return outcome };
            match outcome {
                Ok(()) => {
                    room.found();
                    return Ok(());
                }
                Err(error) if is_full(&error) && room.wait(&error) => {}
                Err(error) => return Err(error),
            }
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

/// The part of a page that a place is in: the page's number, where the place is in it, and how much of `rest` is.
fn place(at: u64, rest: usize) -> (u64, usize, usize) {
    let within = usize::try_from(at % PAGE as u64).unwrap_or_default();
    (at / PAGE as u64, within, rest.min(PAGE - within))
}

/// What the engine is given.
#[derive(Debug)]
pub(super) struct Backend(pub(super) Arc<Trial>);

impl StorageBackend for Backend {
    fn len(&self) -> io::Result<u64> {
        self.0.tried().map_or_else(|| self.0.disk.len(), |written| Ok(written.len))
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let trial = &*self.0;
        let Some(written) = trial.tried() else { return trial.disk.read(offset, out) };
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= written.len);
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if written.pages.is_empty() && end.is_some_and(|end| end <= written.of_file) {
            drop(written);
            return trial.disk.read(offset, out);
        }
        let mut at = offset;
        while !out.is_empty() {
            let (number, within, length) = place(at, out.len());
            let (now, later) = out.split_at_mut_checked(length).unwrap_or_default();
            match written.pages.get(&number) {
                Some(page) => now.copy_from_slice(page.get(within..within + length).unwrap_or_default()),
                None if at + length as u64 <= written.of_file => trial.disk.read(at, now)?,
                None => {
                    let page = trial.page(number, written.of_file)?;
                    now.copy_from_slice(page.get(within..within + length).unwrap_or_default());
                }
            }
            at += length as u64;
            out = later;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let Some(mut written) = self.0.tried() else { return self.0.with_room(|| self.0.disk.set_len(len)) };
        written.of_file = written.of_file.min(len);
        if len < written.len {
            let (last, within, _) = place(len, 0);
            written.pages.retain(|number, _| *number <= last);
            if let Some(cut) = written.pages.get_mut(&last).and_then(|page| page.get_mut(within..)) {
                cut.fill(0);
            }
        }
        written.len = len;
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        if self.0.tried().is_some() { Ok(()) } else { self.0.disk.sync() }
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let trial = &*self.0;
        let Some(mut written) = trial.tried() else { return trial.with_room(|| trial.disk.write(offset, data)) };
        let of_file = written.of_file;
        let mut at = offset;
        while !data.is_empty() {
            let (number, within, length) = place(at, data.len());
            let (now, later) = data.split_at_checked(length).unwrap_or_default();
            let page = match written.pages.entry(number) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(place) => place.insert(trial.page(number, of_file)?),
            };
            if let Some(there) = page.get_mut(within..within + length) {
                there.copy_from_slice(now);
            }
            at += length as u64;
            data = later;
        }
        written.len = written.len.max(at);
        Ok(())
    }

    fn close(&self) -> io::Result<()> {
        self.0.disk.close()
    }

    /// The whole is locked before the engine gets it; it asks for parts first.
    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        let whole = matches!(start, Bound::Unbounded | Bound::Included(0)) && end == Bound::Unbounded;
        if whole { Ok(true) } else { Err(BackendError::Unsupported) }
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}
