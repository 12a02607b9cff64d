//! Events as iterators.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::TimedOut;
use super::engine::Engine;
use crate::events::{ConnectionEvent, Undelivered};

/// An [`Iterator`] over what happens that blocks until something does.
macro_rules! stream {
    ($(#[$doc:meta])* $name:ident, $item:ident) => {
        $(#[$doc])*
        ///
        /// Inside an async runtime it blocks the thread all the same: do not use it there.
        #[derive(Debug)]
        pub struct $name {
            stream: crate::$name,
            engine: Arc<Engine>,
        }

        impl $name {
            pub(super) const fn new(stream: crate::$name, engine: Arc<Engine>) -> Self {
                Self { stream, engine }
            }

            /// The next one, if it comes in that time; `None` when no more will come. A time of zero looks and does
            /// not wait.
            ///
            /// # Errors
            /// None came in that time; nothing is lost by that.
            pub fn next_within(&mut self, after: Duration) -> Result<Option<$item>, TimedOut> {
                // A time that the clock cannot express is no limit.
                let until = Instant::now().checked_add(after);
                self.engine.wait(self.stream.next(), until).ok_or(TimedOut { after })
            }
        }

        impl Iterator for $name {
            type Item = $item;

            fn next(&mut self) -> Option<$item> {
                // Without a limit it ends with an answer only.
                self.engine.wait(self.stream.next(), None).flatten()
            }
        }
    };
}

stream! {
    /// What happens to a connection, one thing after the other: an [`Iterator`] that blocks until the next thing
    /// happens, and ends when the client does. See [`crate::Client::events`].
    Events, ConnectionEvent
}

stream! {
    /// Messages that did not make it and whose outcome nobody awaits: an [`Iterator`] that blocks until there is one,
    /// and ends when the client does. See [`crate::Client::undelivered`].
    UndeliveredMessages, Undelivered
}
