//! What one certificate says, in the words of the standard.

use aws_lc_rs::digest::{SHA256, digest};
use base64ct::{Base64, Encoding};

use super::SignatureAlgorithm;
use super::details::Details;
use crate::certificate::{Certificate, hex};
use crate::keys::KeyKind;

/// Everything that a certificate says. Made by [`Inspection::of`]; nothing in it was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Inspection {
    /// Whom it names.
    pub subject: String,
    /// Who signed it, by its own account.
    pub issuer: String,
    /// Are these two the same?
    pub self_issued: bool,
    /// The version of X.509: 1, 2 or 3.
    pub version: u8,
    /// The serial number in upper-case hexadecimal, colons between octets.
    pub serial: String,
    /// The first second of its validity, in seconds since 1970.
    pub not_before: u64,
    /// The last second of its validity, in seconds since 1970.
    pub not_after: u64,
    /// Its key.
    pub key: KeyKind,
    /// How it was signed.
    pub signature: SignatureAlgorithm,
    /// CA:TRUE, CA:FALSE, or `None` without basic constraints.
    pub ca: Option<bool>,
    /// How many authorities may stand below it (pathLenConstraint).
    pub path_length: Option<u8>,
    /// The names of the key usage's bits; `None` without that extension.
    pub key_usage: Option<Vec<&'static str>>,
    /// The extended key usages by name, or by object identifier; `None` without that extension.
    pub extended_key_usage: Option<Vec<String>>,
    /// The subject alternative names as `DNS:…`, `URI:…`, `IP:…`, `email:…`.
    pub alternative_names: Vec<String>,
    /// The subject key identifier in upper-case hexadecimal, colons between octets.
    pub subject_key_id: Option<String>,
    /// The identifier of the issuer's key in the same form.
    pub authority_key_id: Option<String>,
    /// Names that an authority may certify (permittedSubtrees).
    pub permitted: Vec<String>,
    /// Names that an authority may not certify (excludedSubtrees).
    pub excluded: Vec<String>,
    /// Where its issuer's revocation list is to be found.
    pub crl_uris: Vec<String>,
    /// Where its issuer answers OCSP.
    pub ocsp_uris: Vec<String>,
    /// Where its issuer's certificate is to be found.
    pub issuer_uris: Vec<String>,
    /// Its hashes, in the forms that services ask for.
    pub thumbprints: Thumbprints,
}

impl Inspection {
    /// Reads everything out of a certificate.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        let details = Details::of(certificate);
        let written = |forms: &[super::details::Form]| forms.iter().map(super::details::Form::written).collect();
        let unknown = || KeyKind::of(certificate.public_key());
        let usages = certificate.extended_key_usage();
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            self_issued: certificate.is_self_issued(),
            version: details.as_ref().map_or(3, |details| details.version),
            serial: colons(certificate.serial()),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            key: details.as_ref().map_or_else(unknown, |details| details.key.clone()),
            signature: details.as_ref().map_or_else(
                || SignatureAlgorithm { name: "unknown".to_owned(), digest: super::Digest::Unknown },
                |details| details.signature.clone(),
            ),
            ca: details.as_ref().is_some_and(|details| details.has_basic_constraints).then(|| certificate.is_ca()),
            path_length: details.as_ref().and_then(|details| details.path_length),
            key_usage: details.as_ref().and_then(|details| details.usage_names.clone()),
            extended_key_usage: usages.map(|usages| usages.iter().map(|oid| purpose(oid).to_owned()).collect()),
            alternative_names: details.as_ref().map(|details| written(&details.names)).unwrap_or_default(),
            subject_key_id: certificate.subject_key_id().map(|id| colons(&hex(id))),
            authority_key_id: certificate.authority_key_id().map(|id| colons(&hex(id))),
            permitted: details.as_ref().map(|details| written(&details.permitted)).unwrap_or_default(),
            excluded: details.as_ref().map(|details| written(&details.excluded)).unwrap_or_default(),
            crl_uris: details.as_ref().map(|details| details.crl_uris.clone()).unwrap_or_default(),
            ocsp_uris: details.as_ref().map(|details| details.ocsp_uris.clone()).unwrap_or_default(),
            issuer_uris: details.map(|details| details.issuer_uris).unwrap_or_default(),
            thumbprints: Thumbprints::of(certificate),
        }
    }

    /// How far the validity has run at `now`.
    #[must_use]
    pub const fn lifetime(&self, now: u64) -> Lifetime {
        Lifetime { not_before: self.not_before, not_after: self.not_after, now }
    }
}

/// A validity and a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    not_before: u64,
    not_after: u64,
    now: u64,
}

impl Lifetime {
    /// The whole of it in seconds.
    #[must_use]
    pub const fn total(self) -> u64 {
        self.not_after.saturating_sub(self.not_before).saturating_add(1)
    }

    /// What is left of it in seconds; 0 when it is over, everything before it begins.
    #[must_use]
    pub const fn left(self) -> u64 {
        if self.now > self.not_after {
            0
        } else if self.now < self.not_before {
            self.total()
        } else {
            self.not_after.saturating_sub(self.now).saturating_add(1)
        }
    }

    /// Is the moment after its last second?
    #[must_use]
    pub const fn is_over(self) -> bool {
        self.now > self.not_after
    }

    /// Is the moment before its first second?
    #[must_use]
    pub const fn is_to_come(self) -> bool {
        self.now < self.not_before
    }

    /// How many of `cells` equal parts have run, at most all of them.
    #[must_use]
    pub fn cells(self, cells: u32) -> u32 {
        let run = u128::from(self.total() - self.left());
        u32::try_from(run * u128::from(cells) / u128::from(self.total())).unwrap_or(cells).min(cells)
    }
}

/// The hashes of a certificate and of its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbprints {
    sha1: String,
    sha256: String,
    spki: [u8; 32],
    whole: [u8; 32],
}

impl Thumbprints {
    /// Computes them.
    #[must_use]
    pub fn of(certificate: &Certificate) -> Self {
        Self {
            sha1: certificate.thumbprint_sha1().to_ascii_uppercase(),
            sha256: certificate.thumbprint_sha256().to_ascii_uppercase(),
            spki: sha256(certificate.public_key()),
            whole: sha256(certificate.der()),
        }
    }

    /// SHA-1 of the certificate, 40 upper-case digits: Azure's "thumbprint", Windows' certificate store.
    #[must_use]
    pub fn sha1(&self) -> &str {
        &self.sha1
    }

    /// SHA-256 of the certificate, 64 upper-case digits: Event Grid and IoT Hub.
    #[must_use]
    pub fn sha256(&self) -> &str {
        &self.sha256
    }

    /// SHA-1 of the certificate with colons: OpenSSL's and browsers' fingerprint.
    #[must_use]
    pub fn sha1_colons(&self) -> String {
        colons(&self.sha1)
    }

    /// SHA-256 of the certificate with colons: OpenSSL's and browsers' fingerprint.
    #[must_use]
    pub fn sha256_colons(&self) -> String {
        colons(&self.sha256)
    }

    /// SHA-256 of the certificate in base64: x5t#S256 (RFC 7515) has it without padding and URL-safe.
    #[must_use]
    pub fn sha256_base64(&self) -> String {
        Base64::encode_string(&self.whole)
    }

    /// SHA-256 of the SubjectPublicKeyInfo, 64 lower-case digits.
    #[must_use]
    pub fn key_sha256(&self) -> String {
        hex(&self.spki)
    }

    /// `sha256//` and SHA-256 of the SubjectPublicKeyInfo in base64: curl's `--pinnedpubkey`, and RFC 7469's pin.
    /// It stays the same over renewals with the same key.
    #[must_use]
    pub fn key_pin(&self) -> String {
        format!("sha256//{}", Base64::encode_string(&self.spki))
    }
}

/// SHA-256 of any bytes, 64 lower-case digits.
#[must_use]
pub fn sha256_hex(bytes: &[u8]) -> String {
    hex(&sha256(bytes))
}

fn sha256(bytes: &[u8]) -> [u8; 32] {
    <[u8; 32]>::try_from(digest(&SHA256, bytes).as_ref()).unwrap_or_default()
}

/// Upper-case hexadecimal with a colon between octets.
pub(super) fn colons(hex: &str) -> String {
    let mut text = String::with_capacity(hex.len() * 3 / 2);
    for (at, digit) in hex.chars().enumerate() {
        if at > 0 && at % 2 == 0 {
            text.push(':');
        }
        text.push(digit.to_ascii_uppercase());
    }
    text
}

/// The name of an extended key usage; those that have none here stay as they are.
fn purpose(oid: &str) -> &str {
    match oid {
        "2.5.29.37.0" => "anyExtendedKeyUsage",
        "1.3.6.1.5.5.7.3.1" => "serverAuth",
        "1.3.6.1.5.5.7.3.2" => "clientAuth",
        "1.3.6.1.5.5.7.3.3" => "codeSigning",
        "1.3.6.1.5.5.7.3.4" => "emailProtection",
        "1.3.6.1.5.5.7.3.8" => "timeStamping",
        "1.3.6.1.5.5.7.3.9" => "OCSPSigning",
        "1.3.6.1.4.1.311.20.2.2" => "smartcardLogon",
        "1.3.6.1.5.5.7.3.28" => "cmcRA",
        other => other,
    }
}
