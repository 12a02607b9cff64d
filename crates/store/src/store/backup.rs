//! All rows as a stream of bytes, and a store made of one again.
//!
//! `GRIDMQ-BACKUP 1 broker` and a line feed; blocks; an end. A block is its length (`u32`, not 0), rows, and the CRC-32 of
//! these. A row is the table's name (`u8` length), the key and the value (`u32` length each). The end is `u32` 0, the
//! number of rows (`u64`), and the CRC-32 over the checksums of all blocks and that number. Numbers are big-endian.

use std::fs;
use std::io::{self, Read, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use thiserror::Error;

use super::Store;
use super::directory::FILE;
use crate::disk::sync_directory_of;
use crate::redb::OwnedRow;
use crate::{Durability, EngineError, Key, Kind, RedbEngine, RedbOpenError, RedbOptions, Row};

const FIRST: &[u8] = b"GRIDMQ-BACKUP 1 broker\n";
const WORD: &[u8] = b"GRIDMQ-BACKUP ";
/// A block is ended when it has so many bytes.
const BLOCK: usize = 1 << 20;
/// No block of ours is larger: the last row begins before [`BLOCK`], and is a packet of MQTT at most.
const LARGEST_BLOCK: usize = 512 << 20;

/// Why there is no backup.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum BackupError {
    /// The store cannot be read.
    #[error(transparent)]
    Read(#[from] EngineError),
    /// It cannot be written there.
    #[error("the backup cannot be written: {0}; see to the disk and its rights, then start again")]
    Write(#[source] io::Error),
}

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
    /// Writes all rows as they are at one time, beside whatever is committed meanwhile, and answers how many. The file
    /// keeps what is replaced until the end, and may grow by that.
    ///
    /// # Errors
    /// When the store cannot be read, and when `to` refuses.
    pub fn backup(&self, mut to: impl Write) -> Result<u64, BackupError> {
        to.write_all(FIRST).map_err(BackupError::Write)?;
        let (mut block, mut rows, mut sums) = (Vec::new(), 0_u64, crc32fast::Hasher::new());
        let mut refused = None;
        self.inner.reader.export(&mut |row| {
            put(&mut block, row);
            rows += 1;
            if block.len() >= BLOCK
                && let Err(error) = write_block(&mut to, &mut block, &mut sums)
            {
                refused = Some(error);
                return ControlFlow::Break(());
            }
            ControlFlow::Continue(())
        })?;
        let end = || {
            if !block.is_empty() {
                write_block(&mut to, &mut block, &mut sums)?;
            }
            sums.update(&rows.to_be_bytes());
            to.write_all(&0_u32.to_be_bytes())?;
            to.write_all(&rows.to_be_bytes())?;
            to.write_all(&sums.finalize().to_be_bytes())?;
            to.flush()
        };
        refused.map_or_else(end, Err).map_err(BackupError::Write)?;
        Ok(rows)
    }

    /// Makes the store of a directory from a backup, and answers how many rows it has. The file appears when it is
    /// whole and on the disk.
    ///
    /// # Errors
    /// When there is a store already, when the backup is not whole, and when the system refuses.
    pub fn restore_directory(directory: impl AsRef<Path>, from: impl Read) -> Result<u64, RestoreError> {
        let path = directory.as_ref().join(FILE);
        if path.try_exists().map_err(RestoreError::Write)? {
            return Err(RestoreError::Exists { path });
        }
        let part = directory.as_ref().join(format!("{FILE}.part"));
        // Of an attempt that was interrupted.
        drop(fs::remove_file(&part));
        let restored = restore(&part, from);
        let restored = restored.and_then(|rows| {
            fs::rename(&part, &path).and_then(|()| sync_directory_of(&path)).map_err(RestoreError::Write)?;
            Ok(rows)
        });
        if restored.is_err() {
            drop(fs::remove_file(&part));
        }
        restored
    }
}

fn put(block: &mut Vec<u8>, row: Row<'_>) {
    let name = row.table.as_bytes();
    // Names are of our code.
    block.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    block.extend_from_slice(name);
    for part in [row.key, row.value] {
        block.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
        block.extend_from_slice(part);
    }
}

fn write_block(to: &mut impl Write, block: &mut Vec<u8>, sums: &mut crc32fast::Hasher) -> io::Result<()> {
    let len = u32::try_from(block.len()).map_err(|_| io::ErrorKind::FileTooLarge)?;
    let sum = crc32fast::hash(block).to_be_bytes();
    sums.update(&sum);
    to.write_all(&len.to_be_bytes())?;
    to.write_all(block)?;
    to.write_all(&sum)?;
    block.clear();
    Ok(())
}

fn restore(path: &Path, mut from: impl Read) -> Result<u64, RestoreError> {
    let mut first = [0; FIRST.len()];
    from.read_exact(&mut first).map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof => RestoreError::NoBackup,
        _ => RestoreError::Read(error),
    })?;
    if first != FIRST {
        let found = first.strip_prefix(WORD).ok_or(RestoreError::NoBackup)?;
        return Err(RestoreError::Format { found: String::from_utf8_lossy(found).trim().to_owned() });
    }
    let options = RedbOptions { kind: Kind::Broker, durability: Durability::Fsync, cache: 64 << 20 };
    let engine = RedbEngine::open_with(path, &options)?;
    let (mut rows, mut sums) = (0_u64, crc32fast::Hasher::new());
    loop {
        let len = usize::try_from(u32::from_be_bytes(take(&mut from)?)).unwrap_or(usize::MAX);
        if len == 0 {
            let (counted, sum) = (take::<8>(&mut from)?, take::<4>(&mut from)?);
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
        let sum = take::<4>(&mut from)?;
        if crc32fast::hash(&block).to_be_bytes() != sum {
            return Err(RestoreError::Corrupt("a checksum does not fit"));
        }
        sums.update(&sum);
        let of_block = parse(&block).ok_or(RestoreError::Corrupt("a row makes no sense"))?;
        rows += of_block.len() as u64;
        engine.import(&of_block)?;
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
