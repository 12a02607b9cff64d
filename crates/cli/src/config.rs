//! What `gridmq serve` is told: by a TOML file, over that by `GRIDMQ_*` variables, over those by flags.

mod est;
mod tls;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Failure;
use crate::files;

pub(crate) use est::Est;
pub(crate) use tls::Tls;

const MAX_BYTES: u64 = 1024 * 1024;
const MAX_WORKERS: u8 = 64;

/// Settings of one source. The file's names are the flags' names.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct Settings {
    /// The namespace's resources; without one the broker is open.
    pub(crate) namespace: Option<PathBuf>,
    /// The server's certificate chain, PEM.
    pub(crate) cert: Option<PathBuf>,
    /// Its private key, PEM.
    pub(crate) key: Option<PathBuf>,
    /// Where to listen with TLS.
    #[serde(default, deserialize_with = "one_or_more")]
    pub(crate) listen: Option<Vec<Address>>,
    /// Where to listen without.
    #[serde(default, deserialize_with = "one_or_more")]
    pub(crate) plain: Option<Vec<Address>>,
    /// Whether a user name on a plain loopback listener needs no proof.
    pub(crate) trust_plain: Option<bool>,
    /// Where the state is.
    pub(crate) data_dir: Option<PathBuf>,
    /// How many worker threads.
    #[serde(default, deserialize_with = "worker_count")]
    pub(crate) workers: Option<u8>,
    /// The log's filter.
    pub(crate) log: Option<String>,
    /// Enrolment of certificates.
    pub(crate) est: Option<Est>,
    /// How clients' certificates are checked.
    pub(crate) tls: Option<Tls>,
}

impl Settings {
    /// Reads a TOML file. Relative paths in it start at its directory.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_text(path, MAX_BYTES, "the configuration file")?;
        let mut settings: Self = toml::from_str(&text)
            .map_err(|error| Failure::failed(format!("{}: {}", files::shown(path), error.to_string().trim_end())))?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        let paths = [&mut settings.namespace, &mut settings.cert, &mut settings.key, &mut settings.data_dir];
        for path in paths.into_iter().flatten() {
            *path = base.join(&*path);
        }
        if let Some(est) = &mut settings.est {
            est.resolve(base);
        }
        if let Some(tls) = &mut settings.tls {
            tls.resolve(base);
        }
        Ok(settings)
    }

    /// These settings, and those of `below` where these say nothing.
    pub(crate) fn over(self, below: Self) -> Self {
        Self {
            namespace: self.namespace.or(below.namespace),
            cert: self.cert.or(below.cert),
            key: self.key.or(below.key),
            listen: self.listen.or(below.listen),
            plain: self.plain.or(below.plain),
            trust_plain: self.trust_plain.or(below.trust_plain),
            data_dir: self.data_dir.or(below.data_dir),
            workers: self.workers.or(below.workers),
            log: self.log.or(below.log),
            est: self.est.or(below.est),
            tls: self.tls.or(below.tls),
        }
    }
}

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

/// One address stands for a list of one.
#[derive(Deserialize)]
#[serde(untagged, expecting = "an address such as \"127.0.0.1:8883\" or \"0.0.0.0:8883\", a port, or a list of them")]
enum OneOrMore {
    One(Spelled),
    More(Vec<Spelled>),
}

fn one_or_more<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<Address>>, D::Error> {
    let spelled = match OneOrMore::deserialize(deserializer)? {
        OneOrMore::One(one) => vec![one],
        OneOrMore::More(more) => more,
    };
    let addresses = spelled.into_iter().map(Address::try_from).collect::<Result<_, _>>();
    addresses.map(Some).map_err(serde::de::Error::custom)
}

fn worker_count<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let count = i64::deserialize(deserializer)?;
    workers(&count.to_string()).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a number of worker threads.
pub(crate) fn workers(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|count| (1..=MAX_WORKERS).contains(count)).ok_or_else(|| {
        format!("expected a whole number from 1 to {MAX_WORKERS}; without the option there is one for each core")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_nearer_to_the_command_line_wins() {
        let file: Settings =
            toml::from_str("cert = 'file.pem'\nkey = 'file.key'\nworkers = 2\ntrust-plain = true").unwrap();
        let flags = Settings { cert: Some("flag.pem".into()), trust_plain: Some(false), ..Settings::default() };
        let expected = Settings {
            cert: Some("flag.pem".into()),
            key: Some("file.key".into()),
            workers: Some(2),
            trust_plain: Some(false),
            ..Settings::default()
        };
        assert_eq!(flags.over(file), expected);
    }

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

    #[test]
    fn unknown_names_and_wrong_values_are_refused() {
        for text in ["certs = 'a'", "workers = 300", "workers = 0", "listen = 88833", "listen = ['nowhere']"] {
            assert!(toml::from_str::<Settings>(text).is_err(), "{text}");
        }
    }

    #[test]
    fn paths_in_a_file_start_at_the_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("gridmq.toml");
        std::fs::write(&path, "cert = 'server.pem'\nkey = '/keys/server.key'").unwrap();
        let settings = Settings::read(&path).unwrap();
        assert_eq!(settings.cert, Some(dir.path().join("server.pem")));
        assert_eq!(settings.key, Some("/keys/server.key".into()));
    }
}
