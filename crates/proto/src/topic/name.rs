//! Topic names: what a message is published to.

use bytestring::ByteString;

use super::{MAX_TOPIC_BYTES, TopicError, check_text, validated_text};

/// The name of one topic: 1 to 65,535 bytes of UTF-8 without U+0000 and without wildcards (MQTT 5.0 §4.7).
///
/// Compared byte by byte; nothing is normalised [MQTT-4.7.3-4]. Cloning does not copy the text.
#[derive(Clone)]
pub struct TopicName(ByteString);

validated_text!(TopicName);

impl TopicName {
    fn parse(text: ByteString) -> Result<Self, TopicError> {
        // Almost all are good, and looking at every byte alike is quick.
        let suspect = |found, &byte: &u8| found | matches!(byte, 0 | b'+' | b'#');
        if !text.is_empty() && text.len() <= MAX_TOPIC_BYTES && !text.as_bytes().iter().fold(false, suspect) {
            return Ok(Self(text));
        }
        check_text(&text)?;
        if let Some(at) = text.bytes().position(|byte| matches!(byte, b'+' | b'#')) {
            return Err(TopicError::Wildcard { at });
        }
        Ok(Self(text))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The text as UTF-8.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.as_str().as_bytes()
    }

    /// The text, without a copy.
    #[must_use]
    pub fn into_inner(self) -> ByteString {
        self.0
    }

    /// The levels, of which there is at least one; a level may be empty.
    pub fn levels(&self) -> impl Iterator<Item = &str> {
        self.as_str().split('/')
    }

    /// How many levels there are.
    #[must_use]
    pub fn level_count(&self) -> usize {
        self.levels().count()
    }

    /// Whether the name begins with `$`, so that no filter with a leading wildcard matches it [MQTT-4.7.2-1].
    #[must_use]
    pub fn is_reserved(&self) -> bool {
        self.as_str().starts_with('$')
    }

    /// The same name in memory of its own, for keeping: a decoded name shares the buffer that it arrived in.
    #[must_use]
    pub fn detached(&self) -> Self {
        Self(ByteString::from(self.as_str()))
    }
}

#[cfg(test)]
mod tests;
