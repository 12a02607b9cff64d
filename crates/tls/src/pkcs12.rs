//! PKCS#12 files (RFC 7292), `.pfx` and `.p12`.
//!
//! Read are modern files (PBES2), legacy ones (RC2 and triple DES under SHA-1) and those without
//! encryption or password. What a file asks for in password hashing is added up before it is
//! computed, that inside its encrypted parts as well: all attempts of one loading together take at
//! most [`MAX_PBKDF2_ITERATIONS`](crate::keys::MAX_PBKDF2_ITERATIONS) iterations. The encrypted parts are
//! opened twice, once to look for what they ask and once by the library, which is not counted again.

#[cfg(feature = "pkcs12")]
mod sealed;

use crate::keys::{Budget, PrivateKey, TooCostly};

/// What a file holds.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) keys: Vec<PrivateKey>,
    /// In DER.
    pub(crate) certificates: Vec<Vec<u8>>,
}

/// Why a file does not open.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "the feature decides which of them are made")]
pub(crate) enum OpenError {
    TooCostly(TooCostly),
    /// The password is another.
    WrongPassword,
    Unsupported(String),
    Damaged(String),
    /// The library was built without.
    NotBuilt,
}

#[cfg(not(feature = "pkcs12"))]
pub(crate) fn open(_: &[u8], _: &str, _: &mut Budget) -> Result<Opened, OpenError> {
    Err(OpenError::NotBuilt)
}

#[cfg(feature = "pkcs12")]
pub(crate) fn open(bytes: &[u8], password: &str, budget: &mut Budget) -> Result<Opened, OpenError> {
    use p12_keystore::Pkcs12Archive;
    use p12_keystore::error::Error;
    use zeroize::Zeroizing;

    budget.spend(bytes).map_err(OpenError::TooCostly)?;
    for part in sealed::parts(bytes) {
        // What does not open here does not open for the library either, which then says why.
        if let Some(content) = part.open(password) {
            budget.spend(&content).map_err(OpenError::TooCostly)?;
        }
    }
    let archive = Pkcs12Archive::from_pkcs12(bytes, password).map_err(|error| match error {
        // Without a MAC a wrong password shows in the padding or in what comes out.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) | Error::InvalidPrivateKey => {
            OpenError::WrongPassword
        }
        Error::UnsupportedEncryptionScheme | Error::UnsupportedMacAlgorithm | Error::UnsupportedContentType => {
            OpenError::Unsupported(error.to_string())
        }
        _ => OpenError::Damaged(error.to_string()),
    })?;
    let mut keys = Vec::with_capacity(archive.keys.len());
    for bag in &archive.keys {
        keys.push(PrivateKey::new(crate::classify::KeyForm::Pkcs8, Zeroizing::new(bag.key.as_der().to_vec())));
    }
    let certificates = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect();
    Ok(Opened { keys, certificates })
}

#[cfg(test)]
mod tests;
