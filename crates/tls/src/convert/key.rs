//! Private keys from one form into another.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::rsa;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, ECDSA_P521_SHA512_ASN1_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair,
};
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use zeroize::Zeroizing;

/// A private key in DER (PKCS#8, PKCS#1 or SEC1) as PKCS#8 in DER, in its first version (RFC 5208); `None` for what is
/// no such key.
#[must_use]
pub fn to_pkcs8(der: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    Some(Zeroizing::new(match PrivateKeyDer::try_from(der).ok()? {
        // OpenSSL before 3.2 cannot read the second version, which has the public key as well and which Ed25519
        // keys are often kept in.
        PrivateKeyDer::Pkcs8(_) => match Ed25519KeyPair::from_pkcs8_maybe_unchecked(der) {
            Ok(pair) => pair.to_pkcs8v1().ok()?.as_ref().to_vec(),
            Err(_) => der.to_vec(),
        },
        PrivateKeyDer::Pkcs1(_) => {
            let pair = rsa::KeyPair::from_der(der).ok()?;
            AsDer::as_der(&pair).ok()?.as_ref().to_vec()
        }
        PrivateKeyDer::Sec1(_) => {
            let curves: [&'static EcdsaSigningAlgorithm; 3] =
                [&ECDSA_P256_SHA256_ASN1_SIGNING, &ECDSA_P384_SHA384_ASN1_SIGNING, &ECDSA_P521_SHA512_ASN1_SIGNING];
            let pair = curves.into_iter().find_map(|curve| EcdsaKeyPair::from_private_key_der(curve, der).ok())?;
            pair.to_pkcs8v1().ok()?.as_ref().to_vec()
        }
        _ => return None,
    }))
}

/// The public key of a private key in DER (PKCS#8, PKCS#1 or SEC1) as SubjectPublicKeyInfo in DER; `None` when the
/// key is of a kind that TLS does not use here.
#[must_use]
pub fn public_key_of(der: &[u8]) -> Option<Vec<u8>> {
    let key = PrivateKeyDer::try_from(der).ok()?;
    any_supported_type(&key).ok()?.public_key().map(|spki| spki.as_ref().to_vec())
}
