//! Room on the disk, taken as a file grows.

use std::fs::File;
use std::io;

/// Has the system set blocks aside for this part of a file behind its end, so that neither a write there nor a later
/// sync finds the disk full. Where it cannot do that, that can happen.
#[cfg(any(target_os = "linux", target_os = "android"))]
pub(super) fn take(file: &File, from: u64, to: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    use rustix::io::Errno;
    // The length stays, so that a refusal changes nothing.
    match fallocate(file, FallocateFlags::KEEP_SIZE, from, to.saturating_sub(from)) {
        Ok(()) => Ok(()),
        Err(refused @ (Errno::NOSPC | Errno::DQUOT)) => {
            // Part of it may have been set aside: others need it more. What this says does not matter.
            drop(file.set_len(from));
            Err(refused.into())
        }
        // A file system that cannot, or whose limits a plain growth will meet as well.
        Err(_) => Ok(()),
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
pub(super) fn take(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}

#[cfg(all(test, any(target_os = "linux", target_os = "android")))]
mod tests {
    use std::io::{Read, Seek};
    use std::os::unix::fs::MetadataExt;

    use super::*;

    #[test]
    fn a_file_that_grows_has_its_blocks_before_anything_is_written() {
        let mut file = tempfile::tempfile().unwrap();
        take(&file, 0, 1 << 20).unwrap();
        assert_eq!(file.metadata().unwrap().len(), 0);
        file.set_len(1 << 20).unwrap();
        // A file system without fallocate has none.
        let blocks = file.metadata().unwrap().blocks();
        assert!(blocks == 0 || blocks * 512 >= 1 << 20, "{blocks}");
        let mut bytes = Vec::new();
        file.rewind().unwrap();
        file.read_to_end(&mut bytes).unwrap();
        assert!(bytes.len() == 1 << 20 && bytes.iter().all(|byte| *byte == 0));
    }
}
