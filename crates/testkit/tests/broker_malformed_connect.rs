//! What breaks a rule of CONNECT's format: refused with the code that the version has for it, or closed without a
//! word, and nothing that comes behind it has an effect.
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
use gridmq_testkit::wire::{Wire, payload_of};

const WILL: u8 = 0x04;
const RETAIN: u8 = 0x20;
const PASSWORD: u8 = 0x40;
const USERNAME: u8 = 0x80;
const CLEAN: u8 = 0x02;

/// A CONNECT by its parts.
struct Connect {
    version: Version,
    name: &'static [u8],
    flags: u8,
    /// What follows the keep alive and the properties.
    payload: Vec<u8>,
}

impl Connect {
    fn new(version: Version, flags: u8, fields: &[&[u8]]) -> Self {
        Self {
            version,
            name: b"MQTT",
            flags: flags | CLEAN,
            payload: fields.iter().flat_map(|text| field(text)).collect(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        let level = if self.version.is_v5() { 5 } else { 4 };
        let mut body = field(self.name);
        body.extend([level, self.flags, 0, 60]);
        if self.version.is_v5() {
            body.push(0);
        }
        body.extend_from_slice(&self.payload);
        [&[0x10, u8::try_from(body.len()).unwrap()][..], &body].concat()
    }
}

fn field(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

struct Served {
    broker: OpenBroker,
    witness: Wire,
}

impl Served {
    async fn start() -> Self {
        let broker = gridmq_testkit::open(2).await;
        let mut witness = Wire::join(broker.address(), "witness", Version::V5).await;
        witness.subscribe("witness/#", QoS::AtLeastOnce).await;
        Self { broker, witness }
    }

    /// Not let in: MQTT 5.0 may be told `reason` in a CONNACK, MQTT 3.1.1 has no return code for it, but for the version.
    async fn refuses(&mut self, reason: ReasonCode, connect: &Connect) {
        let mut wire = Wire::connect(self.broker.address()).await;
        let mut bytes = connect.bytes();
        // A valid PUBLISH behind it.
        let body: &[u8] = if connect.version.is_v5() { b"\0\x0ewitness/behind\0x" } else { b"\0\x0ewitness/behindx" };
        bytes.extend([0x30, u8::try_from(body.len()).unwrap()]);
        bytes.extend_from_slice(body);
        wire.send_raw(&bytes).await;
        match wire.raw_until_closed().await[..] {
            [] => {}
            [0x20, 2, 0, 1] if reason == UnsupportedProtocolVersion => {}
            [0x20, _, 0, code, ..] if connect.version.is_v5() => assert_eq!(code, reason.as_u8()),
            ref other => panic!("{other:x?}"),
        }
        assert_eq!(self.witness.publish("witness/here", "x", QoS::AtLeastOnce).await, Success);
        assert_eq!(payload_of(&self.witness.take().await), "x", "nothing came from behind a refused CONNECT");
    }

    async fn takes(&self, connect: &Connect) {
        let mut wire = Wire::connect(self.broker.address()).await;
        wire.send_raw(&connect.bytes()).await;
        let answer = wire.next_raw().await;
        assert_eq!((answer[0], answer[3]), (0x20, 0), "let in: {answer:x?}");
    }
}

const BOTH: [Version; 2] = [Version::V3_1_1, Version::V5];
const ILL_FORMED: [&[u8]; 4] = [b"a\x80b", b"a\xed\xa0\x80b", b"a\0b", b"a\xe2\x82"];

/// A will's properties, topic and payload.
fn will(version: Version, topic: &[u8]) -> Vec<u8> {
    let properties: &[u8] = if version.is_v5() { &[0] } else { &[] };
    [properties, &field(topic), &field(b"gone")].concat()
}

#[tokio::test]
async fn mqtt5_3_1_2_1_and_mqtt311_3_1_2_1_another_protocol_name_is_refused() {
    let mut served = Served::start().await;
    for version in BOTH {
        for name in [&b"mqtt"[..], b"MQTTS", b"", b"HTTP"] {
            let connect = Connect { name, ..Connect::new(version, 0, &[b"c"]) };
            served.refuses(UnsupportedProtocolVersion, &connect).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_3_and_mqtt311_3_1_2_3_the_reserved_flag_is_zero() {
    let mut served = Served::start().await;
    for version in BOTH {
        served.refuses(MalformedPacket, &Connect::new(version, 0x01, &[b"c"])).await;
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_9_and_mqtt311_3_1_2_9_a_will_has_its_fields() {
    let mut served = Served::start().await;
    for version in BOTH {
        let mut connect = Connect::new(version, WILL, &[b"c"]);
        served.refuses(MalformedPacket, &connect).await;
        connect.payload.extend(will(version, b"a"));
        let whole = connect.payload.len();
        connect.payload.truncate(whole - 1);
        served.refuses(MalformedPacket, &connect).await;
        connect.payload.push(b'e');
        served.takes(&connect).await;
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_11_and_mqtt5_3_1_2_13_and_mqtt311_3_1_2_11_and_mqtt311_3_1_2_13_and_mqtt311_3_1_2_15_no_will_no_flags_of_it()
 {
    let mut served = Served::start().await;
    for version in BOTH {
        for flags in [0x08, 0x10, 0x18, RETAIN, RETAIN | 0x08] {
            served.refuses(MalformedPacket, &Connect::new(version, flags, &[b"c"])).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_12_and_mqtt311_3_1_2_14_a_wills_qos_is_not_3() {
    let mut served = Served::start().await;
    for version in BOTH {
        for qos in 0..4u8 {
            let mut connect = Connect::new(version, WILL | qos << 3, &[b"c"]);
            connect.payload.extend(will(version, b"a"));
            if qos == 3 {
                served.refuses(MalformedPacket, &connect).await;
            } else {
                served.takes(&connect).await;
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_16_and_mqtt5_3_1_2_17_and_mqtt311_3_1_2_18_and_mqtt311_3_1_2_19_a_user_name_is_there_if_its_flag_says_so()
 {
    let mut served = Served::start().await;
    for version in BOTH {
        served.refuses(MalformedPacket, &Connect::new(version, 0, &[b"c", b"user"])).await;
        served.refuses(MalformedPacket, &Connect::new(version, USERNAME, &[b"c"])).await;
        served.takes(&Connect::new(version, USERNAME, &[b"c", b"user"])).await;
    }
}

#[tokio::test]
async fn mqtt5_3_1_2_18_and_mqtt5_3_1_2_19_and_mqtt311_3_1_2_20_and_mqtt311_3_1_2_21_a_password_is_there_if_its_flag_says_so()
 {
    let mut served = Served::start().await;
    for version in BOTH {
        served.refuses(MalformedPacket, &Connect::new(version, USERNAME, &[b"c", b"user", b"pass"])).await;
        served.refuses(MalformedPacket, &Connect::new(version, USERNAME | PASSWORD, &[b"c", b"user"])).await;
        served.takes(&Connect::new(version, USERNAME | PASSWORD, &[b"c", b"user", b"pass"])).await;
    }
}

#[tokio::test]
async fn mqtt311_3_1_2_22_a_password_needs_a_user_name() {
    let mut served = Served::start().await;
    served.refuses(MalformedPacket, &Connect::new(Version::V3_1_1, PASSWORD, &[b"c", b"pass"])).await;
    // MQTT 5.0 allows it.
    served.takes(&Connect::new(Version::V5, PASSWORD, &[b"c", b"pass"])).await;
}

#[tokio::test]
async fn mqtt5_3_1_3_1_and_mqtt5_3_1_3_3_and_mqtt311_3_1_3_1_and_mqtt311_3_1_3_3_the_fields_come_in_their_order() {
    let mut served = Served::start().await;
    for version in BOTH {
        // No client identifier at all.
        served.refuses(MalformedPacket, &Connect::new(version, 0, &[])).await;
        // With all five, the session is named by the first and the will by its topic.
        let mut connect = Connect::new(version, USERNAME | PASSWORD | WILL, &[b"first"]);
        connect.payload.extend(will(version, b"witness/will"));
        connect.payload.extend([field(b"user"), field(b"pass")].concat());
        let mut wire = Wire::connect(served.broker.address()).await;
        wire.send_raw(&connect.bytes()).await;
        let answer = wire.next_raw().await;
        assert_eq!((answer[0], answer[3]), (0x20, 0), "{answer:x?}");
        drop(wire);
        let got = served.witness.take().await;
        assert_eq!((gridmq_testkit::wire::topic_of(&got), payload_of(&got)), ("witness/will", "gone".to_owned()));
    }
}

#[tokio::test]
async fn mqtt5_3_1_3_4_and_mqtt311_3_1_3_4_a_client_identifier_is_utf8() {
    let mut served = Served::start().await;
    for version in BOTH {
        for text in ILL_FORMED {
            served.refuses(MalformedPacket, &Connect::new(version, 0, &[text])).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_3_11_and_mqtt311_3_1_3_10_a_wills_topic_is_utf8() {
    let mut served = Served::start().await;
    for version in BOTH {
        for text in ILL_FORMED {
            let mut connect = Connect::new(version, WILL, &[b"c"]);
            connect.payload.extend(will(version, text));
            served.refuses(MalformedPacket, &connect).await;
        }
    }
}

#[tokio::test]
async fn mqtt5_3_1_3_12_and_mqtt311_3_1_3_11_a_user_name_is_utf8() {
    let mut served = Served::start().await;
    for version in BOTH {
        for text in ILL_FORMED {
            served.refuses(MalformedPacket, &Connect::new(version, USERNAME, &[b"c", text])).await;
        }
    }
}

#[tokio::test]
async fn mqtt311_3_2_2_6_and_mqtt311_3_1_4_5_what_has_no_return_code_is_closed_without_connack() {
    // `refuses` demands of MQTT 3.1.1 that not a byte comes, and that the PUBLISH behind has no effect.
    let mut served = Served::start().await;
    let mut connect = Connect::new(Version::V3_1_1, WILL, &[b"c"]);
    connect.payload.extend(will(Version::V3_1_1, b"witness/#"));
    served.refuses(TopicNameInvalid, &connect).await;
    served.refuses(MalformedPacket, &Connect::new(Version::V3_1_1, 0, &[b"c", b"more"])).await;
}
