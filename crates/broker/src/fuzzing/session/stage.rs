//! Workers of a broker without threads and sockets, their peers, and the time.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::task::Waker;
use std::time::Duration;

use gridmq_namespace::gate::Transport;
use gridmq_proto::packet::Connect;
use gridmq_proto::time::Now;
use gridmq_proto::{Packet, PacketId, Version};
use gridmq_store::Store;

use super::ledger::Ledger;
use super::packets::encoded;
use super::peer::{Peer, answer_to};
use super::rules::{EGRESS, QUEUE, RETAINED, SUBSCRIPTIONS, Tight, WINDOW};
use super::{ALL, KEEPERS};
use crate::broker::Broker;
use crate::clock;
use crate::directory::WorkerId;
use crate::entrance::Guest;
use crate::listener::Listener;
use crate::worker::Worker;

const WORKERS: u16 = 3;
/// Turns after which a broker that still has something to do never stops.
const RESTLESS: usize = 20_000;
/// The largest packet that is published, and some more for a header.
const PACKET: usize = 6000;

/// See the module.
#[derive(Debug)]
pub(super) struct Stage {
    broker: Broker,
    workers: Vec<Worker>,
    peers: Vec<Peer>,
    pub(super) ledger: Ledger,
    connections: u64,
    /// The steady one's newest identifier.
    pub(super) steady: u16,
    /// The keeper's identifiers of QoS 2 that are not released.
    pub(super) unreleased: BTreeSet<PacketId>,
}

fn worker_of(peer: usize) -> usize {
    peer % usize::from(WORKERS)
}

impl Stage {
    /// `stored`: what lasts is written down, and waited for. `slowly`: each message goes out in rounds.
    pub(super) fn new(stored: bool, slowly: bool) -> Self {
        clock::stop();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        // Its own threads have nothing to do.
        let mut builder = Tight::builder().workers(usize::from(WORKERS)).listener(Listener::plain(any));
        if stored {
            builder = builder.store(Store::memory());
        }
        let broker = Broker::start(builder).expect("a broker starts");
        let mut workers: Vec<_> = (0..WORKERS).map(|id| Worker::detached(id, Arc::clone(&broker.shared))).collect();
        if slowly {
            workers.iter_mut().for_each(|worker| worker.send_slowly(0));
        }
        let peers = (0..ALL).map(|_| Peer::default()).collect();
        Self {
            broker,
            workers,
            peers,
            ledger: Ledger::default(),
            connections: 0,
            steady: 0,
            unreleased: BTreeSet::new(),
        }
    }

    fn parts(&mut self, peer: usize) -> (&mut Worker, &mut Peer, &mut Ledger) {
        let worker = self.workers.get_mut(worker_of(peer)).expect("a worker");
        (worker, self.peers.get_mut(peer).expect("a peer"), &mut self.ledger)
    }

    pub(super) fn peer(&mut self, peer: usize) -> &mut Peer {
        self.parts(peer).1
    }

    fn now(&self) -> Now {
        self.broker.shared.clock.now()
    }

    pub(super) fn is_open(&self, peer: usize) -> bool {
        self.peers.get(peer).is_some_and(|peer| peer.key.is_some())
    }

    pub(super) fn version(&self, peer: usize) -> Version {
        self.peers.get(peer).and_then(|peer| peer.version).unwrap_or(Version::V5)
    }

    /// A new connection; the one before ends.
    pub(super) fn open(&mut self, peer: usize) {
        self.hang_up(peer);
        self.connections += 1;
        let (now, number) = (self.now(), self.connections);
        let door = Arc::clone(self.broker.doors.first().expect("a listener"));
        let (worker, peer, _) = self.parts(peer);
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1)).into();
        let transport = Transport::Plain { trusted: true };
        let guest = Guest { from, at: now.monotonic, door, transport, presented: None, vouched: None };
        *peer = Peer::new(worker.open(now, guest), number);
    }

    /// Sends a CONNECT as the first packet.
    pub(super) fn introduce(&mut self, peer: usize, connect: &Connect) {
        self.peer(peer).introduced(connect);
        self.send(peer, &Packet::Connect(Box::new(connect.clone())));
    }

    /// Opens a connection and sends some of a CONNECT, and the rest later.
    pub(super) fn introduce_slowly(&mut self, peer: usize, connect: Connect, at: usize) {
        self.open(peer);
        self.peer(peer).introduced(&connect);
        self.hold_back(peer, &Packet::Connect(Box::new(connect)), at);
    }

    /// Notes a packet as sent, `late`: not all of it now; answers its bytes.
    fn noted(&mut self, peer: usize, packet: &Packet, late: bool) -> Vec<u8> {
        let version = self.version(peer);
        let (worker, from, ledger) = self.parts(peer);
        // What the broker has written and the client has not seen.
        let late = late || from.key.and_then(|key| worker.conn(key)).is_some_and(|conn| !conn.outgoing.is_empty());
        let mut packet = packet.clone();
        let number = match &mut packet {
            Packet::Publish(publish) => ledger.mark(from.number, publish),
            _ => None,
        };
        let bytes = encoded(&packet, version);
        if !bytes.is_empty() {
            from.sends(&packet, number, late);
        }
        bytes
    }

    pub(super) fn send(&mut self, peer: usize, packet: &Packet) {
        // It answers what it has seen.
        self.turn(peer);
        let bytes = self.noted(peer, packet, false);
        self.send_bytes(peer, &bytes);
    }

    pub(super) fn send_bytes(&mut self, peer: usize, bytes: &[u8]) {
        let now = self.now();
        let (worker, from, _) = self.parts(peer);
        let Some(key) = from.key else { return };
        from.incoming.extend_from_slice(&std::mem::take(&mut from.held_back));
        // What the broker does not read yet lies in the socket.
        from.incoming.extend_from_slice(bytes);
        worker.input(now, key, &mut from.incoming);
        self.turn(peer);
    }

    /// Sends what may be another CONNECT, or the middle of a packet.
    pub(super) fn send_anything(&mut self, peer: usize, bytes: &[u8]) {
        self.peer(peer).goes_wild();
        self.send_bytes(peer, bytes);
    }

    /// Sends some of the bytes, and the others later.
    pub(super) fn hold_back(&mut self, peer: usize, packet: &Packet, at: usize) {
        self.turn(peer);
        let bytes = self.noted(peer, packet, true);
        let (first, rest) = bytes.split_at(at.min(bytes.len()));
        self.send_bytes(peer, first);
        self.peer(peer).held_back = rest.to_vec();
    }

    /// A connection's turn, as its task has them. Whether anything came of it.
    fn turn(&mut self, peer: usize) -> bool {
        let now = self.now();
        let (worker, from, ledger) = self.parts(peer);
        let Some(key) = from.key else { return false };
        worker.begin_turn(key);
        let due = worker.conn(key).is_some_and(|conn| {
            conn.waker = Some(Waker::noop().clone());
            conn.deadline.is_some_and(|at| at <= now.monotonic)
        });
        if due {
            if !worker.reads(key)
                && let Some(conn) = worker.conn(key)
            {
                conn.machine.excuse_silence(now);
            }
            worker.timeout(now, key);
        }
        let before = from.incoming.len();
        worker.drain(now, key);
        worker.input(now, key, &mut from.incoming);
        worker.end_turn(now, key);
        let mut moved = from.incoming.len() != before;
        let Some(conn) = worker.conn(key) else { panic!("a connection has gone by itself") };
        let closing = conn.closing;
        let out = if from.stalled && !closing { bytes::BytesMut::new() } else { std::mem::take(&mut conn.outgoing) };
        moved |= !out.is_empty();
        let room = conn.outgoing.is_empty();
        from.take(&out, ledger);
        if closing {
            worker.remove(key);
            from.key = None;
            moved = true;
        } else if room && worker.reads(key) {
            moved |= worker.resume_scans(now, key);
        }
        moved
    }

    /// Lets everything happen that can happen without more time.
    pub(super) fn settle(&mut self) {
        for _ in 0..RESTLESS {
            let mut moved = false;
            for peer in 0..self.peers.len() {
                moved |= self.turn(peer);
            }
            for keeper in self.keepers() {
                moved |= !self.peer(keeper).stalled && self.keep(keeper);
            }
            for way in 0..WORKERS * WORKERS {
                moved |= self.carry(way as u8);
            }
            let now = self.now();
            for worker in &mut self.workers {
                moved |= worker.tick(now);
            }
            if !moved {
                return self.audit();
            }
        }
        panic!("the broker does not come to rest");
    }

    /// The keeper's places, the oldest connection first: what came on it came before what comes on the others.
    pub(super) fn keepers(&mut self) -> [usize; KEEPERS.len()] {
        let mut keepers = KEEPERS;
        keepers.sort_by_key(|&keeper| self.peer(keeper).number);
        keepers
    }

    /// Takes mail one way between two workers. Whether there was any.
    pub(super) fn carry(&mut self, way: u8) -> bool {
        let (from, to) = (WorkerId::from(way) / WORKERS % WORKERS, WorkerId::from(way) % WORKERS);
        let mail = self.workers.get_mut(usize::from(from)).expect("a worker").take_mail(to);
        let moved = !mail.is_empty();
        self.workers.get_mut(usize::from(to)).expect("a worker").receive_batch(from, mail);
        moved
    }

    /// The broker rests: what it holds is what it may hold.
    fn audit(&self) {
        let mut sessions = BTreeSet::new();
        let mut unadmitted = 0;
        for worker in &self.workers {
            let audit = worker.audit();
            for &slot in &audit.sessions {
                assert!(sessions.insert(slot), "a session is on two workers");
            }
            unadmitted += audit.unadmitted;
            // A member of a group that leaves gives away what it had under way, whether there is room or not.
            assert!(audit.most_messages <= 4 * QUEUE as usize, "{audit:?}");
            assert!(audit.most_in_flight <= usize::from(WINDOW), "{audit:?}");
            assert!(audit.most_subscriptions <= SUBSCRIPTIONS, "{audit:?}");
            assert!(audit.most_outgoing <= EGRESS + (usize::from(WINDOW) + 4) * PACKET, "{audit:?}");
        }
        let shared = &self.broker.shared;
        assert_eq!(shared.unadmitted_bytes.load(Relaxed), unadmitted, "bytes of those who are not in");
        assert!(shared.retained.len() <= RETAINED);
    }

    pub(super) fn advance(&mut self, by: Duration) {
        clock::advance(by);
        self.settle();
    }

    /// The peer's transport ends.
    pub(super) fn hang_up(&mut self, peer: usize) {
        let now = self.now();
        let (worker, from, _) = self.parts(peer);
        if let Some(key) = from.key.take() {
            worker.closed(now, key);
            worker.commit();
            worker.remove(key);
        }
        *from = Peer::default();
    }

    /// Answers everything that came as a client does.
    pub(super) fn answer(&mut self, peer: usize) {
        while let Some(packet) = self.peer(peer).unanswered.pop_front() {
            if let Some(answer) = answer_to(&packet) {
                self.send(peer, &answer);
            }
        }
    }

    /// Nobody is connected, and nothing is held for anybody who is not.
    pub(super) fn nothing_is_left(&self, exact: bool) {
        let stats = self.broker.stats();
        assert_eq!(stats.clients_connected, 0, "{stats:?}");
        assert_eq!(self.broker.shared.unadmitted_bytes.load(Relaxed), 0);
        for worker in &self.workers {
            assert!(worker.is_empty(), "a connection is left");
        }
        if exact {
            assert_eq!(stats.sessions, 0, "sessions are left: {stats:?}");
            for worker in &self.workers {
                assert_eq!(worker.held(), (0, 0), "sessions and tickets");
            }
        }
    }
}
