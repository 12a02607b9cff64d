//! The head of an HTTP/1.1 answer, as far as proxies and the upgrade to WebSocket need it (RFC 9112 §2 to §5).

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// The longest head of an answer, in bytes.
pub(crate) const MAX_HEAD: usize = 8 * 1024;

/// Why this is not an answer's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum HeadError {
    /// It does not begin as HTTP does.
    NotHttp,
    /// It does not end within [`MAX_HEAD`].
    TooLong,
    /// It begins as HTTP does and goes on otherwise.
    Malformed(&'static str),
}

/// Why no head came.
#[derive(Debug)]
pub(crate) enum ReadError {
    Head(HeadError),
    Closed,
    Io(io::Error),
}

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// May be empty.
    pub(crate) reason: String,
    fields: Vec<(String, String)>,
    /// How many bytes it was.
    pub(crate) length: usize,
}

impl Head {
    /// The first field of that name.
    #[cfg(any(feature = "websocket", test))]
    pub(crate) fn field<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// All fields of that name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the field is a list with that token in it.
    #[cfg_attr(not(feature = "websocket"), allow(dead_code, reason = "the upgrade to WebSocket looks"))]
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        self.all(name).flat_map(|value| value.split(',')).any(|part| part.trim().eq_ignore_ascii_case(token))
    }

    /// Reads a head from the beginning of these bytes; `None` while more of it is to come.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, HeadError> {
        const START: &[u8] = b"HTTP/1.";
        let seen = bytes.len().min(START.len());
        if bytes.get(..seen) != START.get(..seen) {
            return Err(HeadError::NotHttp);
        }
        let mut lines = Vec::new();
        let mut rest = bytes;
        loop {
            let end = rest.iter().position(|byte| *byte == b'\n');
            let read = bytes.len() - rest.len() + end.map_or(rest.len(), |end| end + 1);
            if read > MAX_HEAD || (end.is_none() && read == MAX_HEAD) {
                return Err(HeadError::TooLong);
            }
            let Some((line, after)) = end.and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?))) else {
                return Ok(None);
            };
            // A lone LF ends a line too (RFC 9112 §2.2).
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            rest = after;
            if line.is_empty() {
                break;
            }
            lines.push(line);
        }
        let length = bytes.len() - rest.len();
        let mut lines = lines.into_iter();
        let (status, reason) = lines.next().and_then(status_line).ok_or(HeadError::Malformed("its status line"))?;
        let fields = lines.map(field_line).collect::<Option<_>>().ok_or(HeadError::Malformed("one of its fields"))?;
        Ok(Some(Self { status, reason, fields, length }))
    }

    /// Reads until the head is complete. What came behind it stays in `buffer`, and nothing else does.
    pub(crate) async fn read<IO: AsyncRead + Unpin>(io: &mut IO, buffer: &mut Vec<u8>) -> Result<Self, ReadError> {
        loop {
            match Self::parse(buffer) {
                Ok(Some(head)) => {
                    buffer.drain(..head.length.min(buffer.len()));
                    return Ok(head);
                }
                Ok(None) => {}
                Err(error) => return Err(ReadError::Head(error)),
            }
            match io.read_buf(buffer).await {
                Ok(0) => return Err(ReadError::Closed),
                Ok(_) => {}
                Err(error) => return Err(ReadError::Io(error)),
            }
        }
    }
}

/// `HTTP/1.1 200 Connection established`
fn status_line(line: &[u8]) -> Option<(u16, String)> {
    let line = line.strip_prefix(b"HTTP/1.")?;
    let (minor, line) = line.split_first()?;
    let code = line.strip_prefix(b" ")?.get(..3)?;
    let reason = line.get(4..).unwrap_or_default();
    if !minor.is_ascii_digit() || !code.iter().all(u8::is_ascii_digit) || !matches!(reason.first(), None | Some(b' ')) {
        return None;
    }
    let status = std::str::from_utf8(code).ok()?.parse().ok()?;
    Some((status, String::from_utf8_lossy(reason).trim().to_owned()))
}

/// `Name: value`; a line that goes on with the one before is not taken (RFC 9112 §5.2).
fn field_line(line: &[u8]) -> Option<(String, String)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let (name, value) = (std::str::from_utf8(line.get(..colon)?).ok()?, line.get(colon + 1..)?);
    is_token(name).then(|| (name.to_owned(), String::from_utf8_lossy(value).trim().to_owned()))
}

/// RFC 9110 §5.6.2.
pub(crate) fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// What may stand in a field's value and cannot end it (RFC 9110 §5.5).
pub(crate) fn is_field_value(text: &str) -> bool {
    text.bytes().all(|byte| byte == b'\t' || !byte.is_ascii_control())
}

/// Base64 with padding (RFC 4648 §4).
pub(crate) fn base64(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0_u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = (group >> (18 - 6 * place)) & 63;
            let digit = ALPHABET.get(index as usize).filter(|_| place <= chunk.len());
            text.push(digit.copied().map_or('=', char::from));
        }
    }
    text
}

#[cfg(test)]
mod tests;
