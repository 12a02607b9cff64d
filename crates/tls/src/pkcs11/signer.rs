//! Signatures made by a token, for TLS.

use std::ffi::c_ulong;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use aws_lc_rs::digest;
use cryptoki::mechanism::rsa::{PkcsMgfType, PkcsPssParams};
use cryptoki::mechanism::{Mechanism, MechanismType};
use cryptoki::object::ObjectHandle;
use cryptoki::session::Session;
use rustls::pki_types::SubjectPublicKeyInfoDer;
use rustls::sign::{Signer, SigningKey};
use rustls::{Error, SignatureAlgorithm, SignatureScheme};

use crate::certificate::Certificate;
use crate::keys::KeyKind;
use crate::provider::provider;
use crate::tlv::{self, BIT_STRING, SEQUENCE};

/// What is signed to see which certificate the key belongs to.
const PROBE: &[u8] = b"gridmq: which certificate does this key belong to?";

/// In the order of preference.
const RSA: &[SignatureScheme] = &[
    SignatureScheme::RSA_PSS_SHA256,
    SignatureScheme::RSA_PSS_SHA384,
    SignatureScheme::RSA_PSS_SHA512,
    SignatureScheme::RSA_PKCS1_SHA256,
    SignatureScheme::RSA_PKCS1_SHA384,
    SignatureScheme::RSA_PKCS1_SHA512,
];

type Shared = Arc<Mutex<Session>>;

/// A private key in a token, used over one session.
pub(super) struct TokenKey {
    session: Shared,
    handle: ObjectHandle,
    schemes: &'static [SignatureScheme],
    spki: Vec<u8>,
}

impl TokenKey {
    /// The certificate that the key belongs to, found by signing and verifying; leaves before authorities.
    pub(super) fn matching(
        session: &Shared,
        handle: ObjectHandle,
        certificates: &[Certificate],
    ) -> Result<(Self, usize), String> {
        let mut problem = None;
        let leaves = certificates.iter().enumerate().filter(|(_, certificate)| !certificate.is_ca());
        let authorities = certificates.iter().enumerate().filter(|(_, certificate)| certificate.is_ca());
        for (place, certificate) in leaves.chain(authorities) {
            let spki = certificate.public_key().to_vec();
            let Some(schemes) = schemes(&KeyKind::of(&spki)) else { continue };
            let Some(scheme) = schemes.first().copied() else { continue };
            let key = Self { session: Arc::clone(session), handle, schemes, spki };
            match key.signer(scheme).sign(PROBE) {
                Ok(signature) if verifies(&key.spki, scheme, &signature) => return Ok((key, place)),
                Ok(_) => {}
                Err(error) => {
                    problem.get_or_insert_with(|| error.to_string());
                }
            }
        }
        Err(match problem {
            Some(problem) => {
                format!("the key makes no signature that fits a certificate; the token said: {problem}")
            }
            None => "the key in the token belongs to none of the certificates".to_owned(),
        })
    }

    fn signer(&self, scheme: SignatureScheme) -> TokenSigner {
        TokenSigner { session: Arc::clone(&self.session), handle: self.handle, scheme }
    }
}

fn schemes(kind: &KeyKind) -> Option<&'static [SignatureScheme]> {
    match kind {
        KeyKind::Ec { curve, .. } if curve == "P-256" => Some(&[SignatureScheme::ECDSA_NISTP256_SHA256]),
        KeyKind::Ec { curve, .. } if curve == "P-384" => Some(&[SignatureScheme::ECDSA_NISTP384_SHA384]),
        KeyKind::Rsa { bits } if *bits >= 2048 => Some(RSA),
        _ => None,
    }
}

fn verifies(spki: &[u8], scheme: SignatureScheme, signature: &[u8]) -> bool {
    let key = || {
        let mut input = spki;
        let mut fields = tlv::expect(&mut input, SEQUENCE)?;
        tlv::expect(&mut fields, SEQUENCE)?;
        tlv::expect(&mut fields, BIT_STRING)?.get(1..)
    };
    let Some(key) = key() else { return false };
    let algorithms = provider().signature_verification_algorithms;
    let fitting = algorithms.mapping.iter().filter(|(mapped, _)| *mapped == scheme).flat_map(|(_, all)| all.iter());
    fitting.into_iter().any(|algorithm| algorithm.verify_signature(key, PROBE, signature).is_ok())
}

impl SigningKey for TokenKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn Signer>> {
        let scheme = self.schemes.iter().find(|scheme| offered.contains(scheme))?;
        Some(Box::new(self.signer(*scheme)))
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(SubjectPublicKeyInfoDer::from(self.spki.as_slice()))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        if self.schemes.len() == 1 { SignatureAlgorithm::ECDSA } else { SignatureAlgorithm::RSA }
    }
}

impl fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenKey").field("schemes", &self.schemes).finish_non_exhaustive()
    }
}

struct TokenSigner {
    session: Shared,
    handle: ObjectHandle,
    scheme: SignatureScheme,
}

impl Signer for TokenSigner {
    /// Blocks until the token has signed.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Error> {
        let unknown = || Error::General("the token does not sign with this scheme".to_owned());
        let (mechanism, input) = prepare(self.scheme, message).ok_or_else(unknown)?;
        let session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let signature = session
            .sign(&mechanism, self.handle, &input)
            .map_err(|error| Error::General(format!("the token does not sign: {error}")))?;
        if matches!(mechanism, Mechanism::Ecdsa) {
            return ecdsa_der(&signature)
                .ok_or_else(|| Error::General("the token's signature is malformed".to_owned()));
        }
        Ok(signature)
    }

    fn scheme(&self) -> SignatureScheme {
        self.scheme
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("scheme", &self.scheme).finish_non_exhaustive()
    }
}

/// The token is given hashes, which every token signs; hashing in the token is rarer.
fn prepare(scheme: SignatureScheme, message: &[u8]) -> Option<(Mechanism<'static>, Vec<u8>)> {
    let hash = |algorithm| digest::digest(algorithm, message).as_ref().to_vec();
    let pss = |algorithm, hash_alg, mgf, length: u8| {
        let parameters = PkcsPssParams { hash_alg, mgf, s_len: c_ulong::from(length).into() };
        Some((Mechanism::RsaPkcsPss(parameters), hash(algorithm)))
    };
    let pkcs1 = |algorithm, last: u8, length: u8| (Mechanism::RsaPkcs, digest_info(last, length, &hash(algorithm)));
    match scheme {
        SignatureScheme::ECDSA_NISTP256_SHA256 => Some((Mechanism::Ecdsa, hash(&digest::SHA256))),
        SignatureScheme::ECDSA_NISTP384_SHA384 => Some((Mechanism::Ecdsa, hash(&digest::SHA384))),
        SignatureScheme::RSA_PSS_SHA256 => pss(&digest::SHA256, MechanismType::SHA256, PkcsMgfType::MGF1_SHA256, 32),
        SignatureScheme::RSA_PSS_SHA384 => pss(&digest::SHA384, MechanismType::SHA384, PkcsMgfType::MGF1_SHA384, 48),
        SignatureScheme::RSA_PSS_SHA512 => pss(&digest::SHA512, MechanismType::SHA512, PkcsMgfType::MGF1_SHA512, 64),
        SignatureScheme::RSA_PKCS1_SHA256 => Some(pkcs1(&digest::SHA256, 1, 32)),
        SignatureScheme::RSA_PKCS1_SHA384 => Some(pkcs1(&digest::SHA384, 2, 48)),
        SignatureScheme::RSA_PKCS1_SHA512 => Some(pkcs1(&digest::SHA512, 3, 64)),
        _ => None,
    }
}

/// DigestInfo (RFC 8017 §9.2) of the SHA-2 whose object identifier ends in `last`.
fn digest_info(last: u8, length: u8, hash: &[u8]) -> Vec<u8> {
    let oid = [0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, last];
    [&[0x30, 17 + length, 0x30, 0x0d][..], &oid, &[0x05, 0x00, 0x04, length], hash].concat()
}

/// From `r || s`, as PKCS#11 has it, to the Ecdsa-Sig-Value of RFC 3279.
fn ecdsa_der(raw: &[u8]) -> Option<Vec<u8>> {
    // Two numbers of at most 48 octets fit lengths of one octet.
    if raw.is_empty() || !raw.len().is_multiple_of(2) || raw.len() > 96 {
        return None;
    }
    let (r, s) = raw.split_at_checked(raw.len() / 2)?;
    let mut body = Vec::with_capacity(raw.len() + 8);
    for number in [r, s] {
        let zeros = number.iter().take_while(|octet| **octet == 0).count();
        let digits = number.get(zeros..).unwrap_or_default();
        let sign = digits.first().is_none_or(|first| *first >= 0x80);
        body.extend([0x02, u8::try_from(digits.len() + usize::from(sign)).ok()?]);
        if sign {
            body.push(0);
        }
        body.extend_from_slice(digits);
    }
    Some([&[0x30, u8::try_from(body.len()).ok()?][..], &body].concat())
}

#[cfg(test)]
mod tests {
    use super::ecdsa_der;

    #[test]
    fn numbers_are_as_short_as_der_wants_them() {
        assert_eq!(ecdsa_der(&[0, 1, 0x80, 2]).unwrap(), [0x30, 8, 2, 1, 1, 2, 3, 0, 0x80, 2]);
        assert_eq!(ecdsa_der(&[0, 0, 0, 1]).unwrap(), [0x30, 6, 2, 1, 0, 2, 1, 1]);
        assert_eq!(ecdsa_der(&[1, 2, 3]), None);
        assert_eq!(ecdsa_der(&[]), None);
        // The longest: both of 48 octets with the highest bit set.
        assert_eq!(ecdsa_der(&[0xff; 96]).unwrap().len(), 2 + 2 * 51);
    }
}
