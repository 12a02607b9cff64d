//! Topic filters: what a subscription asks for, and what an authorization allows.

use bytestring::ByteString;

use super::{ShareFault, TopicError, TopicName, check_text, validated_text};

/// A filter without a group: levels, `+` for any one level, a final `#` for any number of them (MQTT 5.0 §4.7.1).
///
/// 1 to 65,535 bytes of UTF-8 without U+0000. A text that begins with `$share/` is no plain filter; it is a
/// [`SharedFilter`](super::SharedFilter). Compared byte by byte [MQTT-4.7.3-4]. Cloning does not copy the text.
#[derive(Clone)]
pub struct TopicFilter(ByteString);

validated_text!(TopicFilter);

impl TopicFilter {
    pub(super) fn parse(text: ByteString) -> Result<Self, TopicError> {
        check_text(&text)?;
        if text.starts_with(super::shared::PREFIX) {
            return Err(ShareFault::NotPlain.into());
        }
        match misplaced_wildcard(&text) {
            Some(at) => Err(TopicError::MisplacedWildcard { at }),
            None => Ok(Self(text)),
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text, without a copy.
    #[must_use]
    pub fn into_inner(self) -> ByteString {
        self.0
    }

    /// The levels, wildcards among them, of which there is at least one; a level may be empty.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }

    /// How many levels there are, wildcards among them.
    #[must_use]
    pub fn level_count(&self) -> usize {
        self.levels().count()
    }

    /// Whether there is no wildcard, so that at most one topic matches.
    #[must_use]
    pub fn is_literal(&self) -> bool {
        !self.has_wildcard()
    }

    /// Whether there is a `+` or a `#`.
    #[must_use]
    pub fn has_wildcard(&self) -> bool {
        self.as_str().contains(['+', '#'])
    }

    /// The levels before the first wildcard, with their last `/`; the whole text if there is no wildcard.
    ///
    /// Every topic that matches begins with this, but for the one that [`parent_topic`](Self::parent_topic) gives.
    #[must_use]
    pub fn literal_prefix(&self) -> &str {
        self.as_str().split_once(['+', '#']).map_or(self.as_str(), |(prefix, _)| prefix)
    }

    /// For `a/b/#` the topic `a/b`, which matches without beginning with the literal prefix.
    #[must_use]
    pub fn parent_topic(&self) -> Option<&str> {
        self.as_str().strip_suffix("/#").filter(|parent| !parent.is_empty() && !parent.contains('+'))
    }

    /// Whether the topic is one of those that this filter stands for.
    #[must_use]
    pub fn matches(&self, topic: &TopicName) -> bool {
        // A name has no wildcards, so a filter with one is another text.
        if self.as_str() == topic.as_str() {
            return true;
        }
        if topic.is_reserved() && self.leads_with_wildcard() {
            return false;
        }
        let mut names = topic.levels();
        for level in self.levels() {
            if level == "#" {
                return true;
            }
            match names.next() {
                Some(name) if level == "+" || level == name => {}
                _ => return false,
            }
        }
        names.next().is_none()
    }

    /// Whether every topic that `other` matches, this matches too.
    ///
    /// Exact, but that it takes no account of the greatest length of a topic.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        if self.leads_with_wildcard() && other.as_str().starts_with('$') {
            return false;
        }
        let (mut ours, mut theirs) = (self.levels(), other.levels());
        while let Some(level) = ours.next() {
            if level == "#" {
                return true;
            }
            match theirs.next() {
                // Their `#` also stands for no level at all, but where that would leave the empty text, no topic.
                Some("#") => return level == "+" && ours.next() == Some("#") && matches!(other.as_str(), "#" | "/#"),
                Some(their) if level == "+" || level == their => {}
                _ => return false,
            }
        }
        theirs.next().is_none()
    }

    /// The same filter in memory of its own, for keeping: a decoded filter shares the buffer that it arrived in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }

    fn leads_with_wildcard(&self) -> bool {
        self.as_str().starts_with(['+', '#'])
    }
}

/// The first wildcard that is not a level of its own, or is a `#` before the last level.
fn misplaced_wildcard(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().position(|(at, byte)| {
        let starts = || at.checked_sub(1).is_none_or(|before| bytes.get(before) == Some(&b'/'));
        let after = || bytes.get(at + 1);
        match byte {
            b'+' => !starts() || after().is_some_and(|next| *next != b'/'),
            b'#' => !starts() || after().is_some(),
            _ => false,
        }
    })
}

#[cfg(test)]
mod tests;
