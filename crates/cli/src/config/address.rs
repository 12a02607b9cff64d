//! Where to listen, as it is written on the command line and in the file.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use serde::Deserialize;

use super::value::{Value, quoted};

/// Where to listen: `PORT` or `localhost:PORT` (both loopback addresses), or `IP:PORT`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address(Vec<SocketAddr>);

/// In TOML a port may be a number.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an address such as \"127.0.0.1:8883\", or a port")]
enum Spelled {
    Port(u16),
    Text(String),
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Spelled::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

/// One address stands for a list of one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an address such as \"127.0.0.1:8883\" or \"0.0.0.0:8883\", a port, or a list of them")]
enum OneOrMore {
    One(Spelled),
    More(Vec<Spelled>),
}

pub(super) fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Address>>, D::Error> {
    let spelled = match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    };
    let addresses = spelled.into_iter().map(Address::try_from).collect::<Result<_, _>>();
    addresses.map(Some).map_err(serde::de::Error::custom)
}

impl TryFrom<Spelled> for Address {
    type Error = String;

    fn try_from(spelled: Spelled) -> Result<Self, String> {
        match spelled {
            Spelled::Port(port) => Ok(Self::loopback(port)),
            Spelled::Text(text) => text.parse(),
        }
    }
}

impl Address {
    /// The port on 127.0.0.1, and on ::1 where this machine has that. Port 0, any free one, is taken on one only: which
    /// it is, is known too late for the other.
    pub(crate) fn loopback(port: u16) -> Self {
        let mut addresses = vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), port)];
        let six = IpAddr::from(Ipv6Addr::LOCALHOST);
        if port != 0 && TcpListener::bind((six, 0)).is_ok() {
            addresses.push(SocketAddr::new(six, port));
        }
        Self(addresses)
    }

    /// A port that is free now, on both loopback addresses where this machine has both. Another program may take it
    /// before it is used.
    pub(crate) fn free_loopback() -> Self {
        let free = |ip: IpAddr, port| TcpListener::bind((ip, port));
        for _ in 0..16 {
            let Ok(four) = free(Ipv4Addr::LOCALHOST.into(), 0) else { break };
            let Ok(address) = four.local_addr() else { break };
            if free(Ipv6Addr::LOCALHOST.into(), address.port()).is_ok() {
                return Self::loopback(address.port());
            }
        }
        Self::loopback(0)
    }

    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.0
    }
}

impl std::str::FromStr for Address {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Ok(address) = text.parse() {
            return Ok(Self(vec![address]));
        }
        text.strip_prefix("localhost:").unwrap_or(text).parse().map(Self::loopback).map_err(|_| {
            format!(
                "{text:?} is no listening address: write IP:PORT such as 0.0.0.0:8883 or [::]:8883, or a port alone \
                 for this machine only"
            )
        })
    }
}

impl Value for Address {
    fn shown(&self) -> Option<String> {
        self.0.first().map(quoted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Settings;

    #[test]
    fn addresses_are_ports_or_written_out() {
        for text in ["0.0.0.0:1", "[::]:2"] {
            assert_eq!(text.parse(), Ok(Address(vec![text.parse().unwrap()])));
        }
        assert_eq!("localhost:1883".parse(), Ok(Address::loopback(1883)));
        assert_eq!("1883".parse(), Ok(Address::loopback(1883)));
        for text in ["", "example.org:1", "127.0.0.1", "65536", ":1", "::1:1"] {
            assert!(text.parse::<Address>().is_err(), "{text}");
        }
        let settings: Settings = toml::from_str("listen = [8883, '127.0.0.1:0']").unwrap();
        assert_eq!(settings.listen, Some(vec![Address::loopback(8883), "127.0.0.1:0".parse().unwrap()]));
        let settings: Settings = toml::from_str("listen = 8883\nplain = '127.0.0.1:0'").unwrap();
        assert_eq!(settings.listen, Some(vec![Address::loopback(8883)]));
        assert_eq!(settings.plain, Some(vec!["127.0.0.1:0".parse().unwrap()]));
    }
}
