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
/// Connections whose client is not in yet, in one round: a CONNECT costs ten times what a message does.
const NEWCOMERS: usize = 8;

/// See the module.
#[derive(Debug)]
pub(super) struct Lanes {
    /// How many more the present message may wake at once.
    at_once: usize,
    senders: VecDeque<ConnKey>,
    newcomers: VecDeque<ConnKey>,
    /// How many more newcomers may have their turn in this round.
    newcomers_left: usize,
    /// Told when somebody waits, or no newcomer may have a turn any more.
    spent: Rc<Notify>,
}

impl Default for Lanes {
    fn default() -> Self {
        Self {
            at_once: SENDERS,
            senders: VecDeque::new(),
            newcomers: VecDeque::new(),
            newcomers_left: NEWCOMERS,
            spent: Rc::default(),
        }
    }
}

impl Lanes {
    /// Whether a newcomer may have a turn in this round. The last one brings the next round.
    fn take_newcomer(&mut self) -> bool {
        let Some(left) = self.newcomers_left.checked_sub(1) else { return false };
        self.newcomers_left = left;
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
        conn.queued &= conn.client.is_none();
        if conn.client.is_some() || std::mem::take(&mut conn.may_enter) {
            return false;
        }
        if !conn.queued && self.lanes.take_newcomer() {
            return false;
        }
        if !std::mem::replace(&mut conn.queued, true) {
            self.lanes.newcomers.push_back(key);
        }
        true
    }

    /// Begins a round: who waits longest has a turn. Whether another one has to follow.
    fn next_round(&mut self) -> bool {
        self.lanes.newcomers_left = NEWCOMERS;
        while self.lanes.newcomers_left > 0
            && let Some(key) = self.lanes.newcomers.pop_front()
        {
            if self.wake_queued(key) {
                self.lanes.newcomers_left -= 1;
                if let Some(conn) = self.conn(key) {
                    conn.may_enter = true;
                }
            }
        }
        let mut left = SENDERS;
        while left > 0
            && let Some(key) = self.lanes.senders.pop_front()
        {
            left -= usize::from(self.wake_queued(key));
        }
        self.lanes.newcomers_left == 0 || !self.lanes.senders.is_empty()
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
