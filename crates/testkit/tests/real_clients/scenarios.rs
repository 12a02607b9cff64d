//! What every driven client goes through.

use std::collections::BTreeMap;
use std::time::Duration;

use super::driven::{Connect, Driven, Kind};
use super::{Stage, assert_same_bytes, payloads};

/// Registered clients; each has at most one session at a time.
const CLIENTS: [&str; 4] = ["client1", "client2", "client3", "client4"];

/// The reason code Session taken over.
const TAKEN_OVER: u64 = 0x8E;

/// Every payload with QoS 0 and 1, from one client to another and back to itself.
pub fn exchange(kind: Kind, version: &'static str, workers: usize) {
    let stage = Stage::new(&format!("exchange-{kind:?}-{version}-{workers}"), workers);
    let mut publisher = Connect::new(kind, version, CLIENTS[0]).connected(&stage);
    let mut subscriber = Connect::new(kind, version, CLIENTS[1]).connected(&stage);
    for qos in [0, 1] {
        let filter = format!("interop/exchange/{qos}/+");
        assert_eq!(subscriber.subscribe(&filter, qos), qos);
        assert_eq!(publisher.subscribe(&filter, qos), qos);
        for payload in payloads() {
            let topic = format!("interop/exchange/{qos}/{}", payload.len());
            publisher.publish(&topic, &stage.payload_file(&payload), qos, false);
            for receiver in [&mut subscriber, &mut publisher] {
                let message = receiver.message();
                assert_eq!((message.topic.as_str(), message.qos, message.retain), (topic.as_str(), qos, false));
                assert_same_bytes(&message.payload, &payload);
            }
        }
    }
    publisher.disconnect();
    subscriber.disconnect();
}

/// A session goes from connection to connection, whichever workers they are on, and keeps its subscriptions.
pub fn take_over(kind: Kind, version: &'static str, workers: usize) {
    let stage = Stage::new(&format!("take-over-{kind:?}-{version}-{workers}"), workers);
    let mut publisher = Connect::new(kind, version, CLIENTS[0]).connected(&stage);
    let connect = Connect::new(kind, version, CLIENTS[1]).session("wanderer").resume(300);
    let mut holder = connect.connected(&stage);
    assert!(!holder.session_present);
    assert_eq!(holder.subscribe("interop/take-over", 1), 1);
    for round in 0..6 {
        let mut successor = connect.connected(&stage);
        assert!(successor.session_present, "round {round}");
        let farewell = holder.expect("disconnected");
        if version == "5" {
            assert_eq!(farewell["reason"].as_u64(), Some(TAKEN_OVER), "round {round}: {farewell}");
        }
        let payload = vec![round; 64];
        publisher.publish("interop/take-over", &stage.payload_file(&payload), 1, false);
        assert_same_bytes(&successor.message().payload, &payload);
        holder = successor;
    }
}

/// Each message to a shared group goes to one member, and every member gets some.
pub fn shared_group(kind: Kind, workers: usize) {
    let stage = Stage::new(&format!("shared-{kind:?}-{workers}"), workers);
    let mut publisher = Connect::new(kind, "5", CLIENTS[0]).connected(&stage);
    let mut members: Vec<Driven> =
        CLIENTS[1..].iter().map(|client| Connect::new(kind, "5", client).connected(&stage)).collect();
    for member in &mut members {
        assert_eq!(member.subscribe("$share/crew/interop/shared/+", 1), 1);
    }
    let count: u8 = 60;
    for index in 0..count {
        let topic = format!("interop/shared/{index}");
        publisher.publish(&topic, &stage.payload_file(&[index, 1, 2, 3]), 1, false);
    }
    let mut receivers = BTreeMap::new();
    for (number, member) in members.iter_mut().enumerate() {
        let messages = member.messages_within(Duration::from_secs(1));
        assert!(!messages.is_empty(), "member {number} got none");
        for message in messages {
            let index = message.payload[0];
            assert_eq!(message.topic, format!("interop/shared/{index}"));
            assert_eq!(receivers.insert(index, number), None, "message {index} went to two members");
        }
    }
    assert_eq!(receivers.len(), usize::from(count));
}

/// A retained message is there for whoever subscribes later, replaced by a newer one, and removed by an empty one.
pub fn retained(kind: Kind, version: &'static str, workers: usize) {
    let stage = Stage::new(&format!("retained-{kind:?}-{version}-{workers}"), workers);
    let mut publisher = Connect::new(kind, version, CLIENTS[0]).connected(&stage);
    publisher.publish("interop/retained/kept", &stage.payload_file(b"older"), 1, true);
    publisher.publish("interop/retained/kept", &stage.payload_file(b"the newer one"), 1, true);
    publisher.publish("interop/retained/removed", &stage.payload_file(b"gone"), 1, true);
    publisher.publish("interop/retained/removed", &stage.payload_file(b""), 1, true);
    for client in &CLIENTS[1..] {
        let mut late = Connect::new(kind, version, client).connected(&stage);
        assert_eq!(late.subscribe("interop/retained/#", 1), 1);
        let message = late.message();
        assert_eq!((message.topic.as_str(), message.retain), ("interop/retained/kept", true));
        assert_same_bytes(&message.payload, b"the newer one");
        assert_eq!(late.messages_within(Duration::from_millis(300)).len(), 0);
        late.disconnect();
    }
}

/// The will of a client that vanishes reaches the others; that of one that says goodbye does not.
pub fn will(kind: Kind, version: &'static str, workers: usize) {
    let stage = Stage::new(&format!("will-{kind:?}-{version}-{workers}"), workers);
    let mut watcher = Connect::new(kind, version, CLIENTS[0]).connected(&stage);
    assert_eq!(watcher.subscribe("interop/will/+", 1), 1);
    for client in &CLIENTS[1..] {
        let topic = format!("interop/will/{client}");
        let testament = stage.payload_file(client.as_bytes());
        let connect = Connect::new(kind, version, client).will(&topic, &testament);
        connect.connected(&stage).disconnect();
        connect.connected(&stage).drop_connection();
        let message = watcher.message();
        assert_eq!((message.topic.as_str(), message.qos, message.retain), (topic.as_str(), 1, false));
        assert_same_bytes(&message.payload, client.as_bytes());
    }
    assert_eq!(watcher.messages_within(Duration::from_millis(300)).len(), 0);
}
