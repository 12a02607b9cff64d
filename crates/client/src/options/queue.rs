//! What waits to be sent, and where it is kept.

use super::Options;
use crate::outbox::QueueOptions;
use crate::store::{Choice, SessionStore};

impl Options {
    /// How much may wait to be sent and acknowledged, and what happens when it is too much; [`QueueOptions::new`] when
    /// not called.
    pub fn queue(mut self, queue: QueueOptions) -> Self {
        let store = std::mem::replace(&mut self.queue.store, Choice::NONE);
        self.queue = QueueOptions { store, ..queue };
        self
    }

    /// Keeps the session in this file, so that messages survive the process; see [`store`](crate::store). The file is
    /// made if it is not there, its directory is not. Wants a [client identifier](Self::client_id) and
    /// [`clean_start(false)`](Self::clean_start). The file is read when the client is started, and until then anything
    /// may be wrong with it.
    ///
    /// The server has to keep its side of the session for as long as the program may be away:
    /// [`session_expiry`](Self::session_expiry) says how long. When that is not called, five minutes, also after an orderly
    /// end. Once it has forgotten the session, what was not acknowledged is published again as new, at QoS 2 too.
    #[cfg(feature = "store")]
    pub fn store(mut self, path: impl Into<std::path::PathBuf>) -> Self {
        self.queue.store = Choice::file(path.into());
        self
    }

    /// Keeps the session in a store of the application's own, as [`store`](crate::store) says. Wants what a store in a
    /// file wants: a client identifier, `clean_start(false)` and a [`session_expiry`](Self::session_expiry).
    pub fn session_store(mut self, store: Box<dyn SessionStore>) -> Self {
        self.queue.store = Choice::given(store);
        self
    }
}
