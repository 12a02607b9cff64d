//! What a client showed in the handshake.

use std::fmt;
use std::sync::Arc;

use crate::certificate::{Certificate, CertificateError};
use crate::verify::Chain;

/// The longest chain that is taken from a client, leaf included.
pub const MAX_PRESENTED_CERTIFICATES: usize = 10;

/// The most that the certificates of a client's chain may take together: 64 KiB.
pub const MAX_PRESENTED_BYTES: usize = 64 * 1024;

/// Why a presented chain was not taken. The fault is the peer's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PeerError {
    /// There is no certificate in it.
    #[error("the chain is empty")]
    Empty,
    /// More than [`MAX_PRESENTED_CERTIFICATES`].
    #[error(
        "the chain has more than {MAX_PRESENTED_CERTIFICATES} certificates: send only the leaf and its intermediates"
    )]
    TooMany,
    /// More than [`MAX_PRESENTED_BYTES`].
    #[error("the chain takes more than {MAX_PRESENTED_BYTES} bytes: send only the leaf and its intermediates")]
    TooLarge,
    /// The leaf is not a certificate.
    #[error("the client's certificate cannot be read: {0}")]
    BadLeaf(CertificateError),
}

/// A client's chain as presented: parsed, and judged by nobody yet.
///
/// One that comes out of [`stream::accept`](crate::stream::accept) also stands for possession of the
/// leaf's key, since the handshake's signature was checked. [`verify`](crate::verify()) decides
/// whether it means anything. Cheap to clone.
#[cfg_attr(not(feature = "stream"), allow(rustdoc::broken_intra_doc_links, reason = "the stream is a feature"))]
#[derive(Clone, PartialEq, Eq)]
pub struct PresentedPeer {
    leaf: Certificate,
    chain: Arc<[Vec<u8>]>,
}

impl PresentedPeer {
    /// A chain, leaf first, that no handshake stands behind: for tests and for judging files.
    ///
    /// # Errors
    /// When the chain is empty or too large, or the leaf is not a certificate.
    pub fn from_der_unproven(chain: Vec<Vec<u8>>) -> Result<Self, PeerError> {
        Self::from_chain(chain.iter().map(Vec::as_slice))
    }

    pub(crate) fn from_chain<'a>(chain: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, PeerError> {
        let mut bytes = 0_usize;
        let mut kept = Vec::new();
        for der in chain {
            bytes = bytes.saturating_add(der.len());
            if kept.len() == MAX_PRESENTED_CERTIFICATES {
                return Err(PeerError::TooMany);
            }
            if bytes > MAX_PRESENTED_BYTES {
                return Err(PeerError::TooLarge);
            }
            kept.push(der.to_vec());
        }
        let leaf = kept.first().ok_or(PeerError::Empty)?;
        let leaf = Certificate::from_der(leaf).map_err(PeerError::BadLeaf)?;
        Ok(Self { leaf, chain: kept.into() })
    }

    /// The client's own certificate.
    #[must_use]
    pub fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// The chain in DER, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The subjects of the chain, leaf first.
    #[must_use]
    pub fn chain_subjects(&self) -> Vec<String> {
        subjects(&self.chain)
    }

    pub(crate) fn shown(&self) -> Chain {
        Chain::above_leaf(&self.leaf, self.chain.iter().skip(1))
    }
}

impl fmt::Debug for PresentedPeer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedPeer").field("chain", &self.chain_subjects()).finish()
    }
}

/// In the place of the subject of what is no certificate.
pub(crate) const UNREADABLE: &str = "(not a certificate)";

/// The subjects of a chain in DER; what cannot be parsed is said to be so.
pub(crate) fn subjects(chain: &[Vec<u8>]) -> Vec<String> {
    let subject = |der: &Vec<u8>| {
        Certificate::from_der(der).map_or_else(|_| UNREADABLE.to_owned(), |parsed| parsed.subject().to_string())
    };
    chain.iter().map(subject).collect()
}
