//! Packets for tests, made from text.

use std::num::NonZeroU32;

use bytes::Bytes;
use gridmq_proto::packet::{
    Connect, ConnectProperties, Disconnect, DisconnectProperties, Publish, Subscribe, SubscribeFilter,
    SubscribeOptions, Unsubscribe,
};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, TopicName, Version};

/// A CONNECT with a clean start and no keep-alive.
#[must_use]
pub fn connect(client_id: &str, version: Version) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 0,
        client_id: client_id.into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }
}

/// A PUBLISH without flags, properties and packet identifier.
#[must_use]
pub fn message(topic: &str, payload: impl AsRef<[u8]>, qos: QoS) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        packet_id: None,
        topic: Some(TopicName::try_from(topic).expect("a topic")),
        topic_alias: None,
        subscription_identifiers: [].into_iter().collect(),
        payload: Bytes::copy_from_slice(payload.as_ref()),
        properties: None,
    }
}

/// A SUBSCRIBE.
#[must_use]
pub fn subscribe(packet_id: PacketId, filters: &[(&str, SubscribeOptions)], identifier: Option<u32>) -> Packet {
    Packet::Subscribe(Subscribe {
        packet_id,
        subscription_identifier: identifier.map(|identifier| NonZeroU32::new(identifier).expect("not zero")),
        user_properties: Vec::new(),
        filters: filters.iter().map(|&(text, options)| SubscribeFilter { filter: filter(text), options }).collect(),
    })
}

/// An UNSUBSCRIBE.
#[must_use]
pub fn unsubscribe(packet_id: PacketId, filters: &[&str]) -> Packet {
    let filters = filters.iter().map(|text| filter(text)).collect();
    Packet::Unsubscribe(Unsubscribe { packet_id, user_properties: Vec::new(), filters })
}

/// A DISCONNECT.
pub(super) fn disconnect(reason: ReasonCode, session_expiry_interval: Option<u32>) -> Packet {
    let properties = DisconnectProperties { session_expiry_interval, ..DisconnectProperties::default() };
    Packet::Disconnect(Disconnect { reason, properties })
}

/// A filter, shared or not.
#[must_use]
pub fn filter(text: &str) -> SubscriptionFilter {
    SubscriptionFilter::try_from(text).expect("a filter")
}

/// The topic of a PUBLISH; empty where an alias stands for it.
#[must_use]
pub fn topic_of(publish: &Publish) -> &str {
    publish.topic.as_ref().map_or("", |topic| topic.as_str())
}

/// The payload of a PUBLISH, as text.
#[must_use]
pub fn payload_of(publish: &Publish) -> String {
    String::from_utf8_lossy(&publish.payload).into_owned()
}
