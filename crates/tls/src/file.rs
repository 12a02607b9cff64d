//! Files are read whole, under a limit, with errors that name the place.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::catalogue::{Finding, Id, Severity};

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
    /// An environment variable, by its name.
    Variable(String),
    /// A token's object, by its URI.
    Token(String),
}

impl Origin {
    /// A token's object, without a PIN that stands in the URI although it may not.
    pub(crate) fn token(uri: &str) -> Self {
        Self::Token(without_pin(uri))
    }
}

/// The URI of a token up to a PIN (`pin-value`, RFC 7512 §2.4, and what was meant so), which may stand anywhere after
/// the attribute's name.
pub(crate) fn without_pin(uri: &str) -> String {
    let mut shown = String::with_capacity(uri.len());
    for part in uri.split_inclusive([':', '?', '&', ';']) {
        let name = part.split('=').next().unwrap_or_default();
        if name.to_ascii_lowercase().starts_with("pin") && name != "pin-source" {
            shown.push_str("pin-value=(not shown)");
            break;
        }
        shown.push_str(part);
    }
    shown
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Memory(what) => write!(f, "the {what} given in memory"),
            Self::Variable(name) => write!(f, "the environment variable {name}"),
            Self::Token(uri) => f.write_str(uri),
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
    /// The path names a directory (catalogue A35).
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
    /// The file is larger than [`MAX_FILE_BYTES`] (catalogue A35).
    #[error("{} is larger than {MAX_FILE_BYTES} bytes, so it is no certificate or key file: check the path",
path.display())]
    TooLarge {
        /// The absolute path.
        path: PathBuf,
    },
}

impl FileError {
    /// The catalogue's entry.
    #[must_use]
    pub fn finding(&self) -> Finding {
        let error = |id, path: &Path, why: String, fix: &str| {
            Finding::new(id, Severity::Error, path.display().to_string(), why, fix)
        };
        match self {
            Self::Missing { path } => {
                let finding = error(
                    Id::A01,
                    path,
                    "the file does not exist".to_owned(),
                    "check the path, or give an absolute one",
                );
                match nearest(path) {
                    Some(there) => finding.seen(format!("{} exists", there.display())),
                    None => finding,
                }
            }
            Self::Directory { path } => {
                error(Id::A35, path, "the path names a directory".to_owned(), "name the file in it")
            }
            Self::Unreadable { path, source } => {
                let finding = error(
                    Id::A02,
                    path,
                    format!("the operating system does not let this program read the file ({source})"),
                    "let the user that runs this program read it, with chgrp and chmod 640 for a key",
                );
                match ownership(path) {
                    Some(seen) => finding.seen(seen),
                    None => finding,
                }
            }
            Self::Empty { path } => error(Id::A04, path, "the file is empty".to_owned(), "copy or download it again"),
            Self::TooLarge { path } => error(
                Id::A35,
                path,
                format!("the file is larger than {MAX_FILE_BYTES} bytes, so it is no certificate or key file"),
                "check the path",
            ),
        }
    }
}

/// Reads a file of at most [`MAX_FILE_BYTES`] that is not empty.
pub(crate) fn read(path: &Path) -> Result<(Origin, Vec<u8>), FileError> {
    read_secret(path).map(|mut read| (read.origin, std::mem::take(&mut *read.bytes)))
}

/// What a file held that may hold a key.
pub(crate) struct Secret {
    pub(crate) origin: Origin,
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// The permission bits of the file that was read, where they let others than its owner at it.
    pub(crate) mode: Option<u32>,
}

/// The same for what may hold a key: no other copy of the bytes is left in memory.
pub(crate) fn read_secret(path: &Path) -> Result<Secret, FileError> {
    let absolute = || std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let unreadable = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => FileError::Missing { path: absolute() },
        io::ErrorKind::IsADirectory => FileError::Directory { path: absolute() },
        _ => FileError::Unreadable { path: absolute(), source },
    };
    let file = File::open(path).map_err(unreadable)?;
    // Room for everything at once: a buffer that grows leaves copies behind.
    let metadata = file.metadata().ok();
    let expected = metadata.as_ref().map_or(0, std::fs::Metadata::len).min(MAX_FILE_BYTES);
    let mode = metadata.as_ref().and_then(open_to_others);
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(expected).unwrap_or(0) + 64));
    file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.is_empty() {
        return Err(FileError::Empty { path: absolute() });
    }
    if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
        return Err(FileError::TooLarge { path: absolute() });
    }
    Ok(Secret { origin: Origin::File(absolute()), bytes, mode })
}

/// The nearest directory above a missing file that is there.
fn nearest(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|above| above.exists()).map(Path::to_owned)
}

/// Who may read a file: `it is 0600 of user 0, and this program runs as user 1001`.
#[cfg(unix)]
pub(crate) fn ownership(path: &Path) -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let file = std::fs::metadata(path).ok()?;
    let seen = format!("it is {:04o} of user {} and group {}", file.mode() & 0o7777, file.uid(), file.gid());
    // The kernel shows a process as a directory of the user it runs as.
    Some(match std::fs::metadata("/proc/self") {
        Ok(process) => format!("{seen}, and this program runs as user {}", process.uid()),
        Err(_) => seen,
    })
}

#[cfg(not(unix))]
pub(crate) fn ownership(_: &Path) -> Option<String> {
    None
}

#[cfg(unix)]
fn open_to_others(metadata: &std::fs::Metadata) -> Option<u32> {
    use std::os::unix::fs::PermissionsExt;
    let mode = metadata.permissions().mode() & 0o7777;
    (mode & 0o077 != 0).then_some(mode)
}

#[cfg(not(unix))]
fn open_to_others(_: &std::fs::Metadata) -> Option<u32> {
    None
}
