//! Tag, length and contents, in DER and in the BER that some programs write (X.690 §8.1): just enough to walk through
//! structures without decoding them.

/// How deep indefinite lengths may nest.
const MAX_DEPTH: usize = 16;

pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OID: u8 = 0x06;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(crate) const CONTEXT_0: u8 = 0xa0;

/// One value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value<'a> {
    pub(crate) tag: u8,
    /// The contents, without the octets that end an indefinite length.
    pub(crate) body: &'a [u8],
    /// The value whole.
    pub(crate) whole: &'a [u8],
}

/// Takes the next value. Tags of several octets and lengths of more than four are not used here.
pub(crate) fn next<'a>(input: &mut &'a [u8]) -> Option<Value<'a>> {
    let (value, rest) = read(input, MAX_DEPTH)?;
    *input = rest;
    Some(value)
}

/// Takes the next value, header and all.
pub(crate) fn take<'a>(input: &mut &'a [u8]) -> Option<&'a [u8]> {
    next(input).map(|value| value.whole)
}

/// Takes the contents of the next value if it has this tag.
pub(crate) fn expect<'a>(input: &mut &'a [u8], tag: u8) -> Option<&'a [u8]> {
    let (value, rest) = read(input, MAX_DEPTH).filter(|(value, _)| value.tag == tag)?;
    *input = rest;
    Some(value.body)
}

fn read(input: &[u8], depth: usize) -> Option<(Value<'_>, &[u8])> {
    let (&tag, after_tag) = input.split_first()?;
    let (&first, after_length) = after_tag.split_first()?;
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, contents) = match first {
        0..0x80 => (usize::from(first), after_length),
        0x80 => return indefinite(input, tag, after_length, depth),
        0x81..=0x84 => {
            let (octets, contents) = after_length.split_at_checked(usize::from(first & 0x7f))?;
            (octets.iter().fold(0_usize, |length, octet| length << 8 | usize::from(*octet)), contents)
        }
        _ => return None,
    };
    let (body, rest) = contents.split_at_checked(length)?;
    let whole = input.get(..input.len() - rest.len())?;
    Some((Value { tag, body, whole }, rest))
}

fn indefinite<'a>(input: &'a [u8], tag: u8, contents: &'a [u8], depth: usize) -> Option<(Value<'a>, &'a [u8])> {
    let depth = depth.checked_sub(1).filter(|_| tag & 0x20 != 0)?;
    let mut left = contents;
    loop {
        if let Some(rest) = left.strip_prefix(&[0, 0]) {
            let body = contents.get(..contents.len() - left.len())?;
            let whole = input.get(..input.len() - rest.len())?;
            return Some((Value { tag, body, whole }, rest));
        }
        left = read(left, depth)?.1;
    }
}

/// Writes a value in DER.
#[cfg(feature = "est")]
pub(crate) fn write(tag: u8, contents: &[u8], out: &mut Vec<u8>) {
    out.push(tag);
    let length = contents.len();
    if length < 0x80 {
        out.push(u8::try_from(length).unwrap_or(0x7f));
    } else {
        let octets = length.to_be_bytes();
        let octets = octets.get(octets.iter().take_while(|octet| **octet == 0).count()..).unwrap_or_default();
        out.push(0x80 | u8::try_from(octets.len()).unwrap_or(8));
        out.extend_from_slice(octets);
    }
    out.extend_from_slice(contents);
}

/// A value in DER.
#[cfg(feature = "est")]
pub(crate) fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(contents.len() + 6);
    write(tag, contents, &mut out);
    out
}

#[cfg(test)]
mod tests;
