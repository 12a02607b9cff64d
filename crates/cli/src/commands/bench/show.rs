//! What `gridmq bench` shows.

use std::io::{self, IsTerminal, Write};

use gridmq_bench::plan::Work;
use gridmq_bench::plan::scenario::ALL;
use gridmq_bench::{Observer, Progress, Report, Times};

use crate::error::{Failure, Outcome};

/// The scenarios.
pub(super) fn list() -> Outcome {
    let mut out = io::stdout().lock();
    let all = ALL.iter().map(|scenario| format!("{:<14} {}\n", scenario.name, scenario.words));
    out.write_all(all.collect::<String>().as_bytes()).map_err(|error| Failure::output(&error))
}

/// A line a second on standard error: rewritten on a terminal.
pub(super) struct Lines {
    quiet: bool,
    terminal: bool,
    open: bool,
}

impl Lines {
    pub(super) fn new(quiet: bool) -> Self {
        Self { quiet, terminal: io::stderr().is_terminal(), open: false }
    }

    /// Leaves the last line as it is.
    pub(super) fn end(&mut self) {
        if std::mem::take(&mut self.open) {
            eprintln!();
        }
    }
}

impl Observer for Lines {
    fn progress(&mut self, progress: &Progress) {
        if self.quiet {
            return;
        }
        let line = line(progress);
        if self.terminal {
            eprint!("\r\x1b[K{line}");
            self.open = true;
        } else {
            eprintln!("{line}");
        }
    }
}

fn line(now: &Progress) -> String {
    let mut text = format!("{:>6.1}s {}", now.seconds, now.phase);
    if now.sent > 0 {
        let rate = short(now.per_second);
        text += &format!("  sent {}  delivered {} ({rate}/s)", grouped(now.sent), grouped(now.delivered));
        text += &format!("  in flight {}", grouped(now.in_flight));
        if now.duplicated > 0 {
            text += &format!("  dup {}", grouped(now.duplicated));
        }
        if now.out_of_order > 0 {
            text += &format!("  late {}", grouped(now.out_of_order));
        }
        text += &format!("  p99 {}", micros(now.p99_us));
    } else {
        text += &format!("  {} connections", grouped(now.connections));
    }
    if let Some(cpu) = now.cpu_us {
        text += &format!("  cpu {cpu:.2} µs");
    }
    if let Some(rss) = now.rss_kib {
        text += &format!("  rss {}", kib(rss));
    }
    text
}

/// One object on standard output.
pub(super) fn json(report: &Report) -> Outcome {
    let mut text = serde_json::to_string(report)?;
    text.push('\n');
    io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

/// For people.
pub(super) fn people(report: &Report) -> Outcome {
    let mut text = String::new();
    let mut row = |name: &str, value: String| text += &format!("{name:<15} {value}\n");
    let plan = &report.plan;
    row("scenario", format!("{} on {}", report.scenario, report.target));
    match plan.work {
        Work::Messages => {
            let (sent, delivered) = (grouped(report.sent), grouped(report.delivered));
            row("messages", format!("{sent} sent, {delivered} delivered in {:.1} s measured", report.seconds));
            let rate = report.rate;
            row("rate", format!("{}/s sent, {}/s delivered", short(rate.sent), short(rate.delivered)));
            let acknowledged = match plan.qos {
                gridmq_proto::QoS::AtMostOnce => String::new(),
                _ => format!(" ({} of them acknowledged)", grouped(report.lost_acknowledged)),
            };
            let least = if report.gaps_overflowed { "at least " } else { "" };
            row("lost", format!("{least}{}{acknowledged}", grouped(report.lost)));
            let dup = report.duplicated_with_dup;
            row("doubled", format!("{}, and {} marked DUP", grouped(report.duplicated), grouped(dup)));
            row("out of order", grouped(report.out_of_order));
            let odd = [
                (report.foreign, "of somebody else"),
                (report.corrupt, "changed"),
                (report.unexpected, "acknowledgements of nothing"),
                (report.unfinished, "publishers with messages never acknowledged"),
                (report.stalls, "times nothing arrived for a second"),
            ];
            let odd: Vec<_> =
                odd.iter().filter(|(count, _)| *count > 0).map(|(n, what)| format!("{n} {what}")).collect();
            if !odd.is_empty() {
                row("besides", odd.join(", "));
            }
            for (code, count) in &report.refused {
                row("refused", format!("{} with {code}", grouped(*count)));
            }
            row("latency", times(&report.latency_us));
            if report.ack_latency_us.count > 0 {
                row("to PUBACK", times(&report.ack_latency_us));
            }
            if report.send_lag_us.count > 0 {
                row("left late by", times(&report.send_lag_us));
            }
        }
        Work::Connects | Work::Idle => {
            let connect = &report.connect;
            let rate = short(connect.per_second);
            row("connections", format!("{} in {:.1} s ({rate}/s)", grouped(connect.count), report.seconds));
            if connect.failed > 0 {
                row("failed", grouped(connect.failed));
            }
            row("latency", times(&connect.latency_us));
        }
    }
    if let Some(server) = &report.server {
        let each = server.cpu_us_per_delivery.map(|us| format!("{us:.2} µs each, ")).unwrap_or_default();
        let steps = if server.fine { "" } else { " (in steps of 10 ms)" };
        row("broker's cpu", format!("{each}{:.2} s{steps}", seconds(server.cpu_us)));
        let rss = server.rss_kib;
        row(
            "broker's memory",
            format!("{} before, {} after, {} at most", kib(rss.before), kib(rss.after), kib(rss.peak)),
        );
        if let Some(bytes) = server.rss_bytes_per_connection {
            row("per connection", format!("{bytes:.0} bytes"));
        }
        if let Some(share) = server.cpu_share_at_rest {
            row("at rest", format!("{:.2} % of a processor", share * 100.0));
        }
    }
    let generator = &report.generator;
    let note = if generator.saturated { "; it had no time left: the rates are its own" } else { "" };
    row("generator", format!("{:.0} % of its {} thread(s){note}", generator.cpu_share * 100.0, generator.threads));
    for error in &report.errors {
        row("error", format!("{} ({} times)", error.what, error.count));
    }
    io::stdout().lock().write_all(text.as_bytes()).map_err(|error| Failure::output(&error))
}

fn times(times: &Times) -> String {
    let at = |name, us| format!("{name} {}", micros(us));
    [at("p50", times.p50), at("p99", times.p99), at("p99.9", times.p99_9), at("max", times.max)].join(", ")
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn micros(us: f64) -> String {
    match us {
        us if us < 10_000.0 => format!("{us:.0} µs"),
        us if us < 10_000_000.0 => format!("{:.1} ms", us / 1000.0),
        us => format!("{:.1} s", us / 1e6),
    }
}

#[allow(clippy::cast_precision_loss, reason = "for people")]
fn kib(kib: u64) -> String {
    if kib < 1024 { format!("{kib} KiB") } else { format!("{:.1} MiB", kib as f64 / 1024.0) }
}

fn short(rate: f64) -> String {
    match rate {
        rate if rate < 10_000.0 => format!("{rate:.0}"),
        rate if rate < 1_000_000.0 => format!("{:.1} k", rate / 1000.0),
        rate => format!("{:.2} M", rate / 1e6),
    }
}

fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_in_groups_of_three() {
        assert_eq!(grouped(7), "7");
        assert_eq!(grouped(1234), "1,234");
        assert_eq!(grouped(12_345_678), "12,345,678");
    }
}
