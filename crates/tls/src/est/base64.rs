//! Base64 as RFC 8951 §3.1 has it: standard alphabet; written in lines, read with any white space.

use base64ct::{Base64, Base64Unpadded, Encoding};

/// What OpenSSL's readers take: at most 76 characters a line.
const LINE: usize = 64;

pub(super) fn encode(der: &[u8]) -> String {
    let text = Base64::encode_string(der);
    let mut lines = String::with_capacity(text.len() + text.len() / LINE + 1);
    for (at, character) in text.chars().enumerate() {
        if at > 0 && at % LINE == 0 {
            lines.push('\n');
        }
        lines.push(character);
    }
    lines.push('\n');
    lines
}

/// Decodes; DER that was not encoded at all, and PEM, are taken for what they are.
pub(super) fn decode(body: &[u8]) -> Option<Vec<u8>> {
    // No base64 text of DER begins so: a SEQUENCE's first octet encodes to M.
    if body.first() == Some(&0x30) {
        return Some(body.to_vec());
    }
    let text = std::str::from_utf8(body).ok()?;
    let text = match text.trim_start().strip_prefix("-----BEGIN ") {
        Some(rest) => rest.split_once("-----")?.1.split_once("-----END")?.0,
        None => text,
    };
    let compact: String = text.chars().filter(|character| !character.is_ascii_whitespace()).collect();
    Base64Unpadded::decode_vec(compact.trim_end_matches('=')).ok()
}
