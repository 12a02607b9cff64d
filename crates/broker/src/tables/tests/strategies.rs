//! Random rows, and random records in an order that a session can yield.

use std::collections::{HashMap, HashSet};
use std::num::NonZeroU32;

use gridmq_proto::MessageProperties;
use gridmq_proto::packet::{RetainHandling, SubscribeOptions};
use proptest::option;

use super::*;

pub(super) fn topic() -> impl Strategy<Value = TopicName> {
    prop::sample::select(vec!["a", "a/b", "ab", "/", "$x", "ä/ß"]).prop_map(|topic| topic.try_into().unwrap())
}

fn text() -> impl Strategy<Value = ByteString> {
    ".{0,6}".prop_map(ByteString::from)
}

fn data() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

fn wall() -> impl Strategy<Value = Option<Wall>> {
    option::of(any::<u64>().prop_map(Wall::from_millis))
}

pub(super) fn qos() -> impl Strategy<Value = QoS> {
    prop::sample::select(vec![QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
}

fn properties() -> impl Strategy<Value = MessageProperties> {
    (
        any::<Option<bool>>(),
        any::<Option<u32>>(),
        option::of(text()),
        option::of(topic()),
        option::of(data()),
        prop::collection::vec((text(), text()), 0..3),
    )
        .prop_map(|(indicator, expiry, content_type, response_topic, correlation_data, user_properties)| {
            MessageProperties {
                payload_format_indicator: indicator,
                message_expiry_interval: expiry,
                content_type,
                response_topic,
                correlation_data,
                user_properties,
            }
        })
}

fn any_message() -> impl Strategy<Value = Message> {
    (topic(), data(), option::of(properties().prop_map(Box::new))).prop_map(|(topic, payload, properties)| Message {
        topic,
        payload,
        properties,
    })
}

pub(super) fn delivery() -> impl Strategy<Value = Delivery> {
    let identifiers = prop::collection::vec(any::<NonZeroU32>(), 0..4);
    let share = option::of(prop::sample::select(vec!["$share/g/a/#", "$share/ä/+"]));
    (any_message(), qos(), any::<bool>(), identifiers, wall(), share).prop_map(
        |(message, qos, retain, identifiers, expires_at, share)| Delivery {
            message: SharedMessage::new(message),
            qos,
            retain,
            subscription_identifiers: identifiers.into(),
            expires_at,
            share: share.map(Into::into),
        },
    )
}

pub(super) fn retained() -> impl Strategy<Value = RetainedRow> {
    (any_message(), qos(), wall()).prop_map(|(message, qos, expires_at)| RetainedRow { message, qos, expires_at })
}

pub(super) fn subscription() -> impl Strategy<Value = Subscription> {
    let handling =
        prop::sample::select(vec![RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
    (qos(), any::<bool>(), any::<bool>(), handling, any::<Option<NonZeroU32>>()).prop_map(
        |(qos, no_local, retain_as_published, retain_handling, identifier)| Subscription {
            options: SubscribeOptions { qos, no_local, retain_as_published, retain_handling },
            identifier,
        },
    )
}

pub(super) fn record() -> impl Strategy<Value = Record> {
    let filter = || prop::sample::select(vec!["a", "a/#", "+/b", "#", "$share/g/a", "$share/g/a/#"]).prop_map(filter);
    // Few positions and identifiers, so that records meet; some sort otherwise as numbers than as text.
    let position = || prop::sample::select(vec![1, 2, 255, 256, 0x0100_0000, u64::MAX]);
    let id = || prop::sample::select(vec![1, 2, 256, u16::MAX]).prop_map(id);
    prop_oneof![
        2 => any::<u32>().prop_map(|expiry_interval| Record::Started { expiry_interval }),
        1 => Just(Record::Ended),
        4 => (filter(), subscription()).prop_map(|(filter, how)| Record::Subscribed(filter, how)),
        2 => filter().prop_map(Record::Unsubscribed),
        8 => (position(), delivery()).prop_map(|(position, delivery)| Record::Enqueued(position, delivery)),
        8 => (position(), id()).prop_map(|(position, id)| Record::Sent(position, id)),
        4 => (position(), id()).prop_map(|(position, id)| Record::Released(position, id)),
        3 => position().prop_map(Record::Done),
        4 => id().prop_map(Record::Received),
        3 => id().prop_map(Record::Forgotten),
    ]
}

/// Up to `length` records. A session begins with `Started`, also after `Ended`, sends only what waits, and has no
/// packet identifier twice.
pub(super) fn session(length: usize) -> impl Strategy<Value = Vec<Record>> {
    prop::collection::vec(record(), 1..length).prop_map(|records| {
        let mut plausible = Vec::with_capacity(records.len());
        let mut waiting = HashSet::new();
        let mut ids = HashMap::new();
        let mut started = false;
        for record in records {
            match &record {
                Record::Started { .. } => {}
                Record::Ended => {
                    waiting.clear();
                    ids.clear();
                }
                // A server's session never queues again what was in flight.
                Record::Enqueued(position, _) if ids.contains_key(position) => continue,
                Record::Enqueued(position, _) => {
                    waiting.insert(*position);
                }
                Record::Done(position) => {
                    waiting.remove(position);
                    ids.remove(position);
                }
                Record::Sent(position, id) | Record::Released(position, id) => {
                    let released = matches!(record, Record::Released(..));
                    if !released && !waiting.contains(position)
                        || ids.iter().any(|(other, taken)| other != position && taken == id)
                    {
                        continue;
                    }
                    ids.insert(*position, *id);
                    if released {
                        waiting.remove(position);
                    }
                }
                _ => {}
            }
            if !started && !matches!(record, Record::Started { .. } | Record::Ended) {
                plausible.push(Record::Started { expiry_interval: 1 });
            }
            started = !matches!(record, Record::Ended);
            plausible.push(record);
        }
        plausible
    })
}
