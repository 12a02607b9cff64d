//! Up to the CONNACK: CONNECT, enhanced authentication, and the owner's decision.

use super::connected::Connected;
use super::{Accepted, ConnectDecision, Connection, End, Event, Limits, State, Stop, Timer, Verdict, rules, violation};
use crate::codec::encoded_len;
use crate::packet::{Auth, AuthProperties, ConnAck, ConnAckProperties, Connect};
use crate::session::outbound::Peer;
use crate::time::Now;
use crate::{Packet, QoS, ReasonCode, Version};

impl Connection {
    pub(super) fn first_packet(&mut self, now: Now, packet: Packet) -> Result<(), Stop> {
        let Packet::Connect(connect) = packet else { return Err(violation(&rules::FIRST_PACKET_NOT_CONNECT)) };
        self.version = Some(connect.version);
        self.problem_information = connect.properties.request_problem_information.unwrap_or(true);
        if let Some(reason) = will_refusal(&connect, &self.config.limits) {
            self.send_refusal(reason.into());
            self.close(End::Refused(reason), true);
            return Ok(());
        }
        self.out.event(Event::Connect(connect.clone()));
        self.await_decision(now, connect);
        Ok(())
    }

    fn await_decision(&mut self, now: Now, connect: Box<Connect>) {
        self.timers.clear(Timer::Connect);
        self.timers.set(Timer::Decision, now.monotonic.after(self.config.decision_timeout));
        self.state = State::AwaitDecision(connect);
    }

    pub(super) fn auth_packet(&mut self, now: Now, packet: Packet) -> Result<(), Stop> {
        let auth = match packet {
            Packet::Auth(auth) => auth,
            Packet::Disconnect(disconnect) => return Err(Stop::Disconnected(disconnect.reason)),
            _ => return Err(violation(&rules::NOT_AUTH_DURING_AUTHENTICATION)),
        };
        let State::ExpectAuth(connect) = &mut self.state else { return Ok(()) };
        if auth.reason != ReasonCode::ContinueAuthentication {
            return Err(violation(&rules::AUTH_REASON_OUT_OF_TURN));
        }
        if auth.properties.authentication_method != connect.properties.authentication_method {
            return Err(violation(&rules::AUTH_METHOD_CHANGED));
        }
        let connect = connect.clone();
        self.out.event(Event::Auth(auth));
        self.await_decision(now, connect);
        Ok(())
    }

    /// Answers a CONNECT, or an AUTH before the CONNACK. `None`: the answer was used. An answer that is no longer
    /// wanted (its deadline has passed, the client has gone) is handed back, with the session in it.
    pub fn decide_connect(&mut self, now: Now, decision: ConnectDecision) -> Option<ConnectDecision> {
        let State::AwaitDecision(connect) = &self.state else { return Some(decision) };
        let connect = connect.clone();
        self.timers.clear(Timer::Decision);
        match decision {
            ConnectDecision::Accept(accepted) => self.accept(now, *connect, *accepted),
            ConnectDecision::Refuse(refused) => self.refuse(refused),
            ConnectDecision::Continue { data } => match connect.properties.authentication_method.clone() {
                Some(method) => {
                    let properties = AuthProperties {
                        authentication_method: Some(method),
                        authentication_data: data,
                        ..AuthProperties::default()
                    };
                    let reason = ReasonCode::ContinueAuthentication;
                    self.out.send(Packet::Auth(Box::new(Auth { reason, properties })));
                    self.timers.set(Timer::Connect, now.monotonic.after(self.config.connect_timeout));
                    self.state = State::ExpectAuth(connect);
                }
                None => self.refuse(ReasonCode::BadAuthenticationMethod.into()),
            },
        }
        None
    }

    fn refuse(&mut self, refused: Verdict) {
        let reason = refused.reason;
        self.send_refusal(refused);
        self.close(End::Refused(reason), true);
    }

    fn accept(&mut self, now: Now, connect: Connect, accepted: Accepted) {
        let Accepted {
            mut session,
            session_present,
            expiry_interval,
            assigned_client_id,
            authentication_data,
            welcome,
        } = accepted;
        let limits = &self.config.limits;
        let v5 = connect.version.is_v5();
        let keep_alive = effective_keep_alive(&connect, limits);
        let properties = if v5 {
            ConnAckProperties {
                assigned_client_identifier: assigned_client_id.then(|| session.client_id().clone()),
                session_expiry_interval: (connect.properties.session_expiry_interval.unwrap_or(0) != expiry_interval)
                    .then_some(expiry_interval),
                server_keep_alive: (keep_alive != connect.keep_alive).then_some(keep_alive),
                authentication_method: connect.properties.authentication_method.clone(),
                authentication_data,
                response_information: welcome
                    .response_information
                    .filter(|_| connect.properties.request_response_information == Some(true)),
                ..announce(limits)
            }
        } else {
            ConnAckProperties::default()
        };
        let mut ack = ConnAck {
            // 3.1 has no such flag: its CONNACK's first byte is reserved.
            session_present: session_present && !connect.clean_start && connect.version != Version::V3_1,
            reason: ReasonCode::Success,
            properties,
        };
        let asked = &connect.properties;
        let size = || encoded_len(&Packet::ConnAck(Box::new(ack.clone())), connect.version).unwrap_or(usize::MAX);
        if asked.maximum_packet_size.is_some_and(|maximum| size() > u32::from(maximum) as usize) {
            // Without the announcements the client would not know what it may do [MQTT-3.1.2-24].
            self.refuse(ReasonCode::PacketTooLarge.into());
            self.state = State::Closed(Some(Box::new(session)));
            return;
        }
        if v5 && self.problem_information {
            // They are left out where they do not fit [MQTT-3.2.2-19], [MQTT-3.2.2-20].
            ack.properties.reason_string = welcome.reason_string;
            ack.properties.user_properties = welcome.user_properties;
        }
        session.start(expiry_interval, &mut self.out);
        self.out.send_first(Packet::ConnAck(Box::new(ack)));
        let window = asked.receive_maximum.map_or(u16::MAX, u16::from).min(limits.outbound_window.get());
        let peer = Peer {
            version: connect.version,
            window,
            maximum_packet_size: asked.maximum_packet_size.map(u32::from),
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
        };
        let aliases = asked.topic_alias_maximum.unwrap_or(0).min(limits.outbound_topic_aliases);
        session.connect(now.wall, peer, aliases, &mut self.out);
        let connected = Connected::new(now, connect, session, keep_alive, limits);
        if let Some(due) = connected.silent_at() {
            self.timers.set(Timer::KeepAlive, due);
        }
        self.state = State::Connected(Box::new(connected));
    }
}

/// Why a will cannot be taken, if so [MQTT-3.2.2-12], [MQTT-3.2.2-13].
fn will_refusal(connect: &Connect, limits: &Limits) -> Option<ReasonCode> {
    let will = connect.will.as_ref()?;
    if will.qos > limits.maximum_qos {
        Some(ReasonCode::QosNotSupported)
    } else if will.retain && !limits.retain_available {
        Some(ReasonCode::RetainNotSupported)
    } else {
        None
    }
}

/// The keep-alive in force, in seconds [MQTT-3.1.2-21]. A 3.1.1 client cannot be told of another one.
fn effective_keep_alive(connect: &Connect, limits: &Limits) -> u16 {
    match limits.keep_alive_maximum {
        Some(maximum) if connect.version.is_v5() && !(1..=maximum.get()).contains(&connect.keep_alive) => maximum.get(),
        _ => connect.keep_alive,
    }
}

/// What differs from the standard's defaults.
fn announce(limits: &Limits) -> ConnAckProperties {
    ConnAckProperties {
        receive_maximum: Some(limits.receive_maximum),
        maximum_qos: (limits.maximum_qos != QoS::ExactlyOnce).then_some(limits.maximum_qos),
        retain_available: (!limits.retain_available).then_some(false),
        maximum_packet_size: Some(limits.maximum_packet_size),
        topic_alias_maximum: (limits.topic_alias_maximum != 0).then_some(limits.topic_alias_maximum),
        wildcard_subscription_available: (!limits.wildcard_subscription_available).then_some(false),
        subscription_identifiers_available: (!limits.subscription_identifiers_available).then_some(false),
        shared_subscription_available: (!limits.shared_subscription_available).then_some(false),
        ..ConnAckProperties::default()
    }
}
