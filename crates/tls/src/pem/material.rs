//! Everything of use that was found in one place.

use zeroize::Zeroizing;

use super::PemError;
use crate::certificate::{Certificate, CertificateError};
use crate::classify::{Classified, Content, Dissected, MAX_PIECES, Pkcs12Form};
use crate::file::MAX_FILE_BYTES;
use crate::keys::PrivateKey;
use crate::pkcs7::{self, Pkcs7Error};
use crate::tlv::{self, CONTEXT_0, INTEGER, SEQUENCE};

/// The longest serial number (RFC 5280 §4.1.2.2).
const MAX_SERIAL_OCTETS: usize = 20;

/// Certificates and keys, in the order in which they stand.
pub(crate) struct Material {
    /// In DER.
    pub(crate) certificates: Vec<Vec<u8>>,
    pub(crate) keys: Vec<PrivateKey>,
    /// Encrypted PKCS#8, in DER.
    pub(crate) encrypted_keys: Vec<Zeroizing<Vec<u8>>>,
    /// PKCS#12, in DER.
    pub(crate) pkcs12: Vec<(Zeroizing<Vec<u8>>, Pkcs12Form)>,
    /// What else is there; the first is the most telling.
    pub(crate) others: Vec<Content>,
    pub(crate) classified: Classified,
}

impl Material {
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, PemError> {
        if u64::try_from(bytes.len()).unwrap_or(u64::MAX) > MAX_FILE_BYTES {
            return Err(PemError::TooLarge);
        }
        let dissected = Dissected::new(bytes);
        match dissected.damage {
            Some(damage) => Err(damage),
            None => Self::collect(dissected),
        }
    }

    fn collect(dissected: Dissected) -> Result<Self, PemError> {
        let mut material = Self {
            certificates: Vec::new(),
            keys: Vec::new(),
            encrypted_keys: Vec::new(),
            pkcs12: Vec::new(),
            others: Vec::new(),
            classified: dissected.classified,
        };
        for piece in dissected.pieces {
            match piece.content {
                Content::Certificate => material.certificates.push(piece.der.to_vec()),
                Content::TrustedCertificate => {
                    // What follows the certificate is OpenSSL's trust.
                    let mut rest = piece.der.as_slice();
                    let certificate = tlv::take(&mut rest).unwrap_or(piece.der.as_slice());
                    material.certificates.push(certificate.to_vec());
                }
                Content::Pkcs7 => match pkcs7::certificates(&piece.der, MAX_PIECES) {
                    Ok(certificates) => material.certificates.extend(certificates.into_iter().map(<[u8]>::to_vec)),
                    Err(Pkcs7Error::TooMany) => return Err(PemError::TooMany),
                    Err(Pkcs7Error::NotSignedData) => material.others.push(Content::Pkcs7),
                },
                Content::PrivateKey(form) => material.keys.push(PrivateKey::new(form, piece.der)),
                Content::EncryptedKey => material.encrypted_keys.push(piece.der),
                Content::Pkcs12(form) => material.pkcs12.push((piece.der, form)),
                // What OpenSSL writes before an EC key; the key repeats it.
                Content::Parameters => {}
                other => material.others.push(other),
            }
        }
        if material.certificates.len() > MAX_PIECES {
            return Err(PemError::TooMany);
        }
        Ok(material)
    }

    /// What is there instead of a certificate or key.
    pub(crate) fn other(&self) -> Content {
        if let Some(other) = self.others.first() {
            other.clone()
        } else if let Some(key) = self.keys.first() {
            Content::PrivateKey(key.form())
        } else if !self.encrypted_keys.is_empty() {
            Content::EncryptedKey
        } else if let Some((_, form)) = self.pkcs12.first() {
            Content::Pkcs12(*form)
        } else if !self.certificates.is_empty() {
            Content::Certificate
        } else {
            self.classified.content().clone()
        }
    }

    /// Is there no certificate, nor anything that may hold one?
    pub(crate) fn lacks_certificates(&self) -> bool {
        self.certificates.is_empty() && self.pkcs12.is_empty()
    }

    /// Is there no key, nor anything that may hold one?
    pub(crate) fn lacks_keys(&self) -> bool {
        self.keys.is_empty() && self.encrypted_keys.is_empty() && self.pkcs12.is_empty()
    }

    pub(crate) fn into_certificates(self) -> Result<Vec<Certificate>, PemError> {
        if self.certificates.is_empty() {
            return Err(PemError::NoCertificate { found: self.other() });
        }
        parse(self.certificates)
    }
}

pub(crate) fn parse(ders: Vec<Vec<u8>>) -> Result<Vec<Certificate>, PemError> {
    ders.iter()
        .enumerate()
        .map(|(index, der)| {
            let number = index + 1;
            Certificate::from_der(der).map_err(|source| match breach(der, &source) {
                Some(breach) => PemError::AgainstTheRules { number, breach },
                None => PemError::BadCertificate { number, source },
            })
        })
        .collect()
}

/// What its issuer did wrong where nothing says that the certificate was damaged later.
fn breach(der: &[u8], error: &CertificateError) -> Option<String> {
    let mut rest = der;
    let mut certificate = tlv::expect(&mut rest, SEQUENCE).filter(|_| rest.is_empty())?;
    let mut signed = tlv::expect(&mut certificate, SEQUENCE)?;
    // The version, which only the first one lacks.
    let _ = tlv::expect(&mut signed, CONTEXT_0);
    let serial = tlv::expect(&mut signed, INTEGER)?;
    match error {
        CertificateError::NotACertificate(_) if serial.len() > MAX_SERIAL_OCTETS => Some(format!(
            "its serial number has {} octets, and at most {MAX_SERIAL_OCTETS} are allowed (§4.1.2.2)",
            serial.len()
        )),
        CertificateError::BadExtension { extension, detail } => {
            Some(format!("its extension {extension} is malformed ({detail})"))
        }
        _ => None,
    }
}
