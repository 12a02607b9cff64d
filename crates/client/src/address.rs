//! Where to connect: URLs and plain host names.

use std::net::Ipv6Addr;

use crate::error::AddressError;

/// Ports that the standards registry has for MQTT.
const TLS_PORT: u16 = 8883;
const PLAIN_PORT: u16 = 1883;

/// A server's address, with what the URL said of the user.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) tls: bool,
    /// Without brackets, if it is an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Vec<u8>>,
}

/// The password stays out of logs.
impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Address({} tls: {})", self.shown(), self.tls)
    }
}

impl Address {
    /// Reads `mqtts://host:port`, `mqtt://host:port`, `host:port` or `host`; without a scheme TLS is meant. IPv6
    /// addresses stand in brackets where a port follows.
    pub(crate) fn parse(text: &str) -> Result<Self, AddressError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("mqtts", text));
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "mqtts" => true,
            "mqtt" => false,
            "ws" | "wss" | "unix" => return Err(AddressError::NotInThisVersion { scheme: scheme.to_owned() }),
            _ => return Err(AddressError::UnknownScheme { scheme: scheme.to_owned() }),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end).unwrap_or((rest, ""));
        if !matches!(path, "" | "/") {
            return Err(AddressError::Path { path: path.to_owned() });
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let (host, port) = host_and_port(host)?;
        let (username, password) =
            match user.map(|user| user.split_once(':').map_or((user, None), |(u, p)| (u, Some(p)))) {
                None => (None, None),
                Some((username, password)) => {
                    (Some(percent_decoded(username)?), password.map(percent_decoded).transpose()?)
                }
            };
        let username = username.map(String::from_utf8).transpose().map_err(|_| AddressError::UsernameNotUtf8)?;
        let port = port.unwrap_or(if tls { TLS_PORT } else { PLAIN_PORT });
        Ok(Self { tls, host: host.to_owned(), port, username, password })
    }

    /// `host:port`, for people.
    pub(crate) fn shown(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

fn host_and_port(text: &str) -> Result<(&str, Option<u16>), AddressError> {
    let (host, port) = if let Some(bracketed) = text.strip_prefix('[') {
        let (host, after) = bracketed.split_once(']').ok_or(AddressError::Brackets)?;
        host.parse::<Ipv6Addr>().map_err(|_| AddressError::Brackets)?;
        let port = match after {
            "" => None,
            _ => Some(after.strip_prefix(':').ok_or(AddressError::Brackets)?),
        };
        (host, port)
    } else if text.parse::<Ipv6Addr>().is_ok() {
        (text, None)
    } else {
        match text.split_once(':') {
            Some((_, port)) if port.contains(':') => return Err(AddressError::Brackets),
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        }
    };
    if host.is_empty() {
        return Err(AddressError::NoHost);
    }
    if let Some(bad) = host.chars().find(|c| c.is_whitespace() || c.is_control()) {
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
mod tests {
    use super::*;

    fn parts(text: &str) -> (bool, String, u16) {
        let address = Address::parse(text).unwrap();
        (address.tls, address.host, address.port)
    }

    #[test]
    fn every_form_is_read() {
        for (text, tls, host, port) in [
            ("mqtts://example.org:8883", true, "example.org", 8883),
            ("mqtts://example.org", true, "example.org", 8883),
            ("MQTT://example.org/", false, "example.org", 1883),
            ("mqtt://[::1]:1884", false, "::1", 1884),
            ("example.org", true, "example.org", 8883),
            ("example.org:443", true, "example.org", 443),
            ("::1", true, "::1", 8883),
            ("[::1]", true, "::1", 8883),
            ("10.0.0.1:1", true, "10.0.0.1", 1),
        ] {
            assert_eq!(parts(text), (tls, host.to_owned(), port), "{text}");
        }
    }

    #[test]
    fn user_information_is_percent_decoded_and_a_password_may_hold_colons() {
        let address = Address::parse("mqtts://us%40er%2F1:pa:ss%3aword%ff@host").unwrap();
        assert_eq!(address.username.as_deref(), Some("us@er/1"));
        assert_eq!(address.password.as_deref(), Some(&b"pa:ss:word\xff"[..]));
        let address = Address::parse("mqtt://user@host").unwrap();
        assert_eq!((address.username.as_deref(), address.password), (Some("user"), None));
    }

    #[test]
    fn what_cannot_be_used_is_told_apart() {
        for (text, expected) in [
            ("", AddressError::NoHost),
            ("mqtts://:8883", AddressError::NoHost),
            ("mqtts://host:0", AddressError::Port { port: "0".to_owned() }),
            ("mqtts://host:65536", AddressError::Port { port: "65536".to_owned() }),
            ("mqtts://host:", AddressError::Port { port: String::new() }),
            ("wss://host/mqtt", AddressError::NotInThisVersion { scheme: "wss".to_owned() }),
            ("ftp://host", AddressError::UnknownScheme { scheme: "ftp".to_owned() }),
            ("mqtts://host/topic", AddressError::Path { path: "/topic".to_owned() }),
            ("mqtts://[host]:1", AddressError::Brackets),
            ("mqtts://1::2:3:x", AddressError::Brackets),
            ("mqtts://ho st", AddressError::HostCharacter { character: ' ' }),
            ("mqtts://u%4:p@host", AddressError::PercentEncoding),
            ("mqtts://%ff@host", AddressError::UsernameNotUtf8),
        ] {
            assert_eq!(Address::parse(text).err(), Some(expected), "{text}");
        }
    }
}
