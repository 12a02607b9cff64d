//! What was promised, and what has arrived.

use std::fmt::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};

use gridmq_proto::QoS;
use tokio::sync::{Notify, Semaphore};

use super::subscriber::Subscriber;

/// A message that its publisher has done with: acknowledged, or refused.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Open,
    Acknowledged,
    Refused,
}

struct Book {
    /// By publisher and number.
    fates: Vec<Vec<Fate>>,
    /// Each subscriber's name and highest QoS, and how often each message came, by publisher and number.
    arrived: Vec<(&'static str, QoS, Vec<Vec<u8>>)>,
}

/// See the module.
pub struct Ledger {
    book: Mutex<Book>,
    /// Of all publishers together.
    pub acknowledged: AtomicU64,
    stopped: AtomicBool,
    publishing: AtomicU64,
    /// Something has gone on.
    moved: Notify,
    /// A permit for each subscriber that is subscribed.
    pub subscribed: Semaphore,
}

/// What it came to.
pub struct Counts {
    pub at_least_once: u64,
    pub exactly_once: u64,
    refused: u64,
    delivered: u64,
    repeated: u64,
    pub lost: u64,
    pub doubled: u64,
}

/// What the number says of itself, so that both ends agree.
pub const fn qos_of(number: usize) -> QoS {
    if number.is_multiple_of(2) { QoS::ExactlyOnce } else { QoS::AtLeastOnce }
}

/// Messages that a subscriber may be behind each publisher.
const LAG: usize = 200;

impl Ledger {
    pub fn new(publishers: usize) -> Self {
        let book = Book { fates: vec![Vec::new(); publishers], arrived: Vec::new() };
        Self {
            book: Mutex::new(book),
            acknowledged: AtomicU64::new(0),
            stopped: AtomicBool::new(false),
            publishing: AtomicU64::new(publishers as u64),
            moved: Notify::new(),
            subscribed: Semaphore::new(0),
        }
    }

    /// A client that has failed does not make the others fail.
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn expect(&self, subscribers: &[Subscriber]) {
        let mut book = self.book();
        let publishers = book.fates.len();
        book.arrived = subscribers.iter().map(|one| (one.name, one.qos, vec![Vec::new(); publishers])).collect();
    }

    /// The number of the publisher's next message, if there may be one now.
    pub fn take_number(&self, publisher: usize) -> Option<usize> {
        if self.is_stopped() {
            return None;
        }
        let mut book = self.book();
        let number = book.fates[publisher].len();
        let behind = |came: &Vec<Vec<u8>>| came[publisher].len() + LAG < number;
        if book.arrived.iter().any(|(_, _, came)| behind(came)) {
            return None;
        }
        book.fates[publisher].push(Fate::Open);
        Some(number)
    }

    /// Whether the subscriber is soon behind as far as it may be.
    pub fn is_behind(&self, subscriber: &str) -> bool {
        let book = self.book();
        let (_, _, came) = book.arrived.iter().find(|(name, _, _)| *name == subscriber).unwrap();
        book.fates.iter().zip(came).any(|(fates, came)| came.len() + LAG / 2 < fates.len())
    }

    pub fn settle(&self, publisher: usize, number: usize, refused: bool) {
        self.book().fates[publisher][number] = if refused { Fate::Refused } else { Fate::Acknowledged };
        self.acknowledged.fetch_add(1, Relaxed);
        self.moved.notify_waiters();
    }

    pub fn arrive(&self, subscriber: &str, publisher: usize, number: usize) {
        let mut book = self.book();
        let (_, _, came) = book.arrived.iter_mut().find(|(name, _, _)| *name == subscriber).unwrap();
        let came = &mut came[publisher];
        if came.len() <= number {
            came.resize(number + 1, 0);
        }
        came[number] = came[number].saturating_add(1);
        drop(book);
        self.moved.notify_waiters();
    }

    pub fn stop(&self) {
        self.stopped.store(true, Relaxed);
        self.moved.notify_waiters();
    }

    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Relaxed)
    }

    pub fn publisher_is_done(&self) {
        self.publishing.fetch_sub(1, Relaxed);
        self.moved.notify_waiters();
    }

    /// Every publisher is done, and this subscriber has everything.
    pub fn has_all(&self, subscriber: &str) -> bool {
        if self.publishing.load(Relaxed) > 0 {
            return false;
        }
        let book = self.book();
        let (_, _, came) = book.arrived.iter().find(|(name, _, _)| *name == subscriber).unwrap();
        book.fates.iter().zip(came).all(|(fates, came)| {
            fates.iter().enumerate().all(|(n, fate)| *fate != Fate::Acknowledged || came.get(n).is_some_and(|n| *n > 0))
        })
    }

    /// Something goes on, or some time has passed.
    pub async fn move_on(&self) {
        tokio::select! {
            () = self.moved.notified() => {}
            () = tokio::time::sleep(std::time::Duration::from_millis(50)) => {}
        }
    }

    /// Waits for so many acknowledgements.
    pub async fn reach(&self, point: u64) {
        while self.acknowledged.load(Relaxed) < point {
            self.move_on().await;
        }
    }

    /// Calls `with` for each message of each subscriber: name, the QoS that it has there, fate, and how often it came.
    fn each(&self, mut with: impl FnMut(&str, usize, usize, QoS, Fate, u8)) {
        let book = self.book();
        for (name, qos, came) in &book.arrived {
            for (publisher, (fates, came)) in book.fates.iter().zip(came).enumerate() {
                for (number, fate) in fates.iter().enumerate() {
                    let times = came.get(number).copied().unwrap_or(0);
                    with(name, publisher, number, qos_of(number).min(*qos), *fate, times);
                }
            }
        }
    }

    pub fn counts(&self) -> Counts {
        let mut counts =
            Counts { at_least_once: 0, exactly_once: 0, refused: 0, delivered: 0, repeated: 0, lost: 0, doubled: 0 };
        for fates in &self.book().fates {
            for (number, fate) in fates.iter().enumerate() {
                match (fate, qos_of(number)) {
                    (Fate::Refused, _) => counts.refused += 1,
                    (Fate::Acknowledged, QoS::ExactlyOnce) => counts.exactly_once += 1,
                    (Fate::Acknowledged, _) => counts.at_least_once += 1,
                    (Fate::Open, _) => {}
                }
            }
        }
        self.each(|_, _, _, qos, fate, times| {
            counts.delivered += u64::from(times);
            counts.lost += u64::from(fate == Fate::Acknowledged && times == 0);
            let more = u64::from(times.saturating_sub(1));
            if qos == QoS::ExactlyOnce {
                counts.doubled += more;
            } else {
                counts.repeated += more;
            }
        });
        counts
    }

    /// The first of what is wrong, for a failure's words.
    pub fn missing(&self) -> String {
        let mut text = format!("{} publishers are not done; ", self.publishing.load(Relaxed));
        let mut doubled = std::collections::BTreeMap::<String, u64>::new();
        self.each(|name, _, _, qos, _, times| {
            if qos == QoS::ExactlyOnce && times > 1 {
                *doubled.entry(name.to_owned()).or_default() += 1;
            }
        });
        let _ = write!(text, "doubled: {doubled:?}; ");
        let mut shown = 0;
        self.each(|name, publisher, number, qos, fate, times| {
            let lost = fate == Fate::Acknowledged && times == 0;
            if (lost || (qos == QoS::ExactlyOnce && times > 1) || fate == Fate::Open) && shown < 20 {
                shown += 1;
                let fate = if fate == Fate::Open { " (not acknowledged)" } else { "" };
                let _ = write!(text, "{name}: {publisher}/{number} as {qos:?}: {times} times{fate}; ");
            }
        });
        text
    }
}

impl Counts {
    pub fn line(&self, durability: &str, kills: u32, early: u32) -> String {
        let Self { at_least_once, exactly_once, refused, delivered, repeated, lost, doubled } = self;
        format!(
            "crash: durability={durability} kills={kills} while_starting={early} qos1={at_least_once} \
             qos2={exactly_once} refused={refused} delivered={delivered} repeated_qos1={repeated} lost={lost} \
             doubled_qos2={doubled}"
        )
    }
}
