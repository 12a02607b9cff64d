//! A namespace: who is let in, what they may do, and what a change of the rules ends.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use bytes::Bytes;
use gridmq_broker::{Broker, Listener};
use gridmq_namespace::{Policy, Resources};
use gridmq_proto::packet::{ConnAck, Connect, SubscribeOptions, Will};
use gridmq_proto::{Message, QoS, ReasonCode, Version};
use gridmq_testkit::authority::{Authority, identity};
use gridmq_testkit::broker::resources;
use gridmq_testkit::wire::{Wire, eventually, lasting, message, payload_of};
use gridmq_testkit::{Namespace, OpenBroker};
use gridmq_tls::ClientConfig;
use serde_json::json;

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

/// The return code that MQTT 3.1.1 has for it is one of six; the wire shows them as reason codes.
fn not_authorized(ack: &ConnAck) {
    assert_eq!(ack.reason, ReasonCode::NotAuthorized);
}

async fn dial(namespace: &Namespace, config: &ClientConfig) -> Wire {
    Wire::connect_tls(namespace.broker.addresses()[0], "localhost", config).await
}

/// Connects as one of the registered clients, with its name as client identifier.
async fn open(
    namespace: &Namespace,
    name: &str,
    version: Version,
    adjust: impl FnOnce(&mut Connect),
) -> (Wire, ConnAck) {
    let issued = namespace.authority.client(&format!("{name}-authn-ID"));
    let config =
        ClientConfig::builder().identity(identity(&issued)).trust(namespace.authority.trust()).build().unwrap();
    let username = format!("{name}-authn-ID");
    dial(namespace, &config)
        .await
        .introduce(name, version, |connect| {
            connect.username = Some(username.into());
            adjust(connect);
        })
        .await
}

async fn join(namespace: &Namespace, name: &str, version: Version) -> Wire {
    let (wire, ack) = open(namespace, name, version, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::Success);
    wire
}

/// The test namespace with other clients and other topics.
fn rules(authority: &Authority, clients: &[&str], template: &str, generation: u64) -> Arc<Policy> {
    let clients: Vec<_> = clients
        .iter()
        .map(|name| json!({ "name": name, "properties": { "authenticationName": format!("{name}-authn-ID") } }))
        .collect();
    let binding = |name: &str, permission: &str| {
        let properties = json!({ "clientGroupName": "$all", "topicSpaceName": "interop", "permission": permission });
        json!({ "name": name, "properties": properties })
    };
    let document = json!({
        "clients": clients,
        "topicSpaces": [{ "name": "interop", "properties": { "topicTemplates": [template] } }],
        "permissionBindings": [binding("interop-publish", "Publisher"), binding("interop-subscribe", "Subscriber")],
        "caCertificates": [{
            "name": "test-intermediate",
            "properties": { "encodedCertificate": authority.intermediate.certificate_pem() },
        }],
    });
    Arc::new(Policy::compile(Resources::from_json(&document.to_string()).unwrap(), generation).unwrap())
}

#[tokio::test]
async fn mqtt5_3_2_2_9_and_mqtt5_3_2_2_22_connack_says_what_event_grid_grants() {
    let namespace = gridmq_testkit::namespace(2).await;
    let (_wire, ack) = open(&namespace, "client1", Version::V5, |connect| {
        connect.properties.session_expiry_interval = Some(u32::MAX);
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::Success);
    assert_eq!(ack.properties.maximum_qos, Some(QoS::AtLeastOnce));
    assert_eq!(ack.properties.subscription_identifiers_available, Some(false));
    assert_eq!(ack.properties.maximum_packet_size.unwrap().get(), 524_288);
    assert_eq!(ack.properties.server_keep_alive, Some(1160));
    assert_eq!(ack.properties.session_expiry_interval, Some(3600));
    let (_wire, ack) = open(&namespace, "client2", Version::V5, |connect| {
        connect.keep_alive = 60;
        connect.properties.session_expiry_interval = Some(60);
    })
    .await;
    assert_eq!((ack.properties.server_keep_alive, ack.properties.session_expiry_interval), (None, None));
}

#[tokio::test]
async fn who_proves_nothing_or_something_else_is_refused() {
    let namespace = gridmq_testkit::namespace(4).await;
    let trust = namespace.authority.trust();
    let nobody = ClientConfig::builder().trust(trust.clone()).build().unwrap();
    let strangers = Authority::new("Stranger").client("client1-authn-ID");
    let stranger = ClientConfig::builder().identity(identity(&strangers)).trust(trust.clone()).build().unwrap();
    let second = namespace.authority.client("client2-authn-ID");
    let second = ClientConfig::builder().identity(identity(&second)).trust(trust).build().unwrap();
    for version in VERSIONS {
        for (config, username) in [
            (&nobody, Some("client1-authn-ID")),
            (&stranger, Some("client1-authn-ID")),
            (&second, Some("client1-authn-ID")),
            (&second, Some("unknown-authn-ID")),
        ] {
            let wire = dial(&namespace, config).await;
            let (mut wire, ack) =
                wire.introduce("c", version, |connect| connect.username = username.map(Into::into)).await;
            not_authorized(&ack);
            assert!(!ack.session_present);
            assert!(wire.expect_closed().await.is_empty());
        }
    }
    assert_eq!(namespace.broker.stats().sessions, 0);
}

#[tokio::test]
async fn a_plain_port_takes_nobody_at_their_word_unless_told_to() {
    let authority = Authority::new("Test");
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    let policy = Arc::new(Policy::compile(resources(&authority), 1).unwrap());
    let broker = Broker::builder()
        .workers(2)
        .rules(policy)
        .listener(Listener::plain(address))
        .listener(Listener::plain(address).trust_plain(true))
        .start()
        .await
        .unwrap();
    for (address, username, reason) in [
        (broker.addresses()[0], "client1-authn-ID", ReasonCode::NotAuthorized),
        (broker.addresses()[1], "client1-authn-ID", ReasonCode::Success),
        (broker.addresses()[1], "unknown", ReasonCode::NotAuthorized),
    ] {
        for version in VERSIONS {
            let (_wire, ack) =
                Wire::open(address, "c", version, |connect| connect.username = Some(username.into())).await;
            assert_eq!(ack.reason, reason);
        }
    }
}

#[tokio::test]
async fn mqtt311_3_3_5_2_a_publish_that_is_not_allowed_is_refused_or_ends_the_connection() {
    let namespace = gridmq_testkit::namespace(4).await;
    let mut witness = join(&namespace, "client2", Version::V5).await;
    witness.subscribe("interop/#", QoS::AtLeastOnce).await;
    let mut wire = join(&namespace, "client1", Version::V5).await;
    assert_eq!(wire.publish("elsewhere/a", "x", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    assert_eq!(wire.publish("interop/a", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&witness.take().await), "x");
    wire.send_publish(message("elsewhere/a", "x", QoS::AtMostOnce)).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::NotAuthorized);
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
        let mut wire = join(&namespace, "client1", Version::V3_1_1).await;
        wire.send_publish(message("elsewhere/a", "x", qos)).await;
        wire.expect_end(ReasonCode::NotAuthorized).await;
    }
    assert!(witness.ping_barrier().await.is_empty());
}

#[tokio::test]
async fn a_subscription_that_is_not_allowed_is_refused_and_the_others_granted() {
    let namespace = gridmq_testkit::namespace(2).await;
    for (version, reason) in [(Version::V5, ReasonCode::NotAuthorized), (Version::V3_1_1, ReasonCode::UnspecifiedError)]
    {
        let mut wire = join(&namespace, "client1", version).await;
        let options = SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() };
        let filters = [("interop/a", options), ("#", options), ("elsewhere/a", options), ("interop/+/#", options)];
        let granted = ReasonCode::GrantedQos1;
        assert_eq!(wire.subscribe_with(&filters, None).await, [granted, reason, reason, granted]);
        wire.publish("interop/b/c", "x", QoS::AtLeastOnce).await;
        assert_eq!(payload_of(&wire.take().await), "x");
        wire.leave().await;
    }
}

#[tokio::test]
async fn a_will_that_may_not_be_published_refuses_the_connection() {
    let namespace = gridmq_testkit::namespace(2).await;
    for (topic, qos, reason) in [
        ("elsewhere/a", QoS::AtLeastOnce, ReasonCode::NotAuthorized),
        ("interop/a", QoS::AtLeastOnce, ReasonCode::Success),
    ] {
        for version in VERSIONS {
            let (mut wire, ack) = open(&namespace, "client1", version, |connect| {
                let message = Message::new(topic.try_into().unwrap(), Bytes::from_static(b"gone"));
                connect.will = Some(Box::new(Will { message, qos, retain: false, delay_interval: 0 }));
            })
            .await;
            assert_eq!(ack.reason, reason);
            if reason.is_failure() {
                assert!(wire.expect_closed().await.is_empty());
            } else {
                wire.leave().await;
            }
        }
    }
}

#[tokio::test]
async fn mqtt5_3_2_2_10_and_mqtt5_3_2_2_11_and_mqtt5_3_2_2_12_qos_2_is_lowered_or_refused() {
    let namespace = gridmq_testkit::namespace(2).await;
    let mut wire = join(&namespace, "client1", Version::V5).await;
    assert_eq!(wire.subscribe("interop/a", QoS::ExactlyOnce).await, ReasonCode::GrantedQos1);
    wire.send_publish(message("interop/a", "x", QoS::ExactlyOnce)).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::QosNotSupported);
    let (mut wire, ack) = open(&namespace, "client1", Version::V5, |connect| {
        let message = Message::new("interop/a".try_into().unwrap(), Bytes::new());
        let will = Will { message, qos: QoS::ExactlyOnce, retain: false, delay_interval: 0 };
        connect.will = Some(Box::new(will));
    })
    .await;
    assert_eq!(ack.reason, ReasonCode::QosNotSupported);
    assert!(wire.expect_closed().await.is_empty());
    let mut wire = join(&namespace, "client1", Version::V5).await;
    let id = wire.packet_id();
    wire.send(gridmq_testkit::wire::subscribe(id, &[("interop/a", SubscribeOptions::default())], Some(5))).await;
    assert_eq!(wire.expect_disconnect().await, ReasonCode::SubscriptionIdentifiersNotSupported);
}

#[tokio::test]
async fn a_session_belongs_to_the_name_that_made_it() {
    let namespace = gridmq_testkit::namespace(4).await;
    for version in VERSIONS {
        let (mut first, _) = open(&namespace, "client1", Version::V5, |connect| {
            lasting(connect);
            connect.client_id = "shared".into();
        })
        .await;
        let (mut second, ack) =
            open(&namespace, "client2", version, |connect| connect.client_id = "shared".into()).await;
        not_authorized(&ack);
        assert!(second.expect_closed().await.is_empty());
        assert!(first.ping_barrier().await.is_empty(), "it is not touched");
        first.leave().await;
        let (_, ack) = open(&namespace, "client2", version, |connect| connect.client_id = "shared".into()).await;
        not_authorized(&ack);
        let (first, ack) = open(&namespace, "client1", Version::V5, |connect| {
            lasting(connect);
            connect.client_id = "shared".into();
        })
        .await;
        assert!(ack.session_present);
        first.leave().await;
    }
}

#[tokio::test]
async fn a_name_has_one_session() {
    let namespace = gridmq_testkit::namespace(4).await;
    let named = |client_id: &'static str| {
        move |connect: &mut Connect| {
            lasting(connect);
            connect.client_id = client_id.into();
        }
    };
    let (first, _) = open(&namespace, "client1", Version::V5, named("one")).await;
    let (mut second, ack) = open(&namespace, "client1", Version::V5, named("two")).await;
    assert_eq!(ack.reason, ReasonCode::QuotaExceeded);
    assert!(second.expect_closed().await.is_empty());
    // A session without a connection counts.
    first.leave().await;
    let (_, ack) = open(&namespace, "client1", Version::V5, named("two")).await;
    assert_eq!(ack.reason, ReasonCode::QuotaExceeded);
    let (mut first, ack) = open(&namespace, "client1", Version::V5, named("one")).await;
    assert!(ack.session_present);
    first.leave_with(ReasonCode::NORMAL_DISCONNECTION, Some(0)).await;
    eventually("it has ended", || namespace.broker.stats().sessions == 0).await;
    let (_second, ack) = open(&namespace, "client1", Version::V5, named("two")).await;
    assert_eq!(ack.reason, ReasonCode::Success);
}

#[tokio::test]
async fn a_session_whose_queue_overflows_ends() {
    let namespace = gridmq_testkit::namespace(4).await;
    let (mut wire, _) = open(&namespace, "client1", Version::V5, lasting).await;
    wire.subscribe("interop/a", QoS::AtLeastOnce).await;
    wire.leave().await;
    let mut publisher = join(&namespace, "client2", Version::V5).await;
    for number in 0..100 {
        assert_eq!(publisher.publish("interop/a", number.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    assert_eq!(namespace.broker.stats().sessions, 2);
    publisher.publish("interop/a", "too many", QoS::AtLeastOnce).await;
    eventually("it has ended", || namespace.broker.stats().sessions == 1).await;
    assert_eq!(namespace.broker.stats().sessions_overflowed, 1);
    let (mut wire, ack) = open(&namespace, "client1", Version::V5, lasting).await;
    assert!(!ack.session_present);
    assert!(wire.ping_barrier().await.is_empty());
    // Online it is the same: the window is 16, the queue 100.
    wire.subscribe("interop/a", QoS::AtLeastOnce).await;
    for number in 0..130 {
        publisher.publish("interop/a", number.to_string(), QoS::AtLeastOnce).await;
    }
    let last = wire.expect_closed().await;
    assert_eq!(last.len(), 17, "{last:?}");
    match last.last() {
        Some(gridmq_proto::Packet::Disconnect(disconnect)) => assert_eq!(disconnect.reason, ReasonCode::QuotaExceeded),
        other => panic!("{other:?}"),
    }
    let (_, ack) = open(&namespace, "client1", Version::V5, lasting).await;
    assert!(!ack.session_present);
}

#[tokio::test]
async fn who_has_lost_the_right_to_be_there_is_disconnected() {
    let namespace = gridmq_testkit::namespace(4).await;
    let mut first = join(&namespace, "client1", Version::V5).await;
    let mut second = join(&namespace, "client2", Version::V3_1_1).await;
    let mut third = join(&namespace, "client3", Version::V5).await;
    let (fourth, _) = open(&namespace, "client4", Version::V5, lasting).await;
    fourth.leave().await;
    third.subscribe("interop/#", QoS::AtLeastOnce).await;
    namespace.broker.set_rules(rules(&namespace.authority, &["client3"], "interop/#", 2)).await;
    assert_eq!(first.expect_disconnect().await, ReasonCode::NotAuthorized);
    second.expect_end(ReasonCode::NotAuthorized).await;
    eventually("the session that was away has ended too", || namespace.broker.stats().sessions == 1).await;
    third.publish("interop/a", "x", QoS::AtLeastOnce).await;
    assert_eq!(payload_of(&third.take().await), "x");
    let (_, ack) = open(&namespace, "client1", Version::V5, |_| ()).await;
    not_authorized(&ack);
}

#[tokio::test]
async fn a_subscription_that_is_no_longer_allowed_ends_and_its_client_is_told() {
    // On one worker all are judged in one turn, so that whoever is told shows that the others are done too.
    let namespace = gridmq_testkit::namespace(1).await;
    let (mut online, _) = open(&namespace, "client1", Version::V5, lasting).await;
    let (mut offline, _) = open(&namespace, "client2", Version::V5, lasting).await;
    for wire in [&mut online, &mut offline] {
        wire.subscribe("interop/old/#", QoS::AtLeastOnce).await;
        wire.subscribe("interop/new/#", QoS::AtLeastOnce).await;
    }
    offline.leave().await;
    let mut other = join(&namespace, "client3", Version::V5).await;
    other.subscribe("interop/new/a", QoS::AtLeastOnce).await;
    let all = ["client1", "client2", "client3", "client4"];
    namespace.broker.set_rules(rules(&namespace.authority, &all, "interop/new/#", 2)).await;
    assert_eq!(online.expect_disconnect().await, ReasonCode::NotAuthorized);
    assert!(other.ping_barrier().await.is_empty());
    assert_eq!(other.publish("interop/old/a", "x", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    assert_eq!(other.publish("interop/new/a", "y", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&other.take().await), "y");
    // And back: what was ended stays ended.
    namespace.broker.set_rules(rules(&namespace.authority, &all, "interop/#", 3)).await;
    assert_eq!(other.publish("interop/new/a", "z", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&other.take().await), "z");
    for name in ["client1", "client2"] {
        let (mut wire, ack) = open(&namespace, name, Version::V5, lasting).await;
        assert!(ack.session_present, "{name}");
        assert_eq!(wire.take_payloads(2).await, ["y", "z"], "{name}: only what is still subscribed");
        assert!(wire.ping_barrier().await.is_empty());
        let gone = wire.unsubscribe(&["interop/old/#", "interop/new/#"]).await;
        assert_eq!(gone, [ReasonCode::NoSubscriptionExisted, ReasonCode::Success], "{name}");
    }
}

#[tokio::test]
async fn a_will_is_judged_again_when_it_fires() {
    // One worker, so that a ping shows that nothing was routed.
    let namespace = gridmq_testkit::namespace(1).await;
    let mut heir = join(&namespace, "client2", Version::V5).await;
    heir.subscribe("interop/#", QoS::AtLeastOnce).await;
    let with_will = |delay_interval| {
        move |connect: &mut Connect| {
            lasting(connect);
            let message = Message::new("interop/will".try_into().unwrap(), Bytes::from_static(b"gone"));
            let will = Will { message, qos: QoS::AtLeastOnce, retain: false, delay_interval };
            connect.will = Some(Box::new(will));
        }
    };
    let (mut removed, _) = open(&namespace, "client1", Version::V5, with_will(0)).await;
    let (kept, _) = open(&namespace, "client3", Version::V5, with_will(0)).await;
    namespace.broker.set_rules(rules(&namespace.authority, &["client2", "client3"], "interop/#", 2)).await;
    assert_eq!(removed.expect_disconnect().await, ReasonCode::NotAuthorized);
    assert!(heir.ping_barrier().await.is_empty(), "a client that is not there any more leaves nothing");
    drop(kept);
    assert_eq!(payload_of(&heir.take().await), "gone");
}

#[tokio::test]
async fn rules_may_change_while_clients_come_and_publish() {
    let authority = Authority::new("Test");
    let policy = rules(&authority, &["client1", "client2", "client3", "client4"], "interop/#", 1);
    let address: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    let broker = Broker::builder()
        .workers(4)
        .rules(policy)
        .listener(Listener::plain(address).trust_plain(true))
        .start()
        .await
        .unwrap();
    let broker = OpenBroker { broker };
    let named =
        |name: &'static str| move |connect: &mut Connect| connect.username = Some(format!("{name}-authn-ID").into());
    let (mut stays, _) = Wire::open(broker.address(), "stays", Version::V5, named("client1")).await;
    stays.subscribe("interop/#", QoS::AtLeastOnce).await;
    for generation in 2..40 {
        let (mut comes, ack) = Wire::open(broker.address(), "comes", Version::V5, named("client2")).await;
        assert_eq!(ack.reason, if generation % 2 == 0 { ReasonCode::Success } else { ReasonCode::NotAuthorized });
        let clients: &[&str] = if generation % 2 == 0 { &["client1"] } else { &["client1", "client2"] };
        broker.broker.set_rules(rules(&authority, clients, "interop/#", generation)).await;
        assert_eq!(stays.publish("interop/a", generation.to_string(), QoS::AtLeastOnce).await, ReasonCode::Success);
        assert_eq!(payload_of(&stays.take().await), generation.to_string());
        if generation % 2 == 0 {
            assert_eq!(comes.expect_disconnect().await, ReasonCode::NotAuthorized);
        }
    }
}
