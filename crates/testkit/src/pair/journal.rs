//! The store of one side: records of its session, and what its owner did, in one order.

use std::collections::BTreeSet;

use gridmq_proto::session::Record;
use gridmq_proto::time::Monotonic;

#[derive(Debug, Clone)]
pub(super) enum Entry {
    Record(Record),
    /// The owner took this message over.
    Took(String),
}

#[derive(Debug, Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    /// How many are durable.
    pub(super) durable: usize,
    /// When the last write ends: they follow one another.
    pub(super) busy_until: Monotonic,
    /// Messages of this side that it lost in a crash before they were safe.
    pub(super) forgotten: BTreeSet<String>,
    /// Rises with each crash.
    pub(super) life: u32,
}

fn enqueued(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Record(Record::Enqueued(_, delivery)) => {
            Some(String::from_utf8_lossy(&delivery.message.message().payload).into_owned())
        }
        _ => None,
    }
}

impl Journal {
    pub(super) fn write(&mut self, entry: Entry) -> usize {
        self.entries.push(entry);
        self.entries.len()
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn is_durable(&self) -> bool {
        self.durable == self.entries.len()
    }

    pub(super) fn took(&self) -> Vec<&String> {
        let took = |entry: &'_ Entry| matches!(entry, Entry::Took(_));
        self.entries
            .iter()
            .filter(|entry| took(entry))
            .filter_map(|entry| match entry {
                Entry::Took(payload) => Some(payload),
                Entry::Record(_) => None,
            })
            .collect()
    }

    /// What was not durable is gone; the records that are left.
    pub(super) fn crash(&mut self) -> Vec<Record> {
        let gone = self.entries.split_off(self.durable);
        let kept: BTreeSet<_> = self.entries.iter().filter_map(enqueued).collect();
        self.forgotten.extend(gone.iter().filter_map(enqueued).filter(|payload| !kept.contains(payload)));
        self.life += 1;
        self.records()
    }

    /// The session's records are gone; what the owner did stays.
    pub(super) fn forget(&mut self) {
        self.entries.retain(|entry| matches!(entry, Entry::Took(_)));
        self.durable = self.entries.len();
        self.life += 1;
    }

    pub(super) fn records(&self) -> Vec<Record> {
        let records = self.entries.iter().filter_map(|entry| match entry {
            Entry::Record(record) => Some(record.clone()),
            Entry::Took(_) => None,
        });
        records.collect()
    }
}
