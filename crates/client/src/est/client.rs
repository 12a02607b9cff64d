//! The operations of EST.

use std::fmt;
use std::time::Duration;

use base64ct::{Base64, Encoding};
use bytes::Bytes;
use gridmq_tls::client::ConfigError;
use gridmq_tls::est::{
    Answer, CONTENT_TYPE_REQUEST, CertificateRequest, CsrAttributes, Enrolment, EnrolmentKey, Operation,
};
use gridmq_tls::{Certificate, ClientConfig, Identity, Trust};
use http_body_util::Full;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, HOST, HeaderValue, LOCATION, RETRY_AFTER, USER_AGENT};
use hyper::{Method, Request};
use zeroize::Zeroizing;

use super::error::{EstError, EstErrorKind};
use super::server::Server;
use super::transport;
use crate::clock::Clock;
use crate::http::{HttpError, Received};

const TIMEOUT: Duration = Duration::from_secs(30);

/// A client of one authority of one EST server. Cheap to clone; every operation is a connection of its own.
#[derive(Clone)]
pub struct EstClient {
    server: Server,
    trust: Trust,
    identity: Option<Identity>,
    authorization: Option<HeaderValue>,
    tls: ClientConfig,
    timeout: Duration,
}

impl EstClient {
    /// Starts a client of `https://host[:port][/label]`.
    pub fn builder(url: &str) -> EstClientBuilder {
        EstClientBuilder { url: url.to_owned(), trust: None, identity: None, user: None, timeout: TIMEOUT }
    }

    /// The certificates of the authority and of those above it (§4.1).
    ///
    /// # Errors
    /// When the server cannot be reached, refuses, or answers something else.
    pub async fn ca_certificates(&self) -> Result<Vec<Certificate>, EstError> {
        let operation = Operation::CaCerts;
        let received = self.ask(operation, None).await?;
        answer(&received).ca_certificates(now()).map_err(|error| self.error(operation, error.into()))
    }

    /// What the server wants to see in requests (§4.5); nothing where it has no wishes.
    ///
    /// # Errors
    /// As [`Self::ca_certificates`].
    pub async fn csr_attributes(&self) -> Result<CsrAttributes, EstError> {
        let operation = Operation::CsrAttrs;
        let received = self.ask(operation, None).await?;
        answer(&received).csr_attributes(now()).map_err(|error| self.error(operation, error.into()))
    }

    /// Asks for a certificate (§4.2.1), authenticated by user name and password, by the identity, or by both.
    ///
    /// # Errors
    /// As [`Self::ca_certificates`].
    pub async fn enroll(&self, request: &CertificateRequest) -> Result<Enrolment, EstError> {
        self.request(Operation::SimpleEnroll, request).await
    }

    /// Asks for a certificate in place of the identity's (§4.2.2), authenticated by it.
    ///
    /// # Errors
    /// When there is no identity, and as [`Self::ca_certificates`].
    pub async fn reenroll(&self, request: &CertificateRequest) -> Result<Enrolment, EstError> {
        if self.identity.is_none() {
            return Err(self.error(Operation::SimpleReenroll, EstErrorKind::NoIdentity));
        }
        self.request(Operation::SimpleReenroll, request).await
    }

    /// Makes the identity of a granted request, after every check of
    /// [`Enrolled::into_identity`](gridmq_tls::est::Enrolled::into_identity) against the server's own authorities.
    ///
    /// # Errors
    /// When the authorities cannot be had, or the certificate is not what was asked for.
    pub async fn accept(
        &self,
        granted: gridmq_tls::est::Enrolled,
        request: &CertificateRequest,
        key: &EnrolmentKey,
    ) -> Result<Identity, EstError> {
        let authorities = self.ca_certificates().await?;
        let previous = self.identity.as_ref().and_then(|identity| identity.chain().first());
        granted
            .into_identity(request, key, &authorities, previous, now())
            .map_err(|error| self.error(Operation::SimpleEnroll, error.into()))
    }

    /// The same client with another identity, or none.
    ///
    /// # Errors
    /// When the configuration cannot be built.
    pub fn with_identity(&self, identity: Option<Identity>) -> Result<Self, EstError> {
        let tls =
            tls(&self.trust, identity.as_ref()).map_err(|error| self.error(Operation::SimpleReenroll, error.into()))?;
        Ok(Self { identity, tls, ..self.clone() })
    }

    /// Has it a user name and a password?
    #[must_use]
    pub const fn has_password(&self) -> bool {
        self.authorization.is_some()
    }

    pub(super) fn error(&self, operation: Operation, kind: EstErrorKind) -> EstError {
        EstError::new(self.server.authority(), operation, kind)
    }

    async fn request(&self, operation: Operation, request: &CertificateRequest) -> Result<Enrolment, EstError> {
        let received = self.ask(operation, Some(request.body())).await?;
        answer(&received).enrolled(now()).map_err(|error| self.error(operation, error.into()))
    }

    async fn ask(&self, operation: Operation, body: Option<String>) -> Result<Received, EstError> {
        let mut builder = Request::builder()
            .method(if body.is_some() { Method::POST } else { Method::GET })
            .uri(self.server.path(operation))
            .header(HOST, self.server.authority())
            .header(USER_AGENT, concat!("gridmq/", env!("CARGO_PKG_VERSION")));
        if body.is_some() {
            builder = builder.header(CONTENT_TYPE, CONTENT_TYPE_REQUEST);
            if let Some(authorization) = &self.authorization {
                builder = builder.header(AUTHORIZATION, authorization.clone());
            }
        }
        let request = builder
            .body(Full::new(Bytes::from(body.unwrap_or_default())))
            .map_err(|error| self.error(operation, EstErrorKind::Http(HttpError::Broken(error.to_string()))))?;
        let exchange = transport::exchange(&self.server, &self.tls, request, self.timeout);
        Box::pin(exchange).await.map_err(|kind| self.error(operation, kind))
    }
}

impl fmt::Debug for EstClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EstClient")
            .field("server", &self.server)
            .field("identity", &self.identity)
            .field("has_password", &self.has_password())
            .finish_non_exhaustive()
    }
}

/// Makes an [`EstClient`].
#[must_use]
pub struct EstClientBuilder {
    url: String,
    trust: Option<Trust>,
    identity: Option<Identity>,
    user: Option<(String, Zeroizing<Vec<u8>>)>,
    timeout: Duration,
}

impl EstClientBuilder {
    /// Believes these authorities about the server. Required.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// Proves this identity: one that the server issued before, or a bootstrap certificate that it accepts.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.identity = Some(identity);
        self
    }

    /// Sends user name and password with requests for certificates, inside TLS (RFC 7617).
    pub fn password(mut self, user: &str, password: impl Into<Vec<u8>>) -> Self {
        self.user = Some((user.to_owned(), Zeroizing::new(password.into())));
        self
    }

    /// How long an operation may take, from the name to the last byte; 30 seconds unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Builds the client. Nothing is sent yet.
    ///
    /// # Errors
    /// When the address is none, trust is missing, or an option cannot be used.
    pub fn build(self) -> Result<EstClient, EstErrorKind> {
        let server = Server::parse(&self.url)?;
        let trust = self.trust.ok_or(ConfigError::NoTrust)?;
        let authorization = self.user.map(|(user, password)| basic(&user, &password)).transpose()?;
        let tls = tls(&trust, self.identity.as_ref())?;
        Ok(EstClient { server, trust, identity: self.identity, authorization, tls, timeout: self.timeout })
    }
}

impl fmt::Debug for EstClientBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EstClientBuilder").field("identity", &self.identity).finish_non_exhaustive()
    }
}

fn answer(received: &Received) -> Answer<'_> {
    Answer::new(received.status, &received.body)
        .content_type(received.field(CONTENT_TYPE).unwrap_or_default())
        .retry_after(received.field(RETRY_AFTER))
        .location(received.field(LOCATION))
}

fn tls(trust: &Trust, identity: Option<&Identity>) -> Result<ClientConfig, ConfigError> {
    let builder = ClientConfig::builder().trust(trust.clone()).alpn(["http/1.1"]);
    match identity {
        Some(identity) => builder.identity(identity.clone()).build(),
        None => builder.build(),
    }
}

fn basic(user: &str, password: &[u8]) -> Result<HeaderValue, EstErrorKind> {
    if user.contains(|c: char| c == ':' || c.is_control()) || password.iter().any(u8::is_ascii_control) {
        return Err(EstErrorKind::BadUser);
    }
    let plain = Zeroizing::new([user.as_bytes(), b":", password].concat());
    let encoded = Zeroizing::new(Base64::encode_string(&plain));
    let mut value = HeaderValue::try_from(format!("Basic {}", encoded.as_str())).map_err(|_| EstErrorKind::BadUser)?;
    value.set_sensitive(true);
    Ok(value)
}

/// Seconds since 1970.
pub(super) fn now() -> u64 {
    millis() / 1000
}

/// Milliseconds since 1970.
pub(super) fn millis() -> u64 {
    Clock::start().now().wall.as_millis()
}
