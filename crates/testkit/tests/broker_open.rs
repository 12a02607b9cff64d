//! A broker without a namespace: users and their passwords, access rules, and those who guess.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bytes::Bytes;
use gridmq_broker::Broker;
use gridmq_namespace::Open;
use gridmq_namespace::open::{Access, Brake, BrakeSteps, PasswordHash, Users};
use gridmq_proto::packet::{ConnAck, Connect, Packet, Will};
use gridmq_proto::{Message, QoS, ReasonCode, TopicName, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, connect, encoded, lasting, message, payload_of};

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

/// Alice's password is `wonder`, Bob's `builder`.
static USERS: LazyLock<String> = LazyLock::new(|| {
    let line = |name: &str, password: &str| {
        let hash = PasswordHash::new(password.as_bytes(), [7; 16]).unwrap();
        format!("{name}:{}\n", hash.as_str())
    };
    line("alice", "wonder") + &line("bob", "builder")
});

fn users() -> Open {
    Open::new().with_users(Arc::new(Users::parse(&USERS).unwrap()))
}

fn access(rules: &str) -> Arc<Access> {
    Arc::new(Access::parse(rules).unwrap())
}

async fn start(rules: Open) -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(2).rules(Arc::new(rules))).await
}

async fn enter(
    broker: &OpenBroker,
    client_id: &str,
    version: Version,
    name: &str,
    password: &str,
    adjust: impl FnOnce(&mut Connect),
) -> (Wire, ConnAck) {
    let wire = Wire::connect(broker.address()).await;
    wire.introduce(client_id, version, |connect| {
        connect.username = Some(name).filter(|name| !name.is_empty()).map(|name| name.to_owned().into());
        connect.password = Some(password).filter(|word| !word.is_empty()).map(|word| word.to_owned().into());
        adjust(connect);
    })
    .await
}

async fn join(broker: &OpenBroker, name: &str, password: &str) -> Wire {
    let (wire, ack) = enter(broker, name, Version::V5, name, password, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::Success, "{ack:?}");
    wire
}

#[tokio::test]
async fn mqtt5_3_1_3_5_and_mqtt5_3_1_3_6_a_password_admits_its_user_alone() {
    let broker = start(users()).await;
    for version in VERSIONS {
        let (_wire, ack) = enter(&broker, "a", version, "alice", "wonder", |_| ()).await;
        assert_eq!(ack.reason, ReasonCode::Success);
        for (name, password) in [("alice", "builder"), ("carol", "wonder")] {
            let (mut wire, ack) = enter(&broker, "b", version, name, password, |_| ()).await;
            assert_eq!(ack.reason, ReasonCode::BadUserNameOrPassword);
            assert!(wire.expect_closed().await.is_empty());
        }
        let (mut wire, ack) = enter(&broker, "c", version, "", "", |_| ()).await;
        assert_eq!(ack.reason, ReasonCode::NotAuthorized);
        assert!(wire.expect_closed().await.is_empty());
    }
}

#[tokio::test]
async fn what_follows_connect_at_once_waits_for_the_password() {
    let broker = start(users()).await;
    let mut wire = Wire::connect(broker.address()).await;
    let mut connect = connect("eager", Version::V5);
    connect.username = Some("alice".into());
    connect.password = Some("wonder".into());
    let mut publish = message("t", "early", QoS::AtLeastOnce);
    publish.packet_id = Some(wire.packet_id());
    let mut bytes = encoded(&Packet::Connect(Box::new(connect)), Version::V5);
    bytes.extend_from_slice(&encoded(&Packet::Publish(publish), Version::V5));
    wire.send_raw(&bytes).await;
    assert_eq!(wire.connack().await.reason, ReasonCode::Success);
    let ack = wire.recv().await;
    assert!(matches!(&ack, Packet::PubAck(ack) if ack.reason == ReasonCode::NoMatchingSubscribers), "{ack:?}");
}

#[tokio::test]
async fn anonymous_clients_come_in_only_where_it_is_said() {
    let broker = start(users().allow_anonymous(true)).await;
    for version in VERSIONS {
        let (_wire, ack) = enter(&broker, "", version, "", "", |_| ()).await;
        assert_eq!(ack.reason, ReasonCode::Success);
        let (_wire, ack) = enter(&broker, "a", version, "alice", "wrong", |_| ()).await;
        assert_eq!(ack.reason, ReasonCode::BadUserNameOrPassword);
    }
}

#[tokio::test]
async fn access_rules_decide_what_is_published_subscribed_and_left_as_a_will() {
    let rules = "allow users publish d/${client.authenticationName}/#\nallow user bob subscribe d/+/x";
    let broker = start(users().with_access(access(rules))).await;
    let mut bob = join(&broker, "bob", "builder").await;
    assert_eq!(bob.subscribe("d/+/x", QoS::AtLeastOnce).await, ReasonCode::GrantedQos1);
    assert_eq!(bob.subscribe("d/#", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    let mut alice = join(&broker, "alice", "wonder").await;
    assert_eq!(alice.subscribe("d/alice/x", QoS::AtMostOnce).await, ReasonCode::NotAuthorized);
    assert_eq!(alice.publish("d/bob/x", "no", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    assert_eq!(alice.retain("d/bob/x", "no", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);
    assert_eq!(alice.publish("d/alice/x", "yes", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(payload_of(&bob.take().await), "yes");
    let will = |topic: &str| {
        let message = Message::new(TopicName::try_from(topic).unwrap(), Bytes::from_static(b"gone"));
        Some(Box::new(Will { message, qos: QoS::AtMostOnce, retain: true, delay_interval: 0 }))
    };
    for version in VERSIONS {
        let (_wire, ack) =
            enter(&broker, "w", version, "alice", "wonder", |connect| connect.will = will("d/bob/x")).await;
        assert_eq!(ack.reason, ReasonCode::NotAuthorized);
        let (_wire, ack) =
            enter(&broker, "w", version, "alice", "wonder", |connect| connect.will = will("d/alice/w")).await;
        assert_eq!(ack.reason, ReasonCode::Success);
    }
}

#[tokio::test]
async fn a_session_is_its_users() {
    let broker = start(users()).await;
    let (_wire, _) = enter(&broker, "s", Version::V5, "alice", "wonder", lasting).await;
    let (_wire, ack) = enter(&broker, "s", Version::V5, "bob", "builder", |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::NotAuthorized);
    let (_wire, ack) = enter(&broker, "s", Version::V5, "alice", "wonder", lasting).await;
    assert_eq!((ack.reason, ack.session_present), (ReasonCode::Success, true));
}

#[tokio::test]
async fn who_guesses_is_held_up_and_who_was_here_is_not() {
    let steps =
        BrakeSteps { first: Duration::from_secs(3600), longest: Duration::from_secs(3600), ..BrakeSteps::SOURCE };
    let brake = Arc::new(Brake::with_steps(steps, BrakeSteps::USER));
    let broker = start(users().with_brake(Arc::clone(&brake))).await;
    join(&broker, "bob", "builder").await;
    for _ in 0..6 {
        let (_wire, ack) = enter(&broker, "a", Version::V5, "alice", "guess", |_| ()).await;
        assert_eq!(ack.reason, ReasonCode::BadUserNameOrPassword);
    }
    let (_wire, ack) = enter(&broker, "a", Version::V5, "alice", "wonder", |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::ConnectionRateExceeded);
    let (_wire, ack) = enter(&broker, "a", Version::V3_1_1, "alice", "wonder", |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::ServerUnavailable);
    assert_eq!((brake.stats().wrong, brake.stats().held_up), (6, 2));
    join(&broker, "bob", "builder").await;
}

#[tokio::test]
async fn many_wrong_passwords_at_once_cost_few_hashes_and_hold_up_nobody() {
    let brake = Arc::new(Brake::new());
    let broker = start(users().with_brake(Arc::clone(&brake))).await;
    let mut bob = join(&broker, "bob", "builder").await;
    let guesses: Vec<_> = (0..200)
        .map(|n| {
            let address = broker.address();
            tokio::spawn(async move {
                let wire = Wire::connect(address).await;
                let (_wire, ack) = wire
                    .introduce(&format!("g{n}"), Version::V5, |connect| {
                        connect.username = Some("alice".into());
                        connect.password = Some("guess".into());
                    })
                    .await;
                ack.reason
            })
        })
        .collect();
    // One who is there goes on as if nothing were.
    assert_eq!(bob.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::NoMatchingSubscribers);
    for guess in guesses {
        let reason = guess.await.unwrap();
        assert_ne!(reason, ReasonCode::Success);
    }
    assert!(brake.stats().wrong < 20, "{:?}", brake.stats());
    join(&broker, "bob", "builder").await;
}

#[tokio::test]
async fn a_change_of_users_and_rules_reaches_who_is_connected() {
    let rules = users().with_access(access("allow users all #"));
    let broker = start(rules.clone()).await;
    let mut alice = join(&broker, "alice", "wonder").await;
    let mut bob = join(&broker, "bob", "builder").await;
    assert_eq!(bob.subscribe("a/b", QoS::AtMostOnce).await, ReasonCode::Success);

    // Bob loses a subscription, and Alice the right to publish.
    let narrower = rules.clone().with_access(access("allow user alice subscribe #")).with_generation(1);
    broker.broker.set_rules(Arc::new(narrower)).await;
    assert_eq!(bob.expect_disconnect().await, ReasonCode::NotAuthorized);
    assert_eq!(alice.publish("a/b", "x", QoS::AtLeastOnce).await, ReasonCode::NotAuthorized);

    // Alice is no user any more.
    let without: String = USERS.lines().filter(|line| !line.starts_with("alice")).collect();
    let without = Arc::new(Users::parse(&without).unwrap());
    broker.broker.set_rules(Arc::new(rules.with_users(without).with_generation(2))).await;
    assert_eq!(alice.expect_disconnect().await, ReasonCode::NotAuthorized);
    let (_wire, ack) = enter(&broker, "alice", Version::V5, "alice", "wonder", |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::BadUserNameOrPassword);
}
