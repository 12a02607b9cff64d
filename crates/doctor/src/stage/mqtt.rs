//! MQTT over either transport, one packet at a time.

use std::num::NonZeroU32;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_proto::codec::{self, Decoder};
use gridmq_proto::packet::{Connect, ConnectProperties, Disconnect, DisconnectProperties, Will};
use gridmq_proto::{ByteString, Message, Packet, QoS, ReasonCode, TopicName, Version};
use gridmq_tls::probe::{Probe, Seen};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::shake::{Shape, shake};
use super::{Context, Route, random, tcp, within};

/// The largest packet that a broker may send here.
const MAX_PACKET: u32 = 256 * 1024;
/// How many first bytes of an answer are kept.
const MAX_FIRST: usize = 64;

/// The bytes below.
enum Link {
    Plain(TcpStream),
    Tls(Box<Probe<TcpStream>>),
}

/// A connection on which MQTT is spoken.
pub(crate) struct Mqtt {
    link: Link,
    decoder: Decoder,
    received: BytesMut,
    pub(crate) version: Version,
    first: Vec<u8>,
}

/// What came next.
#[derive(Debug)]
pub(crate) enum Event {
    Packet(Packet),
    /// The connection ended; over TLS, [`Mqtt::seen`] tells how.
    Ended,
    /// What came is no MQTT, or breaks its rules.
    Broken(String),
    /// Nothing came in time.
    Silence,
}

/// Why no connection came about.
#[derive(Debug)]
pub(crate) enum NoLink {
    /// TCP failed.
    Tcp(String),
    /// The handshake did.
    Tls(Box<Seen>),
}

impl Mqtt {
    /// Takes over a handshake that has just been made.
    pub(crate) fn over(probe: Box<Probe<TcpStream>>, early: &[u8]) -> Self {
        let mut mqtt = Self::new(Link::Tls(probe));
        mqtt.take(early);
        mqtt
    }

    fn new(link: Link) -> Self {
        let version = Version::V5;
        let decoder = Decoder::for_client(version, MAX_PACKET);
        Self { link, decoder, received: BytesMut::new(), version, first: Vec::new() }
    }

    /// Opens a connection as the target's scheme wants it.
    pub(crate) async fn open(cx: &Context<'_>, route: Route) -> Result<Self, NoLink> {
        let limit = cx.patience();
        if !cx.target.scheme.is_tls() {
            return match within(limit, tcp::open(route.address, None)).await {
                Some(Ok(io)) => Ok(Self::new(Link::Plain(io))),
                Some(Err(error)) => Err(NoLink::Tcp(error.to_string())),
                None => Err(NoLink::Tcp("no answer".to_owned())),
            };
        }
        let shaken = shake(cx, route, Shape::usual(cx), limit).await;
        if let Some(why) = shaken.no_tcp {
            return Err(NoLink::Tcp(why));
        }
        match shaken.probe {
            Some(probe) => Ok(Self::over(probe, &shaken.early)),
            None => Err(NoLink::Tls(Box::new(shaken.seen))),
        }
    }

    /// What was seen of TLS.
    pub(crate) fn seen(&self) -> Option<Seen> {
        match &self.link {
            Link::Plain(_) => None,
            Link::Tls(probe) => Some(probe.seen()),
        }
    }

    /// The first bytes that came.
    pub(crate) fn first(&self) -> &[u8] {
        &self.first
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = MAX_FIRST.saturating_sub(self.first.len());
        self.first.extend(bytes.iter().take(room));
        self.received.extend_from_slice(bytes);
    }

    /// Sends a packet. A peer that has gone shows when reading.
    pub(crate) async fn send(&mut self, packet: &Packet, limit: Duration) {
        if let Packet::Connect(connect) = packet {
            self.version = connect.version;
            self.decoder = Decoder::for_client(connect.version, MAX_PACKET);
        }
        let mut bytes = BytesMut::new();
        if codec::encode(packet, self.version, None, &mut bytes).is_ok() {
            let _ = within(limit, self.write(&bytes)).await;
        }
    }

    async fn write(&mut self, bytes: &[u8]) {
        match &mut self.link {
            Link::Plain(io) => {
                // What the peer said before it left can still be read.
                let _ = io.write_all(bytes).await;
            }
            Link::Tls(probe) => probe.write(bytes).await,
        }
    }

    /// The next thing that happens within `limit`.
    pub(crate) async fn next(&mut self, limit: Duration) -> Event {
        within(limit, self.read()).await.unwrap_or(Event::Silence)
    }

    async fn read(&mut self) -> Event {
        loop {
            match self.decoder.decode(&mut self.received) {
                Ok(Some(packet)) => return Event::Packet(packet),
                Ok(None) => {}
                Err(violation) => return Event::Broken(violation.to_string()),
            }
            if !self.receive().await {
                return Event::Ended;
            }
        }
    }

    /// Reads what comes next; false at the end.
    async fn receive(&mut self) -> bool {
        let bytes = match &mut self.link {
            Link::Plain(io) => {
                let mut chunk = vec![0; 4096];
                match io.read(&mut chunk).await {
                    Ok(0) | Err(_) => return false,
                    Ok(length) => {
                        chunk.truncate(length);
                        chunk
                    }
                }
            }
            Link::Tls(probe) => match probe.read().await {
                Some(bytes) => bytes,
                None => return false,
            },
        };
        self.take(&bytes);
        true
    }

    /// Leaves as the standard wants it, so that no will is published.
    pub(crate) async fn leave(mut self) {
        let leave = async {
            let disconnect =
                Disconnect { reason: ReasonCode::NORMAL_DISCONNECTION, properties: DisconnectProperties::default() };
            self.send(&Packet::Disconnect(disconnect), Duration::from_secs(1)).await;
            match &mut self.link {
                Link::Plain(io) => {
                    let _ = io.shutdown().await;
                }
                Link::Tls(probe) => probe.close().await,
            }
        };
        let _ = within(Duration::from_secs(1), leave).await;
    }
}

/// The first line of the answer to an HTTP request, if the port answers one.
pub(crate) async fn answers_http(cx: &Context<'_>, route: Route, limit: Duration) -> Option<String> {
    let ask = async {
        let mut link = Mqtt::open(cx, route).await.ok()?;
        let host: String = cx.server_name().chars().filter(char::is_ascii_graphic).take(255).collect();
        link.write(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").as_bytes()).await;
        while link.first.len() < MAX_FIRST && link.receive().await {}
        Some(link.first)
    };
    let first = within(limit, Box::pin(ask)).await??;
    let line = first.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
    first.starts_with(b"HTTP/").then(|| String::from_utf8_lossy(line).into_owned())
}

/// The client identifier of the probe: another one than the application's, unless it is to be taken over.
pub(crate) fn client_id(cx: &Context<'_>) -> String {
    match &cx.options.client_id {
        Some(id) if id.is_empty() || cx.options.take_over => id.clone(),
        Some(id) => format!("{id}-doctor-{:04x}", random() & 0xffff),
        // 23 characters at most, which every broker takes [MQTT-3.1.3-5].
        None => format!("gridmq-doctor-{:08x}", random() & 0xffff_ffff),
    }
}

/// The CONNECT of a probe: a clean start and no expiry, so that nothing stays behind.
pub(crate) fn connect(cx: &Context<'_>, version: Version, client_id: &str) -> Connect {
    let wants = &cx.options.wants;
    let mut properties = ConnectProperties::default();
    if version.is_v5() {
        properties.maximum_packet_size = NonZeroU32::new(MAX_PACKET);
        if cx.options.deep && wants.connect_user_properties {
            properties.user_properties = vec![(ByteString::from("probe"), ByteString::from("doctor"))];
        }
    }
    Connect {
        version,
        clean_start: true,
        keep_alive: wants.keep_alive.unwrap_or(60),
        client_id: client_id.into(),
        username: cx.username().map(ByteString::from),
        password: cx.options.password.as_ref().map(|password| bytes::Bytes::copy_from_slice(password)),
        will: if cx.options.deep { will(cx) } else { None },
        properties,
    }
}

/// The application's will. The probe leaves properly, so that it is never published.
fn will(cx: &Context<'_>) -> Option<Box<Will>> {
    let wanted = cx.options.wants.will.as_ref()?;
    let topic = TopicName::try_from(wanted.topic.as_str()).ok()?;
    let message = Message { topic, payload: bytes::Bytes::new(), properties: None };
    Some(Box::new(Will { message, qos: wanted.qos, retain: wanted.retain, delay_interval: 0 }))
}

/// The QoS in figures.
pub(crate) const fn level(qos: QoS) -> u8 {
    qos as u8
}
