//! Why a text is no topic name and no topic filter.

/// Why a text is refused. Positions count bytes from the start of the whole text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TopicError {
    /// No character at all [MQTT-4.7.3-1].
    #[error("the topic is empty; give at least one character")]
    Empty,
    /// More than [`MAX_TOPIC_BYTES`](super::MAX_TOPIC_BYTES) [MQTT-4.7.3-3].
    #[error("the topic has {bytes} bytes; shorten it to 65535")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// The character U+0000 [MQTT-4.7.3-2].
    #[error("the topic contains the character U+0000; remove it")]
    Nul,
    /// `+` or `#` in a topic name [MQTT-4.7.0-1].
    #[error("the topic name has a wildcard at byte {at}; name one topic without '+' and '#'")]
    Wildcard {
        /// Where.
        at: usize,
    },
    /// `+` that shares its level, or `#` that is not alone in the last level [MQTT-4.7.1-1], [MQTT-4.7.1-2].
    #[error("the wildcard at byte {at} is misplaced; '+' must be a whole level, '#' the whole last level")]
    MisplacedWildcard {
        /// Where.
        at: usize,
    },
    /// A malformed shared subscription, or one where only a plain filter can stand (MQTT 5.0 §4.8.2).
    #[error("{fault}; write $share/group/filter")]
    Share {
        /// What is wrong with it.
        fault: ShareFault,
    },
}

/// What is wrong with a text that begins with `$share/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ShareFault {
    /// The name of the group has no character [MQTT-4.8.2-1].
    #[error("the shared subscription's group has no name")]
    EmptyGroup,
    /// `+` or `#` in the name of the group [MQTT-4.8.2-2].
    #[error("the shared subscription's group has a wildcard at byte {at}")]
    WildcardInGroup {
        /// Where.
        at: usize,
    },
    /// `/` in the name of the group [MQTT-4.8.2-2]; in a parsed text it ends the name.
    #[error("the shared subscription's group has a '/' at byte {at}")]
    SeparatorInGroup {
        /// Where.
        at: usize,
    },
    /// Nothing follows the name of the group [MQTT-4.8.2-2].
    #[error("the shared subscription has no filter after its group")]
    MissingFilter,
    /// The text does not begin with `$share/`.
    #[error("this is no shared subscription")]
    NotShared,
    /// `$share/` where a plain filter must stand: inside another shared subscription, or in a [`TopicFilter`].
    ///
    /// [`TopicFilter`]: super::TopicFilter
    #[error("a shared subscription cannot stand where a plain filter is expected")]
    NotPlain,
}

impl TopicError {
    /// The same error in a text that begins `bytes` earlier.
    pub(super) const fn shifted(self, bytes: usize) -> Self {
        match self {
            Self::Wildcard { at } => Self::Wildcard { at: at + bytes },
            Self::MisplacedWildcard { at } => Self::MisplacedWildcard { at: at + bytes },
            other => other,
        }
    }
}

impl From<ShareFault> for TopicError {
    fn from(fault: ShareFault) -> Self {
        Self::Share { fault }
    }
}
