//! Makes a connection ready: CONNECT and CONNACK, SUBSCRIBE and SUBACK.

use std::io;

use bytes::{Bytes, BytesMut};
use gridmq_proto::packet::{
    ConnAck, Connect, ConnectProperties, Packet, RetainHandling, Subscribe, SubscribeFilter, SubscribeOptions,
};
use gridmq_proto::{ByteString, EncodeError, PacketId, ReasonCode, SpecViolation, SubscriptionFilter, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::plan::Plan;
use crate::transport::{Io, OpenError};

/// Filters in one SUBSCRIBE.
const FILTERS: usize = 100;

/// Why a link was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    #[error("the broker closed the connection {0}")]
    Closed(&'static str),
    #[error("the broker refused CONNECT: {reason:#04x} {}{}", .name, .words.as_ref().map(|words| format!(" ({words})")).unwrap_or_default())]
    Refused { reason: u8, name: &'static str, words: Option<ByteString> },
    #[error("the broker refused a subscription: {0:#04x} {1}")]
    NotSubscribed(u8, &'static str),
    #[error("the broker sent something else than {0}")]
    Unexpected(&'static str),
    #[error("the broker broke the standard: {0}")]
    Violation(#[from] SpecViolation),
    #[error(transparent)]
    Encode(#[from] EncodeError),
    #[error(transparent)]
    Topic(#[from] gridmq_proto::topic::TopicError),
    #[error(transparent)]
    Template(#[from] crate::template::TemplateError),
    #[error("the broker did not answer in time")]
    Late,
}

/// A connection that CONNACK has come on.
#[derive(Debug)]
pub(crate) struct Opening {
    pub(crate) io: Io,
    /// What arrived behind the last packet that was waited for.
    pub(crate) rest: BytesMut,
    decoder: codec::Decoder,
}

/// Writes CONNECT, and reads CONNACK.
pub(crate) async fn connect(
    plan: &Plan,
    io: Io,
    client_id: String,
    number: usize,
) -> Result<(Opening, ConnAck), LinkError> {
    let five = plan.version.is_v5();
    let connect = Connect {
        version: plan.version,
        clean_start: plan.connect.clean_start,
        keep_alive: plan.connect.keep_alive,
        client_id: client_id.into(),
        username: plan.connect.username.as_ref().map(|name| name.replace("{i}", &number.to_string()).into()),
        password: plan.connect.password.as_ref().map(|password| Bytes::copy_from_slice(password.as_bytes())),
        will: None,
        properties: ConnectProperties {
            session_expiry_interval: plan.connect.session_expiry.filter(|_| five),
            receive_maximum: plan.connect.receive_maximum.filter(|_| five),
            ..ConnectProperties::default()
        },
    };
    let decoder = codec::Decoder::for_client(plan.version, codec::MAX_PACKET_SIZE);
    let mut opening = Opening { io, rest: BytesMut::new(), decoder };
    opening.write(plan, &Packet::Connect(Box::new(connect))).await?;
    let Packet::ConnAck(ack) = opening.read("before CONNACK").await? else {
        return Err(LinkError::Unexpected("CONNACK"));
    };
    if ack.reason != ReasonCode::Success {
        let words = ack.properties.reason_string;
        return Err(LinkError::Refused { reason: ack.reason.as_u8(), name: ack.reason.name(), words });
    }
    Ok((opening, *ack))
}

impl Opening {
    async fn write(&mut self, plan: &Plan, packet: &Packet) -> Result<(), LinkError> {
        let mut out = BytesMut::new();
        codec::encode(packet, plan.version, None, &mut out)?;
        self.io.write_all(&out).await?;
        self.io.flush().await?;
        Ok(())
    }

    async fn read(&mut self, when: &'static str) -> Result<Packet, LinkError> {
        loop {
            if let Some(packet) = self.decoder.decode(&mut self.rest)? {
                return Ok(packet);
            }
            self.rest.reserve(512);
            if self.io.read_buf(&mut self.rest).await? == 0 {
                return Err(LinkError::Closed(when));
            }
        }
    }

    /// Subscribes to all of them; what is published meanwhile is counted and left.
    pub(crate) async fn subscribe(&mut self, plan: &Plan, filters: &[String]) -> Result<u64, LinkError> {
        let mut foreign = 0;
        for (number, chunk) in filters.chunks(FILTERS).enumerate() {
            let number = u16::try_from(number).unwrap_or(u16::MAX - 1);
            let packet_id = PacketId::MIN.saturating_add(number);
            let one = |text: &String| {
                let filter = SubscriptionFilter::try_from(text.as_str())?;
                // Only 5.0 can say it; what is retained there is not of this run.
                let retain_handling =
                    if plan.version.is_v5() { RetainHandling::DoNotSend } else { RetainHandling::Send };
                let options = SubscribeOptions { qos: plan.subscribe_qos, retain_handling, ..Default::default() };
                Ok(SubscribeFilter { filter, options })
            };
            let filters = chunk.iter().map(one).collect::<Result<_, LinkError>>()?;
            let subscribe =
                Subscribe { packet_id, subscription_identifier: None, user_properties: Vec::new(), filters };
            self.write(plan, &Packet::Subscribe(subscribe)).await?;
            loop {
                match self.read("before SUBACK").await? {
                    Packet::SubAck(ack) if ack.packet_id == packet_id => {
                        if let Some(refused) = ack.reasons.iter().find(|reason| reason.is_failure()) {
                            return Err(LinkError::NotSubscribed(refused.as_u8(), refused.name()));
                        }
                        break;
                    }
                    Packet::Publish(_) => foreign += 1,
                    _ => return Err(LinkError::Unexpected("SUBACK")),
                }
            }
        }
        Ok(foreign)
    }
}

/// DISCONNECT without anything else, alike in all versions.
const DISCONNECT: [u8; 2] = [0xE0, 0];

/// Says goodbye, and waits a moment for the broker to close, so that the connection's last state is not ours to keep.
pub(crate) async fn leave(io: &mut Io) {
    let farewell = async {
        io.write_all(&DISCONNECT).await?;
        io.flush().await?;
        let mut chunk = [0; 512];
        while io.read(&mut chunk).await? > 0 {}
        io::Result::Ok(())
    };
    let _ = tokio::time::timeout(std::time::Duration::from_secs(1), farewell).await;
}
