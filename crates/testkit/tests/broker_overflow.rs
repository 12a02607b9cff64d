//! What a full queue does to those around it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use gridmq_broker::{Broker, Limits, Observer, Occurrence};
use gridmq_namespace::gate::{ConnectRequest, Credentials, Verdict};
use gridmq_namespace::profile::{ConnectionLimits, Overflow, SessionLimits};
use gridmq_namespace::{Open, Principal, Refusal, Rules};
use gridmq_proto::packet::Will;
use gridmq_proto::time::Wall;
use gridmq_proto::{Message, QoS, ReasonCode, TopicFilter, TopicName, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, eventually, lasting, message};

#[tokio::test]
async fn a_publisher_that_is_refused_keeps_its_session() {
    let mut limits = Limits::default();
    limits.refused_publish_timeout = Duration::from_millis(100);
    let broker = OpenBroker::start(Broker::builder().workers(2).limits(limits)).await;
    let address = broker.address();
    let (mut full, _) = Wire::resume(address, "full", Version::V5).await;
    full.subscribe("t", QoS::AtLeastOnce).await;
    full.leave().await;
    let mut publisher = Wire::join(address, "publisher", Version::V5).await;
    for _ in 0..SessionLimits::OPEN.offline_queue.messages {
        assert_eq!(publisher.publish("t", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    let (mut old, _) = Wire::resume(address, "old", Version::V3_1_1).await;
    old.subscribe("mine", QoS::AtLeastOnce).await;
    old.send_publish(message("t", "too many", QoS::AtLeastOnce)).await;
    old.expect_end(ReasonCode::QuotaExceeded).await;
    assert_eq!(publisher.publish("mine", "kept", QoS::AtLeastOnce).await, ReasonCode::Success);
    let (mut old, present) = Wire::resume(address, "old", Version::V3_1_1).await;
    assert!(present);
    assert_eq!(old.take_payloads(1).await, ["kept"]);
}

/// Open, but for a queue of one message whose overflow ends the session.
#[derive(Debug)]
struct Narrow(Open);

impl Rules for Narrow {
    fn generation(&self) -> u64 {
        self.0.generation()
    }

    fn admit(&self, request: &ConnectRequest<'_>, now: Wall) -> Result<Principal, Refusal> {
        self.0.admit(request, now)
    }

    fn readmit(&self, principal: &Principal, credentials: &Credentials, now: Wall) -> Result<Principal, Refusal> {
        self.0.readmit(principal, credentials, now)
    }

    fn publish(&self, principal: &Principal, topic: &TopicName) -> Verdict {
        self.0.publish(principal, topic)
    }

    fn subscribe(&self, principal: &Principal, filter: &TopicFilter) -> Verdict {
        self.0.subscribe(principal, filter)
    }

    fn session_limits(&self) -> SessionLimits {
        let mut limits = SessionLimits::OPEN;
        limits.offline_queue.messages = 1;
        limits.offline_queue.overflow = Overflow::EndSession;
        limits
    }

    fn connection_limits(&self) -> ConnectionLimits {
        self.0.connection_limits()
    }
}

/// Counts sessions that overflow.
#[derive(Debug, Default)]
struct Overflows(AtomicU64);

impl Observer for Overflows {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        if matches!(occurrence, Occurrence::Overflowed { client_id } if client_id.starts_with("client ")) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }
}

#[tokio::test]
async fn wills_of_sessions_that_overflow_may_overflow_others() {
    const SESSIONS: u64 = 600;
    let builder = Broker::builder().workers(2).rules(Arc::new(Narrow(Open::new())));
    let overflows = Arc::new(Overflows::default());
    let builder = builder.observer(Arc::clone(&overflows) as Arc<dyn Observer>);
    let broker = OpenBroker::start(builder).await;
    let address = broker.address();
    for number in 0..SESSIONS {
        let topic = TopicName::try_from(format!("status/{number}")).unwrap();
        let (mut wire, _) = Wire::open(address, &format!("client {number}"), Version::V5, |connect| {
            lasting(connect);
            let message = Message::new(topic, "gone".into());
            let will = Will { message, qos: QoS::AtLeastOnce, retain: false, delay_interval: 300 };
            connect.will = Some(Box::new(will));
        })
        .await;
        wire.subscribe("status/#", QoS::AtLeastOnce).await;
    }
    eventually("nobody is connected", || broker.broker.stats().clients_connected == 0).await;
    let mut publisher = Wire::join(address, "publisher", Version::V5).await;
    for _ in 0..2 {
        assert_eq!(publisher.publish("status/x", "x", QoS::AtLeastOnce).await, ReasonCode::Success);
    }
    eventually("every session has ended", || broker.broker.stats().sessions == 1).await;
    assert_eq!(broker.broker.stats().sessions_overflowed, SESSIONS);
    assert_eq!(overflows.0.load(Ordering::Relaxed), SESSIONS, "and whoever watches has seen it");
    publisher.ping().await;
}
