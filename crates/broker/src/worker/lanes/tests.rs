use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Wake, Waker};

use gridmq_namespace::gate::Transport;

use super::*;
use crate::broker::Broker;
use crate::entrance::Guest;
use crate::listener::Listener;
use crate::worker::publish::tests::{bytes, connect};

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

struct Crowd {
    _broker: Broker,
    worker: Worker,
    all: Vec<(ConnKey, Arc<Count>)>,
}

impl Crowd {
    fn of(size: usize) -> Self {
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let broker = Broker::start(Broker::builder().workers(1).listener(Listener::plain(any))).unwrap();
        let mut worker = Worker::detached(0, Arc::clone(&broker.shared));
        let now = worker.now();
        let guest = || Guest {
            from: any.into(),
            at: now.monotonic,
            door: Arc::clone(&broker.doors[0]),
            transport: Transport::Plain { trusted: true },
            presented: None,
            vouched: None,
        };
        let all = (0..size).map(|_| (worker.open(now, guest()), Arc::default())).collect();
        let mut crowd = Self { _broker: broker, worker, all };
        crowd.sleep();
        crowd
    }

    /// All their tasks wait.
    fn sleep(&mut self) {
        for (key, count) in &self.all {
            self.worker.conn(*key).unwrap().waker = Some(Waker::from(Arc::clone(count)));
        }
    }

    /// Who was woken, and how often.
    fn woken(&self) -> Vec<usize> {
        self.all.iter().map(|(_, count)| count.0.load(Ordering::Relaxed)).collect()
    }

    /// Those from the front that may have their turn.
    fn let_in(&mut self) -> Vec<usize> {
        let keys: Vec<_> = self.all.iter().map(|(key, _)| *key).enumerate().collect();
        keys.into_iter().filter(|(_, key)| !self.worker.holds_up(*key)).map(|(at, _)| at).collect()
    }
}

#[test]
fn a_message_wakes_some_at_once_and_the_others_round_by_round() {
    let mut crowd = Crowd::of(3 * SENDERS + 2);
    let keys: Vec<_> = crowd.all.iter().map(|(key, _)| *key).collect();
    crowd.worker.begin_message();
    for key in &keys {
        crowd.worker.wake(*key);
        // It has something more to send before it was its turn.
        crowd.worker.wake(*key);
    }
    // One of them goes meanwhile, and takes no place of a round.
    crowd.worker.remove(keys[SENDERS]);
    for rounds in 1..=3 {
        let sum: usize = crowd.woken().iter().sum();
        assert_eq!(sum, rounds * SENDERS, "before round {rounds}");
        assert_eq!(crowd.worker.next_round(), rounds < 3, "after round {rounds}");
    }
    let once = |(at, times): (usize, usize)| times == usize::from(at != SENDERS);
    assert!(crowd.woken().into_iter().enumerate().all(once), "{:?}", crowd.woken());
    // Another message has turns of its own.
    crowd.sleep_but(SENDERS);
    crowd.worker.begin_message();
    crowd.worker.wake(keys[0]);
    assert_eq!(crowd.woken()[0], 2);
}

impl Crowd {
    fn sleep_but(&mut self, gone: usize) {
        self.all.remove(gone);
        self.sleep();
    }
}

#[test]
fn newcomers_come_in_a_few_at_a_time_in_their_order() {
    let mut crowd = Crowd::of(2 * AT_THE_DOOR + 2);
    assert_eq!(crowd.let_in(), (0..AT_THE_DOOR).collect::<Vec<_>>());
    // Whoever asks again waits once.
    assert!(crowd.let_in().is_empty());
    assert!(crowd.worker.next_round());
    let next: Vec<_> = (AT_THE_DOOR..2 * AT_THE_DOOR).collect();
    let woken = crowd.woken();
    assert!(woken.iter().enumerate().all(|(at, times)| *times == usize::from(next.contains(&at))), "{woken:?}");
    assert_eq!(crowd.let_in(), next);
    while crowd.worker.next_round() {}
    // Nobody is forgotten, and there are turns again.
    assert!(crowd.woken().iter().all(|times| *times >= 1));
    assert!(!crowd.let_in().is_empty());
}

#[test]
fn clients_that_go_at_once_are_seen_off_a_few_at_a_time() {
    let mut crowd = Crowd::of(2 * AT_THE_DOOR + 2);
    let now = crowd.worker.now();
    let keys: Vec<_> = crowd.all.iter().map(|(key, _)| *key).collect();
    for (at, key) in keys.iter().enumerate() {
        crowd.worker.input(now, *key, &mut bytes(&connect(&at.to_string())));
        assert!(!crowd.worker.holds_up(*key), "its client is in");
    }
    let leave = |crowd: &mut Crowd| -> Vec<usize> {
        let may = |&(_, key): &(usize, &ConnKey)| crowd.worker.may_leave(*key);
        keys.iter().enumerate().filter(may).map(|(at, _)| at).collect()
    };
    assert_eq!(leave(&mut crowd), (0..AT_THE_DOOR).collect::<Vec<_>>());
    assert!(leave(&mut crowd).is_empty(), "asking again is no way to the front");
    assert!(crowd.worker.next_round());
    assert_eq!(leave(&mut crowd), (AT_THE_DOOR..2 * AT_THE_DOOR).collect::<Vec<_>>());
    // A turn for another reason costs nobody the place.
    let last = keys[2 * AT_THE_DOOR];
    assert!(!crowd.worker.holds_up(last));
    assert!(!crowd.worker.may_leave(last));
    while crowd.worker.next_round() {}
    assert!(crowd.worker.may_leave(last));
}
