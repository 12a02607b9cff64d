//! Which topics are carried, and what they are called on either side.

use gridmq_proto::{QoS, TopicFilter, TopicName};

/// Topics to carry: a filter, and a prefix that stands before it on each side.
///
/// With the filter `+/temperature`, the local prefix `plant/` and the remote prefix `sites/berlin/`, what is
/// `plant/7/temperature` here is `sites/berlin/7/temperature` there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapping {
    qos: QoS,
    local: Side,
    remote: Side,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Side {
    prefix: String,
    /// With the prefix.
    filter: TopicFilter,
}

/// Why there is no such mapping. Its writer's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MappingError {
    /// The filter is for a shared subscription.
    #[error(
        "the filter '{0}' is of a shared subscription, which a bridge does not make: leave $share and the group out"
    )]
    Shared(String),
    /// The QoS is 2.
    #[error("a bridge carries messages at QoS 1 at most, each at least once: give QoS 1")]
    Qos,
    /// A prefix has a wildcard.
    #[error("the prefix '{0}' has a wildcard: + and # belong into the filter")]
    Wildcard(String),
    /// A prefix does not end a level.
    #[error("the prefix '{0}' must be empty or end with '/', since it stands before the topic as it is")]
    Unfinished(String),
    /// With a prefix the filter is none.
    #[error("'{filter}' is no topic filter: {why}")]
    Filter {
        /// With its prefix.
        filter: String,
        /// What is wrong with it.
        why: gridmq_proto::topic::TopicError,
    },
}

impl Side {
    fn new(prefix: &str, filter: &str) -> Result<Self, MappingError> {
        if prefix.contains(['+', '#']) {
            return Err(MappingError::Wildcard(prefix.to_owned()));
        }
        if !prefix.is_empty() && !prefix.ends_with('/') {
            return Err(MappingError::Unfinished(prefix.to_owned()));
        }
        let whole = format!("{prefix}{filter}");
        match TopicFilter::try_from(whole.as_str()) {
            Ok(filter) => Ok(Self { prefix: prefix.to_owned(), filter }),
            Err(why) => Err(MappingError::Filter { filter: whole, why }),
        }
    }

    /// The same topic on the other side; `None`: the topic is not this mapping's, or would be too long there.
    fn translate(&self, topic: &TopicName, to: &Self) -> Option<TopicName> {
        if !self.filter.matches(topic) {
            return None;
        }
        if self.prefix == to.prefix {
            return Some(topic.clone());
        }
        // `plant/#` matches `plant` too, which has no rest that could be put behind another prefix.
        let rest = topic.as_str().strip_prefix(&*self.prefix)?;
        TopicName::try_from(format!("{}{rest}", to.prefix)).ok()
    }
}

impl Mapping {
    /// A mapping. `filter` is what lies behind either prefix; a prefix is empty or ends with `/`. `qos` is the highest
    /// that messages are carried with, 0 or 1: what is published at QoS 2 is carried at QoS 1.
    ///
    /// # Errors
    /// When a prefix or the filter is none, or the QoS is 2.
    pub fn new(filter: &str, qos: QoS, local_prefix: &str, remote_prefix: &str) -> Result<Self, MappingError> {
        if qos == QoS::ExactlyOnce {
            return Err(MappingError::Qos);
        }
        if filter.starts_with("$share/") || local_prefix.starts_with("$share/") || remote_prefix.starts_with("$share/")
        {
            return Err(MappingError::Shared(format!("{local_prefix}{filter}")));
        }
        Ok(Self { qos, local: Side::new(local_prefix, filter)?, remote: Side::new(remote_prefix, filter)? })
    }

    /// The highest QoS.
    #[must_use]
    pub const fn qos(&self) -> QoS {
        self.qos
    }

    /// The filter as it is in the local broker.
    #[must_use]
    pub const fn local_filter(&self) -> &TopicFilter {
        &self.local.filter
    }

    /// The filter as it is in the remote broker.
    #[must_use]
    pub const fn remote_filter(&self) -> &TopicFilter {
        &self.remote.filter
    }

    /// What a local topic is called there, if it is this mapping's.
    #[must_use]
    pub fn to_remote(&self, topic: &TopicName) -> Option<TopicName> {
        self.local.translate(topic, &self.remote)
    }

    /// What a remote topic is called here, if it is this mapping's.
    #[must_use]
    pub fn to_local(&self, topic: &TopicName) -> Option<TopicName> {
        self.remote.translate(topic, &self.local)
    }
}

/// Whether there can be a topic that both filters match.
pub(crate) fn overlap(one: &TopicFilter, other: &TopicFilter) -> bool {
    let (mut one, mut other) = (one.levels(), other.levels());
    loop {
        match (one.next(), other.next()) {
            (Some("#"), _) | (_, Some("#")) | (None, None) => return true,
            (Some(a), Some(b)) if a == "+" || b == "+" || a == b => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> TopicName {
        TopicName::try_from(text).unwrap()
    }

    fn filter(text: &str) -> TopicFilter {
        TopicFilter::try_from(text).unwrap()
    }

    #[test]
    fn a_topic_changes_its_prefix_and_comes_back() {
        let mapping = Mapping::new("+/temperature", QoS::AtLeastOnce, "plant/", "sites/berlin/").unwrap();
        let (here, there) = (topic("plant/7/temperature"), topic("sites/berlin/7/temperature"));
        assert_eq!(mapping.to_remote(&here), Some(there.clone()));
        assert_eq!(mapping.to_local(&there), Some(here));
        assert_eq!(mapping.to_remote(&topic("plant/7/pressure")), None);
        assert_eq!(mapping.to_remote(&topic("other/7/temperature")), None);
    }

    #[test]
    fn the_parent_of_a_multi_level_wildcard_is_carried_where_it_has_a_name() {
        let mapping = Mapping::new("#", QoS::AtLeastOnce, "plant/", "sites/").unwrap();
        assert_eq!(mapping.to_remote(&topic("plant")), None);
        let same = Mapping::new("plant/#", QoS::AtLeastOnce, "", "").unwrap();
        assert_eq!(same.to_remote(&topic("plant")), Some(topic("plant")));
    }

    #[test]
    fn a_mapping_that_cannot_be_is_refused_with_the_cure() {
        let told =
            |filter, local, remote| Mapping::new(filter, QoS::AtMostOnce, local, remote).unwrap_err().to_string();
        assert!(told("#", "plant", "").contains("end with '/'"));
        assert!(told("#", "", "a/+/").contains("belong into the filter"));
        assert!(told("$share/g/a", "", "").contains("leave $share"));
        assert!(told("a/#/b", "", "").contains("'a/#/b' is no topic filter"));
        assert!(told("", "", "").contains("is no topic filter"));
        assert_eq!(Mapping::new("#", QoS::ExactlyOnce, "", ""), Err(MappingError::Qos));
    }

    #[test]
    fn filters_overlap_where_one_topic_can_match_both() {
        for (one, other, expected) in [
            ("a/b", "a/b", true),
            ("a/+", "+/b", true),
            ("a/#", "a", true),
            ("#", "a/b/c", true),
            ("a/b", "a/c", false),
            ("a/+", "a/b/c", false),
            ("a/+/c", "a/b/d", false),
        ] {
            assert_eq!(overlap(&filter(one), &filter(other)), expected, "{one} {other}");
            assert_eq!(overlap(&filter(other), &filter(one)), expected, "{other} {one}");
        }
    }
}
