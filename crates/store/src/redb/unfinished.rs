//! A file whose making was interrupted.

use std::io;

use crate::Disk;

/// What the engine's files begin with. It is written and synced last as one is made.
const MAGIC: u64 = 9;
/// Behind what the engine writes before that; all else is then still zero.
const HEADER: u64 = 320;
/// How much is looked at at once, in bytes.
const PART: usize = 64 << 10;

/// Empties a file in which nothing ever was: the engine takes an empty one for a new one, and this for damage. It is to
/// be locked.
pub(super) fn emptied(file: &dyn Disk) -> io::Result<()> {
    let len = file.len()?;
    if len > 0 && zeros(file, 0, len.min(MAGIC))? && zeros(file, HEADER, len)? {
        file.set_len(0)?;
        file.sync()?;
    }
    Ok(())
}

/// Whether there is nothing else between the two places.
fn zeros(file: &dyn Disk, from: u64, to: u64) -> io::Result<bool> {
    let mut part = vec![0; PART];
    let mut at = from;
    while at < to {
        let length = usize::try_from(to - at).unwrap_or(PART).min(PART);
        let bytes = part.get_mut(..length).unwrap_or_default();
        file.read(at, bytes)?;
        if bytes.iter().any(|byte| *byte != 0) {
            return Ok(false);
        }
        at += length as u64;
    }
    Ok(true)
}

#[cfg(test)]
mod tests;
