//! A publisher that goes on where it was.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::BytesMut;
use gridmq_proto::packet::{Ack, Publish};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_testkit::wire::{encoded, message};

use super::ledger::{Ledger, qos_of};
use super::link::{Gone, Link, There};

/// Messages on their way.
const WINDOW: usize = 20;

/// A message on its way.
struct Flight {
    id: PacketId,
    publish: Publish,
    /// `None`: retained, and nothing that subscribers count.
    number: Option<usize>,
    /// PUBREC has come.
    received: bool,
}

/// See the module.
pub struct Publisher {
    index: usize,
    version: Version,
    flights: VecDeque<Flight>,
    last_id: u16,
    /// The broker has acknowledged the session.
    known: bool,
    /// Retained messages so far, and what is retained when all that was sent is acknowledged.
    count: usize,
    retained: BTreeMap<String, String>,
}

impl Publisher {
    pub fn new(index: usize, version: Version) -> Self {
        let flights = VecDeque::new();
        Self { index, version, flights, last_id: 0, known: false, count: 0, retained: BTreeMap::new() }
    }

    /// Publishes until it is told to stop and everything is acknowledged. Answers what it has retained.
    pub async fn live(mut self, mut there: There, ledger: Arc<Ledger>) -> BTreeMap<String, String> {
        loop {
            let name = format!("publisher{}", self.index);
            let mut link = Link::open(&mut there, &name, self.version, self.known).await;
            self.known = true;
            if self.talk(&mut link, &ledger).await.is_ok() {
                ledger.publisher_is_done();
                return self.retained;
            }
        }
    }

    async fn talk(&mut self, link: &mut Link, ledger: &Ledger) -> Result<(), Gone> {
        let mut again = BytesMut::new();
        for flight in &mut self.flights {
            if flight.received {
                again.extend_from_slice(&encoded(&release(flight.id), self.version));
            } else {
                // A session that was not kept knows nothing of it; one that was may.
                let publish = Publish { dup: link.present, ..flight.publish.clone() };
                again.extend_from_slice(&encoded(&Packet::Publish(publish), self.version));
            }
        }
        link.send_raw(&again).await?;
        loop {
            self.fill(link, ledger).await?;
            if self.flights.is_empty() && ledger.is_stopped() {
                return Ok(());
            }
            tokio::select! {
                packet = link.next() => self.answer(packet?, link, ledger).await?,
                () = ledger.move_on() => {}
            }
        }
    }

    /// Sends as much as may be on its way, in one write.
    async fn fill(&mut self, link: &mut Link, ledger: &Ledger) -> Result<(), Gone> {
        let mut bytes = BytesMut::new();
        while self.flights.len() < WINDOW {
            let Some(number) = ledger.take_number(self.index) else { break };
            let qos = qos_of(number);
            let topic = format!("load/{}/{}", self.index, number % 7);
            self.begin(message(&topic, format!("{} {number}", self.index), qos), Some(number), &mut bytes);
            if number % 5 == 0 {
                self.retain(&mut bytes);
            }
        }
        link.send_raw(&bytes).await
    }

    fn retain(&mut self, bytes: &mut BytesMut) {
        self.count += 1;
        let qos = qos_of(self.count);
        // One QoS for each topic, so that what was sent last is what is kept.
        let topic = format!("kept/{}/{}/{}", self.index, qos as u8, self.count / 2 % 5);
        let text = if self.count.is_multiple_of(7) { String::new() } else { self.count.to_string() };
        self.begin(Publish { retain: true, ..message(&topic, &text, qos) }, None, bytes);
        if text.is_empty() {
            self.retained.remove(&topic);
        } else {
            self.retained.insert(topic, text);
        }
    }

    fn begin(&mut self, mut publish: Publish, number: Option<usize>, bytes: &mut BytesMut) {
        let id = loop {
            self.last_id = self.last_id.checked_add(1).unwrap_or(1);
            let id = PacketId::new(self.last_id).unwrap();
            if self.flights.iter().all(|flight| flight.id != id) {
                break id;
            }
        };
        publish.packet_id = Some(id);
        bytes.extend_from_slice(&encoded(&Packet::Publish(publish.clone()), self.version));
        self.flights.push_back(Flight { id, publish, number, received: false });
    }

    async fn answer(&mut self, packet: Packet, link: &mut Link, ledger: &Ledger) -> Result<(), Gone> {
        match packet {
            Packet::PubAck(ack) => self.end(&ack, QoS::AtLeastOnce, ledger),
            Packet::PubComp(ack) => {
                assert!(ack.reason == ReasonCode::Success || ack.reason == ReasonCode::PacketIdentifierNotFound);
                self.end(&Ack::new(ack.packet_id, ReasonCode::Success), QoS::ExactlyOnce, ledger);
            }
            Packet::PubRec(ack) if ack.reason.is_failure() => self.end(&ack, QoS::ExactlyOnce, ledger),
            Packet::PubRec(ack) => {
                let flight = self.flights.iter_mut().find(|flight| flight.id == ack.packet_id);
                flight.unwrap_or_else(|| panic!("unasked: {ack:?}")).received = true;
                link.send(&release(ack.packet_id)).await?;
            }
            other => panic!("publisher {}: {other:?}", self.index),
        }
        Ok(())
    }

    fn end(&mut self, ack: &Ack, qos: QoS, ledger: &Ledger) {
        let found = self.flights.iter().position(|flight| flight.id == ack.packet_id && flight.publish.qos == qos);
        let flight = found.and_then(|at| self.flights.remove(at)).unwrap_or_else(|| panic!("unasked: {ack:?}"));
        match flight.number {
            Some(number) => ledger.settle(self.index, number, ack.reason.is_failure()),
            None => assert!(!ack.reason.is_failure(), "not retained: {ack:?}"),
        }
    }
}

fn release(id: PacketId) -> Packet {
    Packet::PubRel(Ack::new(id, ReasonCode::Success))
}
