//! Proxies that a connection goes through.

mod connect;
mod socks5;

use std::fmt;
use std::net::IpAddr;
use std::pin::Pin;

#[cfg(feature = "tls")]
use gridmq_tls::ClientConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::lookup_host;
use zeroize::Zeroizing;

use super::http::{Head, HeadError, MAX_HEAD, ReadError};
use super::{AddressFamily, Transport, tcp};
use crate::address::{self, credentials, discreet, host_and_port, unknown_scheme};
use crate::error::{AddressError, ConnectErrorKind, ProxyError};
use crate::secure;
use socks5::{Host, Socks5};

const SOCKS_PORT: u16 = 1080;
/// The port of HTTP proxies has no standard; this is the commonest.
const HTTP_PORT: u16 = 8080;
const KNOWN: &str = "socks5:// or http:// for a proxy";
/// How many of the first bytes of a foreign answer are kept.
const MAX_START: usize = 16;

/// A proxy that leads to the server, under TLS and WebSocket: [`Options::proxy`](crate::Options::proxy).
///
/// ```
/// use gridmq_client::{Client, Proxy};
///
/// let proxy = Proxy::socks5("proxy.example:1080").credentials("user", "word");
/// let options = Client::builder("mqtts://broker.example").proxy(proxy);
/// # drop(options);
/// ```
#[derive(Clone)]
#[must_use]
pub struct Proxy {
    kind: Kind,
    address: Result<(String, u16), AddressError>,
    username: Option<String>,
    password: Zeroizing<Vec<u8>>,
    resolves_here: bool,
    #[cfg(feature = "tls")]
    tls: Option<ClientConfig>,
    /// Held, so that a program that makes no proxy does not carry it.
    ask: Ask,
}

/// What is asked of a proxy: a way to that host and port.
type Ask = for<'a> fn(&'a Proxy, Transport, &'a str, u16, AddressFamily) -> Asked<'a>;
type Asked<'a> = Pin<Box<dyn Future<Output = Result<Transport, ProxyError>> + Send + 'a>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Socks5,
    Http,
}

impl Proxy {
    /// A SOCKS5 proxy (RFC 1928) at `host:port`; port 1080 when none is given. It looks the server's name up.
    pub fn socks5(address: &str) -> Self {
        Self::new(Kind::Socks5, address)
    }

    /// An HTTP proxy that lets CONNECT through (RFC 9110 §9.3.6) at `host:port`; port 8080 when none is given. It looks
    /// the server's name up.
    pub fn http_connect(address: &str) -> Self {
        Self::new(Kind::Http, address)
    }

    /// `socks5://user:password@host:port`, or `http://…`; user name and password are percent-decoded. `socks5h` is
    /// another name for `socks5`: with both, the proxy looks the server's name up, unless
    /// [`resolve_locally`](Self::resolve_locally) says otherwise.
    pub fn from_url(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let (user, host) = match rest.strip_suffix('/').unwrap_or(rest).rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, rest.strip_suffix('/').unwrap_or(rest)),
        };
        let kind = match scheme.to_ascii_lowercase().as_str() {
            "socks5" | "socks5h" => Kind::Socks5,
            "http" => Kind::Http,
            _ => {
                return Self { address: Err(unknown_scheme(scheme, KNOWN)), ..Self::new(Kind::Http, "unknown") };
            }
        };
        let proxy = Self::new(kind, host);
        match credentials(user) {
            Ok((username, password)) => Self { username, password: password.unwrap_or_default(), ..proxy },
            Err(error) => Self { address: Err(error), ..proxy },
        }
    }

    fn new(kind: Kind, address: &str) -> Self {
        let default = if kind == Kind::Socks5 { SOCKS_PORT } else { HTTP_PORT };
        let read = match address.find(['/', '?', '#']) {
            Some(at) => Err(AddressError::Path { path: address.get(at..).unwrap_or_default().to_owned() }),
            None => host_and_port(address).map(|(host, port)| (host, port.unwrap_or(default))),
        };
        let address = read.map_err(|error| discreet(error, address));
        Self {
            kind,
            address,
            username: None,
            password: Zeroizing::default(),
            resolves_here: false,
            #[cfg(feature = "tls")]
            tls: None,
            ask: |proxy, io, host, port, family| Box::pin(proxy.negotiated(io, host, port, family)),
        }
    }

    /// User name and password: RFC 1929 with SOCKS5, where each has 255 bytes at most, Basic (RFC 7617) with HTTP, where
    /// the user name has no colon. Both are readable to who reads along, unless the proxy is reached
    /// [over TLS](Self::over_tls). Never shown in logs or errors.
    pub fn credentials(mut self, username: impl Into<String>, password: impl Into<Vec<u8>>) -> Self {
        self.username = Some(username.into());
        self.password = Zeroizing::new(password.into());
        self
    }

    /// The server's name is looked up on this machine, and the proxy gets an address. The first one that the system
    /// gives is used.
    pub const fn resolve_locally(mut self) -> Self {
        self.resolves_here = true;
        self
    }

    /// The proxy itself is reached over TLS, with this trust and identity; the server's TLS lies inside.
    #[cfg(feature = "tls")]
    pub fn over_tls(mut self, config: ClientConfig) -> Self {
        self.tls = Some(config);
        self
    }

    /// `host:port`, if the address could be read.
    pub(crate) fn shown(&self) -> Option<String> {
        self.address.as_ref().ok().map(|(host, port)| address::shown(host, *port))
    }

    pub(super) fn host_and_port(&self) -> Result<(&str, u16), &AddressError> {
        self.address.as_ref().map(|(host, port)| (host.as_str(), *port))
    }

    /// What can be wrong with it whatever the server.
    pub(super) fn check(&self) -> Result<(), ConnectErrorKind> {
        if let Err(error) = &self.address {
            return Err(ConnectErrorKind::Address(error.clone()));
        }
        let Some(username) = &self.username else { return Ok(()) };
        let problem = match self.kind {
            Kind::Socks5 if username.is_empty() || username.len() > 255 || self.password.len() > 255 => {
                "SOCKS5 takes user names of 1 to 255 bytes and passwords of 255 bytes at most"
            }
            Kind::Http if username.contains(':') => {
                "the user name has a colon, which Basic authentication cannot carry"
            }
            _ => return Ok(()),
        };
        Err(ConnectErrorKind::Option { option: "proxy", problem: problem.to_owned() })
    }

    /// Whether it can be asked for that server.
    pub(super) fn check_target(&self, host: &str) -> Result<(), ConnectErrorKind> {
        if self.kind == Kind::Socks5 && !self.resolves_here && host.len() > 255 {
            let problem = "the server's name is longer than the 255 bytes that SOCKS5 carries".to_owned();
            return Err(ConnectErrorKind::Option { option: "proxy", problem });
        }
        Ok(())
    }

    #[cfg(feature = "tls")]
    async fn secured(&self, io: Transport) -> Result<Transport, ProxyError> {
        let Some(config) = &self.tls else { return Ok(io) };
        let name = self.address.as_ref().map(|(host, _)| address::without_zone(host)).unwrap_or_default();
        let (io, _) = secure::connect(io, name, config).await.map_err(ProxyError::Tls)?;
        Ok(Box::new(io))
    }

    #[cfg(not(feature = "tls"))]
    async fn secured(&self, io: Transport) -> Result<Transport, ProxyError> {
        std::future::ready(Ok(io)).await
    }

    /// Asks for a way to the server over a stream to the proxy.
    pub(super) fn tunnel<'a>(&'a self, io: Transport, host: &'a str, port: u16, family: AddressFamily) -> Asked<'a> {
        (self.ask)(self, io, host, port, family)
    }

    async fn negotiated(
        &self,
        io: Transport,
        host: &str,
        port: u16,
        family: AddressFamily,
    ) -> Result<Transport, ProxyError> {
        let mut io = self.secured(io).await?;
        // A zone is this machine's affair.
        let host = address::without_zone(host);
        let host = match host.parse::<IpAddr>() {
            Ok(address) => Host::Address(address),
            Err(_) if self.resolves_here => Host::Address(resolved(host, port, family).await?),
            Err(_) => Host::Name(host),
        };
        match self.kind {
            Kind::Socks5 => {
                let credentials = self.username.as_ref().map(|username| (username.as_bytes(), &self.password[..]));
                negotiate(&mut io, Socks5::new(credentials, host, port)).await?;
            }
            Kind::Http => {
                let credentials = self.username.as_deref().map(|username| (username, &self.password[..]));
                write(&mut io, &Zeroizing::new(connect::request(host, port, credentials))).await?;
                connect::judge(&head(&mut io).await?)?;
            }
        }
        Ok(io)
    }
}

async fn resolved(host: &str, port: u16, family: AddressFamily) -> Result<IpAddr, ProxyError> {
    let found: Vec<_> = lookup_host((host, port)).await.map_err(ProxyError::Name)?.collect();
    let only_v4 = match family {
        AddressFamily::V4 => Some(true),
        AddressFamily::V6 => Some(false),
        _ => None,
    };
    let first = tcp::ordered(&found, family, only_v4).first().copied();
    first.map(|address| address.ip()).ok_or_else(|| {
        ProxyError::Name(std::io::Error::new(std::io::ErrorKind::NotFound, "it has no address of the family asked for"))
    })
}

/// Runs the negotiation of SOCKS5; what follows it is not touched.
async fn negotiate<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut IO, mut socks: Socks5<'_>) -> Result<(), ProxyError> {
    write(io, &socks.greeting()).await?;
    while let Some(wanted) = socks.wants() {
        let mut bytes = vec![0; wanted];
        match io.read_exact(&mut bytes).await {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Err(ProxyError::Closed),
            Err(error) => return Err(failed(error)),
        }
        if let Some(next) = socks.take(&bytes)?.map(Zeroizing::new) {
            write(io, &next).await?;
        }
    }
    Ok(())
}

/// The head of an HTTP proxy's answer. None of our protocols has a server that speaks first, so nothing follows it.
async fn head<IO: AsyncRead + Unpin>(io: &mut IO) -> Result<Head, ProxyError> {
    let mut buffer = Vec::new();
    match Head::read(io, &mut buffer).await {
        Ok(head) if (200..300).contains(&head.status) && !buffer.is_empty() => {
            Err(ProxyError::SpokeFirst(buffer.len()))
        }
        Ok(head) => Ok(head),
        Err(ReadError::Head(HeadError::NotHttp)) => {
            buffer.truncate(MAX_START);
            Err(ProxyError::Foreign { expected: "HTTP", start: buffer })
        }
        Err(ReadError::Head(HeadError::TooLong)) => Err(ProxyError::TooLong(MAX_HEAD)),
        Err(ReadError::Head(HeadError::Malformed(what))) => Err(ProxyError::Malformed(what)),
        Err(ReadError::Closed) => Err(ProxyError::Closed),
        Err(ReadError::Io(error)) => Err(failed(error)),
    }
}

async fn write<IO: AsyncWrite + Unpin>(io: &mut IO, bytes: &[u8]) -> Result<(), ProxyError> {
    io.write_all(bytes).await.map_err(failed)?;
    io.flush().await.map_err(failed)
}

/// A proxy that closes before it has read everything resets the connection.
fn failed(error: std::io::Error) -> ProxyError {
    use std::io::ErrorKind;
    match secure::from_io(&error) {
        Some(tls) => ProxyError::Tls(tls),
        None if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => ProxyError::Closed,
        None => ProxyError::Network(error),
    }
}

/// User name and password stay out of logs.
impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("address", &self.address)
            .field("credentials", &self.username.as_ref().map(|_| "(not shown)"))
            .field("resolves_here", &self.resolves_here)
            .finish()
    }
}

#[cfg(test)]
mod tests;
