use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn peer(last: u8) -> PeerAddress {
    PeerAddress::Ip(([192, 0, 2, last], 1).into())
}

/// What has become of it by now.
fn now<F: Future>(future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

fn taken(handshakes: &Arc<Handshakes>, last: u8) -> Place {
    now(pin!(handshakes.place(peer(last)))).expect("no wait").expect("a place")
}

#[test]
fn a_place_goes_to_the_first_in_line() {
    let handshakes = Arc::new(Handshakes::new(2, 2, 8));
    let first = taken(&handshakes, 1);
    let _second = taken(&handshakes, 2);
    let (mut third, mut fourth) = (pin!(handshakes.place(peer(3))), pin!(handshakes.place(peer(4))));
    assert!(now(third.as_mut()).is_none() && now(fourth.as_mut()).is_none());
    drop(first);
    assert!(now(fourth.as_mut()).is_none());
    let third = now(third).unwrap().unwrap();
    drop(third);
    assert!(now(fourth).unwrap().is_ok());
    let state = handshakes.state.lock();
    assert!(state.taken == 1 && state.waiting == 0 && state.lines.is_empty() && state.by_source.len() == 1);
}

#[test]
fn a_source_has_its_share_and_does_not_hold_up_others_with_its_line() {
    let handshakes = Arc::new(Handshakes::new(4, 2, 100));
    let held = [taken(&handshakes, 1), taken(&handshakes, 1)];
    let mut line: Vec<_> = (0..50).map(|_| Box::pin(handshakes.place(peer(1)))).collect();
    assert!(line.iter_mut().all(|waiting| now(waiting.as_mut()).is_none()));
    let other = taken(&handshakes, 2);
    let same_network = PeerAddress::Ip("[2001:db8::1]:1".parse().unwrap());
    let neighbour = PeerAddress::Ip("[2001:db8::2]:1".parse().unwrap());
    let _six = now(pin!(handshakes.place(same_network))).unwrap().unwrap();
    // All four are taken now, and sources take turns.
    let mut waiting = pin!(handshakes.place(neighbour));
    assert!(now(waiting.as_mut()).is_none());
    drop(other);
    assert!(now(waiting.as_mut()).is_some());
    drop(held);
    let got: Vec<_> = line.iter_mut().filter_map(|waiting| now(waiting.as_mut())).collect();
    assert_eq!(got.len(), 2, "its share");
}

#[test]
fn the_line_has_an_end_and_who_left_does_not_count() {
    let handshakes = Arc::new(Handshakes::new(1, 1, 1));
    let held = taken(&handshakes, 1);
    let mut waiting = Box::pin(handshakes.place(peer(2)));
    assert!(now(waiting.as_mut()).is_none());
    assert_eq!(now(pin!(handshakes.place(peer(3)))).unwrap().err(), Some(LineFull));
    drop(waiting);
    let mut next = pin!(handshakes.place(peer(3)));
    assert!(now(next.as_mut()).is_none());
    drop(held);
    assert!(now(next).unwrap().is_ok());
}

#[test]
fn a_slow_one_gives_up_its_place_when_that_helps_somebody() {
    let handshakes = Arc::new(Handshakes::new(2, 1, 8));
    let slow = taken(&handshakes, 1);
    let mut wanted = Box::pin(slow.wanted());
    assert!(now(wanted.as_mut()).is_none(), "nobody waits");
    let quick = taken(&handshakes, 2);
    assert!(now(wanted.as_mut()).is_none(), "nobody waits");
    let mut behind_its_own = Box::pin(handshakes.place(peer(2)));
    assert!(now(behind_its_own.as_mut()).is_none());
    assert!(now(wanted.as_mut()).is_none(), "the other waits for its own source's share");
    let mut third = pin!(handshakes.place(peer(3)));
    assert!(now(third.as_mut()).is_none());
    assert!(now(wanted.as_mut()).is_some(), "its place helps the third");
    drop(wanted);
    drop(slow);
    assert!(now(third).unwrap().is_ok());
    assert!(now(pin!(quick.wanted())).is_some(), "somebody of its source waits");
    drop(quick);
    assert!(now(behind_its_own.as_mut()).unwrap().is_ok());
}
