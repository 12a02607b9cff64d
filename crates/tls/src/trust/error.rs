//! Why trust could not be loaded.

use std::path::PathBuf;

use crate::catalogue::Id;
use crate::certificate::CertificateError;
use crate::file::{FileError, Origin};
use crate::pem::PemError;
use crate::revocation::RevocationError;

/// Why trust could not be loaded. All of it is for the caller to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TrustError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A text is damaged or holds no certificate.
    #[error("{origin} cannot be used as the authorities to trust: {source}")]
    Pem {
        /// Where the text came from.
        origin: Origin,
        /// What is wrong with it.
        source: PemError,
    },
    /// DER that is not a certificate.
    #[error("certificate number {number} of the authorities to trust cannot be read: {source}")]
    BadCertificate {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// A certificate that the verifier cannot use as an authority.
    #[error("{subject} in {origin} cannot serve as an authority ({detail}): it must be an X.509 version 3 certificate")]
    NotAnAuthority {
        /// Where it came from.
        origin: Origin,
        /// Whom it names.
        subject: String,
        /// What the verifier said.
        detail: String,
    },
    /// A directory that cannot be listed.
    #[error("the directory {} cannot be listed ({detail}): check the path and its permissions", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the operating system said.
        detail: String,
    },
    /// A directory without a usable certificate.
    #[error(
        "none of the {files} files in {} holds a usable certificate{}: put the CA certificates there as PEM or DER",
        path.display(), first.as_ref().map(|first| format!(" (the first: {first})")).unwrap_or_default()
    )]
    EmptyDirectory {
        /// The directory.
        path: PathBuf,
        /// How many files were tried.
        files: usize,
        /// What is wrong with the first of them.
        first: Option<String>,
    },
    /// More authorities than are taken.
    #[error(
        "more than {} authorities to trust: name those that issue the server's certificate",
        super::MAX_AUTHORITIES
    )]
    TooMany,
    /// No certificate was given.
    #[error("no authority to trust was given: name at least one CA certificate")]
    None,
    /// The operating system has no authorities (catalogue D19).
    #[error(
        "this machine has no store of trusted root certificates ({detail}): install one (ca-certificates), name a file \
         of authorities, or use the built-in web roots"
    )]
    NoSystemRoots {
        /// What was tried.
        detail: String,
    },
    /// Trust of a kind that says nothing about clients.
    #[error("{what} vouch for servers, not for clients: name the CA that issues the clients' certificates")]
    NotForClients {
        /// Which.
        what: &'static str,
    },
    /// Revocation lists that cannot be applied.
    #[error(transparent)]
    Revocation(#[from] RevocationError),
    /// The verifier could not be set up.
    #[error("the verifier of the peer's certificate could not be set up: {0}")]
    Verifier(String),
}

impl TrustError {
    /// Its entry in the catalogue, where it is not that of a file's content.
    #[must_use]
    pub const fn id(&self) -> Option<Id> {
        match self {
            Self::NoSystemRoots { .. } => Some(Id::D19),
            Self::File(FileError::Missing { .. }) => Some(Id::A01),
            Self::File(FileError::Unreadable { .. }) => Some(Id::A02),
            Self::File(FileError::Empty { .. }) => Some(Id::A04),
            Self::EmptyDirectory { .. } | Self::Directory { .. } => Some(Id::A35),
            Self::Revocation(error) => error.id(),
            _ => None,
        }
    }
}
