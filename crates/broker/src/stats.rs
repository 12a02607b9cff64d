//! What a broker counts.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident)+) => {
        /// Counts since the start.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        #[non_exhaustive]
        pub struct Stats { $($(#[$doc])* pub $name: u64,)+ }

        /// The live counters.
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)+ }

        impl Counters {
            pub(crate) fn read(&self) -> Stats {
                Stats { $($name: self.$name.read(),)+ }
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
    /// PUBLISH packets routed.
    messages_received
    /// PUBLISH packets refused by the rules or by a full queue.
    messages_refused
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
}
