//! Who the client is, and what the session with the server is to be like.

use std::time::Duration;

use gridmq_proto::{ByteString, Version};
use zeroize::Zeroizing;

use super::Options;
use crate::auth::wiped;
use crate::publish::whole_seconds;
use crate::will::Will;

impl Options {
    /// The client identifier; when not given, the server assigns one.
    pub fn client_id(mut self, client_id: impl Into<ByteString>) -> Self {
        self.client_id = client_id.into();
        self
    }

    /// The user name; with Event Grid the client's authentication name. Wins over the address's.
    pub fn username(mut self, username: impl Into<ByteString>) -> Self {
        self.username = Some(username.into());
        self
    }

    /// The password. Wins over the address's. Never shown in logs or errors; its memory is overwritten when the last copy
    /// goes, see [`auth`](crate::auth#secrets).
    pub fn password(mut self, password: impl Into<Vec<u8>>) -> Self {
        self.password = Some(wiped(Zeroizing::new(password.into())));
        self
    }

    /// The version of MQTT; 5.0 when not called.
    pub const fn version(mut self, version: Version) -> Self {
        self.version = version;
        self
    }

    /// Whether to begin without an earlier session (3.1.1: a clean session); yes when not called.
    pub const fn clean_start(mut self, clean_start: bool) -> Self {
        self.clean_start = clean_start;
        self
    }

    /// How long the session outlives the connection, in whole seconds (MQTT 5.0 only); from 136 years on, for ever. When
    /// not called: five minutes while the client comes back by itself, taken back when the application disconnects; with
    /// [`Reconnect::never`](crate::Reconnect::never) not at all, but for moving to another certificate; with a
    /// [store](crate::store) five minutes in any case, and not taken back. Zero is taken at its word: every loss of the
    /// connection then loses the session.
    pub fn session_expiry(mut self, expiry: Duration) -> Self {
        self.properties.session_expiry_interval = Some(whole_seconds(expiry));
        self
    }

    /// How long the connection may be silent before the client asks whether the server is there: whole seconds,
    /// 18 hours at most, 60 s when not called. Zero asks never. The server may set another [MQTT-3.1.2-21].
    pub const fn keep_alive(mut self, keep_alive: Duration) -> Self {
        self.keep_alive = keep_alive;
        self
    }

    /// What the server is to publish when the connection is lost.
    pub fn will(mut self, will: Will) -> Self {
        self.will = Some(will);
        self
    }

    /// How long an attempt may take in all: credentials, name, TCP, proxy, TLS, WebSocket, and CONNECT up to its
    /// CONNACK; 30 s when not called.
    pub const fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long a publish, a subscribe, an unsubscribe or a ping may take; 30 s when not called.
    pub const fn request_timeout(mut self, timeout: Duration) -> Self {
        self.request_timeout = timeout;
        self
    }
}
