//! A client for tests that says and shows every packet: nothing is answered, sent again or hidden by itself.
//!
//! What fails, fails the test: a packet that does not come within [`PATIENCE`], a connection that ends when a packet
//! is due, and anything that the standard does not let a server send.

mod barrier;
mod packets;

use std::collections::VecDeque;
use std::fmt;
use std::future::Future;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use gridmq_proto::codec::{self, Decoder};
use gridmq_proto::packet::{Ack, ConnAck, Connect, PacketType, Publish, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_tls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;

pub use barrier::Barrier;
pub use packets::{connect, filter, message, payload_of, subscribe, topic_of, unsubscribe};

/// How long a packet, or the end of a connection, may let itself be waited for.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The largest packet that is read.
const MAXIMUM_PACKET_SIZE: u32 = 4 << 20;

trait Transport: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Transport for T {}

/// A connection.
pub struct Wire {
    transport: Box<dyn Transport>,
    decoder: Decoder,
    received: BytesMut,
    /// Decoded while something else was looked for.
    waiting: VecDeque<Packet>,
    version: Version,
    last_id: u16,
}

impl Wire {
    /// Connects over TCP. Nothing is sent yet; MQTT 5.0 is spoken until [`Self::send`] sends another CONNECT.
    pub async fn connect(address: SocketAddr) -> Self {
        let tcp = within("a TCP connection", TcpStream::connect(address)).await.expect("a TCP connection");
        tcp.set_nodelay(true).expect("no delay");
        Self::over(tcp)
    }

    /// Connects over TLS to `name`. Nothing is sent yet.
    pub async fn connect_tls(address: SocketAddr, name: &str, config: &ClientConfig) -> Self {
        let tcp = within("a TCP connection", TcpStream::connect(address)).await.expect("a TCP connection");
        tcp.set_nodelay(true).expect("no delay");
        let (tls, _) =
            within("a handshake", gridmq_tls::stream::connect(tcp, name, config)).await.expect("a handshake");
        Self::over(tls)
    }

    /// Speaks over what is connected already. Nothing is sent yet.
    pub fn over(transport: impl AsyncRead + AsyncWrite + Send + Unpin + 'static) -> Self {
        Self {
            transport: Box::new(transport),
            decoder: Decoder::for_client(Version::V5, MAXIMUM_PACKET_SIZE),
            received: BytesMut::new(),
            waiting: VecDeque::new(),
            version: Version::V5,
            last_id: 0,
        }
    }

    /// Connects and sends a CONNECT: clean start, no keep-alive, and what `adjust` makes of it.
    pub async fn open(
        address: SocketAddr,
        client_id: &str,
        version: Version,
        adjust: impl FnOnce(&mut Connect),
    ) -> (Self, ConnAck) {
        Self::connect(address).await.introduce(client_id, version, adjust).await
    }

    /// As [`Self::open`], on a connection that is there.
    pub async fn introduce(
        mut self,
        client_id: &str,
        version: Version,
        adjust: impl FnOnce(&mut Connect),
    ) -> (Self, ConnAck) {
        let mut packet = connect(client_id, version);
        adjust(&mut packet);
        self.send(packet).await;
        let ack = self.connack().await;
        (self, ack)
    }

    /// Connects with a clean start; the client must be let in.
    pub async fn join(address: SocketAddr, client_id: &str, version: Version) -> Self {
        let (wire, ack) = Self::open(address, client_id, version, |_| ()).await;
        assert_eq!(ack.reason, ReasonCode::Success, "{client_id}");
        wire
    }

    /// Connects without a clean start, to a session that lasts for an hour. Answers whether it was present.
    pub async fn resume(address: SocketAddr, client_id: &str, version: Version) -> (Self, bool) {
        let (wire, ack) = Self::open(address, client_id, version, lasting).await;
        assert_eq!(ack.reason, ReasonCode::Success, "{client_id}");
        (wire, ack.session_present)
    }

    /// The version of the last CONNECT.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.version
    }

    /// An identifier that was not used before.
    pub fn packet_id(&mut self) -> PacketId {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        PacketId::new(self.last_id).expect("not zero")
    }

    /// Sends a packet.
    pub async fn send(&mut self, packet: impl Into<Sendable>) {
        let Sendable(packet) = packet.into();
        if let Packet::Connect(connect) = &packet {
            self.version = connect.version;
            self.decoder = Decoder::for_client(connect.version, MAXIMUM_PACKET_SIZE);
        }
        self.send_raw(&encoded(&packet, self.version)).await;
    }

    /// Sends bytes. A peer that has closed is no failure: what it said before can still be read.
    pub async fn send_raw(&mut self, bytes: &[u8]) {
        let write = async {
            self.transport.write_all(bytes).await?;
            self.transport.flush().await
        };
        let _ = within("room to write", write).await;
    }

    /// The next packet; `None`: the connection has ended.
    pub async fn next(&mut self) -> Option<Packet> {
        match self.waiting.pop_front() {
            Some(packet) => Some(packet),
            None => within("a packet or the end of the connection", self.read()).await,
        }
    }

    /// The next packet if it comes within `patience`. For what should not come; prefer a [`Barrier`].
    pub async fn next_within(&mut self, patience: Duration) -> Option<Packet> {
        match self.waiting.pop_front() {
            Some(packet) => Some(packet),
            None => tokio::time::timeout(patience, self.read()).await.ok().flatten(),
        }
    }

    async fn read(&mut self) -> Option<Packet> {
        loop {
            match self.decoder.decode(&mut self.received) {
                Ok(Some(packet)) => return Some(packet),
                Ok(None) => {}
                Err(violation) => panic!("the server broke the protocol: {violation}"),
            }
            match self.transport.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next packet.
    pub async fn recv(&mut self) -> Packet {
        self.next().await.expect("a packet, but the connection has ended")
    }

    /// The first packet that is `wanted`; others stay for later.
    pub async fn recv_where(&mut self, what: &str, wanted: impl Fn(&Packet) -> bool) -> Packet {
        if let Some(found) = self.waiting.iter().position(&wanted) {
            return self.waiting.remove(found).expect("it is there");
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match tokio::time::timeout(left, self.read()).await {
                Ok(Some(packet)) if wanted(&packet) => return packet,
                Ok(Some(packet)) => self.waiting.push_back(packet),
                Ok(None) => panic!("the connection ended before {what}; received: {:?}", self.waiting),
                Err(_) => panic!("{what} did not come; received: {:?}", self.waiting),
            }
        }
    }

    /// The next packet, which is a CONNACK.
    pub async fn connack(&mut self) -> ConnAck {
        match self.recv().await {
            Packet::ConnAck(ack) => *ack,
            other => panic!("not a CONNACK: {other:?}"),
        }
    }

    /// The next packet, which is a PUBLISH. It is not acknowledged.
    pub async fn recv_publish(&mut self) -> Publish {
        match self.recv().await {
            Packet::Publish(publish) => publish,
            other => panic!("not a PUBLISH: {other:?}"),
        }
    }

    /// The next packet, which is a PUBLISH, and which is acknowledged as its QoS wants it.
    pub async fn take(&mut self) -> Publish {
        let publish = self.recv_publish().await;
        self.acknowledge(&publish).await;
        publish
    }

    /// As many messages as that, acknowledged; their payloads as text.
    pub async fn take_payloads(&mut self, count: usize) -> Vec<String> {
        let mut payloads = Vec::with_capacity(count);
        for _ in 0..count {
            payloads.push(payload_of(&self.take().await));
        }
        payloads
    }

    /// Acknowledges a PUBLISH: PUBACK, or PUBREC and, after PUBREL, PUBCOMP.
    pub async fn acknowledge(&mut self, publish: &Publish) {
        let Some(id) = publish.packet_id else { return };
        if publish.qos == QoS::AtLeastOnce {
            return self.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
        }
        self.send(Packet::PubRec(Ack::new(id, ReasonCode::Success))).await;
        self.recv_where("PUBREL", |packet| matches!(packet, Packet::PubRel(ack) if ack.packet_id == id)).await;
        self.send(Packet::PubComp(Ack::new(id, ReasonCode::Success))).await;
    }

    /// Sends a PUBLISH, with an identifier if it needs one and has none. Waits for nothing.
    pub async fn send_publish(&mut self, mut publish: Publish) -> Option<PacketId> {
        if publish.qos != QoS::AtMostOnce && publish.packet_id.is_none() {
            publish.packet_id = Some(self.packet_id());
        }
        let id = publish.packet_id;
        self.send(Packet::Publish(publish)).await;
        id
    }

    /// Publishes and waits for PUBACK, or for PUBREC and PUBCOMP. Answers the reason of the first of them.
    pub async fn deliver(&mut self, publish: Publish) -> ReasonCode {
        let qos = publish.qos;
        match self.send_publish(publish).await {
            None => ReasonCode::Success,
            Some(id) if qos == QoS::AtLeastOnce => self.ack(PacketType::PubAck, id).await.reason,
            Some(id) => {
                let received = self.ack(PacketType::PubRec, id).await;
                if !received.reason.is_failure() {
                    self.send(Packet::PubRel(Ack::new(id, ReasonCode::Success))).await;
                    assert_eq!(self.ack(PacketType::PubComp, id).await.reason, ReasonCode::Success);
                }
                received.reason
            }
        }
    }

    /// [`Self::deliver`] of a plain message.
    pub async fn publish(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: QoS) -> ReasonCode {
        self.deliver(message(topic, payload, qos)).await
    }

    /// [`Self::deliver`] of a message to be retained.
    pub async fn retain(&mut self, topic: &str, payload: impl AsRef<[u8]>, qos: QoS) -> ReasonCode {
        self.deliver(Publish { retain: true, ..message(topic, payload, qos) }).await
    }

    /// Waits for the acknowledgement of that type and identifier; other packets stay for later.
    pub async fn ack(&mut self, packet: PacketType, id: PacketId) -> Ack {
        let found =
            self.recv_where(packet.name(), |found| found.packet_type() == packet && id_of(found) == Some(id)).await;
        match found {
            Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => ack,
            other => panic!("not an acknowledgement: {other:?}"),
        }
    }

    /// Subscribes to one filter; answers the reason.
    pub async fn subscribe(&mut self, filter: &str, qos: QoS) -> ReasonCode {
        self.subscribe_with(&[(filter, SubscribeOptions { qos, ..SubscribeOptions::default() })], None).await[0]
    }

    /// Subscribes; answers the reasons, one per filter.
    pub async fn subscribe_with(
        &mut self,
        filters: &[(&str, SubscribeOptions)],
        identifier: Option<u32>,
    ) -> Vec<ReasonCode> {
        let id = self.packet_id();
        self.send(subscribe(id, filters, identifier)).await;
        match self.recv_where("SUBACK", |packet| matches!(packet, Packet::SubAck(ack) if ack.packet_id == id)).await {
            Packet::SubAck(ack) => ack.reasons,
            _ => Vec::new(),
        }
    }

    /// Gives filters up; answers the reasons, of which MQTT 3.1.1 has none.
    pub async fn unsubscribe(&mut self, filters: &[&str]) -> Vec<ReasonCode> {
        let id = self.packet_id();
        self.send(unsubscribe(id, filters)).await;
        match self.recv_where("UNSUBACK", |packet| matches!(packet, Packet::UnsubAck(ack) if ack.packet_id == id)).await
        {
            Packet::UnsubAck(ack) => ack.reasons,
            _ => Vec::new(),
        }
    }

    /// Sends PINGREQ; answers what came before PINGRESP. What the connection had been given by then is among it.
    pub async fn ping_barrier(&mut self) -> Vec<Packet> {
        self.ping().await;
        self.waiting.drain(..).collect()
    }

    /// Sends PINGREQ and waits for PINGRESP: what was sent before has been handled. Other packets stay for later.
    pub async fn ping(&mut self) {
        self.send(Packet::PingReq).await;
        self.recv_where("PINGRESP", |packet| matches!(packet, Packet::PingResp)).await;
    }

    /// The packets until the connection ends, which it must.
    pub async fn expect_closed(&mut self) -> Vec<Packet> {
        let mut last = Vec::new();
        while let Some(packet) = self.next().await {
            last.push(packet);
        }
        last
    }

    /// The next bytes, whatever they are; none: the connection has ended.
    pub async fn next_raw(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.received);
        if bytes.is_empty() {
            let _ = within("bytes", self.transport.read_buf(&mut bytes)).await;
        }
        bytes.to_vec()
    }

    /// The bytes until the connection ends, whatever they are.
    pub async fn raw_until_closed(&mut self) -> Vec<u8> {
        let mut bytes = std::mem::take(&mut self.received);
        let read = async { while matches!(self.transport.read_buf(&mut bytes).await, Ok(1..)) {} };
        within("the end of the connection", read).await;
        bytes.to_vec()
    }

    /// The next packet is a DISCONNECT, and the last; answers its reason.
    pub async fn expect_disconnect(&mut self) -> ReasonCode {
        match self.recv().await {
            Packet::Disconnect(disconnect) => {
                let after = self.expect_closed().await;
                assert!(after.is_empty(), "after DISCONNECT: {after:?}");
                disconnect.reason
            }
            other => panic!("not a DISCONNECT: {other:?}"),
        }
    }

    /// The server ends the connection: with that DISCONNECT on MQTT 5.0, without one before.
    pub async fn expect_end(&mut self, reason: ReasonCode) {
        if self.version.is_v5() {
            assert_eq!(self.expect_disconnect().await, reason);
        } else {
            let last = self.expect_closed().await;
            assert!(last.is_empty(), "before the end: {last:?}");
        }
    }

    /// Sends DISCONNECT and waits until the server has closed.
    pub async fn leave(mut self) {
        self.leave_with(ReasonCode::NORMAL_DISCONNECTION, None).await;
    }

    /// Sends DISCONNECT with that reason and session expiry, and waits until the server has closed.
    pub async fn leave_with(&mut self, reason: ReasonCode, session_expiry_interval: Option<u32>) {
        self.send(packets::disconnect(reason, session_expiry_interval)).await;
        self.expect_closed().await;
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("version", &self.version).field("waiting", &self.waiting).finish_non_exhaustive()
    }
}

/// What [`Wire::send`] sends.
#[derive(Debug)]
pub struct Sendable(Packet);

impl From<Packet> for Sendable {
    fn from(packet: Packet) -> Self {
        Self(packet)
    }
}

impl From<Publish> for Sendable {
    fn from(publish: Publish) -> Self {
        Self(Packet::Publish(publish))
    }
}

impl From<Connect> for Sendable {
    fn from(packet: Connect) -> Self {
        Self(Packet::Connect(Box::new(packet)))
    }
}

/// Has a CONNECT ask for a session that lasts for an hour, and for what is left of it.
pub fn lasting(connect: &mut Connect) {
    connect.clean_start = false;
    if connect.version.is_v5() {
        connect.properties.session_expiry_interval = Some(3600);
    }
}

/// The bytes of a packet.
#[must_use]
pub fn encoded(packet: &Packet, version: Version) -> BytesMut {
    let mut bytes = BytesMut::new();
    codec::encode(packet, version, None, &mut bytes).expect("a packet that can be encoded");
    bytes
}

/// Waits until `condition` holds, looking often.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "it did not happen that {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(outcome) => outcome,
        Err(_) => panic!("waited {PATIENCE:?} for {what}"),
    }
}

const fn id_of(packet: &Packet) -> Option<PacketId> {
    match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => Some(ack.packet_id),
        _ => None,
    }
}
