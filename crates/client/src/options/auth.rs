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
        self.auth.authenticator = Some(authenticator);
        self
    }
}
