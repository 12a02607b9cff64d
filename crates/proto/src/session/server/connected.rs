//! A client that is in.

use std::time::Duration;

use bytestring::ByteString;

use super::session::{Session, Subscription};
use super::{
    AuthDecision, Config, Connection, End, Event, Inbound, Limits, State, Stop, Timer, Verdict, rules, violation,
};
use crate::packet::{
    AckProperties, Auth, AuthProperties, Connect, Disconnect, PacketType, Publish, SubAck, Subscribe, UnsubAck,
    Unsubscribe, Will,
};
use crate::session::alias::InboundAliases;
use crate::session::inbound::Arrival;
use crate::session::outbound::Finished;
use crate::session::outputs::{Output, Outputs};
use crate::session::timer::TimerTable;
use crate::time::{Monotonic, Now};
use crate::{Packet, QoS, ReasonCode, SubscriptionFilter, Version};

/// A request that waits for the owner.
#[derive(Debug)]
enum Pending {
    Subscribe(Box<Subscribe>),
    Unsubscribe(Box<Unsubscribe>),
    Auth,
}

/// The state of a client that is in.
#[derive(Debug)]
pub(super) struct Connected {
    version: Version,
    pub(super) session: Session,
    pub(super) will: Option<Box<Will>>,
    /// The longest silence allowed, one and a half keep-alive intervals [MQTT-3.1.2-22].
    silence: Option<Duration>,
    last_heard: Monotonic,
    /// Since then input was not wanted for a time.
    excused: bool,
    aliases: InboundAliases,
    pending: Option<Pending>,
    authentication_method: Option<ByteString>,
    /// A re-authentication is under way: the next AUTH goes on with it.
    authenticating: bool,
    /// The session expiry that CONNECT asked for was not 0.
    asked_to_last: bool,
}

impl Connected {
    pub(super) fn new(now: Now, connect: Connect, session: Session, keep_alive: u16, limits: &Limits) -> Self {
        Self {
            version: connect.version,
            session,
            will: connect.will,
            silence: (keep_alive != 0).then(|| Duration::from_millis(u64::from(keep_alive) * 1500)),
            last_heard: now.monotonic,
            excused: false,
            aliases: InboundAliases::new(limits.topic_alias_maximum),
            pending: None,
            authentication_method: connect.properties.authentication_method,
            authenticating: false,
            asked_to_last: connect.properties.session_expiry_interval.unwrap_or(0) != 0,
        }
    }

    pub(super) fn wants_input(&self, limits: &Limits) -> bool {
        // MQTT 5.0 clients know the Receive Maximum and break the protocol beyond it; the others are held back.
        let room = self.version.is_v5() || self.session.inbound.owed() < usize::from(limits.receive_maximum.get());
        self.pending.is_none() && room
    }

    /// When the client will have been silent for too long.
    pub(super) fn silent_at(&self) -> Option<Monotonic> {
        self.silence.map(|silence| self.last_heard.after(silence))
    }

    pub(super) const fn heard(&mut self, now: Now) {
        self.last_heard = now.monotonic;
        self.excused = false;
    }

    /// This side did not read until now.
    pub(super) const fn excuse(&mut self) {
        self.excused = true;
    }

    pub(super) const fn is_excused(&self) -> bool {
        self.excused
    }

    pub(super) fn handle_packet(
        &mut self,
        now: Now,
        packet: Packet,
        config: &Config,
        timers: &mut TimerTable,
        out: &mut Outputs<Event>,
    ) -> Result<(), Stop> {
        self.heard(now);
        let lasting = self.session.is_lasting();
        match packet {
            Packet::Publish(publish) => return self.publish(publish, &config.limits, out),
            Packet::PubAck(ack) => {
                let finished = self.session.outbound.puback(ack, lasting, out);
                self.finished(now, finished, out);
            }
            Packet::PubRec(mut ack) => {
                // Nobody is told of them, and they would be kept.
                ack.properties = None;
                let finished = self.session.outbound.pubrec(ack, lasting, out);
                self.finished(now, finished, out);
            }
            Packet::PubComp(ack) => {
                let finished = self.session.outbound.pubcomp(&ack, lasting, out);
                self.finished(now, finished, out);
            }
            Packet::PubRel(ack) => self.session.inbound.pubrel(ack.packet_id, lasting, out),
            Packet::PingReq => out.send(Packet::PingResp),
            Packet::Subscribe(subscribe) => {
                check_subscribe(&subscribe, &config.limits)?;
                let subscribe = Box::new(subscribe);
                out.event(Event::Subscribe(subscribe.clone()));
                self.wait_for(Pending::Subscribe(subscribe), now, config, timers);
            }
            Packet::Unsubscribe(unsubscribe) => {
                let unsubscribe = Box::new(unsubscribe);
                out.event(Event::Unsubscribe(unsubscribe.clone()));
                self.wait_for(Pending::Unsubscribe(unsubscribe), now, config, timers);
            }
            Packet::Auth(auth) => {
                self.check_auth(&auth)?;
                timers.clear(Timer::Connect);
                out.event(Event::Auth(auth));
                self.wait_for(Pending::Auth, now, config, timers);
            }
            Packet::Disconnect(disconnect) => return Err(self.disconnect(&disconnect, out)),
            Packet::Connect(_) => return Err(violation(&rules::SECOND_CONNECT)),
            Packet::ConnAck(_) | Packet::SubAck(_) | Packet::UnsubAck(_) | Packet::PingResp => {
                return Err(violation(&rules::UNEXPECTED_PACKET));
            }
        }
        Ok(())
    }

    fn wait_for(&mut self, pending: Pending, now: Now, config: &Config, timers: &mut TimerTable) {
        self.pending = Some(pending);
        timers.set(Timer::Decision, now.monotonic.after(config.decision_timeout));
    }

    fn publish(&mut self, mut publish: Publish, limits: &Limits, out: &mut Outputs<Event>) -> Result<(), Stop> {
        if publish.qos > limits.maximum_qos {
            return Err(violation(&rules::QOS_NOT_SUPPORTED));
        }
        if publish.retain && !limits.retain_available {
            return Err(violation(&rules::RETAIN_NOT_SUPPORTED));
        }
        let topic = self.aliases.resolve(&mut publish)?;
        let maximum = usize::from(if self.version.is_v5() { limits.receive_maximum.get() } else { u16::MAX });
        match self.session.arrive(publish.qos, publish.packet_id, maximum) {
            Arrival::New(token) => {
                let (qos, retain, dup) = (publish.qos, publish.retain, publish.dup);
                let packet_id = publish.packet_id;
                let message = publish.into_message(topic);
                out.event(Event::Publish(Inbound { token, packet_id, message, qos, retain, dup }));
            }
            Arrival::Duplicate => self.session.inbound.release(out),
            Arrival::OverReceiveMaximum => return Err(violation(&rules::CLIENT_EXCEEDS_RECEIVE_MAXIMUM)),
        }
        Ok(())
    }

    fn finished(&mut self, now: Now, finished: Option<Finished>, out: &mut Outputs<Event>) {
        if let Some(Finished { position, end, .. }) = finished {
            out.event(Event::Delivered { position, reason: end.reason() });
        }
        self.session.fill_window(now.wall, out);
    }

    fn disconnect(&mut self, disconnect: &Disconnect, out: &mut Outputs<Event>) -> Stop {
        if let Some(expiry) = disconnect.properties.session_expiry_interval {
            if expiry != 0 && !self.asked_to_last {
                return violation(&rules::EXPIRY_RAISED_AT_DISCONNECT);
            }
            self.session.start(expiry, out);
        }
        if disconnect.reason == ReasonCode::NORMAL_DISCONNECTION {
            self.will = None;
        }
        Stop::Disconnected(disconnect.reason)
    }

    fn check_auth(&mut self, auth: &Auth) -> Result<(), Stop> {
        let Some(method) = &self.authentication_method else {
            return Err(violation(&rules::CLIENT_AUTH_WITHOUT_METHOD));
        };
        if auth.properties.authentication_method.as_ref() != Some(method) {
            return Err(violation(&rules::AUTH_METHOD_CHANGED));
        }
        let expected =
            if self.authenticating { ReasonCode::ContinueAuthentication } else { ReasonCode::ReAuthenticate };
        if auth.reason != expected {
            return Err(violation(&rules::AUTH_REASON_OUT_OF_TURN));
        }
        self.authenticating = true;
        Ok(())
    }

    pub(super) fn decide_subscribe(
        &mut self,
        now: Now,
        mut reasons: Vec<ReasonCode>,
        properties: AckProperties,
        limits: &Limits,
        out: &mut Outputs<Event>,
    ) -> bool {
        let Some(Pending::Subscribe(subscribe)) = self.pending.take_if(|it| matches!(it, Pending::Subscribe(_))) else {
            return false;
        };
        self.heard(now);
        reasons.resize(subscribe.filters.len(), ReasonCode::UnspecifiedError);
        for (entry, reason) in subscribe.filters.into_iter().zip(&mut reasons) {
            if let Some(granted) = QoS::from_u8(reason.as_u8()) {
                let mut options = entry.options;
                options.qos = granted.min(options.qos).min(limits.maximum_qos);
                *reason = ReasonCode::granted(options.qos);
                let how = Subscription { options, identifier: subscribe.subscription_identifier };
                self.session.subscribe(entry.filter, how, out);
            }
        }
        let is_recorded = reasons.iter().any(|reason| !reason.is_failure());
        let ack = Output::Send(Packet::SubAck(SubAck { packet_id: subscribe.packet_id, properties, reasons }));
        // Of what is refused nothing has to be stored.
        if is_recorded {
            out.push_after_records(ack)
        } else {
            out.push(ack)
        }
        true
    }

    pub(super) fn decide_unsubscribe(
        &mut self,
        now: Now,
        mut reasons: Vec<ReasonCode>,
        properties: AckProperties,
        out: &mut Outputs<Event>,
    ) -> bool {
        let pending = self.pending.take_if(|it| matches!(it, Pending::Unsubscribe(_)));
        let Some(Pending::Unsubscribe(unsubscribe)) = pending else { return false };
        self.heard(now);
        reasons.resize(unsubscribe.filters.len(), ReasonCode::UnspecifiedError);
        for (filter, reason) in unsubscribe.filters.iter().zip(&reasons) {
            if !reason.is_failure() {
                self.session.unsubscribe(filter, out);
            }
        }
        if !self.version.is_v5() {
            reasons.clear();
        }
        let ack = UnsubAck { packet_id: unsubscribe.packet_id, properties, reasons };
        out.push_after_records(Output::Send(Packet::UnsubAck(ack)));
        true
    }

    /// The owner missed its deadline: refuses what is pending. `false`: there is no way to, and the connection has to
    /// end.
    pub(super) fn refuse_pending(&mut self, now: Now, limits: &Limits, out: &mut Outputs<Event>) -> bool {
        let failed = |count| vec![ReasonCode::ImplementationSpecificError; count];
        match &self.pending {
            Some(Pending::Subscribe(subscribe)) => {
                let reasons = failed(subscribe.filters.len());
                self.decide_subscribe(now, reasons, AckProperties::default(), limits, out)
            }
            // 3.1.1 has no way to say that an UNSUBSCRIBE failed.
            Some(Pending::Unsubscribe(unsubscribe)) if self.version.is_v5() => {
                let reasons = failed(unsubscribe.filters.len());
                self.decide_unsubscribe(now, reasons, AckProperties::default(), out)
            }
            Some(Pending::Unsubscribe(_) | Pending::Auth) => false,
            None => true,
        }
    }

    /// The session, and the will if it is to be published.
    pub(super) fn end(self, end: &End) -> (Session, Option<Box<Will>>) {
        let Self { mut session, will, .. } = self;
        session.disconnect();
        let kept = !matches!(end, End::PeerDisconnected(ReasonCode::Success));
        (session, will.filter(|_| kept))
    }
}

/// What the server announced that it does not take.
fn check_subscribe(subscribe: &Subscribe, limits: &Limits) -> Result<(), Stop> {
    if subscribe.subscription_identifier.is_some() && !limits.subscription_identifiers_available {
        return Err(violation(&rules::IDENTIFIER_NOT_SUPPORTED));
    }
    for entry in &subscribe.filters {
        if matches!(entry.filter, SubscriptionFilter::Shared(_)) && !limits.shared_subscription_available {
            return Err(violation(&rules::SHARED_NOT_SUPPORTED));
        }
        if entry.filter.filter().has_wildcard() && !limits.wildcard_subscription_available {
            return Err(violation(&rules::WILDCARD_NOT_SUPPORTED));
        }
    }
    Ok(())
}

impl Connection {
    /// Answers an AUTH of a connected client. `false`: none is due.
    pub fn decide_auth(&mut self, now: Now, decision: AuthDecision) -> bool {
        let State::Connected(connected) = &mut self.state else { return false };
        if connected.pending.take_if(|it| matches!(it, Pending::Auth)).is_none() {
            return false;
        }
        connected.heard(now);
        self.timers.clear(Timer::Decision);
        let (goes_on, data) = match decision {
            AuthDecision::Continue { data } => (true, data),
            AuthDecision::Accept { data } => (false, data),
            AuthDecision::Refuse(verdict) => {
                let valid = verdict.reason.valid_in(PacketType::Disconnect);
                let reason = if valid { verdict.reason } else { ReasonCode::NotAuthorized };
                self.disconnect_with(Verdict { reason, ..verdict });
                return true;
            }
        };
        connected.authenticating = goes_on;
        if goes_on {
            self.timers.set(Timer::Connect, now.monotonic.after(self.config.connect_timeout));
        }
        let reason = if goes_on { ReasonCode::ContinueAuthentication } else { ReasonCode::Success };
        let properties = AuthProperties {
            authentication_method: connected.authentication_method.clone(),
            authentication_data: data,
            ..AuthProperties::default()
        };
        self.out.send(Packet::Auth(Box::new(Auth { reason, properties })));
        true
    }
}
