//! A chain as a peer showed it.

use std::sync::Arc;

use super::MAX_CHAIN;
use crate::certificate::Certificate;

/// How many certificates of a chain are looked at: the leaf, and those that a path may lead through.
const MAX_SHOWN: usize = 65;

#[derive(Debug, Clone)]
enum Shown {
    Certificate(Certificate),
    /// What cannot be read here; the verifier may be able to.
    Bytes(Arc<[u8]>),
}

impl Shown {
    fn der(&self) -> &[u8] {
        match self {
            Self::Certificate(certificate) => certificate.der(),
            Self::Bytes(bytes) => bytes,
        }
    }

    const fn certificate(&self) -> Option<&Certificate> {
        match self {
            Self::Certificate(certificate) => Some(certificate),
            Self::Bytes(_) => None,
        }
    }
}

/// A chain, leaf first, each certificate of which is read once: a handshake asks several times for what is in it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Chain(Vec<Shown>);

impl Chain {
    /// Reads the first certificates of a chain in DER.
    pub(crate) fn of<D: AsRef<[u8]>>(ders: impl IntoIterator<Item = D>) -> Self {
        let shown = |der: D| match Certificate::from_der(der.as_ref()) {
            Ok(certificate) => Shown::Certificate(certificate),
            Err(_) => Shown::Bytes(der.as_ref().into()),
        };
        Self(ders.into_iter().take(MAX_SHOWN).map(shown).collect())
    }

    /// The chain above a leaf that was read before.
    pub(crate) fn above_leaf<D: AsRef<[u8]>>(leaf: &Certificate, above: impl IntoIterator<Item = D>) -> Self {
        let mut chain = Self::of(above.into_iter().take(MAX_SHOWN - 1));
        chain.0.insert(0, Shown::Certificate(leaf.clone()));
        chain
    }

    /// No more than the first `most` of it.
    #[cfg(feature = "stream")]
    pub(crate) fn first(&self, most: usize) -> Self {
        Self(self.0.iter().take(most).cloned().collect())
    }

    #[cfg(feature = "stream")]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The leaf in DER; empty when there is none.
    pub(crate) fn leaf_der(&self) -> &[u8] {
        self.0.first().map(Shown::der).unwrap_or_default()
    }

    /// The leaf, if it can be read.
    pub(crate) fn leaf(&self) -> Option<&Certificate> {
        self.0.first()?.certificate()
    }

    /// What stands above the leaf and can be read.
    pub(crate) fn above(&self) -> impl Iterator<Item = &Certificate> {
        self.0.iter().skip(1).filter_map(Shown::certificate)
    }

    /// What stands above the leaf, in DER.
    pub(crate) fn above_ders(&self) -> impl Iterator<Item = &[u8]> {
        self.0.iter().skip(1).map(Shown::der)
    }

    /// What a refusal shows of it: what can be read, at most sixteen certificates.
    pub(crate) fn certificates(&self) -> Vec<Certificate> {
        self.0.iter().take(MAX_CHAIN).filter_map(Shown::certificate).cloned().collect()
    }

    /// The subjects; what cannot be read is said to be so.
    #[cfg(feature = "stream")]
    pub(crate) fn subjects(&self) -> Vec<String> {
        let subject = |shown: &Shown| match shown.certificate() {
            Some(certificate) => certificate.subject().to_string(),
            None => crate::peer::UNREADABLE.to_owned(),
        };
        self.0.iter().map(subject).collect()
    }
}
