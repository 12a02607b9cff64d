//! Keys under a passphrase, and PKCS#12.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

#[cfg(feature = "pkcs12")]
use crate::certificate::Certificate;

/// Rounds of PBKDF2 with HMAC-SHA-256 for an encrypted key: 600 000.
pub const KEY_ITERATIONS: u32 = 600_000;

/// Rounds of password hashing in a modern PKCS#12 file: 100 000.
pub const PKCS12_ITERATIONS: u32 = 100_000;

/// Rounds of password hashing in a PKCS#12 file for old programs: 2048, as those write it.
pub const COMPAT_ITERATIONS: u32 = 2048;

/// Why something cannot be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConvertError {
    /// The private key cannot be read.
    #[error("the private key cannot be read: {0}")]
    BadKey(String),
    /// There is no certificate to write.
    #[error("there is no certificate")]
    NoCertificate,
    /// The key belongs to none of the certificates.
    #[error("the private key does not belong to the certificate {subject}: give the key that it was made with")]
    KeyMismatch {
        /// Whom the certificate names.
        subject: String,
    },
    /// The name or password holds characters that PKCS#12 cannot write.
    #[error("the {what} holds a character beyond U+FFFF, which PKCS#12 cannot write: choose another")]
    Unwritable {
        /// Which of the two.
        what: &'static str,
    },
    /// The library that writes the form failed.
    #[error("writing failed: {0}")]
    Library(String),
}

/// What has to be random in an encrypted key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub struct Salt {
    salt: [u8; 16],
    vector: [u8; 16],
}

impl Salt {
    /// Of these random octets: salt, then initialisation vector.
    pub const fn new(salt: [u8; 16], vector: [u8; 16]) -> Self {
        Self { salt, vector }
    }

    /// The salt alone: 16 octets.
    #[must_use]
    pub const fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// Of the system's randomness.
    ///
    /// # Errors
    /// When the system has none.
    pub fn random() -> Result<Self, ConvertError> {
        let mut salt = Self::new([0; 16], [0; 16]);
        let random = SystemRandom::new();
        random
            .fill(&mut salt.salt)
            .and_then(|()| random.fill(&mut salt.vector))
            .map_err(|_| ConvertError::Library("the system gives no random numbers".to_owned()))?;
        Ok(salt)
    }
}

/// A key in PKCS#8 under a passphrase (RFC 5958 §3, PBES2 with PBKDF2 and AES-256-CBC), in PEM.
/// OpenSSL from 1.0, Java from 11 and .NET read it.
///
/// # Errors
/// When the bytes are no key in PKCS#8.
#[cfg(feature = "encrypted-keys")]
pub fn encrypt_key(pkcs8: &[u8], passphrase: &str, salt: Salt) -> Result<String, ConvertError> {
    use pkcs8::pkcs5::pbes2::Parameters;
    let failed = |error: &dyn std::fmt::Display| ConvertError::Library(error.to_string());
    let info = pkcs8::PrivateKeyInfoRef::try_from(pkcs8).map_err(|error| ConvertError::BadKey(error.to_string()))?;
    let parameters = Parameters::generate_pbkdf2_sha256_aes256cbc(KEY_ITERATIONS, &salt.salt, salt.vector)
        .map_err(|error| failed(&error))?;
    let encrypted = info.encrypt_with_params(parameters, passphrase).map_err(|error| failed(&error))?;
    Ok(super::to_pem("ENCRYPTED PRIVATE KEY", encrypted.as_bytes()))
}

/// A key in PKCS#8 in PEM, as it is.
#[must_use]
pub fn key_to_pem(pkcs8: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(super::to_pem("PRIVATE KEY", pkcs8))
}

/// How a PKCS#12 file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Pkcs12Encryption {
    /// PBES2 with AES-256, and a MAC with SHA-256. Windows reads it from Server 2019 and Windows 10 1709, OpenSSL
    /// from 1.0.2, Java from 8u301.
    #[default]
    Modern,
    /// Triple DES, and a MAC with SHA-1: for Windows Server 2016 and older, older Java, and devices. The encryption
    /// keeps nobody out for long; treat the file as the key itself.
    Compat,
}

/// Certificates and the key of the first of them as a PKCS#12 file (RFC 7292). `name` is its friendly name.
///
/// # Errors
/// When there is no certificate, or the key is another one's.
#[cfg(feature = "pkcs12")]
pub fn to_pkcs12(
    chain: &[Certificate],
    pkcs8: &[u8],
    name: &str,
    password: &str,
    encryption: Pkcs12Encryption,
) -> Result<Zeroizing<Vec<u8>>, ConvertError> {
    use p12_keystore::{
        Certificate as Bag, EncryptionAlgorithm, KeyStore, KeyStoreEntry, MacAlgorithm, PrivateKey, PrivateKeyChain,
    };
    for (what, text) in [("name", name), ("password", password)] {
        if text.chars().any(|c| u32::from(c) > 0xffff) {
            return Err(ConvertError::Unwritable { what });
        }
    }
    let failed = |error: p12_keystore::error::Error| ConvertError::Library(error.to_string());
    let leaf = chain.first().ok_or(ConvertError::NoCertificate)?;
    if super::public_key_of(pkcs8).as_deref() != Some(leaf.public_key()) {
        return Err(ConvertError::KeyMismatch { subject: leaf.subject().to_string() });
    }
    let key = PrivateKey::from_der(pkcs8).map_err(|error| ConvertError::BadKey(error.to_string()))?;
    let bags: Vec<Bag> = chain.iter().map(|one| Bag::from_der(one.der())).collect::<Result<_, _>>().map_err(failed)?;
    // The key and its certificate share an identifier; OpenSSL takes the certificate's SHA-1 for it.
    let id = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, leaf.der());
    let mut store = KeyStore::new();
    store.add_entry(name, KeyStoreEntry::PrivateKeyChain(PrivateKeyChain::new(id.as_ref(), key, bags)));
    let writer = store.writer(password);
    let writer = match encryption {
        Pkcs12Encryption::Modern => writer
            .encryption_algorithm(EncryptionAlgorithm::PbeWithHmacSha256AndAes256)
            .encryption_iterations(PKCS12_ITERATIONS)
            .mac_algorithm(MacAlgorithm::HmacSha256)
            .mac_iterations(PKCS12_ITERATIONS),
        Pkcs12Encryption::Compat => writer
            .encryption_algorithm(EncryptionAlgorithm::PbeWithShaAnd3KeyTripleDesCbc)
            .encryption_iterations(COMPAT_ITERATIONS)
            .mac_algorithm(MacAlgorithm::HmacSha1)
            .mac_iterations(COMPAT_ITERATIONS),
    };
    writer.write().map(Zeroizing::new).map_err(failed)
}
