//! What was published, what the broker said of it, and what came of it to the one who gets everything.

use std::collections::BTreeMap;

use bytes::{BufMut as _, Bytes, BytesMut};
use gridmq_proto::packet::Publish;
use gridmq_proto::{QoS, TopicName};

/// Bytes of a payload that say which message it is.
pub(super) const MARK: usize = 8;

/// Messages published, in order.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    sent: Vec<Sent>,
    /// The newest to arrive of each connection, topic and QoS.
    newest: BTreeMap<(u64, TopicName, QoS), usize>,
}

#[derive(Debug)]
struct Sent {
    /// The connection that it was published on.
    by: u64,
    /// `None`: by an alias alone.
    topic: Option<TopicName>,
    qos: QoS,
    expires: bool,
    acknowledged: bool,
    /// The keeper's connection that it came on last.
    arrived: Option<u64>,
}

fn check(number: u32) -> u32 {
    number.wrapping_mul(0x9E37_79B1) ^ 0x5EA1_ED00
}

/// The number of a marked payload.
fn number_of(payload: &[u8]) -> Option<usize> {
    let (number, rest) = payload.split_first_chunk::<4>()?;
    let number = u32::from_be_bytes(*number);
    (u32::from_be_bytes(*rest.first_chunk::<4>()?) == check(number)).then_some(number as usize)
}

impl Ledger {
    /// Marks a message that is about to be published on connection `by`. `None`: it has no payload, so it has no mark.
    pub(super) fn mark(&mut self, by: u64, publish: &mut Publish) -> Option<usize> {
        if publish.payload.is_empty() {
            return None;
        }
        let at = self.sent.len();
        let number = u32::try_from(at).ok()?;
        let mut payload = BytesMut::new();
        payload.put_u32(number);
        payload.put_u32(check(number));
        payload.put_bytes(b'p', publish.payload.len().saturating_sub(MARK));
        publish.payload = Bytes::from(payload);
        let properties = publish.properties.as_ref();
        let expires = properties.is_some_and(|properties| properties.message_expiry_interval.is_some());
        let (topic, qos) = (publish.topic.clone(), publish.qos);
        self.sent.push(Sent { by, topic, qos, expires, acknowledged: false, arrived: None });
        Some(at)
    }

    /// Whether the keeper is to get it, once it is acknowledged.
    pub(super) fn is_for_keeper(&self, number: usize) -> bool {
        let topic = self.sent.get(number).and_then(|sent| sent.topic.as_ref());
        topic.is_some_and(|topic| !topic.as_str().starts_with('$'))
    }

    /// The broker has taken it.
    pub(super) fn acknowledged(&mut self, number: usize) {
        if let Some(sent) = self.sent.get_mut(number) {
            sent.acknowledged = true;
        }
    }

    /// The keeper got a message, on its connection `on`.
    pub(super) fn arrived(&mut self, publish: &Publish, on: u64) {
        let Some(number) = number_of(&publish.payload) else { return };
        let Some(sent) = self.sent.get_mut(number) else { panic!("message {number} was never published") };
        assert_eq!(publish.qos, sent.qos, "message {number} came with another QoS");
        if let Some(topic) = &sent.topic {
            assert_eq!(publish.topic.as_ref(), Some(topic), "message {number} came under another topic");
        }
        if let Some(before) = sent.arrived.replace(on) {
            assert_eq!(sent.qos, QoS::AtLeastOnce, "message {number} came twice");
            assert!(
                publish.dup && before < on,
                "message {number} came twice on one connection, or not as a repetition"
            );
            return;
        }
        if let Some(topic) = &sent.topic {
            let newest = self.newest.entry((sent.by, topic.clone(), sent.qos)).or_insert(number);
            assert!(*newest <= number, "message {number} came after {newest} of the same publisher");
            *newest = number;
        }
    }

    /// Everything that was acknowledged has arrived.
    pub(super) fn is_settled(&self) {
        for (number, sent) in self.sent.iter().enumerate() {
            let due = sent.acknowledged && !sent.expires && self.is_for_keeper(number);
            assert!(!due || sent.arrived.is_some(), "message {number} was acknowledged and is lost: {sent:?}");
        }
    }

    /// Messages acknowledged, and messages that came.
    pub(super) fn counts(&self) -> (usize, usize) {
        let count = |of: fn(&Sent) -> bool| self.sent.iter().filter(|sent| of(sent)).count();
        (count(|sent| sent.acknowledged), count(|sent| sent.arrived.is_some()))
    }
}
