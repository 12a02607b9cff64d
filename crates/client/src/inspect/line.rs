//! A packet as one line for people, without secrets.

use std::fmt;

use gridmq_proto::packet::{Connect, SubscribeFilter};
use gridmq_proto::{ByteString, Packet};

use super::{Content, Inspected};

/// Characters of a text from a packet that are shown.
const SHOWN: usize = 256;
/// Entries of a list that are shown.
const LISTED: usize = 8;

/// A text in quotes: what is not printable is escaped, and what is long is cut.
struct Quoted<'a>(&'a str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.char_indices().nth(SHOWN) {
            Some((end, _)) => write!(f, "{:?}…", self.0.get(..end).unwrap_or_default()),
            None => write!(f, "{:?}", self.0),
        }
    }
}

fn text(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&ByteString>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {name}={}", Quoted(value)))
}

/// How long a secret is.
fn hidden(f: &mut fmt::Formatter<'_>, name: &str, value: Option<usize>) -> fmt::Result {
    value.map_or(Ok(()), |length| write!(f, " {name}=({length} bytes)"))
}

fn list<T>(f: &mut fmt::Formatter<'_>, name: &str, items: &[T], show: impl Fn(&T) -> String) -> fmt::Result {
    write!(f, " {name}=[")?;
    for (index, item) in items.iter().take(LISTED).enumerate() {
        let between = if index == 0 { "" } else { ", " };
        write!(f, "{between}{}", show(item))?;
    }
    if items.len() > LISTED {
        write!(f, ", {} more", items.len() - LISTED)?;
    }
    f.write_str("]")
}

fn connect(f: &mut fmt::Formatter<'_>, connect: &Connect) -> fmt::Result {
    write!(f, " version=\"{}\" client_id={}", connect.version, Quoted(&connect.client_id))?;
    write!(f, " clean_start={} keep_alive={}s", connect.clean_start, connect.keep_alive)?;
    // Some servers take tokens as user names.
    hidden(f, "username", connect.username.as_ref().map(|name| name.len()))?;
    hidden(f, "password", connect.password.as_ref().map(|password| password.len()))?;
    if let Some(will) = &connect.will {
        write!(f, " will_topic={}", Quoted(will.message.topic.as_str()))?;
        hidden(f, "will_payload", Some(will.message.payload.len()))?;
    }
    let properties = &connect.properties;
    text(f, "method", properties.authentication_method.as_ref())?;
    hidden(f, "data", properties.authentication_data.as_ref().map(|data| data.len()))
}

impl fmt::Display for Inspected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.packet_type())?;
        if let Some(id) = self.packet_id() {
            write!(f, " id={id}")?;
        }
        if let (Some(qos), Some((retain, dup))) = (self.qos(), self.flags()) {
            write!(f, " qos={}", qos as u8)?;
            f.write_str(if retain { " retain" } else { "" })?;
            f.write_str(if dup { " dup" } else { "" })?;
        }
        match self.topic() {
            Some(topic) => write!(f, " topic={}", Quoted(topic.as_str()))?,
            None => self.alias(f)?,
        }
        hidden(f, "payload", self.payload_len())?;
        if let Some(reason) = self.reason() {
            write!(f, " reason=\"{reason}\"")?;
        }
        if let Content::Packet(packet) = self.content {
            rest(f, packet)?;
        }
        write!(f, " size={}", self.size)
    }
}

impl fmt::Debug for Inspected<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Inspected({self})")
    }
}

impl Inspected<'_> {
    fn alias(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let alias = match self.content {
            Content::Outgoing(publish) => publish.topic_alias.as_ref().map(|alias| alias.alias),
            Content::Packet(Packet::Publish(publish)) => publish.topic_alias,
            Content::Packet(_) => None,
        };
        alias.map_or(Ok(()), |alias| write!(f, " topic_alias={alias}"))
    }
}

/// What only some types have.
fn rest(f: &mut fmt::Formatter<'_>, packet: &Packet) -> fmt::Result {
    match packet {
        Packet::Connect(packet) => connect(f, packet),
        Packet::ConnAck(ack) => {
            let properties = &ack.properties;
            write!(f, " session_present={}", ack.session_present)?;
            text(f, "assigned_client_id", properties.assigned_client_identifier.as_ref())?;
            text(f, "method", properties.authentication_method.as_ref())?;
            hidden(f, "data", properties.authentication_data.as_ref().map(|data| data.len()))?;
            text(f, "words", properties.reason_string.as_ref())
        }
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            text(f, "words", ack.properties.as_ref().and_then(|properties| properties.reason_string.as_ref()))
        }
        Packet::Subscribe(subscribe) => list(f, "filters", &subscribe.filters, |entry: &SubscribeFilter| {
            format!("{} at {}", Quoted(entry.filter.as_str()), entry.options.qos as u8)
        }),
        Packet::Unsubscribe(unsubscribe) => {
            list(f, "filters", &unsubscribe.filters, |filter| Quoted(filter.as_str()).to_string())
        }
        Packet::SubAck(ack) => text(f, "words", ack.properties.reason_string.as_ref()),
        Packet::UnsubAck(ack) => text(f, "words", ack.properties.reason_string.as_ref()),
        Packet::Disconnect(disconnect) => {
            text(f, "server_reference", disconnect.properties.server_reference.as_ref())?;
            text(f, "words", disconnect.properties.reason_string.as_ref())
        }
        Packet::Auth(auth) => {
            text(f, "method", auth.properties.authentication_method.as_ref())?;
            hidden(f, "data", auth.properties.authentication_data.as_ref().map(|data| data.len()))?;
            text(f, "words", auth.properties.reason_string.as_ref())
        }
        Packet::Publish(_) | Packet::PingReq | Packet::PingResp => Ok(()),
    }
}
