//! All rows as a stream of bytes.
//!
//! `GRIDMQ-BACKUP 1 broker` and a line feed; blocks; an end. A block is its length (`u32`, not 0), rows, and the CRC-32 of
//! these. A row is the table's name (`u8` length), the key and the value (`u32` length each). The end is `u32` 0, the
//! number of rows (`u64`), and the CRC-32 over the checksums of all blocks and that number. Numbers are big-endian.

use std::io::{self, Write};
use std::ops::ControlFlow;

use thiserror::Error;

use super::Store;
use crate::{EngineError, Row};

pub(super) const FIRST: &[u8] = b"GRIDMQ-BACKUP 1 broker\n";
/// A block is ended when it has so many bytes.
const BLOCK: usize = 1 << 20;

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
