//! Why no identity can be made.

use crate::file::{FileError, Origin};
use crate::pem::{PemContent, PemError};

/// Why a key and its certificates could not be loaded. All of it is for the caller to put right.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum IdentityError {
    /// A file could not be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// A text is damaged.
    #[error("{origin} cannot be used: {source}")]
    Pem {
        /// Where the text came from.
        origin: Origin,
        /// What is wrong with it.
        source: PemError,
    },
    /// The certificate's file holds the key and the key's file the certificate (catalogue A13).
    #[error("the certificate and the key are swapped: {certificate} holds the key and {key} the certificate")]
    Swapped {
        /// What was given as the certificate.
        certificate: Origin,
        /// What was given as the key.
        key: Origin,
    },
    /// There is no certificate.
    #[error("no certificate in {origin}: it holds {found}")]
    NoCertificate {
        /// Where a certificate was expected.
        origin: Origin,
        /// What is there instead.
        found: PemContent,
    },
    /// There is no private key (catalogue A22).
    #[error("no private key in {origin}: it holds {found}")]
    NoKey {
        /// Where a key was expected.
        origin: Origin,
        /// What is there instead.
        found: PemContent,
    },
    /// The key is encrypted and no passphrase is known (catalogue A20).
    #[error(
        "the private key in {origin} is encrypted and no passphrase is known: decrypt it with \
         `openssl pkey -in {origin} -out plain.key` and use that file"
    )]
    EncryptedKey {
        /// Where the key is.
        origin: Origin,
    },
    /// The key is of a kind that TLS cannot use here (catalogue A29, A31).
    #[error(
        "the private key in {origin} cannot be used ({detail}): use ECDSA on P-256, P-384 or P-521, Ed25519, \
         or RSA of 2048 bits or more"
    )]
    UnusableKey {
        /// Where the key is.
        origin: Origin,
        /// What the cryptographic library said.
        detail: String,
    },
    /// The key belongs to none of the certificates (catalogue A19).
    #[error(
        "the private key in {key} belongs to no certificate in {certificate} ({}): use the key that the \
         certificate was requested with",
        subjects.join("; ")
    )]
    KeyMismatch {
        /// Where the key is.
        key: Origin,
        /// Where the certificates are.
        certificate: Origin,
        /// The subjects of the certificates.
        subjects: Vec<String>,
    },
}
