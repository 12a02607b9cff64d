//! The brokers' part of docs/benchmarks.md.

use std::fmt::Write as _;

use super::cell::Cell;
use super::peers::{Peer, Program};
use super::rows::{Figure, Row};

const HEAD: &str = "\
## Brokers

Written by `cargo xtask compare`, which installs and starts every peer and has `gridmq bench` do the same to each. What
counts is the broker's own processor time for each delivered message, and its memory: rates on a machine that the
generator shares are lower bounds for both.

- A cell is the best of two runs, of four for latency; the first with Nagle's algorithm where the broker has a switch for
  it, the others without. Every run has a fresh process, directory and port, after two seconds of quiet. MQTT 3.1.1 throughout.
- Everybody may do everything, nothing is kept on disk, and limits of queues are as high as they go. The row about
  acknowledged messages alone has each broker as it is shipped, ours with `durability = \"fsync\"`.
- *relay* is the floor: it copies the same packets between the same sockets and looks at their lengths alone.
- A publisher has a bounded number of messages on their way, so that nobody has to drop at QoS 0. A cell in which
  messages were lost, or connections broke, has a `!`, and is first in nothing.
- Bold is first. Processor time is in µs for each delivered message, or for each connection.

";

/// The line of one run.
pub(super) fn line(row: &Row, cell: &Cell) -> String {
    let shown = match &cell.said {
        Ok(_) => shown(row, Some(cell)),
        Err(why) => format!("failed: {why}"),
    };
    let rate = cell.number("/rate/delivered").filter(|rate| *rate > 0.0).map(|rate| format!(" ({rate:.0}/s)"));
    let busy = cell.number("/generator/cpu_share").map(|share| format!(", generator {:.0} %", share * 100.0));
    format!(
        "{:<14} {:<12} run {}: {shown}{}{}",
        row.name,
        cell.peer,
        cell.run + 1,
        rate.unwrap_or_default(),
        busy.unwrap_or_default()
    )
}

/// The best run of that row and broker.
fn best<'a>(row: &Row, peer: Peer, cells: &'a [Cell]) -> Option<&'a Cell> {
    let of = cells.iter().filter(|cell| cell.row == row.name && cell.peer == peer.name());
    let rank = |cell: &Cell| (!cell.is_sound(), cell.figure(row.figure).unwrap_or(f64::INFINITY));
    of.min_by(|one, other| {
        let ((one_bad, one), (other_bad, other)) = (rank(one), rank(other));
        one_bad.cmp(&other_bad).then(one.total_cmp(&other))
    })
}

fn shown(row: &Row, cell: Option<&Cell>) -> String {
    let Some(cell) = cell else { return "–".to_owned() };
    let Some(figure) = cell.figure(row.figure) else { return "failed".to_owned() };
    let text = match row.figure {
        Figure::Latency => {
            let at = |path| cell.number(path).unwrap_or(0.0);
            format!("{figure:.0} / {:.0} µs", at("/latency_us/p99"))
        }
        Figure::Loss if figure == 0.0 => "0".to_owned(),
        Figure::Loss => format!("{:.1} %", figure * 100.0),
        Figure::Cpu if figure >= 20.0 => format!("{figure:.0}"),
        Figure::Cpu => format!("{figure:.2}"),
        Figure::Peak | Figure::PerConnection => format!("{figure:.1}"),
    };
    if cell.is_sound() { text } else { format!("{text} !") }
}

/// Everything that was measured.
pub(super) fn part(rows: &[Row], programs: &[(Peer, Result<Program, String>)], cells: &[Cell]) -> String {
    let mut page = HEAD.to_owned();
    let versions = programs.iter().map(|(peer, program)| match program {
        Ok(program) => program.version.clone(),
        Err(why) => format!("{} is not here ({why})", peer.name()),
    });
    let machine = super::super::page::machine();
    let _ = writeln!(page, "{} on {machine}.\n", versions.collect::<Vec<_>>().join("; "));
    let peers: Vec<Peer> = programs.iter().map(|(peer, _)| *peer).collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    let _ = writeln!(page, "| | {} | aim |\n|---|{}---:|", names.join(" | "), "---:|".repeat(names.len()));
    let mut behind = String::new();
    for row in rows.iter().filter(|row| cells.iter().any(|cell| cell.row == row.name)) {
        let found: Vec<_> = peers.iter().map(|peer| (*peer, best(row, *peer, cells))).collect();
        let first = first(row, &found);
        let texts = found.iter().map(|(peer, cell)| {
            let text = shown(row, *cell);
            if first.is_some_and(|(first, _)| first == *peer) { format!("**{text}**") } else { text }
        });
        let aim = match row.figure {
            Figure::Latency => "relay + 5 %".to_owned(),
            Figure::Loss => "0".to_owned(),
            _ => format!("≤ {}", row.aim),
        };
        let _ = writeln!(page, "| {} | {} | {aim} |", row.title, texts.collect::<Vec<_>>().join(" | "));
        behind += &lag(row, &found, first);
    }
    if !behind.is_empty() {
        let _ = write!(page, "\nWhere ours is not first:\n\n{behind}");
    }
    page += &rates(rows, &peers, cells);
    page
}

/// Who has the smallest figure, and which; the floor does not take part.
fn first(row: &Row, found: &[(Peer, Option<&Cell>)]) -> Option<(Peer, f64)> {
    let sound = found.iter().filter(|(peer, _)| *peer != Peer::Relay).filter_map(|(peer, cell)| {
        let figure = cell.filter(|cell| cell.is_sound())?.figure(row.figure)?;
        Some((*peer, figure))
    });
    sound.min_by(|(_, one), (_, other)| one.total_cmp(other))
}

/// A line on a row that we are not first in.
fn lag(row: &Row, found: &[(Peer, Option<&Cell>)], first: Option<(Peer, f64)>) -> String {
    let ours = found.iter().find(|(peer, _)| *peer == Peer::Gridmq).and_then(|(_, cell)| *cell);
    let (Some((peer, theirs)), Some(ours)) = (first, ours) else { return String::new() };
    let Some(figure) = ours.figure(row.figure).filter(|_| peer != Peer::Gridmq) else { return String::new() };
    // A row at which several lose nothing has several that are first.
    if figure <= theirs && ours.is_sound() {
        return String::new();
    }
    if theirs == 0.0 {
        return format!("- {}: {} reaches 0.\n", row.title, peer.name());
    }
    let unsound = if ours.is_sound() { "" } else { ", and lost messages or connections" };
    let why = if row.why.is_empty() { String::new() } else { format!(": {}", row.why) };
    format!("- {}: {:.2} times {}'s{unsound}{why}.\n", row.title, figure / theirs, peer.name())
}

/// Messages, or connections, a second.
fn rates(rows: &[Row], peers: &[Peer], cells: &[Cell]) -> String {
    let mut page = String::new();
    let named: Vec<_> = rows.iter().filter(|row| row.figure == Figure::Cpu).collect();
    let names: Vec<&str> = peers.iter().map(|peer| peer.name()).collect();
    let _ = writeln!(page, "\n### Thousands of deliveries or connections a second in the same runs\n");
    let _ = writeln!(page, "| | {} |\n|---|{}", names.join(" | "), "---:|".repeat(names.len()));
    for row in named {
        let cell = |peer: &Peer| {
            let Some(cell) = best(row, *peer, cells) else { return "–".to_owned() };
            let rate = cell.number("/rate/delivered").filter(|rate| *rate > 0.0);
            let rate = rate.or_else(|| cell.number("/connect/per_second"));
            let full = cell.said.as_ref().ok().and_then(|said| said.pointer("/generator/saturated")?.as_bool());
            let mark = if full == Some(true) { " ≥" } else { "" };
            rate.map_or_else(|| "failed".to_owned(), |rate| format!("{:.1}{mark}", rate / 1000.0))
        };
        let texts: Vec<_> = peers.iter().map(cell).collect();
        let _ = writeln!(page, "| {} | {} |", row.title, texts.join(" | "));
    }
    page += "\n≥: the generator had no time left, so the rate is its own.\n";
    page
}

#[cfg(test)]
mod tests {
    use super::super::rows;
    use super::*;

    fn cell(row: &Row, peer: Peer, run: usize, cpu: f64, lost: u32) -> Cell {
        let said = format!("{{\"lost\":{lost},\"server\":{{\"cpu_us_per_delivery\":{cpu}}}}}");
        Cell::new(row, peer, "1", run, true, Ok(said))
    }

    fn page(cells: &[Cell]) -> String {
        let rows = rows::all(false);
        let program = |name: &str| Ok(Program { path: name.into(), version: name.to_owned() });
        let programs = [(Peer::Gridmq, program("gridmq 1")), (Peer::Mosquitto, program("mosquitto 2"))];
        let nats = (Peer::Nats, Err("no room".to_owned()));
        part(&rows, &[programs.to_vec(), vec![nats]].concat(), cells)
    }

    #[test]
    fn the_better_run_counts_and_the_first_is_bold() {
        let row = rows::all(false)[0];
        let cells = [
            cell(&row, Peer::Gridmq, 0, 0.9, 0),
            cell(&row, Peer::Gridmq, 1, 0.5, 0),
            cell(&row, Peer::Mosquitto, 0, 2.0, 0),
        ];
        let page = page(&cells);
        assert!(page.contains(&format!("| {} | **0.50** | 2.00 | – | ≤ 0.6 |", row.title)), "{page}");
        assert!(page.contains("nats-server is not here (no room)") && !page.contains("not first"), "{page}");
    }

    #[test]
    fn one_that_loses_is_first_in_nothing_and_ours_says_by_how_much_it_is_behind() {
        let row = rows::all(false)[0];
        let cells = [cell(&row, Peer::Gridmq, 0, 3.0, 0), cell(&row, Peer::Mosquitto, 0, 2.0, 0)];
        assert!(page(&cells).contains("1.50 times mosquitto's."));
        let cells = [cell(&row, Peer::Gridmq, 0, 3.0, 0), cell(&row, Peer::Mosquitto, 0, 2.0, 7)];
        let page = page(&cells);
        assert!(page.contains("| **3.00** | 2.00 ! |") && !page.contains("not first"), "{page}");
    }
}
