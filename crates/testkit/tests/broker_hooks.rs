//! What a program that embeds the broker decides.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;
use std::time::Duration;

use gridmq_broker::hooks::*;
use gridmq_broker::{Broker, Limits};
use gridmq_proto::packet::{PacketType, SubscribeOptions};
use gridmq_proto::{Message, Packet, QoS, ReasonCode, SubscriptionFilter, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Barrier, Wire, eventually, message, payload_of, topic_of};
use tokio::sync::{Notify, Semaphore};

const VERSIONS: [Version; 2] = [Version::V3_1_1, Version::V5];

fn no(words: &'static str) -> Refused {
    Refused::new(ReasonCode::NotAuthorized).words(words).user_property("why", words)
}

/// One of every decision, by client identifier, topic or filter.
#[derive(Debug)]
struct Deciding;

impl Hook for Deciding {
    fn connect(&self, connecting: &Connecting) -> ConnectDecision {
        match &*connecting.caller.client_id {
            "bad" => no("bad name").into(),
            "moved" => Refused::new(ReasonCode::UseAnotherServer).server_reference("other:1883").into(),
            "" => ConnectDecision::Admit(Welcome { assigned_client_id: Some("chosen".into()), ..Welcome::default() }),
            _ => ConnectDecision::Admit(Welcome {
                words: Some("hello".into()),
                user_properties: vec![("k".into(), "v".into())],
                response_information: Some("answers/".into()),
                assigned_client_id: None,
            }),
        }
    }

    fn publish(&self, caller: &Caller, publication: &Publication) -> PublishDecision {
        match publication.message.topic.as_str() {
            "refuse" => no("not there").into(),
            "end" => PublishDecision::Disconnect(no("go away")),
            "consume" => PublishDecision::Consume,
            "rewrite" => {
                let mut other = publication.clone();
                other.message.topic = "rewritten".try_into().unwrap();
                other.message.payload = format!("by {}", caller.client_id).into();
                PublishDecision::RouteAs(Box::new(other))
            }
            _ => PublishDecision::Route,
        }
    }

    fn subscribe(&self, _: &Caller, wanted: &Wanted) -> SubscribeDecision {
        match wanted.filter.to_string().as_str() {
            "no" => no("no such filter").into(),
            "low" => SubscribeDecision::GrantAs(SubscribeOptions { qos: QoS::AtMostOnce, ..wanted.options }),
            _ => SubscribeDecision::Grant,
        }
    }

    fn unsubscribe(&self, _: &Caller, filter: &SubscriptionFilter) -> UnsubscribeDecision {
        if filter.to_string() == "stay" { no("it stays").into() } else { UnsubscribeDecision::Remove }
    }

    fn deliver(&self, receiver: &Receiver<'_>, message: &Message) -> DeliverDecision {
        match (&**receiver.client_id, message.topic.as_str()) {
            ("blind", "secret") => DeliverDecision::Withhold,
            ("masked", "secret") => {
                DeliverDecision::DeliverAs(Box::new(Message { payload: "***".into(), ..message.clone() }))
            }
            _ => DeliverDecision::Deliver,
        }
    }
}

async fn broker(hook: impl Hook + 'static) -> OpenBroker {
    OpenBroker::start(Broker::builder().workers(2).hook(Arc::new(hook))).await
}

#[tokio::test]
async fn a_connect_is_refused_redirected_or_welcomed() {
    let broker = broker(Deciding).await;
    let address = broker.address();
    let (mut wire, ack) = Wire::open(address, "bad", Version::V5, |_| ()).await;
    assert_eq!((ack.reason, ack.properties.reason_string.as_deref()), (ReasonCode::NotAuthorized, Some("bad name")));
    assert_eq!(ack.properties.user_properties, [("why".into(), "bad name".into())]);
    assert!(wire.expect_closed().await.is_empty());
    let (_, ack) = Wire::open(address, "moved", Version::V5, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::UseAnotherServer);
    assert_eq!(ack.properties.server_reference.as_deref(), Some("other:1883"));
    let (_, ack) = Wire::open(address, "", Version::V5, |_| ()).await;
    assert_eq!(ack.properties.assigned_client_identifier.as_deref(), Some("chosen"));
    let (_, ack) = Wire::open(address, "bad", Version::V3_1_1, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::NotAuthorized);
}

#[tokio::test]
async fn mqtt5_3_1_2_28_response_information_comes_where_it_was_asked_for() {
    let broker = broker(Deciding).await;
    for (asked, expected) in [(None, None), (Some(false), None), (Some(true), Some("answers/"))] {
        let (_, ack) = Wire::open(broker.address(), "c", Version::V5, |connect| {
            connect.properties.request_response_information = asked;
        })
        .await;
        assert_eq!(ack.properties.response_information.as_deref(), expected, "{asked:?}");
        assert_eq!(ack.properties.reason_string.as_deref(), Some("hello"));
    }
}

#[tokio::test]
async fn a_publish_is_rewritten_taken_or_refused() {
    let broker = broker(Deciding).await;
    let mut barrier = Barrier::new(broker.address(), 2).await;
    for version in VERSIONS {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let mut all = Wire::join(broker.address(), "all", version).await;
            all.subscribe("#", QoS::ExactlyOnce).await;
            let mut wire = Wire::join(broker.address(), "p", version).await;
            assert!(!wire.publish("rewrite", "x", qos).await.is_failure());
            let got = all.take().await;
            assert_eq!((topic_of(&got), payload_of(&got).as_str()), ("rewritten", "by p"));
            assert!(!wire.publish("consume", "x", qos).await.is_failure());
            wire.ping().await;
            if version.is_v5() && qos != QoS::AtMostOnce {
                assert_eq!(wire.publish("refuse", "x", qos).await, ReasonCode::NotAuthorized);
            } else {
                wire.send_publish(message("refuse", "x", qos)).await;
                wire.expect_end(ReasonCode::NotAuthorized).await;
                wire = Wire::join(broker.address(), "p", version).await;
            }
            wire.send_publish(message("end", "x", qos)).await;
            wire.expect_end(ReasonCode::NotAuthorized).await;
            barrier.nothing_for(&mut all).await;
        }
    }
}

#[tokio::test]
async fn a_subscription_is_refused_or_granted_otherwise_and_can_be_kept() {
    let broker = broker(Deciding).await;
    for version in VERSIONS {
        let mut wire = Wire::join(broker.address(), "c", version).await;
        let at = SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() };
        let reasons = wire.subscribe_with(&[("no", at), ("low", at), ("stay", at), ("go", at)], None).await;
        assert!(reasons[0].is_failure());
        assert_eq!(reasons[1..], [ReasonCode::Success, ReasonCode::GrantedQos1, ReasonCode::GrantedQos1]);
        for topic in ["no", "low", "stay"] {
            wire.send_publish(message(topic, topic, QoS::AtLeastOnce)).await;
        }
        let low = wire.recv_where("low", |packet| matches!(packet, Packet::Publish(_))).await;
        assert!(
            matches!(low, Packet::Publish(publish) if topic_of(&publish) == "low" && publish.qos == QoS::AtMostOnce)
        );
        let stay = wire.recv_where("stay", |packet| matches!(packet, Packet::Publish(_))).await;
        assert!(matches!(stay, Packet::Publish(publish) if topic_of(&publish) == "stay"));
        if version.is_v5() {
            assert_eq!(wire.unsubscribe(&["stay", "go"]).await, [ReasonCode::NotAuthorized, ReasonCode::Success]);
        }
    }
}

#[tokio::test]
async fn a_delivery_is_withheld_or_changed_for_one_session_alone() {
    let broker = broker(Deciding).await;
    let mut barrier = Barrier::new(broker.address(), 2).await;
    let mut publisher = Wire::join(broker.address(), "p", Version::V5).await;
    publisher.retain("secret", "kept", QoS::AtLeastOnce).await;
    let mut wires = Vec::new();
    for (name, kept) in [("blind", None), ("masked", Some("***")), ("plain", Some("kept"))] {
        let mut wire = Wire::join(broker.address(), name, Version::V5).await;
        wire.subscribe("secret", QoS::AtLeastOnce).await;
        if let Some(kept) = kept {
            assert_eq!(wire.take_payloads(1).await, [kept]);
        }
        wires.push(wire);
    }
    assert_eq!(publisher.publish("secret", "live", QoS::AtLeastOnce).await, ReasonCode::Success);
    assert_eq!(wires[2].take_payloads(1).await, ["live"]);
    assert_eq!(wires[1].take_payloads(1).await, ["***"]);
    barrier.nothing_for(&mut wires[0]).await;
}

/// Answers when it is told to.
#[derive(Debug)]
struct Slow {
    asked: Arc<Notify>,
    answers: Arc<Semaphore>,
}

impl Slow {
    async fn wait(answers: Arc<Semaphore>) {
        answers.acquire().await.unwrap().forget();
    }
}

impl AsyncHook for Slow {
    fn stages(&self) -> Stages {
        Stages::ALL
    }
    fn connect(&self, connecting: &Arc<Connecting>) -> Option<Later<ConnectDecision>> {
        let (name, answers) = (connecting.caller.client_id.clone(), Arc::clone(&self.answers));
        name.starts_with("slow").then(|| {
            self.asked.notify_one();
            Box::pin(async move {
                Self::wait(answers).await;
                if name == "slow-bad" { no("thought about it").into() } else { ConnectDecision::default() }
            }) as _
        })
    }
    fn subscribe(&self, _: &Caller, wanted: &[Wanted]) -> Option<Later<Vec<SubscribeDecision>>> {
        let names: Vec<_> = wanted.iter().map(|wanted| wanted.filter.to_string()).collect();
        let answers = Arc::clone(&self.answers);
        names.iter().any(|name| name.starts_with("slow")).then(|| {
            self.asked.notify_one();
            let decide = |name: &String| match name.ends_with("bad") {
                true => no("thought about it").into(),
                false => SubscribeDecision::Grant,
            };
            Box::pin(async move {
                Self::wait(answers).await;
                names.iter().map(decide).collect()
            }) as _
        })
    }
    fn publish(&self, _: &Caller, publication: &Publication) -> Option<Later<PublishDecision>> {
        let answers = Arc::clone(&self.answers);
        let bad = publication.message.topic.as_str() == "slow/bad";
        publication.message.topic.as_str().starts_with("slow").then(|| {
            self.asked.notify_one();
            Box::pin(async move {
                Self::wait(answers).await;
                if bad { no("thought about it").into() } else { PublishDecision::Route }
            }) as _
        })
    }
}

async fn slow(limits: Limits) -> (OpenBroker, Arc<Notify>, Arc<Semaphore>) {
    let (asked, answers) = (Arc::new(Notify::new()), Arc::new(Semaphore::new(0)));
    let hook = Slow { asked: Arc::clone(&asked), answers: Arc::clone(&answers) };
    let builder = Broker::builder().workers(1).limits(limits).async_hook(Arc::new(hook));
    (OpenBroker::start(builder).await, asked, answers)
}

#[tokio::test]
async fn a_connect_that_waits_holds_up_nobody_else() {
    let (broker, asked, answers) = slow(Limits::default()).await;
    let mut waiting = Wire::connect(broker.address()).await;
    waiting.send(gridmq_testkit::wire::connect("slow", Version::V5)).await;
    asked.notified().await;
    let mut quick = Wire::join(broker.address(), "quick", Version::V5).await;
    quick.ping().await;
    answers.add_permits(1);
    assert_eq!(waiting.connack().await.reason, ReasonCode::Success);
    answers.add_permits(1);
    let (mut wire, ack) = Wire::open(broker.address(), "slow-bad", Version::V5, |_| ()).await;
    assert_eq!(ack.properties.reason_string.as_deref(), Some("thought about it"));
    assert!(wire.expect_closed().await.is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_is_forgotten() {
    let (broker, asked, answers) = slow(Limits::default()).await;
    let mut waiting = Wire::connect(broker.address()).await;
    waiting.send(gridmq_testkit::wire::connect("slow", Version::V5)).await;
    asked.notified().await;
    drop(waiting);
    answers.add_permits(2);
    let (_wire, ack) = Wire::open(broker.address(), "slow-2", Version::V5, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::Success);
    eventually("nothing is left of the first", || broker.broker.stats().sessions == 1).await;
}

#[tokio::test]
async fn as_many_as_may_wait_and_no_longer_than_they_may() {
    let mut limits = Limits::default();
    limits.decisions = 1;
    limits.decision_timeout = Duration::from_millis(300);
    let (broker, asked, _answers) = slow(limits).await;
    let mut waiting = Wire::connect(broker.address()).await;
    waiting.send(gridmq_testkit::wire::connect("slow-1", Version::V5)).await;
    asked.notified().await;
    let (_, ack) = Wire::open(broker.address(), "slow-2", Version::V5, |_| ()).await;
    assert_eq!(ack.reason, ReasonCode::ServerBusy);
    assert_eq!(waiting.connack().await.reason, ReasonCode::ServerUnavailable);
    assert!(waiting.expect_closed().await.is_empty());
}

#[tokio::test]
async fn a_publish_that_waits_parks_its_connection_and_keeps_its_order() {
    let (broker, asked, answers) = slow(Limits::default()).await;
    let mut all = Wire::join(broker.address(), "all", Version::V5).await;
    all.subscribe("#", QoS::AtMostOnce).await;
    let mut wire = Wire::join(broker.address(), "p", Version::V5).await;
    let first = wire.send_publish(message("slow/a", "1", QoS::AtLeastOnce)).await.unwrap();
    let bad = wire.send_publish(message("slow/bad", "2", QoS::ExactlyOnce)).await.unwrap();
    let last = wire.send_publish(message("quick", "3", QoS::AtLeastOnce)).await.unwrap();
    asked.notified().await;
    let mut other = Wire::join(broker.address(), "other", Version::V5).await;
    other.publish("t", "between", QoS::AtLeastOnce).await;
    assert_eq!(all.take_payloads(1).await, ["between"]);
    answers.add_permits(2);
    assert_eq!(wire.ack(PacketType::PubAck, first).await.reason, ReasonCode::Success);
    assert_eq!(wire.ack(PacketType::PubRec, bad).await.reason, ReasonCode::NotAuthorized);
    assert_eq!(wire.ack(PacketType::PubAck, last).await.reason, ReasonCode::Success);
    assert_eq!(all.take_payloads(2).await, ["1", "3"]);
}

#[tokio::test]
async fn a_publish_whose_publisher_leaves_while_it_waits_is_routed() {
    let (broker, asked, answers) = slow(Limits::default()).await;
    let mut all = Wire::join(broker.address(), "all", Version::V5).await;
    all.subscribe("#", QoS::AtMostOnce).await;
    let (mut wire, _) = Wire::resume(broker.address(), "p", Version::V5).await;
    wire.send_publish(message("slow/a", "1", QoS::ExactlyOnce)).await;
    asked.notified().await;
    // The connection is not read from, so only another one can end it.
    let (_again, present) = Wire::resume(broker.address(), "p", Version::V5).await;
    assert!(present);
    wire.expect_end(ReasonCode::SessionTakenOver).await;
    answers.add_permits(1);
    assert_eq!(all.take_payloads(1).await, ["1"]);
}

#[tokio::test]
async fn a_subscription_can_wait() {
    let (broker, asked, answers) = slow(Limits::default()).await;
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let at = SubscribeOptions::default();
    answers.add_permits(1);
    let reasons = wire.subscribe_with(&[("slow/a", at), ("slow/bad", at), ("quick", at)], None).await;
    asked.notified().await;
    assert_eq!(reasons, [ReasonCode::Success, ReasonCode::NotAuthorized, ReasonCode::Success]);
    wire.publish("quick", "yes", QoS::AtMostOnce).await;
    assert_eq!(wire.take_payloads(1).await, ["yes"]);
}
