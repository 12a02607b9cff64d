//! A store that fails, and one that takes its time to close.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::future::IntoFuture as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context, Poll};
use std::time::Duration;

use gridmq_client::error::{ConnectErrorKind, DisconnectKind, Side, Stage};
use gridmq_client::store::{Record, SessionStore, StoreError};
use gridmq_client::{ConnectionState, QoS, ReasonCode, Version};
use gridmq_proto::packet::Packet;
use support::{bounded, over};
use venue::Venue;

/// Fails when told to, and closes when told to.
#[derive(Debug)]
struct Fragile {
    fails: Arc<AtomicBool>,
    opens: Option<Mutex<mpsc::Receiver<()>>>,
    closes: Mutex<mpsc::Receiver<()>>,
    appended: u64,
    told: u64,
}

impl SessionStore for Fragile {
    fn load(&mut self, _: &str) -> Result<Vec<Record>, StoreError> {
        if let Some(opens) = &self.opens {
            let _ = opens.lock().unwrap().recv();
        }
        Ok(Vec::new())
    }

    fn append(&mut self, _: Vec<Record>) -> Result<u64, StoreError> {
        assert!(self.told != u64::MAX, "it has failed");
        if self.fails.load(Ordering::Relaxed) {
            self.told = u64::MAX;
            return Err(StoreError::Failed(Arc::new(std::io::Error::from(std::io::ErrorKind::StorageFull))));
        }
        self.appended += 1;
        Ok(self.appended)
    }

    fn poll_durable(&mut self, _: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        assert!(self.told != u64::MAX, "it has failed");
        if self.told == self.appended {
            return Poll::Pending;
        }
        self.told = self.appended;
        Poll::Ready(Ok(self.told))
    }
}

impl Drop for Fragile {
    fn drop(&mut self) {
        let _ = self.closes.lock().unwrap().recv();
    }
}

fn fragile() -> (Fragile, Arc<AtomicBool>, mpsc::SyncSender<()>) {
    let fails = Arc::new(AtomicBool::new(false));
    let (close, closes) = mpsc::sync_channel(0);
    let (opens, closes) = (None, Mutex::new(closes));
    (Fragile { fails: Arc::clone(&fails), opens, closes, appended: 0, told: 0 }, fails, close)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_ends_the_client_in_order_and_says_so() {
    for away in [false, true] {
        let (store, fails, close) = fragile();
        let mut venue = Venue::new(Version::V5);
        let (client, server) = venue.connected(venue.lasting().session_store(Box::new(store))).await;
        let mut server = Some(server);
        fails.store(true, Ordering::Relaxed);
        if away {
            drop(server.take());
            client.state().wait_for(|state| matches!(state, ConnectionState::Waiting { .. })).await.unwrap();
        }
        let outcome = client.publish("a", "x").qos(QoS::AtLeastOnce).await;
        assert!(outcome.is_err(), "{outcome:?}");
        let cause = over(&client).await;
        assert!(matches!(cause.kind(), DisconnectKind::Store(StoreError::Failed(_))), "{cause}");
        assert_eq!(cause.side(), Side::Us);
        if let Some(mut server) = server {
            let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
            assert_eq!(disconnect.reason, ReasonCode::UnspecifiedError);
            server.hang_up().await;
        }
        drop(close);
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_when_it_is_closed_stops_no_task() {
    let (store, _, close) = fragile();
    let mut venue = Venue::new(Version::V5);
    let (client, server) = venue.connected(venue.lasting().session_store(Box::new(store))).await;
    let leaving = async { tokio::join!(client.disconnect().into_future(), server.hang_up()) };
    let (left, ()) = bounded("leaving", leaving).await;
    left.unwrap();
    drop(close);
}

/// A store whose writer has failed before anything was stored.
#[derive(Debug)]
struct Broken;

impl SessionStore for Broken {
    fn load(&mut self, _: &str) -> Result<Vec<Record>, StoreError> {
        Ok(Vec::new())
    }

    fn append(&mut self, _: Vec<Record>) -> Result<u64, StoreError> {
        Ok(1)
    }

    fn poll_durable(&mut self, _: &mut Context<'_>) -> Poll<Result<u64, StoreError>> {
        Poll::Ready(Err(StoreError::Failed(Arc::new(std::io::Error::from(std::io::ErrorKind::StorageFull)))))
    }
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_while_connecting_is_what_the_connect_says() {
    let venue = Venue::new(Version::V5);
    let begin = tokio::time::Instant::now();
    let connect = venue.lasting().session_store(Box::new(Broken)).connect();
    let error = bounded("connecting", connect).await.unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Store(StoreError::Failed(_))), "{error}");
    assert!(begin.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_store_that_is_not_open_in_time_fails_the_connect_and_stops_no_task() {
    let (mut store, _, close) = fragile();
    let (open, opens) = mpsc::sync_channel(0);
    store.opens = Some(Mutex::new(opens));
    let venue = Venue::new(Version::V5);
    let options = venue.lasting().session_store(Box::new(store)).connect_timeout(Duration::from_millis(300));
    let error = bounded("connecting", options.connect()).await.unwrap_err();
    assert_eq!(error.stage(), Stage::Options);
    assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
    assert!(!error.is_permanent() && error.to_string().contains("store"), "{error}");
    drop((open, close));
}
