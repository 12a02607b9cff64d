//! Counts what goes over a connection, and shows it to the inspector.

use std::sync::Arc;

use gridmq_proto::message::OutgoingPublish;
use gridmq_proto::packet::PacketType;
use gridmq_proto::session::Settled;
use gridmq_proto::session::client::Event;
use gridmq_proto::time::Monotonic;
use gridmq_proto::{Packet, PacketId, QoS};

use crate::inspect::{Direction, Inspected, Inspector};
use crate::metrics::{Exchange, MessageFate, Metrics};

/// Messages in flight whose time is taken at once.
const TIMED: usize = 64;
const TYPES: usize = PacketType::ALL.len();
const QOS: [QoS; 3] = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];

/// Packets and bytes of one direction since the last turn, by type.
#[derive(Debug, Default)]
struct Tally {
    packets: [u32; TYPES],
    bytes: [u64; TYPES],
    /// A bit for each type that there was.
    seen: u16,
}

impl Tally {
    fn add(&mut self, packet_type: PacketType, size: usize) {
        let index = usize::from(packet_type.as_u8()) - 1;
        if let (Some(packets), Some(bytes)) = (self.packets.get_mut(index), self.bytes.get_mut(index)) {
            *packets += 1;
            *bytes += size as u64;
            self.seen |= 1 << index;
        }
    }

    fn flush(&mut self, direction: Direction, metrics: &Metrics) {
        while self.seen != 0 {
            let index = self.seen.trailing_zeros() as usize;
            self.seen &= self.seen - 1;
            if let (Some(packets), Some(bytes)) = (self.packets.get_mut(index), self.bytes.get_mut(index)) {
                let (packets, bytes) = (std::mem::take(packets), std::mem::take(bytes));
                metrics.traffic(direction, index, u64::from(packets), bytes);
            }
        }
    }
}

/// When messages were sent, each in the place that its identifier points to; a place that is taken stays so.
#[derive(Debug, Default)]
struct Timer(Vec<Option<(PacketId, Monotonic)>>);

impl Timer {
    fn place(&mut self, id: PacketId) -> Option<&mut Option<(PacketId, Monotonic)>> {
        if self.0.is_empty() {
            self.0.resize(TIMED, None);
        }
        self.0.get_mut(usize::from(id.get()) % TIMED)
    }

    fn start(&mut self, id: PacketId, now: Monotonic) {
        if let Some(place) = self.place(id)
            && place.is_none_or(|(timed, _)| timed == id)
        {
            *place = Some((id, now));
        }
    }

    /// When it was sent, if that is known.
    fn stop(&mut self, id: PacketId) -> Option<Monotonic> {
        let place = self.place(id)?;
        place.take_if(|(timed, _)| *timed == id).map(|(_, sent)| sent)
    }
}

/// Counts what goes over one connection. The numbers reach the metrics with [`Self::flush`], once per turn.
#[derive(Debug)]
pub(crate) struct Meter {
    metrics: Arc<Metrics>,
    inspector: Option<Arc<dyn Inspector>>,
    /// The inspector wants everything.
    secrets: bool,
    sent: Tally,
    received: Tally,
    /// Messages for the application, by QoS.
    messages: [u32; 3],
    timer: Timer,
    /// When the oldest PINGREQ that is not answered was sent; those behind it are not timed.
    pinged: Option<Monotonic>,
    /// Messages of QoS 0 that are held back, while such a time is.
    held: Option<u64>,
}

impl Meter {
    pub(super) fn new(metrics: Arc<Metrics>, inspector: Option<Arc<dyn Inspector>>) -> Self {
        let secrets = inspector.as_ref().is_some_and(|inspector| inspector.exposes_secrets());
        Self {
            metrics,
            inspector,
            secrets,
            sent: Tally::default(),
            received: Tally::default(),
            messages: [0; 3],
            timer: Timer::default(),
            pinged: None,
            held: None,
        }
    }

    #[cfg(test)]
    const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// A packet of `size` bytes is on its way out.
    pub(crate) fn sent(&mut self, packet: &Packet, size: usize, now: Monotonic) {
        self.sent.add(packet.packet_type(), size);
        if matches!(packet, Packet::PingReq) {
            self.pinged.get_or_insert(now);
        }
        if let Some(inspector) = &self.inspector {
            inspector.packet(Direction::Sent, &Inspected::packet(packet, size, self.secrets));
        }
    }

    /// A message is on its way out, in a packet of `size` bytes.
    pub(crate) fn published(&mut self, publish: &OutgoingPublish, size: usize, now: Monotonic) {
        self.sent.add(PacketType::Publish, size);
        match (publish.packet_id, &mut self.held) {
            (Some(id), _) => self.timer.start(id, now),
            (None, Some(held)) => *held += 1,
            (None, None) => self.metrics.message(MessageFate::Acknowledged, QoS::AtMostOnce),
        }
        if let Some(inspector) = &self.inspector {
            inspector.packet(Direction::Sent, &Inspected::outgoing(publish, size, self.secrets));
        }
    }

    /// Messages are held back from now on.
    pub(crate) const fn hold(&mut self) {
        self.held = Some(0);
    }

    /// That became of those of QoS 0 that were held back.
    pub(crate) fn let_go(&mut self, fate: MessageFate) {
        for _ in 0..self.held.take().unwrap_or(0) {
            self.metrics.message(fate, QoS::AtMostOnce);
        }
    }

    /// A packet of `size` bytes has arrived.
    pub(crate) fn received(&mut self, packet: &Packet, size: usize, now: Monotonic) {
        self.received.add(packet.packet_type(), size);
        let finished = match packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => Some(ack.packet_id),
            Packet::PubRec(ack) if ack.reason.is_failure() => Some(ack.packet_id),
            Packet::PingResp => {
                if let Some(sent) = self.pinged.take() {
                    self.metrics.round_trip(Exchange::Ping, now.since(sent));
                }
                None
            }
            _ => None,
        };
        if let Some(sent) = finished.and_then(|id| self.timer.stop(id)) {
            self.metrics.round_trip(Exchange::Publish, now.since(sent));
        }
        if let Some(inspector) = &self.inspector {
            inspector.packet(Direction::Received, &Inspected::packet(packet, size, self.secrets));
        }
    }

    /// The machine has something for its owner.
    pub(crate) fn event(&mut self, event: &Event) {
        match event {
            Event::Message(incoming) => {
                if let Some(count) = self.messages.get_mut(usize::from(incoming.qos as u8)) {
                    *count += 1;
                }
            }
            Event::Published { qos, end, .. } => match end {
                // That of QoS 0 was counted when it went out.
                Settled::Taken { .. } if *qos == QoS::AtMostOnce => {}
                Settled::Taken { .. } => self.metrics.message(MessageFate::Acknowledged, *qos),
                Settled::Refused { .. } => self.metrics.message(MessageFate::Refused, *qos),
                Settled::Unsent { .. } => self.metrics.message(MessageFate::Dropped, *qos),
            },
            _ => {}
        }
    }

    /// Adds what was counted to the metrics.
    pub(crate) fn flush(&mut self) {
        self.sent.flush(Direction::Sent, &self.metrics);
        self.received.flush(Direction::Received, &self.metrics);
        for (qos, count) in QOS.into_iter().zip(&mut self.messages) {
            if *count != 0 {
                self.metrics.received(qos, u64::from(std::mem::take(count)));
            }
        }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        self.flush();
    }
}

#[cfg(test)]
mod tests;
