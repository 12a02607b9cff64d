//! A server that does what its test tells it to, packet by packet.
#![allow(dead_code, reason = "each test uses its part")]

use std::time::Duration;

use bytes::BytesMut;
use gridmq_client::{Client, Options, Version};
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::packet::{
    Ack, AckProperties, ConnAck, ConnAckProperties, Connect, Packet, Publish, SubAck, Subscribe, UnsubAck,
};
use gridmq_proto::{PacketId, QoS, ReasonCode};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream};

pub(crate) struct Peer<IO> {
    pub(crate) io: IO,
    version: Version,
    decoder: Decoder,
    incoming: BytesMut,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Peer<IO> {
    pub(crate) fn new(io: IO, version: Version) -> Self {
        Self { io, version, decoder: Decoder::for_server(1 << 20), incoming: BytesMut::new() }
    }

    /// The next packet; `None` when the client has closed.
    pub(crate) async fn next(&mut self) -> Option<Packet> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.incoming).expect("valid MQTT") {
                return Some(packet);
            }
            if self.io.read_buf(&mut self.incoming).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next packet, which must come.
    pub(crate) async fn packet(&mut self) -> Packet {
        self.next().await.expect("a packet")
    }

    /// Nothing comes for a while.
    pub(crate) async fn silence(&mut self) {
        let came = tokio::time::timeout(Duration::from_millis(50), self.next()).await;
        assert!(came.is_err(), "{came:?}");
    }

    pub(crate) async fn send(&mut self, packet: Packet) {
        let mut bytes = BytesMut::new();
        encode(&packet, self.version, None, &mut bytes).expect("encodable");
        self.io.write_all(&bytes).await.expect("written");
        self.io.flush().await.expect("written");
    }

    /// Sends bytes as they are; a client that has closed already is no failure.
    pub(crate) async fn raw(&mut self, bytes: &[u8]) {
        if self.io.write_all(bytes).await.is_ok() {
            self.io.flush().await.ok();
        }
    }

    pub(crate) async fn acknowledge(&mut self, id: PacketId) {
        self.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
    }

    pub(crate) async fn connect(&mut self) -> Connect {
        match self.packet().await {
            Packet::Connect(connect) => *connect,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn accept(&mut self, session_present: bool, properties: ConnAckProperties) -> Connect {
        let connect = self.connect().await;
        let ack = ConnAck { session_present, reason: ReasonCode::Success, properties };
        self.send(Packet::ConnAck(Box::new(ack))).await;
        connect
    }

    pub(crate) async fn publish(&mut self) -> Publish {
        match self.packet().await {
            Packet::Publish(publish) => publish,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn puback(&mut self) -> Ack {
        match self.packet().await {
            Packet::PubAck(ack) => ack,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) async fn subscribe(&mut self) -> Subscribe {
        match self.packet().await {
            Packet::Subscribe(subscribe) => subscribe,
            other => panic!("{other:?}"),
        }
    }

    /// Takes a SUBSCRIBE and answers it.
    pub(crate) async fn grant(&mut self, reason: ReasonCode) -> Subscribe {
        let subscribe = self.subscribe().await;
        let ack =
            SubAck { packet_id: subscribe.packet_id, properties: AckProperties::default(), reasons: vec![reason] };
        self.send(Packet::SubAck(ack)).await;
        subscribe
    }

    /// Takes an UNSUBSCRIBE and answers it; gives its filter.
    pub(crate) async fn release(&mut self) -> String {
        match self.packet().await {
            Packet::Unsubscribe(unsubscribe) => {
                let reasons = if self.version.is_v5() { vec![ReasonCode::Success] } else { Vec::new() };
                let properties = AckProperties::default();
                self.send(Packet::UnsubAck(UnsubAck { packet_id: unsubscribe.packet_id, properties, reasons })).await;
                unsubscribe.filters[0].as_str().to_owned()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Sends a message; at QoS 1 and 2 with that identifier.
    pub(crate) async fn deliver(&mut self, topic: &str, payload: &str, qos: QoS, id: u16) {
        self.send(Packet::Publish(message(topic, payload, qos, id))).await;
    }

    /// Closes, and waits until the client has too.
    pub(crate) async fn hang_up(mut self) {
        self.io.shutdown().await.ok();
        while self.next().await.is_some() {}
    }
}

pub(crate) fn message(topic: &str, payload: &str, qos: QoS, id: u16) -> Publish {
    Publish {
        dup: false,
        qos,
        retain: false,
        packet_id: PacketId::new(id).filter(|_| qos != QoS::AtMostOnce),
        topic: Some(topic.try_into().unwrap()),
        topic_alias: None,
        subscription_identifiers: <_>::default(),
        payload: payload.to_owned().into(),
        properties: None,
    }
}

/// A client that is about to connect over memory, and the server at the other end.
pub(crate) fn pair(version: Version) -> (impl FnOnce(Options) -> Connecting, Peer<DuplexStream>) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    let connect = move |builder: Options| Box::pin(builder.version(version).connect_over(near)) as Connecting;
    (connect, Peer::new(far, version))
}

pub(crate) type Connecting =
    std::pin::Pin<Box<dyn Future<Output = Result<Client, gridmq_client::ConnectError>> + Send>>;

pub(crate) fn builder() -> Options {
    Client::builder("mqtt://memory").client_id("tester")
}

/// A connected client and its server.
pub(crate) async fn connected(version: Version) -> (Client, Peer<DuplexStream>) {
    connected_with(version, builder(), ConnAckProperties::default()).await
}

pub(crate) async fn connected_with(
    version: Version,
    builder: Options,
    properties: ConnAckProperties,
) -> (Client, Peer<DuplexStream>) {
    let (connect, mut server) = pair(version);
    let (client, _) = tokio::join!(connect(builder), server.accept(false, properties));
    (client.expect("connected"), server)
}

/// The bytes of a packet.
pub(crate) fn bytes_of(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    encode(packet, version, None, &mut bytes).expect("encodable");
    bytes.to_vec()
}

/// What does not end within an hour of the test's clock hangs.
pub(crate) fn bounded<'a, T>(
    what: &'a str,
    future: impl Future<Output = T> + 'a,
) -> std::pin::Pin<Box<dyn Future<Output = T> + 'a>> {
    Box::pin(async move {
        match tokio::time::timeout(Duration::from_secs(3600), future).await {
            Ok(output) => output,
            Err(_) => panic!("{what} hangs"),
        }
    })
}

/// Waits for the client's end and gives its cause.
pub(crate) async fn over(client: &Client) -> gridmq_client::DisconnectCause {
    let mut state = client.state();
    bounded("the connection", state.wait_for(|state| matches!(state, gridmq_client::ConnectionState::Disconnected(_))))
        .await
        .expect("the driver tells");
    client.disconnected().expect("over")
}

/// What happens from now on: whoever asks first gets what has happened too.
pub(crate) fn events_from_now(client: &Client) -> gridmq_client::Events {
    drop(client.events());
    client.events()
}
