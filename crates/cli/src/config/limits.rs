//! What `[limits]` of `gridmq serve` is told.

use std::time::Duration;

use super::section::section;
use super::value::{Size, Span};

fn unless_said() -> gridmq_broker::Limits {
    gridmq_broker::Limits::default()
}

section! {
    /// What peers can make the whole broker hold, and for how long. Sizes are bytes, or a text with KiB, MiB or GiB;
    /// times are texts with ms, s, m, h or d.
    Limits {
        /// Open connections; more are closed at once.
        connections @reload: usize = unless_said().connections;
        /// From the connection to the end of all that comes before MQTT: PROXY header, TLS handshake, WebSocket upgrade.
        handshake_timeout @reload: Span = Span(unless_said().handshake_timeout);
        /// From the connection, all of that included, to a whole CONNECT.
        connect_timeout @reload: Span = Span(unless_said().connect_timeout);
        /// TLS handshakes under way at once; further ones wait in line.
        handshakes: usize = unless_said().handshakes;
        /// How many of these one source address may have; of IPv6, one /64 network.
        handshakes_per_source: usize = unless_said().handshakes_per_source;
        /// How many wait in line; one more is closed.
        handshakes_waiting: usize = unless_said().handshakes_waiting;
        /// How long a handshake may take while others wait for its place.
        handshake_patience: Span = Span(unless_said().handshake_patience);
        /// Bytes of a CONNECT.
        connect_packet @reload: u32 = unless_said().connect_packet;
        /// Bytes received from all clients that are not in yet; the connection that goes beyond is closed.
        unadmitted_bytes @reload: Size = Size::of(unless_said().unadmitted_bytes);
        /// Bytes that wait to be written to one client; beyond it QoS 0 messages to it are dropped, and it is not read
        /// from.
        egress_bytes @reload: Size = Size::of(unless_said().egress_bytes);
        /// Subscriptions of one session; a further one is answered with 0x97.
        subscriptions @reload: usize = unless_said().subscriptions;
        /// Retained messages; a PUBLISH that would add one is answered with 0x97.
        retained_messages: usize = unless_said().retained_messages;
        /// How long an MQTT 3.1.1 client whose publish found no room stays connected without an acknowledgement of it.
        refused_publish_timeout: Span = Span(unless_said().refused_publish_timeout);
        /// For work that users want done before a CONNECT is judged, such as hashing a password; then it is refused with
        /// 0x88.
        decision_timeout: Span = Span(unless_said().decision_timeout);
        /// Such work that one worker waits for; beyond it a CONNECT is refused with 0x89.
        decisions: usize = unless_said().decisions;
        /// Steps of one enhanced authentication; one more is answered with 0x87.
        authentication_steps: usize = unless_said().authentication_steps;
        /// Passwords hashed at once, each on a thread of its own. Default: half of the cores, at least 1.
        computations: Option<usize> = None, example "2";
        /// Passwords that wait to be hashed; then a CONNECT is refused with 0x89.
        computations_waiting: usize = unless_said().computations_waiting;
        /// How long clients may take what is on its way to them once the broker is asked to stop.
        shutdown_timeout: Span = Span(Duration::from_secs(5));
    }
}

impl Limits {
    /// As the broker takes them.
    pub(crate) fn broker(&self) -> gridmq_broker::Limits {
        let mut limits = unless_said();
        limits.connections = self.connections;
        limits.handshake_timeout = self.handshake_timeout.0;
        limits.connect_timeout = self.connect_timeout.0;
        limits.handshakes = self.handshakes;
        limits.handshakes_per_source = self.handshakes_per_source;
        limits.handshakes_waiting = self.handshakes_waiting;
        limits.handshake_patience = self.handshake_patience.0;
        limits.connect_packet = self.connect_packet;
        limits.unadmitted_bytes = self.unadmitted_bytes.bytes();
        limits.egress_bytes = self.egress_bytes.bytes();
        limits.subscriptions = self.subscriptions;
        limits.retained_messages = self.retained_messages;
        limits.refused_publish_timeout = self.refused_publish_timeout.0;
        limits.decision_timeout = self.decision_timeout.0;
        limits.decisions = self.decisions;
        limits.authentication_steps = self.authentication_steps;
        limits.computations = self.computations.unwrap_or(limits.computations);
        limits.computations_waiting = self.computations_waiting;
        limits
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::section::Section;

    #[test]
    fn every_limit_of_the_broker_has_a_key() {
        let shown = format!("{:#?}", unless_said());
        let fields = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':').map(|(name, _)| name));
        let keys: Vec<_> = Limits::tree("limits").keys.into_iter().map(|key| key.name).collect();
        // Only a program that embeds the broker reads events.
        for field in fields.filter(|field| !field.starts_with(' ') && *field != "events") {
            let key = crate::config::section::kebab(field);
            assert!(keys.contains(&key), "{key} is missing in config/limits.rs");
        }
    }

    #[test]
    fn what_is_read_reaches_the_broker() {
        assert_eq!(format!("{:?}", Limits::default().broker()), format!("{:?}", unless_said()));
        let text = "connections = 1\nhandshake-timeout = '2ms'\nconnect-timeout = '3ms'\nconnect-packet = 4\n\
                    unadmitted-bytes = 5\negress-bytes = 6\nsubscriptions = 7\nretained-messages = 8\n\
                    handshakes = 9\nhandshakes-per-source = 10\nhandshakes-waiting = 11\nhandshake-patience = '12ms'\n\
                    refused-publish-timeout = '9ms'\ndecision-timeout = '10ms'\ndecisions = 11\n\
                    authentication-steps = 12\ncomputations = 13\ncomputations-waiting = 14";
        let limits = toml::from_str::<Limits>(text).unwrap().broker();
        assert_eq!((limits.connections, limits.connect_packet, limits.unadmitted_bytes), (1, 4, 5));
        assert_eq!((limits.egress_bytes, limits.subscriptions, limits.retained_messages), (6, 7, 8));
        assert_eq!((limits.handshakes, limits.handshakes_per_source, limits.handshakes_waiting), (9, 10, 11));
        assert_eq!(limits.handshake_patience, Duration::from_millis(12));
        assert_eq!(limits.handshake_timeout, Duration::from_millis(2));
        assert_eq!(limits.connect_timeout, Duration::from_millis(3));
        assert_eq!(limits.refused_publish_timeout, Duration::from_millis(9));
        assert_eq!((limits.decision_timeout, limits.decisions), (Duration::from_millis(10), 11));
        assert_eq!((limits.authentication_steps, limits.computations, limits.computations_waiting), (12, 13, 14));
    }
}
