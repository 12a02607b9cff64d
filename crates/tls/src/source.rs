//! Where certificates and keys come from.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use zeroize::Zeroizing;

use crate::file::{self, FileError, MAX_FILE_BYTES, Origin, Secret};

/// Gives the bytes of a certificate or key when they are needed.
pub type Fetch = dyn Fn() -> io::Result<Vec<u8>> + Send + Sync;

/// A place to take certificates or a key from. Cheap to clone.
///
/// As text: a path, or one of `file:PATH`, `env:NAME`, `credential:NAME` and `pkcs11:…` (RFC 7512).
#[derive(Clone)]
#[non_exhaustive]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// These bytes: PEM, or anything that a file may hold.
    Pem(Arc<Zeroizing<Vec<u8>>>),
    /// An environment variable that holds PEM, with its line breaks or without, or base64.
    Env(String),
    /// A systemd credential: the file of this name in `$CREDENTIALS_DIRECTORY`.
    Credential(String),
    /// A token's object, by its URI.
    Pkcs11(String),
    /// Whatever a function gives, each time it is asked.
    Callback(Arc<Fetch>),
}

/// Why a text names no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceTextError {
    /// Nothing stands there, or nothing after the prefix.
    #[error("expected a path, or file:, env:, credential: or pkcs11: and what is to be read")]
    Empty,
    /// A credential's name is a plain file name.
    #[error("a credential is named without slashes, and {0:?} has one: for a path leave out credential:")]
    BadCredential(String),
}

/// Why a source gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The environment variable is not set, or empty.
    #[error("the environment variable {name} is not set: set it to the PEM text")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("{origin} holds more than {MAX_FILE_BYTES} bytes, so it is no certificate or key")]
    TooLarge {
        /// Where it came from.
        origin: Origin,
    },
    /// The process was not started with credentials.
    #[error(
        "there is no credential {name}, since CREDENTIALS_DIRECTORY is not set: start the program by systemd with \
         LoadCredential={name}:PATH"
    )]
    NoCredentials {
        /// The credential's name.
        name: String,
    },
    /// The function failed.
    #[error("the program that supplies it failed: {0}")]
    Callback(io::Error),
}

impl Source {
    /// These bytes.
    pub fn pem(bytes: impl Into<Vec<u8>>) -> Self {
        Self::Pem(Arc::new(Zeroizing::new(bytes.into())))
    }

    /// What this function gives.
    pub fn callback(fetch: impl Fn() -> io::Result<Vec<u8>> + Send + Sync + 'static) -> Self {
        Self::Callback(Arc::new(fetch))
    }

    /// The file that is read, if it is one: what to watch for a change.
    #[must_use]
    pub fn path(&self) -> Option<PathBuf> {
        match self {
            Self::File(path) => Some(path.clone()),
            Self::Credential(name) => credential(name).ok(),
            _ => None,
        }
    }

    /// Reads it, at most [`MAX_FILE_BYTES`]; `what` names bytes without a name. A token gives nothing to read.
    pub(crate) fn take(&self, what: &'static str) -> Result<Option<Secret>, SourceError> {
        let (origin, bytes) = match self {
            Self::File(path) => {
                return Ok(Some(file::read_secret(path)?));
            }
            Self::Credential(name) => {
                return Ok(Some(file::read_secret(&credential(name)?)?));
            }
            Self::Pem(bytes) => (Origin::Memory(what), Zeroizing::clone(bytes)),
            Self::Env(name) => {
                let value = std::env::var_os(name).filter(|value| !value.is_empty());
                let value = value.ok_or_else(|| SourceError::NoVariable { name: name.clone() })?;
                (Origin::Variable(name.clone()), Zeroizing::new(value.into_encoded_bytes()))
            }
            Self::Callback(fetch) => (Origin::Memory(what), Zeroizing::new(fetch().map_err(SourceError::Callback)?)),
            Self::Pkcs11(_) => return Ok(None),
        };
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            return Err(SourceError::TooLarge { origin });
        }
        Ok(Some(Secret { origin, bytes, mode: None }))
    }

    /// Do both name the same place?
    pub(crate) fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::File(one), Self::File(other)) => one == other,
            (Self::Pem(one), Self::Pem(other)) => Arc::ptr_eq(one, other) || one == other,
            (Self::Env(one), Self::Env(other))
            | (Self::Credential(one), Self::Credential(other))
            | (Self::Pkcs11(one), Self::Pkcs11(other)) => one == other,
            (Self::Callback(one), Self::Callback(other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }
}

fn credential(name: &str) -> Result<PathBuf, SourceError> {
    let directory = std::env::var_os("CREDENTIALS_DIRECTORY").filter(|directory| !directory.is_empty());
    directory
        .map(|directory| PathBuf::from(directory).join(name))
        .ok_or_else(|| SourceError::NoCredentials { name: name.to_owned() })
}

impl FromStr for Source {
    type Err = SourceTextError;

    fn from_str(text: &str) -> Result<Self, SourceTextError> {
        let filled = |rest: &str| if rest.is_empty() { Err(SourceTextError::Empty) } else { Ok(rest.to_owned()) };
        if let Some(rest) = text.strip_prefix("file:") {
            return filled(rest.strip_prefix("//").unwrap_or(rest)).map(|path| Self::File(path.into()));
        }
        if let Some(rest) = text.strip_prefix("env:") {
            return filled(rest).map(Self::Env);
        }
        if let Some(rest) = text.strip_prefix("credential:") {
            return match filled(rest)? {
                name if name.contains(['/', '\\']) || name == ".." || name == "." => {
                    Err(SourceTextError::BadCredential(name))
                }
                name => Ok(Self::Credential(name)),
            };
        }
        if text.starts_with("pkcs11:") {
            return Ok(Self::Pkcs11(text.to_owned()));
        }
        filled(text).map(|path| Self::File(path.into()))
    }
}

impl From<&Path> for Source {
    fn from(path: &Path) -> Self {
        Self::File(path.to_owned())
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::File(path)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Pem(_) => f.write_str("a text given in memory"),
            Self::Env(name) => write!(f, "env:{name}"),
            Self::Credential(name) => write!(f, "credential:{name}"),
            Self::Pkcs11(uri) => f.write_str(&file::without_pin(uri)),
            Self::Callback(_) => f.write_str("a callback"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Source({self})")
    }
}

#[cfg(test)]
mod tests;
