//! PKCS#10 requests (RFC 2986): made for a client, read for a server.

use std::fmt;
use std::net::IpAddr;

use rustls::pki_types::DnsName;
use x509_cert::der::Decode;
use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::name::Name;

use super::error::RequestError;
use super::key::EnrolmentKey;
use super::{MAX_BODY_BYTES, base64};
use crate::certificate::{AlternativeNames, Certificate, DistinguishedName};
use crate::issue::{self, SigningRequest};
use crate::tlv::{self, CONTEXT_0, INTEGER, OID, SEQUENCE, SET};

const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");
const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
const UTF8_STRING: u8 = 0x0c;
const BIT_STRING: u8 = 0x03;
const OCTET_STRING: u8 = 0x04;
/// RFC 5280 Appendix A.1, ub-common-name.
const MAX_COMMON_NAME: usize = 64;

/// A request for a certificate, signed by the key that it is for.
#[derive(Clone)]
pub struct CertificateRequest {
    der: Vec<u8>,
    subject: DistinguishedName,
    names: AlternativeNames,
}

impl CertificateRequest {
    /// Asks for a certificate with this common name, which may be empty if there are other names, and these
    /// alternative names.
    ///
    /// # Errors
    /// When a name cannot stand in a certificate, or the key cannot sign.
    pub fn new(key: &EnrolmentKey, common_name: &str, names: &AlternativeNames) -> Result<Self, RequestError> {
        let bad = |name: &str, kind| RequestError::BadName { name: name.to_owned(), kind };
        if common_name.chars().count() > MAX_COMMON_NAME || common_name.is_empty() && names.is_empty() {
            return Err(bad(common_name, "common name of 1 to 64 characters"));
        }
        let mut general = Vec::new();
        for name in &names.email {
            ascii(name).ok_or_else(|| bad(name, "e-mail address"))?;
            tlv::write(0x81, name.as_bytes(), &mut general);
        }
        for name in &names.dns {
            let plain = name.strip_prefix("*.").unwrap_or(name);
            DnsName::try_from(plain).map_err(|_| bad(name, "DNS name"))?;
            tlv::write(0x82, name.as_bytes(), &mut general);
        }
        for name in &names.uri {
            ascii(name).ok_or_else(|| bad(name, "URI"))?;
            tlv::write(0x86, name.as_bytes(), &mut general);
        }
        for address in &names.ip {
            match address {
                IpAddr::V4(address) => tlv::write(0x87, &address.octets(), &mut general),
                IpAddr::V6(address) => tlv::write(0x87, &address.octets(), &mut general),
            }
        }
        let mut subject = Vec::new();
        if !common_name.is_empty() {
            let mut attribute = tlv::element(OID, COMMON_NAME);
            tlv::write(UTF8_STRING, common_name.as_bytes(), &mut attribute);
            tlv::write(SET, &tlv::element(SEQUENCE, &attribute), &mut subject);
        }
        let asked = (!general.is_empty()).then(|| tlv::element(SEQUENCE, &general));
        let not_a_name = |error: x509_cert::der::Error| RequestError::Key(error.to_string());
        let name = Name::from_der(&tlv::element(SEQUENCE, &subject)).map_err(not_a_name)?;
        let subject = DistinguishedName::new(&name).map_err(not_a_name)?;
        Self::sign(key, subject, names.clone(), asked.as_deref())
    }

    /// Asks for a certificate in place of this one: subject and alternative names stay, octet by octet (RFC 7030
    /// §4.2.2).
    ///
    /// # Errors
    /// When the certificate cannot be read or the key cannot sign.
    pub fn renewing(key: &EnrolmentKey, current: &Certificate) -> Result<Self, RequestError> {
        Self::sign(key, current.subject().clone(), current.alternative_names().clone(), names_of(current).as_deref())
    }

    fn sign(
        key: &EnrolmentKey,
        subject: DistinguishedName,
        names: AlternativeNames,
        asked: Option<&[u8]>,
    ) -> Result<Self, RequestError> {
        let mut info = tlv::element(INTEGER, &[0]);
        info.extend_from_slice(subject.der());
        info.extend_from_slice(key.public_key());
        let attributes = asked.map(extension_request).unwrap_or_default();
        tlv::write(CONTEXT_0, &attributes, &mut info);
        let mut request = tlv::element(SEQUENCE, &info);
        let (algorithm, signature) = key.sign(&request)?;
        request.extend_from_slice(&algorithm);
        tlv::write(BIT_STRING, &[&[0], signature.as_slice()].concat(), &mut request);
        Ok(Self { der: tlv::element(SEQUENCE, &request), subject, names })
    }

    /// The request in DER.
    #[must_use]
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    /// The request as a body of `application/pkcs10`: DER in base64.
    #[must_use]
    pub fn body(&self) -> String {
        base64::encode(&self.der)
    }

    /// Whom it is for.
    #[must_use]
    pub fn subject(&self) -> &DistinguishedName {
        &self.subject
    }

    /// The alternative names that it asks for.
    #[must_use]
    pub fn alternative_names(&self) -> &AlternativeNames {
        &self.names
    }
}

impl fmt::Debug for CertificateRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateRequest")
            .field("subject", &self.subject.to_string())
            .field("names", &self.names)
            .finish_non_exhaustive()
    }
}

/// Reads a body of `application/pkcs10` for a server, and checks that its sender holds the key.
///
/// # Errors
/// When it is no request in base64, DER or PEM, the proof of possession fails, or it asks for what is not issued.
pub fn read_request(body: &[u8]) -> Result<SigningRequest, RequestError> {
    if body.len() > MAX_BODY_BYTES {
        return Err(RequestError::Unusable(issue::RequestError::TooLarge));
    }
    let der = base64::decode(body).ok_or(RequestError::NotBase64)?;
    Ok(SigningRequest::from_der(&der)?)
}

/// The subjectAltName extension's value in a certificate.
fn names_of(certificate: &Certificate) -> Option<Vec<u8>> {
    let parsed = x509_cert::Certificate::from_der(certificate.der()).ok()?;
    let mut extensions = parsed.tbs_certificate().extensions()?.iter();
    extensions.find(|extension| extension.extn_id == SUBJECT_ALT_NAME).map(|found| found.extn_value.as_bytes().to_vec())
}

fn ascii(text: &str) -> Option<&str> {
    (!text.is_empty() && text.chars().all(|c| c.is_ascii_graphic())).then_some(text)
}

/// The attribute that asks for the alternative names (RFC 2985 §5.4.2).
fn extension_request(names: &[u8]) -> Vec<u8> {
    let mut extension = tlv::element(OID, SUBJECT_ALT_NAME.as_bytes());
    tlv::write(OCTET_STRING, names, &mut extension);
    let extensions = tlv::element(SEQUENCE, &tlv::element(SEQUENCE, &extension));
    let mut attribute = tlv::element(OID, EXTENSION_REQUEST.as_bytes());
    tlv::write(SET, &extensions, &mut attribute);
    tlv::element(SEQUENCE, &attribute)
}
