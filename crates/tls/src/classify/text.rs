//! From the states in which text arrives to plain lines.

use zeroize::Zeroizing;

use super::oddity::Oddity;

/// Text in UTF-8 (or ASCII) with LF, and what it took to get there.
pub(super) fn normalise(bytes: &[u8]) -> (Zeroizing<Vec<u8>>, Vec<Oddity>) {
    let mut oddities = Vec::new();
    let mut plain = match utf16(bytes) {
        Some((text, big_endian)) => {
            oddities.push(Oddity::Utf16 { big_endian });
            text
        }
        None => match bytes.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) => {
                oddities.push(Oddity::ByteOrderMark);
                Zeroizing::new(rest.to_vec())
            }
            None => Zeroizing::new(bytes.to_vec()),
        },
    };
    if plain.contains(&0) {
        oddities.push(Oddity::NulBytes);
    }
    let crlf = plain.windows(2).any(|pair| pair == b"\r\n");
    if crlf {
        oddities.push(Oddity::WindowsLineEnds);
    } else if plain.contains(&b'\r') && !plain.contains(&b'\n') {
        oddities.push(Oddity::CarriageReturnsOnly);
    }
    if plain.contains(&b'\r') {
        plain = line_feeds(&plain);
    }
    let escaped = plain.windows(2).any(|pair| matches!(pair, b"\\n" | b"\\r"));
    if escaped && plain.windows(6).any(|window| window == b"BEGIN ") {
        oddities.push(Oddity::EscapedLineBreaks);
        plain = unescape(&plain);
    }
    (plain, oddities)
}

/// UTF-16 by its mark, or without one by the zero in every ASCII character.
fn utf16(bytes: &[u8]) -> Option<(Zeroizing<Vec<u8>>, bool)> {
    let (body, big_endian) = match bytes {
        [0xff, 0xfe, body @ ..] => (body, false),
        [0xfe, 0xff, body @ ..] => (body, true),
        _ if bytes.len() >= 8 => {
            let head = bytes.get(..bytes.len().min(64) & !1)?;
            let pairs = || head.chunks_exact(2);
            if pairs().all(|pair| matches!(pair, [1..=127, 0])) {
                (bytes, false)
            } else if pairs().all(|pair| matches!(pair, [0, 1..=127])) {
                (bytes, true)
            } else {
                return None;
            }
        }
        _ => return None,
    };
    let units = body.chunks_exact(2).map(|pair| {
        let pair = <[u8; 2]>::try_from(pair).unwrap_or_default();
        if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    });
    let mut text = Zeroizing::new(Vec::with_capacity(body.len() * 3 / 2));
    for character in char::decode_utf16(units) {
        let mut buffer = [0; 4];
        let character = character.unwrap_or(char::REPLACEMENT_CHARACTER);
        text.extend_from_slice(character.encode_utf8(&mut buffer).as_bytes());
    }
    Some((text, big_endian))
}

/// CR LF and lone CR become LF.
fn line_feeds(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\r' {
            bytes.next_if_eq(&b'\n');
            plain.push(b'\n');
        } else {
            plain.push(byte);
        }
    }
    plain
}

/// `\n` and `\r` written as characters, escaped once or several times (from JSON, YAML or an
/// environment), become breaks; `\/` becomes `/`. Base64 knows no backslash, so nothing is lost.
fn unescape(text: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut plain = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            plain.push(byte);
            continue;
        }
        while bytes.next_if_eq(&b'\\').is_some() {}
        match bytes.next() {
            // `\r\n` is one break.
            Some(b'r') => {}
            Some(b'n') => plain.push(b'\n'),
            Some(other) => plain.push(other),
            None => {}
        }
    }
    plain
}
