//! The sections of a PEM text (RFC 7468), read generously.

use rustls::pki_types::pem::{PemObject, SectionKind};
use zeroize::Zeroizing;

use super::MAX_PIECES;
use super::oddity::Oddity;
use crate::pem::PemError;

const BEGIN: &[u8] = b"-----BEGIN ";
const DASHES: &[u8] = b"-----";

/// The sections of a text, and what is wrong with it.
pub(super) struct Scan<'a> {
    pub(super) sections: Vec<Section<'a>>,
    pub(super) oddities: Vec<Oddity>,
    pub(super) damage: Option<PemError>,
}

pub(super) struct Section<'a> {
    pub(super) label: &'a [u8],
    body: &'a [u8],
    /// Of its BEGIN, from 1.
    pub(super) line: usize,
}

/// Takes time in proportion to the text, whatever it is.
pub(super) fn scan(text: &[u8]) -> Scan<'_> {
    let mut scan = Scan { sections: Vec::new(), oddities: Vec::new(), damage: None };
    let (mut rest, mut line) = (text, 1);
    let (mut lost, mut indented) = (false, None);
    while let Some(start) = find(rest, BEGIN) {
        let before = rest.get(..start).unwrap_or_default();
        scan.near_misses(before, line);
        line += breaks(before);
        if indented.is_none() && matches!(before.last(), Some(b' ' | b'\t')) && blank_since_break(before) {
            indented = Some(line);
        }
        let after = rest.get(start + BEGIN.len()..).unwrap_or_default();
        let own = after.get(..find(after, BEGIN).unwrap_or(after.len())).unwrap_or_default();
        let Some((label, body)) = label(own) else {
            scan.wrong_dashes(line, false);
            line += breaks(own);
            rest = after.get(own.len()..).unwrap_or_default();
            continue;
        };
        let end_line = [b"-----END ", label, DASHES].concat();
        let Some(end) = find(body, &end_line) else {
            let last_line = line + breaks(own);
            scan.cut_off(label, line, last_line);
            line = last_line;
            rest = after.get(own.len()..).unwrap_or_default();
            continue;
        };
        let body = body.get(..end).unwrap_or_default();
        lost |= body.len() > 100 && !body.contains(&b'\n');
        if scan.sections.len() > MAX_PIECES {
            scan.damage.get_or_insert(PemError::TooMany);
            return scan;
        }
        scan.sections.push(Section { label, body, line });
        let consumed = BEGIN.len() + label.len() + DASHES.len() + end + end_line.len();
        let section = rest.get(start..start + consumed).unwrap_or_default();
        line += breaks(section);
        rest = rest.get(start + consumed..).unwrap_or_default();
    }
    scan.near_misses(rest, line);
    if lost {
        scan.oddities.push(Oddity::LostLineBreaks);
    }
    if let Some(line) = indented {
        scan.oddities.push(Oddity::Indented { line });
    }
    if scan.sections.is_empty() && scan.damage.is_none() {
        // A header with nothing like dashes before it.
        if let Some(at) = find(text, b"BEGIN ").filter(|_| find(text, b"END ").is_some()) {
            scan.wrong_dashes(1 + breaks(text.get(..at).unwrap_or_default()), false);
        }
    }
    scan
}

impl Scan<'_> {
    fn wrong_dashes(&mut self, line: usize, typographic: bool) {
        if self.oddities.len() < 16 {
            self.oddities.push(Oddity::WrongDashes { line, typographic });
        }
        self.damage.get_or_insert(PemError::NearlyHeader { line });
    }

    fn cut_off(&mut self, label: &[u8], line: usize, last_line: usize) {
        let label = String::from_utf8_lossy(label).into_owned();
        if self.oddities.len() < 16 {
            self.oddities.push(Oddity::CutOff { label: label.clone(), line, last_line });
        }
        self.damage.get_or_insert(PemError::CutOff { label, line });
    }

    /// Lines between sections that begin with some kind of dashes and BEGIN.
    fn near_misses(&mut self, between: &[u8], first_line: usize) {
        for (number, line) in between.split(|byte| *byte == b'\n').enumerate() {
            let Some(at) = find(line.get(..line.len().min(80)).unwrap_or_default(), b"BEGIN ") else { continue };
            let lead = line.get(..at).unwrap_or_default().trim_ascii();
            let Ok(lead) = std::str::from_utf8(lead) else { continue };
            let dash = |character| matches!(character, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{ad}');
            if !lead.is_empty() && lead.chars().all(|character| dash(character) || character == ' ') {
                self.wrong_dashes(first_line + number, !lead.is_ascii());
            }
        }
    }
}

fn label(after_begin: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = find(after_begin.get(..after_begin.len().min(80)).unwrap_or_default(), DASHES)?;
    let label = after_begin.get(..end)?;
    let plain = label.len() <= 64 && label.iter().all(|byte| (0x20..0x7f).contains(byte));
    plain.then_some((label, after_begin.get(end + DASHES.len()..)?))
}

impl Section<'_> {
    /// Is it OpenSSL's traditional encryption (RFC 1421 headers)?
    pub(super) fn is_encrypted(&self) -> bool {
        let head = self.body.get(..self.body.len().min(256)).unwrap_or_default();
        find(head, b"4,ENCRYPTED").is_some()
    }

    /// Decodes the body, whatever its line breaks were.
    pub(super) fn decode(&self) -> Result<Zeroizing<Vec<u8>>, PemError> {
        base64(self.body).ok_or_else(|| PemError::BadBase64 {
            label: String::from_utf8_lossy(self.label).into_owned(),
            line: self.line,
        })
    }
}

/// The decoder of the PEM library takes the same time for every key.
fn base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let mut canonical = Zeroizing::new(Vec::with_capacity(text.len() + 64));
    canonical.extend_from_slice(b"-----BEGIN PRIVATE KEY-----\n");
    canonical.extend(text.iter().copied().filter(|byte| !byte.is_ascii_whitespace()));
    canonical.extend_from_slice(b"\n-----END PRIVATE KEY-----\n");
    match <(SectionKind, Vec<u8>)>::from_pem_slice(&canonical) {
        Ok((SectionKind::PrivateKey, der)) if !der.is_empty() => Some(Zeroizing::new(der)),
        _ => None,
    }
}

/// A text that is base64 and nothing else, decoded; of the length of a certificate or key at least.
pub(super) fn bare_base64(text: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let trimmed = text.trim_ascii();
    let trimmed = match trimmed {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => trimmed,
    };
    let alphabet =
        |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'=') || byte.is_ascii_whitespace();
    (trimmed.len() >= 32 && trimmed.iter().all(alphabet)).then(|| base64(trimmed)).flatten()
}

fn blank_since_break(before: &[u8]) -> bool {
    before.iter().rev().take_while(|byte| **byte != b'\n').all(|byte| matches!(byte, b' ' | b'\t'))
}

fn breaks(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}
