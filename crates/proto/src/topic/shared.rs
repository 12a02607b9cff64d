//! Shared subscriptions, and the filter of a SUBSCRIBE, which is plain or shared (MQTT 5.0 §4.8.2).

use bytestring::ByteString;

use super::{ShareFault, TopicError, TopicFilter, check_text, validated_text};

/// What a shared subscription begins with.
pub(super) const PREFIX: &str = "$share/";

/// `$share/group/filter`: each message goes to one session of the group.
#[derive(Clone)]
pub struct SharedFilter {
    text: ByteString,
    /// Length of the group's name, which follows the prefix.
    group_len: usize,
    filter: TopicFilter,
}

validated_text!(SharedFilter);

impl SharedFilter {
    /// The subscription of `group` to `filter`.
    ///
    /// # Errors
    /// If the group's name is empty or has `/`, `+`, `#` or U+0000, or the whole is longer than 65,535 bytes.
    pub fn new(group: &str, filter: &TopicFilter) -> Result<Self, TopicError> {
        if group.is_empty() {
            return Err(ShareFault::EmptyGroup.into());
        }
        // With a separator in it the group would end early and the rest would become part of the filter.
        if let Some(at) = group.find('/') {
            return Err(ShareFault::SeparatorInGroup { at: PREFIX.len() + at }.into());
        }
        Self::parse(format!("{PREFIX}{group}/{filter}").into())
    }

    fn parse(text: ByteString) -> Result<Self, TopicError> {
        check_text(&text)?;
        let rest = text.strip_prefix(PREFIX).ok_or(ShareFault::NotShared)?;
        let (group, filter) = rest.split_once('/').unwrap_or((rest, ""));
        if group.is_empty() {
            return Err(ShareFault::EmptyGroup.into());
        }
        if let Some(at) = group.find(['+', '#']) {
            return Err(ShareFault::WildcardInGroup { at: PREFIX.len() + at }.into());
        }
        if filter.is_empty() {
            return Err(ShareFault::MissingFilter.into());
        }
        let group_len = group.len();
        let filter =
            TopicFilter::parse(text.slice_ref(filter)).map_err(|error| error.shifted(PREFIX.len() + group_len + 1))?;
        Ok(Self { text, group_len, filter })
    }

    /// The whole text, `$share/group/filter`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The name of the group.
    #[must_use]
    pub fn group(&self) -> &str {
        self.text.get(PREFIX.len()..PREFIX.len() + self.group_len).unwrap_or_default()
    }

    /// The filter that decides what matches.
    #[must_use]
    pub const fn filter(&self) -> &TopicFilter {
        &self.filter
    }

    /// The whole text, without a copy.
    #[must_use]
    pub fn into_inner(self) -> ByteString {
        self.text
    }

    /// The same in memory of its own, for keeping.
    #[must_use]
    pub fn detached(&self) -> Self {
        let text = ByteString::from(self.as_str());
        let filter = self.filter.detached();
        Self { text, group_len: self.group_len, filter }
    }
}

/// The filter of a SUBSCRIBE or UNSUBSCRIBE: shared where it begins with `$share/`, plain otherwise.
///
/// MQTT 3.1.1 knows no shared subscriptions; whether its clients may use them is the server's decision.
#[derive(Clone)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these two")]
pub enum SubscriptionFilter {
    /// Every subscriber gets each message.
    Plain(TopicFilter),
    /// One member of the group gets each message.
    Shared(SharedFilter),
}

validated_text!(SubscriptionFilter);

impl SubscriptionFilter {
    fn parse(text: ByteString) -> Result<Self, TopicError> {
        if text.starts_with(PREFIX) {
            SharedFilter::parse(text).map(Self::Shared)
        } else {
            TopicFilter::parse(text).map(Self::Plain)
        }
    }

    /// The whole text as the client sent it.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Plain(filter) => filter.as_str(),
            Self::Shared(shared) => shared.as_str(),
        }
    }

    /// The filter that decides what matches, without the group.
    #[must_use]
    pub const fn filter(&self) -> &TopicFilter {
        match self {
            Self::Plain(filter) => filter,
            Self::Shared(shared) => shared.filter(),
        }
    }

    /// The name of the group, if it is shared.
    #[must_use]
    pub fn group(&self) -> Option<&str> {
        match self {
            Self::Plain(_) => None,
            Self::Shared(shared) => Some(shared.group()),
        }
    }

    /// The whole text, without a copy.
    #[must_use]
    pub fn into_inner(self) -> ByteString {
        match self {
            Self::Plain(filter) => filter.into_inner(),
            Self::Shared(shared) => shared.into_inner(),
        }
    }

    /// The same in memory of its own, for keeping.
    #[must_use]
    pub fn detached(&self) -> Self {
        match self {
            Self::Plain(filter) => Self::Plain(filter.detached()),
            Self::Shared(shared) => Self::Shared(shared.detached()),
        }
    }
}

impl From<TopicFilter> for SubscriptionFilter {
    fn from(filter: TopicFilter) -> Self {
        Self::Plain(filter)
    }
}

impl From<SharedFilter> for SubscriptionFilter {
    fn from(filter: SharedFilter) -> Self {
        Self::Shared(filter)
    }
}

#[cfg(test)]
mod tests;
