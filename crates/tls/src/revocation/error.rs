//! Why revocation lists could not be used.

use std::path::PathBuf;

use crate::catalogue::Id;
use crate::file::Origin;
use crate::time::Utc;

/// Why revocation lists could not be used. All of it is for whoever configured them to put right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationError {
    /// A file or directory cannot be read.
    #[error("the revocation lists in {} cannot be read ({detail}): check the path and its permissions", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the operating system said.
        detail: String,
    },
    /// A file holds no revocation list.
    #[error("{origin} holds no revocation list in PEM or DER: export the CA's list, which begins with BEGIN X509 CRL")]
    NotAList {
        /// Where it came from.
        origin: Origin,
    },
    /// A list is malformed, or of a kind that is not supported: delta and indirect lists.
    #[error("the revocation list in {origin} cannot be used ({detail}): let its CA issue a complete list of its own")]
    BadList {
        /// Where it came from.
        origin: Origin,
        /// What the parser said.
        detail: String,
    },
    /// A list is overdue.
    #[error(
        "the revocation list of {issuer} in {origin} is out of date since {}: fetch the current one",
        Utc(*.next_update)
    )]
    Outdated {
        /// Where it came from.
        origin: Origin,
        /// Who signed it.
        issuer: String,
        /// When the next one was due, in seconds since 1970.
        next_update: u64,
    },
    /// Nothing was found.
    #[error("no revocation list was found: name a file, or a directory of files, in PEM or DER")]
    None {
        /// Where they were looked for.
        paths: Vec<PathBuf>,
    },
    /// More than is taken.
    #[error(
        "the revocation lists are too many or too large: at most {} lists of {} bytes each, {} together",
        super::MAX_LISTS,
        super::MAX_LIST_BYTES,
        super::MAX_LISTS_BYTES
    )]
    TooMuch {
        /// Where the limit was passed.
        origin: Origin,
    },
    /// OCSP is demanded.
    #[error(
        "OCSP is demanded and not supported: the verifier neither asks a responder nor checks a stapled answer; use \
         revocation lists instead"
    )]
    OcspUnsupported,
    /// The lists cannot be applied to what the operating system believes.
    #[error(
        "revocation lists cannot be combined with the operating system's trust, which checks in its own way: name the \
         authorities by file instead"
    )]
    WithPlatform,
}

impl RevocationError {
    /// Its entry in the catalogue, where there is one.
    #[must_use]
    pub const fn id(&self) -> Option<Id> {
        match self {
            Self::Outdated { .. } => Some(Id::B13),
            Self::Unreadable { .. } => Some(Id::A02),
            Self::NotAList { .. } | Self::TooMuch { .. } => Some(Id::A35),
            _ => None,
        }
    }
}
