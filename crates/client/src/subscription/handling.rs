//! A handler for each message.

use std::collections::HashMap;
use std::future::Future;

use gridmq_proto::ReasonCode;
use tokio::task::{Id, JoinError, JoinSet};

use super::{Acks, Subscription};
use crate::message::{AckToken, Message};
use crate::receipt::OnDrop;

/// What a handler says of a message that it cannot take: see [`Subscription::handle`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// A failure that PUBACK has.
    pub reason: ReasonCode,
    /// Words for people.
    pub words: Option<String>,
}

impl Rejection {
    /// A rejection without words.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, words: None }
    }

    /// Adds words for people.
    #[must_use]
    pub fn words(mut self, words: impl Into<String>) -> Self {
        self.words = Some(words.into());
        self
    }
}

impl Subscription {
    /// Calls `handler` for each message, up to `limit` at once, until no more will come. The message is acknowledged
    /// when the handler says `Ok`, and rejected when it says `Err`, whatever was asked of the stream before.
    /// Acknowledgements go out in the order of receipt all the same.
    ///
    /// A handler that panics rejects its message, or acknowledges it where that is not possible (3.1.1, Event Grid): no
    /// message stays behind and blocks the others. Dropping the future aborts the handlers; what they had is then left
    /// unacknowledged.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn handle<H, F>(mut self, limit: usize, mut handler: H)
    where
        H: FnMut(Message) -> F + Send,
        F: Future<Output = Result<(), Rejection>> + Send + 'static,
    {
        self.source.acks = Acks::Manual(OnDrop::Keep);
        let mut running = JoinSet::new();
        let mut due: HashMap<Id, AckToken> = HashMap::new();
        let mut open = true;
        while open || !running.is_empty() {
            tokio::select! {
                biased;
                Some(ended) = running.join_next_with_id() => settle(&mut due, ended),
                message = self.next(), if open && running.len() < limit.max(1) => match message {
                    Some(mut message) => {
                        let token = message.take_ack();
                        let id = running.spawn(handler(message)).id();
                        due.extend(token.map(|token| (id, token)));
                    }
                    None => open = false,
                },
            }
        }
    }
}

fn settle(due: &mut HashMap<Id, AckToken>, ended: Result<(Id, Result<(), Rejection>), JoinError>) {
    let (id, outcome) = match ended {
        Ok(ended) => ended,
        Err(error) => {
            tracing::error!(%error, "a handler of messages has panicked");
            (error.id(), Err(Rejection::new(ReasonCode::ImplementationSpecificError)))
        }
    };
    let Some(mut token) = due.remove(&id) else { return };
    match outcome {
        Ok(()) => token.ack(),
        Err(Rejection { reason, words }) => {
            if let Err(error) = token.reject(reason, words.as_deref()) {
                tracing::warn!(%error, "a message was acknowledged instead of rejected");
                token.ack();
            }
        }
    }
}
