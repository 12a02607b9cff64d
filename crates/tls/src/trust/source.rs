//! Where authorities come from.

use std::path::{Path, PathBuf};

use super::{Pin, TrustError};
use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::Certificate;
use crate::file::{self, Origin};
use crate::pem;

/// The most files of a directory that are read.
const MAX_FILES: usize = 1024;

/// Something to believe, alone with [`Trust::only`](super::Trust::only) or added to other things with
/// [`Trust::and_also`](super::Trust::and_also).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum TrustSource {
    /// The certificates in a file, PEM or DER.
    File(PathBuf),
    /// The certificates in every file of a directory, PEM or DER. Files that hold none are reported
    /// by [`Trust::findings`](super::Trust::findings); it fails only when no file is usable.
    /// Subdirectories are not entered.
    Directory(PathBuf),
    /// The certificates in a PEM text, or one in DER.
    Bytes(Vec<u8>),
    /// These certificates.
    Certificates(Vec<Certificate>),
    /// Exactly one server, whoever issued its certificate.
    Pin(Pin),
    /// Whatever the operating system trusts for servers.
    #[cfg(feature = "platform-verifier")]
    Platform,
    /// The root programme of the web, as built in (Mozilla's).
    #[cfg(feature = "web-roots")]
    WebRoots,
}

/// The certificates of a file.
pub(super) fn from_file(path: &Path) -> Result<(Origin, Vec<Certificate>), TrustError> {
    let (origin, bytes) = file::read(path)?;
    let certificates = from_bytes(&origin, &bytes)?;
    Ok((origin, certificates))
}

/// The certificates of a PEM text, or one in DER.
pub(super) fn from_bytes(origin: &Origin, bytes: &[u8]) -> Result<Vec<Certificate>, TrustError> {
    if bytes.starts_with(&[0x30])
        && let Ok(certificate) = Certificate::from_der(bytes)
    {
        return Ok(vec![certificate]);
    }
    pem::certificates(bytes).map_err(|source| TrustError::Pem { origin: origin.clone(), source })
}

/// The certificates of every file in a directory, and a finding for each file that has none.
pub(super) fn from_directory(path: &Path) -> Result<(Origin, Vec<Certificate>, Vec<Finding>), TrustError> {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let unlisted = |error: std::io::Error| TrustError::Directory { path: absolute.clone(), detail: error.to_string() };
    let mut files = Vec::new();
    for entry in path.read_dir().map_err(unlisted)? {
        let entry = entry.map_err(unlisted)?.path();
        if entry.is_file() && !is_revocation_list(&entry) {
            files.push(entry);
        }
        if files.len() > MAX_FILES {
            return Err(TrustError::TooMany);
        }
    }
    files.sort();
    let (mut certificates, mut findings) = (Vec::new(), Vec::new());
    for file in &files {
        match from_file(file) {
            Ok((_, found)) => certificates.extend(found),
            Err(error) => findings.push(Finding::new(
                error.id().unwrap_or(Id::A22),
                Severity::Warning,
                file.display().to_string(),
                error.to_string(),
                "remove the file from the directory of authorities, or repair it",
            )),
        }
    }
    if certificates.is_empty() {
        let first = findings.first().map(|finding| finding.why.clone());
        return Err(TrustError::EmptyDirectory { path: absolute, files: files.len(), first });
    }
    Ok((Origin::File(absolute), certificates, findings))
}

/// OpenSSL keeps lists beside certificates, under names such as `5ad8a5d6.r0`.
fn is_revocation_list(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    extension == "crl"
        || extension.strip_prefix('r').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}
