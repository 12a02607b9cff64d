//! Certificates in PKCS#7 (RFC 2315 §9.1), now CMS SignedData (RFC 5652 §5.1).
//!
//! Only what authorities hand out is read: SignedData that carries certificates, `.p7b`, `.p7c` and the answers of EST
//! (certs-only, RFC 8551 §3.8), in DER or BER. Signatures and revocation lists in it are not looked at.

#[cfg(feature = "est")]
use crate::certificate::Certificate;
use crate::tlv::{self, CONTEXT_0, INTEGER, OID, SEQUENCE, SET};

/// 1.2.840.113549.1.7.2
pub(crate) const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x02];
/// 1.2.840.113549.1.7.1
#[cfg(feature = "est")]
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01];

/// Why a bundle is not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pkcs7Error {
    /// It is no SignedData, or damaged.
    NotSignedData,
    /// It has more certificates than are taken.
    TooMany,
}

/// The certificates in DER, in their order, at most `limit`. None is no error.
pub(crate) fn certificates(bytes: &[u8], limit: usize) -> Result<Vec<&[u8]>, Pkcs7Error> {
    let mut set = certificate_set(bytes).ok_or(Pkcs7Error::NotSignedData)?;
    let mut found = Vec::new();
    while !set.is_empty() {
        let value = tlv::next(&mut set).ok_or(Pkcs7Error::NotSignedData)?;
        // Attribute certificates and the like have tags of their own in this set.
        if value.tag != SEQUENCE {
            continue;
        }
        if found.len() == limit {
            return Err(Pkcs7Error::TooMany);
        }
        found.push(value.whole);
    }
    Ok(found)
}

/// The contents of SignedData's `certificates`; empty where it has none.
fn certificate_set(bytes: &[u8]) -> Option<&[u8]> {
    let mut input = bytes;
    let mut content_info = tlv::expect(&mut input, SEQUENCE)?;
    if tlv::expect(&mut content_info, OID)? != SIGNED_DATA {
        return None;
    }
    let mut explicit = tlv::expect(&mut content_info, CONTEXT_0)?;
    let mut signed = tlv::expect(&mut explicit, SEQUENCE)?;
    tlv::expect(&mut signed, INTEGER)?;
    tlv::expect(&mut signed, SET)?;
    tlv::expect(&mut signed, SEQUENCE)?;
    Some(tlv::expect(&mut signed, CONTEXT_0).unwrap_or_default())
}

/// Certificates as certs-only SignedData in DER. They keep their order, which readers must not rely on: the standard
/// has a set.
#[cfg(feature = "est")]
pub(crate) fn certs_only(certificates: &[Certificate]) -> Vec<u8> {
    let mut signed = tlv::element(INTEGER, &[1]);
    tlv::write(SET, &[], &mut signed);
    tlv::write(SEQUENCE, &tlv::element(OID, DATA), &mut signed);
    let certificates: Vec<u8> = certificates.iter().flat_map(|certificate| certificate.der()).copied().collect();
    tlv::write(CONTEXT_0, &certificates, &mut signed);
    tlv::write(SET, &[], &mut signed);
    let mut info = tlv::element(OID, SIGNED_DATA);
    tlv::write(CONTEXT_0, &tlv::element(SEQUENCE, &signed), &mut info);
    tlv::element(SEQUENCE, &info)
}

#[cfg(test)]
mod tests;
