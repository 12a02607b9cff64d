//! Streams of messages as iterators.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::TimedOut;
use super::engine::Engine;
use crate::message::Message;

/// An [`Iterator`] over messages that blocks until there is one.
macro_rules! stream {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug)]
        #[must_use = "dropped, it takes no messages, and a subscription is given up: keep it and read it"]
        pub struct $name {
            stream: crate::subscription::$name,
            engine: Arc<Engine>,
        }

        impl $name {
            pub(super) const fn new(stream: crate::subscription::$name, engine: Arc<Engine>) -> Self {
                Self { stream, engine }
            }

            /// The next message, if one comes in that time; `None` when no more will come. A time of zero looks and
            /// does not wait.
            ///
            /// # Errors
            /// None came in that time; nothing is lost by that.
            pub fn next_within(&mut self, after: Duration) -> Result<Option<Message>, TimedOut> {
                // A time that the clock cannot express is no limit.
                let until = Instant::now().checked_add(after);
                self.engine.wait(self.stream.next(), until).ok_or(TimedOut { after })
            }

            /// The stream of the async client.
            pub const fn asynchronous(&self) -> &crate::subscription::$name {
                &self.stream
            }
        }

        impl Iterator for $name {
            type Item = Message;

            fn next(&mut self) -> Option<Message> {
                // Without a limit it ends with an answer only.
                self.engine.wait(self.stream.next(), None).flatten()
            }
        }
    };
}

stream! {
    /// The messages of one subscription, one after the other: an [`Iterator`] that blocks until the next one comes, and
    /// ends when the client or the subscription does.
    ///
    /// Dropping it gives the subscription up in the background. Inside an async runtime it blocks the thread all the
    /// same: do not use it there.
    Subscription
}

stream! {
    /// Messages that match no live subscription, one after the other: see [`crate::Client::messages`].
    Messages
}
