//! Names in the form that the issuing library takes.

use rcgen::string::{Ia5String, PrintableString};
use rcgen::{DistinguishedName, DnType, DnValue};
use x509_cert::der::{Decode, Tag, Tagged};

use crate::certificate::Certificate;

pub(super) fn common_name(name: &str) -> DistinguishedName {
    let mut distinguished = DistinguishedName::new();
    distinguished.push(DnType::CommonName, name);
    distinguished
}

/// A certificate's subject again; `None` where a part has a type that cannot be repeated.
pub(super) fn distinguished_name(certificate: &Certificate) -> Option<DistinguishedName> {
    let name = x509_cert::name::Name::from_der(certificate.subject().der()).ok()?;
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
