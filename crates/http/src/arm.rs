//! Azure Resource Manager over HTTP: the control plane of [`gridmq_arm::plane`], and as much of Entra ID as tools need to
//! get a token for it.
//!
//! | request | answer |
//! |---|---|
//! | `/subscriptions/…`, `/tenants` | [`gridmq_arm::plane`] |
//! | `GET /metadata/endpoints` | where everything is, for `az cloud register` |
//! | `GET …/.well-known/openid-configuration` | the same, for credentials |
//! | `POST …/oauth2/token`, `…/oauth2/v2.0/token` | a token for the admin secret |
//! | `GET /msi/token`, `/metadata/identity/oauth2/token` | a token, as a managed identity gets it |
//!
//! Every request of the first row needs `Authorization: Bearer` with such a token, or with the admin secret itself. With
//! [`Settings::trust_local`] whoever is on this machine needs neither, but a page in a browser gets nothing.

use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method as HttpMethod, StatusCode, header};
use axum::response::{IntoResponse, Response};
use gridmq_arm::plane::{Method, Place, Plane, Reply, parameter};
use gridmq_store::Store;
use gridmq_tls::time::Utc;
use serde_json::{Value as Json, json};
use tokio::sync::mpsc;
use zeroize::Zeroizing;

mod keeper;
mod metadata;
mod tokens;

pub use keeper::{Changed, LoadError, RESOURCES};

use crate::server::{Connection, Peer};
use keeper::{Keeper, Owned};
use tokens::Issuer;

/// The largest body: templates are what is large.
pub const MAX_REQUEST_BODY: usize = 32 * 1024 * 1024;
/// The largest body of who is not known: a form that asks for a token.
const MAX_FORM: usize = 64 * 1024;
/// The fewest characters of an admin secret.
pub const SECRET_CHARACTERS: usize = 16;

/// Tells seconds since 1970.
pub type Clock = Arc<dyn Fn() -> u64 + Send + Sync>;
/// Makes random bytes; `None`: there are none, and nothing is done that might need them.
pub type Random = Arc<dyn Fn() -> Option<[u8; 64]> + Send + Sync>;

/// The system's random bytes.
#[must_use]
pub fn system_random() -> Random {
    Arc::new(|| {
        let mut bytes = [0; 64];
        aws_lc_rs::rand::fill(&mut bytes).is_ok().then_some(bytes)
    })
}

/// A secret of 256 random bits in hexadecimal digits: whatever it begins with, a shell and `az -p` take it as it is.
///
/// # Errors
/// When the system has no random bytes.
pub fn new_secret() -> Result<Zeroizing<String>, NoRandom> {
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(bytes.as_mut()).map_err(|_| NoRandom)?;
    Ok(Zeroizing::new(bytes.iter().map(|byte| format!("{byte:02x}")).collect()))
}

/// The system has no random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the system has no random bytes")]
#[allow(clippy::exhaustive_structs, reason = "there is nothing more to say")]
pub struct NoRandom;

/// How a control plane is served.
#[derive(Clone)]
#[non_exhaustive]
pub struct Settings {
    /// Where it says that it is.
    pub place: Place,
    /// Whether whoever is on this machine may do everything.
    pub trust_local: bool,
    /// What tokens are given for.
    pub secret: Zeroizing<String>,
    /// Tells the time.
    pub clock: Clock,
    /// Makes keys.
    pub random: Random,
}

impl Settings {
    /// Trusts nobody but who has the secret, of at least [`SECRET_CHARACTERS`] characters.
    #[must_use]
    pub fn new(secret: Zeroizing<String>, clock: Clock, random: Random) -> Self {
        Self { place: Place::default(), trust_local: false, secret, clock, random }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, trust_local, .. } = self;
        f.debug_struct("Settings").field("place", place).field("trust_local", trust_local).finish_non_exhaustive()
    }
}

/// A control plane, to be served.
#[derive(Debug, Clone)]
pub struct ControlPlane(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    keeper: Keeper,
    issuer: Issuer,
}

impl ControlPlane {
    /// The control plane of what the store has. Whoever is at the other end of `changed` puts changes in force; an answer
    /// waits for that.
    ///
    /// # Errors
    /// When the store cannot be read, or has something else in its table, or the secret is too short.
    pub fn load(settings: Settings, store: Store, changed: mpsc::Sender<Changed>) -> Result<Self, LoadError> {
        if settings.secret.chars().count() < SECRET_CHARACTERS {
            return Err(LoadError::Secret);
        }
        let issuer = Issuer::new(&settings.secret, &settings.place.tenant_id);
        let keeper = Keeper::load(settings.place.clone(), store, changed)?;
        Ok(Self(Arc::new(Inner { settings, keeper, issuer })))
    }

    /// The plane as it is now.
    pub async fn plane(&self) -> Plane {
        self.0.keeper.plane().await
    }

    /// The routes.
    pub fn router(&self) -> Router {
        Router::new().fallback(answer).layer(DefaultBodyLimit::max(MAX_REQUEST_BODY)).with_state(self.clone())
    }
}

async fn answer(State(plane): State<ControlPlane>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let secure = parts.extensions.get::<Connection>().is_some();
    let local = parts.extensions.get::<Peer>().is_some_and(|peer| peer.0.ip().to_canonical().is_loopback());
    let sender = Sender { fields: &parts.headers, local };
    let authorized = plane.0.authorize(&sender);
    // Nobody makes us hold much who is not known.
    let limit = if authorized.is_ok() { MAX_REQUEST_BODY } else { MAX_FORM };
    let Ok(body) = axum::body::to_bytes(body, limit).await else {
        let message = format!("The body could not be read, or has more than {limit} bytes.");
        return refusal(StatusCode::PAYLOAD_TOO_LARGE, "RequestTooLarge", &message);
    };
    let asked = Asked {
        method: &parts.method,
        path: parts.uri.path(),
        query: parts.uri.query().unwrap_or_default(),
        sender,
        body,
        base: base(&parts.headers, secure),
    };
    plane.0.answer(asked, authorized).await
}

/// Who sent a request, as far as that can be told.
struct Sender<'a> {
    fields: &'a HeaderMap,
    /// Whether it comes from this machine.
    local: bool,
}

/// What a request has that anything here looks at.
struct Asked<'a> {
    method: &'a HttpMethod,
    path: &'a str,
    query: &'a str,
    sender: Sender<'a>,
    body: Bytes,
    /// What links to here begin with.
    base: String,
}

impl Sender<'_> {
    fn field(&self, name: impl header::AsHeaderName) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }

    /// Whether a page in a browser sent it. Programs send none of these.
    fn is_of_a_browser(&self) -> bool {
        self.fields.contains_key(header::ORIGIN) || self.fields.contains_key("sec-fetch-site")
    }
}

impl Inner {
    async fn answer(&self, asked: Asked<'_>, authorized: Result<(), Box<Response>>) -> Response {
        let path = asked.path.trim_end_matches('/').to_ascii_lowercase();
        let is_get = asked.method == HttpMethod::GET;
        if is_get && path == "/metadata/endpoints" {
            let version = parameter(asked.query, "api-version").unwrap_or_default();
            return json_of(StatusCode::OK, &metadata::endpoints(&asked.base, &version));
        }
        if is_get && path.ends_with("/.well-known/openid-configuration") {
            let authority = path.trim_end_matches("/.well-known/openid-configuration").trim_end_matches("/v2.0");
            return json_of(StatusCode::OK, &metadata::openid(&asked.base, authority));
        }
        if path.ends_with("/oauth2/token") || path.ends_with("/oauth2/v2.0/token") {
            return self.token(&asked);
        }
        if path == "/msi/token" || path == "/metadata/identity/oauth2/token" {
            return self.token_of_identity(&asked, path == "/msi/token");
        }
        if let Err(refused) = authorized {
            return *refused;
        }
        let Some(method) = method(asked.method) else {
            return refusal(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", "ARM has no such method.");
        };
        let owned = Owned {
            method,
            path: asked.path.to_owned(),
            query: asked.query.to_owned(),
            if_match: asked.sender.field(header::IF_MATCH).map(str::to_owned),
            if_none_match: asked.sender.field(header::IF_NONE_MATCH).map(str::to_owned),
            body: asked.body.clone(),
            base: asked.base.clone(),
            random: Arc::clone(&self.settings.random),
            now: Utc((self.settings.clock)()).rfc3339(),
        };
        match self.keeper.ask(owned).await {
            Ok(reply) => response(reply, asked.method),
            Err(why) => refusal(StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable", &why),
        }
    }

    /// Whether the sender may use the control plane.
    fn authorize(&self, sender: &Sender<'_>) -> Result<(), Box<Response>> {
        if sender.is_of_a_browser() {
            let message = "This is not for pages in a browser: use az, an SDK or curl.";
            return Err(Box::new(refusal(StatusCode::FORBIDDEN, "AuthorizationFailed", message)));
        }
        if self.settings.trust_local && sender.local {
            return Ok(());
        }
        let given = sender.field(header::AUTHORIZATION).unwrap_or_default();
        let token = given.split_once(' ').filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"));
        let why = match token {
            None => "There is no 'Authorization: Bearer' in the request.".to_owned(),
            Some((_, token)) => match self.issuer.verify(token.trim(), (self.settings.clock)()) {
                Ok(()) => return Ok(()),
                Err(why) => why,
            },
        };
        let message = format!(
            "{why} Log in with the admin secret of this broker as the client secret, such as by az login \
             --service-principal, or send the secret itself as the token."
        );
        let mut refused = refusal(StatusCode::UNAUTHORIZED, "AuthenticationFailed", &message);
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        Err(Box::new(refused))
    }

    /// A token for a client that knows the secret (RFC 6749 §4.4).
    fn token(&self, asked: &Asked<'_>) -> Response {
        let wrong = |status, code: &str, why: &str| {
            json_of(status, &json!({ "error": code, "error_description": why, "error_codes": [] }))
        };
        if asked.method != HttpMethod::POST {
            return wrong(StatusCode::METHOD_NOT_ALLOWED, "invalid_request", "a token is asked for by POST");
        }
        let form = std::str::from_utf8(&asked.body).unwrap_or_default();
        let given = |name: &str| parameter(form, name).filter(|value| !value.is_empty());
        match given("grant_type").as_deref() {
            Some("client_credentials") => {}
            other => {
                let why = format!("grant_type is {}; only client_credentials is here", other.unwrap_or("absent"));
                return wrong(StatusCode::BAD_REQUEST, "unsupported_grant_type", &why);
            }
        }
        let Some(client_id) = given("client_id") else {
            return wrong(StatusCode::BAD_REQUEST, "invalid_request", "there is no client_id");
        };
        let trusted = self.settings.trust_local && asked.sender.local && !asked.sender.is_of_a_browser();
        if !trusted && !given("client_secret").is_some_and(|secret| self.issuer.is_secret(&secret)) {
            tracing::warn!(client_id, "a token was refused: the client secret is not the admin secret");
            return wrong(
                StatusCode::UNAUTHORIZED,
                "invalid_client",
                "client_secret is not the admin secret of this broker",
            );
        }
        let wanted = given("scope").or_else(|| given("resource")).unwrap_or_else(|| asked.base.clone());
        json_of(StatusCode::OK, &self.issuer.answer(&client_id, &wanted, &asked.base, (self.settings.clock)()))
    }

    /// A token for a program that takes this for its machine's identity endpoint. `header`: it has a secret header.
    fn token_of_identity(&self, asked: &Asked<'_>, header: bool) -> Response {
        let wrong =
            |status, why: &str| json_of(status, &json!({ "error": "invalid_request", "error_description": why }));
        if asked.method != HttpMethod::GET || asked.sender.is_of_a_browser() {
            return wrong(StatusCode::BAD_REQUEST, "a token is asked for by GET, and not by a page in a browser");
        }
        let trusted = self.settings.trust_local && asked.sender.local;
        let known = header && asked.sender.field("x-identity-header").is_some_and(|given| self.issuer.is_secret(given));
        if !trusted && !known {
            let why = if header {
                "IDENTITY_HEADER is not the admin secret of this broker"
            } else {
                "this endpoint has no secret: serve with --trust-local, or use IDENTITY_ENDPOINT and IDENTITY_HEADER"
            };
            return wrong(StatusCode::UNAUTHORIZED, why);
        }
        if !header && asked.sender.field("metadata") != Some("true") {
            return wrong(StatusCode::BAD_REQUEST, "the header field Metadata: true is missing");
        }
        let Some(resource) = parameter(asked.query, "resource").filter(|resource| !resource.is_empty()) else {
            return wrong(StatusCode::BAD_REQUEST, "there is no resource in the query");
        };
        let client = parameter(asked.query, "client_id").unwrap_or_else(|| "managed-identity".to_owned());
        json_of(StatusCode::OK, &self.issuer.answer(&client, &resource, &asked.base, (self.settings.clock)()))
    }
}

fn method(method: &HttpMethod) -> Option<Method> {
    Some(match method.as_str() {
        "GET" => Method::Get,
        "HEAD" => Method::Head,
        "PUT" => Method::Put,
        "PATCH" => Method::Patch,
        "POST" => Method::Post,
        "DELETE" => Method::Delete,
        _ => return None,
    })
}

/// What links to here begin with: as the sender wrote it.
fn base(fields: &HeaderMap, secure: bool) -> String {
    let host = fields.get(header::HOST).and_then(|host| host.to_str().ok());
    let host =
        host.filter(|host| !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-.:[]".contains(c)));
    format!("{}://{}", if secure { "https" } else { "http" }, host.unwrap_or("localhost"))
}

fn response(reply: Reply, method: &HttpMethod) -> Response {
    let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = match &reply.body {
        Some(body) if method != HttpMethod::HEAD => json_of(status, body),
        _ => status.into_response(),
    };
    for (name, value) in reply.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_str(&value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

fn refusal(status: StatusCode, code: &'static str, message: &str) -> Response {
    let mut response = json_of(status, &json!({ "error": { "code": code, "message": message } }));
    response.headers_mut().insert("x-ms-error-code", HeaderValue::from_static(code));
    response
}

fn json_of(status: StatusCode, body: &Json) -> Response {
    let fields = [
        (header::CONTENT_TYPE, "application/json; charset=utf-8"),
        // Keys and tokens are among the answers.
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, fields, body.to_string()).into_response()
}
