//! What a structure is, by its first fields.

use super::content::{Content, KeyForm, Pkcs12Form};
use crate::pkcs7::SIGNED_DATA;
use crate::tlv::{BIT_STRING, CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, expect, next};

const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

/// 1.2.840.113549.1.7: PKCS#7's content types.
const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
/// 1.2.840.113549.1.5.13.
const PBES2: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0d];
/// 1.2.840.113549.1.12.1: PKCS#12's own encryption.
const PKCS12_PBE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];

/// What one whole value is; `None` for what is not known.
pub(crate) fn kind(value: &[u8]) -> Option<Content> {
    let mut input = value;
    let mut body = expect(&mut input, SEQUENCE)?;
    let fields = &mut body;
    let first = next(fields)?;
    match first.tag {
        INTEGER => after_integer(first.body, fields),
        OID if first.body == SIGNED_DATA => Some(Content::Pkcs7),
        SEQUENCE => after_sequence(first.body, fields),
        _ => None,
    }
    .map(|content| match content {
        Content::Pkcs12(_) => Content::Pkcs12(pkcs12_form(value)),
        other => other,
    })
}

fn after_integer(integer: &[u8], fields: &mut &[u8]) -> Option<Content> {
    let second = next(fields)?;
    match (integer, second.tag) {
        ([3], SEQUENCE) => {
            let mut content = second.body;
            let kind = expect(&mut content, OID)?;
            kind.starts_with(PKCS7).then_some(Content::Pkcs12(Pkcs12Form::Plain))
        }
        ([0 | 1], SEQUENCE) => {
            let mut algorithm = second.body;
            expect(&mut algorithm, OID)?;
            expect(fields, OCTET_STRING)?;
            Some(Content::PrivateKey(KeyForm::Pkcs8))
        }
        ([1], OCTET_STRING) => Some(Content::PrivateKey(KeyForm::Sec1)),
        ([0], INTEGER) => {
            expect(fields, INTEGER)?;
            expect(fields, INTEGER).map(|_| Content::PrivateKey(KeyForm::Pkcs1))
        }
        (_, INTEGER) if fields.is_empty() => Some(Content::PublicKey),
        _ => None,
    }
}

fn after_sequence(mut first: &[u8], fields: &mut &[u8]) -> Option<Content> {
    let second = next(fields)?;
    match second.tag {
        OCTET_STRING if fields.is_empty() => expect(&mut first, OID).map(|_| Content::EncryptedKey),
        BIT_STRING if fields.is_empty() => expect(&mut first, OID).map(|_| Content::PublicKey),
        SEQUENCE => {
            let mut algorithm = second.body;
            expect(&mut algorithm, OID)?;
            expect(fields, BIT_STRING)?;
            signed(first)
        }
        _ => None,
    }
}

/// Certificate, request or revocation list, by what is signed.
fn signed(mut tbs: &[u8]) -> Option<Content> {
    let fields = &mut tbs;
    let first = next(fields)?;
    if first.tag == CONTEXT_0 {
        return Some(Content::Certificate);
    }
    // TBSCertList: version?, signature, issuer, thisUpdate. CertificationRequestInfo: version,
    // subject, key. TBSCertificate of version 1: serial, signature, issuer, validity.
    let second = next(fields)?;
    let third = next(fields)?;
    match (first.tag, second.tag, third.tag) {
        (SEQUENCE, SEQUENCE, UTC_TIME | GENERALIZED_TIME) => Some(Content::RevocationList),
        (INTEGER, SEQUENCE, SEQUENCE) => {
            let (mut name_or_algorithm, mut third_body) = (second.body, third.body);
            if expect(&mut name_or_algorithm, OID).is_some() {
                return match next(fields)?.tag {
                    SEQUENCE => Some(Content::Certificate),
                    UTC_TIME | GENERALIZED_TIME => Some(Content::RevocationList),
                    _ => None,
                };
            }
            expect(&mut third_body, SEQUENCE)?;
            expect(&mut third_body, BIT_STRING).map(|_| Content::SigningRequest)
        }
        _ => None,
    }
}

/// Searched for instead of decoded: the algorithms stand at several depths.
fn pkcs12_form(value: &[u8]) -> Pkcs12Form {
    let holds = |oid: &[u8]| value.windows(oid.len()).any(|window| window == oid);
    if holds(PKCS12_PBE) {
        Pkcs12Form::Legacy
    } else if holds(PBES2) {
        Pkcs12Form::Modern
    } else {
        Pkcs12Form::Plain
    }
}
