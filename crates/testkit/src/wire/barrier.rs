//! A way to know that nothing more comes.

use std::net::SocketAddr;

use gridmq_proto::{Packet, QoS, ReasonCode, Version};

use super::{Wire, payload_of, topic_of};

/// One publisher on each worker. Mail between two workers is first in, first out, and so is what a session gets:
/// when a client has a message from each, it has everything that was on its way to it when they were sent.
#[derive(Debug)]
pub struct Barrier {
    publishers: Vec<Wire>,
    count: u64,
}

impl Barrier {
    /// Connects to an open broker with as many workers; nobody else may connect meanwhile, for the acceptor deals
    /// connections to workers in turn.
    pub async fn new(address: SocketAddr, workers: usize) -> Self {
        let mut publishers = Vec::new();
        for number in 0..workers {
            publishers.push(Wire::join(address, &format!("barrier-{number}"), Version::V5).await);
        }
        Self { publishers, count: 0 }
    }

    /// Answers what has come to `wire` before the messages of the barrier. `wire` must have room in its window.
    pub async fn pass(&mut self, wire: &mut Wire) -> Vec<Packet> {
        self.count += 1;
        let topic = format!("$barrier/{}", self.count);
        let mut before = Vec::new();
        wire.subscribe(&topic, QoS::AtLeastOnce).await;
        for publisher in &mut self.publishers {
            assert_eq!(publisher.publish(&topic, "", QoS::AtLeastOnce).await, ReasonCode::Success);
        }
        let mut missing = self.publishers.len();
        while missing > 0 {
            match wire.recv().await {
                Packet::Publish(publish) if topic_of(&publish) == topic => {
                    assert_eq!(payload_of(&publish), "");
                    wire.acknowledge(&publish).await;
                    missing -= 1;
                }
                other => before.push(other),
            }
        }
        wire.unsubscribe(&[&topic]).await;
        before
    }

    /// Nothing has come to `wire`, and nothing is on its way.
    pub async fn nothing_for(&mut self, wire: &mut Wire) {
        let came = self.pass(wire).await;
        assert!(came.is_empty(), "came unexpectedly: {came:?}");
    }
}
