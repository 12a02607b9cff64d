//! Reason strings and user properties in the broker's packets: with room they come, without room the packet still does,
//! and a client that asked for none gets none.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::num::NonZeroU32;
use std::sync::Arc;

use gridmq_broker::Broker;
use gridmq_broker::hooks::*;
use gridmq_proto::packet::{AckProperties, PacketType, SubscribeOptions, UserProperties};
use gridmq_proto::{Packet, QoS, ReasonCode, SubscriptionFilter, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, message, subscribe, unsubscribe};

/// So long that only one of them fits in what [`SMALL`] leaves, and neither in [`TINY`].
const LONG: usize = 300;
const SMALL: u32 = 420;
const TINY: u32 = 90;

fn text() -> String {
    "w".repeat(LONG)
}

fn no() -> Refused {
    Refused::new(ReasonCode::NotAuthorized).words(text()).user_property("p", text())
}

/// Says no at length to everything, and welcomes at length.
#[derive(Debug)]
struct Wordy;

impl Hook for Wordy {
    fn connect(&self, connecting: &Connecting) -> ConnectDecision {
        if &*connecting.caller.client_id == "bad" {
            return no().into();
        }
        ConnectDecision::Admit(Welcome {
            words: Some(text().into()),
            user_properties: vec![("p".into(), text().into())],
            ..Welcome::default()
        })
    }
    fn publish(&self, _: &Caller, publication: &Publication) -> PublishDecision {
        match publication.message.topic.as_str() {
            "end" => PublishDecision::Disconnect(no()),
            _ => no().into(),
        }
    }
    fn subscribe(&self, _: &Caller, wanted: &Wanted) -> SubscribeDecision {
        if wanted.filter.to_string() == "yes" { SubscribeDecision::Grant } else { no().into() }
    }
    fn unsubscribe(&self, _: &Caller, _: &SubscriptionFilter) -> UnsubscribeDecision {
        no().into()
    }
}

/// How much a client takes, and what it asked for.
#[derive(Debug, Clone, Copy)]
struct Taker {
    maximum: Option<u32>,
    information: Option<bool>,
}

const TAKERS: [Taker; 5] = [
    Taker { maximum: None, information: None },
    Taker { maximum: None, information: Some(true) },
    Taker { maximum: None, information: Some(false) },
    Taker { maximum: Some(SMALL), information: None },
    Taker { maximum: Some(TINY), information: None },
];

impl Taker {
    async fn open(self, broker: &OpenBroker, name: &str) -> (Wire, gridmq_proto::packet::ConnAck) {
        Wire::open(broker.address(), name, Version::V5, |connect| {
            connect.properties.maximum_packet_size = self.maximum.and_then(NonZeroU32::new);
            connect.properties.request_problem_information = self.information;
        })
        .await
    }

    /// What it must have got.
    fn check(self, what: &str, reason_string: Option<&str>, user_properties: &UserProperties) {
        let got = (reason_string.map(str::len), user_properties.len());
        let expected = match self {
            Self { information: Some(false), .. } => (None, 0),
            Self { maximum: None, .. } => (Some(LONG), 1),
            Self { maximum: Some(SMALL), .. } => (Some(LONG), 0),
            Self { .. } => (None, 0),
        };
        assert_eq!(got, expected, "{what} to {self:?}");
    }

    fn check_ack(self, what: &str, properties: Option<&AckProperties>) {
        let nothing = AckProperties::default();
        let AckProperties { reason_string, user_properties } = properties.unwrap_or(&nothing);
        self.check(what, reason_string.as_deref(), user_properties);
    }
}

async fn broker() -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(1).hook(Arc::new(Wordy))).await
}

#[tokio::test]
async fn mqtt5_3_2_2_19_and_mqtt5_3_2_2_20_connack_has_the_words_that_fit() {
    let broker = broker().await;
    for taker in TAKERS {
        for (name, reason) in [("good", ReasonCode::Success), ("bad", ReasonCode::NotAuthorized)] {
            let (_wire, ack) = taker.open(&broker, name).await;
            assert_eq!(ack.reason, reason, "{taker:?}");
            taker.check("CONNACK", ack.properties.reason_string.as_deref(), &ack.properties.user_properties);
        }
    }
}

#[tokio::test]
async fn mqtt5_3_4_2_2_and_mqtt5_3_4_2_3_puback_has_the_words_that_fit() {
    let broker = broker().await;
    for taker in TAKERS {
        let (mut wire, _) = taker.open(&broker, "c").await;
        let id = wire.send_publish(message("t", "x", QoS::AtLeastOnce)).await.unwrap();
        let ack = wire.ack(PacketType::PubAck, id).await;
        assert_eq!(ack.reason, ReasonCode::NotAuthorized);
        taker.check_ack("PUBACK", ack.properties.as_deref());
    }
}

#[tokio::test]
async fn mqtt5_3_5_2_2_and_mqtt5_3_5_2_3_pubrec_has_the_words_that_fit() {
    let broker = broker().await;
    for taker in TAKERS {
        let (mut wire, _) = taker.open(&broker, "c").await;
        let id = wire.send_publish(message("t", "x", QoS::ExactlyOnce)).await.unwrap();
        let ack = wire.ack(PacketType::PubRec, id).await;
        assert_eq!(ack.reason, ReasonCode::NotAuthorized);
        taker.check_ack("PUBREC", ack.properties.as_deref());
    }
}

#[tokio::test]
async fn mqtt5_3_9_2_1_and_mqtt5_3_9_2_2_suback_has_the_words_that_fit() {
    let broker = broker().await;
    for taker in TAKERS {
        let (mut wire, _) = taker.open(&broker, "c").await;
        let id = wire.packet_id();
        wire.send(subscribe(id, &[("no", SubscribeOptions::default())], None)).await;
        let Packet::SubAck(ack) = wire.recv().await else { panic!("not a SUBACK") };
        assert_eq!(ack.reasons, [ReasonCode::NotAuthorized]);
        taker.check_ack("SUBACK", Some(&ack.properties));
    }
}

#[tokio::test]
async fn mqtt5_3_11_2_1_and_mqtt5_3_11_2_2_unsuback_has_the_words_that_fit() {
    let broker = broker().await;
    for taker in TAKERS {
        let (mut wire, _) = taker.open(&broker, "c").await;
        assert_eq!(wire.subscribe("yes", QoS::AtMostOnce).await, ReasonCode::Success);
        let id = wire.packet_id();
        wire.send(unsubscribe(id, &["yes"])).await;
        let Packet::UnsubAck(ack) = wire.recv().await else { panic!("not an UNSUBACK") };
        assert_eq!(ack.reasons, [ReasonCode::NotAuthorized]);
        taker.check_ack("UNSUBACK", Some(&ack.properties));
    }
}

#[tokio::test]
async fn mqtt5_3_14_2_3_and_mqtt5_3_14_2_4_disconnect_has_the_words_that_fit() {
    let broker = broker().await;
    for taker in TAKERS {
        let (mut wire, _) = taker.open(&broker, "c").await;
        wire.send_publish(message("end", "x", QoS::AtMostOnce)).await;
        let Packet::Disconnect(said) = wire.recv().await else { panic!("not a DISCONNECT") };
        assert_eq!(said.reason, ReasonCode::NotAuthorized);
        taker.check("DISCONNECT", said.properties.reason_string.as_deref(), &said.properties.user_properties);
        assert!(wire.expect_closed().await.is_empty());
    }
}
