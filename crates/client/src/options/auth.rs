//! Who the client says it is, asked for anew at each connect.

use std::sync::Arc;

use super::Options;
use crate::auth::{Authenticator, UserProvider};

impl Options {
    /// Asks for user name and password at every connect, in place of [`username`](Self::username),
    /// [`password`](Self::password) and the address's.
    pub fn user_provider(mut self, provider: Arc<dyn UserProvider>) -> Self {
        self.auth.user = Some(provider);
        self
    }

    /// Authenticates by that method of enhanced authentication, and anew before what it has shown runs out (MQTT 5.0
    /// only): see [`auth`](crate::auth#enhanced-authentication).
    pub fn authenticator(mut self, authenticator: Arc<dyn Authenticator>) -> Self {
        self.auth.set_authenticator(authenticator);
        self
    }

    /// Lets the [`authenticator`](Self::authenticator)'s tokens, and an `Authorization` field of the upgrade to WebSocket,
    /// go to servers that are reached without TLS: who reads along can then use them. Without this, such options are an error, unless the server is this machine
    /// (`localhost`, 127.0.0.0/8, ::1), a Unix socket, or behind a stream of the application's own.
    pub const fn plain_tokens(mut self) -> Self {
        self.auth.plain_tokens = true;
        self
    }
}
