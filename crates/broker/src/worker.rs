//! A worker: one thread that owns its connections and their sessions.
//!
//! All of its state is one [`Worker`] behind one `RefCell`. Tasks of the thread borrow it for one turn, without
//! awaiting anything meanwhile: connections when bytes come or go, the post when mail comes, the clerk when a timer is
//! due. What a turn has for other connections of the thread lies ready in their machines, and their tasks are woken;
//! what it has for other workers lies in outboxes, which carriers empty after the turn.

mod admission;
#[cfg(any(test, feature = "measure"))]
mod audit;
mod connect;
mod control;
mod deliver;
mod fan_out;
mod firing;
mod hit;
mod hooked;
mod journal;
mod lanes;
mod parts;
mod policy;
mod ponder;
mod publish;
mod routes;
mod run;
mod session;
mod state;
mod subscribe;
mod takeover;
mod trace;

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use gridmq_namespace::gate::DecisionCache;
use gridmq_proto::codec::{self, Decoder};
use gridmq_proto::session::server::{Connection, Event};
use gridmq_proto::session::{End, Output, Verdict};
use gridmq_proto::time::{Monotonic, Now, Wall};
use slab::Slab;
use tokio::sync::{Notify, oneshot};

use crate::by_slot::BySlot;
use crate::directory::{SlotId, WorkerId};
use crate::entrance::Guest;
use crate::mailbox::Outbox;
use crate::observer::ConnectionId;
use crate::shared::{Realm, Shared};
use crate::stats::Counters;

pub(crate) use connect::queue_limits;
pub(crate) use run::run;
use state::{Client, Local, State};
pub(crate) use state::{Conn, ConnKey, Scan};

/// Bytes read from a socket at once.
const SCRATCH: usize = 64 * 1024;

/// A realm counted on this thread, so that workers do not write to one place for every message.
#[allow(clippy::redundant_allocation, reason = "the inner count is the one that all workers share")]
type OwnRealm = Rc<Arc<Realm>>;

/// See the module.
#[derive(Debug)]
pub(crate) struct Worker {
    pub(crate) id: WorkerId,
    pub(crate) shared: Arc<Shared>,
    /// For tasks that come back later.
    me: Weak<RefCell<Self>>,
    /// Decisions that connections wait for.
    pondering: Rc<Cell<usize>>,
    /// Whoever waits to hear what became of an injected message.
    injected: HashMap<u64, oneshot::Sender<Verdict>>,
    next_injection: u64,
    realm: OwnRealm,
    conns: Slab<Conn>,
    /// Whose turn it is: it sends what it has at the end of that, without being woken.
    current: Option<ConnKey>,
    /// Others of this thread were woken in this turn.
    woke_others: bool,
    lanes: lanes::Lanes,
    fan_outs: fan_out::FanOuts,
    next_connection: u64,
    locals: BySlot<Local>,
    tickets: Slab<parts::Ticket>,
    parts: parts::Parts,
    outboxes: Vec<Outbox>,
    /// Passes that came before the fence that they answer.
    early_passes: HashMap<(SlotId, u64), u64>,
    /// When sessions want to be looked at: expiry and wills.
    alarms: BTreeSet<(Monotonic, SlotId)>,
    clerk: Rc<Notify>,
    /// Sessions that hold more than they may.
    overflowed: VecDeque<SlotId>,
    /// Sessions to judge again, after the rules have changed.
    rejudge: VecDeque<SlotId>,
    journal: journal::Journal,
    /// Turns of shared subscriptions.
    turn: usize,
    hits: Vec<hit::Hit>,
    routes: routes::Routes,
    pub(crate) scratch: Box<[u8]>,
    stopping: bool,
    /// Told when the last connection has gone.
    pub(crate) emptied: Rc<Notify>,
}

impl Worker {
    fn new(id: WorkerId, shared: Arc<Shared>) -> Self {
        let outboxes = shared.inboxes.iter().map(|_| Outbox::default()).collect();
        Self {
            id,
            realm: Rc::new(Arc::clone(&shared.realm)),
            shared,
            me: Weak::new(),
            pondering: Rc::default(),
            injected: HashMap::new(),
            next_injection: 0,
            conns: Slab::new(),
            current: None,
            woke_others: false,
            lanes: lanes::Lanes::default(),
            fan_outs: fan_out::FanOuts::default(),
            next_connection: 0,
            locals: BySlot::default(),
            tickets: Slab::new(),
            parts: parts::Parts::default(),
            outboxes,
            early_passes: HashMap::new(),
            alarms: BTreeSet::new(),
            clerk: Rc::default(),
            overflowed: VecDeque::new(),
            rejudge: VecDeque::new(),
            journal: journal::Journal::default(),
            turn: usize::from(id),
            hits: Vec::new(),
            routes: routes::Routes::default(),
            scratch: vec![0; SCRATCH].into_boxed_slice(),
            stopping: false,
            emptied: Rc::default(),
        }
    }

    pub(crate) fn now(&self) -> Now {
        self.shared.clock.now()
    }

    pub(crate) fn conn(&mut self, key: ConnKey) -> Option<&mut Conn> {
        self.conns.get_mut(key.place).filter(|conn| conn.id == key.id)
    }

    /// As [`conn`](Self::conn), with what counts its bytes.
    pub(crate) fn conn_and_counters(&mut self, key: ConnKey) -> (Option<&mut Conn>, &Counters) {
        (self.conns.get_mut(key.place).filter(|conn| conn.id == key.id), &self.shared.counters)
    }

    /// Takes a connection in whose transport is ready.
    pub(crate) fn open(&mut self, now: Now, guest: Guest) -> ConnKey {
        let Guest { from, at, door, transport, presented, vouched } = guest;
        let realm = Rc::clone(&self.realm);
        // The deadline counts from the connection's beginning, so what is left of it is that of the machine.
        let until = at.after(door.connect_timeout(&self.shared.live));
        let left = Duration::from_micros(until.as_micros().saturating_sub(now.monotonic.as_micros()));
        let config = connect::machine_config(
            &realm.gate.load().connection_limits(),
            self.shared.limits.decision_timeout,
            left,
            &door,
        );
        self.next_connection += 1;
        let id = ConnectionId(u64::from(self.id) << 48 | self.next_connection);
        let mut machine = Connection::new(now, config);
        if self.stopping {
            machine.disconnect(gridmq_proto::ReasonCode::ServerShuttingDown, None);
        }
        let place = self.conns.insert(Conn {
            id,
            machine,
            decoder: Decoder::for_server(self.shared.live.connect_packet()),
            outgoing: BytesMut::new(),
            undrained: 0,
            waker: None,
            queued: false,
            may_pass: false,
            fan_out: None,
            deadline: None,
            proof_ends: None,
            closing: false,
            parted: false,
            parked: false,
            withheld: None,
            maximum_packet_size: None,
            realm,
            from,
            door,
            transport,
            presented,
            vouched,
            cache: DecisionCache::new(),
            client: None,
            arrival: None,
            challenge: None,
            pondering: None,
            put_out: false,
            awaiting: None,
            unadmitted: 0,
        });
        let key = ConnKey { place, id };
        self.drain(now, key);
        key
    }

    /// Forgets a connection whose task ends.
    pub(crate) fn remove(&mut self, key: ConnKey) {
        if self.conn(key).is_some() {
            let now = self.now();
            if let Some(conn) = self.conn(key) {
                conn.machine.handle_close();
            }
            self.drain(now, key);
            self.commit();
            let conn = self.conns.remove(key.place);
            self.release_unadmitted(conn.unadmitted);
        }
        if self.conns.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    fn release_unadmitted(&self, bytes: usize) {
        if bytes > 0 {
            self.shared.unadmitted_bytes.fetch_sub(bytes, std::sync::atomic::Ordering::Relaxed);
        }
    }

    /// Whether bytes should be read for this connection.
    pub(crate) fn reads(&mut self, key: ConnKey) -> bool {
        let limit = self.shared.live.egress_bytes();
        let backlogged = self.journal.is_full() && !self.shared.store_state.is_down();
        self.conn(key).is_some_and(|conn| {
            !conn.closing
                && !conn.parked
                && conn.fan_out.is_none()
                && conn.pondering.is_none()
                && !backlogged
                && conn.outgoing.len() < limit
                && conn.machine.wants_input()
        })
    }

    /// Decodes and handles what has arrived, as far as the machine takes it.
    pub(crate) fn input(&mut self, now: Now, key: ConnKey, bytes: &mut BytesMut) {
        while !bytes.is_empty() && self.reads(key) {
            let Some(conn) = self.conn(key) else { return };
            match conn.decoder.decode(bytes) {
                Ok(Some(packet)) => conn.machine.handle_packet(now, packet),
                Ok(None) => break,
                Err(violation) => {
                    let version = conn.decoder.version();
                    conn.machine.handle_violation(violation, version);
                    bytes.clear();
                }
            }
            self.drain(now, key);
        }
        self.count_unadmitted(now, key, bytes.len());
    }

    /// Keeps what clients that are not in make us hold within its limit.
    fn count_unadmitted(&mut self, now: Now, key: ConnKey, held: usize) {
        use std::sync::atomic::Ordering::Relaxed;
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return };
        let counted = if conn.client.is_some() || conn.closing { 0 } else { held };
        let before = std::mem::replace(&mut conn.unadmitted, counted);
        if counted == before {
            return;
        }
        self.shared.unadmitted_bytes.fetch_sub(before, Relaxed);
        let total = self.shared.unadmitted_bytes.fetch_add(counted, Relaxed) + counted;
        if counted > 0 && total > self.shared.live.unadmitted_bytes() {
            conn.machine.disconnect(gridmq_proto::ReasonCode::ServerBusy, None);
            self.drain(now, key);
        }
    }

    /// Lets the machine see the time.
    pub(crate) fn timeout(&mut self, now: Now, key: ConnKey) {
        if self.conn(key).is_some_and(|conn| conn.proof_ends.is_some_and(|at| at <= now.monotonic)) {
            self.proof_ended(now, key);
        }
        if let Some(conn) = self.conn(key) {
            conn.machine.handle_timeout(now);
            if let Some((_, verdict)) = conn.withheld.take_if(|&mut (due, _)| due <= now.monotonic) {
                conn.machine.disconnect(verdict.reason, verdict.words);
            }
        }
        self.drain(now, key);
    }

    /// The transport has closed or failed.
    pub(crate) fn closed(&mut self, now: Now, key: ConnKey) {
        if let Some(conn) = self.conn(key) {
            conn.machine.handle_close();
        }
        self.drain(now, key);
    }

    /// Does what the machine wants done, until it wants nothing more.
    pub(crate) fn drain(&mut self, now: Now, key: ConnKey) {
        let traced = self.shared.traces.is_on();
        while let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) {
            let output = conn.machine.poll_output();
            if traced {
                trace::tell(&self.shared.traces, now.monotonic, conn, &output);
            }
            match output {
                Output::Send(packet) => {
                    let (version, maximum) = (conn.machine.version(), conn.maximum_packet_size);
                    if let Err(error) = codec::encode(&packet, version, maximum, &mut conn.outgoing) {
                        tracing::warn!(from = %conn.from, %error, "a packet was not sent");
                    }
                }
                Output::Publish(publish) => {
                    self.shared.counters.sent(publish.qos);
                    let (version, maximum) = (conn.machine.version(), conn.maximum_packet_size);
                    if let Err(error) = publish.encode(version, maximum, &mut conn.outgoing) {
                        tracing::warn!(from = %conn.from, %error, "a message was not sent");
                    }
                }
                Output::Persist(record, seq) => self.record(key, record, seq),
                Output::Event(event) => self.event(now, key, event),
                Output::Close(end) => {
                    conn.closing = true;
                    conn.parted = matches!(end, End::PeerDisconnected(_) | End::ConnectionLost);
                    tracing::trace!(from = %conn.from, ?end, "closing");
                }
                Output::Timeout(deadline) => {
                    let withheld = conn.withheld.as_ref().map(|&(due, _)| due);
                    conn.deadline = [deadline, withheld, conn.proof_ends].into_iter().flatten().min();
                    conn.undrained = 0;
                    return;
                }
            }
        }
    }

    fn event(&mut self, now: Now, key: ConnKey, event: Event) {
        match event {
            Event::Connect(connect) => {
                if let Some(conn) = self.conn(key) {
                    // Binds the refusal too [MQTT-3.1.2-24].
                    conn.maximum_packet_size = connect.properties.maximum_packet_size.map(u32::from);
                }
                self.on_connect(now, key, connect);
            }
            Event::Auth(auth) => self.on_auth(now, key, &auth),
            Event::Publish(inbound) => self.on_publish(now, key, inbound),
            Event::Subscribe(subscribe) => self.on_subscribe(now, key, subscribe),
            Event::Unsubscribe(unsubscribe) => self.on_unsubscribe(now, key, &unsubscribe),
            Event::Delivered { reason, .. } => {
                // No client can say this of a message.
                if reason == gridmq_proto::ReasonCode::PacketTooLarge {
                    self.shared.counters.messages_too_large.one();
                }
                self.note_load(key);
                // Room in the queue: retained messages that waited for it can go on.
                if let Some(slot) = self.slot_of(key) {
                    self.scan(now, slot);
                }
            }
            Event::Ended { end, will } => self.on_ended(now, key, &end, will),
        }
    }

    fn slot_of(&mut self, key: ConnKey) -> Option<SlotId> {
        self.conn(key)?.client.as_ref().map(|client| client.slot.id)
    }

    /// A connection's turn begins.
    pub(crate) fn begin_turn(&mut self, key: ConnKey) {
        (self.current, self.woke_others) = (Some(key), false);
    }

    /// It ends, but for what lies ready to be sent: all that it wants stored is with the store, and what the store
    /// answered at once is done. Whether others of this thread have been given something to send.
    pub(crate) fn end_turn(&mut self, now: Now, key: ConnKey) -> bool {
        loop {
            self.commit();
            self.drain(now, key);
            // What was answered may want more stored, and nobody wakes this connection in its own turn.
            if !self.commits_more() {
                break;
            }
        }
        self.current = None;
        self.woke_others
    }

    /// Puts mail into an outbox; `filler`: the connection whose doing it is, parked when the box is over its mark.
    fn post(&mut self, to: WorkerId, mail: crate::mailbox::Mail, filler: Option<ConnKey>) {
        let Some(outbox) = self.outboxes.get_mut(usize::from(to)) else { return };
        outbox.bytes += mail.bytes();
        outbox.mail.push(mail);
        outbox.notify.notify_one();
        let over = outbox.is_high();
        if let Some(key) = filler.filter(|_| over)
            && let Some(conn) = self.conns.get_mut(key.place)
            && conn.id == key.id
            && !conn.parked
        {
            conn.parked = true;
            outbox.parked.push(key);
        }
    }

    /// Ends every connection: the broker stops.
    pub(crate) fn stop(&mut self) {
        self.stopping = true;
        let now = self.now();
        self.send_rest(now);
        let keys: Vec<_> = self.conns.iter().map(|(place, conn)| ConnKey { place, id: conn.id }).collect();
        for key in keys {
            if let Some(conn) = self.conn(key) {
                conn.machine.disconnect(gridmq_proto::ReasonCode::ServerShuttingDown, None);
            }
            self.drain(now, key);
            self.wake(key);
        }
        if self.conns.is_empty() {
            self.emptied.notify_waiters();
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }
}

/// When a message that lives for so many seconds is no longer worth sending.
fn expiry(now: Now, seconds: Option<u32>) -> Option<Wall> {
    seconds.map(|seconds| now.wall.after(Duration::from_secs(u64::from(seconds))))
}
