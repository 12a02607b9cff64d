//! The end of the store: when it fails, and when the client has ended.

use std::io;
use std::thread;
use std::time::Duration;

use gridmq_proto::ReasonCode;
use gridmq_proto::packet::DisconnectProperties;
use tokio::sync::oneshot;
use tokio::time::timeout;

use super::Driver;
use crate::connect;
use crate::error::{ConnectErrorKind, DisconnectCause};
use crate::lifecycle::Phase;
use crate::store::{SessionStore, StoreError};

/// How long leaving waits for the store to close. A disk that hangs is not waited for.
const CLOSE: Duration = Duration::from_secs(5);

impl Driver {
    /// Nothing can be promised any more: the client ends.
    pub(super) fn store_failed(&mut self, error: StoreError) {
        tracing::error!(%error, "the client ends, because its session cannot be stored any more");
        if let Some(first) = self.first.take() {
            // Nobody may wait for it any more.
            let _ = first.send(Err(connect::store_error(&self.plan, ConnectErrorKind::Store(error.clone()))));
        }
        // A server that is still to prove itself is told nothing.
        let greeting = self.life.phase() == Phase::Greeting;
        self.end(DisconnectCause::store(error));
        if self.link.machine().is_connected() && !greeting {
            // So that the server does not have to wait for it. The session stays.
            let properties = DisconnectProperties::default();
            self.link.with(|machine, now| machine.disconnect(now, ReasonCode::UnspecifiedError, properties));
        } else {
            self.link.hang_up();
        }
    }

    /// Closes the store, which may wait for a disk, where no task stands still for it.
    pub(super) async fn close_store(&mut self) {
        let Some(store) = self.outbox.take_store() else { return };
        match close(store) {
            Ok(closed) => {
                if timeout(CLOSE, closed).await.is_err() {
                    tracing::warn!("the session's store is still being closed: its disk is slow, or hangs");
                }
            }
            // It was closed here all the same.
            Err(error) => tracing::debug!(%error, "no thread could be started to close the session's store"),
        }
    }
}

/// Ends when the store is closed.
fn close(store: Box<dyn SessionStore>) -> io::Result<oneshot::Receiver<()>> {
    let (closes, closed) = oneshot::channel::<()>();
    thread::Builder::new().name("gridmq-store-end".to_owned()).spawn(move || {
        drop(store);
        drop(closes);
    })?;
    Ok(closed)
}
