//! The server's side of a connection, and the session that outlives it.
//!
//! ```text
//!                 CONNECT                decide_connect(Accept)
//!  ExpectConnect ─────────▶ AwaitDecision ─────────────────────▶ Connected ──▶ Closed
//!        │                    │      ▲                              │             ▲
//!        │                    │      └── AUTH ── ExpectAuth ◀─┐     └── DISCONNECT, loss,
//!        │                    └── decide_connect(Continue) ───┘         violation, deadline,
//!        └── deadline, violation ─▶ Closed ◀── decide_connect(Refuse)   disconnect() ──┘
//! ```

mod connected;
mod connecting;
mod session;

use std::num::{NonZeroU16, NonZeroU32};
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;

use self::connected::Connected;
pub use self::session::{Session, Subscription};
use super::inbound::PublishToken;
use super::outputs::{Output, Outputs, Seq};
use super::timer::{Timer, TimerTable};
use super::{Admitted, Delivery, End, Stage, Verdict, rules};
use crate::packet::{
    Auth, ConnAck, ConnAckProperties, Connect, Disconnect, DisconnectProperties, Subscribe, Unsubscribe, Will,
};
use crate::time::Now;
use crate::{Message, Packet, QoS, ReasonCode, SpecViolation, Version};

/// What a server announces in CONNACK and then enforces.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field over the default")]
pub struct Limits {
    /// Highest QoS that clients may publish at; subscriptions are granted at most this. Default 2.
    pub maximum_qos: QoS,
    /// Unacknowledged QoS > 0 PUBLISH taken at once; on 3.1.1 reading stops there. Default 1,000.
    pub receive_maximum: NonZeroU16,
    /// Largest packet taken, in bytes, enforced by the decoder. Default 1 MiB.
    pub maximum_packet_size: NonZeroU32,
    /// Topic aliases that a client may set. Default 16.
    pub topic_alias_maximum: u16,
    /// Topic aliases that the server sets at most, where the client takes them. Default 0: a message is then
    /// encoded once for all its subscribers.
    pub outbound_topic_aliases: u16,
    /// Whether messages may be retained. Default yes.
    pub retain_available: bool,
    /// Whether subscriptions may have wildcards. Default yes.
    pub wildcard_subscription_available: bool,
    /// Whether subscriptions may have identifiers. Default yes.
    pub subscription_identifiers_available: bool,
    /// Whether `$share` works. Default yes.
    pub shared_subscription_available: bool,
    /// Longest keep-alive, in seconds; longer ones and 0 are lowered to it (MQTT 5.0 only). Default none.
    pub keep_alive_maximum: Option<NonZeroU16>,
    /// Messages sent and not acknowledged at most, where the client's Receive Maximum is higher. Default 1,000.
    pub outbound_window: NonZeroU16,
}

impl Default for Limits {
    fn default() -> Self {
        const THOUSAND: NonZeroU16 = NonZeroU16::new(1000).unwrap();
        const MEBIBYTE: NonZeroU32 = NonZeroU32::new(1 << 20).unwrap();
        Self {
            maximum_qos: QoS::ExactlyOnce,
            receive_maximum: THOUSAND,
            maximum_packet_size: MEBIBYTE,
            topic_alias_maximum: 16,
            outbound_topic_aliases: 0,
            retain_available: true,
            wildcard_subscription_available: true,
            subscription_identifiers_available: true,
            shared_subscription_available: true,
            keep_alive_maximum: None,
            outbound_window: THOUSAND,
        }
    }
}

/// How a [`Connection`] behaves.
#[derive(Debug, Clone)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field over the default")]
pub struct Config {
    /// From the connection's start to its CONNECT, and from each server AUTH to the client's. Default 10 s.
    pub connect_timeout: Duration,
    /// For the owner to decide. Default 10 s.
    pub decision_timeout: Duration,
    /// What is announced and enforced.
    pub limits: Limits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            decision_timeout: Duration::from_secs(10),
            limits: Limits::default(),
        }
    }
}

/// Something for the owner.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "an owner must handle every one")]
pub enum Event {
    /// Answer with [`Connection::decide_connect`].
    Connect(Box<Connect>),
    /// A step of enhanced authentication. Before the CONNACK answer with [`Connection::decide_connect`], later with
    /// [`Connection::decide_auth`].
    Auth(Box<Auth>),
    /// A message. With a token, answer with [`Connection::complete`].
    Publish(Inbound),
    /// Answer with [`Connection::decide_subscribe`].
    Subscribe(Box<Subscribe>),
    /// Answer with [`Connection::decide_unsubscribe`].
    Unsubscribe(Box<Unsubscribe>),
    /// A delivery of QoS 1 or 2 is done with.
    Delivered {
        /// Which.
        position: super::Position,
        /// What the client said.
        reason: ReasonCode,
    },
    /// The connection is over. The session can be taken with [`Connection::take_session`].
    Ended {
        /// Why.
        end: End,
        /// To be published, after its delay.
        will: Option<Box<Will>>,
    },
}

/// A message that the client published.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "plain data of an event")]
pub struct Inbound {
    /// For [`Connection::complete`]; absent for QoS 0.
    pub token: Option<PublishToken>,
    /// The message, its topic alias resolved.
    pub message: Message,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is to be retained.
    pub retain: bool,
    /// Whether the client marked it as sent before.
    pub dup: bool,
}

/// The owner's answer to a CONNECT.
#[derive(Debug)]
#[allow(clippy::exhaustive_enums, reason = "the standard has these three")]
pub enum ConnectDecision {
    /// The client is in.
    Accept(Box<Accepted>),
    /// It is not.
    Refuse(Verdict),
    /// Enhanced authentication goes on; only for a CONNECT with an authentication method.
    Continue {
        /// Data for the client.
        data: Option<Bytes>,
    },
}

/// What an accepted client gets.
#[derive(Debug)]
#[allow(clippy::exhaustive_structs, reason = "callers build it field by field")]
pub struct Accepted {
    /// Its session, new or resumed; its client identifier is the effective one.
    pub session: Session,
    /// Whether the session existed.
    pub session_present: bool,
    /// Seconds that the session outlives the connection.
    pub expiry_interval: u32,
    /// Whether the client identifier was chosen by the server.
    pub assigned_client_id: bool,
    /// Data that ends enhanced authentication.
    pub authentication_data: Option<Bytes>,
}

#[derive(Debug)]
enum State {
    ExpectConnect,
    AwaitDecision(Box<Connect>),
    ExpectAuth(Box<Connect>),
    Connected(Box<Connected>),
    Closed(Option<Box<Session>>),
}

/// The server's machine for one connection.
#[derive(Debug)]
pub struct Connection {
    config: Config,
    state: State,
    version: Option<Version>,
    /// Whether reason strings may be sent (MQTT 5.0 §3.1.2.11.7).
    problem_information: bool,
    timers: TimerTable,
    out: Outputs<Event>,
}

impl Connection {
    /// A connection whose transport is open; CONNECT is due.
    #[must_use]
    pub fn new(now: Now, config: Config) -> Self {
        let mut timers = TimerTable::default();
        timers.set(Timer::Connect, now.monotonic.after(config.connect_timeout));
        Self {
            config,
            state: State::ExpectConnect,
            version: None,
            problem_information: true,
            timers,
            out: Outputs::default(),
        }
    }

    /// The version to encode with: the client's, once known.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version.unwrap_or(Version::V3_1_1)
    }

    /// Whether the next packet may be handed in. While a decision is due it may not, nor while an MQTT 3.1.1 client
    /// has as many publishes to be completed as the receive maximum says.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match &self.state {
            State::ExpectConnect | State::ExpectAuth(_) => true,
            State::AwaitDecision(_) | State::Closed(_) => false,
            State::Connected(connected) => connected.wants_input(&self.config.limits),
        }
    }

    /// Whether the client is in.
    #[must_use]
    pub const fn is_connected(&self) -> bool {
        matches!(self.state, State::Connected(_))
    }

    /// The session of a connected client.
    #[must_use]
    pub fn session(&self) -> Option<&Session> {
        match &self.state {
            State::Connected(connected) => Some(&connected.session),
            State::Closed(session) => session.as_deref(),
            _ => None,
        }
    }

    /// The will that a connected client left.
    #[must_use]
    pub fn will(&self) -> Option<&Will> {
        match &self.state {
            State::Connected(connected) => connected.will.as_deref(),
            _ => None,
        }
    }

    /// Takes the session out of a connection that has ended.
    pub fn take_session(&mut self) -> Option<Session> {
        match &mut self.state {
            State::Closed(session) => session.take().map(|session| *session),
            _ => None,
        }
    }

    /// The next thing to do; drain until [`Output::Timeout`].
    #[must_use]
    pub fn poll_output(&mut self) -> Output<Event> {
        self.out.pop().unwrap_or_else(|| Output::Timeout(self.timers.next()))
    }

    /// A packet arrived. Not to be called while [`wants_input`](Self::wants_input) is false: the packet then ends
    /// the connection, since it could neither be answered nor kept without bound.
    pub fn handle_packet(&mut self, now: Now, packet: Packet) {
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        if !self.wants_input() {
            return self.close(End::Closed(ReasonCode::ServerBusy), true);
        }
        let outcome = match &mut self.state {
            State::ExpectConnect => self.first_packet(now, packet),
            State::ExpectAuth(_) => self.auth_packet(now, packet),
            State::Connected(connected) => {
                connected.handle_packet(now, packet, &self.config, &mut self.timers, &mut self.out)
            }
            State::AwaitDecision(_) | State::Closed(_) => Ok(()),
        };
        match outcome {
            Ok(()) => {}
            Err(Stop::Violation(violation)) => self.handle_violation(violation, None),
            Err(Stop::Disconnected(reason)) => self.close(End::PeerDisconnected(reason), false),
        }
    }

    /// The decoder refused what arrived. `version`: what the decoder knows of the client's version.
    pub fn handle_violation(&mut self, violation: SpecViolation, version: Option<Version>) {
        self.version = self.version.or(version);
        let reason = violation.reason();
        match self.state {
            State::Closed(_) => return,
            State::Connected(_) => self.send_disconnect(reason, Some(ByteString::from(violation.detail()))),
            _ => {
                // 3.1.1 has a return code only for the version and the client identifier.
                let version_refused = reason == ReasonCode::UnsupportedProtocolVersion;
                let identifier_refused = reason == ReasonCode::ClientIdentifierNotValid;
                if self.version.is_some_and(Version::is_v5) || version_refused || identifier_refused {
                    self.send_refusal(Verdict { reason, words: Some(ByteString::from(violation.detail())) });
                }
            }
        }
        self.close(End::Violation(violation), true);
    }

    /// The transport closed or failed.
    pub fn handle_close(&mut self) {
        self.close(End::ConnectionLost, false);
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.monotonic) {
            match timer {
                Timer::Connect => {
                    let stage = if matches!(self.state, State::ExpectConnect) { Stage::Connect } else { Stage::Auth };
                    self.close(End::Deadline(stage), true);
                }
                Timer::Decision => self.decision_missed(now),
                Timer::KeepAlive => self.silence(now),
                Timer::PingResponse => {}
            }
        }
    }

    fn silence(&mut self, now: Now) {
        let wants_input = self.wants_input();
        let State::Connected(connected) = &mut self.state else { return };
        let Some(due) = connected.silent_at() else { return };
        if !wants_input {
            // This side does not read, so the client's silence proves nothing.
            connected.heard(now);
        }
        let due = if wants_input { due } else { connected.silent_at().unwrap_or(due) };
        if due <= now.monotonic {
            self.send_disconnect(ReasonCode::KeepAliveTimeout, None);
            self.close(End::KeepAliveTimeout, true);
        } else {
            self.timers.set(Timer::KeepAlive, due);
        }
    }

    fn decision_missed(&mut self, now: Now) {
        match &mut self.state {
            State::AwaitDecision(_) => {
                self.send_refusal(ReasonCode::ServerUnavailable.into());
                self.close(End::Deadline(Stage::Decision), true);
            }
            State::Connected(connected) => {
                if connected.refuse_pending(now, &mut self.out) {
                    self.send_disconnect(ReasonCode::ServerUnavailable, None);
                    self.close(End::Deadline(Stage::Decision), true);
                }
            }
            _ => {}
        }
    }

    /// Records up to `seq` are safe.
    pub fn persisted(&mut self, seq: Seq) {
        self.out.persisted(seq);
    }

    /// Ends the connection from this side; `words` go to an MQTT 5.0 client.
    pub fn disconnect(&mut self, reason: ReasonCode, words: Option<ByteString>) {
        match self.state {
            State::Closed(_) => return,
            State::Connected(_) => self.send_disconnect(reason, words),
            _ => self.send_refusal(Verdict { reason, words }),
        }
        self.close(End::Closed(reason), true);
    }

    fn send_disconnect(&mut self, reason: ReasonCode, words: Option<ByteString>) {
        if self.version().is_v5() {
            let reason_string = words.filter(|_| self.problem_information);
            let properties = DisconnectProperties { reason_string, ..DisconnectProperties::default() };
            self.out.drop_held();
            self.out.send(Packet::Disconnect(Disconnect { reason, properties }));
        }
    }

    fn send_refusal(&mut self, refused: Verdict) {
        let properties = ConnAckProperties {
            reason_string: refused.words.filter(|_| self.problem_information),
            ..ConnAckProperties::default()
        };
        self.out.send(Packet::ConnAck(Box::new(ConnAck { session_present: false, reason: refused.reason, properties })));
    }

    /// `flush`: what was queued for sending still goes out.
    fn close(&mut self, end: End, flush: bool) {
        if matches!(self.state, State::Closed(_)) {
            return;
        }
        if flush {
            self.out.drop_held();
        } else {
            self.out.drop_unsent();
        }
        self.timers.clear_all();
        let (session, will) = match std::mem::replace(&mut self.state, State::Closed(None)) {
            State::Connected(connected) => {
                let (session, will) = connected.end(&end);
                (Some(Box::new(session)), will)
            }
            _ => (None, None),
        };
        self.state = State::Closed(session);
        self.out.event(Event::Ended { end: end.clone(), will });
        self.out.push(Output::Close(end));
    }

    fn connected(&mut self) -> Option<(&mut Connected, &Config, &mut TimerTable, &mut Outputs<Event>)> {
        match &mut self.state {
            State::Connected(connected) => Some((connected, &self.config, &mut self.timers, &mut self.out)),
            _ => None,
        }
    }

    /// Releases the acknowledgement of a PUBLISH, in the order of receipt. The connection may have ended: for QoS 2
    /// the verdict belongs to the session. Unknown tokens change nothing.
    pub fn complete(&mut self, token: PublishToken, verdict: impl Into<Verdict>) {
        let mut verdict = verdict.into();
        verdict.words = verdict.words.filter(|_| self.problem_information);
        match &mut self.state {
            State::Connected(connected) => connected.session.complete(token, verdict, &mut self.out),
            State::Closed(Some(session)) => session.complete(token, verdict, &mut self.out),
            _ => {}
        }
    }

    /// Sends a message to the client, now or when its window has room.
    pub fn deliver(&mut self, now: Now, delivery: Delivery) -> Admitted {
        match &mut self.state {
            State::Connected(connected) => connected.session.deliver_into(now.wall, delivery, &mut self.out),
            State::Closed(Some(session)) => session.deliver_into(now.wall, delivery, &mut self.out),
            _ => Admitted::Dropped,
        }
    }

    /// Answers a SUBSCRIBE, one reason per filter; grants become subscriptions of the session. `false`: none is due
    /// (its deadline has passed, or the connection has ended), and nothing was changed.
    pub fn decide_subscribe(&mut self, now: Now, reasons: Vec<ReasonCode>, words: Option<ByteString>) -> bool {
        let words = words.filter(|_| self.problem_information);
        let Some((connected, _, timers, out)) = self.connected() else { return false };
        let decided = connected.decide_subscribe(now, reasons, words, out);
        if decided {
            timers.clear(Timer::Decision);
        }
        decided
    }

    /// Answers an UNSUBSCRIBE, one reason per filter; filters without a failure are given up. `false` as above.
    pub fn decide_unsubscribe(&mut self, now: Now, reasons: Vec<ReasonCode>) -> bool {
        let Some((connected, _, timers, out)) = self.connected() else { return false };
        let decided = connected.decide_unsubscribe(now, reasons, out);
        if decided {
            timers.clear(Timer::Decision);
        }
        decided
    }

    /// Gives a subscription up on the server's behalf.
    pub fn drop_subscription(&mut self, filter: &crate::SubscriptionFilter) {
        if let Some((connected, _, _, out)) = self.connected() {
            connected.session.unsubscribe(filter, out);
        }
    }

    /// Takes out deliveries that `choose` picks among those that are unacknowledged QoS 1 or not sent at all.
    pub fn take_out(&mut self, choose: impl Fn(&Delivery) -> bool) -> Vec<Delivery> {
        match &mut self.state {
            State::Connected(connected) => connected.session.take_out(choose, &mut self.out),
            State::Closed(Some(session)) => session.take_out(choose, &mut self.out),
            _ => Vec::new(),
        }
    }
}

/// Why handling of a packet stops the connection.
#[derive(Debug)]
enum Stop {
    Violation(SpecViolation),
    Disconnected(ReasonCode),
}

impl From<SpecViolation> for Stop {
    fn from(violation: SpecViolation) -> Self {
        Self::Violation(violation)
    }
}

fn violation(rule: &'static crate::error::Rule) -> Stop {
    Stop::Violation(SpecViolation::of(rule))
}

#[cfg(test)]
mod tests;
