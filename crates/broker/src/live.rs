//! Limits that change while the broker runs.

use std::sync::atomic::{AtomicU32, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use crate::builder::Limits;

/// The limits in force. Reading one costs what reading a number costs.
#[derive(Debug)]
pub(crate) struct LiveLimits {
    connections: AtomicUsize,
    handshake_millis: AtomicU64,
    connect_millis: AtomicU64,
    connect_packet: AtomicU32,
    unadmitted_bytes: AtomicUsize,
    egress_bytes: AtomicUsize,
    subscriptions: AtomicUsize,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

impl LiveLimits {
    pub(crate) fn new(limits: &Limits) -> Self {
        let live = Self {
            connections: AtomicUsize::default(),
            handshake_millis: AtomicU64::default(),
            connect_millis: AtomicU64::default(),
            connect_packet: AtomicU32::default(),
            unadmitted_bytes: AtomicUsize::default(),
            egress_bytes: AtomicUsize::default(),
            subscriptions: AtomicUsize::default(),
        };
        live.set(limits);
        live
    }

    pub(crate) fn set(&self, limits: &Limits) {
        self.connections.store(limits.connections, Ordering::Relaxed);
        self.handshake_millis.store(millis(limits.handshake_timeout), Ordering::Relaxed);
        self.connect_millis.store(millis(limits.connect_timeout), Ordering::Relaxed);
        self.connect_packet.store(limits.connect_packet, Ordering::Relaxed);
        self.unadmitted_bytes.store(limits.unadmitted_bytes, Ordering::Relaxed);
        self.egress_bytes.store(limits.egress_bytes, Ordering::Relaxed);
        self.subscriptions.store(limits.subscriptions, Ordering::Relaxed);
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn handshake_timeout(&self) -> Duration {
        Duration::from_millis(self.handshake_millis.load(Ordering::Relaxed))
    }

    pub(crate) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_millis.load(Ordering::Relaxed))
    }

    pub(crate) fn connect_packet(&self) -> u32 {
        self.connect_packet.load(Ordering::Relaxed)
    }

    pub(crate) fn unadmitted_bytes(&self) -> usize {
        self.unadmitted_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn egress_bytes(&self) -> usize {
        self.egress_bytes.load(Ordering::Relaxed)
    }

    pub(crate) fn subscriptions(&self) -> usize {
        self.subscriptions.load(Ordering::Relaxed)
    }
}
