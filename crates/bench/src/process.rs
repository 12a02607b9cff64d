//! What other processes use: processor time and memory, read from `/proc`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// Clock ticks of `/proc/PID/stat` per second: what Linux shows to programs on every architecture that Rust runs on.
const TICKS: u64 = 100;

/// What a process and its descendants have used, at one moment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Usage {
    /// The processes that were found.
    pub pids: Vec<u32>,
    /// Nanoseconds on a processor, of each thread.
    threads: BTreeMap<(u32, u32), u64>,
    user_ticks: u64,
    system_ticks: u64,
    /// Resident memory, in KiB.
    pub rss_kib: u64,
    /// The most that each was resident since it began, summed, in KiB.
    pub peak_kib: u64,
    /// Resident memory with shared pages divided among those who share them, in KiB; 0 where it is not told.
    pub pss_kib: u64,
}

/// What was used between two moments.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Spent {
    /// Microseconds on a processor.
    pub cpu_us: u64,
    /// Of those in user space, in steps of 10 ms.
    pub user_us: u64,
    /// Of those in the kernel, in steps of 10 ms.
    pub system_us: u64,
    /// Whether `cpu_us` is exact to the nanosecond, thread by thread; else it has steps of 10 ms.
    pub fine: bool,
}

impl Usage {
    /// Of those processes and all their descendants. Processes that are not there are left out.
    #[must_use]
    pub fn of(pids: &[u32]) -> Self {
        let mut usage = Self::default();
        let mut found = BTreeSet::new();
        let mut queue = pids.to_vec();
        while let Some(pid) = queue.pop() {
            if found.contains(&pid) || !usage.add(pid) {
                continue;
            }
            found.insert(pid);
            queue.extend(children(pid));
        }
        usage.pids = found.into_iter().collect();
        usage
    }

    fn add(&mut self, pid: u32) -> bool {
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
        // The name, in parentheses, may contain anything.
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_ascii_whitespace().skip(11);
        let mut ticks = || fields.next().and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
        self.user_ticks += ticks();
        self.system_ticks += ticks();
        self.user_ticks += ticks();
        self.system_ticks += ticks();
        for thread in ids(&format!("/proc/{pid}/task")) {
            if let Ok(text) = fs::read_to_string(format!("/proc/{pid}/task/{thread}/schedstat")) {
                let on_cpu = text.split_ascii_whitespace().next().and_then(|field| field.parse().ok()).unwrap_or(0);
                self.threads.insert((pid, thread), on_cpu);
            }
        }
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        self.rss_kib += kib(&status, "VmRSS:");
        self.peak_kib += kib(&status, "VmHWM:");
        self.pss_kib += kib(&fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default(), "Pss:");
        true
    }

    /// How many threads they have.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.threads.len()
    }

    /// What was used from then on until now.
    #[must_use]
    pub fn since(&self, then: &Self) -> Spent {
        let us = |ticks: u64| ticks * (1_000_000 / TICKS);
        let user_us = us(self.user_ticks.saturating_sub(then.user_ticks));
        let system_us = us(self.system_ticks.saturating_sub(then.system_ticks));
        // A thread that ended took its account with it.
        let fine = !self.threads.is_empty() && then.threads.keys().all(|thread| self.threads.contains_key(thread));
        let sum = |usage: &Self| usage.threads.values().sum::<u64>();
        let cpu_us = if fine { sum(self).saturating_sub(sum(then)) / 1000 } else { user_us + system_us };
        Spent { cpu_us, user_us, system_us, fine }
    }
}

fn children(pid: u32) -> Vec<u32> {
    let of_thread = |thread| {
        let text = fs::read_to_string(format!("/proc/{pid}/task/{thread}/children")).unwrap_or_default();
        text.split_ascii_whitespace().filter_map(|child| child.parse().ok()).collect::<Vec<_>>()
    };
    ids(&format!("/proc/{pid}/task")).into_iter().flat_map(of_thread).collect()
}

/// The numbers among the names of a directory.
fn ids(dir: &str) -> Vec<u32> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn kib(text: &str, key: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.split_ascii_whitespace().next()?.parse().ok()).unwrap_or(0)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn a_child_that_burns_time_is_seen_and_so_is_its_own_child() {
        let script = "sh -c 'read line; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read line'; exit";
        let mut child =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let mut input = child.stdin.take().unwrap();
        let before = Usage::of(&[child.id()]);
        assert!(before.rss_kib > 0 && before.threads() >= 1);
        std::io::Write::write_all(&mut input, b"go\n").unwrap();
        let mut said = [0; 4];
        std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut said).unwrap();
        let after = Usage::of(&[child.id()]);
        let spent = after.since(&before);
        assert!(spent.cpu_us >= 10_000, "{spent:?}");
        drop(input);
        child.wait().unwrap();
        assert_eq!(Usage::of(&[child.id()]), Usage::default(), "a process that is gone uses nothing");
    }
}
