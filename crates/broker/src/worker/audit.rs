//! What a worker must always be able to say of itself between two turns. For tests.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "a test's tool")]

use super::{State, Worker};
use crate::directory::SlotId;

/// What a worker holds.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// Sessions that are here.
    pub(crate) sessions: Vec<SlotId>,
    /// Messages that wait or are under way, of the session that has most.
    pub(crate) most_messages: usize,
    /// Messages under way, of the session that has most.
    pub(crate) most_in_flight: usize,
    /// Subscriptions of the session that has most.
    pub(crate) most_subscriptions: usize,
    /// Bytes to be written, of the connection that has most.
    pub(crate) most_outgoing: usize,
    /// Bytes of clients that are not in.
    pub(crate) unadmitted: usize,
}

impl Worker {
    /// Checks what is true of every worker that has nothing to do, and counts.
    pub(crate) fn audit(&self) -> Audit {
        assert!(self.tickets.is_empty(), "a delivery is open: {:?}", self.tickets);
        for outbox in &self.outboxes {
            assert!(outbox.mail.is_empty() && outbox.bytes == 0, "mail is left: {outbox:?}");
        }
        let mut audit = Audit::default();
        for (&id, local) in &self.locals {
            let session = match &local.state {
                State::Online(key) => {
                    let conn = self.conns.get(key.place).filter(|conn| conn.id == key.id);
                    let conn = conn.expect("a session's connection is there");
                    let slot = conn.client.as_ref().map(|client| client.slot.id);
                    assert_eq!(slot, Some(id), "the connection has another session");
                    conn.machine.session()
                }
                State::Offline(session) => Some(&**session),
                State::Arriving(_) => panic!("a session never arrives: {:?}", local.slot),
                State::Away => None,
            };
            let Some(session) = session else { continue };
            audit.sessions.push(id);
            audit.most_messages = audit.most_messages.max(session.load().0);
            audit.most_in_flight = audit.most_in_flight.max(session.in_flight());
            audit.most_subscriptions = audit.most_subscriptions.max(session.subscriptions().len());
        }
        for (_, conn) in &self.conns {
            assert!(!conn.parked, "a connection is held back for nothing");
            audit.most_outgoing = audit.most_outgoing.max(conn.outgoing.len());
            audit.unadmitted += conn.unadmitted;
        }
        audit
    }
}
