//! Where to connect: URLs and plain host names.

use std::net::Ipv6Addr;

use zeroize::Zeroizing;

use crate::error::AddressError;

/// Ports that the standards registry has for MQTT.
const TLS_PORT: u16 = 8883;
const PLAIN_PORT: u16 = 1883;
/// Ports of HTTP, and so of WebSocket (RFC 6455 §3).
pub(crate) const WSS_PORT: u16 = 443;
pub(crate) const WS_PORT: u16 = 80;
/// Where servers have MQTT over WebSocket when nothing else is said.
const DEFAULT_PATH: &str = "/mqtt";

const KNOWN: &str = "mqtts:// or wss:// (TLS), mqtt:// or ws:// (plain), or unix://";
#[cfg(not(feature = "tls"))]
pub(crate) const NEEDS_TLS: &str = "the feature tls of gridmq-client: build with it, or connect to mqtt://";
pub(crate) const NEEDS_WEBSOCKET: &str =
    "the feature websocket of gridmq-client: build with it, or connect to mqtts:// or mqtt://";
/// In place of what may be a password, or a piece of one.
const HIDDEN: &str = "(not shown)";
const NEEDS_UNIX: &str = "a Unix system: connect to mqtts:// or mqtt:// here";

/// What carries MQTT, or TLS under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Carrier {
    Tcp,
    /// With the path and query to ask for.
    WebSocket {
        path: String,
    },
    /// A Unix socket; its path is the host.
    Unix,
}

/// A server's address, with what the URL said of the user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    pub(crate) carrier: Carrier,
    /// Without brackets, if it is an IPv6 address; with its zone behind a `%`, if it has one. A Unix socket's path.
    pub(crate) host: String,
    /// 0 for a Unix socket.
    pub(crate) port: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Zeroizing<Vec<u8>>>,
}

/// The password stays out of logs, and so does a query, which may be a signature.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let carrier = match &self.carrier {
            Carrier::Tcp => "TCP",
            Carrier::Unix => "Unix socket",
            Carrier::WebSocket { path } => path.split('?').next().unwrap_or_default(),
        };
        write!(f, "Address({} {carrier} tls: {})", self.shown(), self.tls)
    }
}

impl Address {
    /// Reads `mqtts://host:port`, `mqtt://host:port`, `wss://host:port/path`, `ws://host:port/path`,
    /// `unix:///path`, `host:port` or `host`; without a scheme TLS is meant. `tls` and `ssl` are other names for
    /// `mqtts`, `tcp` is one for `mqtt`. IPv6 addresses stand in brackets where a port follows.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("mqtts", text));
        Self::read(scheme, rest).map_err(|error| discreet(error, rest))
    }

    fn read(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        let (tls, websocket) = match scheme.to_ascii_lowercase().as_str() {
            "mqtts" | "tls" | "ssl" => (true, false),
            "mqtt" | "tcp" => (false, false),
            "wss" => (true, true),
            "ws" => (false, true),
            "unix" => return Self::unix(scheme, rest),
            _ => return Err(unknown_scheme(scheme, KNOWN)),
        };
        if websocket && !cfg!(feature = "websocket") {
            return Err(AddressError::NotInThisBuild { scheme: scheme.to_owned(), needs: NEEDS_WEBSOCKET });
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !authority.contains('@') && is_rest_of_user(authority, path) {
            return Err(AddressError::UserInformation);
        }
        let carrier = match (websocket, path) {
            (true, _) => Carrier::WebSocket { path: websocket_path(path)? },
            (false, "" | "/") => Carrier::Tcp,
            (false, _) => return Err(AddressError::Path { path: path.to_owned() }),
        };
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host)?;
        let (username, password) = credentials(user)?;
        let port = port.unwrap_or(match (websocket, tls) {
            (true, true) => WSS_PORT,
            (true, false) => WS_PORT,
            (false, true) => TLS_PORT,
            (false, false) => PLAIN_PORT,
        });
        Ok(Self { tls, carrier, host, port, username, password })
    }

    /// `unix:///path`, or `unix://user:password@/path`.
    fn unix(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        if !cfg!(unix) {
            return Err(AddressError::NotInThisBuild { scheme: scheme.to_owned(), needs: NEEDS_UNIX });
        }
        let bad = || AddressError::SocketPath { path: rest.to_owned() };
        let (authority, path) = rest.split_at_checked(rest.find('/').ok_or_else(bad)?).ok_or_else(bad)?;
        let user = match authority.strip_suffix('@') {
            Some(user) => Some(user),
            None if authority.is_empty() => None,
            None if path.contains('@') => return Err(AddressError::UserInformation),
            None => return Err(bad()),
        };
        let (username, password) = credentials(user)?;
        let host = String::from_utf8(percent_decoded(path)?).map_err(|_| bad())?;
        if !is_socket_path(&host) {
            return Err(AddressError::SocketPath { path: host });
        }
        Ok(Self { tls: false, carrier: Carrier::Unix, host, port: 0, username, password })
    }

    /// `host:port`, for people; a Unix socket's path.
    pub(crate) fn shown(&self) -> String {
        match self.carrier {
            Carrier::Unix => self.host.clone(),
            _ => shown(&self.host, self.port),
        }
    }

    /// The name that TLS expects of the server: a zone is this machine's affair.
    #[cfg(any(feature = "tls", test))]
    pub(crate) fn server_name(&self) -> &str {
        without_zone(&self.host)
    }
}

/// The error without what may be a piece of a password, if there can be one in the text that was being read: a host that
/// was forgotten, or a character that was not percent-encoded, puts it where something else is looked for.
pub(crate) fn discreet(error: AddressError, text: &str) -> AddressError {
    let hidden = || HIDDEN.to_owned();
    let may = text.contains([':', '@', '?', '=']);
    match error {
        AddressError::Path { .. } if may => AddressError::Path { path: hidden() },
        AddressError::PathCharacter { .. } if may => AddressError::PathCharacter { path: hidden() },
        AddressError::SocketPath { .. } if may => AddressError::SocketPath { path: hidden() },
        // Numbers near those of ports tell what is wrong with them.
        AddressError::Port { port } if port.len() > 5 || !port.bytes().all(|byte| byte.is_ascii_digit()) => {
            AddressError::Port { port: hidden() }
        }
        other => other,
    }
}

/// What was hidden has no words of its own.
pub(crate) fn standing(text: &str, otherwise: &str) -> String {
    if text == HIDDEN { otherwise.to_owned() } else { format!("{text:?}") }
}

/// Names a scheme only where it is one (RFC 3986 §3.1).
pub(crate) fn unknown_scheme(scheme: &str, known: &'static str) -> AddressError {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    let scheme = if scheme.bytes().all(plain) { scheme } else { HIDDEN };
    AddressError::UnknownScheme { scheme: scheme.to_owned(), known }
}

/// Whether a path and query are the rest of a user name or password with a `/`, `?` or `#` in it: there is an `@` that
/// is in no value of a query, or one that has what looks like a password before it and a path behind it.
fn is_rest_of_user(authority: &str, path: &str) -> bool {
    let Some((before, behind)) = path.split_once('@') else { return false };
    match before.split_once('?') {
        Some((way, query)) if query.contains('=') => {
            authority.contains(':') && (way.is_empty() || behind.contains('/'))
        }
        _ => true,
    }
}

/// `host:port` as in a URL.
pub(crate) fn shown(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

/// An IPv6 address without its zone.
pub(crate) fn without_zone(host: &str) -> &str {
    match host.split_once('%') {
        Some((address, _)) if address.contains(':') => address,
        _ => host,
    }
}

#[cfg(unix)]
fn is_socket_path(path: &str) -> bool {
    path.len() > 1 && std::os::unix::net::SocketAddr::from_pathname(path).is_ok()
}

#[cfg(not(unix))]
const fn is_socket_path(_: &str) -> bool {
    false
}

/// What is asked for in the upgrade: path and query, in a URL's characters (RFC 3986 §3.3, §3.4).
pub(crate) fn websocket_path(path: &str) -> Result<String, AddressError> {
    let plain = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`');
    match path {
        "" => Ok(DEFAULT_PATH.to_owned()),
        _ if path.bytes().all(plain) && path.starts_with('?') => Ok(format!("/{path}")),
        _ if path.bytes().all(plain) && path.starts_with('/') => Ok(path.to_owned()),
        _ => Err(discreet(AddressError::PathCharacter { path: path.to_owned() }, path)),
    }
}

type Credentials = (Option<String>, Option<Zeroizing<Vec<u8>>>);

/// `user` or `user:password`, percent-decoded; only the first colon divides (RFC 3986 §3.2.1).
pub(crate) fn credentials(user: Option<&str>) -> Result<Credentials, AddressError> {
    let Some(user) = user else { return Ok((None, None)) };
    let (username, password) = user.split_once(':').map_or((user, None), |(user, password)| (user, Some(password)));
    let username = String::from_utf8(percent_decoded(username)?).map_err(|_| AddressError::UsernameNotUtf8)?;
    Ok((Some(username), password.map(percent_decoded).transpose()?.map(Zeroizing::new)))
}

pub(crate) fn host_and_port(text: &str) -> Result<(String, Option<u16>), AddressError> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(AddressError::Brackets)?;
        let host = ipv6(host).ok_or(AddressError::Brackets)?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or(AddressError::Brackets)?),
        };
        (host, port)
    } else if let Some(host) = ipv6(text) {
        (host, None)
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(AddressError::Brackets),
            Some((host, port)) => (host.to_owned(), Some(port)),
            None => (text.to_owned(), None),
        }
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    let bad = |c: &char| c.is_whitespace() || c.is_control() || matches!(c, '@' | '\\' | '[' | ']' | '"' | '<' | '>');
    if let Some(bad) = host.chars().find(bad) {
        return Err(AddressError::HostCharacter { character: bad });
    }
    let port = match port {
        None => None,
        Some(port) => match port.parse::<u16>() {
            Ok(port) if port != 0 => Some(port),
            _ => return Err(AddressError::Port { port: port.to_owned() }),
        },
    };
    Ok((host, port))
}

/// An IPv6 address, with its zone as the system takes it: behind a `%`, which a URL writes `%25` (RFC 6874 §2).
fn ipv6(text: &str) -> Option<String> {
    let (address, zone) = match text.split_once('%') {
        Some((address, zone)) => {
            (address, Some(zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone)))
        }
        None => (text, None),
    };
    address.parse::<Ipv6Addr>().ok()?;
    match zone {
        None => Some(address.to_owned()),
        Some(zone) => {
            let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
            (!zone.is_empty() && zone.bytes().all(plain)).then(|| format!("{address}%{zone}"))
        }
    }
}

fn percent_decoded(text: &str) -> Result<Vec<u8>, AddressError> {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit =
            || bytes.next().and_then(|byte| char::from(byte).to_digit(16)).ok_or(AddressError::PercentEncoding);
        let value = digit()? * 16 + digit()?;
        decoded.push(u8::try_from(value).map_err(|_| AddressError::PercentEncoding)?);
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests;
