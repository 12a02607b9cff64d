//! A broker seen and steered from its program.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::sync::Arc;

use gridmq_broker::control::{InjectError, Injected, SubscribeError};
use gridmq_broker::events::{Dropped, EndedBy, Event, Notice};
use gridmq_broker::hooks::{Publication, Refused, SessionEnd};
use gridmq_broker::{Broker, Events, Limits};
use gridmq_proto::packet::SubscribeOptions;
use gridmq_proto::{Message, Packet, QoS, ReasonCode, TopicFilter, TopicName, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Barrier, Wire, filter, message, payload_of};

fn publication(topic: &str, payload: &'static str, qos: QoS, retain: bool) -> Publication {
    let topic = TopicName::try_from(topic).unwrap();
    Publication { message: Message::new(topic, payload.into()), qos, retain }
}

async fn next(events: &mut Events) -> Arc<Event> {
    match events.next().await.unwrap() {
        Notice::Event(event) => event,
        Notice::Missed(count) => panic!("{count} events missed"),
    }
}

#[tokio::test]
async fn sessions_are_listed_page_by_page_and_looked_at() {
    let broker = gridmq_testkit::open(4).await;
    let control = broker.broker.control();
    let mut wires = Vec::new();
    for number in 0..30 {
        let (wire, _) = Wire::resume(broker.address(), &format!("c{number}"), Version::V5).await;
        wires.push(wire);
    }
    wires[3].subscribe_with(&[("a", SubscribeOptions::default()), ("b/#", SubscribeOptions::default())], None).await;
    wires.remove(4).leave().await;
    let (mut names, mut cursor, mut pages) = (BTreeSet::new(), None, 0);
    loop {
        let page = control.sessions(cursor, 7).await;
        assert!(page.sessions.len() <= 7);
        for info in &page.sessions {
            assert!(names.insert(info.client_id.to_string()), "{} twice", info.client_id);
            assert_eq!(info.connection.is_some(), info.client_id != "c4", "{}", info.client_id);
        }
        pages += 1;
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!((names.len(), pages >= 5), (30, true));
    let details = control.session("c3").await.unwrap();
    let filters: Vec<_> = details.subscriptions.iter().map(|(filter, _)| filter.to_string()).collect();
    assert_eq!(filters, ["a", "b/#"]);
    assert_eq!((details.info.subscriptions, details.info.expiry_interval), (2, 3600));
    assert_eq!(details.info.authentication_name.as_deref(), Some("c3"));
    assert_eq!(details.info.connection.unwrap().version, Version::V5);
    assert!(control.session("nobody").await.is_none());
}

#[tokio::test]
async fn what_waits_for_a_session_is_shown() {
    let broker = gridmq_testkit::open(2).await;
    let control = broker.broker.control();
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    for payload in ["1", "2"] {
        let injected = control.inject(publication("t", payload, QoS::AtLeastOnce, false)).await;
        assert_eq!(injected, Ok(Injected::Matched));
    }
    let first = wire.recv_publish().await;
    assert_eq!(payload_of(&first), "1");
    wire.recv_publish().await;
    let info = control.session("c").await.unwrap().info;
    assert_eq!((info.queued_messages, info.in_flight), (2, 2));
    assert!(info.queued_bytes > 0);
    wire.acknowledge(&first).await;
    wire.ping().await;
    assert_eq!(control.session("c").await.unwrap().info.in_flight, 1);
}

#[tokio::test]
async fn a_client_is_put_out_and_a_session_ended() {
    let broker = gridmq_testkit::open(2).await;
    let control = broker.broker.control();
    let mut events = control.events();
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    let why = Refused::new(ReasonCode::UseAnotherServer).words("moving").server_reference("other");
    assert!(control.disconnect("c", why).await);
    let Packet::Disconnect(said) = wire.recv().await else { panic!("not a DISCONNECT") };
    assert_eq!(
        (said.reason, said.properties.server_reference.as_deref()),
        (ReasonCode::UseAnotherServer, Some("other"))
    );
    assert!(wire.expect_closed().await.is_empty());
    assert!(!control.disconnect("c", Refused::new(ReasonCode::AdministrativeAction)).await, "it is not there");
    let (mut wire, present) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert!(present);
    assert!(control.discard("c").await);
    wire.expect_end(ReasonCode::AdministrativeAction).await;
    assert!(control.session("c").await.is_none());
    assert!(!control.discard("c").await);
    let (mut wire, present) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert!(!present);
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    assert!(control.discard("c").await, "an offline session too");
    let mut seen = Vec::new();
    while seen.iter().filter(|event| matches!(event, Event::SessionEnded { .. })).count() < 2 {
        seen.push((*next(&mut events).await).clone());
    }
    let by: Vec<_> = seen
        .iter()
        .filter_map(|event| match event {
            Event::Disconnected { by, .. } => Some(*by),
            _ => None,
        })
        .collect();
    assert_eq!(by, [EndedBy::Program, EndedBy::Program, EndedBy::Client]);
    assert!(seen.iter().any(|event| matches!(event, Event::SessionEnded { end: SessionEnd::Discarded, .. })));
}

#[tokio::test]
async fn a_session_is_subscribed_on_behalf_of_its_client() {
    let broker = gridmq_testkit::open(2).await;
    let control = broker.broker.control();
    let mut barrier = Barrier::new(broker.address(), 2).await;
    control.inject(publication("t", "kept", QoS::AtLeastOnce, true)).await.unwrap();
    let options = SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() };
    let nobody = control.subscribe("c", filter("t"), options).await;
    assert_eq!(nobody, Err(SubscribeError::NoSession));
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    control.subscribe("c", filter("t"), options).await.unwrap();
    assert_eq!(wire.take_payloads(1).await, ["kept"]);
    control.inject(publication("t", "live", QoS::AtLeastOnce, false)).await.unwrap();
    assert_eq!(wire.take_payloads(1).await, ["live"]);
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    control.subscribe("c", filter("u"), options).await.unwrap();
    assert!(control.unsubscribe("c", filter("t")).await);
    assert!(!control.unsubscribe("c", filter("t")).await);
    control.inject(publication("u", "away", QoS::AtLeastOnce, false)).await.unwrap();
    assert_eq!(control.inject(publication("t", "lost", QoS::AtLeastOnce, false)).await, Ok(Injected::NoSubscribers));
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    assert_eq!(wire.take_payloads(1).await, ["away"]);
    barrier.nothing_for(&mut wire).await;
}

#[tokio::test]
async fn messages_are_injected_as_the_broker_and_as_a_client() {
    let broker = gridmq_testkit::open(4).await;
    let control = broker.broker.control();
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    let own = SubscribeOptions { qos: QoS::ExactlyOnce, no_local: true, ..SubscribeOptions::default() };
    wire.subscribe_with(&[("t", own)], None).await;
    let as_client = control.inject_as("c", publication("t", "own", QoS::ExactlyOnce, false)).await;
    assert_eq!(as_client, Ok(Injected::NoSubscribers), "No Local keeps it away");
    assert_eq!(
        control.inject_as("nobody", publication("t", "x", QoS::AtMostOnce, false)).await,
        Err(InjectError::NoSession)
    );
    for number in 0..100 {
        let payload: &'static str = Box::leak(number.to_string().into_boxed_str());
        loop {
            match control.try_inject(publication("t", payload, QoS::ExactlyOnce, false)) {
                Ok(_injection) => break,
                Err(busy) => assert_eq!(busy, InjectError::Busy),
            }
            tokio::task::yield_now().await;
        }
    }
    let expected: Vec<_> = (0..100).map(|number| number.to_string()).collect();
    assert_eq!(wire.take_payloads(100).await, expected);
}

#[tokio::test]
async fn retained_messages_are_read_and_cleared() {
    let broker = gridmq_testkit::open(2).await;
    let control = broker.broker.control();
    for number in 0..40 {
        control.inject(publication(&format!("a/{number}"), "x", QoS::AtLeastOnce, true)).await.unwrap();
    }
    control.inject(publication("b", "kept", QoS::AtMostOnce, true)).await.unwrap();
    let one = control.retained(&TopicName::try_from("a/7").unwrap()).unwrap();
    assert_eq!((one.message.payload.as_ref(), one.qos), (&b"x"[..], QoS::AtLeastOnce));
    assert!(control.retained(&TopicName::try_from("a/99").unwrap()).is_none());
    let (mut topics, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = control.retained_matching(&TopicFilter::try_from("#").unwrap(), cursor, 9);
        assert!(page.messages.len() <= 9);
        topics.extend(page.messages.iter().map(|retained| retained.message.topic.to_string()));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    assert_eq!(topics.len(), 41);
    assert_eq!(control.clear_retained(&TopicFilter::try_from("a/#").unwrap()).await, 40);
    assert_eq!(broker.broker.retained_messages(), 1);
}

#[tokio::test]
async fn events_tell_what_happens_and_what_was_missed() {
    let mut limits = Limits::default();
    limits.events = 16;
    let broker = OpenBroker::start(Broker::builder().workers(1).limits(limits)).await;
    let mut events = broker.broker.events();
    let mut wire = Wire::join(broker.address(), "c", Version::V5).await;
    assert_eq!(*next(&mut events).await, Event::SessionCreated { client_id: "c".into() });
    assert!(
        matches!(&*next(&mut events).await, Event::Connected { client_id, session_present: false, .. } if client_id == "c")
    );
    wire.subscribe("t", QoS::AtLeastOnce).await;
    wire.unsubscribe(&["t"]).await;
    let subscribed = Event::Subscribed { client_id: "c".into(), filter: filter("t"), qos: QoS::AtLeastOnce };
    assert_eq!(*next(&mut events).await, subscribed);
    assert_eq!(*next(&mut events).await, Event::Unsubscribed { client_id: "c".into(), filter: filter("t") });
    let mut other = Wire::join(broker.address(), "c", Version::V5).await;
    wire.expect_end(ReasonCode::SessionTakenOver).await;
    assert_eq!(*next(&mut events).await, Event::TakenOver { client_id: "c".into() });
    for _ in 0..20 {
        other.subscribe("t", QoS::AtMostOnce).await;
    }
    assert!(matches!(events.next().await, Some(Notice::Missed(_))));
    other.send_publish(message("t", "x", QoS::AtMostOnce)).await;
    other.take().await;
    let mut late = broker.broker.events();
    broker.broker.shutdown().await;
    while late.next().await.is_some() {}
}

#[tokio::test]
async fn a_message_that_finds_no_room_is_told() {
    const ROOM: usize = 1000;
    let broker = gridmq_testkit::open(1).await;
    let control = broker.broker.control();
    let (mut wire, _) = Wire::resume(broker.address(), "c", Version::V5).await;
    wire.subscribe("t", QoS::AtLeastOnce).await;
    wire.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    let mut events = control.events();
    for _ in 0..ROOM {
        control.inject(publication("t", "1", QoS::AtLeastOnce, false)).await.unwrap();
    }
    let refused = control.inject(publication("t", "2", QoS::AtLeastOnce, false)).await;
    assert!(matches!(refused, Err(InjectError::Refused { reason: ReasonCode::QuotaExceeded, .. })), "{refused:?}");
    let topic = TopicName::try_from("t").unwrap();
    let dropped = Event::MessageDropped { client_id: "c".into(), topic, why: Dropped::QueueFull };
    assert_eq!(*next(&mut events).await, dropped);
}
