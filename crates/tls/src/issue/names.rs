//! Names in the form that the issuing library takes.

use std::net::IpAddr;

use rcgen::string::{Ia5String, PrintableString};
use rcgen::{DistinguishedName, DnType, DnValue, SanType};
use rustls::pki_types::DnsName;
use x509_cert::der::{Decode, Tag, Tagged};

use super::IssueError;

/// The longest DNS name (RFC 1035 §2.3.4).
const MAX_DNS_NAME: usize = 253;

pub(super) fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    if !name.is_empty() {
        distinguished.push(DnType::CommonName, name);
    }
    distinguished
}

/// A name in DER again; `None` where a part has a type that cannot be repeated.
///
/// The library keeps one value of each type. Whoever uses the result has to compare what came out.
pub(super) fn distinguished_name(der: &[u8]) -> Option<DistinguishedName> {
    let name = x509_cert::name::Name::from_der(der).ok()?;
    let mut distinguished = DistinguishedName::new();
    for attribute in name.iter() {
        let text = std::str::from_utf8(attribute.value.value()).ok()?;
        let value = match attribute.value.tag() {
            Tag::Utf8String => DnValue::Utf8String(text.to_owned()),
            Tag::PrintableString => DnValue::PrintableString(PrintableString::try_from(text).ok()?),
            Tag::Ia5String => DnValue::Ia5String(Ia5String::try_from(text).ok()?),
            _ => return None,
        };
        let arcs: Vec<u64> = attribute.oid.arcs().map(u64::from).collect();
        distinguished.push(DnType::from_oid(&arcs), value);
    }
    Some(distinguished)
}

/// A subject alternative name to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Name {
    Dns(String),
    Uri(String),
    Ip(IpAddr),
    Email(String),
}

impl Name {
    pub(super) fn to_san(&self) -> Result<SanType, IssueError> {
        let ascii = |text: &String, kind| match Ia5String::try_from(text.as_str()) {
            Ok(ascii) if !text.is_empty() => Ok(ascii),
            _ => Err(IssueError::BadName { name: text.clone(), kind }),
        };
        Ok(match self {
            Self::Dns(name) => {
                let kind = "DNS name or IP address";
                let plain = name.strip_prefix("*.").unwrap_or(name);
                if name.len() > MAX_DNS_NAME || DnsName::try_from(plain).is_err() {
                    return Err(IssueError::BadName { name: name.clone(), kind });
                }
                SanType::DnsName(ascii(name, kind)?)
            }
            Self::Uri(uri) => SanType::URI(ascii(uri, "URI")?),
            Self::Email(address) => SanType::Rfc822Name(ascii(address, "e-mail address")?),
            Self::Ip(address) => SanType::IpAddress(*address),
        })
    }
}
