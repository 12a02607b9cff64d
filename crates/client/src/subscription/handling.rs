//! A handler for each message.

use std::collections::HashMap;
use std::future::Future;

use gridmq_proto::packet::{AckProperties, UserProperties};
use gridmq_proto::{ByteString, ReasonCode};
use tokio::task::{Id, JoinError, JoinSet};

use super::{Acks, Subscription};
use crate::message::{AckToken, Message};
use crate::receipt::OnDrop;

/// What is said of a message that cannot be taken: see [`Subscription::handle`] and [`Message::reject_with`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rejection {
    /// A failure that PUBACK has.
    pub reason: ReasonCode,
    /// Why, in words for people (MQTT 5.0 §3.4.2.2.2).
    pub reason_string: Option<ByteString>,
    /// User properties of the PUBACK or PUBREC (MQTT 5.0 §3.4.2.2.3).
    pub user_properties: UserProperties,
}

impl Rejection {
    /// A rejection without further words.
    #[must_use]
    pub const fn new(reason: ReasonCode) -> Self {
        Self { reason, reason_string: None, user_properties: Vec::new() }
    }

    /// Says why, in words for people.
    #[must_use]
    pub fn reason_string(mut self, reason_string: impl Into<ByteString>) -> Self {
        self.reason_string = Some(reason_string.into());
        self
    }

    /// Adds a user property.
    #[must_use]
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    pub(crate) fn into_properties(self) -> AckProperties {
        AckProperties { reason_string: self.reason_string, user_properties: self.user_properties }
    }
}

impl From<ReasonCode> for Rejection {
    fn from(reason: ReasonCode) -> Self {
        Self::new(reason)
    }
}

impl Subscription {
    /// Calls `handler` for each message, up to `limit` at once, until no more will come. The message is acknowledged
    /// when the handler says `Ok`, and rejected when it says `Err`, whatever was asked of the stream before; on 3.1.1,
    /// which has no rejections, it is acknowledged. Acknowledgements go out in the order of receipt all the same.
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
        Err(_) if !token.explains() => token.ack(),
        Err(rejection) => {
            if let Err(error) = token.reject_with(rejection) {
                tracing::warn!(%error, "a message was acknowledged instead of rejected");
                token.ack();
            }
        }
    }
}
