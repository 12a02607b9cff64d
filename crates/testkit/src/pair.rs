//! A client's and a server's machine on a fake clock, with links, stores and owners between and behind them that are
//! late, lose connections and crash as a seed says.
//!
//! Every byte is encoded and decoded. Each side has a journal, the store of its session and of what its owner did;
//! only what is durable survives a crash. On the wire the pair checks windows, identifiers and DUP as it goes; what
//! became of the messages is asked at the end, see [`Pair::check`].

mod actions;
mod drive;
mod journal;
mod mishaps;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gridmq_proto::codec::Decoder;
use gridmq_proto::packet::Connect;
use gridmq_proto::session::{Delivery, End, QueueLimits, client, server};
use gridmq_proto::time::{Monotonic, Now, Wall};
use gridmq_proto::{Message, QoS, SharedMessage, TopicName};

use self::actions::Action;
use self::journal::Journal;
use self::wire::Wire;

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Side {
    /// The client.
    Client,
    /// The server.
    Server,
}

/// How a pair behaves.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where all chance comes from.
    pub seed: u64,
    /// What the client sends, each time.
    pub connect: Connect,
    /// How the server behaves.
    pub server: server::Config,
    /// What a 3.1.1 client takes at once.
    pub receive_maximum: u16,
    /// Topic aliases that the client uses at most.
    pub client_aliases: u16,
    /// How long bytes travel.
    pub latency: RangeInclusive<Duration>,
    /// One in so many pieces takes the connection down; 0: none.
    pub loss: u32,
    /// A lost connection is closed at both ends; otherwise nobody is told.
    pub loss_is_told: bool,
    /// How long the owners take for each message.
    pub completion: RangeInclusive<Duration>,
    /// How long the server's owner takes for each decision.
    pub decision: RangeInclusive<Duration>,
    /// How long the stores take.
    pub storing: RangeInclusive<Duration>,
    /// How long the client waits before it connects again.
    pub back_off: Duration,
}

impl Settings {
    /// A perfect world: everything at once.
    pub fn new(seed: u64, connect: Connect) -> Self {
        let zero = Duration::ZERO..=Duration::ZERO;
        Self {
            seed,
            connect,
            server: server::Config::default(),
            receive_maximum: 5,
            client_aliases: 0,
            latency: zero.clone(),
            loss: 0,
            loss_is_told: true,
            completion: zero.clone(),
            decision: zero.clone(),
            storing: zero,
            back_off: Duration::from_millis(100),
        }
    }
}

/// Xorshift.
#[derive(Debug)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn within(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        let (low, high) = (range.start().as_micros() as u64, range.end().as_micros() as u64);
        Duration::from_micros(low + self.next() % (high - low + 1))
    }
}

/// A machine with what a driver keeps for it.
#[derive(Debug)]
struct Driven<M> {
    /// The connection's number.
    number: u32,
    machine: M,
    incoming: BytesMut,
    decoder: Decoder,
    deadline: Option<Monotonic>,
    closed: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Pair {
    /// How it behaves; may be changed on the way.
    pub settings: Settings,
    /// The fake clock.
    pub now: Now,
    random: Random,
    schedule: BTreeMap<(Monotonic, u64), Action>,
    scheduled: u64,
    /// When the last bytes in that direction arrive: none overtake.
    arrives: BTreeMap<(Side, u32), Monotonic>,
    /// Connections that have been lost.
    lost: BTreeSet<u32>,
    connections: u32,
    client: Option<Driven<client::Connection>>,
    /// The session while there is no machine.
    client_session: Option<client::Session>,
    servers: Vec<Driven<server::Connection>>,
    server_session: Option<server::Session>,
    journals: BTreeMap<Side, Journal>,
    wires: BTreeMap<Side, Wire>,
    published: BTreeMap<Side, Vec<(String, QoS)>>,
    /// The messages that each side got, in the order of arrival: what, and at which QoS.
    pub arrived: BTreeMap<Side, Vec<(String, QoS)>>,
    /// How connections ended, at which side and when.
    pub ends: Vec<(Side, End, Monotonic)>,
    /// How many packets of each type each side has sent; `PUBLISH by alias` are those without a topic.
    pub sent: BTreeMap<(Side, &'static str), usize>,
    /// The side that crashes when it has asked for that many records: before the last of them is durable, or after.
    pub crash_at: Option<(Side, usize, bool)>,
    /// Whether the client connects again when a connection has ended.
    pub reconnects: bool,
    /// How far the clock on the wall is off, in milliseconds.
    skew: i64,
    /// How many messages each side had published when the client heard that the session is another.
    losses: BTreeMap<Side, usize>,
    /// The client has not heard yet that the server lost the session.
    unheard: bool,
}

impl Pair {
    /// A pair at the beginning of time; the client connects in its first step.
    pub fn new(settings: Settings) -> Self {
        let both = || [Side::Client, Side::Server].into_iter();
        let mut pair = Self {
            now: Now { monotonic: Monotonic::default(), wall: Wall::from_millis(1_700_000_000_000) },
            random: Random(settings.seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1),
            schedule: BTreeMap::new(),
            scheduled: 0,
            arrives: BTreeMap::new(),
            lost: BTreeSet::new(),
            connections: 0,
            client: None,
            client_session: Some(client::Session::recorded(limits())),
            servers: Vec::new(),
            server_session: None,
            journals: both().map(|side| (side, Journal::default())).collect(),
            wires: both().map(|side| (side, Wire::default())).collect(),
            published: both().map(|side| (side, Vec::new())).collect(),
            arrived: both().map(|side| (side, Vec::new())).collect(),
            ends: Vec::new(),
            sent: BTreeMap::new(),
            crash_at: None,
            reconnects: true,
            skew: 0,
            losses: BTreeMap::new(),
            unheard: false,
            settings,
        };
        pair.after(Duration::ZERO, Action::Connect);
        pair
    }

    fn after(&mut self, delay: Duration, action: Action) {
        self.at(self.now.monotonic.after(delay), action);
    }

    fn at(&mut self, at: Monotonic, action: Action) {
        self.scheduled += 1;
        self.schedule.insert((at, self.scheduled), action);
    }

    fn journal(&mut self, side: Side) -> &mut Journal {
        self.journals.get_mut(&side).unwrap()
    }

    fn wire(&mut self, sender: Side) -> &mut Wire {
        self.wires.get_mut(&sender).unwrap()
    }

    /// Seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.now.monotonic.as_micros() as f64 / 1e6
    }

    fn next_wake_up(&self) -> Option<Monotonic> {
        let action = self.schedule.keys().next().map(|&(at, _)| at);
        let client = self.client.as_ref().and_then(|it| it.deadline);
        self.servers.iter().map(|it| it.deadline).chain([action, client]).flatten().min()
    }

    /// Goes to the next wake-up and does what is due; `false`: there is none.
    pub fn step(&mut self) -> bool {
        let Some(next) = self.next_wake_up() else { return false };
        self.go_to(next.max(self.now.monotonic));
        match self.schedule.first_entry().filter(|entry| entry.key().0 <= self.now.monotonic) {
            Some(entry) => {
                let action = entry.remove();
                self.act(action);
            }
            None => self.time_passes(),
        }
        true
    }

    fn go_to(&mut self, at: Monotonic) {
        let by = at.since(self.now.monotonic);
        self.now.monotonic = at;
        self.now.wall = Wall::from_millis((1_700_000_000_000 + at.as_micros() / 1000).saturating_add_signed(self.skew));
        assert!(by < Duration::from_secs(100_000), "time leaps");
    }

    fn time_passes(&mut self) {
        let now = self.now;
        let due = |deadline: Option<Monotonic>| deadline.is_some_and(|at| at <= now.monotonic);
        if let Some(client) = self.client.as_mut().filter(|it| due(it.deadline)) {
            client.machine.handle_timeout(now);
            self.drain_client();
        }
        let numbers: Vec<_> = self.servers.iter().filter(|it| due(it.deadline)).map(|it| it.number).collect();
        for number in numbers {
            if let Some(server) = self.server(number) {
                server.machine.handle_timeout(now);
            }
            self.drain_server(number);
        }
    }

    /// Runs for that long.
    pub fn run(&mut self, span: Duration) {
        let until = self.now.monotonic.after(span);
        let mut steps = 0_u64;
        while self.next_wake_up().is_some_and(|at| at <= until) {
            self.step();
            steps += 1;
            assert!(steps < 5_000_000, "too much happens at {}", self.seconds());
        }
        self.go_to(until);
    }

    fn server(&mut self, number: u32) -> Option<&mut Driven<server::Connection>> {
        self.servers.iter_mut().find(|it| it.number == number)
    }

    /// The server's machine whose client is in.
    fn connected_server(&self) -> Option<u32> {
        self.servers.iter().find(|it| it.machine.is_connected()).map(|it| it.number)
    }

    /// Whether the client is in, as both sides see it.
    pub fn is_connected(&self) -> bool {
        self.client.as_ref().is_some_and(|it| it.machine.is_connected()) && self.connected_server().is_some()
    }

    /// Has a side publish one message; its payload names it. Without anybody to take it, nothing happens.
    pub fn publish(&mut self, side: Side, qos: QoS) {
        let number = self.published[&side].len();
        let payload = format!("{side:?} {number}");
        let topic = TopicName::try_from(format!("topic/{}", number % 5)).unwrap();
        let message = Message::new(topic, Bytes::from(payload.clone()));
        let now = self.now;
        let taken = match side {
            Side::Client => {
                let Some(client) = &mut self.client else { return };
                let taken = client.machine.publish(now, client::Outgoing { message, qos, retain: false }).is_ok();
                self.drain_client();
                taken
            }
            Side::Server => self.serve(Delivery::new(SharedMessage::new(message), qos)),
        };
        if taken {
            self.published.get_mut(&side).unwrap().push((payload, qos));
        }
    }

    fn serve(&mut self, delivery: Delivery) -> bool {
        use gridmq_proto::session::Admitted::{Dropped, Full};
        let now = self.now;
        if let Some(number) = self.connected_server() {
            let admitted = self.server(number).unwrap().machine.deliver(now, delivery);
            self.drain_server(number);
            return !matches!(admitted, Dropped | Full);
        }
        let mut records = Vec::new();
        let Some(session) = &mut self.server_session else { return false };
        let admitted = session.deliver(now.wall, delivery, |record| records.push(record));
        self.store_offline(records);
        !matches!(admitted, Dropped | Full)
    }

    /// Whether neither side waits for anything: messages, acknowledgements, its store.
    pub fn is_idle(&self) -> bool {
        let client = match (&self.client, &self.client_session) {
            (Some(client), _) => client.machine.is_connected() && self.wires[&Side::Client].is_quiet(),
            (None, Some(session)) => session.load().0 == 0,
            (None, None) => false,
        };
        let server = match self.connected_server() {
            Some(number) => self
                .servers
                .iter()
                .filter(|it| it.number == number)
                .all(|it| it.machine.session().is_some_and(|session| session.load().0 == 0)),
            None => self.server_session.as_ref().is_none_or(|session| session.load().0 == 0),
        };
        client && server && self.journals.values().all(Journal::is_durable)
    }

    /// Asks what became of the messages: QoS 2 once, QoS 1 at least once, QoS 0 at most once, the order kept per QoS.
    ///
    /// # Panics
    /// If it is not so.
    pub fn check(&self) {
        for (sender, receiver) in [(Side::Client, Side::Server), (Side::Server, Side::Client)] {
            let took = self.journals[&receiver].took();
            let forgotten = &self.journals[&sender].forgotten;
            for (payload, qos) in &self.published[&sender] {
                let times = took.iter().filter(|it| **it == payload).count();
                let fits = match (qos, forgotten.contains(payload)) {
                    (QoS::AtMostOnce, _) => times <= 1,
                    // The server sends it while it is being stored: who sent it to the server does so again.
                    (QoS::AtLeastOnce, true) if sender == Side::Server => true,
                    // Never said to be safe, and so never sent.
                    (_, true) => times == 0,
                    (QoS::AtLeastOnce, false) => times >= 1,
                    (QoS::ExactlyOnce, false) => times == 1,
                };
                assert!(fits, "seed {}: {payload} at {qos:?} was taken {times} times", self.settings.seed);
            }
            self.check_order(sender, receiver);
        }
    }

    fn check_order(&self, sender: Side, receiver: Side) {
        let mut seen = BTreeSet::new();
        let mut order: BTreeMap<QoS, Vec<&String>> = BTreeMap::new();
        for (payload, qos) in &self.arrived[&receiver] {
            if seen.insert(payload) {
                order.entry(*qos).or_default().push(payload);
            }
        }
        for (qos, found) in order {
            let expected: Vec<_> = self.published[&sender]
                .iter()
                .filter(|(payload, of)| *of == qos && seen.contains(payload))
                .map(|(payload, _)| payload)
                .collect();
            assert_eq!(found, expected, "seed {}: order at {qos:?}", self.settings.seed);
        }
    }

    /// The most messages that were out at once from that side.
    pub fn peak(&self, sender: Side) -> usize {
        self.wires[&sender].peak
    }

    /// How many entries the journal of that side has.
    pub fn entries(&self, side: Side) -> usize {
        self.journals[&side].len()
    }

    /// How often the client has connected.
    pub fn connections(&self) -> u32 {
        self.connections
    }

    /// Messages that the side got and that its owner was done with.
    pub fn taken(&self, side: Side) -> usize {
        self.journals[&side].took().len()
    }
}

fn limits() -> QueueLimits {
    QueueLimits { messages: 100_000, bytes: 1 << 30 }
}
