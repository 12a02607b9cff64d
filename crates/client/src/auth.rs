//! Who the client says it is, in MQTT's own terms: user names and passwords, and enhanced authentication.
//!
//! | what | where from | when |
//! |---|---|---|
//! | user name and password | [`Options::username`], [`Options::password`] | the same at every connect |
//! | user name and password | [`Options::user_provider`] | asked for at every connect |
//! | method and data of enhanced authentication | [`Options::authenticator`] | asked for at every connect, and before they run out |
//!
//! A certificate is a matter of TLS: [`Options::identity`] and [`Options::credentials`].
//!
//! # Enhanced authentication
//! An [`Authenticator`] gives the data for CONNECT, answers the server's AUTH packets (MQTT 5.0 §4.12), and gives new
//! data for a re-authentication, by AUTH 0x19 on the same connection, before the data in use run out. The one for
//! tokens, [`JwtAuthenticator`], speaks `OAUTH2-JWT` and `CUSTOM-JWT` as Event Grid has them:
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use gridmq_client::Client;
//! use gridmq_client::auth::{FileToken, JwtAuthenticator};
//!
//! # async fn run() -> Result<(), gridmq_client::ConnectError> {
//! let client = Client::builder("mqtts://ns.westeurope-1.ts.eventgrid.azure.net")
//!     .client_id("sample")
//!     .authenticator(Arc::new(JwtAuthenticator::oauth2(FileToken::new("/run/secrets/token"))))
//!     .connect()
//!     .await?;
//! # Ok(())
//! # }
//! ```
//!
//! Data that run out are replaced earlier by a tenth of their life: at least 30 s, at most half of it and 10 minutes; up
//! to a quarter of that is taken off at random. However short their life, that is not more often than every 10 s. When no
//! new data can be had, the client asks again after 5 s to 5 min
//! (doubling, half of it at random) until the old ones have run out; from then on the server decides. A server that
//! does not answer a re-authentication within 30 s is left, for it is not known what it thinks [MQTT-4.12.1-2].
//!
//! # Secrets
//! Passwords, tokens and clients' secrets are not part of any `Debug` output, error or log of this crate, and user names of
//! no `Debug` output and log, for some servers take tokens as such. A token goes over TLS, a Unix socket or a stream of the
//! caller's, or stays on this machine, unless [`Options::plain_tokens`] says otherwise.
//!
//! What is held here is overwritten when its last copy goes: passwords of [`Options::password`], of a [`User`], of an
//! address, of the [settings](crate::env) and of a [`Proxy`](crate::Proxy); tokens; clients' secrets; the forms and header
//! fields that carry one of them. Not overwritten are
//! - what the application keeps, and what it hands over by reference, such as the text of an address;
//! - the data of a [`Grant`] that an application's own [`Authenticator`] makes, unless the `Bytes` do it themselves;
//! - buffers of what is sent and received: of this client behind CONNECT and AUTH, of TLS, of the HTTP client and its parsers
//!   behind requests for tokens and their answers, and those of the system;
//! - the environment's variables.
//!
//! [`Options::username`]: crate::Options::username
//! [`Options::password`]: crate::Options::password
//! [`Options::plain_tokens`]: crate::Options::plain_tokens
//! [`Options::user_provider`]: crate::Options::user_provider
//! [`Options::authenticator`]: crate::Options::authenticator
//! [`Options::identity`]: crate::Options::identity
//! [`Options::credentials`]: crate::Options::credentials

#[cfg(feature = "tokens")]
mod answer;
#[cfg(feature = "tokens")]
mod azure;
#[cfg(feature = "tokens")]
mod client_secret;
mod exchange;
mod jwt;
mod renewal;
#[cfg(feature = "tokens")]
mod secret;
mod token;
mod user;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use gridmq_proto::packet::{Auth, AuthProperties, Connect, ConnectProperties, UserProperties};
use gridmq_proto::time::Now;
use gridmq_proto::{ByteString, ReasonCode, Version};

pub use futures_core::future::BoxFuture;

#[cfg(feature = "tokens")]
pub use self::azure::AzureIdentity;
#[cfg(feature = "tokens")]
pub use self::client_secret::{ClientSecret, ClientSecretBuilder};
pub use self::jwt::JwtAuthenticator;
#[cfg(feature = "tokens")]
pub use self::secret::Secret;
#[cfg(feature = "tls")]
pub(crate) use self::token::regular;
pub use self::token::{FileToken, FnToken, Token, TokenSource};
pub(crate) use self::user::wiped;
pub use self::user::{User, UserProvider};
pub use crate::error::{AuthError, AuthErrorKind};
#[cfg(any(feature = "tokens", feature = "est"))]
pub use crate::http::HttpError;

pub(crate) use self::exchange::{Act, Exchanging};
use self::exchange::{Begun, Exchange};
use crate::address::{Address, Carrier};
use crate::clock::Clock;
use crate::profile::Profile;
use crate::transport::TransportOptions;

/// A method of enhanced authentication (MQTT 5.0 §4.12). MQTT 5.0 only.
///
/// ```
/// use gridmq_client::auth::{AuthError, Authenticator, BoxFuture, Challenge, Grant};
///
/// #[derive(Debug)]
/// struct Echo;
///
/// impl Authenticator for Echo {
///     fn method(&self) -> &str {
///         "ECHO"
///     }
///
///     fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
///         Box::pin(async { Ok(Grant::empty()) })
///     }
///
///     fn answer(&self, challenge: Challenge) -> BoxFuture<'_, Result<Grant, AuthError>> {
///         Box::pin(async move { Ok(challenge.data().cloned().map_or_else(Grant::empty, Grant::new)) })
///     }
/// }
/// ```
pub trait Authenticator: fmt::Debug + Send + Sync {
    /// The method's name, the same for every connection.
    fn method(&self) -> &str;

    /// Whether who reads its data along can use them, as it is with tokens. Such data go over TLS, a Unix socket or a
    /// stream of the caller's, or stay on this machine, unless [`Options::plain_tokens`](crate::Options::plain_tokens)
    /// says otherwise. Yes, unless written otherwise; no, for methods that only prove that a secret is known.
    fn is_bearer(&self) -> bool {
        true
    }

    /// What to begin with: the data of a CONNECT, or of an AUTH 0x19 that authenticates a connected client anew.
    ///
    /// # Errors
    /// At a connect, the attempt fails with it; later, the client asks again until what is in use has run out.
    fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>>;

    /// The answer to the server's AUTH 0x18, which asks for another step. A method of one step has none, which is what
    /// the default says.
    ///
    /// # Errors
    /// The connection, or the attempt to make one, ends with it.
    fn answer(&self, challenge: Challenge) -> BoxFuture<'_, Result<Grant, AuthError>> {
        let error = AuthError::new(origin(self.method(), challenge.reason_string()), AuthErrorKind::Challenge);
        Box::pin(async { Err(error) })
    }

    /// Looks at the end of a successful exchange: data of the CONNACK or of the last AUTH, by which methods with mutual
    /// authentication know the server. Accepted as it is, unless written otherwise.
    ///
    /// # Errors
    /// The server is not believed: the connection ends with it.
    fn finish(&self, last: Challenge) -> BoxFuture<'_, Result<(), AuthError>> {
        drop(last);
        Box::pin(async { Ok(()) })
    }
}

fn origin(method: &str, words: Option<&str>) -> String {
    match words {
        Some(words) => format!("the method {method} (the server says \"{}\")", crate::error::quoted(words)),
        None => format!("the method {method}"),
    }
}

/// What the server said in an exchange.
#[derive(Debug, Clone)]
pub struct Challenge(Auth);

impl Challenge {
    pub(crate) const fn new(auth: Auth) -> Self {
        Self(auth)
    }

    /// `ContinueAuthentication`, or `Success` at the end.
    #[must_use]
    pub const fn reason(&self) -> ReasonCode {
        self.0.reason
    }

    /// Its data; what they mean is the method's business.
    #[must_use]
    pub const fn data(&self) -> Option<&Bytes> {
        self.0.properties.authentication_data.as_ref()
    }

    /// Its words for people.
    #[must_use]
    pub fn reason_string(&self) -> Option<&str> {
        self.0.properties.reason_string.as_deref()
    }

    /// Its user properties.
    pub fn user_properties(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.properties.user_properties.iter().map(|(name, value)| (&**name, &**value))
    }
}

/// What the client says in an exchange.
#[derive(Clone, Default)]
#[must_use]
pub struct Grant {
    data: Option<Bytes>,
    expires_at: Option<SystemTime>,
    reason_string: Option<ByteString>,
    user_properties: UserProperties,
}

impl Grant {
    /// These data. They are never shown.
    pub fn new(data: impl Into<Bytes>) -> Self {
        Self { data: Some(data.into()), ..Self::default() }
    }

    /// No data.
    pub fn empty() -> Self {
        Self::default()
    }

    /// They run out then: shortly before, the client authenticates anew.
    pub const fn expires_at(mut self, at: SystemTime) -> Self {
        self.expires_at = Some(at);
        self
    }

    /// Words for people, in an AUTH; CONNECT has no such property.
    pub fn reason_string(mut self, words: impl Into<ByteString>) -> Self {
        self.reason_string = Some(words.into());
        self
    }

    /// Adds a user property to an AUTH; those of a CONNECT are
    /// [`Options::user_property`](crate::Options::user_property)'s.
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    fn into_auth(self, reason: ReasonCode, method: &str) -> Auth {
        let properties = AuthProperties {
            authentication_method: Some(method.into()),
            authentication_data: self.data,
            reason_string: self.reason_string,
            user_properties: self.user_properties,
        };
        Auth { reason, properties }
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = self.data.as_ref().map(|data| format!("({} bytes, not shown)", data.len()));
        f.debug_struct("Grant").field("data", &data).field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

/// Whether a host is this machine.
pub(crate) fn is_local(host: &str) -> bool {
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// How the client authenticates.
#[derive(Clone, Default)]
pub(crate) struct AuthOptions {
    pub(crate) user: Option<Arc<dyn UserProvider>>,
    authenticator: Option<Enhanced>,
    pub(crate) plain_tokens: bool,
}

type Begin = fn(Arc<dyn Authenticator>, Grant, Profile, Now) -> Result<Begun, AuthError>;

/// An authenticator, and what begins an exchange with it.
#[derive(Clone)]
struct Enhanced {
    authenticator: Arc<dyn Authenticator>,
    begin: Begin,
}

impl fmt::Debug for AuthOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthOptions")
            .field("user", &self.user.as_ref().map(|_| "a provider"))
            .field("authenticator", &self.authenticator())
            .finish_non_exhaustive()
    }
}

impl AuthOptions {
    pub(crate) fn set_authenticator(&mut self, authenticator: Arc<dyn Authenticator>) {
        self.authenticator = Some(Enhanced { authenticator, begin: Exchange::begin });
    }

    pub(crate) const fn has_authenticator(&self) -> bool {
        self.authenticator.is_some()
    }

    fn authenticator(&self) -> Option<&Arc<dyn Authenticator>> {
        self.authenticator.as_ref().map(|enhanced| &enhanced.authenticator)
    }

    /// Looks at what can be wrong before anything is sent.
    ///
    /// # Errors
    /// The option's name, and what is wrong with it.
    pub(crate) fn check(
        &self,
        version: Version,
        properties: &ConnectProperties,
    ) -> Result<(), (&'static str, &'static str)> {
        const OPTION: &str = "authenticator";
        let Some(authenticator) = self.authenticator() else { return Ok(()) };
        if !version.is_v5() {
            return Err((
                OPTION,
                "enhanced authentication is of MQTT 5.0: use that, or give the token as a password by user_provider",
            ));
        }
        if authenticator.method().is_empty() || authenticator.method().len() > usize::from(u16::MAX) {
            return Err((OPTION, "its method has no name of 1 to 65,535 bytes"));
        }
        if properties.authentication_method.is_some() || properties.authentication_data.is_some() {
            return Err((OPTION, "a method or data are given beside it: leave them out, it has its own"));
        }
        Ok(())
    }

    /// Whether what the authenticator shows, or the upgrade to WebSocket, may go to that server. What the caller opens is the caller's business.
    ///
    /// # Errors
    /// The option's name, and what is wrong with it.
    pub(crate) fn check_way(
        &self,
        address: &Address,
        transport: &TransportOptions,
    ) -> Result<(), (&'static str, String)> {
        let bearer = if self.authenticator().is_some_and(|it| it.is_bearer()) {
            Some("authenticator")
        } else if matches!(address.carrier, Carrier::WebSocket { .. }) && transport.websocket.authorizes() {
            Some("websocket_header")
        } else {
            None
        };
        // A proxy has another idea of what is this machine.
        let is_private = address.tls
            || address.carrier == Carrier::Unix
            || transport.dialer.is_some()
            || (is_local(&address.host) && transport.proxy.is_none());
        if let Some(option) = bearer.filter(|_| !is_private && !self.plain_tokens) {
            let problem = format!(
                "a token goes over TLS only, and {} is to be reached without: connect to mqtts:// or wss://, or call \
                 plain_tokens() where nobody can read along",
                address.shown()
            );
            return Err((option, problem));
        }
        Ok(())
    }

    /// Whether somebody is to be asked at each attempt.
    pub(crate) const fn asks(&self) -> bool {
        self.user.is_some() || self.authenticator.is_some()
    }

    /// Asks the providers for what this attempt says of the client, and writes it into its CONNECT.
    /// `asks_user`: nobody has put another user in the provider's place.
    pub(crate) async fn prepare(
        &self,
        connect: &mut Connect,
        asks_user: bool,
        profile: Profile,
        clock: Clock,
    ) -> Result<Option<Box<dyn Exchanging>>, AuthError> {
        if let Some(provider) = self.user.as_ref().filter(|_| asks_user) {
            (connect.username, connect.password) = provider.user().await?.into_parts();
        }
        let Some(Enhanced { authenticator, begin }) = &self.authenticator else { return Ok(None) };
        let grant = authenticator.begin().await?;
        let (exchange, data) = begin(Arc::clone(authenticator), grant, profile, clock.now())?;
        connect.properties.authentication_method = Some(authenticator.method().into());
        connect.properties.authentication_data = data;
        Ok(Some(exchange))
    }
}
