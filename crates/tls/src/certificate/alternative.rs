//! Subject alternative names.

use std::net::IpAddr;

use x509_cert::TbsCertificate;
use x509_cert::der::asn1::{AnyRef, ObjectIdentifier};
use x509_cert::der::{Class, Decode, Tag, Tagged};

use super::{CertificateError, ip_address};

const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

/// The subject alternative names (RFC 5280 §4.2.1.6) that Event Grid can read a client's name from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct AlternativeNames {
    /// `dNSName`.
    pub dns: Vec<String>,
    /// `uniformResourceIdentifier`.
    pub uri: Vec<String>,
    /// `iPAddress`.
    pub ip: Vec<IpAddr>,
    /// `rfc822Name`.
    pub email: Vec<String>,
}

impl AlternativeNames {
    /// Is there none of the kinds listed here?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.dns.is_empty() && self.uri.is_empty() && self.ip.is_empty() && self.email.is_empty()
    }

    pub(super) fn of(tbs: &TbsCertificate) -> Result<Self, CertificateError> {
        let mut names = Self::default();
        let Some(extension) =
            tbs.extensions().and_then(|all| all.iter().find(|extension| extension.extn_id == SUBJECT_ALT_NAME))
        else {
            return Ok(names);
        };
        let malformed = |detail: String| CertificateError::BadExtension { extension: "subjectAltName", detail };
        let values: Vec<AnyRef<'_>> = Decode::from_der(extension.extn_value.as_bytes())
            .map_err(|error: x509_cert::der::Error| malformed(error.to_string()))?;
        for value in values {
            let tag = value.tag();
            if tag.class() != Class::ContextSpecific {
                return Err(malformed("a name of an unknown kind".to_owned()));
            }
            let text = || match std::str::from_utf8(value.value()) {
                Ok(text) if text.is_ascii() => Ok(text.to_owned()),
                _ => Err(malformed("a name that is not ASCII".to_owned())),
            };
            match tag_number(tag) {
                Some(1) => names.email.push(text()?),
                Some(2) => names.dns.push(text()?),
                Some(6) => names.uri.push(text()?),
                Some(7) => names.ip.push(
                    ip_address(value.value()).ok_or_else(|| malformed("an IP address of a wrong length".to_owned()))?,
                ),
                _ => {}
            }
        }
        Ok(names)
    }
}

fn tag_number(tag: Tag) -> Option<u32> {
    match tag {
        Tag::ContextSpecific { number, .. } => Some(number.value()),
        _ => None,
    }
}
