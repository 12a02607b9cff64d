//! A broker that misbehaves as it is told.

use std::num::{NonZeroU16, NonZeroU32};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_proto::codec::{self, Decoder};
use gridmq_proto::packet::{
    Ack, AckProperties, ConnAck, ConnAckProperties, Connect, Disconnect, DisconnectProperties, Publish, SubAck,
    Subscribe, UnsubAck,
};
use gridmq_proto::{Packet, QoS, ReasonCode, Version};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// One thing that the broker does.
#[derive(Debug, Clone)]
pub enum Act {
    /// Sends a packet.
    Send(Packet),
    /// Sends bytes that are no packet.
    Raw(Vec<u8>),
    /// Waits.
    Wait(Duration),
    /// Ends the connection.
    Close,
    /// Ends it with a DISCONNECT of that reason, of which MQTT 3.1.1 sees only the end.
    Refuse(ReasonCode),
}

type On<T> = Arc<dyn Fn(&T) -> Vec<Act> + Send + Sync>;

/// What the broker answers. It begins as one that lets everybody in and delivers everything.
#[derive(Clone)]
#[must_use]
pub struct Script {
    connect: On<Connect>,
    publish: On<Publish>,
    subscribe: On<Subscribe>,
    malformed: ReasonCode,
    delivers: bool,
}

impl std::fmt::Debug for Script {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Script").field("delivers", &self.delivers).finish_non_exhaustive()
    }
}

/// A CONNACK of that reason.
#[must_use]
pub fn connack(reason: ReasonCode, properties: ConnAckProperties) -> Act {
    Act::Send(Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties })))
}

/// A DISCONNECT of that reason.
#[must_use]
pub fn disconnect(reason: ReasonCode) -> Act {
    Act::Send(Packet::Disconnect(Disconnect { reason, properties: DisconnectProperties::default() }))
}

impl Default for Script {
    fn default() -> Self {
        Self {
            connect: Arc::new(|_| vec![connack(ReasonCode::Success, ConnAckProperties::default())]),
            publish: Arc::new(|publish| puback(publish, ReasonCode::Success)),
            subscribe: Arc::new(|subscribe| suback(subscribe, None)),
            malformed: ReasonCode::MalformedPacket,
            delivers: true,
        }
    }
}

fn puback(publish: &Publish, reason: ReasonCode) -> Vec<Act> {
    let id = publish.packet_id;
    let ack = |id| {
        if publish.qos == QoS::ExactlyOnce {
            Packet::PubRec(Ack::new(id, reason))
        } else {
            Packet::PubAck(Ack::new(id, reason))
        }
    };
    id.map(|id| Act::Send(ack(id))).into_iter().collect()
}

fn suback(subscribe: &Subscribe, reason: Option<ReasonCode>) -> Vec<Act> {
    let granted = |qos| match qos {
        QoS::AtMostOnce => ReasonCode::Success,
        QoS::AtLeastOnce => ReasonCode::GrantedQos1,
        QoS::ExactlyOnce => ReasonCode::GrantedQos2,
    };
    let reasons = subscribe.filters.iter().map(|filter| reason.unwrap_or_else(|| granted(filter.options.qos)));
    let ack =
        SubAck { packet_id: subscribe.packet_id, properties: AckProperties::default(), reasons: reasons.collect() };
    vec![Act::Send(Packet::SubAck(ack))]
}

impl Script {
    /// Answers CONNECT so.
    pub fn on_connect(mut self, answer: impl Fn(&Connect) -> Vec<Act> + Send + Sync + 'static) -> Self {
        self.connect = Arc::new(answer);
        self
    }

    /// Answers PUBLISH so.
    pub fn on_publish(mut self, answer: impl Fn(&Publish) -> Vec<Act> + Send + Sync + 'static) -> Self {
        self.publish = Arc::new(answer);
        self
    }

    /// Answers SUBSCRIBE so.
    pub fn on_subscribe(mut self, answer: impl Fn(&Subscribe) -> Vec<Act> + Send + Sync + 'static) -> Self {
        self.subscribe = Arc::new(answer);
        self
    }

    /// Closes instead of answering CONNECT.
    pub fn closing() -> Self {
        Self::default().on_connect(|_| vec![Act::Close])
    }

    /// Does not answer CONNECT.
    pub fn silent() -> Self {
        Self::default().on_connect(|_| vec![Act::Wait(super::FOREVER)])
    }

    /// Answers CONNECT with these bytes and closes.
    pub fn raw(bytes: &'static [u8]) -> Self {
        Self::default().on_connect(|_| vec![Act::Raw(bytes.to_vec()), Act::Close])
    }

    /// Refuses every CONNECT with this reason, in the words of the client's version.
    pub fn refusing(reason: ReasonCode) -> Self {
        Self::default().on_connect(move |_| vec![connack(reason, ConnAckProperties::default()), Act::Close])
    }

    /// Lets clients in with these properties.
    pub fn limits(properties: ConnAckProperties) -> Self {
        Self::default().on_connect(move |connect| {
            let properties =
                if connect.version == Version::V5 { properties.clone() } else { ConnAckProperties::default() };
            vec![connack(ReasonCode::Success, properties)]
        })
    }

    /// Acknowledges every publish with this reason and delivers none.
    pub fn denying_publish(reason: ReasonCode) -> Self {
        Self { delivers: false, ..Self::default().on_publish(move |publish| puback(publish, reason)) }
    }

    /// Acknowledges every publish that is larger than `limit` by ending the connection.
    pub fn ending_on_publish(wrong: impl Fn(&Publish) -> bool + Send + Sync + 'static, reason: ReasonCode) -> Self {
        Self::default().on_publish(move |publish| match wrong(publish) {
            true => vec![Act::Refuse(reason)],
            false => puback(publish, ReasonCode::Success),
        })
    }

    /// Grants every subscription and delivers nothing.
    pub fn grants_and_forgets() -> Self {
        Self { delivers: false, ..Self::default() }
    }

    /// Refuses every subscription with this reason.
    pub fn denying_subscribe(reason: ReasonCode) -> Self {
        Self { delivers: false, ..Self::default().on_subscribe(move |subscribe| suback(subscribe, Some(reason))) }
    }

    /// What Event Grid documents: QoS 1, no retained messages, 1160 s, 512 KiB, ten aliases; violations end the
    /// connection.
    pub fn event_grid() -> Self {
        Self::default()
            .on_connect(|connect| {
                if !connect.properties.user_properties.is_empty() {
                    return vec![Act::Close];
                }
                let refuse = |reason| match connect.version {
                    Version::V5 => vec![connack(reason, ConnAckProperties::default()), Act::Close],
                    Version::V3_1 | Version::V3_1_1 => vec![Act::Close],
                };
                match connect.will.as_deref() {
                    Some(will) if will.retain => refuse(ReasonCode::RetainNotSupported),
                    Some(will) if will.qos == QoS::ExactlyOnce => refuse(ReasonCode::QosNotSupported),
                    _ if connect.version == Version::V5 => vec![connack(ReasonCode::Success, event_grid_limits())],
                    _ => vec![connack(ReasonCode::Success, ConnAckProperties::default())],
                }
            })
            .on_publish(|publish| {
                let wrong = match publish {
                    publish if publish.qos == QoS::ExactlyOnce => Some(ReasonCode::QosNotSupported),
                    publish if publish.retain => Some(ReasonCode::RetainNotSupported),
                    publish if publish.payload.len() > 512 << 10 => Some(ReasonCode::PacketTooLarge),
                    publish if publish.topic_alias.is_some_and(|alias| alias.get() > 10) => {
                        Some(ReasonCode::TopicAliasInvalid)
                    }
                    _ => None,
                };
                wrong.map_or_else(|| puback(publish, ReasonCode::Success), |reason| vec![Act::Refuse(reason)])
            })
    }
}

/// The CONNACK properties of [`Script::event_grid`].
#[must_use]
pub fn event_grid_limits() -> ConnAckProperties {
    ConnAckProperties {
        maximum_qos: Some(QoS::AtLeastOnce),
        retain_available: Some(false),
        server_keep_alive: Some(1160),
        maximum_packet_size: NonZeroU32::new(512 << 10),
        topic_alias_maximum: Some(10),
        receive_maximum: NonZeroU16::new(16),
        ..ConnAckProperties::default()
    }
}

/// Follows the script on one connection until one side ends it.
pub(super) async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin + Send, script: &Script) {
    let mut decoder = Decoder::for_server(1 << 20);
    let (mut received, mut version, mut filters) = (BytesMut::new(), Version::V5, Vec::new());
    let mut connected = false;
    loop {
        let packet = match decoder.decode(&mut received) {
            Ok(Some(packet)) => packet,
            Ok(None) => match stream.read_buf(&mut received).await {
                Ok(1..) => continue,
                _ => return,
            },
            Err(_) => {
                if connected {
                    act(&mut stream, Act::Refuse(script.malformed), version).await;
                }
                return end(&mut stream).await;
            }
        };
        let mut acts = match &packet {
            Packet::Connect(connect) if !connected => {
                version = connect.version;
                connected = true;
                (script.connect)(connect)
            }
            _ if !connected => vec![Act::Close],
            Packet::Connect(_) => vec![Act::Refuse(ReasonCode::ProtocolError)],
            Packet::Publish(publish) => (script.publish)(publish),
            Packet::PubRel(ack) => vec![Act::Send(Packet::PubComp(Ack::new(ack.packet_id, ReasonCode::Success)))],
            Packet::Subscribe(subscribe) => {
                filters.extend(subscribe.filters.iter().map(|filter| filter.filter.to_string()));
                (script.subscribe)(subscribe)
            }
            Packet::Unsubscribe(unsubscribe) => {
                let reasons = vec![ReasonCode::Success; unsubscribe.filters.len()];
                let properties = AckProperties::default();
                let reasons = if version == Version::V5 { reasons } else { Vec::new() };
                vec![Act::Send(Packet::UnsubAck(UnsubAck { packet_id: unsubscribe.packet_id, properties, reasons }))]
            }
            Packet::PingReq => vec![Act::Send(Packet::PingResp)],
            Packet::Disconnect(_) => return end(&mut stream).await,
            _ => Vec::new(),
        };
        if let Packet::Publish(publish) = packet
            && script.delivers
            && !acts.iter().any(|act| matches!(act, Act::Close | Act::Refuse(_)))
            && publish.topic.as_ref().is_some_and(|topic| {
                filters.iter().any(|filter| *filter == *topic.to_string() || filter.ends_with('#'))
            })
        {
            acts.push(Act::Send(Packet::Publish(Publish {
                qos: QoS::AtMostOnce,
                packet_id: None,
                topic_alias: None,
                retain: false,
                dup: false,
                ..publish
            })));
        }
        for next in acts {
            if !act(&mut stream, next, version).await {
                return end(&mut stream).await;
            }
        }
    }
}

/// Does one thing; false: the connection is to end.
async fn act(stream: &mut (impl AsyncWrite + Unpin), act: Act, version: Version) -> bool {
    let bytes = match act {
        Act::Send(packet) => encoded(&packet, version),
        Act::Raw(bytes) => bytes,
        Act::Wait(time) => {
            tokio::time::sleep(time).await;
            return true;
        }
        Act::Close => return false,
        Act::Refuse(reason) => {
            if version == Version::V5 {
                let Act::Send(packet) = disconnect(reason) else { return false };
                stream.write_all(&encoded(&packet, version)).await.ok();
                stream.flush().await.ok();
            }
            return false;
        }
    };
    stream.write_all(&bytes).await.is_ok() && stream.flush().await.is_ok()
}

fn encoded(packet: &Packet, version: Version) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    codec::encode(packet, version, None, &mut bytes).expect("a packet that can be sent");
    bytes.to_vec()
}

/// Ends the sending side and reads a while: unread bytes would turn the end into a reset.
async fn end(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    stream.shutdown().await.ok();
    let mut space = vec![0; 16 << 10];
    let reading = async { while stream.read(&mut space).await.is_ok_and(|read| read > 0) {} };
    tokio::time::timeout(Duration::from_secs(2), reading).await.ok();
}
