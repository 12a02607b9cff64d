//! Passphrases, and where they come from: never from an argument of a program.

use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use zeroize::Zeroizing;

/// The longest passphrase that is read: 4096 bytes.
pub const MAX_PASSPHRASE_BYTES: u64 = 4096;

/// A passphrase. It is overwritten when it is dropped, and never shown.
#[derive(Clone)]
pub struct Passphrase(Zeroizing<String>);

impl Passphrase {
    /// Takes a passphrase.
    pub fn new(passphrase: impl Into<String>) -> Self {
        Self(Zeroizing::new(passphrase.into()))
    }

    /// The passphrase itself, to be handed to cryptography and nowhere else.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Without the white space around it, if there is any.
    pub(crate) fn trimmed(&self) -> Option<Self> {
        let trimmed = self.0.trim();
        (trimmed.len() != self.0.len()).then(|| Self::new(trimmed))
    }
}

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(not shown)")
    }
}

/// Why no passphrase could be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PassphraseError {
    /// The environment variable is not set.
    #[error("the environment variable {name} is not set: set it to the passphrase")]
    NoVariable {
        /// Its name.
        name: String,
    },
    /// It is no text.
    #[error("{origin} is not UTF-8 text: save the passphrase as UTF-8")]
    NotText {
        /// Where it came from.
        origin: String,
    },
    /// It is longer than [`MAX_PASSPHRASE_BYTES`].
    #[error("{origin} is longer than {MAX_PASSPHRASE_BYTES} bytes: name a file whose first line is the passphrase")]
    TooLong {
        /// Where it came from.
        origin: String,
    },
    /// It cannot be read.
    #[error("{origin} cannot be read ({source}): check that it exists and that this program may read it")]
    Unreadable {
        /// Where it should come from.
        origin: String,
        /// What the operating system said.
        source: io::Error,
    },
}

type Ask = dyn Fn(&str) -> io::Result<Option<Passphrase>> + Send + Sync;

enum Kind {
    Value(Passphrase),
    File(PathBuf),
    Descriptor(u32),
    Variable(String),
    Ask(Box<Ask>),
}

/// Where the passphrase comes from. It is read only when something is encrypted.
///
/// A file and a variable are read every time, so that both may change; a descriptor can be read only
/// once and a person wants to be asked only once, so that their answers are kept. Cheap to clone.
#[derive(Clone)]
pub struct PassphraseSource(Arc<Inner>);

struct Inner {
    kind: Kind,
    kept: Mutex<Option<Passphrase>>,
}

impl PassphraseSource {
    /// This one.
    #[must_use]
    pub fn value(passphrase: Passphrase) -> Self {
        Self::new(Kind::Value(passphrase))
    }

    /// The first line of a file, without its end.
    pub fn file(path: impl Into<PathBuf>) -> Self {
        Self::new(Kind::File(path.into()))
    }

    /// The first line of what can be read from a file descriptor that this process inherited.
    #[must_use]
    pub fn descriptor(number: u32) -> Self {
        Self::new(Kind::Descriptor(number))
    }

    /// The value of an environment variable.
    pub fn variable(name: impl Into<String>) -> Self {
        Self::new(Kind::Variable(name.into()))
    }

    /// What a function answers that is told what the passphrase is for; `None` when nobody answers.
    pub fn ask(ask: impl Fn(&str) -> io::Result<Option<Passphrase>> + Send + Sync + 'static) -> Self {
        Self::new(Kind::Ask(Box::new(ask)))
    }

    fn new(kind: Kind) -> Self {
        Self(Arc::new(Inner { kind, kept: Mutex::new(None) }))
    }

    /// Where it comes from, in words.
    #[must_use]
    pub fn origin(&self) -> String {
        match &self.0.kind {
            Kind::Value(_) => "the given passphrase".to_owned(),
            Kind::File(path) => format!("the passphrase file {}", shown(path)),
            Kind::Descriptor(number) => format!("file descriptor {number}"),
            Kind::Variable(name) => format!("the environment variable {name}"),
            Kind::Ask(_) => "the passphrase that was typed".to_owned(),
        }
    }

    /// Gets it, for what `purpose` names. `None` when a person who was asked gave no answer.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is no text.
    pub fn read(&self, purpose: &str) -> Result<Option<Passphrase>, PassphraseError> {
        let mut kept = self.0.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(passphrase) = &*kept {
            return Ok(Some(passphrase.clone()));
        }
        let unreadable = |source| PassphraseError::Unreadable { origin: self.origin(), source };
        let passphrase = match &self.0.kind {
            Kind::Value(passphrase) => return Ok(Some(passphrase.clone())),
            Kind::Variable(name) => {
                let value = std::env::var_os(name).ok_or_else(|| PassphraseError::NoVariable { name: name.clone() })?;
                let value = value.into_string().map_err(|_| PassphraseError::NotText { origin: self.origin() })?;
                return Ok(Some(Passphrase::new(value)));
            }
            Kind::File(path) => return self.first_line(File::open(path).map_err(unreadable)?).map(Some),
            Kind::Descriptor(number) => {
                let file = File::open(format!("/dev/fd/{number}")).map_err(unreadable)?;
                Some(self.first_line(file)?)
            }
            Kind::Ask(ask) => ask(purpose).map_err(unreadable)?,
        };
        kept.clone_from(&passphrase);
        Ok(passphrase)
    }

    /// Drops an answer that turned out wrong, so that the next time a person is asked again.
    pub(crate) fn forget(&self) {
        *self.0.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn first_line(&self, file: File) -> Result<Passphrase, PassphraseError> {
        let limit = usize::try_from(MAX_PASSPHRASE_BYTES).unwrap_or(usize::MAX);
        let mut bytes = Zeroizing::new(Vec::with_capacity(limit + 2));
        file.take(MAX_PASSPHRASE_BYTES + 1)
            .read_to_end(&mut bytes)
            .map_err(|source| PassphraseError::Unreadable { origin: self.origin(), source })?;
        let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = line.strip_prefix(b"\xef\xbb\xbf").unwrap_or(line);
        if line.len() > limit {
            return Err(PassphraseError::TooLong { origin: self.origin() });
        }
        match std::str::from_utf8(line) {
            Ok(line) => Ok(Passphrase::new(line)),
            Err(_) => Err(PassphraseError::NotText { origin: self.origin() }),
        }
    }
}

impl fmt::Debug for PassphraseSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PassphraseSource").field(&self.origin()).finish()
    }
}

impl From<Passphrase> for PassphraseSource {
    fn from(passphrase: Passphrase) -> Self {
        Self::value(passphrase)
    }
}

fn shown(path: &std::path::Path) -> String {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned()).display().to_string()
}

#[cfg(test)]
mod tests;
