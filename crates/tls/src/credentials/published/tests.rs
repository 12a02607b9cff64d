use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::super::tests::identity;
use super::*;

#[test]
fn a_fixed_identity_never_changes() {
    let fixed = Fixed::new(identity("device", 1));
    assert_eq!(fixed.current().number, 1);
    assert_eq!(fixed.status().not_after, fixed.current().identity.not_after());
    let mut changed = pin!(fixed.changed(0));
    assert!(changed.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
}

#[tokio::test]
async fn everyone_who_waits_learns_of_a_new_generation() {
    let cell = Published::new(identity("first", 1));
    let waiting: Vec<_> = (0..3)
        .map(|_| {
            let cell = cell.clone();
            tokio::spawn(async move { cell.changed(1).await.number })
        })
        .collect();
    tokio::task::yield_now().await;
    cell.failed("no answer");
    assert_eq!(cell.status().last_error.as_deref(), Some("no answer"));
    assert_eq!(cell.publish(identity("second", 2)), 2);
    for task in waiting {
        assert_eq!(task.await.unwrap(), 2);
    }
    let status = cell.status();
    assert_eq!((status.generation, status.reloads, status.failures), (2, 1, 1));
    assert_eq!(status.last_error, None);
    assert_eq!(cell.current().identity.subject(), "CN=second");
    // What is newer already does not wait.
    assert_eq!(cell.changed(1).await.number, 2);
}

#[test]
fn who_stops_waiting_leaves_nothing_behind() {
    let cell = Published::new(identity("first", 1));
    for _ in 0..10 {
        let mut changed = cell.changed(1);
        let polled = changed.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(polled, Poll::Pending));
        assert_eq!(cell.lock().waiting.len(), 1);
    }
    assert!(cell.lock().waiting.is_empty());
}

#[test]
fn days_left_are_rounded_down() {
    let status = CredentialStatus::new(1, 1_000_000);
    assert_eq!(status.days_left(1_000_000 - 86_400 * 2), 2);
    assert_eq!(status.days_left(1_000_000 - 86_399), 0);
    assert_eq!(status.days_left(1_000_001), -1);
    assert_eq!(status.seconds_left(u64::MAX), 1_000_000 - i64::MAX);
}
