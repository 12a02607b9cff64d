//! Retained messages: read page by page, cleared.

use gridmq_proto::time::Wall;
use gridmq_proto::{Message, QoS, TopicFilter, TopicName};

use super::Control;
use crate::retained::{Cursor, Query};

/// A retained message.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RetainedMessage {
    /// The message.
    pub message: Message,
    /// The QoS at which it was published.
    pub qos: QoS,
    /// When it expires.
    pub expires_at: Option<Wall>,
}

/// Where a list of retained messages goes on.
#[derive(Debug, Clone)]
pub struct RetainedCursor(Cursor);

/// Some retained messages.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RetainedPage {
    /// The messages.
    pub messages: Vec<RetainedMessage>,
    /// Where to go on; `None`: these were the last. A page may be empty and not the last.
    pub next: Option<RetainedCursor>,
}

/// Topics looked at for one page, so that a filter that matches few of many does not hold up publishers.
const SLICE: usize = 4096;

impl Control {
    /// The retained message of a topic.
    #[must_use]
    pub fn retained(&self, topic: &TopicName) -> Option<RetainedMessage> {
        let filter = TopicFilter::try_from(topic.as_str()).ok()?;
        let mut cursor = None;
        loop {
            let page = self.retained_matching(&filter, cursor, 1);
            if let Some(message) = page.messages.into_iter().next() {
                return Some(message);
            }
            cursor = Some(page.next?);
        }
    }

    /// The retained messages that a filter matches, at most `limit` at a time. Messages that are changed while a list is
    /// read are in it as they were or as they are.
    #[must_use]
    pub fn retained_matching(&self, filter: &TopicFilter, from: Option<RetainedCursor>, limit: usize) -> RetainedPage {
        let mut cursor = from.map_or_else(Cursor::default, |RetainedCursor(cursor)| cursor);
        let wall = self.shared.clock.now().wall;
        let query = Query { namespace: self.shared.realm.id, filter, version: u64::MAX, wall };
        let mut messages = Vec::new();
        let ended = self.shared.retained.read(&query, &mut cursor, SLICE, limit.max(1), |retained| {
            messages.push(RetainedMessage {
                message: retained.message.message().clone(),
                qos: retained.qos,
                expires_at: retained.expires_at,
            });
        });
        RetainedPage { messages, next: (!ended).then_some(RetainedCursor(cursor)) }
    }

    /// Clears the retained messages that a filter matches; answers how many. Subscribers are not told.
    pub async fn clear_retained(&self, filter: &TopicFilter) -> usize {
        let mut cleared = 0;
        let mut cursor = None;
        loop {
            let page = self.retained_matching(filter, cursor, 256);
            let topics: Vec<TopicName> = page.messages.into_iter().map(|retained| retained.message.topic).collect();
            if !topics.is_empty() {
                cleared += self.ask(0, move |worker| worker.clear_retained(&topics)).await.unwrap_or(0);
            }
            match page.next {
                Some(next) => cursor = Some(next),
                None => return cleared,
            }
        }
    }
}
