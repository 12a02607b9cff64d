//! The names by which a server's certificates are chosen.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::identity::Identity;

/// A host name that clients ask for (SNI, RFC 6066 section 3): `mqtt.example.com`, or `*.example.com` for every name
/// with one more label.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPattern {
    /// In lower case; of a wildcard, what is behind the first dot.
    name: String,
    wildcard: bool,
}

/// Why a text is no host name. The operator's to mend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{text}' is not a host name that clients can ask for: write mqtt.example.com or *.example.com, ASCII only (xn--…), \
     and no IP address"
)]
pub struct HostPatternError {
    text: String,
}

impl FromStr for HostPattern {
    type Err = HostPatternError;

    fn from_str(text: &str) -> Result<Self, HostPatternError> {
        let lower = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
        let (name, wildcard) = match lower.strip_prefix("*.") {
            Some(parent) => (parent.to_owned(), true),
            None => (lower, false),
        };
        let label = |label: &str| {
            let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            (1..=63).contains(&label.len()) && label.bytes().all(good)
        };
        let address = name.parse::<std::net::IpAddr>().is_ok();
        if name.len() <= 253 && !address && name.split('.').all(label) {
            return Ok(Self { name, wildcard });
        }
        Err(HostPatternError { text: text.to_owned() })
    }
}

impl fmt::Display for HostPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.wildcard { "*." } else { "" })?;
        f.write_str(&self.name)
    }
}

/// Identities by the names that are asked for: an exact name before a wildcard, and a default.
pub(super) struct ByName {
    default: Identity,
    exact: HashMap<String, Identity>,
    /// By what is behind the first dot.
    wildcard: HashMap<String, Identity>,
}

impl ByName {
    pub(super) fn new(default: Identity, named: impl IntoIterator<Item = (HostPattern, Identity)>) -> Self {
        let mut names = Self { default, exact: HashMap::new(), wildcard: HashMap::new() };
        for (HostPattern { name, wildcard }, identity) in named {
            let map = if wildcard { &mut names.wildcard } else { &mut names.exact };
            map.insert(name, identity);
        }
        names
    }

    pub(super) fn default(&self) -> &Identity {
        &self.default
    }

    /// Whom to prove to who asks for that name.
    pub(super) fn choose(&self, asked: Option<&str>) -> &Identity {
        let Some(asked) = asked.filter(|_| !(self.exact.is_empty() && self.wildcard.is_empty())) else {
            return &self.default;
        };
        let asked = asked.to_ascii_lowercase();
        let wildcard = || asked.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
        self.exact.get(&asked).or_else(wildcard).unwrap_or(&self.default)
    }
}

/// Keys are not shown.
impl fmt::Debug for ByName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ByName")
            .field("default", &self.default)
            .field("exact", &self.exact.keys())
            .finish_non_exhaustive()
    }
}

/// What the TLS stack asks.
#[derive(Debug)]
pub(super) struct Resolver(pub(super) Arc<ByName>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.choose(hello.server_name()).certified_key())
    }
}

#[cfg(test)]
mod tests {
    use super::HostPattern;

    #[test]
    fn host_names_are_names_and_nothing_else() {
        for (text, shown) in [
            ("mqtt.example.com", "mqtt.example.com"),
            ("MQTT.Example.COM.", "mqtt.example.com"),
            ("*.example.com", "*.example.com"),
            ("localhost", "localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ] {
            assert_eq!(text.parse::<HostPattern>().unwrap().to_string(), shown);
        }
        for text in ["", "*", "*.", "a.*.b", "*a.b", "192.0.2.1", "::1", "bücher.example", "a..b", "a b", "a:8883"] {
            assert!(text.parse::<HostPattern>().is_err(), "{text}");
        }
    }
}
