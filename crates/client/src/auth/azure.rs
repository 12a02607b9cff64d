//! Tokens of an Azure managed identity.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use gridmq_tls::{ClientConfig, Trust};
use http_body_util::Full;
use hyper::Request;
use hyper::header::{AUTHORIZATION, HOST, HeaderName, WWW_AUTHENTICATE};
use zeroize::Zeroizing;

use super::client_secret::{hidden, shown};
use super::token::{Token, TokenSource, read_text};
use super::{BoxFuture, answer};
use crate::error::{AuthError, AuthErrorKind};
use crate::http::{Call, Received, Url};

const RESOURCE: &str = "https://eventgrid.azure.net/";
const METADATA_SERVICE: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const TIMEOUT: Duration = Duration::from_secs(10);
/// The longest key file of the Azure Arc agent, in bytes.
const MAX_KEY: usize = 4096;

const METADATA: HeaderName = HeaderName::from_static("metadata");
const IDENTITY_HEADER: HeaderName = HeaderName::from_static("x-identity-header");

#[cfg(windows)]
const ARC_TOKENS: &str = r"C:\ProgramData\AzureConnectedMachineAgent\Tokens";
#[cfg(not(windows))]
const ARC_TOKENS: &str = "/var/opt/azcmagent/tokens";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Host {
    /// App Service, Functions, Container Apps.
    AppService,
    /// A server with the Azure Arc agent.
    Arc,
    /// A virtual machine.
    Machine,
}

/// Tokens of the managed identity of the host that this program runs on, for Event Grid unless another resource is
/// named. They come from an endpoint on that host, so that no secret is configured:
///
/// | host | endpoint | documentation |
/// |---|---|---|
/// | App Service, Functions, Container Apps | `IDENTITY_ENDPOINT`, version 2019-08-01, with `IDENTITY_HEADER` | [App Service] |
/// | a server with the Azure Arc agent | `IDENTITY_ENDPOINT`, version 2020-06-01, which wants a key from a file of the agent | [Arc] |
/// | a virtual machine | the instance metadata service at 169.254.169.254, version 2018-02-01 | [virtual machines] |
///
/// Nothing is asked of the network beyond the host: without TLS, an endpoint has to be a loopback or link-local address.
/// An answer has 64 KiB and 10 s.
///
/// ```no_run
/// use std::sync::Arc;
///
/// use gridmq_client::Options;
/// use gridmq_client::auth::{AzureIdentity, JwtAuthenticator};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Options::event_grid("contoso.westus3-1.ts.eventgrid.azure.net")
///     .authenticator(Arc::new(JwtAuthenticator::oauth2(AzureIdentity::from_env()?)))
///     .client_id("job1")
///     .connect()
///     .await?;
/// # Ok(())
/// # }
/// ```
///
/// [App Service]: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
/// [Arc]: https://learn.microsoft.com/azure/azure-arc/servers/managed-identity-authentication
/// [virtual machines]: https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
#[derive(Clone)]
#[must_use]
pub struct AzureIdentity {
    host: Host,
    endpoint: String,
    header: Option<Zeroizing<String>>,
    resource: String,
    client_id: Option<String>,
    arc_tokens: PathBuf,
    trust: Option<Trust>,
    timeout: Duration,
}

impl AzureIdentity {
    /// The host as its environment tells it: with `IDENTITY_ENDPOINT` and `IDENTITY_HEADER` App Service, with the
    /// former and `IMDS_ENDPOINT` Azure Arc, with none of them a virtual machine.
    ///
    /// # Errors
    /// When `IDENTITY_ENDPOINT` is there, and neither of the others.
    pub fn from_env() -> Result<Self, AuthError> {
        Self::from_variables(|name| std::env::var(name).ok())
    }

    /// As [`from_env`](Self::from_env), from an environment given as a function.
    ///
    /// # Errors
    /// As there.
    pub fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Result<Self, AuthError> {
        let variable = |name| variable(name).filter(|value: &String| !value.is_empty());
        let header = variable("IDENTITY_HEADER").map(Zeroizing::new);
        match (variable("IDENTITY_ENDPOINT"), header, variable("IMDS_ENDPOINT")) {
            (Some(endpoint), Some(header), _) => Ok(Self::app_service(endpoint, &*header)),
            (Some(endpoint), None, Some(_)) => Ok(Self::arc(endpoint)),
            (Some(_), None, None) => Err(AuthError::new(
                "the variable IDENTITY_HEADER, which belongs to IDENTITY_ENDPOINT",
                AuthErrorKind::Variable,
            )),
            (None, ..) => Ok(Self::virtual_machine()),
        }
    }

    /// App Service, Functions or Container Apps: the endpoint, and the value that it wants to see.
    pub fn app_service(endpoint: impl Into<String>, header: impl Into<String>) -> Self {
        Self::new(Host::AppService, endpoint.into(), Some(Zeroizing::new(header.into())))
    }

    /// A server with the Azure Arc agent. This program's user has to be in the group `himds` (on Windows `Hybrid Agent
    /// Extension Applications`) to read the agent's keys.
    pub fn arc(endpoint: impl Into<String>) -> Self {
        Self::new(Host::Arc, endpoint.into(), None)
    }

    /// A virtual machine, or a pod on one.
    pub fn virtual_machine() -> Self {
        Self::new(Host::Machine, METADATA_SERVICE.to_owned(), None)
    }

    fn new(host: Host, endpoint: String, header: Option<Zeroizing<String>>) -> Self {
        Self {
            host,
            endpoint,
            header,
            resource: RESOURCE.to_owned(),
            client_id: None,
            arc_tokens: ARC_TOKENS.into(),
            trust: None,
            timeout: TIMEOUT,
        }
    }

    /// For whom the tokens are; `https://eventgrid.azure.net/` unless set.
    pub fn resource(mut self, resource: impl Into<String>) -> Self {
        self.resource = resource.into();
        self
    }

    /// The user-assigned identity with that client id; the host's own one unless set. Azure Arc has none but that.
    pub fn client_id(mut self, client_id: impl Into<String>) -> Self {
        self.client_id = Some(client_id.into());
        self
    }

    /// Another address of the virtual machine's metadata service.
    pub fn endpoint(mut self, endpoint: impl Into<String>) -> Self {
        self.endpoint = endpoint.into();
        self
    }

    /// Another directory for the keys of the Azure Arc agent; no other file is ever read for it.
    pub fn arc_tokens(mut self, directory: impl Into<PathBuf>) -> Self {
        self.arc_tokens = directory.into();
        self
    }

    /// Whom to believe about an endpoint with TLS.
    pub fn trust(mut self, trust: Trust) -> Self {
        self.trust = Some(trust);
        self
    }

    /// How long a request may take; 10 s unless set.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn ask(&self) -> Result<Token, AuthErrorKind> {
        let url = Url::parse(&self.endpoint).map_err(AuthErrorKind::Url)?;
        let tls = match url.tls {
            true => Some(super::client_secret::tls(self.trust.clone())?),
            false if is_near(&url) => None,
            false => return Err(AuthErrorKind::Url("without TLS it has to be on this host")),
        };
        let mut received = self.send(&url, tls.as_ref(), None).await?;
        if self.host == Host::Arc && received.status == 401 {
            let key = self.arc_key(&received).await?;
            received = self.send(&url, tls.as_ref(), Some(&key)).await?;
        }
        answer::token(&received)
    }

    async fn send(&self, url: &Url, tls: Option<&ClientConfig>, key: Option<&str>) -> Result<Received, AuthErrorKind> {
        let version = match self.host {
            Host::AppService => "2019-08-01",
            Host::Arc => "2020-06-01",
            Host::Machine => "2018-02-01",
        };
        let mut parameters = vec![("api-version", version), ("resource", self.resource.as_str())];
        if let Some(client_id) = &self.client_id {
            parameters.push(("client_id", client_id));
        }
        let mut request = Request::get(url.target(&parameters)).header(HOST, url.authority());
        match &self.header {
            Some(header) => request = request.header(IDENTITY_HEADER, hidden(header)?),
            None => request = request.header(METADATA, "true"),
        }
        if let Some(key) = key {
            request = request.header(AUTHORIZATION, hidden(&Zeroizing::new(format!("Basic {key}")))?);
        }
        let request = request.body(Full::new(Bytes::new())).map_err(|_| AuthErrorKind::Url("it is no URL"))?;
        let call = Call { host: &url.host, port: url.port, tls, time: self.timeout, bytes: answer::MAX_ANSWER };
        Ok(Box::pin(call.send(request)).await?)
    }

    /// The agent's proof that we may read its files: a key in one that its answer names.
    async fn arc_key(&self, received: &Received) -> Result<Zeroizing<String>, AuthErrorKind> {
        let named = received.field(WWW_AUTHENTICATE).and_then(|field| field.split_once("realm="));
        let path = named.map(|(_, path)| Path::new(path.trim().trim_matches('"')));
        let path = path.ok_or(AuthErrorKind::Answer("it names no key file of the Azure Arc agent"))?;
        // Whoever answers must not have us send it any file of this machine.
        let is_key = path.parent() == Some(&self.arc_tokens) && path.extension().is_some_and(|it| it == "key");
        if !is_key {
            return Err(AuthErrorKind::Answer("it names a file that is no key of the Azure Arc agent"));
        }
        read_text("the Azure Arc agent's key", path, MAX_KEY)
            .await
            .map_err(|error| AuthErrorKind::Application { error: error.into(), last: false })
    }
}

/// Whether it is on this machine or on its own link.
fn is_near(url: &Url) -> bool {
    url.is_local()
        || url.host.parse().is_ok_and(|address| match address {
            IpAddr::V4(address) => address.is_link_local(),
            IpAddr::V6(address) => address.is_unicast_link_local(),
        })
}

impl TokenSource for AzureIdentity {
    fn token(&self) -> BoxFuture<'_, Result<Token, AuthError>> {
        Box::pin(async {
            let from = || format!("Azure's identity endpoint {}", shown(&self.endpoint));
            self.ask().await.map_err(|kind| AuthError::new(from(), kind))
        })
    }
}

impl std::fmt::Debug for AzureIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AzureIdentity")
            .field("host", &self.host)
            .field("endpoint", &shown(&self.endpoint))
            .field("resource", &self.resource)
            .field("client_id", &self.client_id)
            .finish_non_exhaustive()
    }
}
