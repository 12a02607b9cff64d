//! From machines to bytes and back, and what becomes of them on the way.

use bytes::BytesMut;
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::session::{Output, PublishToken, Record, Seq, client, server};
use gridmq_proto::time::Monotonic;
use gridmq_proto::{Message, Packet, QoS, Version};

use super::actions::Action;
use super::journal::Entry;
use super::{Pair, Side, limits};

impl Pair {
    pub(super) fn pump_client(&mut self) {
        self.drain_client();
        while let Some(client) = self.client.as_mut().filter(|it| it.machine.wants_input()) {
            let Some(packet) = client.decoder.decode(&mut client.incoming).unwrap() else { return };
            client.machine.handle_packet(self.now, packet.clone());
            self.wire(Side::Client).hears(&packet);
            self.drain_client();
        }
    }

    pub(super) fn pump_server(&mut self, number: u32) {
        self.drain_server(number);
        let now = self.now;
        while let Some(server) = self.server(number).filter(|it| it.machine.wants_input()) {
            let Some(packet) = server.decoder.decode(&mut server.incoming).unwrap() else { return };
            if matches!(packet, Packet::Connect(_)) {
                server.decoder.set_max_packet_size(1 << 20);
            }
            server.machine.handle_packet(now, packet.clone());
            self.wire(Side::Server).hears(&packet);
            self.drain_server(number);
        }
    }

    pub(super) fn drain_client(&mut self) {
        let mut bytes = BytesMut::new();
        while let Some(client) = &mut self.client {
            let (number, version) = (client.number, client.machine.version());
            match client.machine.poll_output() {
                Output::Timeout(deadline) => {
                    client.deadline = deadline;
                    break;
                }
                Output::Persist(record, seq) => self.persist(Side::Client, number, record, seq),
                Output::Event(client::Event::Message(incoming)) => {
                    self.arrives(Side::Client, incoming.token, incoming.message, incoming.qos);
                }
                Output::Event(client::Event::Connected(ack)) => self.welcomes(ack.session_present),
                Output::Event(_) => {}
                Output::Close(end) => {
                    client.closed = true;
                    self.ends.push((Side::Client, end, self.now.monotonic));
                    self.send(Side::Client, number, bytes.split());
                    self.hang_up(Side::Server, number);
                    if self.reconnects {
                        self.after(self.settings.back_off, Action::Connect);
                    }
                }
                output => self.write(Side::Client, version, output, &mut bytes),
            }
        }
        if let Some(number) = self.client.as_ref().map(|it| it.number) {
            self.send(Side::Client, number, bytes);
        }
    }

    pub(super) fn drain_server(&mut self, number: u32) {
        let mut bytes = BytesMut::new();
        while let Some(server) = self.server(number) {
            let version = server.machine.version();
            match server.machine.poll_output() {
                Output::Timeout(deadline) => {
                    server.deadline = deadline;
                    if server.closed {
                        let session = server.machine.take_session();
                        self.servers.retain(|it| it.number != number);
                        if let Some(session) = session.filter(|it| it.expiry_interval() != 0) {
                            self.server_session = Some(session);
                        }
                    }
                    break;
                }
                Output::Persist(record, seq) => self.persist(Side::Server, number, record, seq),
                Output::Event(server::Event::Publish(inbound)) => {
                    self.arrives(Side::Server, inbound.token, inbound.message, inbound.qos);
                }
                Output::Event(
                    event @ (server::Event::Connect(_) | server::Event::Subscribe(_) | server::Event::Unsubscribe(_)),
                ) => {
                    let takes = self.random.within(&self.settings.decision.clone());
                    self.after(takes, Action::Decide { number, event: Box::new(event) });
                }
                Output::Event(_) => {}
                Output::Close(end) => {
                    server.closed = true;
                    self.ends.push((Side::Server, end, self.now.monotonic));
                    self.send(Side::Server, number, bytes.split());
                    self.hang_up(Side::Client, number);
                }
                output => self.write(Side::Server, version, output, &mut bytes),
            }
        }
        self.send(Side::Server, number, bytes);
    }

    fn write<E: std::fmt::Debug>(&mut self, side: Side, version: Version, output: Output<E>, bytes: &mut BytesMut) {
        let start = bytes.len();
        let name = match output {
            Output::Send(packet) => {
                encode(&packet, version, None, bytes).unwrap();
                if let Packet::PubRel(ack) = &packet {
                    self.wire(side).releases(ack.packet_id);
                }
                packet.packet_type().name()
            }
            Output::Publish(publish) => {
                publish.encode(version, None, bytes).unwrap();
                "PUBLISH"
            }
            other => panic!("{other:?}"),
        };
        *self.sent.entry((side, name)).or_default() += 1;
        if name == "PUBLISH" {
            let mut decoder = match side {
                Side::Client => Decoder::for_server(u32::MAX),
                Side::Server => Decoder::for_client(version, u32::MAX),
            };
            decoder.set_version(version);
            let packet = decoder.decode(&mut BytesMut::from(&bytes[start..])).unwrap().unwrap();
            let Packet::Publish(publish) = packet else { panic!("{packet:?}") };
            if publish.topic.is_none() {
                *self.sent.entry((side, "PUBLISH by alias")).or_default() += 1;
            }
            self.wire(side).sends(&publish);
        }
    }

    fn persist(&mut self, side: Side, number: u32, record: Record, seq: Seq) {
        let len = self.journal(side).write(Entry::Record(record));
        if self.crash_at == Some((side, len, false)) {
            self.after(std::time::Duration::ZERO, Action::Crash { side });
        }
        self.store(side, len, Some((number, seq)));
    }

    fn arrives(&mut self, side: Side, token: Option<PublishToken>, message: Message, qos: QoS) {
        let payload = String::from_utf8(message.payload.to_vec()).unwrap();
        let number: usize = payload.split(' ').nth(1).unwrap().parse().unwrap();
        assert_eq!(message.topic.as_str(), format!("topic/{}", number % 5), "an alias went astray");
        self.arrived.get_mut(&side).unwrap().push((payload.clone(), qos));
        let life = self.journals[&side].life;
        let Some(token) = token else {
            let len = self.journal(side).write(Entry::Took(payload));
            self.store(side, len, None);
            return;
        };
        let takes = self.random.within(&self.settings.completion.clone());
        self.after(takes, Action::Complete { side, life, token, payload, qos });
    }

    /// Puts bytes on the way, or loses the connection.
    fn send(&mut self, from: Side, number: u32, bytes: BytesMut) {
        if bytes.is_empty() || self.lost.contains(&number) {
            return;
        }
        let to = if from == Side::Client { Side::Server } else { Side::Client };
        if self.settings.loss != 0 && self.random.next().is_multiple_of(u64::from(self.settings.loss)) {
            return self.lose(number);
        }
        let at = self.arrival(to, number);
        self.at(at, Action::Bytes { to, number, bytes: bytes.freeze() });
    }

    fn arrival(&mut self, to: Side, number: u32) -> Monotonic {
        let takes = self.random.within(&self.settings.latency.clone());
        let last = self.arrives.entry((to, number)).or_default();
        *last = (*last).max(self.now.monotonic.after(takes));
        *last
    }

    fn hang_up(&mut self, other: Side, number: u32) {
        if !self.lost.contains(&number) {
            let at = self.arrival(other, number);
            self.at(at, Action::Close { at: other, number });
        }
    }

    /// Loses a connection and all that is on its way.
    fn lose(&mut self, number: u32) {
        if self.lost.insert(number) && self.settings.loss_is_told {
            for at in [Side::Client, Side::Server] {
                let takes = self.random.within(&self.settings.latency.clone());
                self.after(takes, Action::Close { at, number });
            }
        }
    }

    /// Cuts the connection that is there.
    pub fn cut(&mut self) {
        if let Some(number) = self.client.as_ref().map(|it| it.number) {
            self.lose(number);
        }
    }

    /// A side loses its memory: what its store has is what is left. The connection is lost.
    pub fn crash(&mut self, side: Side) {
        self.cut();
        let records = self.journal(side).crash();
        self.wire(side).crash(side == Side::Server);
        match side {
            Side::Client => {
                self.client_session = client::Session::restore(limits(), records);
                if self.client_session.is_none() {
                    self.client_session = Some(client::Session::recorded(limits()));
                }
                self.client = None;
                self.after(self.settings.back_off, Action::Connect);
            }
            Side::Server => {
                let numbers: Vec<_> = self.servers.iter().map(|it| it.number).collect();
                for number in numbers {
                    self.lost.insert(number);
                    let takes = self.random.within(&self.settings.latency.clone());
                    self.after(takes, Action::Close { at: Side::Client, number });
                }
                self.servers.clear();
                self.server_session = server::Session::restore("c".into(), limits(), records);
            }
        }
    }

    /// Cuts nothing, but tells nobody: for a link that has gone dead.
    pub fn cut_silently(&mut self) {
        if let Some(number) = self.client.as_ref().map(|it| it.number) {
            self.lost.insert(number);
        }
    }
}
