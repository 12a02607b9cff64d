//! The parsed view of an X.509 certificate (RFC 5280).

use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use x509_cert::certificate::Version;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, NameConstraints, SubjectKeyIdentifier,
};

use crate::time::Utc;

mod alternative;
mod hex;
mod name;
mod signature;

pub use alternative::AlternativeNames;
pub use name::DistinguishedName;

pub(crate) use hex::hex;

/// The largest certificate that is parsed: 64 KiB, TLS's own limit for a chain in this stack.
pub const MAX_CERTIFICATE_BYTES: usize = 64 * 1024;

const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const ANY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");

/// Why bytes are not a certificate. The fault is with whoever made or sent them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// The bytes are not an X.509 certificate in DER.
    #[error("it is not an X.509 certificate in DER ({0})")]
    NotACertificate(String),
    /// The bytes are not a distinguished name in DER.
    #[error("it is not a distinguished name in DER ({0})")]
    BadName(String),
    /// An extension that this crate reads is malformed.
    #[error("its extension {extension} is malformed ({detail})")]
    BadExtension {
        /// The extension's name in RFC 5280.
        extension: &'static str,
        /// What the parser said.
        detail: String,
    },
    /// More than [`MAX_CERTIFICATE_BYTES`].
    #[error("it is larger than {MAX_CERTIFICATE_BYTES} bytes")]
    TooLarge,
}

/// A certificate, parsed and not yet judged. Cheap to clone.
#[derive(Clone)]
pub struct Certificate(Arc<Fields>);

struct Fields {
    der: Vec<u8>,
    subject: DistinguishedName,
    issuer: DistinguishedName,
    serial: String,
    not_before: u64,
    not_after: u64,
    is_version_1: bool,
    is_ca: bool,
    signs_certificates: bool,
    signs_handshakes: bool,
    path_length: Option<u8>,
    name_constraints: bool,
    extended_key_usage: Option<Vec<ObjectIdentifier>>,
    alternative_names: AlternativeNames,
    subject_key_id: Option<Vec<u8>>,
    authority_key_id: Option<Vec<u8>>,
    spki: Vec<u8>,
    /// Digests are made when somebody asks: most certificates of a handshake are only verified.
    thumbprint_sha1: OnceLock<String>,
    thumbprint_sha256: OnceLock<String>,
}

impl Certificate {
    /// Parses a certificate in DER. Nothing is verified.
    ///
    /// # Errors
    /// When the bytes are not exactly one certificate, or one of the extensions read here is malformed.
    pub fn from_der(der: &[u8]) -> Result<Self, CertificateError> {
        if der.len() > MAX_CERTIFICATE_BYTES {
            return Err(CertificateError::TooLarge);
        }
        let not_a_certificate = |error: x509_cert::der::Error| CertificateError::NotACertificate(error.to_string());
        let parsed = x509_cert::Certificate::from_der(der).map_err(not_a_certificate)?;
        let tbs = parsed.tbs_certificate();
        let constraints = extension::<BasicConstraints>(tbs, "basicConstraints")?;
        let usage = extension::<KeyUsage>(tbs, "keyUsage")?;
        let extended = extension::<ExtendedKeyUsage>(tbs, "extKeyUsage")?;
        let subject_key_id = extension::<SubjectKeyIdentifier>(tbs, "subjectKeyIdentifier")?;
        let authority_key_id = extension::<AuthorityKeyIdentifier>(tbs, "authorityKeyIdentifier")?;
        Ok(Self(Arc::new(Fields {
            subject: DistinguishedName::new(tbs.subject()).map_err(not_a_certificate)?,
            issuer: DistinguishedName::new(tbs.issuer()).map_err(not_a_certificate)?,
            serial: hex(tbs.serial_number().as_bytes()),
            not_before: tbs.validity().not_before.to_unix_duration().as_secs(),
            not_after: tbs.validity().not_after.to_unix_duration().as_secs(),
            is_version_1: tbs.version() == Version::V1,
            is_ca: constraints.as_ref().is_some_and(|constraints| constraints.ca),
            path_length: constraints.and_then(|constraints| constraints.path_len_constraint),
            signs_certificates: usage.as_ref().is_none_or(KeyUsage::key_cert_sign),
            signs_handshakes: usage.is_none_or(|usage| usage.digital_signature()),
            name_constraints: has::<NameConstraints>(tbs),
            extended_key_usage: extended.map(|extended| extended.0),
            alternative_names: AlternativeNames::of(tbs)?,
            subject_key_id: subject_key_id.map(|id| id.0.as_bytes().to_vec()),
            authority_key_id: authority_key_id
                .and_then(|id| id.key_identifier)
                .map(|identifier| identifier.as_bytes().to_vec()),
            spki: tbs.subject_public_key_info().to_der().map_err(not_a_certificate)?,
            thumbprint_sha1: OnceLock::new(),
            thumbprint_sha256: OnceLock::new(),
            der: der.to_vec(),
        })))
    }

    /// The certificate itself, in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// Whom it names.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.0.subject
    }

    /// Who signed it, by its own account.
    #[must_use]
    pub fn issuer(&self) -> &DistinguishedName {
        &self.0.issuer
    }

    /// The serial number in lower-case hexadecimal.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.0.serial
    }

    /// The first second of its validity, in seconds since 1970.
    #[must_use]
    pub fn not_before(&self) -> u64 {
        self.0.not_before
    }

    /// The last second of its validity, in seconds since 1970.
    #[must_use]
    pub fn not_after(&self) -> u64 {
        self.0.not_after
    }

    /// Do the basic constraints say CA:TRUE?
    #[must_use]
    pub fn is_ca(&self) -> bool {
        self.0.is_ca
    }

    /// May its key sign certificates: CA:TRUE, and no key usage that forbids it?
    #[must_use]
    pub fn can_issue(&self) -> bool {
        self.0.is_ca && self.0.signs_certificates
    }

    /// May its key sign a TLS handshake: no key usage, or one with `digitalSignature`?
    #[must_use]
    pub fn allows_digital_signature(&self) -> bool {
        self.0.signs_handshakes
    }

    /// How many intermediates may stand between this CA certificate and a leaf; `None` for any number.
    #[must_use]
    pub fn path_length(&self) -> Option<u8> {
        self.0.path_length
    }

    /// Does it limit the names of what it issues (RFC 5280 §4.2.1.10)?
    #[must_use]
    pub fn has_name_constraints(&self) -> bool {
        self.0.name_constraints
    }

    /// Are subject and issuer the same?
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.0.subject == self.0.issuer
    }

    /// The subject alternative names.
    #[must_use]
    pub fn alternative_names(&self) -> &AlternativeNames {
        &self.0.alternative_names
    }

    /// May it authenticate a client: no extended key usage, or one with `clientAuth`?
    #[must_use]
    pub fn allows_client_auth(&self) -> bool {
        self.allows(&CLIENT_AUTH)
    }

    /// May it authenticate a server: no extended key usage, or one with `serverAuth`?
    #[must_use]
    pub fn allows_server_auth(&self) -> bool {
        self.allows(&SERVER_AUTH)
    }

    /// The extended key usages as dotted object identifiers; `None` without that extension.
    #[must_use]
    pub fn extended_key_usage(&self) -> Option<Vec<String>> {
        self.0.extended_key_usage.as_ref().map(|usages| usages.iter().map(ToString::to_string).collect())
    }

    /// The subject key identifier.
    #[must_use]
    pub fn subject_key_id(&self) -> Option<&[u8]> {
        self.0.subject_key_id.as_deref()
    }

    /// The identifier of the issuer's key.
    #[must_use]
    pub fn authority_key_id(&self) -> Option<&[u8]> {
        self.0.authority_key_id.as_deref()
    }

    /// The SubjectPublicKeyInfo in DER.
    #[must_use]
    pub fn public_key(&self) -> &[u8] {
        &self.0.spki
    }

    /// SHA-1 of the DER: 40 lower-case hexadecimal digits. A name that services ask for, no proof.
    #[must_use]
    pub fn thumbprint_sha1(&self) -> &str {
        let make = || thumbprint(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, self.der());
        self.0.thumbprint_sha1.get_or_init(make)
    }

    /// SHA-256 of the DER: 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn thumbprint_sha256(&self) -> &str {
        self.0.thumbprint_sha256.get_or_init(|| thumbprint(&aws_lc_rs::digest::SHA256, self.der()))
    }

    /// Could `issuer` have signed this, judged by names and key identifiers alone?
    pub(crate) fn names_as_issuer(&self, issuer: &Self) -> bool {
        self.issuer() == issuer.subject()
            && match (self.authority_key_id(), issuer.subject_key_id()) {
                (Some(named), Some(actual)) => named == actual,
                _ => true,
            }
    }

    /// Is it of version 1, which has no extensions?
    pub(crate) fn is_version_1(&self) -> bool {
        self.0.is_version_1
    }

    /// Does its extended key usage say anyExtendedKeyUsage (RFC 5280 §4.2.1.12)?
    pub(crate) fn allows_any_usage(&self) -> bool {
        self.allows(&ANY_USAGE)
    }

    fn allows(&self, usage: &ObjectIdentifier) -> bool {
        self.0.extended_key_usage.as_ref().is_none_or(|usages| usages.contains(usage))
    }
}

impl PartialEq for Certificate {
    fn eq(&self, other: &Self) -> bool {
        self.0.der == other.0.der
    }
}

impl Eq for Certificate {}

impl fmt::Debug for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificate")
            .field("subject", &self.0.subject.to_string())
            .field("issuer", &self.0.issuer.to_string())
            .field("not_after", &Utc(self.0.not_after).to_string())
            .field("thumbprint_sha256", &self.thumbprint_sha256())
            .finish_non_exhaustive()
    }
}

/// The readable form of an IP address in a certificate; `None` when it has neither 4 nor 16 octets.
fn ip_address(octets: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(octets).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(octets).map(IpAddr::from)).ok()
}

fn thumbprint(algorithm: &'static aws_lc_rs::digest::Algorithm, der: &[u8]) -> String {
    hex(aws_lc_rs::digest::digest(algorithm, der).as_ref())
}

fn extension<'a, T>(tbs: &'a x509_cert::TbsCertificate, extension: &'static str) -> Result<Option<T>, CertificateError>
where
    T: Decode<'a, Error = x509_cert::der::Error> + x509_cert::der::oid::AssociatedOid,
{
    match tbs.get_extension::<T>() {
        Ok(found) => Ok(found.map(|(_critical, value)| value)),
        Err(error) => Err(CertificateError::BadExtension { extension, detail: error.to_string() }),
    }
}

fn has<T: x509_cert::der::oid::AssociatedOid>(tbs: &x509_cert::TbsCertificate) -> bool {
    tbs.extensions().is_some_and(|extensions| extensions.iter().any(|extension| extension.extn_id == T::OID))
}

#[cfg(test)]
mod tests;
