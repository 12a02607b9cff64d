//! The encrypted parts of a PKCS#12 file (RFC 7292 §4.1), opened to see what the keys inside ask for.

use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockCipherDecrypt, BlockModeDecrypt, KeyInit, KeyIvInit};
use pkcs8::der::Decode;
use pkcs8::pkcs5::pbes2;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};
use zeroize::Zeroizing;

use crate::tlv::{self, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE};

/// 1.2.840.113549.1.7.6
const ENCRYPTED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x06];
/// 1.2.840.113549.1.5.13
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// 1.2.840.113549.1.12.1.3 and .6
const TRIPLE_DES: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x03];
const RC2_40: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01, 0x06];
/// `[0]`, primitive.
const IMPLICIT_0: u8 = 0x80;

/// SafeContents under a password.
pub(super) struct Sealed<'a> {
    algorithm: &'a [u8],
    content: &'a [u8],
}

/// The encrypted parts, in their order; none of what is no PFX.
pub(super) fn parts(bytes: &[u8]) -> Vec<Sealed<'_>> {
    let mut safes = authenticated_safe(bytes).unwrap_or_default();
    let mut found = Vec::new();
    while let Some(content_info) = tlv::expect(&mut safes, SEQUENCE) {
        found.extend(encrypted_data(content_info));
    }
    found
}

fn authenticated_safe(bytes: &[u8]) -> Option<&[u8]> {
    let mut input = bytes;
    let mut pfx = tlv::expect(&mut input, SEQUENCE)?;
    tlv::expect(&mut pfx, INTEGER)?;
    let mut content_info = tlv::expect(&mut pfx, SEQUENCE)?;
    tlv::expect(&mut content_info, OID)?;
    let mut explicit = tlv::expect(&mut content_info, CONTEXT_0)?;
    let mut data = tlv::expect(&mut explicit, OCTET_STRING)?;
    tlv::expect(&mut data, SEQUENCE)
}

fn encrypted_data(mut content_info: &[u8]) -> Option<Sealed<'_>> {
    tlv::expect(&mut content_info, OID).filter(|oid| *oid == ENCRYPTED_DATA)?;
    let mut explicit = tlv::expect(&mut content_info, CONTEXT_0)?;
    let mut encrypted = tlv::expect(&mut explicit, SEQUENCE)?;
    tlv::expect(&mut encrypted, INTEGER)?;
    let mut info = tlv::expect(&mut encrypted, SEQUENCE)?;
    tlv::expect(&mut info, OID)?;
    let algorithm = tlv::expect(&mut info, SEQUENCE)?;
    Some(Sealed { algorithm, content: tlv::expect(&mut info, IMPLICIT_0)? })
}

impl Sealed<'_> {
    /// What is inside; `None` when it is another password or an encryption that is not read.
    pub(super) fn open(&self, password: &str) -> Option<Zeroizing<Vec<u8>>> {
        let mut algorithm = self.algorithm;
        let oid = tlv::expect(&mut algorithm, OID)?;
        match oid {
            PBES2 => {
                let parameters = pbes2::Parameters::from_der(algorithm).ok()?;
                parameters.decrypt(password.as_bytes(), self.content).ok().map(Zeroizing::new)
            }
            TRIPLE_DES => self.pbes1::<des::TdesEde3>(algorithm, password, 24),
            RC2_40 => self.pbes1::<rc2::Rc2>(algorithm, password, 5),
            _ => None,
        }
    }

    /// RFC 7292 appendices B and C.
    fn pbes1<C>(&self, mut parameters: &[u8], password: &str, key_size: usize) -> Option<Zeroizing<Vec<u8>>>
    where
        C: KeyInit + BlockCipherDecrypt,
    {
        let mut fields = tlv::expect(&mut parameters, SEQUENCE)?;
        let salt = tlv::expect(&mut fields, OCTET_STRING)?;
        let iterations = tlv::expect(&mut fields, INTEGER)?
            .iter()
            .try_fold(0_i32, |sum, byte| sum.checked_mul(256)?.checked_add(i32::from(*byte)))?;
        let derive = |kind, size| derive_key_utf8::<sha1::Sha1>(password, salt, kind, iterations, size).ok();
        let key = Zeroizing::new(derive(Pkcs12KeyType::EncryptionKey, key_size)?);
        let vector = derive(Pkcs12KeyType::Iv, 8)?;
        let cipher = cbc::Decryptor::<C>::new_from_slices(&key, &vector).ok()?;
        cipher.decrypt_padded_vec::<Pkcs7>(self.content).ok().map(Zeroizing::new)
    }
}
