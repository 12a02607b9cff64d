//! Tokens of an OAuth 2.0 client, by its secret.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use base64ct::{Base64, Encoding as _};
use bytes::Bytes;
use gridmq_tls::{ClientConfig, Trust};
use http_body_util::Full;
use hyper::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue};
use hyper::http::request::Builder;
use hyper::{Method, Request};
use serde_json::Value;
use zeroize::Zeroizing;

use super::BoxFuture;
use super::answer::{self, MAX_ANSWER};
use super::secret::Secret;
use super::token::{Token, TokenSource};
use super::user::wiped;
use crate::error::{AuthError, AuthErrorKind};
use crate::http::{Call, Received, Url, escape, form};

const SCOPE: &str = "https://eventgrid.azure.net/.default";
const TIMEOUT: Duration = Duration::from_secs(10);
const OPENID: &str = "/.well-known/openid-configuration";
const OAUTH: &str = "/.well-known/oauth-authorization-server";

/// Tokens that a client gets for its own secret: the client credentials grant of OAuth 2.0 (RFC 6749 §4.4).
///
/// The requests for them go straight to the endpoint: the MQTT connection's [proxy](crate::Options::proxy),
/// [local address](crate::Options::local_address), [address family](crate::Options::address_family) and
/// [dialer](crate::Options::dialer) are not used for them. Where only a proxy leads out, take tokens from an
/// [`FnToken`](super::FnToken) or a [`FileToken`](super::FileToken).
///
/// ```
/// use gridmq_client::auth::{ClientSecret, JwtAuthenticator, Secret};
/// # use gridmq_tls::Trust;
/// # fn make(trust: Trust) -> Result<(), gridmq_client::auth::AuthError> {
/// let endpoint = "https://login.microsoftonline.com/my-tenant/oauth2/v2.0/token";
/// let source = ClientSecret::at(endpoint, "my-client-id", Secret::variable("CLIENT_SECRET")).trust(trust).build()?;
/// let authenticator = JwtAuthenticator::oauth2(source);
/// # drop(authenticator);
/// # Ok(())
/// # }
/// ```
pub struct ClientSecret {
    options: ClientSecretBuilder,
    tls: Option<ClientConfig>,
    /// The token endpoint, once it is known, and whether it takes the secret in the body only.
    found: Mutex<Option<Endpoint>>,
}

#[derive(Debug, Clone)]
struct Endpoint {
    url: Url,
    in_body: bool,
}

#[derive(Clone)]
enum Place {
    Token(String),
    Issuer(String),
}

/// A query, or a user name, may be a secret.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, url) = match self {
            Self::Token(url) => ("Token", url),
            Self::Issuer(url) => ("Issuer", url),
        };
        f.debug_tuple(kind).field(&shown(url)).finish()
    }
}

/// A URL as `host:port`.
pub(super) fn shown(url: &str) -> String {
    Url::parse(url).map_or_else(|_| "(no URL)".to_owned(), |url| url.authority())
}

impl ClientSecret {
    /// At that token endpoint. Without TLS only on this machine.
    pub fn at(token_endpoint: impl Into<String>, client_id: impl Into<String>, secret: Secret) -> ClientSecretBuilder {
        ClientSecretBuilder::new(Place::Token(token_endpoint.into()), client_id.into(), secret)
    }

    /// At the token endpoint that the issuer's metadata name: `/.well-known/openid-configuration` (OpenID Connect
    /// Discovery 1.0 §4), or, where there is none, `/.well-known/oauth-authorization-server` (RFC 8414). The metadata
    /// are looked up again when the endpoint fails.
    pub fn discover(issuer: impl Into<String>, client_id: impl Into<String>, secret: Secret) -> ClientSecretBuilder {
        ClientSecretBuilder::new(Place::Issuer(issuer.into()), client_id.into(), secret)
    }

    async fn ask(&self) -> Result<Token, AuthError> {
        let endpoint = self.endpoint().await?;
        let from = format!("the token endpoint at {}", endpoint.url.authority());
        let secret = self.options.secret.read().await?;
        let token = match self.request(&endpoint, &secret).await {
            Ok(received) => answer::token(&received),
            Err(kind) => Err(kind),
        };
        token.map_err(|kind| {
            *self.found.lock().unwrap_or_else(PoisonError::into_inner) = None;
            AuthError::new(from, kind)
        })
    }

    async fn request(&self, endpoint: &Endpoint, secret: &str) -> Result<Received, AuthErrorKind> {
        let ClientSecretBuilder { client_id, scope, parameters, in_body, .. } = &self.options;
        let mut fields = vec![("grant_type", "client_credentials")];
        if !scope.is_empty() {
            fields.push(("scope", scope));
        }
        fields.extend(parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let mut request = Request::builder().method(Method::POST).uri(endpoint.url.target(&[]));
        if *in_body || endpoint.in_body {
            fields.extend([("client_id", client_id.as_str()), ("client_secret", secret)]);
        } else {
            request = request.header(AUTHORIZATION, basic(client_id, secret)?);
        }
        request = request.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
        let body = wiped(Zeroizing::new(form(&fields).into_bytes()));
        self.send(&endpoint.url, request, body).await
    }

    async fn endpoint(&self) -> Result<Endpoint, AuthError> {
        let issuer = match &self.options.place {
            Place::Token(url) => {
                let url =
                    Url::private(url).map_err(|why| AuthError::new("the token endpoint", AuthErrorKind::Url(why)))?;
                return Ok(Endpoint { url, in_body: false });
            }
            Place::Issuer(issuer) => issuer,
        };
        let known = self.found.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(endpoint) = known {
            return Ok(endpoint);
        }
        let url = Url::private(issuer).map_err(|why| AuthError::new("the issuer", AuthErrorKind::Url(why)))?;
        let from = format!("the issuer at {}", url.authority());
        let found = self.discovered(issuer, &url).await.map_err(|kind| AuthError::new(from, kind))?;
        *self.found.lock().unwrap_or_else(PoisonError::into_inner) = Some(found.clone());
        Ok(found)
    }

    async fn discovered(&self, issuer: &str, url: &Url) -> Result<Endpoint, AuthErrorKind> {
        let path = url.path.trim_end_matches('/');
        // OpenID appends to the issuer's path, OAuth puts its own part before it.
        let mut received = self.send(url, Request::get(format!("{path}{OPENID}")), Bytes::new()).await?;
        if received.status == 404 {
            received = self.send(url, Request::get(format!("{OAUTH}{path}")), Bytes::new()).await?;
        }
        let metadata = answer::object(&received)?;
        let text = |name| metadata.get(name).and_then(Value::as_str);
        let same = text("issuer").is_some_and(|named| named.trim_end_matches('/') == issuer.trim_end_matches('/'));
        if !same {
            return Err(AuthErrorKind::Answer("its metadata are those of another issuer (RFC 8414 §3.3)"));
        }
        let endpoint = text("token_endpoint").ok_or(AuthErrorKind::Answer("its metadata name no token_endpoint"))?;
        // What was asked over TLS does not lead to less than that, not even on this machine.
        let url = Url::private(endpoint)
            .ok()
            .filter(|endpoint| endpoint.tls || !url.tls)
            .ok_or(AuthErrorKind::Answer("its metadata name a token_endpoint that is no https:// URL"))?;
        let methods = metadata.get("token_endpoint_auth_methods_supported").and_then(Value::as_array);
        let has = |method: &str| methods.is_some_and(|all| all.iter().any(|it| it.as_str() == Some(method)));
        Ok(Endpoint { url, in_body: has("client_secret_post") && !has("client_secret_basic") })
    }

    async fn send(&self, url: &Url, request: Builder, body: Bytes) -> Result<Received, AuthErrorKind> {
        let request = request.header(HOST, url.authority()).header(ACCEPT, "application/json");
        let request = request.body(Full::new(body)).map_err(|_| AuthErrorKind::Url("it is no URL"))?;
        let tls = match (&self.tls, url.tls) {
            (None, true) => return Err(gridmq_tls::client::ConfigError::NoTrust.into()),
            (tls, true) => tls.as_ref(),
            (_, false) => None,
        };
        let call = Call { host: &url.host, port: url.port, tls, time: self.options.timeout, bytes: MAX_ANSWER };
        Ok(Box::pin(call.send(request)).await?)
    }
}

impl TokenSource for ClientSecret {
    fn token(&self) -> BoxFuture<'_, Result<Token, AuthError>> {
        Box::pin(self.ask())
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ClientSecret").field(&self.options).finish()
    }
}

/// Makes a [`ClientSecret`].
#[derive(Clone)]
#[must_use]
pub struct ClientSecretBuilder {
    place: Place,
    client_id: String,
    secret: Secret,
    scope: String,
    parameters: Vec<(String, String)>,
    in_body: bool,
    trust: Option<Trust>,
    timeout: Duration,
}

impl ClientSecretBuilder {
    fn new(place: Place, client_id: String, secret: Secret) -> Self {
        Self {
            place,
            client_id,
            secret,
            scope: SCOPE.to_owned(),
            parameters: Vec::new(),
            in_body: false,
            trust: None,
            timeout: TIMEOUT,
        }
    }

    /// Whom to believe about the endpoints. Needed with TLS, unless the feature `platform-verifier` is on.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// What the tokens are to be good for; `https://eventgrid.azure.net/.default` unless set. Empty: not sent.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Adds a parameter to the request for a token, such as the `audience` that some servers want.
    pub fn parameter(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.parameters.push((name.into(), value.into()));
        self
    }

    /// Sends the secret in the body, not in the field `Authorization`, for servers that want it there (RFC 6749 §2.3.1).
    pub const fn in_body(mut self) -> Self {
        self.in_body = true;
        self
    }

    /// How long a request may take; 10 s unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds the source. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none, goes over the network without TLS, or nobody is trusted with TLS.
    pub fn build(self) -> Result<ClientSecret, AuthError> {
        let (what, url) = match &self.place {
            Place::Token(url) => ("the token endpoint", url),
            Place::Issuer(url) => ("the issuer", url),
        };
        let fail = |kind| AuthError::new(what, kind);
        let url = Url::private(url).map_err(|why| fail(AuthErrorKind::Url(why)))?;
        let tls = match tls(self.trust.clone()) {
            Ok(tls) => Some(tls),
            Err(_) if !url.tls && self.trust.is_none() => None,
            Err(kind) => return Err(fail(kind)),
        };
        Ok(ClientSecret { options: self, tls, found: Mutex::new(None) })
    }
}

impl fmt::Debug for ClientSecretBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSecretBuilder")
            .field("place", &self.place)
            .field("client_id", &self.client_id)
            .field("secret", &self.secret)
            .field("scope", &self.scope)
            .finish_non_exhaustive()
    }
}

/// HTTP/1.1 over TLS with whoever is trusted, or else with whom the system trusts.
pub(super) fn tls(trust: Option<Trust>) -> Result<ClientConfig, AuthErrorKind> {
    #[cfg(feature = "platform-verifier")]
    let trust = trust.or_else(|| Some(Trust::platform()));
    let trust = trust.ok_or(gridmq_tls::client::ConfigError::NoTrust)?;
    Ok(ClientConfig::builder().trust(trust).alpn(["http/1.1"]).build()?)
}

/// Both parts are encoded as in forms first (RFC 6749 §2.3.1).
fn basic(client_id: &str, secret: &str) -> Result<HeaderValue, AuthErrorKind> {
    let mut plain = Zeroizing::new(String::with_capacity(3 * (client_id.len() + secret.len()) + 1));
    escape(&mut plain, client_id);
    plain.push(':');
    escape(&mut plain, secret);
    let encoded = Zeroizing::new(Base64::encode_string(plain.as_bytes()));
    let text = Zeroizing::new(format!("Basic {}", encoded.as_str()));
    hidden(&text)
}

/// A field's value that is never shown, and is overwritten when its last copy goes.
pub(super) fn hidden(text: &str) -> Result<HeaderValue, AuthErrorKind> {
    let bytes = wiped(Zeroizing::new(text.as_bytes().to_vec()));
    let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| AuthErrorKind::NotText)?;
    value.set_sensitive(true);
    Ok(value)
}
