//! What a text or a file really is.

use std::fmt;

use rustls::pki_types::PrivateKeyDer;

use crate::certificate::Certificate;

/// What was found where a PEM certificate or key was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PemContent {
    /// Neither PEM nor anything else that is known.
    NotPem,
    /// Certificates.
    Certificate,
    /// A private key that is not encrypted.
    PrivateKey,
    /// `ENCRYPTED PRIVATE KEY`: PKCS#8 under a passphrase (catalogue A20).
    EncryptedKey,
    /// A key under OpenSSL's traditional encryption (catalogue A20).
    EncryptedTraditionalKey,
    /// A key in OpenSSH's own format (catalogue A22).
    OpenSshKey,
    /// A public key (catalogue A22).
    PublicKey,
    /// A certificate signing request (catalogue A22).
    SigningRequest,
    /// A certificate revocation list.
    RevocationList,
    /// OpenSSL's `TRUSTED CERTIFICATE`.
    TrustedCertificate,
    /// A PKCS#7 bundle.
    Pkcs7,
    /// A PKCS#12 file, `.pfx` or `.p12` (catalogue A12).
    Pkcs12,
    /// A certificate in DER (catalogue A11).
    DerCertificate,
    /// A private key in DER.
    DerKey,
    /// Other DER.
    Der,
    /// Text in UTF-16 (catalogue A07).
    Utf16,
    /// A section with a label that is not known.
    Other(String),
}

impl PemContent {
    /// Recognises what is not text at all.
    pub(crate) fn recognise_binary(bytes: &[u8]) -> Option<Self> {
        // PKCS#12 begins with version 3 and its content is of the type pkcs7-data or signedData.
        const PKCS7: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
        match bytes {
            [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0, b'-', ..] | [b'-', 0, ..] => Some(Self::Utf16),
            [0x30, 0x80..=0xff, ..] => {
                let head = bytes.get(..32.min(bytes.len())).unwrap_or_default();
                Some(if head.windows(PKCS7.len()).any(|window| window == PKCS7) {
                    if head.windows(3).any(|window| window == [0x02, 0x01, 0x03]) { Self::Pkcs12 } else { Self::Pkcs7 }
                } else if Certificate::from_der(bytes).is_ok() {
                    Self::DerCertificate
                } else if PrivateKeyDer::try_from(bytes).is_ok() {
                    Self::DerKey
                } else {
                    Self::Der
                })
            }
            _ => None,
        }
    }

    pub(crate) fn from_label(label: &[u8]) -> Self {
        match label {
            b"ENCRYPTED PRIVATE KEY" => Self::EncryptedKey,
            b"OPENSSH PRIVATE KEY" => Self::OpenSshKey,
            b"PUBLIC KEY" | b"RSA PUBLIC KEY" => Self::PublicKey,
            b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST" => Self::SigningRequest,
            b"X509 CRL" => Self::RevocationList,
            b"TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            b"PKCS7" => Self::Pkcs7,
            other => Self::Other(String::from_utf8_lossy(other).into_owned()),
        }
    }
}

impl fmt::Display for PemContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotPem => "nothing in PEM (a PEM file has lines like -----BEGIN CERTIFICATE-----)",
            Self::Certificate => "only certificates",
            Self::PrivateKey => "only a private key",
            Self::EncryptedKey => {
                "an encrypted private key, and no passphrase is known: decrypt it with \
                 `openssl pkey -in KEY -out PLAIN.key`"
            }
            Self::EncryptedTraditionalKey => {
                "a private key in OpenSSL's traditional encryption, and no passphrase is known: decrypt it with \
                 `openssl pkey -in KEY -out PLAIN.key`"
            }
            Self::OpenSshKey => {
                "an OpenSSH key: TLS needs it in PKCS#8, `ssh-keygen -p -m PKCS8 -f KEY` rewrites it in place"
            }
            Self::PublicKey => "a public key: the private key of the same pair is needed",
            Self::SigningRequest => {
                "a signing request (CSR): send it to an authority, which answers with a certificate"
            }
            Self::RevocationList => "a revocation list (CRL)",
            Self::TrustedCertificate => {
                "an OpenSSL TRUSTED CERTIFICATE: `openssl x509 -in FILE -out CERT.pem` makes it an ordinary one"
            }
            Self::Pkcs7 => "a PKCS#7 bundle: `openssl pkcs7 -print_certs -in FILE -out CERTS.pem` unpacks it",
            Self::Pkcs12 => "a PKCS#12 file (.pfx, .p12): `openssl pkcs12 -in FILE -nodes -out ALL.pem` unpacks it",
            Self::DerCertificate => {
                "a certificate in DER: `openssl x509 -inform DER -in FILE -out CERT.pem` makes it PEM"
            }
            Self::DerKey => "a private key in DER: `openssl pkey -inform DER -in FILE -out KEY.pem` makes it PEM",
            Self::Der => "binary DER that is neither a certificate nor a key",
            Self::Utf16 => "text in UTF-16: save it again as UTF-8 or ASCII",
            Self::Other(label) => return write!(f, "a PEM section named {label:?}"),
        })
    }
}
