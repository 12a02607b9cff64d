//! The keys that certificates are asked for.

use std::fmt;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::SigningKey;
use x509_cert::der::asn1::ObjectIdentifier;
use zeroize::Zeroizing;

use super::error::RequestError;
use crate::issue::KeyType;
use crate::provider::provider;
use crate::tlv::{self, OID, SEQUENCE};

/// The private key that a certificate is asked for: new, or the one in use. Never shown; cheap to clone.
#[derive(Clone)]
pub struct EnrolmentKey {
    pem: Arc<Zeroizing<String>>,
    signing: Arc<dyn SigningKey>,
    public: Vec<u8>,
}

impl EnrolmentKey {
    /// Makes a new key from the system's randomness.
    ///
    /// # Errors
    /// When the cryptographic library fails.
    pub fn generate(key: KeyType) -> Result<Self, RequestError> {
        use rcgen::RsaKeySize;
        let rsa = |size| rcgen::KeyPair::generate_rsa_for(&rcgen::PKCS_RSA_SHA256, size);
        let pair = match key {
            KeyType::EcdsaP256 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256),
            KeyType::EcdsaP384 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384),
            KeyType::Ed25519 => rcgen::KeyPair::generate_for(&rcgen::PKCS_ED25519),
            KeyType::Rsa2048 => rsa(RsaKeySize::_2048),
            KeyType::Rsa3072 => rsa(RsaKeySize::_3072),
            KeyType::Rsa4096 => rsa(RsaKeySize::_4096),
        };
        let pair = pair.map_err(|error| RequestError::Key(error.to_string()))?;
        Self::from_pem(&Zeroizing::new(pair.serialize_pem()))
    }

    /// Takes the first private key of a PEM text: PKCS#8, SEC1 or PKCS#1, not encrypted.
    ///
    /// # Errors
    /// When there is none or it cannot be used.
    pub fn from_pem(pem: &str) -> Result<Self, RequestError> {
        let unusable = |error: String| RequestError::Key(error);
        let key = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|error| unusable(error.to_string()))?;
        let signing = provider().key_provider.load_private_key(key).map_err(|error| unusable(error.to_string()))?;
        let public = signing.public_key().ok_or_else(|| unusable("its public half is not known".to_owned()))?;
        let public = public.as_ref().to_vec();
        Ok(Self { pem: Arc::new(Zeroizing::new(pem.to_owned())), signing, public })
    }

    /// The private key in PEM: what it was read from, or PKCS#8 for a new one.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.public
    }

    /// Signs, and gives the AlgorithmIdentifier in DER with the signature.
    pub(super) fn sign(&self, message: &[u8]) -> Result<(Vec<u8>, Vec<u8>), RequestError> {
        const SCHEMES: [(SignatureScheme, &str, bool); 5] = [
            (SignatureScheme::ECDSA_NISTP256_SHA256, "1.2.840.10045.4.3.2", false),
            (SignatureScheme::ECDSA_NISTP384_SHA384, "1.2.840.10045.4.3.3", false),
            (SignatureScheme::ECDSA_NISTP521_SHA512, "1.2.840.10045.4.3.4", false),
            (SignatureScheme::ED25519, "1.3.101.112", false),
            (SignatureScheme::RSA_PKCS1_SHA256, "1.2.840.113549.1.1.11", true),
        ];
        let failed = |error: String| RequestError::Key(error);
        let offered = SCHEMES.map(|(scheme, ..)| scheme);
        let signer = self.signing.choose_scheme(&offered).ok_or(RequestError::UnsupportedAlgorithm)?;
        let (_, oid, null) = SCHEMES
            .into_iter()
            .find(|(scheme, ..)| *scheme == signer.scheme())
            .ok_or(RequestError::UnsupportedAlgorithm)?;
        let signature = signer.sign(message).map_err(|error| failed(error.to_string()))?;
        let oid = ObjectIdentifier::new(oid).map_err(|error| failed(error.to_string()))?;
        let mut algorithm = tlv::element(OID, oid.as_bytes());
        if null {
            algorithm.extend_from_slice(&[0x05, 0x00]);
        }
        Ok((tlv::element(SEQUENCE, &algorithm), signature))
    }
}

impl fmt::Debug for EnrolmentKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EnrolmentKey").field("algorithm", &self.signing.algorithm()).finish_non_exhaustive()
    }
}
