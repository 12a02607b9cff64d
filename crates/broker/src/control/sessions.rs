//! Sessions: listed, looked at, ended, subscribed.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::packet::SubscribeOptions;
use gridmq_proto::session::Verdict;
use gridmq_proto::{ReasonCode, SubscriptionFilter};

use super::{Control, SessionDetails, SessionInfo};
use crate::directory::{Slot, WorkerId};
use crate::hooks::Refused;

/// Where a list of sessions goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SessionCursor {
    pub(crate) shard: usize,
    pub(crate) after: Option<ByteString>,
}

/// Some sessions.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SessionPage {
    /// The sessions, in no order that means anything.
    pub sessions: Vec<SessionInfo>,
    /// Where to go on; `None`: these were the last.
    pub next: Option<SessionCursor>,
}

impl Control {
    /// Lists sessions, online and offline, at most `limit` at a time. Sessions that come, go or move while a list is
    /// read may be missing from it; all others are in it once.
    pub async fn sessions(&self, from: Option<SessionCursor>, limit: usize) -> SessionPage {
        let mut cursor = from.unwrap_or(SessionCursor { shard: 0, after: None });
        let (slots, more) = self.shared.directory.page(&mut cursor, limit.max(1));
        let mut by_worker: BTreeMap<WorkerId, Vec<Arc<Slot>>> = BTreeMap::new();
        for slot in slots {
            by_worker.entry(slot.worker()).or_default().push(slot);
        }
        let mut sessions = Vec::new();
        for (worker, slots) in by_worker {
            let infos = self.ask(worker, move |worker| {
                slots.iter().filter_map(|slot| worker.session_info(slot)).collect::<Vec<_>>()
            });
            sessions.extend(infos.await.into_iter().flatten());
        }
        SessionPage { sessions, next: more.then_some(cursor) }
    }

    /// One session with its subscriptions; `None`: there is none of that name.
    pub async fn session(&self, client_id: &str) -> Option<SessionDetails> {
        self.ask_session(client_id, |worker, slot| worker.session_details(slot)).await
    }

    /// Ends the connection of a session's client: an MQTT 5.0 client is told by DISCONNECT. The session stays if it is
    /// to outlive its connection, and its will is published. `false`: the client is not there.
    pub async fn disconnect(&self, client_id: &str, why: Refused) -> bool {
        let verdict = Verdict::from(why);
        self.ask_session(client_id, move |worker, slot| worker.put_out(slot, &verdict)).await.unwrap_or(false)
    }

    /// Ends a session with all that it holds; its client, if it is there, is told 0x98 (Administrative action). `false`:
    /// there is none of that name.
    pub async fn discard(&self, client_id: &str) -> bool {
        self.ask_session(client_id, |worker, slot| worker.end_at_once(slot)).await.unwrap_or(false)
    }

    /// Subscribes a session on behalf of its client, which is not told and not asked; nor are rules and hooks. An
    /// existing subscription to the same filter is changed. Retained messages follow as after a SUBSCRIBE, if the client
    /// is there. The QoS is at most what the broker grants.
    ///
    /// # Errors
    /// When there is no such session, or it has as many subscriptions as it may.
    pub async fn subscribe(
        &self,
        client_id: &str,
        filter: SubscriptionFilter,
        options: SubscribeOptions,
    ) -> Result<(), SubscribeError> {
        let answer = self.ask_session(client_id, move |worker, slot| worker.subscribe_for(slot, &filter, options));
        answer.await.unwrap_or(Err(SubscribeError::NoSession))
    }

    /// Takes a subscription away from a session. `false`: it has none to that filter, or does not exist.
    pub async fn unsubscribe(&self, client_id: &str, filter: SubscriptionFilter) -> bool {
        let answer = self.ask_session(client_id, move |worker, slot| worker.unsubscribe_for(slot, &filter));
        answer.await.unwrap_or(false)
    }
}

/// Why a session was not subscribed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// There is none of that name.
    #[error("there is no session of that name: its client has to connect first")]
    NoSession,
    /// The session has as many subscriptions as it may.
    #[error("the session has {limit} subscriptions, as many as it may: raise the limit or take some away")]
    TooMany {
        /// The limit.
        limit: usize,
    },
}

impl SubscribeError {
    /// The reason code that a client would have got.
    #[must_use]
    pub const fn reason(&self) -> ReasonCode {
        match self {
            Self::NoSession => ReasonCode::UnspecifiedError,
            Self::TooMany { .. } => ReasonCode::QuotaExceeded,
        }
    }
}
