//! Takes connections and deals them to the workers in turn. It runs on the first worker's thread: a connection of that
//! worker wakes no other thread, and one of another wakes one.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::task::spawn_local;

use crate::directory::WorkerId;
use crate::listener::{Bound, Door, Incoming, Security};
use crate::mailbox::{Accepted, Batch, Mail};
use crate::peer::PeerAddress;
use crate::shared::Shared;

/// Connections of one listener in one turn, so that the others get theirs.
const TURN: usize = 16;

/// How long nothing is taken after the system had no descriptor or memory left: others must go first.
const STARVED: Duration = Duration::from_millis(50);

/// Takes connections until shutdown, in tasks of this thread.
pub(crate) fn start(doors: Vec<(Bound, Arc<Door>)>, shared: &Arc<Shared>) {
    let next = Rc::new(Cell::new(0));
    for (socket, door) in doors {
        let (next, shared) = (Rc::clone(&next), Arc::clone(shared));
        spawn_local(Listening { door, next, shared, starved: false }.run(socket));
    }
}

struct Listening {
    door: Arc<Door>,
    /// Whose turn it is.
    next: Rc<Cell<usize>>,
    shared: Arc<Shared>,
    /// The system had nothing left when a connection was to be taken last.
    starved: bool,
}

impl Listening {
    async fn run(mut self, socket: Bound) {
        let mut shutdown = self.shared.shutdown.clone();
        let door = Arc::clone(&self.door);
        let follow = async {
            if let Security::Tls(cell) = &door.security {
                Arc::clone(cell).follow().await;
            }
            std::future::pending::<()>().await;
        };
        tokio::pin!(follow);
        let socket = match socket.watch() {
            Ok(socket) => socket,
            Err(error) => {
                tracing::error!(listener = %self.door.address, %error, "cannot watch a listening socket");
                return;
            }
        };
        let mut turn = 0;
        loop {
            let accepted = tokio::select! {
                biased;
                _ = shutdown.wait_for(|&stop| stop) => return,
                accepted = socket.accept() => accepted,
                () = &mut follow => continue,
            };
            match accepted {
                Ok((stream, from)) => self.deal(stream, from).await,
                Err(error) => self.failed(&error).await,
            }
            turn += 1;
            if turn == TURN {
                turn = 0;
                tokio::task::yield_now().await;
            }
        }
    }

    /// Why no connection could be taken.
    async fn failed(&mut self, error: &io::Error) {
        // The client left before its turn came.
        if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted) {
            return;
        }
        if !self.starved {
            self.starved = true;
            tracing::error!(
                listener = %self.door.address, %error,
                "cannot take a connection, as long as this lasts: if descriptors are short, raise the limit of open files"
            );
        }
        tokio::time::sleep(STARVED).await;
    }

    async fn deal(&mut self, stream: Incoming, from: PeerAddress) {
        let shared = &self.shared;
        if std::mem::take(&mut self.starved) {
            tracing::info!(listener = %self.door.address, "connections are taken again");
        }
        let full = if shared.connections.load(Ordering::Relaxed) >= shared.live.connections() {
            Err(shared.live.connections())
        } else {
            self.door.enter()
        };
        if let Err(limit) = full {
            shared.counters.connections_refused.one();
            shared.counters.refusals.count("connections");
            let listener = &self.door.address;
            tracing::warn!(%from, %listener, limit, "connection closed: there are as many as there may be");
            return;
        }
        shared.connections.fetch_add(1, Ordering::Relaxed);
        shared.counters.connections_accepted.one();
        let turn = self.next.get();
        self.next.set((turn + 1) % shared.inboxes.len().max(1));
        let Some(inbox) = shared.inboxes.get(turn) else { return };
        let at = shared.clock.now().monotonic;
        let accepted = Accepted { stream, from, at, door: Arc::clone(&self.door) };
        let mail = vec![Mail::Accepted(Box::new(accepted))];
        match inbox.try_send(Batch { from: WorkerId::MAX, mail }) {
            Ok(()) => {}
            // That worker is gone, and the connection with it.
            Err(TrySendError::Closed(_)) => self.gone(),
            // The worker is behind: leave further connections in the kernel's backlog until it has caught up.
            Err(TrySendError::Full(batch)) => {
                if inbox.send(batch).await.is_err() {
                    self.gone();
                }
            }
        }
    }

    fn gone(&self) {
        self.door.leave();
        self.shared.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
