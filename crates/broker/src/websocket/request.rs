//! The head of an HTTP/1.1 request, as far as an upgrade needs it (RFC 9112 sections 2 to 5).

use super::Refusal;

/// The longest head, in bytes.
pub(super) const MAX_HEAD: usize = 8 * 1024;

/// A head, in the bytes that it was read from.
#[derive(Debug)]
pub(super) struct Request<'a> {
    pub(super) method: &'a str,
    target: &'a str,
    fields: Vec<(&'a str, &'a str)>,
}

/// How long the head is that these bytes begin with, the empty line included; nothing while more is to come.
pub(super) fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'\n' {
            // A lone LF ends a line too (RFC 9112 section 2.2).
            if matches!(bytes.get(line..at), Some(b"" | b"\r")) && line > 0 {
                return Some(at + 1);
            }
            line = at + 1;
        }
    }
    None
}

/// Whether this can be the beginning of a request: TLS and MQTT are not.
pub(super) fn may_be_http(bytes: &[u8]) -> bool {
    bytes.iter().take(4).all(u8::is_ascii_uppercase) || bytes.starts_with(b"GET ")
}

impl<'a> Request<'a> {
    pub(super) fn parse(head: &'a [u8]) -> Result<Self, Refusal> {
        let head = str::from_utf8(head).map_err(|_| Refusal::Malformed)?;
        let mut lines = head.lines().take_while(|line| !line.is_empty());
        let mut words = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target), Some("HTTP/1.1"), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(Refusal::Malformed);
        };
        let fields = lines.map(|line| {
            // A line that goes on with the one before is not taken (RFC 9112 section 5.2).
            let (name, value) = line.split_once(':').ok_or(Refusal::Malformed)?;
            let bad = name.is_empty() || name.contains(|c: char| !c.is_ascii_graphic());
            if bad { Err(Refusal::Malformed) } else { Ok((name, value.trim())) }
        });
        Ok(Self { method, target, fields: fields.collect::<Result<_, _>>()? })
    }

    /// Without what is behind a `?`; of an absolute target, without the server.
    pub(super) fn path(&self) -> &'a str {
        let target = self.target.split_once('?').map_or(self.target, |(path, _)| path);
        match target.split_once("://") {
            Some((_, rest)) => rest.find('/').and_then(|at| rest.get(at..)).unwrap_or("/"),
            None => target,
        }
    }

    /// The values of that field.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.fields.iter().filter(move |(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// What is in the lists of that field.
    pub(super) fn tokens(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.all(name).flat_map(|value| value.split(',')).map(str::trim)
    }
}
