//! What one side may put on the wire.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use gridmq_proto::packet::Publish;
use gridmq_proto::{Packet, PacketId, QoS};

/// The messages of one sender.
#[derive(Debug, Default)]
pub(super) struct Wire {
    /// The receiver's Receive Maximum, if it announced one.
    pub(super) window: Option<usize>,
    /// Sent on this connection and not acknowledged.
    out: BTreeSet<PacketId>,
    /// Sent on any connection of the session and not acknowledged.
    unacknowledged: BTreeMap<PacketId, (QoS, Bytes)>,
    released: BTreeSet<PacketId>,
    pub(super) peak: usize,
}

impl Wire {
    pub(super) fn connect(&mut self, window: Option<usize>, resumes: bool) {
        self.window = window;
        self.out.clear();
        if !resumes {
            self.unacknowledged.clear();
            self.released.clear();
        }
    }

    /// The sender forgot what was not durable: what it did after that is not known to it. An `eager` one sends QoS 1
    /// before that is durable, so it may send such a message under another identifier, and give the old one away.
    pub(super) fn crash(&mut self, eager: bool) {
        self.out.clear();
        self.released.clear();
        if eager {
            self.unacknowledged.retain(|_, (qos, _)| *qos != QoS::AtLeastOnce);
        }
    }

    pub(super) fn is_quiet(&self) -> bool {
        self.unacknowledged.is_empty()
    }

    pub(super) fn unacknowledged(&self) -> usize {
        self.unacknowledged.len()
    }

    pub(super) fn sends(&mut self, publish: &Publish) {
        let Some(id) = publish.packet_id else {
            assert!(!publish.dup && publish.qos == QoS::AtMostOnce);
            return;
        };
        assert!(!self.released.contains(&id), "{id}: PUBLISH after PUBREL [MQTT-4.3.3-6]");
        assert!(self.out.insert(id), "{id} is sent twice on one connection");
        if let Some(window) = self.window {
            assert!(self.out.len() <= window, "{} out, {window} allowed", self.out.len());
        }
        self.peak = self.peak.max(self.out.len());
        if let Some((_, before)) = self.unacknowledged.insert(id, (publish.qos, publish.payload.clone())) {
            assert_eq!(before, publish.payload, "{id} is in use");
            assert!(publish.dup, "{id} was sent before");
        }
    }

    /// The sender says PUBREL.
    pub(super) fn releases(&mut self, id: PacketId) {
        self.released.insert(id);
    }

    /// The sender hears this.
    pub(super) fn hears(&mut self, packet: &Packet) {
        match packet {
            Packet::PubAck(ack) | Packet::PubComp(ack) => self.done(ack.packet_id),
            Packet::PubRec(ack) if ack.reason.is_failure() => self.done(ack.packet_id),
            _ => {}
        }
    }

    fn done(&mut self, id: PacketId) {
        self.out.remove(&id);
        self.unacknowledged.remove(&id);
        self.released.remove(&id);
    }
}
