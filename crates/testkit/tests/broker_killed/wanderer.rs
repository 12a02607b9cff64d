//! A client whose subscriptions change all the time.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use gridmq_proto::packet::SubscribeOptions;
use gridmq_proto::{Packet, PacketId, QoS, Version};
use gridmq_testkit::Wire;
use gridmq_testkit::wire::{subscribe, unsubscribe};

use super::ledger::Ledger;
use super::link::{Dice, Gone, Link, There};

const NAME: &str = "wanderer";
const FILTERS: u64 = 12;

/// See the module.
pub struct Wanderer {
    dice: Dice,
    known: bool,
    last_id: u16,
    /// What the broker has acknowledged.
    filters: BTreeSet<u64>,
    /// The one whose change was asked for and not acknowledged: asked for again.
    open: Option<u64>,
}

impl Wanderer {
    pub const fn new(seed: u64) -> Self {
        Self { dice: Dice(seed), known: false, last_id: 0, filters: BTreeSet::new(), open: None }
    }

    /// Answers what it is subscribed to in the end.
    pub async fn live(mut self, mut there: There, ledger: Arc<Ledger>) -> BTreeSet<u64> {
        loop {
            let mut link = Link::open(&mut there, NAME, Version::V5, self.known).await;
            self.known = true;
            if self.talk(&mut link, &ledger).await.is_ok() {
                return self.filters;
            }
        }
    }

    async fn talk(&mut self, link: &mut Link, ledger: &Ledger) -> Result<(), Gone> {
        while self.open.is_some() || !ledger.is_stopped() {
            let filter = *self.open.get_or_insert_with(|| self.dice.roll(FILTERS));
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last_id).unwrap();
            let text = format!("walk/{filter}");
            let packet = if self.filters.contains(&filter) {
                unsubscribe(id, &[&text])
            } else {
                let options = SubscribeOptions { qos: QoS::AtLeastOnce, ..SubscribeOptions::default() };
                subscribe(id, &[(&text, options)], None)
            };
            link.send(&packet).await?;
            match link.next().await? {
                Packet::SubAck(ack) if ack.packet_id == id && !ack.reasons[0].is_failure() => {
                    self.filters.insert(filter);
                }
                Packet::UnsubAck(ack) if ack.packet_id == id => {
                    self.filters.remove(&filter);
                }
                other => panic!("{NAME}: {other:?}"),
            }
            self.open = None;
        }
        Ok(())
    }
}

/// Its session has these subscriptions and no others.
pub async fn subscriptions_are(address: SocketAddr, filters: &BTreeSet<u64>) {
    let (mut wanderer, present) = Wire::resume(address, NAME, Version::V5).await;
    assert!(present, "the broker has lost the session");
    let mut publisher = Wire::join(address, "asker", Version::V5).await;
    for filter in 0..FILTERS {
        publisher.publish(&format!("walk/{filter}"), filter.to_string(), QoS::AtLeastOnce).await;
    }
    let expected: Vec<_> = filters.iter().map(u64::to_string).collect();
    assert_eq!(wanderer.take_payloads(filters.len()).await, expected);
    let more = wanderer.ping_barrier().await;
    assert!(more.is_empty(), "{more:?}");
}
