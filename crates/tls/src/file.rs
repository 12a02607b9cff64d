//! Files are read whole, under a limit, with errors that name the place.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// The largest certificate or key file that is read: 1 MiB.
pub const MAX_FILE_BYTES: u64 = 1024 * 1024;

/// Where certificate or key material came from, for messages.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// A file, by its absolute path where that could be found out.
    File(PathBuf),
    /// Bytes that the caller handed over; the word says which argument.
    Memory(&'static str),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory(what) => write!(f, "the {what} given in memory"),
        }
    }
}

/// Why a file could not be read. All of it is for the person who named the file to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is no such file (catalogue A01).
    #[error("{} does not exist: check the path, or give an absolute one", path.display())]
    Missing {
        /// The absolute path that was looked for.
        path: PathBuf,
    },
    /// The path names a directory.
    #[error("{} is a directory: name the file in it", path.display())]
    Directory {
        /// The absolute path.
        path: PathBuf,
    },
    /// The operating system did not let us read it (catalogue A02).
    #[error("{} cannot be read ({source}): give the user that runs this program permission to read it",
path.display())]
    Unreadable {
        /// The absolute path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file is empty (catalogue A04).
    #[error("{} is empty: copy or download it again", path.display())]
    Empty {
        /// The absolute path.
        path: PathBuf,
    },
    /// The file is larger than [`MAX_FILE_BYTES`].
    #[error("{} is larger than {MAX_FILE_BYTES} bytes, so it is no certificate or key file: check the path",
path.display())]
    TooLarge {
        /// The absolute path.
        path: PathBuf,
    },
}

/// Reads a file of at most [`MAX_FILE_BYTES`] that is not empty.
pub(crate) fn read(path: &Path) -> Result<(Origin, Vec<u8>), FileError> {
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FileError::Missing { path: absolute() },
        io::ErrorKind::IsADirectory => FileError::Directory { path: absolute() },
        _ => FileError::Unreadable { path: absolute(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    let mut bytes = Vec::new();
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.is_empty() {
        return Err(FileError::Empty { path: absolute() });
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: absolute() });
    }
    Ok((Origin::File(absolute()), bytes))
}
