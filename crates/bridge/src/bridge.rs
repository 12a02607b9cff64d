//! What a bridge is to be.

use std::time::Duration;

use gridmq_broker::Control;
use gridmq_client::{ConnectError, Decision, Filter, Options, QueueOptions, Reconnect, RetainHandling, SubscribeError};
use gridmq_namespace::profile::{Overflow, QueueLimits, SessionLimits};
use gridmq_proto::{TopicName, Version};

use crate::local::CLIENT_ID_PREFIX;
use crate::mapping::{Mapping, overlap};
use crate::running::{self, Running};

/// Messages of one direction that are on their way and not acknowledged.
pub(crate) const WINDOW: u16 = 100;
const MAX_NAME: usize = 64;

/// What a bridge is to be: set what it needs, keep its session at the broker ([`session`](Self::session)), then
/// [`start`](Self::start) it.
#[derive(Debug, Clone)]
#[must_use]
pub struct Bridge {
    pub(crate) name: String,
    remote: Options,
    client_id: Option<String>,
    pub(crate) version: Version,
    session_expiry: Duration,
    longest_wait: Duration,
    queue: QueueLimits,
    pub(crate) status_topic: Option<TopicName>,
    pub(crate) out: Vec<Mapping>,
    pub(crate) inward: Vec<Mapping>,
}

/// Why there is no such bridge. Its writer's to mend.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum BridgeError {
    /// The name is none.
    #[error("the name '{0}' must have 1 to {MAX_NAME} letters, digits, '-' and '_'")]
    Name(String),
    /// It has no mapping.
    #[error("the bridge carries nothing: give it topics in out or in")]
    Nothing,
    /// What it sends would come back.
    #[error(
        "what goes out as '{out}' would come in again as '{inward}': MQTT {version} has no No Local, so let the two have \
         no topic in common, or use version 5"
    )]
    Loop {
        /// The filter of what goes out, as it is there.
        out: String,
        /// The filter of what comes in, as it is there.
        inward: String,
        /// The remote's version.
        version: Version,
    },
    /// The remote broker cannot be reached like that.
    #[error(transparent)]
    Remote(#[from] ConnectError),
}

/// Why a bridge did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// There is no such bridge.
    #[error(transparent)]
    Bridge(#[from] BridgeError),
    /// One of its clients could not be made.
    #[error(transparent)]
    Client(#[from] ConnectError),
    /// The broker in this process does not take its subscriptions.
    #[error("the broker in this process: {0}")]
    Subscribe(#[from] SubscribeError),
    /// The broker in this process does not take it.
    #[error("the broker in this process has not let the bridge in within {0:?}: is it running?")]
    NotAdmitted(Duration),
}

impl Bridge {
    /// A bridge to the remote broker that `remote` reaches: address, trust, identity, user name and password, keep-alive,
    /// and a preset such as [`Options::event_grid`] are taken from it. Everything else of it is the bridge's: client
    /// identifier, version, session, reconnecting and queue.
    pub fn new(name: impl Into<String>, remote: Options) -> Self {
        Self {
            name: name.into(),
            remote,
            client_id: None,
            version: Version::V5,
            session_expiry: Duration::from_secs(u32::MAX.into()),
            longest_wait: Duration::from_secs(60),
            queue: Self::QUEUE,
            status_topic: None,
            out: Vec::new(),
            inward: Vec::new(),
        }
    }

    /// 100,000 messages and 256 MiB.
    const QUEUE: QueueLimits = {
        let mut queue = SessionLimits::OPEN.offline_queue;
        queue.messages = 100_000;
        queue.bytes = 256 << 20;
        queue.overflow = Overflow::Refuse;
        queue
    };

    /// The client identifier at the remote broker; `gridmq-` and the bridge's name when not called. No two clients there
    /// may have the same.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// The version of MQTT that is spoken with the remote broker; 5.0 when not called.
    pub const fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// How long the remote broker is to keep what is for this bridge while there is no connection (MQTT 5.0); for ever
    /// when not called. It may keep it for less.
    pub const fn session_expiry(mut self, expiry: Duration) -> Self {
        self.session_expiry = expiry;
        self
    }

    /// The longest wait between two attempts to reach the remote broker; 60 s when not called. Waits begin at 1 s, or at
    /// this if it is shorter.
    pub const fn longest_wait(mut self, wait: Duration) -> Self {
        self.longest_wait = wait;
        self
    }

    /// How many messages and bytes may wait for the remote broker, and what happens to a message beyond: 100,000, 256 MiB
    /// and [`Overflow::Refuse`] when not called.
    pub const fn queue(mut self, messages: u32, bytes: u64, overflow: Overflow) -> Self {
        self.queue.messages = messages;
        self.queue.bytes = bytes;
        self.queue.overflow = overflow;
        self
    }

    /// Has `1` retained under that local topic while the remote broker is connected, else `0`.
    pub fn status_topic(mut self, topic: TopicName) -> Self {
        self.status_topic = Some(topic);
        self
    }

    /// Carries what is published here to there. Of several mappings that match a topic the first counts.
    pub fn out(mut self, mapping: Mapping) -> Self {
        self.out.push(mapping);
        self
    }

    /// Carries what is published there to here. Of several mappings that match a topic the first counts.
    pub fn inward(mut self, mapping: Mapping) -> Self {
        self.inward.push(mapping);
        self
    }

    /// The client identifier that it has in the local broker and how much may wait there for the remote one: for
    /// [`Builder::insider`](gridmq_broker::Builder::insider), without which anybody could take its session.
    #[must_use]
    pub fn session(&self) -> (String, QueueLimits) {
        (format!("{CLIENT_ID_PREFIX}{}", self.name), self.queue)
    }

    /// Whether it can work, as far as can be known without connecting.
    ///
    /// # Errors
    /// What cannot work, and the cure.
    pub fn check(&self) -> Result<(), BridgeError> {
        let fits = |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        if self.name.is_empty() || self.name.len() > MAX_NAME || !fits(&self.name) {
            return Err(BridgeError::Name(self.name.clone()));
        }
        if self.out.is_empty() && self.inward.is_empty() {
            return Err(BridgeError::Nothing);
        }
        if !self.version.is_v5() {
            for (out, inward) in self.out.iter().flat_map(|out| self.inward.iter().map(move |inward| (out, inward))) {
                if overlap(out.remote_filter(), inward.remote_filter()) {
                    return Err(BridgeError::Loop {
                        out: out.remote_filter().as_str().to_owned(),
                        inward: inward.remote_filter().as_str().to_owned(),
                        version: self.version,
                    });
                }
            }
        }
        self.options().check()?;
        Ok(())
    }

    /// What the remote client is made of.
    pub(crate) fn options(&self) -> Options {
        let client_id = self.client_id.clone().unwrap_or_else(|| format!("gridmq-{}", self.name));
        let queue = QueueOptions::new().messages(2 * usize::from(WINDOW)).bytes(usize::MAX).at_most_once(false);
        let first = self.longest_wait.min(Duration::from_secs(1));
        // Somebody may put right at the remote broker whatever it refuses us for.
        let reconnect = Reconnect::new().first_wait(first).longest_wait(self.longest_wait).judge(|_| Decision::retry());
        let options = self.remote.clone().version(self.version).client_id(client_id).clean_start(false);
        let options = options.receive_maximum(WINDOW).queue(queue).reconnect(reconnect);
        if self.version.is_v5() { options.session_expiry(self.session_expiry) } else { options }
    }

    /// What to subscribe to in the local broker.
    pub(crate) fn local_filters(&self) -> Vec<Filter> {
        self.out.iter().map(|mapping| with_options(mapping.local_filter().as_str(), mapping, true)).collect()
    }

    /// What to subscribe to in the remote broker.
    pub(crate) fn remote_filters(&self) -> Vec<Filter> {
        let v5 = self.version.is_v5();
        self.inward.iter().map(|mapping| with_options(mapping.remote_filter().as_str(), mapping, v5)).collect()
    }

    /// Starts it, and goes on trying to reach the remote broker until it is stopped. What is published here after that is
    /// carried; to miss nothing before the first start ever, let clients in only then.
    ///
    /// # Errors
    /// When it cannot work, or the broker in this process does not let it in.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time enabled.
    pub async fn start(self, control: Control) -> Result<Running, StartError> {
        self.check()?;
        running::start(self, control).await
    }
}

fn with_options(filter: &str, mapping: &Mapping, v5: bool) -> Filter {
    let filter = Filter::new(filter).qos(mapping.qos());
    // What this bridge has brought is not carried back; what is retained comes once, and stays retained.
    if v5 { filter.no_local().retain_as_published().retain_handling(RetainHandling::SendIfNew) } else { filter }
}

#[cfg(test)]
mod tests {
    use gridmq_proto::QoS;

    use super::*;

    fn mapping(filter: &str, remote_prefix: &str) -> Mapping {
        Mapping::new(filter, QoS::AtLeastOnce, "", remote_prefix).unwrap()
    }

    fn bridge() -> Bridge {
        Bridge::new("cloud", Options::new("mqtt://localhost"))
    }

    #[test]
    fn what_goes_out_may_not_come_in_again_before_version_5() {
        let both = bridge().out(mapping("a/#", "")).inward(mapping("+/b", ""));
        both.check().unwrap();
        let told = both.version(Version::V3_1_1).check().unwrap_err().to_string();
        assert!(told.contains("'a/#'") && told.contains("'+/b'") && told.contains("version 5"), "{told}");
        let apart = bridge().out(mapping("a/#", "up/")).inward(mapping("a/#", "down/"));
        apart.version(Version::V3_1_1).check().unwrap();
    }

    #[test]
    fn a_bridge_that_cannot_work_is_refused_with_the_cure() {
        assert!(matches!(bridge().check(), Err(BridgeError::Nothing)));
        let named = |name: &str| Bridge::new(name, Options::new("mqtt://localhost")).out(mapping("a", "")).check();
        assert!(matches!(named("a b"), Err(BridgeError::Name(_))));
        assert!(matches!(named(""), Err(BridgeError::Name(_))));
        let nowhere = Bridge::new("cloud", Options::new("http://localhost")).out(mapping("a", ""));
        assert!(matches!(nowhere.check(), Err(BridgeError::Remote(_))));
    }
}
