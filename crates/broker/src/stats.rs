//! What a broker counts.

use std::sync::atomic::{AtomicU64, Ordering};

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
                Stats { $($name: self.$name.0.load(Ordering::Relaxed),)+ }
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

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn less_one(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
