//! Recognises the error texts of other programs.
//!
//! The texts are the catalogue's ([`Id::symptoms`]); numbers of alerts, of OpenSSL's errors and of CONNACK are read as
//! numbers. It is a search, not a proof: the best match comes first, and what it is often mistaken for comes last.

use std::fmt;
use std::sync::LazyLock;

use gridmq_tls::Id;
use gridmq_tls::catalogue::Stage;

mod numbers;
mod related;

/// How much of a text is looked at: 64 KiB.
pub const MAX_TEXT: usize = 64 * 1024;
/// How many entries a text is given at most.
const MAX_MATCHES: usize = 8;
/// How far apart the pieces of one symptom may stand, in bytes.
const MAX_GAP: usize = 400;
/// At how many places the rest of such a symptom is looked for.
const MAX_STARTS: usize = 16;

/// How sure a match is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Confidence {
    /// Another cause of what the best match shows.
    Related,
    /// The text has several causes, this one most often.
    Possible,
    /// The text is short, or other programs use it too.
    Likely,
    /// The text or number is this entry's own.
    Sure,
}

impl Confidence {
    /// `related`, `possible`, `likely` or `sure`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Related => "related",
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Sure => "sure",
        }
    }
}

impl fmt::Display for Confidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// An entry that a text may mean.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Match {
    /// The entry.
    pub id: Id,
    /// How sure it is.
    pub confidence: Confidence,
    /// What was recognised, the most telling first; for a related entry, in what it differs.
    pub matched: Vec<String>,
    score: usize,
}

/// What the entries are recognised by.
struct Symptom {
    id: Id,
    vague: bool,
    text: &'static str,
    /// In lower case, one space for any white space; all of them must follow each other.
    pieces: Vec<String>,
}

static SYMPTOMS: LazyLock<Vec<Symptom>> = LazyLock::new(|| {
    let mut all = Vec::new();
    for id in Id::ALL.iter().copied() {
        let texts = id.symptoms().iter().map(|text| (false, *text));
        for (vague, text) in texts.chain(id.vague_symptoms().iter().map(|text| (true, *text))) {
            let pieces = text.split('…').map(normal).filter(|piece| !piece.is_empty()).collect();
            all.push(Symptom { id, vague, text, pieces });
        }
    }
    all
});

/// The entries of the catalogue that a text may mean, the best first; none if nothing was recognised.
///
/// Looks at the first [`MAX_TEXT`] bytes.
#[must_use]
pub fn explain(text: &str) -> Vec<Match> {
    let text = normal(text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or(text));
    let mut found: Vec<Match> = Vec::new();
    for symptom in SYMPTOMS.iter().filter(|symptom| symptom.is_in(&text)) {
        let length: usize = symptom.pieces.iter().map(String::len).sum();
        let (score, confidence) = match (symptom.vague, length) {
            (true, _) => (length.min(15), Confidence::Possible),
            (false, 0..10) => (20 + length, Confidence::Likely),
            (false, _) => (20 + length.min(60), Confidence::Sure),
        };
        add(&mut found, symptom.id, confidence, score, symptom.text.to_owned());
    }
    for (id, what) in numbers::read(&text) {
        add(&mut found, id, Confidence::Sure, 42, what);
    }
    // Several signs of the same are more than the strongest of them.
    for one in &mut found {
        one.score += 4 * one.matched.len().saturating_sub(1).min(3);
    }
    found.sort_by(|a, b| b.score.cmp(&a.score).then(a.id.cmp(&b.id)));
    // In MQTT's words "Connection refused" begins the reason of a CONNACK; TCP gives none.
    if found.first().is_some_and(|best| best.id.stage() == Stage::Connect && best.confidence == Confidence::Sure) {
        found.retain(|one| one.id != Id::C02 || one.confidence != Confidence::Possible);
    }
    found.truncate(MAX_MATCHES);
    if let Some(best) = found.first().filter(|best| best.confidence >= Confidence::Likely) {
        for (id, difference) in related::to(best.id) {
            if found.len() < MAX_MATCHES && found.iter().all(|one| one.id != *id) {
                let matched = vec![(*difference).to_owned()];
                found.push(Match { id: *id, confidence: Confidence::Related, matched, score: 0 });
            }
        }
    }
    found
}

fn add(found: &mut Vec<Match>, id: Id, confidence: Confidence, score: usize, what: String) {
    let Some(known) = found.iter_mut().find(|known| known.id == id) else {
        found.push(Match { id, confidence, matched: vec![what], score });
        return;
    };
    if known.matched.contains(&what) {
        return;
    }
    known.confidence = known.confidence.max(confidence);
    if score > known.score {
        known.score = score;
        known.matched.insert(0, what);
    } else {
        known.matched.push(what);
    }
}

impl Symptom {
    fn is_in(&self, text: &str) -> bool {
        let Some((first, rest)) = self.pieces.split_first() else { return false };
        let mut from = 0;
        for _ in 0..MAX_STARTS {
            let Some(end) = find(text, first, from) else { return false };
            if follow(text, rest, end) {
                return true;
            }
            from = end;
        }
        false
    }
}

/// Do the pieces follow each other from `from` on?
fn follow(text: &str, pieces: &[String], mut from: usize) -> bool {
    for piece in pieces {
        let end = text.floor_char_boundary(from.saturating_add(MAX_GAP + piece.len()).min(text.len()));
        let near = text.get(..end).unwrap_or(text);
        match find(near, piece, from) {
            Some(end) => from = end,
            None => return false,
        }
    }
    true
}

/// The end of the first occurrence of `piece` at or after `from` that is not a part of a longer word.
fn find(text: &str, piece: &str, mut from: usize) -> Option<usize> {
    loop {
        let start = from + text.get(from..)?.find(piece)?;
        let end = start + piece.len();
        let word = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric());
        let before = text.get(..start)?.chars().next_back();
        let after = text.get(end..)?.chars().next();
        let inside = (word(before) && word(piece.chars().next())) || (word(after) && word(piece.chars().next_back()));
        if !inside {
            return Some(end);
        }
        from = start + piece.chars().next().map_or(1, char::len_utf8);
    }
}

/// Lower case, one space for any run of white space and control characters, straight quotes.
fn normal(text: &str) -> String {
    let mut normal = String::with_capacity(text.len());
    let mut space = true;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() {
            if !space {
                normal.push(' ');
            }
            space = true;
            continue;
        }
        space = false;
        normal.push(match c {
            '\u{2018}' | '\u{2019}' => '\'',
            '\u{201c}' | '\u{201d}' => '"',
            c => c.to_ascii_lowercase(),
        });
    }
    if normal.ends_with(' ') {
        normal.pop();
    }
    normal
}

#[cfg(test)]
mod tests;
