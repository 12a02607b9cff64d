//! The kinds of thing that people name where a certificate or a key is wanted.

use std::fmt;

use super::der;
use crate::tlv;

/// The form of a private key that is not encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum KeyForm {
    /// PKCS#8 (RFC 5958), for every algorithm.
    Pkcs8,
    /// PKCS#1 (RFC 8017), for RSA.
    Pkcs1,
    /// SEC 1 (RFC 5915), for elliptic curves.
    Sec1,
}

impl fmt::Display for KeyForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Pkcs8 => "PKCS#8",
            Self::Pkcs1 => "PKCS#1 (RSA)",
            Self::Sec1 => "SEC1 (EC)",
        })
    }
}

/// How a PKCS#12 file is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pkcs12Form {
    /// PBES2 with AES, which Windows before Server 2019 cannot read.
    Modern,
    /// RC2 or triple DES under SHA-1, which OpenSSL 3 refuses unless asked.
    Legacy,
    /// Not encrypted at all.
    Plain,
}

/// How something is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// PEM (RFC 7468).
    Pem,
    /// DER, the bytes themselves.
    Der,
    /// Base64 of DER without the lines of PEM around it.
    Base64,
    /// Neither: what is described is no certificate, key or the like.
    None,
}

impl Encoding {
    pub(super) const fn suffix(self) -> &'static str {
        match self {
            Self::Pem => " in PEM",
            Self::Der => " in DER",
            Self::Base64 => " in base64 without a header",
            Self::None => "",
        }
    }
}

/// What something is.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Nothing at all.
    Empty,
    /// A certificate.
    Certificate,
    /// OpenSSL's `TRUSTED CERTIFICATE`: a certificate and how far it is trusted.
    TrustedCertificate,
    /// A private key that is not encrypted.
    PrivateKey(KeyForm),
    /// PKCS#8 under a passphrase (catalogue A20).
    EncryptedKey,
    /// A key under OpenSSL's traditional encryption (catalogue A20).
    EncryptedTraditionalKey,
    /// A key in OpenSSH's own format (catalogue A22).
    OpenSshKey,
    /// A public key in OpenSSH's own format (catalogue A22).
    OpenSshPublicKey,
    /// A key in PuTTY's own format (catalogue A22).
    PuttyKey,
    /// A public key (catalogue A22).
    PublicKey,
    /// A certificate signing request (catalogue A22).
    SigningRequest,
    /// A certificate revocation list.
    RevocationList,
    /// Parameters of a curve or of Diffie-Hellman; keys repeat what matters of them.
    Parameters,
    /// A PKCS#7 bundle of certificates (RFC 2315).
    Pkcs7,
    /// A PKCS#12 file, `.pfx` or `.p12` (catalogue A12).
    Pkcs12(Pkcs12Form),
    /// A Java key store in its own format.
    JavaKeyStore,
    /// A web page, such as the login page that came instead of a download.
    Html,
    /// JSON with no PEM in it.
    Json,
    /// A ZIP or gzip archive.
    Archive,
    /// DER that is none of the above.
    Der,
    /// Text that is none of the above.
    Text,
    /// Bytes that are none of the above.
    Binary,
    /// A PEM section with a label that is not known.
    Other(String),
}

impl Content {
    /// Is it a certificate, or may it hold one?
    #[must_use]
    pub const fn is_certificate(&self) -> bool {
        matches!(self, Self::Certificate | Self::TrustedCertificate | Self::Pkcs7 | Self::Pkcs12(_))
    }

    /// Is it a private key, encrypted or not, or may it hold one?
    #[must_use]
    pub const fn is_key(&self) -> bool {
        matches!(
            self,
            Self::PrivateKey(_)
                | Self::EncryptedKey
                | Self::EncryptedTraditionalKey
                | Self::Pkcs12(_)
                | Self::OpenSshKey
        )
    }

    /// What the section of a PEM text is; a wrong label is passed over for what the bytes say.
    pub(super) fn of_section(label: &[u8], encrypted: bool, bytes: &[u8]) -> Self {
        if let Some(content) = Self::undecoded(label, encrypted) {
            return content;
        }
        let actual = der::kind(bytes);
        match (label, actual) {
            (b"TRUSTED CERTIFICATE", Some(Self::Certificate)) => Self::TrustedCertificate,
            (_, Some(actual)) => actual,
            (b"CERTIFICATE" | b"X509 CERTIFICATE", None) => Self::Certificate,
            (b"TRUSTED CERTIFICATE", None) => Self::TrustedCertificate,
            (b"PRIVATE KEY", None) => Self::PrivateKey(KeyForm::Pkcs8),
            (b"RSA PRIVATE KEY", None) => Self::PrivateKey(KeyForm::Pkcs1),
            (b"EC PRIVATE KEY", None) => Self::PrivateKey(KeyForm::Sec1),
            (b"ENCRYPTED PRIVATE KEY", None) => Self::EncryptedKey,
            (b"PUBLIC KEY" | b"RSA PUBLIC KEY", None) => Self::PublicKey,
            (b"CERTIFICATE REQUEST" | b"NEW CERTIFICATE REQUEST", None) => Self::SigningRequest,
            (b"X509 CRL", None) => Self::RevocationList,
            (b"PKCS7" | b"CMS", None) => Self::Pkcs7,
            (other, None) => Self::Other(String::from_utf8_lossy(other).into_owned()),
        }
    }

    /// What a section is whose body does not matter.
    pub(super) fn undecoded(label: &[u8], encrypted: bool) -> Option<Self> {
        Some(match label {
            _ if encrypted => Self::EncryptedTraditionalKey,
            b"OPENSSH PRIVATE KEY" => Self::OpenSshKey,
            b"SSH2 PUBLIC KEY" => Self::OpenSshPublicKey,
            b"EC PARAMETERS" | b"DH PARAMETERS" => Self::Parameters,
            _ if label.starts_with(b"PGP ") => Self::Other(String::from_utf8_lossy(label).into_owned()),
            _ => return None,
        })
    }
}

/// What bytes are that are no text; for DER, [`Content::Der`].
pub(super) fn binary(bytes: &[u8]) -> Option<Content> {
    Some(match bytes {
        [] => return None,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] | [0xef, 0xbb, 0xbf, ..] => return None,
        [0xfe, 0xed, 0xfe, 0xed, ..] | [0xce, 0xce, 0xce, 0xce, ..] => Content::JavaKeyStore,
        [b'P', b'K', 3, 4, ..] | [0x1f, 0x8b, ..] => Content::Archive,
        // A '0' in text is followed by something printable, a length of DER that matters is not.
        [0x30, 0x80..=0xff, ..] => Content::Der,
        [0x30, 0..=0x1f, ..] if !matches!(bytes, [_, b'\t' | b'\n' | b'\r', ..]) => Content::Der,
        // Keys on elliptic curves are so short that their length looks like a letter.
        [0x30, ..] if whole(bytes).is_some() => Content::Der,
        _ => return None,
    })
}

fn whole(bytes: &[u8]) -> Option<Content> {
    let mut rest = bytes;
    der::kind(tlv::take(&mut rest)?)
}

/// What a text is that holds no PEM.
pub(super) fn text(plain: &[u8]) -> Content {
    let trimmed = plain.trim_ascii();
    let head = trimmed.get(..trimmed.len().min(64)).unwrap_or_default().to_ascii_lowercase();
    match trimmed {
        [] => Content::Empty,
        _ if trimmed.starts_with(b"PuTTY-User-Key-File-") => Content::PuttyKey,
        _ if [&b"ssh-rsa "[..], b"ssh-ed25519 ", b"ecdsa-sha2-"].iter().any(|start| trimmed.starts_with(start)) => {
            Content::OpenSshPublicKey
        }
        _ if [&b"<!doctype"[..], b"<html", b"<head", b"<?xml"].iter().any(|start| head.starts_with(start)) => {
            Content::Html
        }
        [b'{', .., b'}'] | [b'[', .., b']'] => Content::Json,
        _ if plain.iter().any(|byte| matches!(byte, 0..=8 | 14..=31 | 127)) => Content::Binary,
        _ if std::str::from_utf8(plain).is_err() => Content::Binary,
        _ => Content::Text,
    }
}

impl fmt::Display for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "nothing",
            Self::Certificate => "a certificate",
            Self::TrustedCertificate => "a certificate with OpenSSL's trust settings",
            Self::PrivateKey(form) => return write!(f, "a private key in {form}"),
            Self::EncryptedKey => "an encrypted private key",
            Self::EncryptedTraditionalKey => "a private key under OpenSSL's traditional encryption",
            Self::OpenSshKey => "an OpenSSH private key",
            Self::OpenSshPublicKey => "an OpenSSH public key",
            Self::PuttyKey => "a PuTTY key",
            Self::PublicKey => "a public key",
            Self::SigningRequest => "a signing request (CSR)",
            Self::RevocationList => "a revocation list (CRL)",
            Self::Parameters => "curve or group parameters",
            Self::Pkcs7 => "a PKCS#7 bundle",
            Self::Pkcs12(Pkcs12Form::Modern) => "a PKCS#12 file",
            Self::Pkcs12(Pkcs12Form::Legacy) => "a PKCS#12 file with legacy encryption",
            Self::Pkcs12(Pkcs12Form::Plain) => "a PKCS#12 file without encryption",
            Self::JavaKeyStore => "a Java key store (JKS)",
            Self::Html => "a web page",
            Self::Json => "JSON",
            Self::Archive => "a compressed archive",
            Self::Der => "DER that is neither a certificate nor a key",
            Self::Text => "text that is not PEM",
            Self::Binary => "bytes that are neither PEM nor DER",
            Self::Other(label) => return write!(f, "a PEM section named {label:?}"),
        })
    }
}

impl Content {
    /// How to get a certificate or key from it, where it is neither.
    #[must_use]
    pub fn cure(&self) -> &'static str {
        match self {
            Self::Empty => "copy or download the file again",
            Self::EncryptedKey => "give its passphrase",
            Self::EncryptedTraditionalKey => {
                "rewrite it in PKCS#8 with `openssl pkcs8 -topk8 -v2 aes-256-cbc -in KEY -out NEW.key`, or without \
                 encryption with `openssl pkey -in KEY -out PLAIN.key`"
            }
            Self::OpenSshKey => "TLS needs it in PKCS#8: `ssh-keygen -p -m PKCS8 -f KEY` rewrites it in place",
            Self::PuttyKey => {
                "PuTTYgen exports it (Conversions, Export OpenSSH key); then `ssh-keygen -p -m PKCS8 -f KEY` rewrites it"
            }
            Self::OpenSshPublicKey | Self::PublicKey => "the private key of the same pair is needed",
            Self::SigningRequest => "send it to an authority, which answers with a certificate",
            Self::RevocationList => "name it where revocation lists are asked for",
            Self::JavaKeyStore => {
                "convert it with `keytool -importkeystore -srckeystore FILE -destkeystore NEW.p12 -deststoretype PKCS12`"
            }
            Self::Html => "download the file again, signed in where that is needed",
            Self::Archive => "unpack it and name the file inside",
            Self::Certificate | Self::TrustedCertificate | Self::Pkcs7 => "name the private key's file too",
            Self::PrivateKey(_) => "name the certificate's file too",
            _ => "name the file that holds the lines -----BEGIN …-----, or DER, PKCS#7 or PKCS#12",
        }
    }
}
