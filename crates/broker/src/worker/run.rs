//! A worker's thread: its post, its clerk, its carriers, and the start of its connections.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use tokio::task::{LocalSet, spawn_local};

use super::Worker;
use crate::acceptor;
use crate::connection;
use crate::directory::WorkerId;
use crate::entrance;
use crate::listener::{Bound, Door};
use crate::mailbox::{Accepted, Batch, Mail};
use crate::revive::Revived;
use crate::shared::Shared;

/// Mail handled in one turn, so that connections get theirs.
const POST_SLICE: usize = 256;

/// Runs a worker until the broker stops.
pub(crate) fn run(
    runtime: &Runtime,
    id: WorkerId,
    shared: Arc<Shared>,
    inbox: mpsc::Receiver<Batch>,
    sessions: Vec<Revived>,
    doors: Vec<(Bound, Arc<Door>)>,
) {
    let local = LocalSet::new();
    local.block_on(runtime, async move {
        let worker = Rc::new(RefCell::new(Worker::new(id, Arc::clone(&shared))));
        worker.borrow_mut().me = Rc::downgrade(&worker);
        worker.borrow_mut().attach_store();
        worker.borrow_mut().adopt(sessions);
        for to in shared.workers() {
            if let Some(sender) = shared.inboxes.get(usize::from(to)).cloned() {
                spawn_local(carry(Rc::clone(&worker), to, sender));
            }
        }
        spawn_local(clerk(Rc::clone(&worker)));
        spawn_local(super::lanes::rounds(Rc::clone(&worker)));
        if let Some(interval) = shared.system_topics.filter(|_| id == 0) {
            spawn_local(crate::sys::publish(Rc::clone(&worker), Arc::clone(&shared), interval));
        }
        spawn_local(post(Rc::clone(&worker), inbox));
        acceptor::start(doors, &shared);
        let mut shutdown = shared.shutdown.clone();
        let _ = shutdown.wait_for(|&stop| stop).await;
        let emptied = Rc::clone(&worker.borrow().emptied);
        let all_gone = emptied.notified();
        tokio::pin!(all_gone);
        all_gone.as_mut().enable();
        worker.borrow_mut().stop();
        if !worker.borrow().is_empty() {
            let _ = tokio::time::timeout(shared.shutdown_deadline, all_gone).await;
        }
        worker.borrow_mut().commit();
    });
}

/// Takes the worker's mail.
async fn post(worker: Rc<RefCell<Worker>>, mut inbox: mpsc::Receiver<Batch>) {
    let mut left = POST_SLICE;
    while let Some(Batch { from, mail }) = inbox.recv().await {
        let mut mail = mail.into_iter().peekable();
        while mail.peek().is_some() {
            let now = worker.borrow().now();
            for piece in mail.by_ref().take(left) {
                left -= 1;
                match piece {
                    Mail::Accepted(accepted) => {
                        spawn_local(begin(Rc::clone(&worker), *accepted));
                    }
                    other => worker.borrow_mut().receive(now, from, other),
                }
            }
            worker.borrow_mut().commit();
            if left == 0 {
                // Another batch may lie ready, again and again.
                left = POST_SLICE;
                tokio::task::yield_now().await;
            }
        }
    }
}

/// Takes mail for one worker from its outbox to its inbox.
async fn carry(worker: Rc<RefCell<Worker>>, to: WorkerId, inbox: mpsc::Sender<Batch>) {
    let from = worker.borrow().id;
    let notify = {
        let worker = worker.borrow();
        let Some(outbox) = worker.outboxes.get(usize::from(to)) else { return };
        Rc::clone(&outbox.notify)
    };
    loop {
        notify.notified().await;
        while worker.borrow().has_mail(to) {
            let Ok(permit) = inbox.reserve().await else { return };
            let mail = worker.borrow_mut().take_mail(to);
            permit.send(Batch { from, mail });
        }
    }
}

/// Looks after timers of sessions and after work that is done in slices.
async fn clerk(worker: Rc<RefCell<Worker>>) {
    let (clock, notify) = {
        let worker = worker.borrow();
        (worker.shared.clock, Rc::clone(&worker.clerk))
    };
    loop {
        let (next, more) = {
            let mut worker = worker.borrow_mut();
            let now = worker.now();
            let next = worker.ring(now);
            let more = worker.judge_slice(now);
            (next, more)
        };
        if more {
            tokio::task::yield_now().await;
            continue;
        }
        let alarm = async {
            match next {
                Some(at) => tokio::time::sleep_until(clock.instant(at)).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = alarm => {}
            () = notify.notified() => {}
        }
    }
}

/// Gets a connection's transport ready and serves it.
async fn begin(worker: Rc<RefCell<Worker>>, accepted: Accepted) {
    let shared = Arc::clone(&worker.borrow().shared);
    let door = Arc::clone(&accepted.door);
    if let Some((stream, guest)) = entrance::receive(&shared, accepted).await {
        let key = {
            let mut worker = worker.borrow_mut();
            let now = worker.now();
            worker.open(now, guest)
        };
        connection::serve(Rc::clone(&worker), key, stream).await;
    }
    door.leave();
    shared.connections.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
}

#[cfg(any(test, feature = "measure"))]
impl Worker {
    /// A worker without a thread, tasks and mail from the store.
    pub(crate) fn detached(id: WorkerId, shared: Arc<Shared>) -> Self {
        let mut worker = Self::new(id, shared);
        worker.journal.draft.volatile = worker.shared.volatile;
        worker
    }

    pub(crate) fn forget_routes(&mut self) {
        self.routes = super::routes::Routes::default();
    }

    pub(crate) fn receive_batch(&mut self, from: WorkerId, mail: Vec<Mail>) {
        let now = self.now();
        mail.into_iter().for_each(|piece| self.receive(now, from, piece));
        self.commit();
    }

    /// What the clerk does, and a round. Whether there is more to do now.
    pub(crate) fn tick(&mut self, now: gridmq_proto::time::Now) -> bool {
        let next = self.ring(now);
        let rounds = self.next_round();
        let mail = self.outboxes.iter().any(|outbox| !outbox.mail.is_empty());
        self.judge_slice(now) || rounds || mail || next.is_some_and(|at| at <= now.monotonic)
    }

    /// How many sessions and open deliveries there are.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.locals.len(), self.tickets.len())
    }
}

impl Worker {
    fn has_mail(&self, to: WorkerId) -> bool {
        self.outboxes.get(usize::from(to)).is_some_and(|outbox| !outbox.mail.is_empty())
    }

    /// Takes a batch out of an outbox, and lets the connections go on that waited for room in it.
    pub(crate) fn take_mail(&mut self, to: WorkerId) -> Vec<Mail> {
        let Some(outbox) = self.outboxes.get_mut(usize::from(to)) else { return Vec::new() };
        let batch = outbox.take();
        if outbox.is_low() {
            for key in std::mem::take(&mut outbox.parked) {
                if let Some(conn) = self.conn(key) {
                    conn.parked = false;
                }
                self.wake(key);
            }
        }
        batch
    }
}
