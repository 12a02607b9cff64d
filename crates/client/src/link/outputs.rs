//! From the machine to the wire, and to its owner.

use gridmq_proto::codec;
use gridmq_proto::packet::DisconnectProperties;
use gridmq_proto::session::client::Event;
use gridmq_proto::session::{End, Output};
use gridmq_proto::{EncodeError, Packet, ReasonCode};

use super::{Link, Phase};

impl Link {
    pub(super) fn drain(&mut self) {
        loop {
            match self.machine.poll_output() {
                Output::Send(packet) => {
                    self.send(&packet);
                    if matches!(packet, Packet::PingReq) {
                        self.ping_place.get_or_insert(self.encoded);
                    }
                }
                Output::Publish(publish) => {
                    let (version, max) = (self.machine.version(), self.server_maximum());
                    let place = self.held.as_mut().unwrap_or(&mut self.outgoing);
                    let before = place.len();
                    match publish.encode(version, max, place) {
                        Ok(_) => self.meter.published(&publish, place.len() - before, self.now.monotonic),
                        Err(error) => self.cannot_say(error),
                    }
                    if self.held.is_none() {
                        let added = self.outgoing.len() - before;
                        self.own += added;
                        self.encoded += added as u64;
                    }
                }
                Output::Persist(record, seq) => {
                    self.records.push(record);
                    self.recorded = seq;
                }
                Output::Event(event) => {
                    self.meter.event(&event);
                    match &event {
                        Event::Message(incoming) => self.to_acknowledge += usize::from(incoming.token.is_some()),
                        Event::Connected(_) if self.guarded => self.is_deaf = true,
                        Event::Connected(ack) if ack.session_present => self.release(),
                        _ => {}
                    }
                    self.events.push_back(event);
                }
                Output::Close(end) => {
                    // A server that answers nothing, or has said that it goes, is not waited for.
                    let gone =
                        self.phase != Phase::Open || matches!(end, End::KeepAliveTimeout | End::PeerDisconnected(_));
                    let now = self.now();
                    let closing = Phase::Closing { until: now.after(self.linger), last: now.after(self.max_linger) };
                    self.phase = if gone { Phase::Closed } else { closing };
                }
                Output::Timeout(at) => {
                    self.deadline = at;
                    return;
                }
            }
        }
    }

    pub(super) fn send(&mut self, packet: &Packet) {
        let (version, max) = (self.machine.version(), self.server_maximum());
        // What is left of an exchange must not pass the message that begins the next.
        let waits = self.guarded && matches!(packet, Packet::PubRel(_));
        let place = match &mut self.held {
            Some(held) if waits => held,
            _ => &mut self.outgoing,
        };
        let before = place.len();
        let outcome = codec::encode(packet, version, max, place);
        let added = place.len() - before;
        if !(waits && self.held.is_some()) {
            self.encoded += added as u64;
        }
        match outcome {
            Ok(_) => self.meter.sent(packet, added, self.now.monotonic),
            Err(error) => return self.cannot_say(error),
        }
        if matches!(packet, Packet::PingReq) {
            self.pings += 1;
        }
    }

    /// What the machine counts as sent was not: this connection cannot go on.
    fn cannot_say(&mut self, error: EncodeError) {
        tracing::error!(%error, "a packet could not be written, so the connection is ended");
        if self.unsayable.is_some() {
            return;
        }
        self.unsayable = Some(error);
        let now = self.now;
        let reason = ReasonCode::ImplementationSpecificError;
        self.machine.disconnect(now, reason, DisconnectProperties::default());
    }

    fn server_maximum(&self) -> Option<u32> {
        self.machine.server_limits().and_then(|limits| limits.maximum_packet_size)
    }
}
