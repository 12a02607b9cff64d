//! What a worker remembers of a connection and of a session.

use std::sync::Arc;
use std::task::Waker;

use bytes::BytesMut;
use gridmq_namespace::gate::{Admission, Credentials, DecisionCache, Transport};
use gridmq_proto::SubscriptionFilter;
use gridmq_proto::codec::Decoder;
use gridmq_proto::session::Verdict;
use gridmq_proto::session::server::{Connection, Session, Subscription};
use gridmq_proto::time::{Monotonic, Wall};
use gridmq_tls::PresentedPeer;

use super::takeover::{Arriving, Leaving};
use super::{OwnRealm, admission, ponder};
use crate::directory::{Slot, SlotId};
use crate::hooks::SessionEnd;
use crate::listener::Door;
use crate::mailbox::{PendingWill, TicketId};
use crate::observer::ConnectionId;
use crate::peer::PeerAddress;
use crate::retained::Cursor;

/// Names a connection of this worker; the number tells a place's later tenants apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnKey {
    pub(super) place: usize,
    pub(super) id: ConnectionId,
}

/// A connection.
#[derive(Debug)]
pub(crate) struct Conn {
    pub(super) id: ConnectionId,
    pub(crate) machine: Connection,
    pub(super) decoder: Decoder,
    /// Encoded and not written yet.
    pub(crate) outgoing: BytesMut,
    /// Weight of deliveries that were handed to the machine and are not encoded yet.
    pub(super) undrained: usize,
    /// Wakes the connection's task.
    pub(crate) waker: Option<Waker>,
    /// It waits for a turn (`lanes.rs`).
    pub(super) queued: bool,
    /// Its client comes or goes, and it has waited for its turn.
    pub(super) may_pass: bool,
    /// When the machine wants to hear of the time.
    pub(crate) deadline: Option<Monotonic>,
    /// When what proves who its client is ends, so that it is judged again.
    pub(super) proof_ends: Option<Monotonic>,
    /// The machine is done; what is in `outgoing` still goes out.
    pub(crate) closing: bool,
    /// The client has said goodbye, or has gone: it waits for nothing.
    pub(crate) parted: bool,
    /// An outbox is over its mark: no more input until it has drained.
    pub(super) parked: bool,
    /// A message of its client that goes out in rounds: no more input until it has gone to all.
    pub(super) fan_out: Option<TicketId>,
    /// A publish of its client was refused that MQTT 3.1.1 has no way to refuse: when the connection ends, and why.
    pub(super) withheld: Option<(Monotonic, Verdict)>,
    /// The largest packet that the client takes.
    pub(super) maximum_packet_size: Option<u32>,
    pub(super) realm: OwnRealm,
    pub(super) from: PeerAddress,
    /// The listener that it came through.
    pub(super) door: Arc<Door>,
    pub(super) transport: Transport,
    pub(super) presented: Option<PresentedPeer>,
    /// The name that a trusted proxy has proven.
    pub(super) vouched: Option<Box<str>>,
    pub(super) cache: DecisionCache,
    /// Set while the client is in.
    pub(super) client: Option<Client>,
    /// A client on its way in whose next AUTH is due.
    pub(super) arrival: Option<Box<admission::Arrival>>,
    /// A re-authentication under way.
    pub(super) challenge: Option<Box<admission::Challenge>>,
    /// A decision that comes later; until then nothing is read.
    pub(super) pondering: Option<ponder::Pondering>,
    /// The program ended it.
    pub(super) put_out: bool,
    /// The session that it waits for while that is on its way from another worker.
    pub(super) awaiting: Option<SlotId>,
    /// Bytes counted against the limit for those that are not in.
    pub(super) unadmitted: usize,
}

/// Who is in.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) slot: Arc<Slot>,
    pub(super) admission: Admission,
    pub(super) credentials: Credentials,
    /// Its will is in the store.
    pub(super) will_stored: bool,
    /// Since when.
    pub(super) since: Wall,
}

/// A session that this worker has, or is about to get, or has given away and passes on to.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) slot: Arc<Slot>,
    pub(super) state: State,
    /// The epoch in which this worker last claimed it.
    pub(super) epoch: u64,
    /// Rises when its session is discarded.
    pub(super) incarnation: u64,
    /// Moves away from here that are not complete, by epoch.
    pub(super) leaving: Vec<Leaving>,
    /// A will that waits for its delay.
    pub(super) will: Option<(Monotonic, PendingWill)>,
    /// When the clerk looks at it.
    pub(super) alarm: Option<Monotonic>,
    /// It holds more than it may and ends with the turn.
    pub(super) overflowed: bool,
    /// It ends with its connection, and why.
    pub(super) ending: Option<SessionEnd>,
    /// The generation of the rules that judged its subscriptions, if any has.
    pub(super) judged: Option<u64>,
    /// When a session without a connection ends.
    pub(super) expires: Option<Monotonic>,
    pub(super) scans: Vec<Scan>,
    /// Who it was admitted as, to judge an offline session and its will again.
    pub(super) admitted: Option<(Admission, Credentials)>,
}

#[derive(Debug)]
pub(super) enum State {
    /// The session is in the machine of that connection.
    Online(ConnKey),
    Offline(Box<Session>),
    /// Its last worker has been asked for it.
    Arriving(Box<Arriving>),
    /// Nothing here but what is leaving.
    Away,
}

/// A subscription that still gets retained messages.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(super) filter: SubscriptionFilter,
    pub(super) subscription: Subscription,
    pub(super) version: u64,
    pub(super) cursor: Cursor,
}
