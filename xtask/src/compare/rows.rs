//! The scenarios.

use super::outcome::Outcome;

/// Whom a client talks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Server {
    /// The broker, over TCP.
    Tcp,
    /// The broker, over TLS.
    Tls,
    /// The broker where it asks for a client certificate.
    Mutual,
    /// A program that only writes packets encoded beforehand.
    Source,
}

/// What is measured, one table each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    Publish,
    Receive,
    Latency,
    Connect,
}

impl Group {
    /// As the command lines have it, this program's and the clients'.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Publish => "publish",
            Self::Receive => "receive",
            Self::Latency => "latency",
            Self::Connect => "connect",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        [Self::Publish, Self::Receive, Self::Latency, Self::Connect].into_iter().find(|group| group.name() == name)
    }
}

/// One scenario.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) group: Group,
    pub(super) server: Server,
    pub(super) qos: u8,
    /// Bytes of the payload.
    pub(super) size: u32,
    /// Messages, or connections.
    pub(super) count: u32,
}

/// Messages under way at once.
pub(super) const WINDOW: u32 = 100;
const SIZES: [u32; 3] = [16, 256, 16 * 1024];

/// All rows, in the order of the page.
pub(super) fn all(quick: bool) -> Vec<Row> {
    let mut rows = Vec::new();
    let sizes: &[u32] = if quick { &[256] } else { &SIZES };
    let part = |count: u32| if quick { count / 10 } else { count };
    for server in [Server::Tcp, Server::Tls] {
        for qos in 0..=2 {
            for &size in sizes {
                let count = match (qos, size) {
                    (0, 0..1024) => 400_000,
                    (1, 0..1024) => 200_000,
                    (_, 0..1024) => 100_000,
                    (0, _) => 40_000,
                    _ => 20_000,
                };
                rows.push(Row { group: Group::Publish, server, qos, size, count: part(count) });
            }
        }
    }
    for qos in 0..=1 {
        for &size in sizes {
            let count = if size > 1024 { 40_000 } else { 400_000 };
            rows.push(Row { group: Group::Receive, server: Server::Source, qos, size, count: part(count) });
        }
    }
    for server in [Server::Tcp, Server::Tls] {
        for qos in 0..=1 {
            rows.push(Row { group: Group::Latency, server, qos, size: 256, count: part(4000) });
        }
    }
    rows.push(Row { group: Group::Connect, server: Server::Mutual, qos: 0, size: 16, count: part(150) });
    rows
}

impl Row {
    /// As the client's command line has it.
    pub(super) fn arguments(&self) -> Vec<String> {
        let numbers =
            [("--qos", u32::from(self.qos)), ("--size", self.size), ("--count", self.count), ("--window", WINDOW)];
        let words = numbers.into_iter().flat_map(|(name, number)| [name.to_owned(), number.to_string()]);
        std::iter::once(self.group.name().to_owned()).chain(words).collect()
    }

    /// The first column.
    pub(super) fn title(&self) -> String {
        let over = match self.server {
            Server::Tcp | Server::Source => "TCP",
            Server::Tls => "TLS",
            Server::Mutual => return "mutual TLS".to_owned(),
        };
        let size = if self.size < 1024 { format!("{} B", self.size) } else { format!("{} KiB", self.size / 1024) };
        format!("{over}, QoS {}, {size}", self.qos)
    }

    /// Whether memory is told for it.
    pub(super) fn weighs_memory(&self) -> bool {
        self.group == Group::Publish && self.qos == 1 && self.size == 256
    }

    /// Waiting for one's own acknowledgements is no round trip.
    pub(super) fn needs_nodelay(&self) -> bool {
        matches!(self.group, Group::Latency | Group::Connect)
    }

    /// What the clients are ranked by; more is better.
    pub(super) fn merit(&self, outcome: &Outcome) -> f64 {
        match self.group {
            Group::Latency => outcome.p50_us.filter(|&p50| p50 > 0.0).map_or(0.0, f64::recip),
            Group::Publish | Group::Receive | Group::Connect => outcome.rate(),
        }
    }

    pub(super) fn better(&self, one: &Outcome, other: &Outcome) -> bool {
        self.merit(one) > self.merit(other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_level_size_and_transport_is_published() {
        let rows = all(false);
        assert_eq!(rows.iter().filter(|row| row.group == Group::Publish).count(), 3 * 3 * 2);
        assert_eq!(rows.first().map(Row::title).as_deref(), Some("TCP, QoS 0, 16 B"));
        let titles = |group| rows.iter().filter(move |row| row.group == group).map(Row::title);
        for group in [Group::Publish, Group::Receive, Group::Latency, Group::Connect] {
            let different: std::collections::BTreeSet<_> = titles(group).collect();
            assert_eq!(different.len(), titles(group).count(), "no title stands twice in a table");
        }
    }
}
