//! Who has a turn when thousands want one at once.
//!
//! The runtime gives turns in the order in which tasks were woken, and looks at the sockets in between. A message for ten
//! thousand subscribers, or as many clients that come back at once, would keep everybody else waiting behind them. So of
//! each kind only some have their turn in a round; the others wait here, in their order, for the next.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::task::Waker;

use tokio::sync::Notify;

use super::{ConnKey, Worker};

/// Connections that one message has sent to at once, and in one round after that.
const SENDERS: usize = 32;
/// Connections whose client comes or goes in one round: that costs ten times what a message does.
const AT_THE_DOOR: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Lanes {
    /// How many more the present message may wake at once.
    at_once: usize,
    senders: VecDeque<ConnKey>,
    at_the_door: VecDeque<ConnKey>,
    /// How many more may come or go in this round.
    door_left: usize,
    /// Told when somebody waits, or nobody may come or go any more.
    spent: Rc<Notify>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            at_once: SENDERS,
            senders: VecDeque::new(),
            at_the_door: VecDeque::new(),
            door_left: AT_THE_DOOR,
            spent: Rc::default(),
        }
    }
}

impl Lanes {
    /// How many wait to send.
    pub(super) fn senders(&self) -> usize {
        self.senders.len()
    }

    /// Whoever has something to send does that in a later round.
    pub(super) const fn wake_later(&mut self) {
        self.at_once = 0;
    }

    /// Has another round follow.
    pub(super) fn ask_for_round(&self) {
        self.spent.notify_one();
    }

    /// Whether one more may come or go in this round. The last one brings the next round.
    fn take_door(&mut self) -> bool {
        let Some(left) = self.door_left.checked_sub(1) else { return false };
        self.door_left = left;
        if left == 0 {
            self.spent.notify_one();
        }
        true
    }
}

impl Worker {
    /// Wakes the task of a connection, to send what lies ready for it: now, or in a later round.
    pub(super) fn wake(&mut self, key: ConnKey) {
        if self.current == Some(key) {
            return;
        }
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return };
        if conn.queued || conn.waker.is_none() {
            return;
        }
        self.woke_others = true;
        if let Some(left) = self.lanes.at_once.checked_sub(1) {
            self.lanes.at_once = left;
            conn.waker.take().into_iter().for_each(Waker::wake);
        } else {
            conn.queued = true;
            self.lanes.senders.push_back(key);
            self.lanes.spent.notify_one();
        }
    }

    /// A message is about to go to whom it is for.
    pub(super) const fn begin_message(&mut self) {
        self.lanes.at_once = SENDERS;
    }

    /// Whether a connection's turn has to wait, since its client is not in and others are on their way in.
    pub(crate) fn holds_up(&mut self, key: ConnKey) -> bool {
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return false };
        if conn.client.is_some() {
            // It has its turn, whatever it waited for.
            conn.queued = false;
            return false;
        }
        !self.passes(key)
    }

    /// Whether a client's end may be seen to in this turn; if not, its connection is woken when it may.
    pub(crate) fn may_leave(&mut self, key: ConnKey) -> bool {
        // Nobody else counts those that are not in.
        self.conn(key).is_none_or(|conn| conn.client.is_none()) || self.passes(key)
    }

    /// Whether a connection may pass the door in this turn; else it waits for one of the next rounds.
    fn passes(&mut self, key: ConnKey) -> bool {
        let Some(conn) = self.conns.get_mut(key.place).filter(|conn| conn.id == key.id) else { return true };
        if std::mem::take(&mut conn.may_pass) || (!conn.queued && self.lanes.take_door()) {
            return true;
        }
        if !std::mem::replace(&mut conn.queued, true) {
            self.lanes.at_the_door.push_back(key);
        }
        false
    }

    /// Begins a round: who waits longest has a turn. Whether another one has to follow.
    pub(super) fn next_round(&mut self) -> bool {
        self.lanes.door_left = AT_THE_DOOR;
        while self.lanes.door_left > 0
            && let Some(key) = self.lanes.at_the_door.pop_front()
        {
            if self.wake_queued(key) {
                self.lanes.door_left -= 1;
                if let Some(conn) = self.conn(key) {
                    conn.may_pass = true;
                }
            }
        }
        let mut left = SENDERS;
        while left > 0
            && let Some(key) = self.lanes.senders.pop_front()
        {
            left -= usize::from(self.wake_queued(key));
        }
        let now = self.now();
        let sending = self.send_slice(now);
        sending || self.lanes.door_left == 0 || !self.lanes.senders.is_empty()
    }

    /// Whether it still waited: one that is gone, or had its turn meanwhile, is not queued any more.
    fn wake_queued(&mut self, key: ConnKey) -> bool {
        let Some(conn) = self.conn(key) else { return false };
        let queued = std::mem::take(&mut conn.queued);
        if queued && let Some(waker) = conn.waker.take() {
            waker.wake();
        }
        queued
    }
}

/// Begins a round whenever one is over.
pub(super) async fn rounds(worker: Rc<RefCell<Worker>>) {
    let spent = Rc::clone(&worker.borrow().lanes.spent);
    loop {
        spent.notified().await;
        loop {
            // Resumes when the runtime has looked at the sockets.
            tokio::task::yield_now().await;
            if !worker.borrow_mut().next_round() {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests;
