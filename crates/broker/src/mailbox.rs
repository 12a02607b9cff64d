//! What workers send each other.
//!
//! Mail to a worker collects in an outbox and goes out in batches through that worker's bounded inbox; between any two
//! workers it is first in, first out. A worker always takes its mail. An outbox that is over its mark parks the
//! connections that fill it until it has drained.

use std::rc::Rc;
use std::sync::Arc;

use gridmq_namespace::gate::{Admission, Credentials};
use gridmq_proto::message::SubscriptionId;
use gridmq_proto::packet::Will;
use gridmq_proto::session::server::Session;
use gridmq_proto::session::{PublishToken, Verdict};
use gridmq_proto::time::{Monotonic, Wall};
use gridmq_proto::{QoS, SharedMessage};
use smallvec::SmallVec;
use tokio::sync::Notify;

use crate::directory::{Slot, SlotId, WorkerId};
use crate::listener::{Door, Incoming};
use crate::peer::PeerAddress;
use crate::routed::{Origin, Receivers, RoutedAs};
use crate::worker::{ConnKey, Scan, Worker};

/// Batches that an inbox holds.
pub(crate) const INBOX_BATCHES: usize = 8;
/// Mail in one batch at most.
pub(crate) const BATCH: usize = 256;
/// Bytes of messages in one batch, but for one message that is larger.
pub(crate) const BATCH_BYTES: usize = 1 << 20;
/// Mail in an outbox at which connections that add to it are parked.
pub(crate) const OUTBOX_HIGH: usize = 4 * BATCH;
/// And bytes of messages.
pub(crate) const OUTBOX_HIGH_BYTES: usize = 4 * BATCH_BYTES;

/// Mail from one worker, or from the acceptor.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) from: WorkerId,
    pub(crate) mail: Vec<Mail>,
}

/// One piece of mail.
#[derive(Debug)]
pub(crate) enum Mail {
    /// A connection to serve.
    Accepted(Box<Accepted>),
    /// A message for sessions of the addressee.
    Deliver(Box<Routed>),
    /// What became of a [`Routed`] with a ticket.
    Receipt { ticket: TicketId, outcome: Outcome },
    /// The session is the sender's now. Everybody passes on to `from` what was routed there before.
    Fence { slot: Arc<Slot>, epoch: u64, from: WorkerId },
    /// The sender will route nothing more for this session to the addressee.
    Passed { slot: SlotId, epoch: u64 },
    /// The session itself; `None`: it had ended.
    HandOver { slot: SlotId, epoch: u64, estate: Option<Box<Estate>> },
    /// The verdict on a publish whose session has moved here since.
    Complete { slot: Arc<Slot>, token: PublishToken, verdict: Verdict, routed: Option<RoutedAs> },
    /// The rules have changed.
    RulesChanged,
    /// The store has come further.
    Stored,
    /// The program wants something done.
    Order(Order),
}

/// Something that the program wants a worker to do, in a turn of its own.
pub(crate) struct Order(Box<dyn FnOnce(&mut Worker) + Send>);

impl Order {
    pub(crate) fn new(what: impl FnOnce(&mut Worker) + Send + 'static) -> Self {
        Self(Box::new(what))
    }

    pub(crate) fn run(self, worker: &mut Worker) {
        (self.0)(worker);
    }
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Order")
    }
}

impl Mail {
    /// Bytes of the message in it.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Self::Deliver(routed) => routed.message.message().weight(),
            _ => 0,
        }
    }
}

/// A connection that was taken.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) stream: Incoming,
    pub(crate) from: PeerAddress,
    /// When it was taken.
    pub(crate) at: Monotonic,
    pub(crate) door: Arc<Door>,
}

/// Names a publish that waits for receipts, on the worker that sent it.
pub(crate) type TicketId = usize;

/// A message for sessions of one worker.
#[derive(Debug)]
pub(crate) struct Routed {
    pub(crate) message: SharedMessage,
    pub(crate) expires_at: Option<Wall>,
    pub(crate) targets: SmallVec<[Target; 2]>,
    /// Where to send a receipt.
    pub(crate) ticket: Option<TicketId>,
    /// What it was published as, where that must not happen twice.
    pub(crate) origin: Option<Origin>,
}

/// One session that gets a message.
#[derive(Debug, Clone)]
pub(crate) struct Target {
    pub(crate) slot: SlotId,
    /// The session's epoch when the message was routed to its worker.
    pub(crate) epoch: u64,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) identifiers: SmallVec<[SubscriptionId; 2]>,
    /// The shared subscription through which it is sent.
    pub(crate) share: Option<Arc<str>>,
    /// Another session had taken it: it is taken whether the queue is full or not.
    pub(crate) forced: bool,
}

/// What became of a delivery, or of several.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Outcome {
    /// A session keeps it in the store: nobody hears that it was taken before it is durable.
    pub(crate) stored: bool,
    /// Sessions that are to have it did not take it.
    pub(crate) refused: Option<Box<Refused>>,
}

/// That sessions did not take a message that they are to have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Refused {
    /// Why the first of them did not.
    pub(crate) why: Unable,
    pub(crate) by: Receivers,
}

/// Why a session does not take a message that it is to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unable {
    /// Its queue is full.
    QueueFull,
    /// The store does not take it.
    Store,
}

impl Outcome {
    /// Every session took it, or is gone.
    pub(crate) const TAKEN: Self = Self { stored: false, refused: None };

    /// It was not taken. Whoever knows by whom says so.
    pub(crate) fn refused(why: Unable) -> Self {
        Self { stored: false, refused: Some(Box::new(Refused { why, by: Receivers::default() })) }
    }

    /// Adds what became of another delivery of the same message.
    pub(crate) fn add(&mut self, other: Self) {
        self.stored |= other.stored;
        match (&mut self.refused, other.refused) {
            (Some(refused), Some(other)) => refused.by.extend(other.by),
            (refused @ None, other) => *refused = other,
            (Some(_), None) => {}
        }
    }
}

/// A session on the move, with what belongs to it on its worker.
#[derive(Debug)]
pub(crate) struct Estate {
    pub(crate) session: Session,
    pub(crate) will: Option<PendingWill>,
    pub(crate) scans: Vec<Scan>,
    /// The generation of the rules that judged its subscriptions.
    pub(crate) judged: Option<u64>,
    /// Who it was admitted as.
    pub(crate) admitted: Option<(Admission, Credentials)>,
}

/// A will whose connection has ended.
#[derive(Debug)]
pub(crate) struct PendingWill {
    pub(crate) will: Box<Will>,
    pub(crate) testator: Testator,
    /// It is in the store too.
    pub(crate) stored: bool,
}

/// Whose will it is.
#[derive(Debug)]
pub(crate) enum Testator {
    /// One who was here.
    Admitted(Admission, Credentials),
    /// One who was here before the broker's start, by authentication name.
    Stored(String),
}

impl Outbox {
    /// Takes no more than a batch out.
    pub(crate) fn take(&mut self) -> Vec<Mail> {
        let mut bytes = 0;
        let mut count = 0;
        for mail in self.mail.iter().take(BATCH) {
            let more = mail.bytes();
            if count > 0 && bytes + more > BATCH_BYTES {
                break;
            }
            bytes += more;
            count += 1;
        }
        self.bytes -= bytes;
        let rest = self.mail.split_off(count);
        std::mem::replace(&mut self.mail, rest)
    }

    /// Whether who fills it is to be held back.
    pub(crate) const fn is_high(&self) -> bool {
        self.mail.len() >= OUTBOX_HIGH || self.bytes >= OUTBOX_HIGH_BYTES
    }

    /// Whether who was held back may go on.
    pub(crate) const fn is_low(&self) -> bool {
        self.mail.len() < OUTBOX_HIGH / 2 && self.bytes < OUTBOX_HIGH_BYTES / 2
    }
}

/// Mail that waits to go to one worker.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    pub(crate) mail: Vec<Mail>,
    /// Bytes of messages in it.
    pub(crate) bytes: usize,
    pub(crate) notify: Rc<Notify>,
    /// Connections that wait for it to drain.
    pub(crate) parked: Vec<ConnKey>,
}
