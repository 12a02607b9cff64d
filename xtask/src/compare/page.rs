//! Tables for people.

use std::fmt::Write;

use super::outcome::Outcome;
use super::peers::{Contestant, OURS, RUMQTTC_END};
use super::rows::{Group, Row, Server, WINDOW};
use super::{Choice, Measured};
use crate::shell::{Result, cargo, quiet};

const HEAD: &str = "\
# Benchmarks

Written by `cargo xtask compare --clients`, which installs and builds the peers, starts the broker and measures; one
part for each broker. Everything runs on one machine, so compare within a table and not with other pages. The peers'
programs are in [bench/peers](../bench/peers).

- **Publishing**: one client publishes to a broker where nobody subscribes. The time ends with the last
  acknowledgement; at QoS 0 with that of a last message of QoS 1. At most 100 messages are under way at once.
- **Receiving**: a program writes packets that were encoded beforehand as fast as the client takes them, at QoS 1 with at
  most 100 unacknowledged, so that the client is what is measured. It is the same for both brokers.
- **Round trip**: a client sends itself 1,000 messages of 256 bytes a second through the broker.
- **Connecting**: CONNECT and DISCONNECT, one connection after the other, each with a full TLS handshake in which both
  sides show a certificate (P-256). The program keeps its trust and its identity meanwhile: gridmq-client does not check
  again a signature among the server's certificates that it found good; nothing is resumed.
- A cell has messages (or connections) a second, or times, and in brackets the client's processor time for 10,000 of
  them in milliseconds. The last column is gridmq-client's throughput, or the inverse of its p50, over the better one of
  rumqttc's.
- Where another client is first, both clients' processor time is given, or their times of a round trip. It is called
  cheaper where it spends so much less processor time that the difference can come from that; where it does not, these
  numbers do not say what the difference comes from: [decision 006](decisions/006-speed-of-the-client.md) has what is
  known.
- Each row is measured twice and the better run counts; the clients that leave TCP_NODELAY to the application run once
  without it and once with it, and always with it for round trips and connections.
";

/// The part of one broker.
pub(super) fn part(choice: Choice, broker: &str, contestants: &[Contestant], measured: &[Measured]) -> String {
    let mut page = format!("## Broker: {broker}\n\n");
    let _ = writeln!(page, "`{}` on {}.\n", choice.command(), machine());
    let versions: Vec<String> =
        contestants.iter().enumerate().map(|(column, c)| format!("{} {}", c.name, version(column, measured))).collect();
    let _ = writeln!(page, "Clients: {}.\n", versions.join("; "));
    let groups = [
        (Group::Publish, "Publishing, messages a second"),
        (Group::Receive, "Receiving, messages a second"),
        (Group::Latency, "Round trip at 1,000 messages a second, p50 / p99 in µs"),
        (Group::Connect, "Connecting, connections a second"),
    ];
    for (group, title) in groups {
        let rows: Vec<&Measured> = measured.iter().filter(|measured| measured.row.group == group).collect();
        if !rows.is_empty() {
            table(&mut page, title, contestants, &rows, cell, true);
        }
    }
    let memory: Vec<&Measured> = measured.iter().filter(|measured| measured.row.weighs_memory()).collect();
    let title = "Memory (most, resident) and processor time for 10,000 messages published at QoS 1";
    table(
        &mut page,
        title,
        contestants,
        &memory,
        |_, o| format!("{:.1} MiB, {:.0} ms", o.hwm_kib / 1024.0, o.cost() * 10.0),
        false,
    );
    behind(&mut page, contestants, measured);
    page
}

fn table(
    page: &mut String,
    title: &str,
    contestants: &[Contestant],
    rows: &[&Measured],
    cell: impl Fn(&Row, &Outcome) -> String,
    ratio: bool,
) {
    let names: Vec<&str> = contestants.iter().map(|contestant| contestant.name).collect();
    let last = if ratio { " × rumqttc |" } else { "" };
    let _ = writeln!(page, "### {title}\n\n| | {} |{last}", names.join(" | "));
    let _ = writeln!(page, "|---|{}", "---:|".repeat(names.len() + usize::from(ratio)));
    for measured in rows {
        let cells = measured.outcomes.iter().map(|outcome| match outcome {
            Ok(outcome) => cell(&measured.row, outcome),
            Err(_) => "failed".to_owned(),
        });
        let cells: Vec<String> = cells.collect();
        let last = if ratio { format!(" {} |", against_rumqttc(measured)) } else { String::new() };
        let _ = writeln!(page, "| {} | {} |{last}", measured.row.title(), cells.join(" | "));
    }
    page.push('\n');
}

fn cell(row: &Row, outcome: &Outcome) -> String {
    match row.group {
        Group::Latency => {
            format!(
                "{:.0} / {:.0} ({:.0})",
                outcome.p50_us.unwrap_or(0.0),
                outcome.p99_us.unwrap_or(0.0),
                outcome.cost() * 10.0
            )
        }
        Group::Publish | Group::Receive | Group::Connect => {
            format!("{} ({:.0})", thousands(outcome.rate()), outcome.cost() * 10.0)
        }
    }
}

/// `1,234,567`, with three digits that count.
fn thousands(number: f64) -> String {
    let whole = number.max(0.0);
    let step = 10_f64.powi((whole.max(1.0).log10().floor() as i32 - 2).max(0));
    let digits = format!("{:.0}", (whole / step).round() * step);
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// How many times rumqttc's better version our merit is.
fn ratio(measured: &Measured) -> Option<f64> {
    let merit = |outcome: &Result<Outcome, String>| outcome.as_ref().ok().map(|outcome| measured.row.merit(outcome));
    let ours = merit(measured.outcomes.first()?)?;
    let theirs = measured.outcomes.get(OURS..RUMQTTC_END)?.iter().filter_map(merit).fold(0.0, f64::max);
    (theirs > 0.0).then(|| ours / theirs)
}

fn against_rumqttc(measured: &Measured) -> String {
    ratio(measured).map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.2}"))
}

/// Says where ours is not the first, by how much, and what failed.
fn behind(page: &mut String, contestants: &[Contestant], measured: &[Measured]) {
    let mut lines = Vec::new();
    for Measured { row, outcomes } in measured {
        let title = format!("{:?}, {}", row.group, row.title()).to_lowercase();
        let merits = outcomes.iter().map(|outcome| outcome.as_ref().map_or(0.0, |outcome| row.merit(outcome)));
        let merits: Vec<f64> = merits.collect();
        let first = merits.iter().copied().enumerate().max_by(|(_, one), (_, other)| one.total_cmp(other));
        if let (Some((column, best)), Some(&ours)) = (first, merits.first())
            && column >= OURS
            && ours > 0.0
            && let Some(contestant) = contestants.get(column)
            && let (Some(Ok(our)), Some(Ok(other))) = (outcomes.first(), outcomes.get(column))
        {
            let lead = best / ours;
            let numbers = compared(row, our, other, lead);
            lines.push(format!("- {title}: {} is first, {lead:.2} times gridmq-client{numbers}.", contestant.name));
        }
        for (contestant, outcome) in contestants.iter().zip(outcomes) {
            if let Err(why) = outcome {
                lines.push(format!("- {title}: {} failed: {why}.", contestant.name));
            }
        }
    }
    lines.extend(memory(contestants, measured));
    let title = "### Where gridmq-client is not first";
    if lines.is_empty() {
        let _ = writeln!(page, "{title}\n\nNowhere.");
    } else {
        let _ = writeln!(page, "{title}\n\n{}", lines.join("\n"));
    }
}

/// The numbers of both behind a lead of so many times.
fn compared(row: &Row, ours: &Outcome, first: &Outcome, lead: f64) -> String {
    if row.group == Group::Latency {
        // The clients wait for nearly all of that time, so what they work says nothing of it.
        let times =
            |outcome: &Outcome| format!("{:.0} / {:.0}", outcome.p50_us.unwrap_or(0.0), outcome.p99_us.unwrap_or(0.0));
        return format!(" (p50 / p99 of {} against {} µs)", times(ours), times(first));
    }
    let costs = format!("{:.1} against {:.1} µs of processor time each", ours.cost(), first.cost());
    // A few hundredths of the work are not the reason of half of the time.
    if ours.cost() >= first.cost() * (1.0 + (lead - 1.0) * 0.8) && ours.cost() > first.cost() {
        format!(", and it is cheaper: {costs}")
    } else {
        format!(" ({costs})")
    }
}

/// Who gets by with less memory.
fn memory(contestants: &[Contestant], measured: &[Measured]) -> Vec<String> {
    let mut lines = Vec::new();
    for Measured { row, outcomes } in measured.iter().filter(|measured| measured.row.weighs_memory()) {
        let used =
            |outcome: &Result<Outcome, String>| outcome.as_ref().map_or(f64::INFINITY, |outcome| outcome.hwm_kib);
        let least = outcomes.iter().map(used).enumerate().min_by(|(_, one), (_, other)| one.total_cmp(other));
        if let (Some((column, least)), Some(Ok(ours))) = (least, outcomes.first())
            && column >= OURS
            && let Some(contestant) = contestants.get(column)
        {
            lines.push(format!(
                "- memory, {}: {} is first with {:.1} MiB, gridmq-client has {:.1} MiB, program and libraries included.",
                row.title(),
                contestant.name,
                least / 1024.0,
                ours.hwm_kib / 1024.0
            ));
        }
    }
    lines
}

fn version(column: usize, measured: &[Measured]) -> String {
    let outcomes = measured.iter().filter_map(|measured| measured.outcomes.get(column)?.as_ref().ok());
    outcomes.map(|outcome| outcome.version.clone()).next().unwrap_or_else(|| "(never ran)".to_owned())
}

pub(super) fn machine() -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": ").map(|(_, name)| name));
    let rustc = quiet(cargo().arg("--version")).unwrap_or_default();
    let kernel = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let plural = if cores == 1 { "core" } else { "cores" };
    format!(
        "{cores} {plural} of {}, {}, {rustc}, at most {WINDOW} messages under way",
        model.unwrap_or("an unknown processor"),
        numbered(&kernel)
    )
}

/// The kernel by its number; what follows that is the distributor's.
fn numbered(kernel: &str) -> String {
    let number: String = kernel.trim().chars().take_while(|&c| c.is_ascii_digit() || c == '.').collect();
    let number = number.trim_end_matches('.');
    if number.is_empty() { "an unknown kernel".to_owned() } else { format!("Linux {number}") }
}

/// A line to watch the run by.
pub(super) fn line(row: &Row, outcomes: &[Result<Outcome, String>]) -> String {
    let cells = outcomes.iter().map(|outcome| match outcome {
        Ok(outcome) => format!("{:>22}", cell(row, outcome)),
        Err(why) => format!("{why:>22}"),
    });
    let server = if row.server == Server::Source { "source " } else { "" };
    format!("{:<8} {server}{:<22} {}", format!("{:?}", row.group), row.title(), cells.collect::<Vec<_>>().join(" "))
}

/// The page with `part` in place of the part of the same broker.
pub(super) fn with_part(page: &str, mosquitto: bool, part: &str) -> String {
    let mut parts = Parts::of(page);
    let place = if mosquitto { &mut parts.mosquitto } else { &mut parts.ours };
    *place = Some(part.trim_end().to_owned());
    parts.page()
}

/// The page with `part` in place of what it says of brokers.
pub(super) fn with_brokers(page: &str, part: &str) -> String {
    Parts { brokers: Some(part.trim_end().to_owned()), ..Parts::of(page) }.page()
}

/// The page is written by several runs, a part each.
#[derive(Debug, Default)]
struct Parts {
    brokers: Option<String>,
    ours: Option<String>,
    mosquitto: Option<String>,
}

impl Parts {
    fn of(page: &str) -> Self {
        let mut parts = Self::default();
        for text in page.split("\n## ").skip(1) {
            let whole = Some(format!("## {}", text.trim_end()));
            match text.strip_prefix("Broker: ") {
                Some(name) if name.starts_with("mosquitto") => parts.mosquitto = whole,
                Some(_) => parts.ours = whole,
                None if text.starts_with("Brokers\n") => parts.brokers = whole,
                None => {}
            }
        }
        parts
    }

    fn page(self) -> String {
        let parts: Vec<String> = [self.brokers, self.ours, self.mosquitto].into_iter().flatten().collect();
        format!("{HEAD}\n{}\n", parts.join("\n\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    fn outcome(seconds: f64) -> Result<Outcome, String> {
        let version = "1".to_owned();
        Ok(Outcome { version, count: 1000.0, seconds, cpu_us: 2000.0, hwm_kib: 1024.0, p50_us: None, p99_us: None })
    }

    fn measured(seconds: [f64; 4]) -> Measured {
        Measured { row: rows::all(false)[0], outcomes: seconds.map(outcome).into() }
    }

    #[test]
    fn a_number_has_three_digits_that_count() {
        assert_eq!(thousands(1_234_567.0), "1,230,000");
        assert_eq!(thousands(98_765.0), "98,800");
        assert_eq!(thousands(123.4), "123");
        assert_eq!(thousands(0.0), "0");
    }

    /// What is said of ours when another is twice as fast, and ours has spent so much processor time on 1,000.
    fn behind_with(cpu_us: f64, row: Row) -> String {
        let contestants = ["a", "b", "c", "d"].map(|name| Contestant { name, program: "x".into(), mqtt: "5" });
        let mut measured = measured([0.2, 0.4, 0.2, 0.1]);
        measured.row = row;
        for (outcome, p50) in measured.outcomes.iter_mut().zip([80.0, 90.0, 95.0, 40.0]) {
            let outcome = outcome.as_mut().unwrap();
            (outcome.p50_us, outcome.p99_us) = (Some(p50), Some(p50 + 100.0));
        }
        measured.outcomes[0].as_mut().unwrap().cpu_us = cpu_us;
        let mut page = String::new();
        behind(&mut page, &contestants, &[measured]);
        page
    }

    #[test]
    fn nothing_is_given_as_a_reason_that_the_numbers_do_not_bear() {
        let row = rows::all(false)[0];
        let page = behind_with(4000.0, row);
        assert!(page.contains("d is first, 2.00 times gridmq-client, and it is cheaper: 4.0 against 2.0 µs"), "{page}");
        for cpu_us in [2060.0, 3000.0, 2000.0, 1000.0] {
            let page = behind_with(cpu_us, row);
            assert!(
                page.contains(&format!("2.00 times gridmq-client ({:.1} against 2.0 µs", cpu_us / 1000.0)),
                "{page}"
            );
            assert!(!page.contains("because") && !page.contains("cheaper") && !page.contains("wait"), "{page}");
        }
        let latency = rows::all(false).into_iter().find(|row| row.group == Group::Latency).unwrap();
        let page = behind_with(9000.0, latency);
        assert!(page.contains("2.00 times gridmq-client (p50 / p99 of 80 / 180 against 40 / 140 µs).\n"), "{page}");
        assert!(!page.contains("because") && !page.contains("cheaper") && !page.contains("processor"), "{page}");
    }

    #[test]
    fn nobody_is_first_beside_one_that_failed() {
        let contestants = ["a", "b", "c", "d"].map(|name| Contestant { name, program: "x".into(), mqtt: "5" });
        let failed = || Err("it died".to_owned());
        let row = rows::all(false)[0];
        for outcomes in [vec![failed(), outcome(0.1), outcome(0.1), outcome(0.1)], (0..4).map(|_| failed()).collect()] {
            let mut page = String::new();
            behind(&mut page, &contestants, &[Measured { row, outcomes }]);
            assert!(page.contains("a failed: it died.") && !page.contains("is first"), "{page}");
        }
    }

    #[test]
    fn less_memory_is_told_of() {
        let contestants = ["a", "b", "c", "d"].map(|name| Contestant { name, program: "x".into(), mqtt: "5" });
        let mut row = measured([0.1; 4]);
        row.row = rows::all(true).into_iter().find(|row| row.weighs_memory()).unwrap();
        assert!(memory(&contestants, std::slice::from_ref(&row)).is_empty());
        let other = row.outcomes[2].as_mut().unwrap();
        other.hwm_kib = 512.0;
        assert!(memory(&contestants, &[row])[0].contains("c is first with 0.5 MiB, gridmq-client has 1.0 MiB"));
    }

    #[test]
    fn a_kernel_is_its_number() {
        assert_eq!(numbered("6.1.0-18-cloud-amd64\n"), "Linux 6.1.0");
        assert_eq!(numbered("5.15.167.4-suffix"), "Linux 5.15.167.4");
        assert_eq!(numbered(""), "an unknown kernel");
    }

    #[test]
    fn the_ratio_is_to_the_better_one_of_rumqttc() {
        assert_eq!(against_rumqttc(&measured([0.1, 0.4, 0.2, 0.01])), "2.00");
        let mut none = measured([0.1; 4]);
        none.outcomes[1] = Err("it died".to_owned());
        none.outcomes[2] = Err("it died".to_owned());
        assert_eq!(against_rumqttc(&none), "-");
    }

    #[test]
    fn a_part_takes_the_place_of_its_own_and_leaves_the_other() {
        let page = with_part("", false, "## Broker: gridmq 1\n\nold\n");
        let page = with_part(&page, true, "## Broker: mosquitto version 2\n\ntheirs\n");
        let page = with_part(&page, false, "## Broker: gridmq 2\n\nnew\n");
        assert!(page.starts_with("# Benchmarks\n"), "{page}");
        assert!(!page.contains("old") && page.contains("theirs\n") && page.ends_with("theirs\n"), "{page}");
        assert!(page.find("gridmq 2") < page.find("mosquitto version 2"), "{page}");
        assert_eq!(page.matches("## Broker").count(), 2);
    }

    #[test]
    fn where_another_is_first_the_page_says_so() {
        let contestants = ["a", "b", "c", "d"].map(|name| Contestant { name, program: "x".into(), mqtt: "5" });
        let mut page = String::new();
        behind(&mut page, &contestants, &[measured([0.2, 0.4, 0.2, 0.1])]);
        assert!(page.contains("d is first, 2.00 times"), "{page}");
        let mut page = String::new();
        behind(&mut page, &contestants, &[measured([0.1, 0.4, 0.2, 0.2])]);
        assert!(page.ends_with("Nowhere.\n"), "{page}");
    }
}
