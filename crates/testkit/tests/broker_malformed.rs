//! What breaks a rule of the format: each rule by itself on a live connection, which ends with the reason that the
//! standard names, while somebody else is served.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_proto::ReasonCode::{self, *};
use gridmq_proto::{QoS, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, payload_of, topic_of};

const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];
const V5: [Version; 1] = [Version::V5];
const V3: [Version; 1] = [Version::V3_1_1];

/// A broker with somebody who must not notice.
struct Served {
    broker: OpenBroker,
    witness: Wire,
}

impl Served {
    async fn start() -> Self {
        let broker = gridmq_testkit::open(2).await;
        let mut witness = Wire::join(broker.address(), "witness", Version::V5).await;
        assert_eq!(witness.subscribe("witness/#", QoS::AtLeastOnce).await, GrantedQos1);
        Self { broker, witness }
    }

    /// Each of the packets ends a connection of its own, with that reason on MQTT 5.0 and without a word before.
    async fn refuses(&mut self, versions: &[Version], reason: ReasonCode, packets: &[&[u8]]) {
        for &version in versions {
            for packet in packets {
                let mut wire = Wire::join(self.broker.address(), "c", version).await;
                wire.send_raw(packet).await;
                // What comes behind it has no effect.
                wire.send_raw(&publish(version, 0x30, "witness/behind", None, &[])).await;
                wire.expect_end(reason).await;
            }
        }
        self.still_serves().await;
    }

    /// The packet is taken: the connection goes on.
    async fn takes(&self, versions: &[Version], packet: &[u8]) {
        for &version in versions {
            let mut wire = Wire::join(self.broker.address(), "c", version).await;
            wire.send_raw(packet).await;
            wire.ping().await;
        }
    }

    async fn still_serves(&mut self) {
        assert_eq!(self.witness.publish("witness/here", "x", QoS::AtLeastOnce).await, Success);
        let publish = self.witness.take().await;
        assert_eq!(payload_of(&publish), "x", "nothing that came behind a refused packet is delivered");
    }
}

/// A packet: the first byte, the length, the body.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    let mut length = body.len();
    loop {
        let more = length >= 128;
        bytes.push((length % 128) as u8 | if more { 0x80 } else { 0 });
        length /= 128;
        if !more {
            break;
        }
    }
    bytes.extend_from_slice(body);
    bytes
}

/// A string or binary data, with its length before it.
fn field(bytes: &[u8]) -> Vec<u8> {
    let mut field = u16::try_from(bytes.len()).unwrap().to_be_bytes().to_vec();
    field.extend_from_slice(bytes);
    field
}

/// Properties, with their length before them; nothing before MQTT 5.0.
fn properties(version: Version, properties: &[u8]) -> Vec<u8> {
    if !version.is_v5() {
        return Vec::new();
    }
    let mut field = vec![u8::try_from(properties.len()).unwrap()];
    field.extend_from_slice(properties);
    field
}

fn publish(version: Version, first: u8, topic: impl AsRef<[u8]>, id: Option<u16>, props: &[u8]) -> Vec<u8> {
    let mut body = field(topic.as_ref());
    body.extend(id.iter().flat_map(|id| id.to_be_bytes()));
    body.extend(properties(version, props));
    body.extend_from_slice(b"payload");
    packet(first, &body)
}

/// A SUBSCRIBE with identifier 1.
fn subscribe(version: Version, filter: impl AsRef<[u8]>, options: u8) -> Vec<u8> {
    let body = [&[0, 1], &properties(version, &[])[..], &field(filter.as_ref()), &[options]].concat();
    packet(0x82, &body)
}

/// An UNSUBSCRIBE with identifier 1.
fn unsubscribe(version: Version, filter: impl AsRef<[u8]>) -> Vec<u8> {
    packet(0xa2, &[&[0, 1], &properties(version, &[])[..], &field(filter.as_ref())].concat())
}

/// Strings that are no UTF-8 or that MQTT excludes: a lone continuation, an encoded surrogate, an overlong slash, a
/// sequence that is cut.
const ILL_FORMED: [&[u8]; 4] = [b"a\x80b", b"a\xed\xa0\x80b", b"a\xc0\xafb", b"a\xe2\x82"];

#[tokio::test]
async fn mqtt5_1_5_4_1_and_mqtt5_3_3_2_1_and_mqtt311_1_5_3_1_and_mqtt311_3_3_2_1_a_topic_is_well_formed_utf8() {
    let mut served = Served::start().await;
    for version in BOTH {
        for topic in ILL_FORMED {
            served.refuses(&[version], MalformedPacket, &[&publish(version, 0x30, topic, None, &[])]).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_1_5_4_2_and_mqtt5_4_7_3_2_and_mqtt311_1_5_3_2_and_mqtt311_4_7_3_2_no_null_character_is_taken() {
    let mut served = Served::start().await;
    for version in BOTH {
        served.refuses(&[version], MalformedPacket, &[&publish(version, 0x30, b"a\0b", None, &[])]).await;
        served.refuses(&[version], MalformedPacket, &[&subscribe(version, b"a\0b", 0)]).await;
        served.refuses(&[version], MalformedPacket, &[&unsubscribe(version, b"a\0b")]).await;
    }
}

#[tokio::test]
async fn mqtt5_1_5_4_3_and_mqtt311_1_5_3_3_and_mqtt311_4_7_3_4_a_byte_order_mark_and_composed_letters_stay_as_they_are()
{
    let mut served = Served::start().await;
    for version in BOTH {
        // With a byte order mark in front, and the same letter composed and not.
        for topic in ["\u{feff}bom", "bom\u{feff}", "l/\u{e9}", "l/e\u{301}"] {
            let mut wire = Wire::join(served.broker.address(), "reader", version).await;
            wire.subscribe(topic, QoS::AtMostOnce).await;
            wire.subscribe("bom", QoS::AtMostOnce).await;
            assert_eq!(served.witness.publish(topic, "x", QoS::AtLeastOnce).await, Success);
            let got = wire.take().await;
            assert_eq!(topic_of(&got), topic);
            assert!(wire.ping_barrier().await.is_empty(), "one copy: {topic:?} and bom are two topics");
        }
        let mut wire = Wire::join(served.broker.address(), "reader", version).await;
        wire.subscribe("l/\u{e9}", QoS::AtMostOnce).await;
        served.witness.publish("l/e\u{301}", "x", QoS::AtLeastOnce).await;
        assert!(wire.ping_barrier().await.is_empty(), "no normalization makes them equal");
    }
}

#[tokio::test]
async fn mqtt5_1_5_5_1_a_length_in_more_bytes_than_it_needs_is_refused() {
    let mut served = Served::start().await;
    // PINGREQ with its length in two bytes; a property length in two.
    served.refuses(&V5, MalformedPacket, &[b"\xc0\x80\x00", b"\x30\x06\x00\x01a\x80\x00x"]).await;
}

#[tokio::test]
async fn mqtt5_1_5_7_1_both_strings_of_a_user_property_are_utf8() {
    let mut served = Served::start().await;
    for text in ILL_FORMED.into_iter().chain([&b"a\0b"[..]]) {
        let name = [&[0x26][..], &field(text), &field(b"v")].concat();
        let value = [&[0x26][..], &field(b"n"), &field(text)].concat();
        let name = publish(Version::V5, 0x30, "a", None, &name);
        let value = publish(Version::V5, 0x30, "a", None, &value);
        served.refuses(&V5, MalformedPacket, &[&name, &value]).await;
    }
}

#[tokio::test]
async fn mqtt5_2_1_3_1_and_mqtt311_2_2_2_1_and_mqtt311_2_2_2_2_reserved_flags_end_the_connection() {
    let mut served = Served::start().await;
    for version in BOTH {
        let mut ping = Vec::new();
        for flags in 1..16u8 {
            ping.push([0xc0 | flags, 0]);
        }
        let pings: Vec<&[u8]> = ping.iter().map(|bytes| &bytes[..]).collect();
        served.refuses(&[version], MalformedPacket, &pings).await;
        let acks: [[u8; 4]; 3] = [[0x41, 2, 0, 1], [0x52, 2, 0, 1], [0x7f, 2, 0, 1]];
        served.refuses(&[version], MalformedPacket, &[&acks[0], &acks[1], &acks[2]]).await;
    }
}

#[tokio::test]
async fn mqtt5_3_6_1_1_and_mqtt5_3_8_1_1_and_mqtt5_3_10_1_1_and_mqtt311_3_6_1_1_and_mqtt311_3_8_1_1_and_mqtt311_3_10_1_1_flags_are_0010()
 {
    let mut served = Served::start().await;
    for version in BOTH {
        for flags in (0..16u8).filter(|flags| *flags != 0b0010) {
            let with = |packet: Vec<u8>| [&[packet[0] & 0xf0 | flags][..], &packet[1..]].concat();
            let pubrel = [0x60 | flags, 2, 0, 1];
            let (subscribe, unsubscribe) = (with(subscribe(version, "a", 0)), with(unsubscribe(version, "a")));
            served.refuses(&[version], MalformedPacket, &[&pubrel, &subscribe, &unsubscribe]).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_14_1_1_and_mqtt5_3_15_1_1_and_mqtt311_3_14_1_1_flags_are_0000() {
    let mut served = Served::start().await;
    served.refuses(&BOTH, MalformedPacket, &[b"\xe1\x00", b"\xe8\x00"]).await;
    served.refuses(&V5, MalformedPacket, &[b"\xf1\x00", b"\xf4\x02\x18\x00"]).await;
}

#[tokio::test]
async fn mqtt5_2_2_1_3_and_mqtt311_2_3_1_1_a_packet_identifier_is_not_zero() {
    let mut served = Served::start().await;
    for version in BOTH {
        for first in [0x32, 0x34] {
            served.refuses(&[version], ProtocolError, &[&publish(version, first, "a", Some(0), &[])]).await;
        }
        let zero = |mut packet: Vec<u8>| {
            packet[3] = 0;
            packet
        };
        let (subscribe, unsubscribe) = (zero(subscribe(version, "a", 0)), zero(unsubscribe(version, "a")));
        served.refuses(&[version], ProtocolError, &[&subscribe, &unsubscribe]).await;
        let acks: [&[u8]; 4] = [b"\x40\x02\0\0", b"\x50\x02\0\0", b"\x62\x02\0\0", b"\x70\x02\0\0"];
        served.refuses(&[version], ProtocolError, &acks).await;
    }
}

#[tokio::test]
async fn mqtt5_3_3_1_2_and_mqtt5_3_3_1_4_and_mqtt311_3_3_1_2_and_mqtt311_3_3_1_4_no_dup_at_qos_0_and_no_qos_3() {
    let mut served = Served::start().await;
    for version in BOTH {
        served.refuses(&[version], MalformedPacket, &[&publish(version, 0x38, "a", None, &[])]).await;
        for first in [0x36, 0x3e] {
            served.refuses(&[version], MalformedPacket, &[&publish(version, first, "a", Some(1), &[])]).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_3_2_2_and_mqtt5_4_7_0_1_and_mqtt311_3_3_2_2_and_mqtt311_4_7_0_1_and_mqtt311_4_7_1_1_a_topic_name_has_no_wildcard()
 {
    let mut served = Served::start().await;
    for version in BOTH {
        for topic in ["a/#", "+", "a/+/b", "a#", "#"] {
            served.refuses(&[version], TopicNameInvalid, &[&publish(version, 0x30, topic, None, &[])]).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_4_7_3_1_and_mqtt311_4_7_3_1_topics_and_filters_have_a_character() {
    let mut served = Served::start().await;
    for version in BOTH {
        served.refuses(&[version], ProtocolError, &[&publish(version, 0x30, "", None, &[])]).await;
        served.refuses(&[version], TopicFilterInvalid, &[&subscribe(version, "", 0)]).await;
        served.refuses(&[version], TopicFilterInvalid, &[&unsubscribe(version, "")]).await;
        let space = publish(version, 0x30, " ", None, &[]);
        served.takes(&[version], &space).await;
    }
}

#[tokio::test]
async fn mqtt5_4_7_3_3_and_mqtt311_4_7_3_3_a_topic_is_as_long_as_65535_bytes() {
    let served = Served::start().await;
    let topic = "a".repeat(65_535);
    for version in BOTH {
        let mut wire = Wire::join(served.broker.address(), "c", version).await;
        wire.subscribe(&topic, QoS::AtMostOnce).await;
        wire.publish(&topic, "x", QoS::AtLeastOnce).await;
        assert_eq!(topic_of(&wire.take().await).len(), 65_535);
    }
}

#[tokio::test]
async fn mqtt5_3_3_2_8_a_topic_alias_is_not_zero() {
    let mut served = Served::start().await;
    let with_topic = publish(Version::V5, 0x30, "a", None, b"\x23\0\0");
    let without = publish(Version::V5, 0x30, "", None, b"\x23\0\0");
    served.refuses(&V5, TopicAliasInvalid, &[&with_topic, &without]).await;
}

#[tokio::test]
async fn mqtt5_3_3_2_13_and_mqtt5_3_3_2_14_a_response_topic_is_utf8_without_wildcards() {
    let mut served = Served::start().await;
    let response = |topic: &[u8]| publish(Version::V5, 0x30, "a", None, &[&[0x08][..], &field(topic)].concat());
    for topic in ILL_FORMED {
        served.refuses(&V5, MalformedPacket, &[&response(topic)]).await;
    }
    for topic in ["a/+", "#"] {
        served.refuses(&V5, ProtocolError, &[&response(topic.as_bytes())]).await;
    }
    served.takes(&V5, &response(b"a/b")).await;
}

#[tokio::test]
async fn mqtt5_3_3_2_19_a_content_type_is_utf8() {
    let mut served = Served::start().await;
    for text in ILL_FORMED {
        let packet = publish(Version::V5, 0x30, "a", None, &[&[0x03][..], &field(text)].concat());
        served.refuses(&V5, MalformedPacket, &[&packet]).await;
    }
}

#[tokio::test]
async fn mqtt5_3_3_4_6_a_client_sends_no_subscription_identifier() {
    let mut served = Served::start().await;
    let packet = publish(Version::V5, 0x30, "a", None, b"\x0b\x01");
    served.refuses(&V5, ProtocolError, &[&packet]).await;
}

#[tokio::test]
async fn mqtt5_3_8_3_1_and_mqtt5_3_10_3_1_and_mqtt311_3_8_3_1_and_mqtt311_3_10_3_1_a_filter_is_utf8() {
    let mut served = Served::start().await;
    for version in BOTH {
        for filter in ILL_FORMED {
            let (subscribe, unsubscribe) = (subscribe(version, filter, 0), unsubscribe(version, filter));
            served.refuses(&[version], MalformedPacket, &[&subscribe, &unsubscribe]).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_8_3_2_and_mqtt5_3_10_3_2_and_mqtt311_3_8_3_3_and_mqtt311_3_10_3_2_there_is_a_filter() {
    let mut served = Served::start().await;
    served.refuses(&V3, ProtocolError, &[b"\x82\x02\0\x01", b"\xa2\x02\0\x01"]).await;
    served.refuses(&V5, ProtocolError, &[b"\x82\x03\0\x01\0", b"\xa2\x03\0\x01\0"]).await;
}

#[tokio::test]
async fn mqtt5_3_8_3_4_no_local_on_a_shared_subscription_is_refused() {
    let mut served = Served::start().await;
    served.refuses(&V5, ProtocolError, &[&subscribe(Version::V5, "$share/g/a", 0b100)]).await;
}

#[tokio::test]
async fn mqtt5_3_8_3_5_and_mqtt311_3_8_3_4_reserved_bits_of_the_options_are_zero() {
    let mut served = Served::start().await;
    for options in [0x40, 0x80, 0xc1] {
        served.refuses(&V5, MalformedPacket, &[&subscribe(Version::V5, "a", options)]).await;
    }
    for options in [0x04, 0x10, 0x80, 0x03] {
        served.refuses(&V3, MalformedPacket, &[&subscribe(Version::V3_1_1, "a", options)]).await;
    }
    served.refuses(&V5, ProtocolError, &[&subscribe(Version::V5, "a", 0x03)]).await;
}

#[tokio::test]
async fn mqtt5_3_4_2_1_and_mqtt5_3_5_2_1_and_mqtt5_3_6_2_1_and_mqtt5_3_7_2_1_reason_codes_are_those_of_the_packet() {
    let mut served = Served::start().await;
    // 0x11 is not for PUBACK and PUBREC, 0x10 not for PUBREL and PUBCOMP.
    let others: [&[u8]; 4] =
        [b"\x40\x03\0\x01\x11", b"\x50\x03\0\x01\x11", b"\x62\x03\0\x01\x10", b"\x70\x03\0\x01\x10"];
    served.refuses(&V5, ProtocolError, &others).await;
    // 0x03 is for none.
    let unknown: [&[u8]; 4] =
        [b"\x40\x03\0\x01\x03", b"\x50\x03\0\x01\x03", b"\x62\x03\0\x01\x03", b"\x70\x03\0\x01\x03"];
    served.refuses(&V5, MalformedPacket, &unknown).await;
}

#[tokio::test]
async fn mqtt5_3_14_2_1_and_mqtt5_3_15_2_1_reason_codes_are_those_of_the_packet() {
    let mut served = Served::start().await;
    // 0x01 is for SUBACK, 0x87 not for AUTH.
    served.refuses(&V5, ProtocolError, &[b"\xe0\x01\x01", b"\xf0\x02\x87\x00"]).await;
    served.refuses(&V5, MalformedPacket, &[b"\xe0\x01\x03", b"\xf0\x02\x03\x00"]).await;
}

#[tokio::test]
async fn mqtt5_4_8_2_1_and_mqtt5_4_8_2_2_a_share_name_has_a_character_and_no_wildcard() {
    let mut served = Served::start().await;
    for filter in ["$share//a", "$share/g", "$share/g/", "$share/+/a", "$share/g#/a"] {
        let (subscribe, unsubscribe) = (subscribe(Version::V5, filter, 0), unsubscribe(Version::V5, filter));
        served.refuses(&V5, TopicFilterInvalid, &[&subscribe, &unsubscribe]).await;
    }
    // The prefix is exact: these are plain filters.
    for filter in ["$Share/g/a", "$shared/g/a", "a/$share/g"] {
        served.takes(&V5, &subscribe(Version::V5, filter, 0)).await;
    }
}
