//! The session machines under any stream of packets, with an owner that does as the input says.

use std::num::NonZeroU16;
use std::time::Duration;

use bytes::BytesMut;

use crate::codec::{Decoder, encode};
use crate::packet::{Auth, AuthProperties, Connect, ConnectProperties, DisconnectProperties};
use crate::session::server::{self, Accepted, ConnectDecision};
use crate::session::{Delivery, Output, PublishToken, QueueLimits, Record, Seq, client};
use crate::time::{Monotonic, Now, Wall};
use crate::{EncodeError, Message, Packet, QoS, ReasonCode, TopicName, Version};

/// How many outputs one call may yield.
const OUTPUTS: usize = 10_000;

/// What the owner does next: the input's first bytes, over and over.
struct Will<'a> {
    bytes: std::iter::Cycle<std::slice::Iter<'a, u8>>,
}

impl Will<'_> {
    fn byte(&mut self) -> u8 {
        self.bytes.next().copied().unwrap_or_default()
    }

    fn qos(&mut self) -> QoS {
        QoS::from_u8(self.byte() % 3).unwrap_or_default()
    }

    fn reason(&mut self) -> ReasonCode {
        let at = usize::from(self.byte());
        let code = ReasonCode::ALL.get(at % (2 * ReasonCode::ALL.len())).copied();
        code.unwrap_or(ReasonCode::Success)
    }

    fn reasons(&mut self, count: usize) -> Vec<ReasonCode> {
        let valid = [0x00, 0x01, 0x02, 0x80, 0x87, 0x97];
        let pick = |byte: u8| valid.get(usize::from(byte) % valid.len()).copied().and_then(ReasonCode::from_u8);
        (0..count).filter_map(|_| pick(self.byte())).collect()
    }
}

/// What both machines have in common.
struct Bench<'a> {
    will: Will<'a>,
    now: Now,
    version: Version,
    /// The peer's Maximum Packet Size.
    maximum: Option<u32>,
    tokens: Vec<PublishToken>,
    unsafe_up_to: Seq,
    records: Vec<Record>,
    closed: bool,
}

impl<'a> Bench<'a> {
    fn new(script: &'a [u8], version: Version) -> Self {
        let script = if script.is_empty() { &[0] } else { script };
        Self {
            will: Will { bytes: script.iter().cycle() },
            now: Now { monotonic: Monotonic::default(), wall: Wall::from_millis(1_700_000_000_000) },
            version,
            maximum: None,
            tokens: Vec::new(),
            unsafe_up_to: 0,
            records: Vec::new(),
            closed: false,
        }
    }

    fn pass(&mut self) {
        let by = Duration::from_millis(u64::from(self.will.byte()) * 20 + 100);
        self.now = Now { monotonic: self.now.monotonic.after(by), wall: self.now.wall.after(by) };
    }

    /// Looks at what is no event; `false`: the machine is drained.
    fn take<E>(&mut self, output: Output<E>, events: &mut Vec<E>) -> bool {
        assert!(!self.closed || matches!(output, Output::Timeout(None) | Output::Persist(..)), "more after the end");
        let mut frame = BytesMut::new();
        let written = match output {
            Output::Send(packet) => encode(&packet, self.version, self.maximum, &mut frame),
            Output::Publish(publish) => publish.encode(self.version, self.maximum, &mut frame),
            Output::Persist(record, seq) => {
                assert_eq!(seq, self.unsafe_up_to + 1);
                self.unsafe_up_to = seq;
                self.records.push(record);
                Ok(())
            }
            Output::Event(event) => {
                events.push(event);
                Ok(())
            }
            Output::Close(_) => {
                self.closed = true;
                Ok(())
            }
            Output::Timeout(_) => return false,
        };
        assert!(matches!(written, Ok(()) | Err(EncodeError::PacketTooLarge { .. })), "{written:?}");
        true
    }

    /// A verdict for one of the messages that wait, or for one that does not.
    fn verdict(&mut self) -> Option<(PublishToken, ReasonCode)> {
        let at = usize::from(self.will.byte());
        let reason = self.will.reason();
        if at.is_multiple_of(3) || self.tokens.is_empty() {
            return None;
        }
        let token = self.tokens.get(at % self.tokens.len()).copied()?;
        if !at.is_multiple_of(5) {
            self.tokens.retain(|&waiting| waiting != token);
        }
        Some((token, reason))
    }

    fn message(&mut self) -> Option<Message> {
        let topic = TopicName::try_from(if self.will.byte().is_multiple_of(2) { "a" } else { "a/long/topic" }).ok()?;
        Some(Message::new(topic, bytes::Bytes::from(vec![b'x'; usize::from(self.will.byte() % 40)])))
    }
}

/// Splits an input: half a dozen bytes for the owner, the rest from the peer.
fn split(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at_checked(6).unwrap_or((bytes, &[]))
}

/// Feeds a stream to the server's machine: its first bytes steer the owner, the rest is what a client sends. After
/// loss of the connection the rest goes to another one with the same session.
pub fn server_machine(bytes: &[u8]) {
    let (script, stream) = split(bytes);
    let mut bench = Bench::new(script, Version::V3_1_1);
    let mut session = None;
    let mut rest = BytesMut::from(stream);
    for _ in 0..4 {
        session = server_connection(&mut bench, &mut rest, session);
        if rest.is_empty() {
            break;
        }
    }
}

fn server_connection(
    bench: &mut Bench<'_>,
    rest: &mut BytesMut,
    mut stored: Option<server::Session>,
) -> Option<server::Session> {
    let mut config = server::Config::default();
    config.limits.receive_maximum = NonZeroU16::new(u16::from(bench.will.byte() % 4) + 1)?;
    config.limits.outbound_topic_aliases = u16::from(bench.will.byte() % 3);
    config.limits.maximum_qos = bench.will.qos();
    let mut machine = server::Connection::new(bench.now, config);
    let mut decoder = Decoder::default();
    (bench.closed, bench.unsafe_up_to, bench.maximum) = (false, 0, None);
    while !bench.closed {
        bench.pass();
        let now = bench.now;
        let arrived = machine.wants_input().then(|| decoder.decode(rest));
        match arrived {
            None => {
                machine.handle_timeout(now);
                // An owner that holds everything back for ever is not what is looked at here.
                for token in std::mem::take(&mut bench.tokens) {
                    machine.complete(token, ReasonCode::Success);
                }
                machine.persisted(bench.unsafe_up_to);
            }
            Some(Ok(Some(packet))) => {
                if let Packet::Connect(connect) = &packet {
                    bench.maximum = connect.properties.maximum_packet_size.map(u32::from);
                }
                machine.handle_packet(now, packet);
            }
            Some(Ok(None)) => {
                rest.clear();
                machine.handle_close();
            }
            Some(Err(violation)) => {
                rest.clear();
                machine.handle_violation(violation, decoder.version());
            }
        }
        serve(bench, &mut machine, &mut stored);
        if bench.will.byte().is_multiple_of(4)
            && let Some(message) = bench.message()
        {
            let it = Delivery { retain: bench.will.byte() > 99, ..Delivery::new(message.into(), bench.will.qos()) };
            let _ = machine.deliver(now, it);
            serve(bench, &mut machine, &mut stored);
        }
        if let Some((token, reason)) = bench.verdict() {
            machine.complete(token, reason);
            serve(bench, &mut machine, &mut stored);
        }
        if bench.will.byte().is_multiple_of(8) {
            machine.handle_timeout(now);
            serve(bench, &mut machine, &mut stored);
        }
        machine.persisted(bench.unsafe_up_to.saturating_sub(u64::from(bench.will.byte() % 3)));
        serve(bench, &mut machine, &mut stored);
    }
    assert!(!machine.wants_input());
    let session = machine.take_session().or(stored)?;
    let snapshot = session.snapshot();
    let limits = QueueLimits::default();
    let restored = server::Session::restore(session.client_id().clone(), limits, snapshot.clone());
    assert_eq!(restored.map(|session| session.snapshot()), Some(snapshot));
    Some(session)
}

fn serve(bench: &mut Bench<'_>, machine: &mut server::Connection, stored: &mut Option<server::Session>) {
    for _ in 0..OUTPUTS {
        bench.version = machine.version();
        let mut events = Vec::new();
        let mut left = OUTPUTS;
        while bench.take(machine.poll_output(), &mut events) {
            left -= 1;
            assert!(left > 0, "the machine is never drained");
        }
        if events.is_empty() {
            return;
        }
        for event in events {
            answer(bench, machine, stored, event);
        }
    }
}

fn answer(
    bench: &mut Bench<'_>,
    machine: &mut server::Connection,
    stored: &mut Option<server::Session>,
    event: server::Event,
) {
    let now = bench.now;
    // Some decisions never come.
    let decides = bench.will.byte() % 16 != 15;
    match event {
        server::Event::Connect(connect) if decides => {
            let decision = match bench.will.byte() % 8 {
                0 => ConnectDecision::Refuse(bench.will.reason().into()),
                1 => ConnectDecision::Continue { data: None },
                _ => accept(stored, connect.client_id, bench.will.byte()),
            };
            let _ = machine.decide_connect(now, decision);
        }
        server::Event::Auth(auth) if decides => {
            if machine.is_connected() {
                let data = auth.properties.authentication_data;
                let answer = match bench.will.byte() % 2 {
                    0 => server::AuthDecision::Continue { data },
                    _ => server::AuthDecision::Accept { data },
                };
                machine.decide_auth(now, answer);
            } else {
                let _ = machine.decide_connect(now, accept(stored, "c".into(), bench.will.byte()));
            }
        }
        server::Event::Subscribe(subscribe) if decides => {
            let reasons = bench.will.reasons(subscribe.filters.len());
            machine.decide_subscribe(now, reasons, Some("words".into()));
        }
        server::Event::Unsubscribe(unsubscribe) if decides => {
            machine.decide_unsubscribe(now, vec![ReasonCode::Success; unsubscribe.filters.len()]);
        }
        server::Event::Publish(inbound) => bench.tokens.extend(inbound.token),
        _ => {}
    }
}

fn accept(stored: &mut Option<server::Session>, client_id: crate::ByteString, byte: u8) -> ConnectDecision {
    let session_present = stored.is_some();
    let new = || server::Session::new(client_id, QueueLimits { messages: 3, bytes: 100 });
    ConnectDecision::Accept(Box::new(Accepted {
        session: stored.take().unwrap_or_else(new),
        session_present,
        expiry_interval: u32::from(byte % 3) * 10,
        assigned_client_id: byte > 128,
        authentication_data: None,
        welcome: server::Welcome::default(),
    }))
}

/// Feeds a stream to the client's machine: its first bytes steer the application, the rest is what a server sends.
/// The first byte's lowest bit chooses the version: 0 is MQTT 3.1.1.
pub fn client_machine(bytes: &[u8]) {
    let (script, stream) = split(bytes);
    let version = if bytes.first().is_some_and(|byte| byte % 2 == 1) { Version::V5 } else { Version::V3_1_1 };
    let mut bench = Bench::new(script, version);
    let mut session = client::Session::new(QueueLimits { messages: 5, bytes: 200 });
    let mut rest = BytesMut::from(stream);
    for _ in 0..4 {
        session = client_connection(&mut bench, &mut rest, session);
        if rest.is_empty() {
            break;
        }
    }
}

fn connect_packet(bench: &mut Bench<'_>) -> Connect {
    let v5 = bench.version.is_v5();
    let byte = bench.will.byte();
    Connect {
        version: bench.version,
        clean_start: byte.is_multiple_of(4),
        keep_alive: u16::from(byte % 5),
        client_id: "c".into(),
        username: None,
        password: None,
        will: None,
        properties: ConnectProperties {
            session_expiry_interval: (v5 && !byte.is_multiple_of(3)).then_some(u32::from(byte)),
            receive_maximum: NonZeroU16::new(u16::from(byte % 6)).filter(|_| v5),
            topic_alias_maximum: v5.then_some(u16::from(byte % 4)),
            authentication_method: (v5 && byte > 100).then(|| "m".into()),
            ..ConnectProperties::default()
        },
    }
}

fn client_connection(bench: &mut Bench<'_>, rest: &mut BytesMut, session: client::Session) -> client::Session {
    let config = client::Config {
        connect: connect_packet(bench),
        connect_timeout: Duration::from_secs(10),
        receive_maximum: u16::from(bench.will.byte() % 4),
        outbound_topic_aliases: u16::from(bench.will.byte() % 3),
    };
    (bench.closed, bench.unsafe_up_to, bench.maximum) = (false, 0, None);
    let mut decoder = Decoder::for_client(bench.version, u32::MAX);
    let mut machine = client::Connection::new(bench.now, config, session);
    use_it(bench, &mut machine);
    while !bench.closed {
        bench.pass();
        let now = bench.now;
        let arrived = machine.wants_input().then(|| decoder.decode(rest));
        match arrived {
            None => machine.handle_timeout(now),
            Some(Ok(Some(packet))) => {
                if let Packet::ConnAck(ack) = &packet {
                    bench.maximum = ack.properties.maximum_packet_size.map(u32::from);
                }
                machine.handle_packet(now, packet);
            }
            Some(Ok(None)) => {
                rest.clear();
                machine.handle_close();
            }
            Some(Err(violation)) => {
                rest.clear();
                machine.handle_violation(now, violation);
            }
        }
        use_it(bench, &mut machine);
        if let Some((token, reason)) = bench.verdict() {
            machine.complete(now, token, reason);
        }
        if !machine.wants_input() {
            // An application that holds everything back is not what is looked at here.
            for token in std::mem::take(&mut bench.tokens) {
                machine.complete(now, token, ReasonCode::Success);
            }
            machine.persisted(bench.unsafe_up_to);
        }
        use_it(bench, &mut machine);
    }
    assert!(!machine.wants_input());
    let session = machine.take_session().unwrap_or_default();
    let snapshot = session.snapshot();
    let restored = client::Session::restore(QueueLimits::default(), snapshot.clone());
    assert_eq!(restored.map(|session| session.snapshot()), Some(snapshot));
    session
}

fn use_it(bench: &mut Bench<'_>, machine: &mut client::Connection) {
    let now = bench.now;
    match bench.will.byte() % 8 {
        0 | 1 => {
            if let Some(message) = bench.message() {
                let it = client::Outgoing { message, qos: bench.will.qos(), retain: bench.will.byte() > 200 };
                let _ = machine.publish(now, it);
            }
        }
        2 => machine.handle_timeout(now),
        3 => {
            let auth = Auth { reason: ReasonCode::ReAuthenticate, properties: AuthProperties::default() };
            machine.auth(now, auth);
        }
        4 if bench.will.byte() > 240 => {
            let expiry = u32::from(now.wall.as_secs().is_multiple_of(2));
            let properties =
                DisconnectProperties { session_expiry_interval: Some(expiry), ..DisconnectProperties::default() };
            machine.disconnect(now, ReasonCode::Success, properties)
        }
        _ => {}
    }
    let mut events = Vec::new();
    let mut left = OUTPUTS;
    while bench.take(machine.poll_output(), &mut events) {
        left -= 1;
        assert!(left > 0, "the machine is never drained");
    }
    for event in events {
        if let client::Event::Message(incoming) = event {
            bench.tokens.extend(incoming.token);
        }
    }
    machine.persisted(bench.unsafe_up_to.saturating_sub(u64::from(bench.will.byte() % 3)));
    while bench.take(machine.poll_output(), &mut Vec::new()) {}
}
