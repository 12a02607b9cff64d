//! The client's side of a connection, and the session that outlives it.
//!
//! ```text
//!   new(): CONNECT is sent        CONNACK, success
//!  ExpectConnAck ─────────────────────────────────▶ Connected ──▶ Closed
//!     │   ▲                                            │            ▲
//!     │   └─ AUTH ◀─▶ auth()                           └── disconnect(), loss, violation,
//!     └── CONNACK with a failure, deadline, loss ─────────▶ Closed     server's DISCONNECT
//! ```

mod connected;
mod event;
mod liveness;
mod publishing;
mod request;
mod session;

use std::time::Duration;

use self::connected::Connected;
pub use self::event::{Event, Farewell, Incoming};
pub use self::request::{Outgoing, RequestError, ServerLimits};
pub use self::session::Session;
use super::inbound::PublishToken;
use super::outbound::Peer;
use super::outputs::{Output, Outputs, Seq};
use super::timer::{Timer, TimerTable};
use super::{End, Judgement, rules};
use crate::message::SubscriptionId;
use crate::packet::{Auth, ConnAck, Connect, Disconnect, DisconnectProperties, SubscribeFilter, UserProperties};
use crate::time::{Monotonic, Now};
use crate::{Packet, PacketId, ReasonCode, SpecViolation, SubscriptionFilter, Version};

/// How a [`Connection`] behaves.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Config {
    /// What to send; its keep-alive and receive maximum are also kept to.
    pub connect: Connect,
    /// From the connection's start to CONNACK, all of enhanced authentication included.
    pub connect_timeout: Duration,
    /// Inbound QoS > 0 messages that may wait to be completed on 3.1.1, which has no Receive Maximum.
    pub receive_maximum: u16,
    /// Topic aliases to use at most, where the server takes them.
    pub outbound_topic_aliases: u16,
}

#[derive(Debug)]
enum State {
    ExpectConnAck(Box<Session>),
    Connected(Box<Connected>),
    Closed(Option<Box<Session>>),
}

/// The client's machine for one connection.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    state: State,
    timers: TimerTable,
    out: Outputs<Event>,
    /// The time of the last call: when what is polled now is sent.
    now: Now,
    last_sent: Monotonic,
    /// Since the last packet, input was not wanted for a time.
    excused: bool,
    /// Bytes that arrived since something last was a sign of life, or was asked for.
    trickle: usize,
    /// The PINGREQ whose answer is awaited has still to be written.
    unasked: bool,
}

impl Connection {
    /// A machine without a connection, to hold the session: messages can be published into it, to wait, and completed.
    /// Of `config`, only the version matters.
    #[must_use]
    pub fn resting(config: Config, session: Session) -> Self {
        Self {
            out: Outputs::after(session.numbers()),
            state: State::Closed(Some(Box::new(session))),
            config,
            timers: TimerTable::default(),
            now: Now::default(),
            last_sent: Monotonic::default(),
            excused: false,
            trickle: 0,
            unasked: false,
        }
    }

    /// A connection whose transport is open: CONNECT is the first output.
    #[must_use]
    pub fn new(now: Now, config: Config, mut session: Session) -> Self {
        let mut out = Outputs::after(session.numbers());
        let mut timers = TimerTable::default();
        timers.set(Timer::Connect, now.monotonic.after(config.connect_timeout));
        if config.connect.clean_start {
            session.forget(&mut out);
        }
        let connect = Packet::Connect(Box::new(config.connect.clone()));
        if config.connect.clean_start {
            // Once the server has a new session, the old one must not come back from the store.
            out.send_first(connect);
        } else {
            out.send(connect);
        }
        Self {
            state: State::ExpectConnAck(Box::new(session)),
            config,
            timers,
            out,
            now,
            last_sent: now.monotonic,
            excused: false,
            trickle: 0,
            unasked: false,
        }
    }

    /// The version to encode and decode with.
    #[must_use]
    pub const fn version(&self) -> Version {
        self.config.connect.version
    }

    /// Whether the next packet may be handed in. On MQTT 3.1.1 it may not while as many messages wait to be completed
    /// as the receive maximum says, and never while some thousands of packets wait for records to be stored. Ask again
    /// after every call.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match &self.state {
            State::ExpectConnAck(_) => true,
            State::Connected(connected) => {
                let owed = connected.session.inbound.owed();
                let room = self.version().is_v5() || owed < usize::from(self.config.receive_maximum.max(1));
                room && self.out.has_room()
            }
            State::Closed(_) => false,
        }
    }

    /// Whether the server has accepted the connection and it has not ended.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// What the server announced, once connected.
    #[must_use]
    pub fn server_limits(&self) -> Option<&ServerLimits> {
        match &self.state {
            State::Connected(connected) => Some(&connected.limits),
            _ => None,
        }
    }

    /// Takes the session out of a connection that has ended.
    pub fn take_session(&mut self) -> Option<Session> {
        match &mut self.state {
            State::Closed(session) => session.take().map(|mut session| {
                session.set_numbers(self.out.numbers());
                *session
            }),
            _ => None,
        }
    }

    /// The session, unless it has been taken.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.state {
            State::ExpectConnAck(session) => Some(session),
            State::Connected(connected) => Some(&connected.session),
            State::Closed(session) => session.as_deref(),
        }
    }

    /// The next thing to do; drain until [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output<Event> {
        let Some(mut output) = self.out.pop() else { return Output::Timeout(self.timers.next()) };
        if let (Output::Publish(publish), State::Connected(connected)) = (&mut output, &mut self.state) {
            connected.session.outbound.choose_alias(publish);
        }
        if matches!(output, Output::Send(_) | Output::Publish(_)) {
            self.last_sent = self.now.monotonic;
        }
        output
    }

    /// A packet arrived. Not to be called while [`wants_input`](Self::wants_input) is false.
    pub fn handle_packet(&mut self, now: Now, packet: Packet) {
        self.now = now;
        self.excused = false;
        self.trickle = 0;
        let outcome = match &mut self.state {
            State::ExpectConnAck(_) => self.before_connack(packet),
            State::Connected(connected) => {
                self.timers.clear(Timer::PingResponse);
                connected.handle_packet(now, packet, &self.config, &mut self.out)
            }
            State::Closed(_) => Ok(()),
        };
        match outcome {
            Ok(()) => {}
            Err(Stop::Violation(violation)) => self.handle_violation(now, violation),
            Err(Stop::Ended(end, farewell)) => self.close(end, farewell, false),
        }
    }

    fn before_connack(&mut self, packet: Packet) -> Result<(), Stop> {
        match packet {
            Packet::ConnAck(ack) if ack.reason.is_failure() => {
                Err(Stop::Ended(End::Refused(ack.reason), Farewell::of_connack(*ack)))
            }
            Packet::ConnAck(ack) => self.accepted(ack),
            Packet::Auth(auth) if self.version().is_v5() => {
                if auth.reason != ReasonCode::ContinueAuthentication {
                    return Err(violation(&rules::AUTH_REASON_OUT_OF_TURN));
                }
                connected::check_method(&auth, &self.config)?;
                self.out.event(Event::Auth(auth));
                Ok(())
            }
            Packet::Disconnect(disconnect) if self.version().is_v5() => {
                Err(Stop::Ended(End::PeerDisconnected(disconnect.reason), Farewell::of_disconnect(disconnect)))
            }
            _ => Err(violation(&rules::CONNACK_EXPECTED)),
        }
    }

    fn accepted(&mut self, ack: Box<ConnAck>) -> Result<(), Stop> {
        let State::ExpectConnAck(session) = &mut self.state else { return Ok(()) };
        let connect = &self.config.connect;
        if ack.session_present && connect.clean_start {
            return Err(violation(&rules::SESSION_PRESENT_UNASKED));
        }
        let mut session = std::mem::take(&mut **session);
        let limits = ServerLimits::new(&ack, connect);
        session.start(limits.session_expiry_interval, ack.session_present, &mut self.out);
        let began = if ack.session_present { 0 } else { self.out.numbers().issued };
        let peer = Peer {
            version: connect.version,
            window: limits.receive_maximum,
            maximum_packet_size: limits.maximum_packet_size,
            maximum_qos: limits.maximum_qos,
            retain_available: limits.retain_available,
        };
        let aliases = limits.topic_alias_maximum.min(self.config.outbound_topic_aliases);
        self.timers.clear(Timer::Connect);
        self.out.event(Event::Connected(ack));
        session.connect(self.now.wall, peer, aliases, &mut self.out);
        let connected = Connected::new(self.now, session, limits, began, &self.config);
        if let Some(at) = connected.ping_at(self.last_sent) {
            self.timers.set(Timer::KeepAlive, at);
        }
        self.state = State::Connected(Box::new(connected));
        Ok(())
    }

    /// The decoder refused what arrived.
    pub fn handle_violation(&mut self, now: Now, violation: SpecViolation) {
        self.now = now;
        let violation = violation.on(self.version());
        if self.is_connected() && self.version().is_v5() {
            let properties = DisconnectProperties {
                reason_string: Some(violation.detail().into()),
                ..DisconnectProperties::default()
            };
            self.out.drop_held();
            self.out.send(Packet::Disconnect(Disconnect { reason: violation.reason(), properties }));
        }
        self.close(End::Violation(violation), None, true);
    }

    /// The transport closed or failed.
    pub fn handle_close(&mut self) {
        self.close(End::ConnectionLost, None, false);
    }

    /// Records up to `seq` are safe.
    pub fn persisted(&mut self, seq: Seq) {
        self.reading_again(|this| this.out.persisted(seq));
    }

    /// Notes when `change` has input wanted that was not.
    fn reading_again(&mut self, change: impl FnOnce(&mut Self)) {
        let wanted = self.wants_input();
        change(self);
        self.excused |= !wanted && self.wants_input();
    }

    /// Sends SUBSCRIBE; its answer is [`Event::Subscribed`] with the identifier returned here.
    ///
    /// # Errors
    /// The limit that stands in the way.
    pub fn subscribe(
        &mut self,
        now: Now,
        filters: Vec<SubscribeFilter>,
        identifier: Option<SubscriptionId>,
        user_properties: UserProperties,
    ) -> Result<PacketId, RequestError> {
        self.now = now;
        match &mut self.state {
            State::Connected(connected) => {
                let version = self.config.connect.version;
                connected.subscribe(filters, identifier, user_properties, version, &mut self.out)
            }
            _ => Err(RequestError::NotConnected),
        }
    }

    /// Sends UNSUBSCRIBE; its answer is [`Event::Unsubscribed`] with the identifier returned here.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe).
    pub fn unsubscribe(
        &mut self,
        now: Now,
        filters: Vec<SubscriptionFilter>,
        user_properties: UserProperties,
    ) -> Result<PacketId, RequestError> {
        self.now = now;
        match &mut self.state {
            State::Connected(connected) => {
                connected.unsubscribe(filters, user_properties, self.config.connect.version, &mut self.out)
            }
            _ => Err(RequestError::NotConnected),
        }
    }

    /// Releases the acknowledgement of a message, in the order of receipt. The connection may have ended: for QoS 2
    /// the judgement belongs to the session.
    pub fn complete(&mut self, now: Now, token: PublishToken, judgement: impl Into<Judgement>) {
        let judgement = judgement.into();
        self.now = now;
        self.reading_again(|this| match &mut this.state {
            State::Connected(connected) => connected.session.complete(token, judgement, &mut this.out),
            State::Closed(Some(session)) | State::ExpectConnAck(session) => {
                session.complete(token, judgement, &mut this.out);
            }
            State::Closed(None) => {}
        });
    }

    /// The message will not be judged: it stays unacknowledged, and comes again on the next connection of the session.
    /// Until then the acknowledgements of later messages wait behind it.
    pub fn abandon(&mut self, token: PublishToken) {
        match &mut self.state {
            State::Connected(connected) => connected.session.inbound.abandon(token),
            State::Closed(Some(session)) | State::ExpectConnAck(session) => session.inbound.abandon(token),
            State::Closed(None) => {}
        }
    }

    /// Sends AUTH: the next step during the CONNECT, or a re-authentication (`ReAuthenticate`) later. The method is
    /// the CONNECT's [MQTT-4.12.0-5]; where it had none, nothing is sent [MQTT-4.12.0-7], and neither is what is out of
    /// turn: `ContinueAuthentication` unless an exchange is under way, `ReAuthenticate` while one is.
    pub fn auth(&mut self, now: Now, mut auth: Auth) {
        self.now = now;
        let Some(method) = &self.config.connect.properties.authentication_method else { return };
        let in_turn = match &mut self.state {
            State::ExpectConnAck(_) => auth.reason == ReasonCode::ContinueAuthentication,
            State::Connected(connected) => connected.authenticates(auth.reason),
            State::Closed(_) => false,
        };
        if in_turn && self.config.connect.version.is_v5() {
            auth.properties.authentication_method = Some(method.clone());
            self.out.send(Packet::Auth(Box::new(auth)));
        }
    }

    /// Sends DISCONNECT and closes. On MQTT 5.0 the properties go with it: a session expiry changes that of the session,
    /// to 0 only where the CONNECT asked for 0 or nothing (MQTT 5.0 §3.14.2.2.2); a server reference is not a client's to
    /// give. Words and user properties that are more than the server takes are left out [MQTT-3.14.2-3].
    pub fn disconnect(&mut self, now: Now, reason: ReasonCode, properties: DisconnectProperties) {
        self.now = now;
        let asked = self.config.connect.properties.session_expiry_interval.unwrap_or(0);
        let v5 = self.version().is_v5();
        let session_expiry_interval =
            properties.session_expiry_interval.filter(|&expiry| v5 && (asked != 0 || expiry == 0));
        if let State::Connected(connected) = &mut self.state {
            if let Some(expiry) = session_expiry_interval {
                connected.session.start(expiry, true, &mut self.out);
            }
            let properties = if v5 {
                DisconnectProperties { session_expiry_interval, server_reference: None, ..properties }
            } else {
                DisconnectProperties::default()
            };
            let said = if v5 { reason } else { ReasonCode::NORMAL_DISCONNECTION };
            self.out.drop_held();
            self.out.send(Packet::Disconnect(Disconnect { reason: said, properties }));
        }
        self.close(End::Closed(reason), None, true);
    }

    /// `flush`: what was queued for sending still goes out.
    fn close(&mut self, end: End, farewell: Option<Box<Farewell>>, flush: bool) {
        let session = match std::mem::replace(&mut self.state, State::Closed(None)) {
            State::ExpectConnAck(session) => session,
            State::Connected(connected) => Box::new(connected.end()),
            closed @ State::Closed(_) => {
                self.state = closed;
                return;
            }
        };
        if flush {
            self.out.drop_held();
        } else {
            self.out.drop_unsent();
        }
        self.timers.clear_all();
        self.state = State::Closed(Some(session));
        self.out.event(Event::Ended { end: end.clone(), farewell });
        self.out.push(Output::Close(end));
    }
}

/// Why handling of a packet stops the connection.
#[derive(Debug)]
enum Stop {
    Violation(SpecViolation),
    Ended(End, Option<Box<Farewell>>),
}

impl From<SpecViolation> for Stop {
    fn from(violation: SpecViolation) -> Self {
        Self::Violation(violation)
    }
}

fn violation(rule: &'static crate::error::Rule) -> Stop {
    Stop::Violation(SpecViolation::of(rule))
}
