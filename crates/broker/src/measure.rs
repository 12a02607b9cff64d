//! Workers without sockets and threads, for counting instructions: bytes go in and come out by hand.
//!
//! Only with the feature `measure`, and no part of the API.
#![allow(
    missing_docs,
    clippy::missing_panics_doc,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement"
)]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_namespace::gate::Transport;
use gridmq_store::Store;

use crate::broker::Broker;
use crate::directory::WorkerId;
use crate::entrance::Guest;
use crate::listener::Listener;
use crate::revive::Revival;
use crate::worker::{ConnKey, Worker};

/// Workers that share what the workers of a broker share. The broker's own threads have nothing to do meanwhile.
#[derive(Debug)]
pub struct Bench {
    broker: Broker,
    workers: Vec<Worker>,
}

/// A client's connection to one of them.
#[derive(Debug)]
pub struct Peer {
    worker: usize,
    key: ConnKey,
    incoming: BytesMut,
}

impl Bench {
    #[must_use]
    pub fn new(workers: u16) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let builder = Broker::builder().workers(usize::from(workers)).listener(Listener::plain(any));
        let broker = Broker::start(builder).expect("a broker starts");
        let workers = (0..workers).map(|id| Worker::detached(id, Arc::clone(&broker.shared))).collect();
        Self { broker, workers }
    }

    pub fn open(&mut self, worker: usize) -> Peer {
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 1));
        let now = self.workers[worker].now();
        let door = Arc::clone(&self.broker.doors[0]);
        let transport = Transport::Plain { trusted: true };
        let guest = Guest { from: from.into(), at: now.monotonic, door, transport, presented: None, vouched: None };
        let key = self.workers[worker].open(now, guest);
        Peer { worker, key, incoming: BytesMut::new() }
    }

    /// One turn of a connection, in which `arrived` was read; answers what it writes.
    pub fn turn(&mut self, peer: &mut Peer, arrived: &[u8]) -> BytesMut {
        let worker = &mut self.workers[peer.worker];
        let now = worker.now();
        worker.begin_turn(peer.key);
        worker.conn(peer.key).expect("the connection is there").waker = Some(Waker::noop().clone());
        worker.drain(now, peer.key);
        worker.input(now, peer.key, &mut peer.incoming);
        peer.incoming.extend_from_slice(arrived);
        worker.input(now, peer.key, &mut peer.incoming);
        worker.end_turn(now, peer.key);
        if peer.incoming.is_empty() {
            peer.incoming = BytesMut::new();
        }
        let conn = worker.conn(peer.key).expect("the connection is there");
        assert!(!conn.closing, "the connection lasts");
        std::mem::take(&mut conn.outgoing)
    }

    /// A turn in which nothing was read, after what was sent before has left: retained messages go on.
    pub fn resume(&mut self, peer: &mut Peer) -> BytesMut {
        let worker = &mut self.workers[peer.worker];
        let now = worker.now();
        worker.resume_scans(now, peer.key);
        self.turn(peer, &[])
    }

    /// Has all workers forget where topics go.
    pub fn forget_routes(&mut self) {
        self.workers.iter_mut().for_each(Worker::forget_routes);
    }

    /// Has messages for more than `at_once` sessions go out in rounds, to one session in each.
    pub fn send_slowly(&mut self, at_once: usize) {
        self.workers.iter_mut().for_each(|worker| worker.send_slowly(at_once));
    }

    /// Recipients that the first worker holds for messages that go out in rounds.
    #[cfg(test)]
    pub(crate) fn held(&mut self) -> &mut usize {
        self.workers[0].held_recipients()
    }

    /// Ends a client's connection.
    pub fn close(&mut self, peer: &Peer) {
        self.workers[peer.worker].remove(peer.key);
    }

    /// Takes all mail where it goes and lets each worker have its rounds, until there is nothing more to do.
    pub fn settle(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            self.carry();
            for worker in &mut self.workers {
                let now = worker.now();
                moved |= worker.tick(now);
            }
        }
    }

    /// Takes all mail where it goes, until there is none.
    pub fn carry(&mut self) {
        let mut moved = true;
        while std::mem::take(&mut moved) {
            for from in 0..self.workers.len() {
                for to in 0..self.workers.len() {
                    let mail = self.workers[from].take_mail(to as WorkerId);
                    if !mail.is_empty() {
                        moved = true;
                        self.workers[to].receive_batch(from as WorkerId, mail);
                    }
                }
            }
        }
    }
}

/// Writes sessions with messages of 256 bytes into a store, as a broker would have.
pub fn fill(store: &Store, sessions: usize, messages: u64) {
    crate::revive::sample::fill(store, sessions, messages);
}

/// What a start takes up from a store, and how long the parts of that take.
#[derive(Debug)]
pub struct Start {
    pub sessions: usize,
    pub messages: usize,
    /// Of all threads together.
    pub read: Duration,
    /// Of all threads together.
    pub build: Duration,
    pub index: Duration,
    pub whole: Duration,
}

#[must_use]
pub fn start(store: &Store) -> Start {
    let bench = Bench::new(2);
    let revival = crate::revive::revive(&bench.broker.shared, store).expect("the store is whole");
    let sessions = revival.sessions.iter().map(Vec::len).sum();
    let Revival { messages, read, build, index, whole, .. } = revival;
    Start { sessions, messages, read, build, index, whole }
}
