//! Packets from bytes.

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gridmq_proto::codec;
use gridmq_proto::packet::{
    Ack, Auth, AuthProperties, Connect, ConnectProperties, Disconnect, DisconnectProperties, Publish, RetainHandling,
    Subscribe, SubscribeFilter, SubscribeOptions, Unsubscribe, Will,
};
use gridmq_proto::{
    Message, MessageProperties, Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, TopicName, Version,
};

/// Everybody who connects with an undamaged CONNECT.
pub(super) const CLIENT_IDS: [&str; 4] = ["a", "b", "c", "d"];
const TOPICS: [&str; 6] = ["x", "x/y", "x/y/z", "", "y/", "$x/y"];
const FILTERS: [&str; 10] =
    ["#", "x", "+/y", "x/#", "+/+/+", "$x/#", "$share/g/x/#", "$share/g/#", "$share/h/+/y", "y/+"];

/// What is left of the bytes; zeros after their end.
pub(super) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.0.split_off_first().copied().unwrap_or(0)
    }

    fn choose<T: Copy>(&mut self, of: &[T]) -> T {
        let at = usize::from(self.byte()) % of.len().max(1);
        *of.get(at).or_else(|| of.first()).expect("something to choose from")
    }

    /// Seldom true.
    fn seldom(&mut self) -> bool {
        self.byte() > 200
    }

    fn qos(&mut self) -> QoS {
        self.choose(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }

    /// A few, so that they meet.
    fn id(&mut self) -> PacketId {
        PacketId::new(u16::from(self.byte() % 5) + 1).expect("not zero")
    }

    fn payload(&mut self) -> Bytes {
        let length = self.choose(&[0, 8, 10, 200, 5000]);
        Bytes::from(vec![b'p'; length])
    }

    pub(super) fn time(&mut self) -> Duration {
        Duration::from_millis(self.choose(&[1, 100, 1_000, 5_000, 20_000, 4_000_000]))
    }

    pub(super) fn raw(&mut self) -> Vec<u8> {
        let length = usize::from(self.byte()).min(self.0.len());
        self.0.split_off(..length).unwrap_or_default().to_vec()
    }

    /// Changes, removes or adds something in a few places.
    pub(super) fn damage(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.byte() % 3 {
            let at = (usize::from(self.byte()) << 8 | usize::from(self.byte())) % bytes.len().max(1);
            let (how, value) = (self.byte(), self.byte());
            match how % 4 {
                0 => bytes.insert(at, value),
                1 if at < bytes.len() => drop(bytes.remove(at)),
                2 => bytes.truncate(at.max(1)),
                _ => {
                    if let Some(byte) = bytes.get_mut(at) {
                        *byte = value;
                    }
                }
            }
        }
    }

    pub(super) fn connect(&mut self) -> Connect {
        let version = self.choose(&[Version::V5, Version::V3_1_1]);
        let mut connect = clean(self.choose(&CLIENT_IDS), version);
        connect.clean_start = self.byte() & 1 == 0;
        connect.keep_alive = self.choose(&[0, 1, 10, 60]);
        if self.seldom() {
            let mut message = Message::new(self.topic(), self.payload());
            if version.is_v5() {
                message.properties = Some(Box::new(self.message_properties()));
            }
            let delay_interval = if version.is_v5() { self.choose(&[0, 1, 30]) } else { 0 };
            let (qos, retain) = (self.qos(), self.seldom());
            connect.will = Some(Box::new(Will { message, qos, retain, delay_interval }));
        }
        if version.is_v5() {
            connect.properties = ConnectProperties {
                session_expiry_interval: self.choose(&[None, Some(0), Some(1), Some(1000), Some(u32::MAX)]),
                receive_maximum: NonZeroU16::new(self.choose(&[0, 0, 1, 2, 100])),
                maximum_packet_size: NonZeroU32::new(self.choose(&[0, 0, 0, 20, 300])),
                topic_alias_maximum: self.choose(&[None, Some(0), Some(2)]),
                request_problem_information: self.choose(&[None, None, Some(false), Some(true)]),
                authentication_method: self.seldom().then(|| "method".into()).filter(|_| self.seldom()),
                ..ConnectProperties::default()
            };
        }
        connect
    }

    fn topic(&mut self) -> TopicName {
        let text = self.choose(&TOPICS);
        TopicName::try_from(if text.is_empty() { "x" } else { text }).expect("a topic")
    }

    fn message_properties(&mut self) -> MessageProperties {
        MessageProperties {
            message_expiry_interval: self.choose(&[None, None, Some(0), Some(1), Some(100)]),
            ..MessageProperties::default()
        }
    }

    fn ack(&mut self, version: Version) -> Ack {
        let refused = version.is_v5() && self.seldom();
        Ack::new(self.id(), if refused { ReasonCode::UnspecifiedError } else { ReasonCode::Success })
    }

    /// A packet that can be encoded, of a client or, seldom, of a server.
    pub(super) fn packet(&mut self, version: Version) -> Packet {
        match self.byte() % 32 {
            0..=11 => self.publish(version),
            12..=17 => self.subscribe(version),
            18..=19 => {
                let filters = vec![SubscriptionFilter::try_from(self.choose(&FILTERS)).expect("a filter")];
                Packet::Unsubscribe(Unsubscribe { packet_id: self.id(), user_properties: Vec::new(), filters })
            }
            20..=21 => Packet::PubAck(self.ack(version)),
            22..=23 => Packet::PubRec(self.ack(version)),
            24..=25 => Packet::PubRel(Ack::new(self.id(), ReasonCode::Success)),
            26 => Packet::PubComp(Ack::new(self.id(), ReasonCode::Success)),
            27..=28 => Packet::PingReq,
            29 => {
                let session_expiry_interval =
                    if version.is_v5() { self.choose(&[None, Some(0), Some(1), Some(1000)]) } else { None };
                let reason = if version.is_v5() && self.seldom() {
                    ReasonCode::DisconnectWithWillMessage
                } else {
                    ReasonCode::NORMAL_DISCONNECTION
                };
                let properties = DisconnectProperties { session_expiry_interval, ..DisconnectProperties::default() };
                Packet::Disconnect(Disconnect { reason, properties })
            }
            30 if version.is_v5() => Packet::Auth(Box::new(Auth {
                reason: ReasonCode::ReAuthenticate,
                properties: AuthProperties::default(),
            })),
            30 => Packet::PingResp,
            _ => Packet::Connect(Box::new(Connect { version, ..clean(CLIENT_IDS[0], version) })),
        }
    }

    fn publish(&mut self, version: Version) -> Packet {
        let qos = self.qos();
        let alias = if version.is_v5() { NonZeroU16::new(self.choose(&[0, 0, 0, 1, 2, 60])) } else { None };
        let topic = (alias.is_none() || self.byte() & 1 == 0).then(|| self.topic());
        let properties = version.is_v5().then(|| Box::new(self.message_properties()));
        Packet::Publish(Publish {
            dup: qos != QoS::AtMostOnce && self.seldom(),
            qos,
            retain: self.seldom(),
            packet_id: (qos != QoS::AtMostOnce).then(|| self.id()),
            topic,
            topic_alias: alias,
            subscription_identifiers: [].into_iter().collect(),
            payload: self.payload(),
            properties,
        })
    }

    fn subscribe(&mut self, version: Version) -> Packet {
        let mut filters = Vec::new();
        for _ in 0..=self.byte() % 3 {
            let text = self.choose(&FILTERS);
            let mut options = SubscribeOptions { qos: self.qos(), ..SubscribeOptions::default() };
            if version.is_v5() {
                options.no_local = self.seldom() && !text.starts_with("$share");
                options.retain_as_published = self.seldom();
                options.retain_handling =
                    self.choose(&[RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
            }
            filters.push(SubscribeFilter { filter: SubscriptionFilter::try_from(text).expect("a filter"), options });
        }
        let identifier = if version.is_v5() { NonZeroU32::new(self.choose(&[0, 0, 1, 7])) } else { None };
        Packet::Subscribe(Subscribe {
            packet_id: self.id(),
            subscription_identifier: identifier,
            user_properties: Vec::new(),
            filters,
        })
    }
}

/// A CONNECT with a clean start that nothing is left of.
pub(super) fn clean(client_id: &str, version: Version) -> Connect {
    Connect {
        version,
        clean_start: true,
        keep_alive: 0,
        client_id: client_id.into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    }
}

/// The bytes of a packet; none of one that cannot be encoded.
pub(super) fn encoded(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    let _ = codec::encode(packet, version, None, &mut bytes);
    bytes.to_vec()
}
