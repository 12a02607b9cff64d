//! What the catalogue says of each entry: why it fails, what to do, and how programs put it.

use super::Id;

mod certificates;
mod client;
mod connect;
mod files;
mod network;
mod platforms;
mod server;
mod session;

/// The general words of one entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Words {
    id: Id,
    why: &'static str,
    fix: &'static str,
    /// Texts that mean this entry.
    symptoms: &'static [&'static str],
    /// Texts that mean this entry unless something else in the same text says more.
    vague: &'static [&'static str],
}

/// `A01 "why" "fix" ["symptom", …] ["vague symptom", …],`
macro_rules! words {
    ($($id:ident $why:literal $fix:literal [$($symptom:literal),* $(,)?] [$($vague:literal),* $(,)?],)*) => {
        pub(super) const WORDS: &[super::Words] = &[$(super::Words {
            id: super::super::Id::$id,
            why: $why,
            fix: $fix,
            symptoms: &[$($symptom),*],
            vague: &[$($vague),*],
        },)*];
    };
}
use words;

/// By group, in the order of the ids.
const GROUPS: [&[Words]; 8] = [
    files::WORDS,
    certificates::WORDS,
    network::WORDS,
    server::WORDS,
    client::WORDS,
    connect::WORDS,
    session::WORDS,
    platforms::WORDS,
];

impl Id {
    fn words(self) -> Option<&'static Words> {
        GROUPS.iter().flat_map(|group| group.iter()).find(|words| words.id == self)
    }

    /// Why it fails, in one sentence that holds for every case: a [`Finding`](super::Finding) says more about its own.
    #[must_use]
    pub fn why(self) -> &'static str {
        self.words().map_or_else(|| self.title(), |words| words.why)
    }

    /// What to do about it, in one sentence that holds for every case.
    #[must_use]
    pub fn fix(self) -> &'static str {
        self.words().map_or("look at both sides' logs", |words| words.fix)
    }

    /// How programs put it: pieces of the texts of OpenSSL, SChannel and .NET, Java, Node.js, Python, Go, mosquitto,
    /// paho, rustls and mbed TLS. An ellipsis stands for any characters. Each text belongs to one entry.
    #[must_use]
    pub fn symptoms(self) -> &'static [&'static str] {
        self.words().map_or(&[], |words| words.symptoms)
    }

    /// The same for texts that other entries cause as well, this one most often.
    #[must_use]
    pub fn vague_symptoms(self) -> &'static [&'static str] {
        self.words().map_or(&[], |words| words.vague)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_entry_has_words_and_stands_in_order() {
        let ids: Vec<Id> = GROUPS.iter().flat_map(|group| group.iter()).map(|words| words.id).collect();
        assert_eq!(ids, Id::ALL);
    }

    #[test]
    fn words_are_one_sentence_that_can_be_joined() {
        for id in Id::ALL {
            for text in [id.why(), id.fix()] {
                assert!(text.len() >= 15, "{id}: {text}");
                assert!(!text.ends_with('.') && !text.contains('\n') && !text.contains("  "), "{id}: {text}");
            }
        }
    }

    #[test]
    fn every_symptom_belongs_to_one_entry() {
        let mut owners = BTreeMap::new();
        for id in Id::ALL {
            for text in id.symptoms().iter().chain(id.vague_symptoms()) {
                assert!(text.trim() == *text && text.chars().count() >= 4, "{id}: {text:?}");
                if let Some(other) = owners.insert(text.to_lowercase(), id) {
                    panic!("{text:?} belongs to {other} and {id}");
                }
            }
        }
    }
}
