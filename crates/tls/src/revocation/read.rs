//! Finding revocation lists in files and directories, under limits.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest;
use rustls::pki_types::CertificateRevocationListDer;
use rustls::pki_types::pem::PemObject;

use super::{Digest, RevocationError};
use crate::file::Origin;

/// The largest file of revocation lists that is read: 16 MiB, some 400 000 entries.
pub const MAX_LIST_BYTES: u64 = 16 * 1024 * 1024;
/// The most that all lists of one configuration may take together: 64 MiB.
pub const MAX_LISTS_BYTES: u64 = 64 * 1024 * 1024;
/// The most lists of one configuration.
pub const MAX_LISTS: usize = 256;
/// The most entries of a directory that are looked at.
const MAX_ENTRIES: usize = 1024;

/// Lists in DER, with where each came from.
#[derive(Default)]
pub(super) struct Found {
    pub(super) lists: Vec<(Origin, Vec<u8>)>,
    bytes: u64,
}

impl Found {
    /// Names the content, wherever it was found.
    pub(super) fn digest(&self) -> Digest {
        let mut whole = digest::Context::new(&digest::SHA256);
        for (_, der) in &self.lists {
            whole.update(digest::digest(&digest::SHA256, der).as_ref());
        }
        let mut bytes = Digest::default();
        bytes.copy_from_slice(whole.finish().as_ref());
        bytes
    }

    /// Takes the lists of a file, or of every file in a directory that holds some.
    pub(super) fn path(&mut self, path: &Path) -> Result<(), RevocationError> {
        let unreadable = |error: io::Error| RevocationError::Unreadable {
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_owned()),
            detail: error.to_string(),
        };
        if !path.is_dir() {
            return self.file(path);
        }
        let mut entries: Vec<PathBuf> = Vec::new();
        for entry in path.read_dir().map_err(unreadable)? {
            let entry = entry.map_err(unreadable)?.path();
            if entries.len() == MAX_ENTRIES {
                return Err(RevocationError::TooMuch { origin: Origin::File(path.to_owned()) });
            }
            if entry.is_file() {
                entries.push(entry);
            }
        }
        entries.sort();
        for entry in entries {
            match self.file(&entry) {
                Ok(()) | Err(RevocationError::NotAList { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), RevocationError> {
        let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let unreadable =
            |error: io::Error| RevocationError::Unreadable { path: absolute.clone(), detail: error.to_string() };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(MAX_LIST_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        self.bytes(&Origin::File(absolute), &bytes)
    }

    /// Takes the lists of a text or DER.
    pub(super) fn bytes(&mut self, origin: &Origin, bytes: &[u8]) -> Result<(), RevocationError> {
        let too_much = || RevocationError::TooMuch { origin: origin.clone() };
        let length = bytes.len() as u64;
        if length > MAX_LIST_BYTES {
            return Err(too_much());
        }
        let found: Vec<Vec<u8>> = if bytes.starts_with(&[0x30]) {
            // A certificate is a sequence too.
            if crate::certificate::Certificate::from_der(bytes).is_ok() {
                return Err(RevocationError::NotAList { origin: origin.clone() });
            }
            vec![bytes.to_vec()]
        } else {
            let text = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
            let sections = CertificateRevocationListDer::pem_slice_iter(text);
            let mut found = Vec::new();
            for section in sections.take(MAX_LISTS + 1) {
                match section {
                    Ok(der) => found.push(der.to_vec()),
                    Err(error) => {
                        return Err(RevocationError::BadList { origin: origin.clone(), detail: error.to_string() });
                    }
                }
            }
            found
        };
        if found.is_empty() {
            return Err(RevocationError::NotAList { origin: origin.clone() });
        }
        for der in found {
            if self.lists.iter().any(|(_, known)| *known == der) {
                continue;
            }
            self.bytes = self.bytes.saturating_add(der.len() as u64);
            if self.lists.len() == MAX_LISTS || self.bytes > MAX_LISTS_BYTES {
                return Err(too_much());
            }
            self.lists.push((origin.clone(), der));
        }
        Ok(())
    }
}
