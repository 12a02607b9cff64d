//! A listener at work.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::listener::{ListenAddress, Listener, ListenerLimits, Security};
use crate::live::LiveLimits;
use crate::proxy::ProxyProtocol;
use crate::websocket::WebSocket;

/// A listener that is bound, as its connections see it.
#[derive(Debug)]
pub(crate) struct Door {
    /// As bound: with the port that it got.
    pub(crate) address: ListenAddress,
    pub(crate) security: Security,
    pub(crate) websocket: Option<WebSocket>,
    pub(crate) proxy: Option<ProxyProtocol>,
    limits: ListenerLimits,
    connections: AtomicUsize,
}

impl Door {
    pub(crate) fn new(listener: Listener, address: ListenAddress) -> Self {
        let Listener { security, websocket, proxy, limits, .. } = listener;
        Self { address, security, websocket, proxy, limits, connections: AtomicUsize::new(0) }
    }

    /// Counts a connection in, if there is room.
    pub(crate) fn enter(&self) -> Result<(), usize> {
        // One thread takes connections, so that nobody comes between the look and the count.
        let limit = self.limits.connections.unwrap_or(usize::MAX);
        if self.connections.load(Ordering::Relaxed) >= limit {
            return Err(limit);
        }
        self.connections.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Counts a connection out.
    pub(crate) fn leave(&self) {
        self.connections.fetch_sub(1, Ordering::Relaxed);
    }

    pub(crate) fn handshake_timeout(&self, all: &LiveLimits) -> Duration {
        let all = all.handshake_timeout();
        self.limits.handshake_timeout.map_or(all, |own| own.min(all))
    }

    pub(crate) fn connect_timeout(&self, all: &LiveLimits) -> Duration {
        let all = all.connect_timeout();
        self.limits.connect_timeout.map_or(all, |own| own.min(all))
    }

    /// The largest packet that is taken here.
    pub(crate) fn maximum_packet_size(&self) -> u32 {
        self.limits.maximum_packet_size.unwrap_or(u32::MAX)
    }
}
