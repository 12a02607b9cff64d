//! One machine with a fake clock and nobody at the other end; all that it sends is encoded and decoded.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::packet::*;
use gridmq_proto::session::client::{self, Outgoing};
use gridmq_proto::session::server::{self, Accepted, ConnectDecision};
use gridmq_proto::session::{Delivery, End, Output, PublishToken, QueueLimits, Record, Seq};
use gridmq_proto::time::{Monotonic, Now, Wall};
use gridmq_proto::{
    ByteString, Message, OutgoingPublish, Packet, PacketId, QoS, ReasonCode, SharedMessage, SubscriptionFilter,
    TopicName, Version,
};

pub const Q0: QoS = QoS::AtMostOnce;
pub const Q1: QoS = QoS::AtLeastOnce;
pub const Q2: QoS = QoS::ExactlyOnce;

/// What a machine did in one turn.
#[derive(Debug)]
pub struct Did<E> {
    pub sent: Vec<Packet>,
    pub events: Vec<E>,
    pub records: Vec<Record>,
    /// The number of the last record.
    pub seq: Seq,
    pub end: Option<End>,
    pub deadline: Option<Monotonic>,
}

impl<E: std::fmt::Debug> Did<E> {
    /// The one packet that was sent.
    #[track_caller]
    pub fn packet(mut self) -> Packet {
        assert_eq!(self.sent.len(), 1, "{:?}", self.sent);
        self.sent.remove(0)
    }

    #[track_caller]
    pub fn nothing(self) {
        assert!(self.sent.is_empty() && self.events.is_empty() && self.end.is_none(), "{self:?}");
    }

    #[track_caller]
    pub fn event(mut self) -> E {
        assert_eq!(self.events.len(), 1, "{:?}", self.events);
        self.events.remove(0)
    }

    /// Statement and reason of the violation that ended the connection.
    #[track_caller]
    pub fn violation(&self) -> (&'static str, ReasonCode) {
        match &self.end {
            Some(End::Violation(violation)) => (violation.statement(), violation.reason()),
            other => panic!("{other:?} is no violation"),
        }
    }

    /// Short names of what was sent.
    pub fn names(&self) -> Vec<String> {
        self.sent.iter().map(name).collect()
    }
}

/// Type and packet identifier.
pub fn name(packet: &Packet) -> String {
    let id = match packet {
        Packet::Publish(publish) => {
            let dup = if publish.dup { " again" } else { "" };
            return format!("PUBLISH {}{dup}", publish.packet_id.map_or(0, u16::from));
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => ack.packet_id,
        Packet::Subscribe(it) => it.packet_id,
        Packet::SubAck(it) => it.packet_id,
        Packet::Unsubscribe(it) => it.packet_id,
        Packet::UnsubAck(it) => it.packet_id,
        other => return other.packet_type().to_string(),
    };
    format!("{} {id}", packet.packet_type())
}

/// What the peer makes of it: whatever a machine wants sent must be possible to encode, within the peer's limit.
fn on_the_wire(bytes: impl FnOnce(&mut BytesMut), mut decoder: Decoder, version: Version, to_client: bool) -> Packet {
    let mut buf = BytesMut::new();
    bytes(&mut buf);
    if !to_client && buf[0] >> 4 != 1 {
        decoder.set_version(version);
    }
    let packet = decoder.decode(&mut buf).unwrap().unwrap();
    assert!(buf.is_empty());
    packet
}

fn drain<E>(
    mut poll: impl FnMut() -> Output<E>,
    version: Version,
    maximum: Option<u32>,
    to_client: bool,
    seq: &mut Seq,
) -> Did<E> {
    let decoder = || {
        if to_client { Decoder::for_client(version, u32::MAX) } else { Decoder::for_server(u32::MAX) }
    };
    let mut did = Did { sent: vec![], events: vec![], records: vec![], seq: *seq, end: None, deadline: None };
    loop {
        match poll() {
            Output::Send(packet) => {
                assert!(did.end.is_none(), "{packet:?} after the end");
                let write = |out: &mut BytesMut| encode(&packet, version, maximum, out).unwrap();
                did.sent.push(on_the_wire(write, decoder(), version, to_client));
            }
            Output::Publish(publish) => {
                assert!(did.end.is_none(), "{publish:?} after the end");
                let write = |out: &mut BytesMut| OutgoingPublish::encode(&publish, version, maximum, out).unwrap();
                did.sent.push(on_the_wire(write, decoder(), version, to_client));
            }
            Output::Persist(record, number) => {
                assert_eq!(number, *seq + 1, "numbers rise by one");
                *seq = number;
                did.records.push(record);
            }
            Output::Event(event) => did.events.push(event),
            Output::Close(end) => assert!(did.end.replace(end).is_none(), "closed twice"),
            Output::Timeout(deadline) => {
                did.deadline = deadline;
                did.seq = *seq;
                return did;
            }
        }
    }
}

pub type ServerDid = Did<server::Event>;
pub type ClientDid = Did<client::Event>;

pub fn secs(seconds: f64) -> Now {
    let micros = (seconds * 1e6) as u64;
    Now { monotonic: Monotonic::from_micros(micros), wall: Wall::from_millis(1_700_000_000_000 + micros / 1000) }
}

pub fn id(id: u16) -> PacketId {
    PacketId::new(id).unwrap()
}

pub fn connect_packet(version: Version) -> Connect {
    Connect {
        version,
        clean_start: false,
        keep_alive: 0,
        client_id: "c".into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties {
            session_expiry_interval: version.is_v5().then_some(1000),
            ..ConnectProperties::default()
        },
    }
}

pub fn with_method(method: &'static str) -> Connect {
    let mut connect = connect_packet(Version::V5);
    connect.properties.authentication_method = Some(method.into());
    connect
}

pub fn auth(reason: ReasonCode, method: &'static str) -> Packet {
    let properties = AuthProperties { authentication_method: Some(method.into()), ..AuthProperties::default() };
    Packet::Auth(Box::new(Auth { reason, properties }))
}

pub fn will() -> Box<Will> {
    Box::new(Will { message: message("w", "gone"), qos: Q1, retain: false, delay_interval: 0 })
}

pub fn message(topic: &str, payload: &str) -> Message {
    Message::new(TopicName::try_from(topic).unwrap(), Bytes::copy_from_slice(payload.as_bytes()))
}

pub fn delivery(payload: &str, qos: QoS) -> Delivery {
    Delivery::new(SharedMessage::new(message("t", payload)), qos)
}

pub fn outgoing(payload: &str, qos: QoS) -> Outgoing {
    Outgoing { message: message("t", payload), qos, retain: false }
}

pub fn publish(packet_id: u16, qos: QoS, payload: &str) -> Packet {
    Packet::Publish(Publish {
        dup: false,
        qos,
        retain: false,
        packet_id: PacketId::new(packet_id),
        topic: Some(TopicName::try_from("t").unwrap()),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: Bytes::copy_from_slice(payload.as_bytes()),
        properties: None,
    })
}

pub fn aliased(topic: Option<&str>, alias: u16) -> Packet {
    let Packet::Publish(mut packet) = publish(0, Q0, "aliased") else { unreachable!() };
    packet.topic = topic.map(|topic| TopicName::try_from(topic).unwrap());
    packet.topic_alias = NonZeroU16::new(alias);
    Packet::Publish(packet)
}

pub fn again(packet: Packet) -> Packet {
    match packet {
        Packet::Publish(publish) => Packet::Publish(Publish { dup: true, ..publish }),
        other => other,
    }
}

pub fn filter(text: &str) -> SubscriptionFilter {
    SubscriptionFilter::try_from(text).unwrap()
}

pub fn subscribe(packet_id: u16, filters: &[(&str, QoS)]) -> Packet {
    let filters = filters
        .iter()
        .map(|&(text, qos)| SubscribeFilter {
            filter: filter(text),
            options: SubscribeOptions { qos, ..SubscribeOptions::default() },
        })
        .collect();
    let packet_id = id(packet_id);
    Packet::Subscribe(Subscribe { packet_id, subscription_identifier: None, user_properties: vec![], filters })
}

pub fn unsubscribe(packet_id: u16, filters: &[&str]) -> Packet {
    let filters = filters.iter().map(|text| filter(text)).collect();
    Packet::Unsubscribe(Unsubscribe { packet_id: id(packet_id), user_properties: vec![], filters })
}

pub fn ack(packet_id: u16) -> Ack {
    Ack::new(id(packet_id), ReasonCode::Success)
}

pub fn connack(properties: ConnAckProperties) -> Packet {
    Packet::ConnAck(Box::new(ConnAck { session_present: false, reason: ReasonCode::Success, properties }))
}

/// A server's machine.
pub struct Server {
    pub machine: server::Connection,
    pub now: Now,
    /// Whether records are safe at once.
    pub safe: bool,
    seq: Seq,
    maximum: Option<u32>,
}

impl Server {
    pub fn new(config: server::Config) -> Self {
        Self { machine: server::Connection::new(secs(0.0), config), now: secs(0.0), safe: true, seq: 0, maximum: None }
    }

    /// A client is in with an empty session.
    pub fn accepted(config: server::Config, connect: Connect) -> Self {
        let session = server::Session::new("c".into(), QueueLimits::default());
        Self::resumed(config, connect, session, false).0
    }

    pub fn resumed(
        config: server::Config,
        connect: Connect,
        session: server::Session,
        present: bool,
    ) -> (Self, ServerDid) {
        let mut server = Self::new(config);
        server.packet(Packet::Connect(Box::new(connect.clone())));
        let did = server.accept(&connect, session, present);
        assert!(server.machine.is_connected());
        (server, did)
    }

    pub fn v(version: Version) -> Self {
        Self::accepted(server::Config::default(), connect_packet(version))
    }

    pub fn accept(&mut self, connect: &Connect, session: server::Session, session_present: bool) -> ServerDid {
        let lasting = if connect.clean_start { 0 } else { u32::MAX };
        let asked = connect.properties.session_expiry_interval;
        let decision = ConnectDecision::Accept(Box::new(Accepted {
            session,
            session_present,
            expiry_interval: if connect.version.is_v5() { asked.unwrap_or(0) } else { lasting },
            assigned_client_id: connect.client_id.is_empty(),
            authentication_data: None,
            welcome: server::Welcome::default(),
        }));
        assert!(self.machine.decide_connect(self.now, decision).is_none());
        self.does()
    }

    /// Drains the machine.
    pub fn does(&mut self) -> ServerDid {
        let mut all = self.drain_once();
        while self.safe && !all.records.is_empty() && all.seq > 0 {
            self.machine.persisted(self.seq);
            let more = self.drain_once();
            let done = more.records.is_empty();
            all.sent.extend(more.sent);
            all.events.extend(more.events);
            all.records.extend(more.records);
            all.end = all.end.or(more.end);
            all.deadline = more.deadline;
            if done {
                break;
            }
        }
        all
    }

    fn drain_once(&mut self) -> ServerDid {
        let version = self.machine.version();
        drain(|| self.machine.poll_output(), version, self.maximum, true, &mut self.seq)
    }

    pub fn packet(&mut self, packet: Packet) -> ServerDid {
        if let Packet::Connect(connect) = &packet {
            self.maximum = connect.properties.maximum_packet_size.map(u32::from);
        }
        self.machine.handle_packet(self.now, packet);
        self.does()
    }

    /// Sets the clock and lets the machine see it.
    pub fn at(&mut self, seconds: f64) -> ServerDid {
        self.now = secs(seconds);
        self.machine.handle_timeout(self.now);
        self.does()
    }

    pub fn deliver(&mut self, payload: &str, qos: QoS) -> ServerDid {
        let _ = self.machine.deliver(self.now, delivery(payload, qos));
        self.does()
    }

    /// Hands in a PUBLISH; its token.
    #[track_caller]
    pub fn token(&mut self, packet: Packet) -> PublishToken {
        match self.packet(packet).event() {
            server::Event::Publish(inbound) => inbound.token.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub fn complete(&mut self, token: PublishToken, reason: ReasonCode) -> ServerDid {
        self.machine.complete(token, reason);
        self.does()
    }

    /// Loses the connection; the session.
    pub fn lose(mut self) -> server::Session {
        self.machine.handle_close();
        self.does();
        self.machine.take_session().unwrap()
    }
}

/// A client's machine.
pub struct Client {
    pub machine: client::Connection,
    pub now: Now,
    pub safe: bool,
    seq: Seq,
    pub maximum: Option<u32>,
}

pub fn client_config(connect: Connect) -> client::Config {
    client::Config { connect, connect_timeout: Duration::from_secs(10), receive_maximum: 10, outbound_topic_aliases: 4 }
}

impl Client {
    pub fn with(config: client::Config, session: client::Session) -> (Self, ClientDid) {
        let seq = session.last_record();
        let machine = client::Connection::new(secs(0.0), config, session);
        let mut client = Self { machine, now: secs(0.0), safe: true, seq, maximum: None };
        let did = client.does();
        (client, did)
    }

    /// Without a connection, with a store that is slow.
    pub fn resting(connect: Connect, session: client::Session) -> Self {
        let seq = session.last_record();
        let machine = client::Connection::resting(client_config(connect), session);
        Self { machine, now: secs(0.0), safe: false, seq, maximum: None }
    }

    /// With a store, it has sent its CONNECT.
    pub fn new(connect: Connect) -> Self {
        Self::with(client_config(connect), client::Session::recorded(QueueLimits::default())).0
    }

    pub fn v(version: Version) -> Self {
        Self::accepted(connect_packet(version), ConnAckProperties::default())
    }

    pub fn accepted(connect: Connect, properties: ConnAckProperties) -> Self {
        let mut client = Self::new(connect);
        client.maximum = properties.maximum_packet_size.map(u32::from);
        client.packet(connack(properties));
        assert!(client.machine.is_connected());
        client
    }

    /// The server still has the session.
    pub fn resumed(connect: Connect, session: client::Session, properties: ConnAckProperties) -> (Self, ClientDid) {
        let (mut client, _) = Self::with(client_config(connect), session);
        client.maximum = properties.maximum_packet_size.map(u32::from);
        let did = client.packet(Packet::ConnAck(Box::new(ConnAck {
            session_present: true,
            reason: ReasonCode::Success,
            properties,
        })));
        assert!(client.machine.is_connected());
        (client, did)
    }

    pub fn does(&mut self) -> ClientDid {
        let mut all = self.drain_once();
        let mut fresh = !all.records.is_empty();
        while self.safe && fresh {
            self.machine.persisted(self.seq);
            let more = self.drain_once();
            fresh = !more.records.is_empty();
            all.sent.extend(more.sent);
            all.events.extend(more.events);
            all.records.extend(more.records);
            all.end = all.end.or(more.end);
            all.deadline = more.deadline;
        }
        all
    }

    /// What it wants done, without telling it that anything is safe.
    pub fn drain(&mut self) -> ClientDid {
        self.drain_once()
    }

    fn drain_once(&mut self) -> ClientDid {
        let version = self.machine.version();
        drain(|| self.machine.poll_output(), version, self.maximum, false, &mut self.seq)
    }

    pub fn packet(&mut self, packet: Packet) -> ClientDid {
        self.machine.handle_packet(self.now, packet);
        self.does()
    }

    pub fn at(&mut self, seconds: f64) -> ClientDid {
        self.now = secs(seconds);
        self.machine.handle_timeout(self.now);
        self.does()
    }

    pub fn publish(&mut self, payload: &str, qos: QoS) -> ClientDid {
        let _ = self.machine.publish(self.now, outgoing(payload, qos)).unwrap();
        self.does()
    }

    #[track_caller]
    pub fn token(&mut self, packet: Packet) -> PublishToken {
        match self.packet(packet).event() {
            client::Event::Message(incoming) => incoming.token.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub fn complete(&mut self, token: PublishToken, reason: ReasonCode) -> ClientDid {
        self.machine.complete(self.now, token, reason);
        self.does()
    }

    pub fn lose(mut self) -> client::Session {
        self.machine.handle_close();
        self.does();
        self.machine.take_session().unwrap()
    }
}

pub fn text(text: &'static str) -> Option<ByteString> {
    Some(ByteString::from_static(text))
}
