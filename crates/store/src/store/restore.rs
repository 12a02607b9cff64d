//! A store made of a backup again.

use std::fs;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Store;
use super::backup::FIRST;
use super::directory::FILE;
use crate::disk::sync_directory_of;
use crate::redb::OwnedRow;
use crate::{Durability, EngineError, Key, Kind, RedbEngine, RedbOpenError, RedbOptions};

const WORD: &[u8] = b"GRIDMQ-BACKUP ";
/// No block of ours is larger: its last row begins before it is full, and is a packet of MQTT at most.
const LARGEST_BLOCK: usize = 512 << 20;

/// Why nothing was restored.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RestoreError {
    /// There is a store already.
    #[error("{} exists: restore into a directory without a store", path.display())]
    Exists {
        /// Which file.
        path: PathBuf,
    },
    /// It cannot be read.
    #[error("the backup cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It is no backup of a broker.
    #[error("this is no backup of a broker: name a file that gridmq backup made")]
    NoBackup,
    /// It is one of another version.
    #[error("the backup has the format {found:?} and this program reads 1: start the version that wrote it")]
    Format {
        /// What it says.
        found: String,
    },
    /// It ends too early.
    #[error("the backup is cut off: use another copy of it")]
    Cut,
    /// It is not what was written.
    #[error("the backup is damaged ({0}): use another copy of it")]
    Corrupt(&'static str),
    /// The new file cannot be made.
    #[error(transparent)]
    Open(#[from] RedbOpenError),
    /// The new file cannot be written.
    #[error("the new store cannot be written: {0}")]
    Write(#[source] io::Error),
    /// The same, in the engine's words.
    #[error(transparent)]
    Engine(#[from] EngineError),
}

impl Store {
    /// Makes the store of a directory from a backup, and answers how many rows it has. The backup is read twice: before
    /// anything is made in the directory it has proved to be whole. The file appears when it is on the disk.
    ///
    /// # Errors
    /// When there is a store already, when the backup is not whole, and when the system refuses.
    pub fn restore_directory(directory: impl AsRef<Path>, mut from: impl Read + Seek) -> Result<u64, RestoreError> {
        let path = directory.as_ref().join(FILE);
        if path.try_exists().map_err(RestoreError::Write)? {
            return Err(RestoreError::Exists { path });
        }
        let start = from.stream_position().map_err(RestoreError::Read)?;
        read(&mut from, |_| Ok(()))?;
        from.seek(SeekFrom::Start(start)).map_err(RestoreError::Read)?;
        let part = directory.as_ref().join(format!("{FILE}.part"));
        // Of an attempt that was interrupted.
        drop(fs::remove_file(&part));
        let restored = restore(&part, &mut from).and_then(|rows| {
            fs::rename(&part, &path).and_then(|()| sync_directory_of(&path)).map_err(RestoreError::Write)?;
            Ok(rows)
        });
        if restored.is_err() {
            drop(fs::remove_file(&part));
        }
        restored
    }
}

fn restore(path: &Path, from: &mut impl Read) -> Result<u64, RestoreError> {
    let options = RedbOptions { kind: Kind::Broker, durability: Durability::Fsync, cache: 64 << 20 };
    let engine = RedbEngine::open_with(path, &options)?;
    read(from, |rows| Ok(engine.import(rows)?))
}

/// Hands the rows of each block to `each`, and answers how many there were once the end says the same.
fn read(
    from: &mut impl Read,
    mut each: impl FnMut(&[OwnedRow]) -> Result<(), RestoreError>,
) -> Result<u64, RestoreError> {
    let mut first = [0; FIRST.len()];
    from.read_exact(&mut first).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => RestoreError::NoBackup,
        _ => RestoreError::Read(error),
    })?;
    if first != FIRST {
        let found = first.strip_prefix(WORD).ok_or(RestoreError::NoBackup)?;
        return Err(RestoreError::Format { found: String::from_utf8_lossy(found).trim().to_owned() });
    }
    let (mut rows, mut sums) = (0_u64, crc32fast::Hasher::new());
    loop {
        let len = usize::try_from(u32::from_be_bytes(take(from)?)).unwrap_or(usize::MAX);
        if len == 0 {
            let (counted, sum) = (take::<8>(from)?, take::<4>(from)?);
            sums.update(&counted);
            if sums.finalize().to_be_bytes() != sum || u64::from_be_bytes(counted) != rows {
                return Err(RestoreError::Corrupt("parts of it are missing"));
            }
            if from.read(&mut [0]).map_err(RestoreError::Read)? != 0 {
                return Err(RestoreError::Corrupt("something follows its end"));
            }
            return Ok(rows);
        }
        if len > LARGEST_BLOCK {
            return Err(RestoreError::Corrupt("a length makes no sense"));
        }
        let mut block = Vec::new();
        // Memory is taken as bytes come, whatever the length says.
        let limit = u64::try_from(len).unwrap_or(u64::MAX);
        if from.by_ref().take(limit).read_to_end(&mut block).map_err(RestoreError::Read)? != len {
            return Err(RestoreError::Cut);
        }
        let sum = take::<4>(from)?;
        if crc32fast::hash(&block).to_be_bytes() != sum {
            return Err(RestoreError::Corrupt("a checksum does not fit"));
        }
        sums.update(&sum);
        let of_block = parse(&block).ok_or(RestoreError::Corrupt("a row makes no sense"))?;
        rows += of_block.len() as u64;
        each(&of_block)?;
    }
}

fn take<const N: usize>(from: &mut impl Read) -> Result<[u8; N], RestoreError> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => RestoreError::Cut,
        _ => RestoreError::Read(error),
    })?;
    Ok(bytes)
}

fn parse(mut block: &[u8]) -> Option<Vec<OwnedRow>> {
    let mut rows = Vec::new();
    while let Some((&len, rest)) = block.split_first() {
        let (name, rest) = rest.split_at_checked(usize::from(len))?;
        let (key, rest) = data(rest)?;
        let (value, rest) = data(rest)?;
        let table = String::from_utf8(name.to_vec()).ok().filter(|name| !name.is_empty())?;
        Key::from_bytes(key.to_vec().into()).ok()?;
        rows.push(OwnedRow { table, key: key.to_vec(), value: value.to_vec() });
        block = rest;
    }
    Some(rows)
}

fn data(from: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = from.split_first_chunk::<4>()?;
    rest.split_at_checked(usize::try_from(u32::from_be_bytes(*len)).ok()?)
}
