//! A client that the server has accepted.

use std::time::Duration;

use super::request::{Outgoing, RequestError, ServerLimits};
use super::session::Session;
use super::{Config, End, Event, Farewell, Incoming, Stop, rules, violation};
use crate::message::SubscriptionId;
use crate::packet::{Auth, AuthProperties, Publish, Subscribe, SubscribeFilter, Unsubscribe, UserProperties};
use crate::session::alias::InboundAliases;
use crate::session::by_id::ById;
use crate::session::inbound::Arrival;
use crate::session::outbound::{Admitted, Finished};
use crate::session::outputs::{Outputs, Seq};
use crate::time::{Monotonic, Now, Wall};
use crate::{OutgoingPublish, Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, Version};

/// A request that waits for its answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Request {
    Subscribe { filters: usize },
    Unsubscribe { filters: usize },
}

/// The state of a connection that is up.
#[derive(Debug)]
pub(super) struct Connected {
    pub(super) session: Session,
    pub(super) limits: ServerLimits,
    requests: ById<Request>,
    aliases: InboundAliases,
    /// Absent: no keep-alive.
    keep_alive: Option<Duration>,
    last_heard: Monotonic,
    /// The record up to which the session of before is forgotten for good: until then, no subscription is made.
    began: Seq,
    /// A re-authentication is under way.
    authenticating: bool,
}

impl Connected {
    pub(super) fn new(now: Now, session: Session, limits: ServerLimits, began: Seq, config: &Config) -> Self {
        let keep_alive = (limits.keep_alive != 0).then(|| Duration::from_secs(u64::from(limits.keep_alive)));
        let aliases = config.connect.properties.topic_alias_maximum.unwrap_or(0);
        Self {
            session,
            limits,
            requests: ById::default(),
            aliases: InboundAliases::new(aliases),
            keep_alive,
            last_heard: now.monotonic,
            began,
            authenticating: false,
        }
    }

    /// Three quarters of the keep-alive, so that PINGREQ leaves in time [MQTT-3.1.2-20] and a dead link is noticed
    /// within one and a half.
    pub(super) fn ping_interval(&self) -> Duration {
        self.keep_alive.unwrap_or_default() * 3 / 4
    }

    pub(super) const fn heard(&mut self, now: Monotonic) {
        self.last_heard = now;
    }

    /// How long PINGREQ may go unanswered.
    pub(super) fn ping_timeout(&self) -> Duration {
        self.keep_alive.unwrap_or_default() / 2
    }

    /// When to send PINGREQ: after silence in either direction, since one that only sends learns nothing of the link.
    pub(super) fn ping_at(&self, last_sent: Monotonic) -> Option<Monotonic> {
        self.keep_alive.map(|_| last_sent.min(self.last_heard).after(self.ping_interval()))
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Now,
        packet: Packet,
        config: &Config,
        out: &mut Outputs<Event>,
    ) -> Result<(), Stop> {
        self.last_heard = now.monotonic;
        let lasting = self.session.is_recorded();
        match packet {
            Packet::Publish(publish) => return self.publish_arrived(publish, config, out),
            Packet::PubAck(ack) => {
                let finished = self.session.outbound.puback(ack, lasting, out);
                self.finished(now, finished, out);
            }
            Packet::PubRec(ack) => {
                let finished = self.session.outbound.pubrec(ack, lasting, out);
                self.finished(now, finished, out);
            }
            Packet::PubComp(ack) => {
                let finished = self.session.outbound.pubcomp(&ack, lasting, out);
                self.finished(now, finished, out);
            }
            Packet::PubRel(ack) => self.session.pubrel(ack.packet_id, out),
            Packet::PingResp => {}
            Packet::SubAck(ack) => {
                let filters = ack.reasons.len();
                self.answered(ack.packet_id, |request| request == Request::Subscribe { filters })?;
                out.event(Event::Subscribed(ack));
            }
            Packet::UnsubAck(ack) => {
                let filters = ack.reasons.len();
                let v5 = config.connect.version.is_v5();
                self.answered(ack.packet_id, |request| match request {
                    Request::Unsubscribe { filters: asked } => !v5 || asked == filters,
                    Request::Subscribe { .. } => false,
                })?;
                out.event(Event::Unsubscribed(ack));
            }
            Packet::Auth(auth) => {
                self.check_auth(&auth, config)?;
                out.event(Event::Auth(auth));
            }
            Packet::Disconnect(disconnect) if config.connect.version.is_v5() => {
                return Err(Stop::Ended(End::PeerDisconnected(disconnect.reason), Farewell::of_disconnect(disconnect)));
            }
            Packet::ConnAck(_) => return Err(violation(&rules::SECOND_CONNACK)),
            Packet::Connect(_)
            | Packet::Subscribe(_)
            | Packet::Unsubscribe(_)
            | Packet::PingReq
            | Packet::Disconnect(_) => return Err(violation(&rules::UNEXPECTED_PACKET)),
        }
        Ok(())
    }

    fn publish_arrived(&mut self, mut publish: Publish, config: &Config, out: &mut Outputs<Event>) -> Result<(), Stop> {
        let topic = self.aliases.resolve(&mut publish)?;
        let maximum = match config.connect.version {
            Version::V5 => config.connect.properties.receive_maximum.map_or(u16::MAX, u16::from),
            Version::V3_1 | Version::V3_1_1 => u16::MAX,
        };
        match self.session.inbound.arrive(publish.qos, publish.packet_id, usize::from(maximum)) {
            Arrival::New(token) => {
                let (qos, retain, dup) = (publish.qos, publish.retain, publish.dup);
                let subscription_identifiers = std::mem::take(&mut publish.subscription_identifiers);
                let message = publish.into_message(topic);
                out.event(Event::Message(Incoming { token, message, qos, retain, dup, subscription_identifiers }));
            }
            Arrival::Duplicate => self.session.inbound.release(out),
            Arrival::OverReceiveMaximum => return Err(violation(&rules::SERVER_EXCEEDS_RECEIVE_MAXIMUM)),
        }
        Ok(())
    }

    fn answered(&mut self, id: PacketId, fits: impl FnOnce(Request) -> bool) -> Result<(), Stop> {
        match self.requests.remove(&id) {
            None => Err(violation(&rules::ACK_OF_UNKNOWN_REQUEST)),
            Some(request) if fits(request) => Ok(()),
            Some(_) => Err(violation(&rules::ACK_COUNT)),
        }
    }

    fn finished(&mut self, now: Now, finished: Option<Finished>, out: &mut Outputs<Event>) {
        if let Some(Finished { position, qos, end }) = finished {
            out.event(Event::Published { position, qos, end });
        }
        let requests = &self.requests;
        self.session.fill_window(now.wall, |id| requests.contains_key(&id), out);
    }

    pub(super) fn publish(
        &mut self,
        now: Now,
        made: Wall,
        outgoing: Outgoing,
        version: Version,
        wanted: impl FnOnce() -> bool,
        out: &mut Outputs<Event>,
    ) -> Result<Admitted, RequestError> {
        self.limits.check_publish(&outgoing)?;
        let delivery = outgoing.into_delivery(made);
        if let Some(maximum) = self.limits.maximum_packet_size {
            let publish = OutgoingPublish {
                message: delivery.message.clone(),
                qos: delivery.qos,
                dup: false,
                retain: delivery.retain,
                packet_id: PacketId::new(1).filter(|_| delivery.qos != QoS::AtMostOnce),
                topic_alias: None,
                subscription_identifiers: delivery.subscription_identifiers.clone(),
                message_expiry_interval: None,
            };
            let size = publish.encoded_len(version);
            if size > maximum as usize {
                return Err(RequestError::PacketTooLarge { size, maximum });
            }
        }
        let requests = &self.requests;
        self.session.deliver(now.wall, delivery, wanted, |id| requests.contains_key(&id), out)
    }

    fn request(&mut self, request: Request) -> Result<PacketId, RequestError> {
        let requests = &self.requests;
        let id = self.session.outbound.allocate(|id| requests.contains_key(&id));
        let id = id.ok_or(RequestError::NoPacketIdentifier)?;
        self.requests.insert(id, request);
        Ok(id)
    }

    pub(super) fn subscribe(
        &mut self,
        filters: Vec<SubscribeFilter>,
        identifier: Option<SubscriptionId>,
        user_properties: UserProperties,
        version: Version,
        out: &mut Outputs<Event>,
    ) -> Result<PacketId, RequestError> {
        self.limits.check_subscribe(&filters, identifier.is_some())?;
        let count = filters.len();
        let packet_id = PacketId::MIN;
        let subscribe = Subscribe { packet_id, subscription_identifier: identifier, user_properties, filters };
        let mut packet = Packet::Subscribe(subscribe);
        self.limits.check_size(&packet, version)?;
        let id = self.request(Request::Subscribe { filters: count })?;
        if let Packet::Subscribe(subscribe) = &mut packet {
            subscribe.packet_id = id;
        }
        out.push_request(self.began, packet);
        Ok(id)
    }

    pub(super) fn unsubscribe(
        &mut self,
        filters: Vec<SubscriptionFilter>,
        user_properties: UserProperties,
        version: Version,
        out: &mut Outputs<Event>,
    ) -> Result<PacketId, RequestError> {
        if filters.is_empty() {
            return Err(RequestError::NoFilters);
        }
        let count = filters.len();
        let mut packet = Packet::Unsubscribe(Unsubscribe { packet_id: PacketId::MIN, user_properties, filters });
        self.limits.check_size(&packet, version)?;
        let id = self.request(Request::Unsubscribe { filters: count })?;
        if let Packet::Unsubscribe(unsubscribe) = &mut packet {
            unsubscribe.packet_id = id;
        }
        // It needs no record, but its place behind a SUBSCRIBE that does.
        out.push_request(0, packet);
        Ok(id)
    }

    /// The server speaks of authentication only after the client has begun it anew, and ends it with Success (MQTT 5.0
    /// §4.12.1).
    fn check_auth(&mut self, auth: &Auth, config: &Config) -> Result<(), Stop> {
        check_method(auth, config)?;
        if !self.authenticating || auth.reason == ReasonCode::ReAuthenticate {
            return Err(violation(&rules::AUTH_REASON_OUT_OF_TURN));
        }
        self.authenticating = auth.reason != ReasonCode::Success;
        Ok(())
    }

    /// Whether an AUTH of the client with that reason has its turn.
    pub(super) fn authenticates(&mut self, reason: ReasonCode) -> bool {
        match reason {
            ReasonCode::ReAuthenticate => !std::mem::replace(&mut self.authenticating, true),
            ReasonCode::ContinueAuthentication => self.authenticating,
            _ => false,
        }
    }

    pub(super) fn end(self) -> Session {
        let Self { mut session, .. } = self;
        session.disconnect();
        session
    }
}

pub(super) fn check_method(auth: &Auth, config: &Config) -> Result<(), Stop> {
    match &config.connect.properties.authentication_method {
        None => Err(violation(&rules::SERVER_AUTH_WITHOUT_METHOD)),
        // Success without properties may be left out as a whole (§3.15.2.1), although the method is required (§3.15.2.2.2).
        Some(_) if auth.reason == ReasonCode::Success && auth.properties == AuthProperties::default() => Ok(()),
        Some(method) if auth.properties.authentication_method.as_ref() != Some(method) => {
            Err(violation(&rules::AUTH_METHOD_CHANGED))
        }
        Some(_) => Ok(()),
    }
}
