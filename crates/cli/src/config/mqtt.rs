//! What `[mqtt]` of `gridmq serve` is told.

use std::time::Duration;

use gridmq_broker::SharedStrategy;
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::section::section;
use super::value::{Span, Value, quoted};

/// Below this, counters would be most of what a small broker sends.
const SHORTEST: Duration = Duration::from_secs(1);

/// Which member of a shared subscription gets a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Sharing {
    #[default]
    RoundRobin,
    Random,
    LeastInFlight,
    StickyByPublisher,
    StickyByTopic,
}

impl Value for Sharing {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::RoundRobin => "round-robin",
            Self::Random => "random",
            Self::LeastInFlight => "least-in-flight",
            Self::StickyByPublisher => "sticky-by-publisher",
            Self::StickyByTopic => "sticky-by-topic",
        }))
    }
}

impl From<Sharing> for SharedStrategy {
    fn from(sharing: Sharing) -> Self {
        match sharing {
            Sharing::RoundRobin => Self::RoundRobin,
            Sharing::Random => Self::Random,
            Sharing::LeastInFlight => Self::LeastInFlight,
            Sharing::StickyByPublisher => Self::StickyByPublisher,
            Sharing::StickyByTopic => Self::StickyByTopic,
        }
    }
}

section! {
    /// What MQTT leaves to the broker.
    Mqtt {
        /// Which member of a shared subscription gets a message: round-robin; random; least-in-flight, the one with the
        /// fewest unacknowledged messages; sticky-by-publisher and sticky-by-topic, the same one for all messages of a
        /// publisher or to a topic while the members stay.
        shared_strategy: Sharing = Sharing::RoundRobin;
        /// How often counters that have changed are published under $SYS/broker/, 1s or more. Default: never, and never
        /// with a namespace.
        #[serde(deserialize_with = "interval")]
        system_topics: Option<Span> = None, example "'10s'";
    }
}

fn interval<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    match Span::deserialize(deserializer)? {
        span if span.0 < SHORTEST => Err(Error::custom("expected \"1s\" or longer; leave it out for no counters")),
        span => Ok(Some(span)),
    }
}
