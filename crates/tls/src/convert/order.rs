//! A chain in the order in which TLS wants it.

use crate::certificate::Certificate;
use crate::inspect::Chain;

/// What came out of putting certificates in order.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ordered {
    /// The leaf, then each one's issuer (RFC 8446 §4.4.2).
    pub chain: Vec<Certificate>,
    /// The root, where it was there and is not part of the chain now.
    pub root: Option<Certificate>,
    /// How many were there more than once.
    pub duplicates: usize,
    /// What has no part in the chain.
    pub unrelated: Vec<Certificate>,
}

/// Why there is no order.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderError {
    /// There is no leaf: the file is a bundle of authorities, whose order means nothing.
    #[error("none of the certificates is a leaf: a bundle of authorities needs no order")]
    NoLeaf,
    /// No certificate belongs to the key.
    #[error("none of the certificates belongs to the private key: give the key that the certificate was made with")]
    NoneForKey,
}

/// Puts certificates in order: leaf first, each once, without what has no part, and without the root unless it is
/// to be kept. With a public key given (SubjectPublicKeyInfo in DER) the leaf is the certificate of that key.
///
/// # Errors
/// When there is no leaf.
pub fn order(certificates: &[Certificate], public_key: Option<&[u8]>, keep_root: bool) -> Result<Ordered, OrderError> {
    let mut once: Vec<Certificate> = Vec::with_capacity(certificates.len());
    for certificate in certificates {
        if !once.contains(certificate) {
            once.push(certificate.clone());
        }
    }
    let duplicates = certificates.len() - once.len();
    let all = Chain::of(&once, &[], 0);
    let path = match public_key {
        None if all.path().is_empty() => return Err(OrderError::NoLeaf),
        None => all.path().to_vec(),
        Some(key) => {
            let leaf = once.iter().position(|certificate| certificate.public_key() == key);
            upwards(&all, leaf.ok_or(OrderError::NoneForKey)?)
        }
    };
    let mut chain: Vec<Certificate> = path.iter().filter_map(|at| once.get(*at)).cloned().collect();
    let ends_at_root = chain.len() > 1 && chain.last().is_some_and(Certificate::is_self_issued);
    let root = if ends_at_root && !keep_root { chain.pop() } else { None };
    let unrelated =
        once.iter().filter(|certificate| !chain.contains(certificate) && root.as_ref() != Some(certificate));
    Ok(Ordered { unrelated: unrelated.cloned().collect(), chain, root, duplicates })
}

fn upwards(all: &Chain, leaf: usize) -> Vec<usize> {
    let mut path = Vec::new();
    let mut at = Some(leaf);
    while let Some(position) = at {
        if path.contains(&position) {
            break;
        }
        path.push(position);
        at = all.links().get(position).and_then(|link| link.issuer);
    }
    path
}
