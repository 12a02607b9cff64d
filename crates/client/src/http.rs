//! One HTTP/1.1 exchange over one connection: no redirects, no proxy, no cookies.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use gridmq_tls::{ClientConfig, TlsError, explain};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{HeaderMap, HeaderName};
use hyper::{Request, Response, Uri};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use crate::auth::is_local;
use crate::transport::ByteStream;

/// How long one address of several may take.
const PER_ADDRESS: Duration = Duration::from_secs(3);
const MAX_ADDRESSES: usize = 8;
const MAX_FIELDS: usize = 100;
const MAX_FIELD_BYTES: usize = 64 * 1024;

/// Why an HTTP server gave no complete answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpError {
    /// The host name has no address.
    #[error("the host name cannot be looked up ({0}): check the name and this machine's DNS")]
    Name(#[source] io::Error),
    /// No address could be connected to.
    #[error("no connection ({0}): check host, port and firewalls")]
    Tcp(#[source] io::Error),
    /// The TLS handshake failed, or the server refused our certificate after it.
    #[error(transparent)]
    Tls(#[from] Box<TlsError>),
    /// Not done in time.
    #[error("not done within {} s: the server is down, stalls, or a firewall swallows packets", .after.as_secs_f32())]
    Timeout {
        /// How long it was waited.
        after: Duration,
    },
    /// What the server sends is not HTTP/1.1, or it went away.
    #[error("the HTTP exchange broke off ({0}): check the port, and the server's log")]
    Broken(String),
    /// The answer is longer than any that makes sense.
    #[error("the answer has more than {limit} bytes: check that this is the right address")]
    TooLarge {
        /// How many bytes are taken.
        limit: usize,
    },
}

/// A server, where to reach it, and how much of it is taken.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Call<'a> {
    /// Without brackets, if it is an IPv6 address.
    pub(crate) host: &'a str,
    pub(crate) port: u16,
    /// Absent: plain.
    pub(crate) tls: Option<&'a ClientConfig>,
    /// For all, from the name to the last byte.
    pub(crate) time: Duration,
    /// Of the answer's body.
    pub(crate) bytes: usize,
}

/// What came back, complete.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) status: u16,
    fields: HeaderMap,
    pub(crate) body: Bytes,
}

impl Received {
    pub(crate) fn field(&self, name: HeaderName) -> Option<&str> {
        self.fields.get(name)?.to_str().ok()
    }
}

impl Call<'_> {
    pub(crate) async fn send(self, request: Request<Full<Bytes>>) -> Result<Received, HttpError> {
        let all = async {
            let tcp = dial(self.host, self.port).await?;
            match self.tls {
                Some(tls) => {
                    let (stream, _) = gridmq_tls::stream::connect(tcp, self.host, tls).await.map_err(Box::new)?;
                    talk(stream, request, self.bytes).await
                }
                None => talk(tcp, request, self.bytes).await,
            }
        };
        timeout(self.time, all).await.unwrap_or(Err(HttpError::Timeout { after: self.time }))
    }
}

async fn talk(
    io: impl ByteStream + 'static,
    request: Request<Full<Bytes>>,
    limit: usize,
) -> Result<Received, HttpError> {
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(MAX_FIELDS)
        .max_buf_size(MAX_FIELD_BYTES)
        .handshake(TokioIo::new(io))
        .await
        .map_err(|error| broken(&error))?;
    let mut connection = pin!(connection);
    let mut answer = pin!(async {
        let response = sender.send_request(request).await.map_err(|error| broken(&error))?;
        receive(response, limit).await
    });
    let ended = tokio::select! {
        biased;
        answer = &mut answer => return answer,
        ended = &mut connection => ended,
    };
    // The connection knows better why it ended than a request that waits for it.
    match (answer.await, ended) {
        (Err(HttpError::Broken(_)), Err(error)) => Err(broken(&error)),
        (answer, _) => answer,
    }
}

async fn receive(response: Response<hyper::body::Incoming>, limit: usize) -> Result<Received, HttpError> {
    let (head, body) = response.into_parts();
    let body = Limited::new(body, limit).collect().await;
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => broken(&error),
        Err(error) if error.is::<LengthLimitError>() => HttpError::TooLarge { limit },
        Err(error) => HttpError::Broken(error.to_string()),
    })?;
    Ok(Received { status: head.status.as_u16(), fields: head.headers, body: body.to_bytes() })
}

/// The first address that answers, each in turn.
async fn dial(host: &str, port: u16) -> Result<TcpStream, HttpError> {
    let addresses = lookup_host((host, port)).await.map_err(HttpError::Name)?;
    let addresses: Vec<_> = addresses.take(MAX_ADDRESSES).collect();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (number, address) in addresses.iter().enumerate() {
        let opening = TcpStream::connect(address);
        let opened = if number + 1 == addresses.len() {
            opening.await
        } else {
            timeout(PER_ADDRESS, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        match opened {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(HttpError::Tcp)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(HttpError::Tcp(last))
}

/// TLS 1.3 servers refuse certificates after the handshake: the reason lies in the stream's error.
fn broken(error: &hyper::Error) -> HttpError {
    let mut source = error.source();
    let mut words = error.to_string();
    while let Some(cause) = source {
        if let Some(tls) = cause.downcast_ref::<io::Error>().and_then(explain::from_io) {
            return HttpError::Tls(Box::new(tls));
        }
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    HttpError::Broken(words)
}

/// An `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(not(feature = "tokens"), allow(dead_code, reason = "EST servers are named in another form"))]
pub(crate) struct Url {
    pub(crate) tls: bool,
    /// Without brackets, if it is an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// From the first `/` on.
    pub(crate) path: String,
    pub(crate) query: Option<String>,
}

#[cfg_attr(not(feature = "tokens"), allow(dead_code, reason = "EST servers are named in another form"))]
impl Url {
    /// # Errors
    /// What is wrong with it, without repeating any of it.
    pub(crate) fn parse(url: &str) -> Result<Self, &'static str> {
        let uri: Uri = url.parse().map_err(|_| "it is no URL")?;
        let tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err("it must begin with https://"),
        };
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err("user name and password are given apart, where logs do not see them");
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or("it names no host")?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = match authority_port(&uri) {
            None if tls => 443,
            None => 80,
            Some(_) => uri.port_u16().filter(|&port| port != 0).ok_or("its port is none: use 1 to 65535")?,
        };
        let query = uri.query().map(str::to_owned);
        Ok(Self { tls, host: host.to_owned(), port, path: uri.path().to_owned(), query })
    }

    /// As [`parse`](Self::parse); without TLS only to this machine.
    pub(crate) fn private(url: &str) -> Result<Self, &'static str> {
        let url = Self::parse(url)?;
        if url.tls || url.is_local() {
            Ok(url)
        } else {
            Err("a secret goes over TLS only: it must begin with https://")
        }
    }

    /// Whether it is on this machine.
    pub(crate) fn is_local(&self) -> bool {
        is_local(&self.host)
    }

    /// `host:port`, for people and for the field `Host`.
    pub(crate) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }

    /// Path and query, with these parameters added.
    pub(crate) fn target(&self, parameters: &[(&str, &str)]) -> String {
        let form = form(parameters);
        match (self.query.as_deref().unwrap_or_default(), form.as_str()) {
            ("", "") => self.path.clone(),
            ("", query) | (query, "") => format!("{}?{query}", self.path),
            (own, added) => format!("{}?{own}&{added}", self.path),
        }
    }
}

/// What stands behind the host's colon, if there is one: the parsed form leaves out what is no port.
pub(crate) fn authority_port(uri: &Uri) -> Option<&str> {
    let authority = uri.authority()?.as_str();
    let (_, behind) = authority.rsplit_once(']').unwrap_or(("", authority));
    behind.rsplit_once(':').map(|(_, port)| port)
}

/// Parameters as `application/x-www-form-urlencoded` has them. One of them may be a secret: no shorter copy stays behind
/// in memory.
#[cfg_attr(not(feature = "tokens"), allow(dead_code, reason = "EST has no forms"))]
pub(crate) fn form(parameters: &[(&str, &str)]) -> String {
    // Three characters for each at most, and two between.
    let length = parameters.iter().map(|(name, value)| 3 * (name.len() + value.len()) + 2).sum();
    let mut text = String::with_capacity(length);
    for (name, value) in parameters {
        if !text.is_empty() {
            text.push('&');
        }
        escape(&mut text, name);
        text.push('=');
        escape(&mut text, value);
    }
    text
}

/// Everything but the unreserved characters (RFC 3986 §2.3) in percent signs, which every decoder of forms understands.
#[cfg_attr(not(feature = "tokens"), allow(dead_code, reason = "EST has no forms"))]
pub(crate) fn escape(into: &mut String, text: &str) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    let digit = |value: u8| DIGITS.get(usize::from(value)).map_or('0', |&digit| char::from(digit));
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            into.push(char::from(byte));
        } else {
            into.extend(['%', digit(byte >> 4), digit(byte & 15)]);
        }
    }
}

#[cfg(all(test, feature = "tokens"))]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart_and_put_together() {
        let url = Url::parse("https://login.example/a/token").unwrap();
        assert_eq!((url.tls, url.port, url.authority().as_str()), (true, 443, "login.example:443"));
        assert_eq!(url.target(&[]), "/a/token");
        assert_eq!(url.target(&[("a b", "c&d/ü")]), "/a/token?a%20b=c%26d%2F%C3%BC");
        let url = Url::parse("http://[::1]:42356?x=1").unwrap();
        assert_eq!((url.tls, url.host.as_str(), url.authority().as_str()), (false, "::1", "[::1]:42356"));
        assert_eq!(url.target(&[("y", "2")]), "/?x=1&y=2");
        assert!(url.is_local());
    }

    #[test]
    fn a_secret_leaves_the_machine_over_tls_only() {
        for url in ["http://login.example/", "http://127.0.0.1.example/", "http://10.0.0.1/"] {
            assert!(Url::private(url).unwrap_err().contains("TLS"), "{url}");
        }
        for url in ["https://login.example/", "http://127.0.0.1:1/", "http://localhost/", "http://[::1]/"] {
            assert!(Url::private(url).is_ok(), "{url}");
        }
        for url in ["https://x:99999/", "https://x:/", "https://x:0/", "https://[::1]:99999/", "http://localhost:65536"]
        {
            assert!(Url::parse(url).is_err(), "{url}");
        }
        for url in ["", "login", "ftp://x/", "https://", "https://user:secret@x/"] {
            let why = Url::parse(url).unwrap_err();
            assert!(!why.contains("secret"), "{url}: {why}");
        }
    }
}
