//! What a broker counts.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use gridmq_proto::QoS;
use parking_lot::Mutex;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)+) => {
        /// Counts since the start.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct Stats { $($(#[$doc])* pub $name: u64,)+ }

        /// The live counters.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            $(pub(crate) $name: Counter,)+
            pub(crate) refusals: Labelled,
            pub(crate) handshake_failures: Labelled,
        }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                let mut stats = Stats { $($name: self.$name.read(),)+ };
                stats.messages_received += stats.received_qos0 + stats.received_qos1 + stats.received_qos2;
                stats
            }
        }
    };
}

counters! {
    /// Connections taken.
    connections_accepted
    /// Connections refused or ended before their CONNECT was accepted.
    connections_refused
    /// Clients that are connected now.
    clients_connected
    /// Sessions that exist now, with or without a connection.
    sessions
    /// Messages of clients and of the program, to be routed.
    messages_received
    /// PUBLISH packets of QoS 0.
    received_qos0
    /// PUBLISH packets of QoS 1.
    received_qos1
    /// PUBLISH packets of QoS 2.
    received_qos2
    /// PUBLISH packets sent with QoS 0.
    sent_qos0
    /// PUBLISH packets sent with QoS 1, again ones too.
    sent_qos1
    /// PUBLISH packets sent with QoS 2, again ones too.
    sent_qos2
    /// Bytes of MQTT packets read.
    bytes_received
    /// Bytes of MQTT packets written.
    bytes_sent
    /// PUBLISH packets refused by the rules or by a full queue.
    messages_refused
    /// Those that the rules refused.
    refused_by_rules
    /// Those that a hook refused.
    refused_by_hook
    /// Those refused because a subscriber's queue was full.
    refused_queue_full
    /// Those refused because the store could not take them.
    refused_store
    /// Those refused because there were as many retained messages as there may be.
    refused_retained_full
    /// TLS handshakes, failed ones too.
    handshakes
    /// Deliveries handed to sessions.
    messages_delivered
    /// QoS 0 deliveries dropped because the client did not read.
    messages_dropped
    /// Deliveries of QoS 1 and 2 given up because the client takes no packet of that size; it counts as sent
    /// (MQTT 5.0 §3.1.2.11.4).
    messages_too_large
    /// Sessions taken over by another connection.
    takeovers
    /// Sessions that moved from one worker to another.
    sessions_moved
    /// Sessions ended because their queue was full.
    sessions_overflowed
    /// Messages of a shared subscription that were given to another member.
    messages_reassigned
}

impl Counters {
    pub(crate) fn received(&self, qos: QoS) {
        match qos {
            QoS::AtMostOnce => self.received_qos0.one(),
            QoS::AtLeastOnce => self.received_qos1.one(),
            QoS::ExactlyOnce => self.received_qos2.one(),
        }
    }

    pub(crate) fn sent(&self, qos: QoS) {
        match qos {
            QoS::AtMostOnce => self.sent_qos0.one(),
            QoS::AtLeastOnce => self.sent_qos1.one(),
            QoS::ExactlyOnce => self.sent_qos2.one(),
        }
    }
}

/// Counts by a word; for what happens seldom. Words are ids and reason codes, so there are few; should there be more
/// than [`WORDS`], the others count as `other`.
#[derive(Debug, Default)]
pub(crate) struct Labelled(Mutex<BTreeMap<String, u64>>);

const WORDS: usize = 128;

impl Labelled {
    pub(crate) fn count(&self, word: &str) {
        let mut counts = self.0.lock();
        let word = if counts.len() >= WORDS && !counts.contains_key(word) { "other" } else { word };
        match counts.get_mut(word) {
            Some(count) => *count += 1,
            None => drop(counts.insert(word.to_owned(), 1)),
        }
    }

    pub(crate) fn read(&self) -> Vec<(String, u64)> {
        self.0.lock().iter().map(|(word, count)| (word.clone(), *count)).collect()
    }
}

/// Parts of a counter: enough that two busy threads seldom write to the same one.
const PARTS: usize = 8;

/// A part, alone on its cache lines.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Part(AtomicU64);

/// One counter, each thread adding to a part of its own so that workers do not wait for each other's cache lines.
#[derive(Debug, Default)]
pub(crate) struct Counter([Part; PARTS]);

thread_local! {
    static OWN: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % PARTS
    };
}

impl Counter {
    fn own(&self) -> &AtomicU64 {
        let [first, ..] = &self.0;
        &self.0.get(OWN.with(|&own| own)).unwrap_or(first).0
    }

    pub(crate) fn add(&self, count: u64) {
        self.own().fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    /// A part may go below zero; their sum does not.
    pub(crate) fn less_one(&self) {
        self.own().fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> u64 {
        self.0.iter().fold(0, |sum, part| sum.wrapping_add(part.0.load(Ordering::Relaxed)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_threads_add_and_take_is_one_sum() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..3 * PARTS {
                scope.spawn(|| (0..1000).for_each(|_| counter.add(2)));
            }
        });
        std::thread::scope(|scope| {
            for _ in 0..PARTS {
                scope.spawn(|| (0..1000).for_each(|_| counter.less_one()));
            }
        });
        assert_eq!(counter.read(), 5 * 1000 * PARTS as u64);
    }

    #[test]
    fn words_are_bounded() {
        let counts = Labelled::default();
        for number in 0..WORDS + 10 {
            counts.count(&number.to_string());
        }
        counts.count("0");
        let read = counts.read();
        assert_eq!(read.len(), WORDS + 1);
        assert!(read.contains(&("0".to_owned(), 2)) && read.contains(&("other".to_owned(), 10)), "{read:?}");
    }
}
