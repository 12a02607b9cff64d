//! Signatures over certificates, requests and revocation lists, the weak ones included.

use aws_lc_rs::signature::{self, UnparsedPublicKey, VerificationAlgorithm};
use x509_cert::der::asn1::{BitStringRef, ObjectIdentifier};
use x509_cert::der::{Decode, Reader, SliceReader};
use x509_cert::spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use crate::keys::KeyKind;

/// A digest in a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Digest {
    /// MD5, broken.
    Md5,
    /// SHA-1, broken.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-384.
    Sha384,
    /// SHA-512.
    Sha512,
    /// Part of the signature scheme itself, as in Ed25519.
    Intrinsic,
    /// Not known here.
    Unknown,
}

/// How something was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SignatureAlgorithm {
    /// Its name, such as `ecdsa-with-SHA256`; the object identifier where it has none here.
    pub name: String,
    /// The digest.
    pub digest: Digest,
}

impl SignatureAlgorithm {
    pub(crate) fn of(oid: ObjectIdentifier) -> Self {
        let oid = oid.to_string();
        let (name, digest) = match oid.as_str() {
            "1.2.840.113549.1.1.4" => ("md5WithRSAEncryption", Digest::Md5),
            "1.2.840.113549.1.1.5" => ("sha1WithRSAEncryption", Digest::Sha1),
            "1.2.840.113549.1.1.10" => ("RSASSA-PSS", Digest::Sha256),
            "1.2.840.113549.1.1.11" => ("sha256WithRSAEncryption", Digest::Sha256),
            "1.2.840.113549.1.1.12" => ("sha384WithRSAEncryption", Digest::Sha384),
            "1.2.840.113549.1.1.13" => ("sha512WithRSAEncryption", Digest::Sha512),
            "1.2.840.10045.4.1" => ("ecdsa-with-SHA1", Digest::Sha1),
            "1.2.840.10045.4.3.2" => ("ecdsa-with-SHA256", Digest::Sha256),
            "1.2.840.10045.4.3.3" => ("ecdsa-with-SHA384", Digest::Sha384),
            "1.2.840.10045.4.3.4" => ("ecdsa-with-SHA512", Digest::Sha512),
            "1.3.101.112" => ("Ed25519", Digest::Intrinsic),
            "1.3.101.113" => ("Ed448", Digest::Intrinsic),
            _ => return Self { name: oid, digest: Digest::Unknown },
        };
        Self { name: name.to_owned(), digest }
    }

    /// Does it rest on SHA-1 or MD5, for which collisions can be made?
    #[must_use]
    pub const fn is_weak(&self) -> bool {
        matches!(self.digest, Digest::Md5 | Digest::Sha1)
    }

    /// The strength in bits that OpenSSL 3 counts for the digest.
    #[must_use]
    pub const fn security_bits(&self) -> u32 {
        match self.digest {
            Digest::Md5 => 39,
            Digest::Sha1 => 63,
            Digest::Sha256 | Digest::Intrinsic => 128,
            Digest::Sha384 => 192,
            Digest::Sha512 => 256,
            Digest::Unknown => 0,
        }
    }
}

/// The three parts of everything signed in X.509: certificate, request, revocation list.
pub(crate) struct Signed<'a> {
    content: &'a [u8],
    algorithm: ObjectIdentifier,
    signature: &'a [u8],
}

impl<'a> Signed<'a> {
    /// Splits DER without encoding anything anew: what was signed are these bytes.
    pub(crate) fn split(der: &'a [u8]) -> Option<Self> {
        let parts = |der: &'a [u8]| -> Result<Self, x509_cert::der::Error> {
            let mut reader = SliceReader::new(der)?;
            let signed = reader.sequence(|reader| {
                let content = reader.tlv_bytes()?;
                let algorithm = AlgorithmIdentifierRef::from_der(reader.tlv_bytes()?)?.oid;
                let signature = <BitStringRef<'a>>::decode(reader)?;
                Ok::<_, x509_cert::der::Error>(Self { content, algorithm, signature: signature.raw_bytes() })
            })?;
            reader.finish()?;
            Ok(signed)
        };
        parts(der).ok()
    }

    pub(crate) fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::of(self.algorithm)
    }

    /// Did the holder of this key sign it? `None` where the algorithm cannot be checked here.
    pub(crate) fn is_by(&self, spki: &[u8]) -> Option<bool> {
        let key = SubjectPublicKeyInfoRef::try_from(spki).ok()?;
        let algorithms = candidates(&KeyKind::of(spki), &self.algorithm())?;
        let bits = key.subject_public_key.raw_bytes();
        Some(
            algorithms
                .iter()
                .any(|algorithm| UnparsedPublicKey::new(*algorithm, bits).verify(self.content, self.signature).is_ok()),
        )
    }
}

type Candidates = &'static [&'static dyn VerificationAlgorithm];

/// Small RSA keys are checked too: that a key is weak and that a signature is wrong are two findings.
fn candidates(key: &KeyKind, algorithm: &SignatureAlgorithm) -> Option<Candidates> {
    let pss = algorithm.name == "RSASSA-PSS";
    Some(match (key, algorithm.digest) {
        (KeyKind::Rsa { .. }, _) if pss => &[
            &signature::RSA_PSS_2048_8192_SHA256,
            &signature::RSA_PSS_2048_8192_SHA384,
            &signature::RSA_PSS_2048_8192_SHA512,
        ],
        (KeyKind::Rsa { .. }, Digest::Sha1) => &[&signature::RSA_PKCS1_1024_8192_SHA1_FOR_LEGACY_USE_ONLY],
        (KeyKind::Rsa { .. }, Digest::Sha256) => &[&signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY],
        (KeyKind::Rsa { .. }, Digest::Sha384) => &[&signature::RSA_PKCS1_2048_8192_SHA384],
        (KeyKind::Rsa { .. }, Digest::Sha512) => &[&signature::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY],
        (KeyKind::Ec { curve, .. }, digest) => match (curve.as_str(), digest) {
            ("P-256", Digest::Sha1) => &[&signature::ECDSA_P256_SHA1_ASN1],
            ("P-256", Digest::Sha256) => &[&signature::ECDSA_P256_SHA256_ASN1],
            ("P-256", Digest::Sha384) => &[&signature::ECDSA_P256_SHA384_ASN1],
            ("P-256", Digest::Sha512) => &[&signature::ECDSA_P256_SHA512_ASN1],
            ("P-384", Digest::Sha256) => &[&signature::ECDSA_P384_SHA256_ASN1],
            ("P-384", Digest::Sha384) => &[&signature::ECDSA_P384_SHA384_ASN1],
            ("P-384", Digest::Sha512) => &[&signature::ECDSA_P384_SHA512_ASN1],
            ("P-521", Digest::Sha1) => &[&signature::ECDSA_P521_SHA1_ASN1],
            ("P-521", Digest::Sha256) => &[&signature::ECDSA_P521_SHA256_ASN1],
            ("P-521", Digest::Sha384) => &[&signature::ECDSA_P521_SHA384_ASN1],
            ("P-521", Digest::Sha512) => &[&signature::ECDSA_P521_SHA512_ASN1],
            ("secp256k1", Digest::Sha256) => &[&signature::ECDSA_P256K1_SHA256_ASN1],
            _ => return None,
        },
        (KeyKind::Ed25519, Digest::Intrinsic) => &[&signature::ED25519],
        _ => return None,
    })
}
