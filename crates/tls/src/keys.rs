//! Private keys: what they are, whether TLS can use them, and taking them from under a passphrase.
//!
//! The buffers here are overwritten when they are dropped. A key that is in use stays in the memory
//! of the cryptographic library, aws-lc, which overwrites it when the identity's last copy goes.

use std::fmt;
use std::sync::Arc;

use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer};
use rustls::sign::SigningKey;
use zeroize::Zeroizing;

use crate::classify::KeyForm;

mod cost;
mod encrypted;
mod kind;

pub use cost::{MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_BYTES, TooCostly};
pub use kind::KeyKind;

pub(crate) use cost::Budget;
pub(crate) use encrypted::{DecryptError, decrypt};

/// A private key in DER that is not encrypted.
pub(crate) struct PrivateKey {
    form: KeyForm,
    der: Zeroizing<Vec<u8>>,
}

impl PrivateKey {
    pub(crate) const fn new(form: KeyForm, der: Zeroizing<Vec<u8>>) -> Self {
        Self { form, der }
    }

    pub(crate) const fn form(&self) -> KeyForm {
        self.form
    }

    /// The key in its form.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// Hands it to the cryptographic library.
    pub(crate) fn load(&self) -> Result<Arc<dyn SigningKey>, KeyProblem> {
        let der = match self.form {
            KeyForm::Pkcs8 => PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.der.as_slice())),
            KeyForm::Pkcs1 => PrivateKeyDer::Pkcs1(PrivatePkcs1KeyDer::from(self.der.as_slice())),
            KeyForm::Sec1 => PrivateKeyDer::Sec1(PrivateSec1KeyDer::from(self.der.as_slice())),
        };
        any_supported_type(&der).map_err(|error| match KeyKind::of_private_key(self.form, &self.der) {
            Some(kind) if !kind.is_usable() => KeyProblem::Unusable(kind),
            _ => KeyProblem::Damaged(error.to_string()),
        })
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PrivateKey").field("form", &self.form).finish_non_exhaustive()
    }
}

/// Why a private key cannot be used in TLS.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyProblem {
    /// Its kind is one that TLS cannot use here (catalogue A29, A31).
    #[error("{0} cannot be used in TLS here")]
    Unusable(KeyKind),
    /// It cannot be parsed.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

#[cfg(test)]
mod tests;
