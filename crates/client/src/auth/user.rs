//! User names and passwords.

use std::fmt;

use bytes::Bytes;
use gridmq_proto::ByteString;
use zeroize::Zeroizing;

use super::BoxFuture;
use crate::error::AuthError;

/// A user name and a password, each of them optional. MQTT 3.1.1 takes no password without a user name
/// [MQTT-3.1.2-22].
#[derive(Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct User {
    name: Option<ByteString>,
    password: Option<Bytes>,
}

impl User {
    /// A user without a password.
    pub fn new(name: impl Into<ByteString>) -> Self {
        Self { name: Some(name.into()), password: None }
    }

    /// Neither name nor password, to begin with.
    pub fn anonymous() -> Self {
        Self::default()
    }

    /// With that password. Its memory is overwritten when the last copy goes; it is never shown.
    pub fn with_password(mut self, password: impl Into<Vec<u8>>) -> Self {
        self.password = Some(wiped(Zeroizing::new(password.into())));
        self
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    pub(crate) fn into_parts(self) -> (Option<ByteString>, Option<Bytes>) {
        (self.name, self.password)
    }
}

/// Some servers take tokens as user names.
impl fmt::Debug for User {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let password = self.password.as_ref().map(|_| "(not shown)");
        let name = self.name.as_ref().map(|_| "(not shown)");
        f.debug_struct("User").field("name", &name).field("password", &password).finish()
    }
}

/// Bytes that are overwritten when the last copy goes.
pub(crate) fn wiped(secret: Zeroizing<Vec<u8>>) -> Bytes {
    Bytes::from_owner(secret)
}

/// Says who the client is, anew at every connect. Closures that give a future of a [`User`] are providers too.
///
/// ```
/// use gridmq_client::auth::{User, UserProvider};
///
/// fn provider() -> impl UserProvider {
///     || async { Ok(User::new("device-7").with_password("read it from somewhere here")) }
/// }
/// # drop(provider());
/// ```
pub trait UserProvider: Send + Sync {
    /// The user for the CONNECT that follows. It counts against the connect timeout.
    ///
    /// # Errors
    /// The attempt to connect fails with it.
    fn user(&self) -> BoxFuture<'_, Result<User, AuthError>>;
}

impl<F, Fut> UserProvider for F
where
    F: Fn() -> Fut + Send + Sync,
    Fut: Future<Output = Result<User, AuthError>> + Send + 'static,
{
    fn user(&self) -> BoxFuture<'_, Result<User, AuthError>> {
        Box::pin(self())
    }
}
