//! Requests that were handled: each is, at most once.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::TopicName;
use tokio::time::Instant;

use super::Reply;

/// How long a request is known again.
const WINDOW: Duration = Duration::from_secs(5 * 60);
/// Requests that are.
const ENTRIES: usize = 1024;
/// Replies that are kept for them, in bytes.
const BYTES: usize = 1 << 20;

/// Names a request: where its response goes, and its correlation data.
pub(super) type Name = (TopicName, Bytes);

#[derive(Debug)]
enum Entry {
    Running,
    /// Absent: too large to keep.
    Done(Option<Reply>),
}

/// What a request is.
#[derive(Debug)]
pub(super) enum Seen {
    /// It was not here before, and is from now on.
    New,
    /// It is being handled.
    Running,
    /// It was handled.
    Done(Option<Reply>),
}

#[derive(Debug, Default)]
pub(super) struct Memory {
    entries: HashMap<Name, Entry>,
    order: VecDeque<(Instant, Name)>,
    bytes: usize,
}

impl Memory {
    pub(super) fn see(&mut self, now: Instant, name: &Name) -> Seen {
        self.forget(now);
        match self.entries.get(name) {
            Some(Entry::Running) => Seen::Running,
            Some(Entry::Done(reply)) => Seen::Done(reply.clone()),
            None => {
                self.entries.insert(name.clone(), Entry::Running);
                self.order.push_back((now, name.clone()));
                Seen::New
            }
        }
    }

    /// It was handled, and answered if there is a reply.
    pub(super) fn done(&mut self, name: &Name, reply: Option<Reply>) {
        let reply = reply.filter(|reply| self.bytes + reply.weight() <= BYTES);
        if let Some(entry) = self.entries.get_mut(name) {
            self.bytes += reply.as_ref().map_or(0, Reply::weight);
            *entry = Entry::Done(reply);
        }
    }

    fn forget(&mut self, now: Instant) {
        while self.order.len() >= ENTRIES
            || self.order.front().is_some_and(|(since, _)| now.saturating_duration_since(*since) >= WINDOW)
        {
            let Some((_, name)) = self.order.pop_front() else { return };
            if let Some(Entry::Done(Some(reply))) = self.entries.remove(&name) {
                self.bytes -= reply.weight();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(number: usize) -> Name {
        ("a/response".try_into().unwrap(), Bytes::from(number.to_string()))
    }

    #[test]
    fn a_request_is_new_once_within_the_window() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        assert!(matches!(memory.see(start, &name(1)), Seen::New));
        assert!(matches!(memory.see(start, &name(1)), Seen::Running));
        memory.done(&name(1), Some(Reply::new("one")));
        assert!(matches!(memory.see(start, &name(1)), Seen::Done(Some(reply)) if reply.payload == "one"));
        assert!(matches!(memory.see(start + WINDOW, &name(1)), Seen::New));
        assert_eq!(memory.bytes, 0);
    }

    #[test]
    fn it_holds_so_many_and_so_much() {
        let (mut memory, start) = (Memory::default(), Instant::now());
        for number in 0..3 * ENTRIES {
            assert!(matches!(memory.see(start, &name(number)), Seen::New));
            memory.done(&name(number), Some(Reply::new(vec![0; 4096])));
            assert!(memory.entries.len() <= ENTRIES && memory.order.len() <= ENTRIES && memory.bytes <= BYTES);
        }
        assert!(matches!(memory.see(start, &name(3 * ENTRIES - 1)), Seen::Done(_)));
        assert!(matches!(memory.see(start, &name(0)), Seen::New));
    }
}
