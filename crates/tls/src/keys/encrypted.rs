//! PKCS#8 under a passphrase (RFC 5958 §3, RFC 8018).

use zeroize::Zeroizing;

use super::{Budget, PrivateKey, TooCostly};
use crate::passphrase::Passphrase;

/// Why a key does not come out.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(dead_code, reason = "the feature decides which of them are made")]
pub(crate) enum DecryptError {
    /// It would take too long.
    TooCostly(TooCostly),
    /// The passphrase is another.
    WrongPassphrase,
    /// The encryption is one that is not read.
    Unsupported(String),
    /// What came out, or the whole, cannot be parsed.
    Damaged(String),
    /// The library was built without.
    NotBuilt,
}

#[cfg(feature = "encrypted-keys")]
pub(crate) fn decrypt(bytes: &[u8], passphrase: &Passphrase, budget: &mut Budget) -> Result<PrivateKey, DecryptError> {
    use pkcs8::pkcs5;

    budget.spend(bytes).map_err(DecryptError::TooCostly)?;
    let info = pkcs8::EncryptedPrivateKeyInfoRef::try_from(bytes)
        .map_err(|error| scheme(bytes).unwrap_or_else(|| DecryptError::Damaged(error.to_string())))?;
    let secret = info.decrypt(passphrase.expose()).map_err(|error| match error {
        pkcs8::Error::EncryptedPrivateKey(error) => match error {
            pkcs5::Error::DecryptFailed | pkcs5::Error::EncryptFailed => DecryptError::WrongPassphrase,
            _ => DecryptError::Unsupported(error.to_string()),
        },
        // Garbage after decryption is what a wrong passphrase makes where the padding fits by chance.
        _ => DecryptError::WrongPassphrase,
    })?;
    let der = Zeroizing::new(secret.as_bytes().to_vec());
    match crate::classify::der::kind(&der) {
        Some(crate::classify::Content::PrivateKey(form)) => Ok(PrivateKey::new(form, der)),
        _ => Err(DecryptError::WrongPassphrase),
    }
}

/// Names an encryption of PKCS#12 or of PBES1, which no library that is maintained reads here.
#[cfg(feature = "encrypted-keys")]
fn scheme(bytes: &[u8]) -> Option<DecryptError> {
    use crate::tlv::{self, OID, SEQUENCE};
    let mut input = bytes;
    let mut fields = tlv::expect(&mut input, SEQUENCE)?;
    let mut algorithm = tlv::expect(&mut fields, SEQUENCE)?;
    let name = match tlv::expect(&mut algorithm, OID)? {
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, cipher] => match cipher {
            1 | 2 => "PBE with SHA-1 and RC4",
            3 => "PBE with SHA-1 and triple DES",
            4 => "PBE with SHA-1 and two-key triple DES",
            _ => "PBE with SHA-1 and RC2",
        },
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d] => return None,
        [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, _] => "PBES1, with DES or RC2",
        _ => return None,
    };
    Some(DecryptError::Unsupported(name.to_owned()))
}

#[cfg(not(feature = "encrypted-keys"))]
pub(crate) fn decrypt(_: &[u8], _: &Passphrase, _: &mut Budget) -> Result<PrivateKey, DecryptError> {
    let _ = Zeroizing::new(0_u8);
    Err(DecryptError::NotBuilt)
}
