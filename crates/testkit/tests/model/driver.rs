//! Takes random steps on the broker and the model alike, and compares what every client receives.

use std::collections::{BTreeMap, VecDeque};

use bytes::Bytes;
use gridmq_broker::Broker;
use gridmq_proto::packet::{Ack, Connect, PacketType, Publish, RetainHandling, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, Version};
use gridmq_store::Store;
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{PATIENCE, Wire, eventually, message, payload_of, topic_of};

use super::reference::{ClientId, Message, Model, Routed, Subscription, Will};

const CLIENTS: usize = 12;
const WORKERS: usize = 4;
/// Messages that a client leaves unacknowledged at most; less than the broker's window.
const HELD: usize = 20;
/// Steps between two looks for what should not have come.
const SWEEP: usize = 25;

/// SplitMix64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound as u64) as usize
    }

    fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    fn qos(&mut self) -> QoS {
        self.pick(&[QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce])
    }

    fn topic(&mut self) -> String {
        let mut levels = vec![self.pick(&["a", "b", "c", "a", "b", "c", "", "$x"])];
        for _ in 0..self.below(3) {
            levels.push(self.pick(&["a", "b", "c", ""]));
        }
        // A topic has at least one character.
        if levels == [""] { "a".to_owned() } else { levels.join("/") }
    }

    fn filter(&mut self) -> String {
        let mut levels = vec![self.pick(&["a", "b", "c", "+", "+", "#", "$x"])];
        for _ in 0..self.below(3) {
            if levels.last() == Some(&"#") {
                break;
            }
            levels.push(self.pick(&["a", "b", "c", "+", "+", "#", ""]));
        }
        levels.join("/")
    }
}

/// How far a client has taken a message that it has not acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Published,
    Released,
}

#[derive(Debug, Clone)]
struct Held {
    id: PacketId,
    message: Message,
    stage: Stage,
}

/// What has to come next.
#[derive(Debug)]
enum Expected {
    Message(Message),
    /// In any order.
    Messages(Vec<Message>),
    Again(Held),
}

#[derive(Default)]
struct Client {
    wire: Option<Wire>,
    expected: VecDeque<Expected>,
    /// PUBREL packets that have to come again, in order; the standard does not order them among PUBLISH packets.
    releases: VecDeque<PacketId>,
    /// Unacknowledged, in the order in which they were sent; part of the session.
    held: Vec<Held>,
}

pub(crate) struct Driver {
    seed: u64,
    step: usize,
    random: Random,
    broker: OpenBroker,
    /// One client on each worker, to know what has arrived there.
    sentries: Vec<Wire>,
    clients: BTreeMap<ClientId, Client>,
    model: Model,
}

impl Driver {
    pub(crate) async fn new(seed: u64, store: Store) -> Self {
        let broker = OpenBroker::start(Broker::builder().workers(WORKERS).store(store)).await;
        let mut sentries = Vec::new();
        for number in 0..WORKERS {
            let mut sentry = Wire::join(broker.address(), &format!("sentry-{number}"), Version::V5).await;
            sentry.subscribe("$sentry", QoS::AtLeastOnce).await;
            sentries.push(sentry);
        }
        let clients = (0..CLIENTS).map(|client| (client, Client::default())).collect();
        Self { seed, step: 0, random: Random(seed), broker, sentries, clients, model: Model::default() }
    }

    fn context(&self, client: ClientId) -> String {
        format!("GRIDMQ_SEED={}, step {}, client {client}", self.seed, self.step)
    }

    fn client(&mut self, client: ClientId) -> &mut Client {
        self.clients.get_mut(&client).unwrap()
    }

    fn wire(&mut self, client: ClientId) -> &mut Wire {
        self.client(client).wire.as_mut().unwrap()
    }

    pub(crate) async fn step(&mut self, step: usize) {
        self.step = step;
        let online = self.model.online();
        let away: Vec<_> = (0..CLIENTS).filter(|client| !online.contains(client)).collect();
        let action = self.random.below(100);
        match action {
            _ if online.is_empty() => self.connect(away[0]).await,
            0..45 => {
                let client = self.random.pick(&online);
                self.publish(client).await;
            }
            45..62 => {
                let client = self.random.pick(&online);
                self.subscribe(client).await;
            }
            62..68 => {
                let client = self.random.pick(&online);
                self.unsubscribe(client).await;
            }
            68..76 => {
                let client = self.random.pick(&online);
                self.lose(client).await;
            }
            76..80 => {
                let client = self.random.pick(&online);
                self.disconnect(client).await;
            }
            80..92 if !away.is_empty() => {
                let client = self.random.pick(&away);
                self.connect(client).await;
            }
            92..97 => {
                // Taken over.
                let client = self.random.pick(&online);
                self.connect(client).await;
            }
            _ => {
                let client = self.random.pick(&online);
                self.acknowledge_held(client).await;
            }
        }
        self.settle().await;
        if step.is_multiple_of(SWEEP) {
            self.sweep().await;
        }
    }

    pub(crate) async fn finish(&mut self) {
        for client in 0..CLIENTS {
            if self.model.sessions.get(&client).is_some_and(|session| !session.online) {
                self.connect(client).await;
                self.settle().await;
            }
        }
        self.sweep().await;
        assert_eq!(self.broker.broker.retained_messages(), self.model.retained.len(), "seed {}", self.seed);
        assert_eq!(self.broker.broker.stats().messages_dropped, 0);
    }

    // Steps.

    async fn connect(&mut self, client: ClientId) {
        let version = self.random.pick(&[Version::V3_1_1, Version::V5]);
        let clean_start = self.random.percent(20);
        let lasting = if version.is_v5() { self.random.percent(80) } else { !clean_start };
        let will = self.random.percent(40).then(|| Will {
            topic: self.random.topic(),
            payload: format!("will of {client} from {}", self.step),
            qos: self.random.qos(),
            retain: self.random.percent(20),
        });
        let mut old = self.client(client).wire.take();
        if let Some(old) = &mut old {
            // What it acknowledged has arrived.
            old.ping().await;
        }
        let will_of_old = self.model.sessions.get_mut(&client).and_then(|session| session.will.take());
        if let Some(will) = &will_of_old {
            // The will of the connection that is taken over; its session may get it.
            self.model.sessions.get_mut(&client).unwrap().online = false;
            self.will(will);
        }
        let adjust = {
            let will = will.clone();
            move |connect: &mut Connect| {
                connect.clean_start = clean_start;
                connect.properties.session_expiry_interval = (version.is_v5() && lasting).then_some(3600);
                connect.will = will.map(|will| {
                    let message = gridmq_proto::Message::new(
                        will.topic.try_into().unwrap(),
                        Bytes::from(will.payload.into_bytes()),
                    );
                    let (qos, retain) = (will.qos, will.retain);
                    Box::new(gridmq_proto::packet::Will { message, qos, retain, delay_interval: 0 })
                });
            }
        };
        let (wire, ack) = Wire::open(self.broker.address(), &format!("c{client}"), version, adjust).await;
        assert_eq!(ack.reason, ReasonCode::Success);
        let (present, waiting) = self.model.connect(client, clean_start, lasting, will);
        assert_eq!(ack.session_present, present, "{}", self.context(client));
        if let Some(mut old) = old {
            old.expect_end(ReasonCode::SessionTakenOver).await;
        }
        if will_of_old.is_some() {
            self.fence().await;
        }
        let client = self.client(client);
        client.wire = Some(wire);
        if !present {
            client.held.clear();
        }
        client.releases.clear();
        for held in &client.held {
            match held.stage {
                Stage::Published => client.expected.push_back(Expected::Again(held.clone())),
                Stage::Released => client.releases.push_back(held.id),
            }
        }
        client.expected.extend(waiting.into_iter().map(Expected::Message));
    }

    async fn publish(&mut self, client: ClientId) {
        let (topic, qos, retain) = (self.random.topic(), self.random.qos(), self.random.percent(25));
        let payload = if retain && self.random.percent(40) { String::new() } else { format!("step {}", self.step) };
        let routed = self.model.publish(Some(client), &topic, &payload, qos, retain);
        let version = self.wire(client).version();
        let reason = self.wire(client).deliver(Publish { retain, ..message(&topic, &payload, qos) }).await;
        self.wire(client).ping().await;
        if qos != QoS::AtMostOnce {
            let expected = if routed.matched || !version.is_v5() {
                ReasonCode::Success
            } else {
                ReasonCode::NoMatchingSubscribers
            };
            assert_eq!(reason, expected, "{}", self.context(client));
        }
        self.expect(routed).await;
    }

    async fn subscribe(&mut self, client: ClientId) {
        let v5 = self.wire(client).version().is_v5();
        let identifier = (v5 && self.random.percent(50)).then(|| self.random.below(1000) as u32 + 1);
        let mut filters = BTreeMap::new();
        for _ in 0..=self.random.below(3) {
            let qos = self.random.qos();
            let mut options = SubscribeOptions { qos, ..SubscribeOptions::default() };
            if v5 {
                options.no_local = self.random.percent(20);
                options.retain_as_published = self.random.percent(30);
                options.retain_handling =
                    self.random.pick(&[RetainHandling::Send, RetainHandling::SendIfNew, RetainHandling::DoNotSend]);
            }
            filters.insert(self.random.filter(), options);
        }
        let mut retained = Vec::new();
        for (filter, &options) in &filters {
            retained.extend(self.model.subscribe(client, filter, Subscription { options, identifier }));
        }
        let list: Vec<_> = filters.iter().map(|(filter, &options)| (filter.as_str(), options)).collect();
        let reasons = self.wire(client).subscribe_with(&list, identifier).await;
        let granted: Vec<_> = list.iter().map(|(_, options)| ReasonCode::granted(options.qos)).collect();
        assert_eq!(reasons, granted, "{}", self.context(client));
        self.client(client).expected.push_back(Expected::Messages(retained));
    }

    async fn unsubscribe(&mut self, client: ClientId) {
        let mut filters = vec![self.random.filter()];
        let has: Vec<_> = self.model.sessions[&client].subscriptions.keys().cloned().collect();
        if !has.is_empty() {
            let index = self.random.below(has.len());
            filters.push(has[index].clone());
        }
        let expected: Vec<_> = filters
            .iter()
            .map(|filter| {
                if self.model.unsubscribe(client, filter) {
                    ReasonCode::Success
                } else {
                    ReasonCode::NoSubscriptionExisted
                }
            })
            .collect();
        let list: Vec<_> = filters.iter().map(String::as_str).collect();
        let reasons = self.wire(client).unsubscribe(&list).await;
        if self.wire(client).version().is_v5() {
            assert_eq!(reasons, expected, "{}", self.context(client));
        }
    }

    /// The connection is lost.
    async fn lose(&mut self, client: ClientId) {
        let mut wire = self.client(client).wire.take().unwrap();
        // What was acknowledged has arrived, and nothing is left that would have the system send a reset.
        wire.ping().await;
        drop(wire);
        self.leave(client, true);
        self.until_gone().await;
        self.fence().await;
    }

    async fn disconnect(&mut self, client: ClientId) {
        let mut wire = self.client(client).wire.take().unwrap();
        let with_will = wire.version().is_v5() && self.random.percent(30);
        let reason = if with_will { ReasonCode::DisconnectWithWillMessage } else { ReasonCode::NORMAL_DISCONNECTION };
        wire.leave_with(reason, None).await;
        self.leave(client, with_will);
        self.until_gone().await;
        self.fence().await;
    }

    fn leave(&mut self, client: ClientId, with_will: bool) {
        let session = self.model.sessions.get_mut(&client).unwrap();
        session.online = false;
        let will = session.will.take().filter(|_| with_will);
        if let Some(will) = will {
            self.will(&will);
        }
        self.model.leave(client);
        if !self.model.sessions.contains_key(&client) {
            self.client(client).held.clear();
        }
    }

    fn will(&mut self, will: &Will) {
        let routed = self.model.publish(None, &will.topic, &will.payload, will.qos, will.retain);
        for (to, message) in routed.to {
            self.client(to).expected.push_back(Expected::Message(message));
        }
    }

    async fn expect(&mut self, routed: Routed) {
        for (to, message) in routed.to {
            self.client(to).expected.push_back(Expected::Message(message));
        }
        if routed.away {
            // What is sent at QoS 0 to who is away must have missed it before it comes back.
            self.fence().await;
        }
    }

    // Comparison.

    /// Every client receives what it is to receive.
    async fn settle(&mut self) {
        for client in 0..CLIENTS {
            while let Some(expected) = self.client(client).expected.pop_front() {
                self.receive(client, expected).await;
            }
            while let Some(&id) = self.client(client).releases.front() {
                match self.wire(client).next_within(PATIENCE).await {
                    Some(Packet::PubRel(ack)) => self.released(client, &ack),
                    other => panic!("{}: {other:?} instead of PUBREL {id}", self.context(client)),
                }
            }
        }
    }

    async fn receive(&mut self, client: ClientId, expected: Expected) {
        let context = self.context(client);
        match expected {
            Expected::Message(message) => {
                let publish = self.next_publish(client, &format!("{message:?}")).await;
                let found = self.seen(client, &publish, &message);
                assert_eq!(found, message, "{context}");
                assert!(!publish.dup, "{context}: {publish:?}");
                self.take(client, publish, message).await;
            }
            Expected::Messages(mut messages) => {
                while !messages.is_empty() {
                    let publish = self.next_publish(client, &format!("{messages:?}")).await;
                    let place = messages.iter().position(|message| self.seen(client, &publish, message) == *message);
                    let Some(place) = place else { panic!("{context}: {publish:?} instead of {messages:?}") };
                    assert!(!publish.dup, "{context}: {publish:?}");
                    let message = messages.swap_remove(place);
                    self.take(client, publish, message).await;
                }
            }
            Expected::Again(held) => {
                let publish = self.next_publish(client, &format!("again {held:?}")).await;
                assert_eq!(self.seen(client, &publish, &held.message), held.message, "{context}");
                assert_eq!((publish.dup, publish.packet_id), (true, Some(held.id)), "{context}");
            }
        }
    }

    async fn next_publish(&mut self, client: ClientId, what: &str) -> Publish {
        let context = self.context(client);
        loop {
            match self.wire(client).next_within(PATIENCE).await {
                Some(Packet::Publish(publish)) => return publish,
                Some(Packet::PubRel(ack)) => self.released(client, &ack),
                other => panic!("{context}: {other:?} instead of {what}"),
            }
        }
    }

    fn released(&mut self, client: ClientId, ack: &Ack) {
        let context = self.context(client);
        assert_eq!(self.client(client).releases.pop_front(), Some(ack.packet_id), "{context}");
    }

    /// The message as it came; what this version cannot say is taken from `expected`.
    fn seen(&self, client: ClientId, publish: &Publish, expected: &Message) -> Message {
        let v5 = self.clients[&client].wire.as_ref().is_some_and(|wire| wire.version().is_v5());
        let mut identifiers: Vec<u32> = publish.subscription_identifiers.iter().map(|id| id.get()).collect();
        identifiers.sort_unstable();
        Message {
            topic: topic_of(publish).to_owned(),
            payload: payload_of(publish),
            qos: publish.qos,
            retain: publish.retain,
            identifiers: if v5 { identifiers } else { expected.identifiers.clone() },
        }
    }

    /// Acknowledges a message, or stops on the way.
    async fn take(&mut self, client: ClientId, publish: Publish, message: Message) {
        let Some(id) = publish.packet_id else { return };
        let hold = self.random.percent(12) && self.clients[&client].held.len() < HELD;
        if !hold {
            return self.wire(client).acknowledge(&publish).await;
        }
        let mut stage = Stage::Published;
        if publish.qos == QoS::ExactlyOnce && self.random.percent(50) {
            let wire = self.wire(client);
            wire.send(Packet::PubRec(Ack::new(id, ReasonCode::Success))).await;
            wire.ack(PacketType::PubRel, id).await;
            stage = Stage::Released;
        }
        self.client(client).held.push(Held { id, message, stage });
    }

    async fn acknowledge_held(&mut self, client: ClientId) {
        let held = std::mem::take(&mut self.client(client).held);
        let wire = self.wire(client);
        for Held { id, message, stage } in held {
            match (message.qos, stage) {
                (QoS::ExactlyOnce, Stage::Published) => {
                    wire.send(Packet::PubRec(Ack::new(id, ReasonCode::Success))).await;
                    wire.ack(PacketType::PubRel, id).await;
                    wire.send(Packet::PubComp(Ack::new(id, ReasonCode::Success))).await;
                }
                (QoS::ExactlyOnce, Stage::Released) => {
                    wire.send(Packet::PubComp(Ack::new(id, ReasonCode::Success))).await;
                }
                _ => wire.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await,
            }
        }
    }

    /// The broker knows that a connection has ended, and its session if it does not last.
    async fn until_gone(&self) {
        let online = (self.model.online().len() + WORKERS) as u64;
        let sessions = (self.model.sessions.len() + WORKERS) as u64;
        eventually("the broker notices", || {
            let stats = self.broker.broker.stats();
            stats.clients_connected == online && stats.sessions == sessions
        })
        .await;
    }

    /// Everything that workers had sent each other has arrived: mail between two of them is first in, first out, and
    /// a publish is acknowledged when all of them have taken it.
    async fn fence(&mut self) {
        for number in 0..WORKERS {
            let reason = self.sentries[number].publish("$sentry", "", QoS::AtLeastOnce).await;
            assert_eq!(reason, ReasonCode::Success);
        }
        for sentry in &mut self.sentries {
            for _ in 0..WORKERS {
                sentry.take().await;
            }
        }
    }

    /// Nothing has come that was not expected.
    async fn sweep(&mut self) {
        self.until_gone().await;
        self.fence().await;
        for client in self.model.online() {
            let context = self.context(client);
            let more = self.wire(client).ping_barrier().await;
            assert!(more.is_empty(), "{context}: unexpected {more:?}");
        }
    }
}
