//! Who signed a certificate, and how.

use rustls::pki_types::{AlgorithmIdentifier, SignatureVerificationAlgorithm};
use x509_cert::der::asn1::{AnyRef, BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, SliceReader};

use super::Certificate;
use crate::provider::provider;

const WEAK: [ObjectIdentifier; 5] = [
    // md5WithRSAEncryption and sha1WithRSAEncryption (RFC 3279 §2.2.1), ecdsa-with-SHA1 (§2.2.3), dsa-with-sha1
    // (§2.2.2) and the older sha1WithRSASignature of OIW.
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.4"),
    ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.5"),
    ObjectIdentifier::new_unwrap("1.2.840.10045.4.1"),
    ObjectIdentifier::new_unwrap("1.2.840.10040.4.3"),
    ObjectIdentifier::new_unwrap("1.3.14.3.2.29"),
];

/// The three parts of a signed structure, as they stand in its DER.
struct Signed<'a> {
    content: &'a [u8],
    algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    fn of(der: &'a [u8]) -> Option<Self> {
        let outer = AnyRef::from_der(der).ok()?;
        let mut parts = SliceReader::new(outer.value()).ok()?;
        let content = parts.tlv_bytes().ok()?;
        let algorithm = AnyRef::from_der(parts.tlv_bytes().ok()?).ok()?.value();
        let signature = BitStringRef::from_der(parts.tlv_bytes().ok()?).ok()?.as_bytes()?;
        Some(Self { content, algorithm, signature })
    }
}

impl Certificate {
    /// Was this signed with the key of `issuer`? Names, validity and constraints are not looked at.
    ///
    /// `false` also where the signature's algorithm is none of those that this crate's TLS accepts.
    #[must_use]
    pub fn is_signed_by(&self, issuer: &Self) -> bool {
        self.is_signed_by_with(issuer, provider().signature_verification_algorithms.all)
    }

    /// As [`Self::is_signed_by`], by one of these algorithms.
    pub(crate) fn is_signed_by_with(&self, issuer: &Self, algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
        Signed::of(self.der()).is_some_and(|signed| signed_with(&signed, issuer.public_key(), algorithms))
    }

    /// The object identifier of the signature's algorithm, dotted.
    #[must_use]
    pub fn signature_algorithm(&self) -> Option<String> {
        self.algorithm().map(|oid| oid.to_string())
    }

    /// Is it signed with SHA-1 or MD5?
    #[must_use]
    pub fn is_weakly_signed(&self) -> bool {
        self.algorithm().is_some_and(|oid| WEAK.contains(&oid))
    }

    fn algorithm(&self) -> Option<ObjectIdentifier> {
        let signed = Signed::of(self.der())?;
        let mut reader = SliceReader::new(signed.algorithm).ok()?;
        ObjectIdentifier::decode(&mut reader).ok()
    }
}

fn signed_with(signed: &Signed<'_>, spki: &[u8], algorithms: &[&dyn SignatureVerificationAlgorithm]) -> bool {
    let key = || {
        let outer = AnyRef::from_der(spki).ok()?;
        let mut parts = SliceReader::new(outer.value()).ok()?;
        let algorithm = AnyRef::from_der(parts.tlv_bytes().ok()?).ok()?.value();
        let key = BitStringRef::from_der(parts.tlv_bytes().ok()?).ok()?.as_bytes()?;
        Some((algorithm, key))
    };
    let Some((key_algorithm, key)) = key() else { return false };
    let same = |identifier: AlgorithmIdentifier, actual: &[u8]| identifier.as_ref() == actual;
    algorithms.iter().any(|candidate| {
        same(candidate.signature_alg_id(), signed.algorithm)
            && same(candidate.public_key_alg_id(), key_algorithm)
            && candidate.verify_signature(key, signed.content, signed.signature).is_ok()
    })
}
