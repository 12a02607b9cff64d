//! A certificate and its key in two files that are replaced together.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use gridmq_tls::Identity;
use gridmq_tls::identity::IdentityError;
use zeroize::Zeroizing;

/// Where a certificate chain and its private key are kept, in PEM.
///
/// Both are written beside their places first (`NAME.new`, the key with mode 0600), then the key is moved to its place
/// and the certificate after it. If the machine stops between the two moves, [`load`](Self::load) makes the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFiles {
    certificate: PathBuf,
    key: PathBuf,
}

impl PairFiles {
    /// These two files.
    pub fn new(certificate: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        Self { certificate: certificate.into(), key: key.into() }
    }

    /// The certificate's file.
    #[must_use]
    pub fn certificate(&self) -> &Path {
        &self.certificate
    }

    /// The key's file.
    #[must_use]
    pub fn key(&self) -> &Path {
        &self.key
    }

    /// Loads the identity, and completes a replacement that was interrupted.
    ///
    /// # Errors
    /// When the files make no identity.
    pub fn load(&self) -> Result<Identity, IdentityError> {
        let loaded = Identity::from_pem_files(&self.certificate, &self.key);
        if !matches!(loaded, Err(IdentityError::KeyMismatch { .. })) {
            return loaded;
        }
        let waiting = beside(&self.certificate);
        match Identity::from_pem_files(&waiting, &self.key) {
            Ok(identity) if fs::rename(&waiting, &self.certificate).is_ok() => Ok(identity),
            _ => loaded,
        }
    }

    /// Replaces the certificate, and the key unless it stays the same.
    ///
    /// # Errors
    /// When a file cannot be written, or the old key not be read. Both old files are in their places then.
    pub fn replace(&self, certificate: &str, key: Option<&str>) -> io::Result<()> {
        let (new_certificate, new_key) = (beside(&self.certificate), beside(&self.key));
        let clean = || {
            drop(fs::remove_file(&new_certificate));
            drop(fs::remove_file(&new_key));
        };
        let written = write(&new_certificate, certificate, 0o644)
            .and_then(|()| key.map_or(Ok(()), |key| write(&new_key, key, 0o600)));
        if let Err(error) = written {
            clean();
            return Err(error);
        }
        let old_key = if key.is_some() {
            let old = read_old(&self.key).inspect_err(|_| clean())?;
            fs::rename(&new_key, &self.key).inspect_err(|_| clean())?;
            Some(old)
        } else {
            None
        };
        if let Err(error) = fs::rename(&new_certificate, &self.certificate) {
            let restored = match old_key {
                Some(Some(old)) => write_bytes(&new_key, &old, 0o600).and_then(|()| fs::rename(&new_key, &self.key)),
                Some(None) => fs::remove_file(&self.key),
                None => Ok(()),
            };
            if restored.is_ok() {
                clean();
            }
            // Otherwise the new certificate stays beside its place, where `load` finds it for the new key.
            return Err(error);
        }
        for path in [&self.certificate, &self.key] {
            // So that the names survive a power cut too; not every file system can.
            if let Some(Ok(directory)) = path.parent().map(File::open) {
                drop(directory.sync_all());
            }
        }
        Ok(())
    }
}

/// `None`: there is none.
fn read_old(path: &Path) -> io::Result<Option<Zeroizing<Vec<u8>>>> {
    match fs::read(path) {
        Ok(old) => Ok(Some(Zeroizing::new(old))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    path.with_file_name(name)
}

fn write(path: &Path, text: &str, mode: u32) -> io::Result<()> {
    write_bytes(path, text.as_bytes(), mode)
}

fn write_bytes(path: &Path, bytes: &[u8], mode: u32) -> io::Result<()> {
    // What an interrupted attempt left may have another mode.
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let mut file = options.open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
