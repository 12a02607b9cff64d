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

mod config;
mod connected;
mod connecting;
mod event;
mod session;

use bytestring::ByteString;

pub use self::config::{Config, Limits};
use self::connected::Connected;
pub use self::event::{Accepted, AuthDecision, ConnectDecision, Event, Inbound, Welcome};
pub use self::session::{Session, Subscription};
use super::inbound::PublishToken;
use super::outputs::{Output, Outputs, Seq};
use super::timer::{Timer, TimerTable};
use super::{Admitted, Delivery, End, More, Stage, Verdict, rules};
use crate::packet::{
    AckProperties, ConnAck, ConnAckProperties, Connect, Disconnect, DisconnectProperties, PacketType, UserProperties,
    Will,
};
use crate::time::Now;
use crate::{Packet, ReasonCode, SpecViolation, Version};

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
    /// has as many publishes to be completed as the receive maximum says, nor while the CONNACK or some thousands of
    /// other packets wait for records to be stored. Ask again after every call.
    #[must_use]
    pub fn wants_input(&self) -> bool {
        match &self.state {
            State::ExpectConnect | State::ExpectAuth(_) => true,
            State::AwaitDecision(_) | State::Closed(_) => false,
            State::Connected(connected) => connected.wants_input(&self.config.limits) && self.out.has_room(),
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
        let Some(mut output) = self.out.pop() else { return Output::Timeout(self.timers.next()) };
        if let (Output::Publish(publish), State::Connected(connected)) = (&mut output, &mut self.state) {
            connected.session.outbound.choose_alias(publish);
        }
        output
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
        let violation = match self.version {
            Some(version) => violation.on(version),
            None => violation,
        };
        let reason = violation.reason();
        match self.state {
            State::Closed(_) => return,
            State::Connected(_) => self.send_disconnect(reason, Some(ByteString::from(violation.detail()))),
            _ => {
                // 3.1.1 has a return code only for the version and the client identifier.
                let version_refused = reason == ReasonCode::UnsupportedProtocolVersion;
                let identifier_refused = reason == ReasonCode::ClientIdentifierNotValid;
                if self.version().is_v5() || version_refused || identifier_refused {
                    let words = Some(ByteString::from(violation.detail()));
                    self.send_refusal(Verdict { words, ..Verdict::from(reason) });
                }
            }
        }
        self.close(End::Violation(violation), true);
    }

    /// The transport closed or failed.
    pub fn handle_close(&mut self) {
        self.close(End::ConnectionLost, false);
    }

    /// What the client may have sent was not read until now: its silence so far is not held against it.
    pub fn excuse_silence(&mut self, now: Now) {
        if let State::Connected(connected) = &mut self.state {
            connected.heard(now);
        }
    }

    /// Time has passed.
    pub fn handle_timeout(&mut self, now: Now) {
        while let Some(timer) = self.timers.expire(now.monotonic) {
            match timer {
                Timer::Connect => {
                    let stage = if matches!(self.state, State::ExpectConnect) { Stage::Connect } else { Stage::Auth };
                    if self.is_connected() {
                        self.send_disconnect(ReasonCode::NotAuthorized, None);
                    }
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
        // Where this side does not read, or did not until just now, the client's silence proves nothing.
        let excused = !wants_input || connected.is_excused();
        if excused {
            connected.heard(now);
        }
        let due = if excused { connected.silent_at().unwrap_or(due) } else { due };
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
                let is_refused = connected.refuse_pending(now, &self.config.limits, &mut self.out);
                if !is_refused {
                    self.send_disconnect(ReasonCode::ServerBusy, None);
                    self.close(End::Deadline(Stage::Decision), true);
                }
            }
            _ => {}
        }
    }

    /// Records up to `seq` are safe.
    pub fn persisted(&mut self, seq: Seq) {
        if self.out.is_first_due() {
            // Not read before its CONNACK, a client has nothing to be excused of: it waits for that.
            self.out.persisted(seq);
        } else {
            self.reading_again(|this| this.out.persisted(seq));
        }
    }

    /// Notes when `change` has input wanted that was not.
    fn reading_again(&mut self, change: impl FnOnce(&mut Self)) {
        let wanted = self.wants_input();
        change(self);
        if !wanted
            && self.wants_input()
            && let State::Connected(connected) = &mut self.state
        {
            connected.excuse();
        }
    }

    /// Ends the connection from this side; `words` go to an MQTT 5.0 client.
    pub fn disconnect(&mut self, reason: ReasonCode, words: Option<ByteString>) {
        self.disconnect_with(Verdict { words, ..Verdict::from(reason) });
    }

    /// As [`disconnect`](Self::disconnect), with all that a DISCONNECT can say.
    pub fn disconnect_with(&mut self, verdict: Verdict) {
        let reason = verdict.reason;
        match self.state {
            State::Closed(_) => return,
            State::Connected(_) => self.send_disconnect_with(verdict),
            // CONNACK answers a CONNECT, and there is none.
            State::ExpectConnect => {}
            State::AwaitDecision(_) | State::ExpectAuth(_) => self.send_refusal(verdict),
        }
        self.close(End::Closed(reason), true);
    }

    /// Words that may be sent: on MQTT 5.0, to a client that wants them [MQTT-3.1.2-29].
    fn words(&self, words: Option<ByteString>) -> Option<ByteString> {
        words.filter(|_| self.version().is_v5() && self.problem_information)
    }

    /// User properties that may be sent, as [`words`](Self::words).
    fn user_properties(&self, properties: UserProperties) -> UserProperties {
        if self.version().is_v5() && self.problem_information { properties } else { UserProperties::new() }
    }

    fn ack_properties(&self, properties: AckProperties) -> AckProperties {
        let AckProperties { reason_string, user_properties } = properties;
        AckProperties {
            reason_string: self.words(reason_string),
            user_properties: self.user_properties(user_properties),
        }
    }

    fn send_disconnect(&mut self, reason: ReasonCode, words: Option<ByteString>) {
        self.send_disconnect_with(Verdict { words, ..Verdict::from(reason) });
    }

    fn send_disconnect_with(&mut self, verdict: Verdict) {
        // Not before the CONNACK [MQTT-3.14.0-1].
        if self.version().is_v5() && !self.out.is_first_due() {
            let Verdict { reason, words, more } = verdict;
            let More { user_properties, server_reference } = more.map(|more| *more).unwrap_or_default();
            let properties = DisconnectProperties {
                reason_string: self.words(words),
                user_properties: self.user_properties(user_properties),
                server_reference,
                ..DisconnectProperties::default()
            };
            let reason = if reason.valid_in(PacketType::Disconnect) { reason } else { ReasonCode::UnspecifiedError };
            self.out.drop_held();
            self.out.send(Packet::Disconnect(Disconnect { reason, properties }));
        }
    }

    /// Answers the CONNECT with a failure. Where the version has no code for it, the connection is only closed
    /// [MQTT-3.2.2-6 of 3.1.1].
    fn send_refusal(&mut self, refused: Verdict) {
        let Verdict { reason, words, more } = refused;
        let reason = if reason.valid_in(PacketType::ConnAck) { reason } else { ReasonCode::ServerUnavailable };
        if self.version().is_v5() || reason.to_v3_connect_code().is_some() {
            let More { user_properties, server_reference } = more.map(|more| *more).unwrap_or_default();
            let properties = ConnAckProperties {
                reason_string: self.words(words),
                user_properties: self.user_properties(user_properties),
                server_reference: server_reference.filter(|_| self.version().is_v5()),
                ..ConnAckProperties::default()
            };
            self.out.send(Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties })));
        }
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
        let Verdict { reason, words, more } = verdict.into();
        let more = more.filter(|_| self.problem_information);
        let verdict = Verdict { reason, words: self.words(words), more };
        self.reading_again(|this| match &mut this.state {
            State::Connected(connected) => connected.session.complete(token, verdict, &mut this.out),
            State::Closed(Some(session)) => session.complete(token, verdict, &mut this.out),
            _ => {}
        });
    }

    /// The message will not be judged: it stays unacknowledged, and comes again on the next connection of the session.
    /// Until then the acknowledgements of later messages wait behind it.
    pub fn abandon(&mut self, token: PublishToken) {
        match &mut self.state {
            State::Connected(connected) => connected.session.inbound.abandon(token),
            State::Closed(Some(session)) => session.inbound.abandon(token),
            _ => {}
        }
    }

    /// Sets how much may wait for the client.
    pub fn set_queue_limits(&mut self, limits: super::QueueLimits) {
        match &mut self.state {
            State::Connected(connected) => connected.session.set_queue_limits(limits),
            State::Closed(Some(session)) => session.set_queue_limits(limits),
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

    /// Answers a SUBSCRIBE, one reason per filter; grants become subscriptions of the session, at the QoS that was
    /// asked for and at the server's maximum at most. `false`: none is due (its deadline has passed, or the
    /// connection has ended), and nothing was changed.
    pub fn decide_subscribe(&mut self, now: Now, reasons: Vec<ReasonCode>, words: Option<ByteString>) -> bool {
        self.decide_subscribe_with(now, reasons, AckProperties { reason_string: words, ..AckProperties::default() })
    }

    /// As [`decide_subscribe`](Self::decide_subscribe), with all that a SUBACK can say.
    pub fn decide_subscribe_with(&mut self, now: Now, reasons: Vec<ReasonCode>, said: AckProperties) -> bool {
        let said = self.ack_properties(said);
        let Some((connected, config, timers, out)) = self.connected() else { return false };
        let decided = connected.decide_subscribe(now, reasons, said, &config.limits, out);
        if decided {
            timers.clear(Timer::Decision);
        }
        decided
    }

    /// Answers an UNSUBSCRIBE, one reason per filter; filters without a failure are given up. `false` as above.
    pub fn decide_unsubscribe(&mut self, now: Now, reasons: Vec<ReasonCode>) -> bool {
        self.decide_unsubscribe_with(now, reasons, AckProperties::default())
    }

    /// As [`decide_unsubscribe`](Self::decide_unsubscribe), with all that an UNSUBACK can say.
    pub fn decide_unsubscribe_with(&mut self, now: Now, reasons: Vec<ReasonCode>, said: AckProperties) -> bool {
        let said = self.ack_properties(said);
        let Some((connected, _, timers, out)) = self.connected() else { return false };
        let decided = connected.decide_unsubscribe(now, reasons, said, out);
        if decided {
            timers.clear(Timer::Decision);
        }
        decided
    }

    /// Makes a subscription on the server's behalf, or changes one.
    pub fn add_subscription(&mut self, filter: crate::SubscriptionFilter, how: Subscription) {
        if let Some((connected, _, _, out)) = self.connected() {
            connected.session.subscribe(filter, how, out);
        }
    }

    /// Gives a subscription up on the server's behalf.
    pub fn drop_subscription(&mut self, filter: &crate::SubscriptionFilter) {
        if let Some((connected, _, _, out)) = self.connected() {
            connected.session.unsubscribe(filter, out);
        }
    }

    /// Takes out deliveries that `choose` picks among those that are unacknowledged QoS 1 or not sent at all. What
    /// was sent on a connection that is up stays.
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
