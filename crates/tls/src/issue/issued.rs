//! What comes out: a leaf with the chain above it, with or without its key.

use std::fmt;

use rcgen::KeyPair;
use zeroize::Zeroizing;

use crate::certificate::Certificate;
use crate::pem;

/// A new leaf whose key somebody else has: the answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCertificate {
    leaf: Certificate,
    chain: Vec<Certificate>,
}

impl SignedCertificate {
    pub(super) fn new(leaf: Certificate, above: Vec<Certificate>) -> Self {
        let mut chain = vec![leaf.clone()];
        chain.extend(above);
        Self { leaf, chain }
    }

    /// The leaf alone, in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        pem::encode(std::slice::from_ref(&self.leaf))
    }

    /// The leaf.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        &self.leaf
    }

    /// Leaf and intermediates, without the root, in PEM: what a TLS program wants as its certificate.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        pem::encode(&self.chain)
    }

    /// Leaf and intermediates, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        &self.chain
    }

    /// The leaf in DER.
    #[must_use]
    pub fn certificate_der(&self) -> Vec<u8> {
        self.leaf.der().to_vec()
    }
}

/// A new leaf with its key. Shown without the key.
#[derive(Clone)]
pub struct IssuedCertificate {
    signed: SignedCertificate,
    key_pem: Zeroizing<String>,
}

impl IssuedCertificate {
    pub(super) fn new(leaf: Certificate, above: Vec<Certificate>, key: &KeyPair) -> Self {
        Self { signed: SignedCertificate::new(leaf, above), key_pem: Zeroizing::new(key.serialize_pem()) }
    }

    /// The leaf alone, in PEM.
    #[must_use]
    pub fn certificate_pem(&self) -> String {
        self.signed.certificate_pem()
    }

    /// Leaf and intermediates, without the root, in PEM: what a TLS program wants as its certificate.
    #[must_use]
    pub fn chain_pem(&self) -> String {
        self.signed.chain_pem()
    }

    /// The leaf.
    #[must_use]
    pub const fn leaf(&self) -> &Certificate {
        self.signed.leaf()
    }

    /// The private key, PKCS#8 in PEM.
    #[must_use]
    pub fn key_pem(&self) -> &str {
        &self.key_pem
    }

    /// Leaf and intermediates, leaf first.
    #[must_use]
    pub fn chain(&self) -> &[Certificate] {
        self.signed.chain()
    }

    /// The leaf in DER.
    #[must_use]
    pub fn certificate_der(&self) -> Vec<u8> {
        self.signed.certificate_der()
    }
}

impl fmt::Debug for IssuedCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IssuedCertificate").field("chain", &self.chain()).finish_non_exhaustive()
    }
}
