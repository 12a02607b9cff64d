//! A subscriber with a lasting session, whose own memory outlasts the broker's deaths.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use gridmq_proto::packet::{Ack, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::wire::{payload_of, subscribe};

use super::ledger::Ledger;
use super::link::{Gone, Link, There};

/// Whether it is always there.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Habit {
    Stays,
    /// Takes some messages, and goes away until others have taken more.
    ComesAndGoes,
}

/// Messages that one who comes and goes takes at a time, and acknowledgements that it stays away for.
const SIP: u64 = 90;

/// See the module.
pub struct Subscriber {
    pub name: &'static str,
    version: Version,
    filter: &'static str,
    pub qos: QoS,
    habit: Habit,
    /// The broker has acknowledged the session, and the subscription.
    known: bool,
    subscribed: bool,
    /// Identifiers of QoS 2 messages that were taken and not yet released.
    unreleased: HashSet<PacketId>,
}

impl Subscriber {
    pub fn new(name: &'static str, version: Version, filter: &'static str, qos: QoS, habit: Habit) -> Self {
        Self { name, version, filter, qos, habit, known: false, subscribed: false, unreleased: HashSet::new() }
    }

    /// Takes messages until there are no more.
    pub async fn live(mut self, mut there: There, ledger: Arc<Ledger>) {
        loop {
            let mut link = Link::open(&mut there, self.name, self.version, self.known).await;
            self.known = true;
            match self.talk(&mut link, &ledger).await {
                Ok(true) => return,
                Ok(false) => {
                    drop(link);
                    let until = ledger.acknowledged.load(Relaxed) + SIP;
                    let is_away = || !ledger.is_stopped() && !ledger.is_behind(self.name);
                    while is_away() && ledger.acknowledged.load(Relaxed) < until {
                        ledger.move_on().await;
                    }
                }
                Err(Gone) => {}
            }
        }
    }

    /// Whether it has everything.
    async fn talk(&mut self, link: &mut Link, ledger: &Ledger) -> Result<bool, Gone> {
        if !self.subscribed {
            let options = SubscribeOptions { qos: self.qos, ..SubscribeOptions::default() };
            link.send(&subscribe(PacketId::new(1).unwrap(), &[(self.filter, options)], None)).await?;
        }
        let mut taken = 0;
        let mut asked = false;
        loop {
            let packet = tokio::select! {
                packet = link.next() => packet?,
                () = ledger.move_on() => {
                    if !asked && ledger.has_all(self.name) {
                        // What comes twice comes before the answer.
                        asked = true;
                        link.send(&Packet::PingReq).await?;
                    }
                    continue;
                }
            };
            match packet {
                Packet::SubAck(ack) => {
                    assert!(!ack.reasons[0].is_failure(), "{}: {ack:?}", self.name);
                    self.subscribed = true;
                    ledger.subscribed.add_permits(1);
                }
                Packet::Publish(publish) => {
                    let text = payload_of(&publish);
                    let (publisher, number) = text.split_once(' ').unwrap();
                    let (publisher, number) = (publisher.parse().unwrap(), number.parse().unwrap());
                    let id = publish.packet_id.expect("of QoS 1 or 2");
                    if publish.qos == QoS::AtLeastOnce {
                        ledger.arrive(self.name, publisher, number);
                        link.send(&Packet::PubAck(Ack::new(id, ReasonCode::Success))).await?;
                    } else {
                        if self.unreleased.insert(id) {
                            ledger.arrive(self.name, publisher, number);
                        }
                        link.send(&Packet::PubRec(Ack::new(id, ReasonCode::Success))).await?;
                    }
                    taken += 1;
                }
                Packet::PubRel(ack) => {
                    self.unreleased.remove(&ack.packet_id);
                    link.send(&Packet::PubComp(Ack::new(ack.packet_id, ReasonCode::Success))).await?;
                }
                Packet::PingResp => return Ok(true),
                other => panic!("{}: {other:?}", self.name),
            }
            if self.habit == Habit::ComesAndGoes && taken >= SIP && !ledger.is_stopped() {
                return Ok(false);
            }
        }
    }
}
