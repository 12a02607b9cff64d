//! A file that can be tried out: what is written to it is in memory only.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};

use redb::backends::FileBackend;
use redb::{BackendError, StorageBackend};

/// What is kept at once, in bytes.
const PAGE: usize = 4096;

/// The engine repairs as it opens, and a repair of what is not a crash's work makes a smaller store of a damaged one. So
/// it first opens this, which leaves the file as it is, whatever it finds.
#[derive(Debug)]
pub(super) struct Trial {
    file: FileBackend,
    written: Mutex<Written>,
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
    pub(super) fn new(file: FileBackend) -> io::Result<Self> {
        let len = file.len()?;
        let written = Written { pages: BTreeMap::new(), len, of_file: len };
        Ok(Self { file, written: Mutex::new(written) })
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the file has there; zeros behind its end.
    fn page(&self, number: u64, of_file: u64) -> io::Result<Box<[u8; PAGE]>> {
        let mut page = Box::new([0; PAGE]);
        let start = number.saturating_mul(PAGE as u64);
        let there = usize::try_from(of_file.saturating_sub(start)).unwrap_or(PAGE).min(PAGE);
        if let Some(bytes) = page.get_mut(..there).filter(|bytes| !bytes.is_empty()) {
            self.file.read(start, bytes)?;
        }
        Ok(page)
    }
}

/// The part of a page that a place is in: the page's number, where the place is in it, and how much of `rest` is.
fn place(at: u64, rest: usize) -> (u64, usize, usize) {
    let within = usize::try_from(at % PAGE as u64).unwrap_or_default();
    (at / PAGE as u64, within, rest.min(PAGE - within))
}

impl StorageBackend for Trial {
    fn len(&self) -> io::Result<u64> {
        Ok(self.written().len)
    }

    fn read(&self, offset: u64, mut out: &mut [u8]) -> io::Result<()> {
        let written = self.written();
        let end = offset.checked_add(out.len() as u64).filter(|end| *end <= written.len);
        if end.is_none() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let mut at = offset;
        while !out.is_empty() {
            let (number, within, length) = place(at, out.len());
            let (now, later) = out.split_at_mut_checked(length).unwrap_or_default();
            match written.pages.get(&number) {
                Some(page) => now.copy_from_slice(page.get(within..within + length).unwrap_or_default()),
                None if at + length as u64 <= written.of_file => self.file.read(at, now)?,
                None => {
                    let page = self.page(number, written.of_file)?;
                    now.copy_from_slice(page.get(within..within + length).unwrap_or_default());
                }
            }
            at += length as u64;
            out = later;
        }
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut written = self.written();
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
        Ok(())
    }

    fn write(&self, offset: u64, mut data: &[u8]) -> io::Result<()> {
        let mut written = self.written();
        let of_file = written.of_file;
        let mut at = offset;
        while !data.is_empty() {
            let (number, within, length) = place(at, data.len());
            let (now, later) = data.split_at_checked(length).unwrap_or_default();
            let page = match written.pages.entry(number) {
                Entry::Occupied(page) => page.into_mut(),
                Entry::Vacant(place) => place.insert(self.page(number, of_file)?),
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
        self.file.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.file.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.file.query_lock_range(start, end)
    }
}
