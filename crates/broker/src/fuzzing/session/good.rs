//! Those who do nothing wrong, whatever the others do: the keeper, who gets everything; the steady one, who publishes;
//! and the witnesses of the end.

use std::num::NonZeroU16;

use gridmq_proto::packet::{Connect, ConnectProperties, Publish, Subscribe, SubscribeFilter, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, TopicName, Version};

use super::packets::clean;
use super::peer::answer_to;
use super::stage::Stage;
use super::{KEEPERS, STEADY, WITNESSES};

/// No byte of an input can be meant to be it.
const KEEPER: &str = "keeper-5b1f6f0c9d2e4a37";
const STEADY_ID: &str = "steady-c07e4d8812ab49f5";

fn id(number: u16) -> PacketId {
    PacketId::new(number).expect("not zero")
}

fn subscribe(filter: &str) -> Packet {
    let filter = SubscriptionFilter::try_from(filter).expect("a filter");
    let options = SubscribeOptions { qos: QoS::ExactlyOnce, ..SubscribeOptions::default() };
    let filters = vec![SubscribeFilter { filter, options }];
    Packet::Subscribe(Subscribe {
        packet_id: id(1),
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters,
    })
}

pub(super) fn publish(topic: &str, qos: QoS, number: u16, payload: usize) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        packet_id: (qos != QoS::AtMostOnce).then(|| id(number)),
        topic: Some(TopicName::try_from(topic).expect("a topic")),
        topic_alias: None,
        subscription_identifiers: [].into_iter().collect(),
        payload: vec![b'p'; payload].into(),
        properties: None,
    })
}

impl Stage {
    /// Has the keeper in place, and the steady one.
    pub(super) fn begin(&mut self) {
        self.return_keeper(0);
        self.settle();
        self.send(KEEPERS[0], &subscribe("#"));
        self.settle();
        self.open(STEADY);
        self.introduce(STEADY, &clean(STEADY_ID, Version::V5));
        self.settle();
        assert!(self.is_open(STEADY));
    }

    /// The keeper comes, for the first time or again, to one of two workers.
    pub(super) fn return_keeper(&mut self, which: usize) {
        let peer = KEEPERS[which % KEEPERS.len()];
        self.open(peer);
        let properties = ConnectProperties {
            session_expiry_interval: Some(u32::MAX),
            receive_maximum: NonZeroU16::new(3),
            ..ConnectProperties::default()
        };
        self.introduce(peer, &Connect { clean_start: false, properties, ..clean(KEEPER, Version::V5) });
        self.settle();
        assert!(self.is_open(peer), "the keeper was not let in");
        let places = KEEPERS.into_iter().filter(|&peer| self.is_open(peer)).count();
        assert_eq!(places, 1, "the session has two connections");
    }

    /// The keeper's connection ends.
    pub(super) fn lose_keeper(&mut self) {
        KEEPERS.into_iter().for_each(|peer| self.hang_up(peer));
    }

    /// The keeper does not read for a while, or does again.
    pub(super) fn stall_keeper(&mut self) {
        for peer in KEEPERS.into_iter().filter(|&peer| self.is_open(peer)).collect::<Vec<_>>() {
            let peer = self.peer(peer);
            peer.stalled = !peer.stalled;
        }
    }

    /// Takes and answers what the keeper got. Whether that was anything.
    pub(super) fn keep(&mut self, peer: usize) -> bool {
        let mut moved = false;
        if !self.peer(peer).unanswered.is_empty() {
            // What it has not read of an older connection by now it never reads.
            let older = self.keepers().into_iter().take_while(|&keeper| keeper != peer);
            older.for_each(|keeper| self.peer(keeper).unanswered.clear());
        }
        while let Some(packet) = self.peer(peer).unanswered.pop_front() {
            moved = true;
            match &packet {
                Packet::Publish(publish) => {
                    let on = self.peer(peer).number;
                    let again = publish.qos == QoS::ExactlyOnce
                        && publish.packet_id.is_some_and(|id| !self.unreleased.insert(id));
                    if again {
                        assert!(publish.dup, "identifier in use for another message: {publish:?}");
                    } else {
                        self.ledger.arrived(publish, on);
                    }
                }
                Packet::PubRel(ack) => drop(self.unreleased.remove(&ack.packet_id)),
                Packet::Disconnect(end) => {
                    assert_eq!(end.reason, ReasonCode::SessionTakenOver, "the keeper is put out: {end:?}");
                }
                _ => {}
            }
            if let Some(answer) = answer_to(&packet) {
                self.send(peer, &answer);
            }
        }
        moved
    }

    /// The steady one publishes, and is answered whatever the others do.
    pub(super) fn publish_steadily(&mut self, topic: &str, qos: QoS) {
        self.steady = if self.steady == u16::MAX { 1 } else { self.steady + 1 };
        let number = self.steady;
        self.send(STEADY, &publish(topic, qos, number, 40));
        self.settle();
        assert!(self.is_open(STEADY), "the steady one is put out");
        assert!(!self.peer(STEADY).waits(), "the steady one is not answered");
        self.answer(STEADY);
    }

    /// Two who have done nothing wrong, on different workers, are served.
    pub(super) fn witness(&mut self) {
        let [subscriber, publisher] = WITNESSES;
        for (peer, name) in [(subscriber, "witness-1"), (publisher, "witness-2")] {
            self.open(peer);
            self.introduce(peer, &clean(name, Version::V5));
            self.settle();
            let first = self.peer(peer).unanswered.pop_front();
            assert!(matches!(&first, Some(Packet::ConnAck(ack)) if ack.reason == ReasonCode::Success), "{first:?}");
        }
        self.send(subscriber, &subscribe("$witness"));
        self.settle();
        self.peer(subscriber).unanswered.clear();
        self.send(publisher, &publish("$witness", QoS::AtLeastOnce, 1, 20));
        self.settle();
        let came = std::mem::take(&mut self.peer(subscriber).unanswered);
        assert!(came.iter().any(|packet| matches!(packet, Packet::Publish(_))), "the witness is not served: {came:?}");
        let told = std::mem::take(&mut self.peer(publisher).unanswered);
        let success = |packet: &Packet| matches!(packet, Packet::PubAck(ack) if ack.reason == ReasonCode::Success);
        assert!(told.iter().any(success), "{told:?}");
        WITNESSES.into_iter().for_each(|peer| self.hang_up(peer));
        self.settle();
    }

    /// The keeper gets what is left, and goes for good.
    pub(super) fn end(&mut self) {
        self.lose_keeper();
        self.return_keeper(0);
        self.settle();
        self.ledger.is_settled();
        self.introduce_for_good(KEEPERS[0], KEEPER);
        self.hang_up(STEADY);
        self.settle();
    }

    /// Has nothing left of a client.
    pub(super) fn introduce_for_good(&mut self, peer: usize, client_id: &str) {
        self.open(peer);
        self.introduce(peer, &clean(client_id, Version::V5));
        self.settle();
        self.hang_up(peer);
        self.settle();
    }
}
