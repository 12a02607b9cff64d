//! What the broker says about a refusal to those who run it; the device is told the reason code alone.

use std::sync::{Mutex, PoisonError};

use gridmq_broker::{Observer, Occurrence};

/// The broker's last words on a refusal.
#[derive(Debug, Default)]
pub(in crate::commands::quickstart) struct Words(Mutex<Option<String>>);

impl Words {
    pub(super) fn forget(&self) {
        self.put(None);
    }

    /// What the device saw, and after it the broker's words, if there are any.
    pub(super) fn after(&self, seen: &str) -> String {
        match &*self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(words) => format!("{seen}; the broker's log: {words}"),
            None => seen.to_owned(),
        }
    }

    fn put(&self, words: Option<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }
}

impl Observer for Words {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        match occurrence {
            Occurrence::Refused { why, .. } | Occurrence::Denied { why, .. } => self.put(Some((*why).to_owned())),
            _ => {}
        }
    }
}
