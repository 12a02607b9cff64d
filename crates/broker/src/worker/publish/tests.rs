//! Whatever is remembered, and however long it takes, subscribers get what the index says.

use bytes::{Bytes, BytesMut};
use gridmq_proto::packet::{
    Connect, ConnectProperties, Publish, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions, Unsubscribe,
};
use gridmq_proto::{Packet, PacketId, QoS, TopicName, Version, codec};
use proptest::prelude::*;

use crate::measure::{Bench, Peer};

const CLIENTS: usize = 4;
const TOPICS: [&str; 5] = ["a", "a/b", "a/c", "b/b", "$x/b"];
const FILTERS: [&str; 9] = ["a", "a/b", "a/+", "#", "+/b", "b/b", "$x/b", "$share/g/a/+", "$share/g/#"];

#[derive(Debug, Clone)]
enum Step {
    Subscribe { client: usize, filter: usize, qos: QoS, no_local: bool },
    Unsubscribe { client: usize, filter: usize },
    Publish { client: usize, topic: usize, qos: QoS, retain: bool },
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce)]
}

fn step() -> impl Strategy<Value = Step> {
    let (clients, filters) = (0..CLIENTS, 0..FILTERS.len());
    prop_oneof![
        2 => (clients.clone(), filters.clone(), qos(), any::<bool>()).prop_map(|(client, filter, qos, no_local)| {
            // A shared subscription has no such option [MQTT-3.8.3-4], and which of several members gets a message
            // depends on the index's seed.
            let is_shared = FILTERS[filter].starts_with("$share");
            let (client, no_local) = if is_shared { (0, false) } else { (client, no_local) };
            Step::Subscribe { client, filter, qos, no_local }
        }),
        1 => (clients.clone(), filters).prop_map(|(client, filter)| Step::Unsubscribe { client, filter }),
        8 => (clients, 0..TOPICS.len(), qos(), prop::bool::weighted(0.1))
            .prop_map(|(client, topic, qos, retain)| Step::Publish { client, topic, qos, retain }),
    ]
}

fn packet(step: &Step, round: usize) -> (usize, Packet) {
    let id = PacketId::new(round as u16 + 1).unwrap();
    match *step {
        Step::Subscribe { client, filter, qos, no_local } => {
            (client, subscribe(id, FILTERS[filter], SubscribeOptions { qos, no_local, ..SubscribeOptions::default() }))
        }
        Step::Unsubscribe { client, filter } => {
            let filters = vec![FILTERS[filter].try_into().unwrap()];
            (client, Packet::Unsubscribe(Unsubscribe { packet_id: id, user_properties: Vec::new(), filters }))
        }
        Step::Publish { client, topic, qos, retain } => {
            (client, publish(id, TOPICS[topic], &round.to_string(), qos, retain))
        }
    }
}

pub(in crate::worker) fn subscribe(packet_id: PacketId, filter: &str, options: SubscribeOptions) -> Packet {
    // Retained messages come in an order of their own.
    let options = SubscribeOptions { retain_handling: RetainHandling::DoNotSend, ..options };
    let filters = vec![SubscribeFilter { filter: filter.try_into().unwrap(), options }];
    Packet::Subscribe(Subscribe { packet_id, subscription_identifier: None, user_properties: Vec::new(), filters })
}

pub(in crate::worker) fn publish(id: PacketId, topic: &str, payload: &str, qos: QoS, retain: bool) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos,
        retain,
        packet_id: (qos != QoS::AtMostOnce).then_some(id),
        topic: Some(TopicName::try_from(topic).unwrap()),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: Bytes::from(payload.to_owned()),
        properties: None,
    })
}

pub(in crate::worker) fn bytes(packet: &Packet) -> BytesMut {
    let mut out = BytesMut::new();
    codec::encode(packet, Version::V5, None, &mut out).unwrap();
    out
}

/// A client that is in, with a session that ends with its connection.
pub(in crate::worker) fn enter(bench: &mut Bench, worker: usize, client_id: &str) -> Peer {
    let mut peer = bench.open(worker);
    bench.turn(&mut peer, &bytes(&connect(client_id)));
    peer
}

pub(in crate::worker) fn connect(client_id: &str) -> Packet {
    Packet::Connect(Box::new(Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 0,
        client_id: client_id.into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }))
}

/// How messages go out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    LookedUp,
    Remembered,
    InRounds,
}

/// What each client is sent after each step.
fn sent(steps: &[Step], workers: u16, way: Way) -> Vec<Vec<BytesMut>> {
    let mut bench = Bench::new(workers);
    if way == Way::InRounds {
        bench.send_slowly(0);
    }
    let mut clients: Vec<Peer> =
        (0..CLIENTS).map(|client| enter(&mut bench, client % usize::from(workers), &client.to_string())).collect();
    let mut all = Vec::new();
    for (round, step) in steps.iter().enumerate() {
        if way == Way::LookedUp {
            bench.forget_routes();
        }
        let (client, packet) = packet(step, round);
        let mut said: Vec<_> = clients.iter().map(|_| BytesMut::new()).collect();
        said[client].unsplit(bench.turn(&mut clients[client], &bytes(&packet)));
        bench.settle();
        for (peer, said) in clients.iter_mut().zip(&mut said) {
            said.unsplit(bench.turn(peer, &[]));
        }
        all.push(said);
    }
    all
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_message_goes_to_the_same_sessions_whichever_way(
        steps in prop::collection::vec(step(), 1..60),
        workers in 1u16..=2,
    ) {
        let looked_up = sent(&steps, workers, Way::LookedUp);
        prop_assert_eq!(&sent(&steps, workers, Way::Remembered), &looked_up);
        prop_assert_eq!(&sent(&steps, workers, Way::InRounds), &looked_up);
    }
}
