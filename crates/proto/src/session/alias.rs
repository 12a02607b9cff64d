//! Topic aliases (MQTT 5.0 §3.3.2.3.4), one table per direction and connection.

use std::collections::HashMap;
use std::num::NonZeroU16;

use super::rules;
use crate::error::statements;
use crate::message::TopicAliasUse;
use crate::packet::Publish;
use crate::{SpecViolation, TopicName};

/// Aliases that the peer sets.
#[derive(Debug, Default)]
pub(crate) struct InboundAliases {
    maximum: u16,
    topics: HashMap<NonZeroU16, TopicName>,
}

impl InboundAliases {
    /// `maximum`: the Topic Alias Maximum that this side announced; it bounds the table.
    pub(crate) fn new(maximum: u16) -> Self {
        Self { maximum, topics: HashMap::new() }
    }

    /// The topic of `publish`, learning or using its alias.
    pub(crate) fn resolve(&mut self, publish: &mut Publish) -> Result<TopicName, SpecViolation> {
        let Some(alias) = publish.topic_alias.take() else {
            return publish.topic.take().ok_or_else(|| SpecViolation::of(&rules::TOPIC_MISSING));
        };
        if alias.get() > self.maximum {
            return Err(SpecViolation::of(&statements::TOPIC_ALIAS_TOO_LARGE));
        }
        match publish.topic.take() {
            Some(topic) => {
                self.topics.insert(alias, topic.clone());
                Ok(topic)
            }
            None => self.topics.get(&alias).cloned().ok_or_else(|| SpecViolation::of(&statements::TOPIC_ALIAS_UNKNOWN)),
        }
    }
}

/// Aliases that this side sets: the first topics get one each until the peer's maximum is reached.
#[derive(Debug, Default)]
pub(crate) struct OutboundAliases {
    maximum: u16,
    aliases: HashMap<TopicName, NonZeroU16>,
    /// The topic that was asked for last: many publish to one again and again.
    latest: Option<(TopicName, NonZeroU16)>,
}

impl OutboundAliases {
    /// `maximum`: the peer's Topic Alias Maximum, or less.
    pub(crate) fn new(maximum: u16) -> Self {
        Self { maximum, aliases: HashMap::new(), latest: None }
    }

    /// Whether the peer takes any.
    pub(crate) const fn any(&self) -> bool {
        self.maximum != 0
    }

    /// How to write `topic` on the wire.
    pub(crate) fn choose(&mut self, topic: &TopicName) -> Option<TopicAliasUse> {
        if self.maximum == 0 {
            return None;
        }
        if let Some((_, alias)) = self.latest.as_ref().filter(|(latest, _)| latest == topic) {
            return Some(TopicAliasUse { alias: *alias, send_topic: false });
        }
        if let Some((topic, &alias)) = self.aliases.get_key_value(topic) {
            self.latest = Some((topic.clone(), alias));
            return Some(TopicAliasUse { alias, send_topic: false });
        }
        let next = u16::try_from(self.aliases.len()).ok()?.checked_add(1)?;
        let alias = NonZeroU16::new(next).filter(|alias| alias.get() <= self.maximum)?;
        self.aliases.insert(topic.clone(), alias);
        Some(TopicAliasUse { alias, send_topic: true })
    }
}
