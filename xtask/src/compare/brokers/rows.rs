//! What is measured, a row each.

use super::peers::Peer;

/// What a cell shows of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Figure {
    /// Processor time of the broker for a delivery, or a connection, in microseconds.
    Cpu,
    /// The most memory, in MiB.
    Peak,
    /// Memory of a connection, in KiB.
    PerConnection,
    /// Half and 99 % of the times, in microseconds.
    Latency,
    /// Acknowledged messages that did not arrive, as a share.
    Loss,
}

/// One row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Row {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Of `gridmq bench`.
    pub(super) arguments: &'static str,
    pub(super) figure: Figure,
    pub(super) tls: bool,
    /// The target, in the figure's unit; 0: none of its own.
    pub(super) aim: f64,
    /// What the difference comes from where ours is not first.
    pub(super) why: &'static str,
    qos: u8,
}

const fn row(name: &'static str, title: &'static str, arguments: &'static str, figure: Figure, aim: f64) -> Row {
    Row { name, title, arguments, figure, tls: false, aim, why: "", qos: 0 }
}

const fn at_qos(qos: u8, row: Row) -> Row {
    Row { qos, ..row }
}

const fn because(why: &'static str, row: Row) -> Row {
    Row { why, ..row }
}

const fn over_tls(row: Row) -> Row {
    Row { tls: true, ..row }
}

const ROWS: [Row; 14] = [
    row("fan-in", "10 publishers → 1 subscriber, QoS 0, 256 B, batched writes", "fan-in", Figure::Cpu, 0.6),
    row("fan-in-single", "the same, one packet per write, 64 B", "fan-in-single", Figure::Cpu, 3.0),
    at_qos(1, row("fan-in-qos1", "the same, QoS 1, 256 B", "fan-in-qos1", Figure::Cpu, 0.8)),
    at_qos(2, row("fan-in-qos2", "the same, QoS 2, 64 B", "fan-in-qos2", Figure::Cpu, 1.8)),
    at_qos(1, row("pairs", "50 pairs, QoS 1, 256 B", "pairs", Figure::Cpu, 1.3)),
    row("fan-out", "1 → 1,000 subscribers, QoS 0, 64 B", "fan-out", Figure::Cpu, 0.6),
    row("filters", "publish into 100,000 wildcard subscriptions, QoS 0, 64 B", "filters", Figure::Cpu, 2.0),
    because(
        "mosquitto 2.0.11 has one allocation for a client and no tasks; ours keeps the state of a task, the machine of the \
         protocol and an entry of the directory for each",
        row(
            "idle",
            "memory per idle plain connection (of 19,000), KiB",
            "idle --idle 19000 --rest 5s",
            Figure::PerConnection,
            1.5,
        ),
    ),
    over_tls(row(
        "idle-mtls",
        "memory per idle mutual-TLS connection (of 3,000), KiB",
        "idle-mtls --idle 3000 --rest 5s",
        Figure::PerConnection,
        12.0,
    )),
    over_tls(row(
        "connect-mtls",
        "mutual-TLS 1.3 connects (ECDSA P-256), CPU each",
        "connect-mtls",
        Figure::Cpu,
        250.0,
    )),
    because(
        "every second connection is handed to the second worker's thread, which has to be woken for it; mosquitto has one",
        row("connect", "plain connects, CPU each", "connect", Figure::Cpu, 25.0),
    ),
    because(
        "four system calls pass between a message in and the next wait, as in mosquitto; a median is near 75 or near 120 µs \
         as the system wakes the receiver on a core that is free or on the broker's own",
        at_qos(1, row("latency", "latency at 2,000 msg/s, QoS 1, p50 / p99", "latency", Figure::Latency, 0.0)),
    ),
    because(
        "half of ours is the program itself, which is mapped: 10.6 MiB of TLS, certificates, storage and the rest",
        row("peak", "peak memory, 4 s of 10 → 1, QoS 0 at full speed, MiB", "fan-in", Figure::Peak, 20.0),
    ),
    at_qos(
        1,
        row(
            "acked-loss",
            "acknowledged QoS 1 messages lost at shipped defaults, 2,000 outstanding",
            "acked-loss",
            Figure::Loss,
            0.0,
        ),
    ),
];

/// A name that is a row's.
pub(super) fn named(name: &str) -> Option<&'static str> {
    ROWS.iter().map(|row| row.name).find(|known| *known == name)
}

/// All rows; short ones if it is to be quick.
pub(super) fn all(quick: bool) -> Vec<Row> {
    let short = |row: Row| {
        let arguments = match row.name {
            "idle" => "idle --idle 1000 --rest 1s",
            "idle-mtls" => "idle-mtls --idle 200 --rest 1s",
            "connect" => "connect --connections 2000",
            "connect-mtls" => "connect-mtls --connections 200",
            "fan-in" | "peak" => "fan-in --duration 1s",
            "fan-in-single" => "fan-in-single --duration 1s",
            "fan-in-qos1" => "fan-in-qos1 --duration 1s",
            "fan-in-qos2" => "fan-in-qos2 --duration 1s",
            "pairs" => "pairs --duration 1s",
            "fan-out" => "fan-out --duration 1s",
            "filters" => "filters --duration 1s",
            "latency" => "latency --duration 2s",
            "acked-loss" => "acked-loss --duration 1s",
            _ => row.arguments,
        };
        Row { arguments, ..row }
    };
    ROWS.into_iter().map(|row| if quick { short(row) } else { row }).collect()
}

impl Row {
    /// Whether that broker can do it at all.
    pub(super) fn is_for(&self, peer: Peer) -> bool {
        match peer {
            // The floor acknowledges nothing and speaks no TLS; the time of a message at QoS 1 is not its own.
            Peer::Relay => self.qos == 0 && !self.tls && !matches!(self.name, "idle" | "connect" | "peak" | "filters"),
            Peer::Nats => self.qos < 2 && !self.tls && self.name != "acked-loss",
            _ => true,
        }
    }

    /// How many times as often as others it is measured: a time depends on where the system puts each thread.
    pub(super) fn times(&self) -> usize {
        if self.figure == Figure::Latency { 2 } else { 1 }
    }

    /// Where latency and connections count, nobody leaves Nagle's algorithm on.
    pub(super) fn needs_nodelay(&self) -> bool {
        matches!(self.figure, Figure::Latency) || self.name.starts_with("connect")
    }

    /// Whether limits are left as each broker ships them.
    pub(super) fn shipped(&self) -> bool {
        self.figure == Figure::Loss
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_a_name_of_its_own_and_a_quick_form() {
        let (long, quick) = (all(false), all(true));
        for (row, short) in long.iter().zip(&quick) {
            assert_eq!(named(row.name), Some(row.name));
            assert_eq!(long.iter().filter(|other| other.name == row.name).count(), 1);
            assert_ne!(row.arguments, short.arguments, "{}", row.name);
        }
    }
}
