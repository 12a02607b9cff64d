//! What a server presents. Nothing is verified, so that everything is seen.

use std::time::{Duration, Instant};

use gridmq_tls::Certificate;
use gridmq_tls::probe::{Probe, Settings};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Found;
use crate::error::{Failure, Outcome};

/// Ports of schemes that have one.
const PORTS: [(&str, Option<u16>); 6] = [
    ("mqtts", Some(8883)),
    ("ssl", Some(8883)),
    ("https", Some(443)),
    ("wss", Some(443)),
    ("tls", None),
    ("tcps", None),
];

pub(super) fn by(url: &str, patience: Duration) -> Result<Found, Failure> {
    let (host, port) = parse(url)?;
    let mut found = None;
    crate::commands::block_on(async {
        found = Some(ask(&host, port, patience).await?);
        Outcome::Ok(())
    })?;
    found.ok_or_else(|| Failure::failed(format!("{url}: nothing was learnt")))
}

async fn ask(host: &str, port: u16, patience: Duration) -> Result<Found, Failure> {
    let place = format!("{host}:{port}");
    let late = |_| Failure::failed(format!("{place} did not answer within {} s", patience.as_secs()));
    let io = timeout(patience, TcpStream::connect((host, port))).await.map_err(late)?.map_err(|error| {
        Failure::failed(format!("cannot connect to {place}: {error}; check host and port, and that the server runs"))
    })?;
    let mut probe = Probe::new(io, &Settings::new(host, Instant::now))?;
    let ended = timeout(patience, probe.handshake()).await;
    let seen = probe.seen();
    if seen.server_chain.is_empty() {
        ended.map_err(late)?;
        return Err(Failure::failed(format!(
            "{place} presented no certificate: is it a TLS port? gridmq doctor says more"
        )));
    }
    let mut certificates = Vec::with_capacity(seen.server_chain.len());
    for (at, der) in seen.server_chain.iter().enumerate() {
        let bad = |error| Failure::from(error).during(format!("certificate {} of {place}", at + 1));
        certificates.push(Certificate::from_der(der).map_err(bad)?);
    }
    let version = seen.version.map(|version| format!(" over {version}")).unwrap_or_default();
    Ok(Found { what: format!("{} presented{version}", certificates.len()), certificates })
}

/// Host and port of a URL.
fn parse(url: &str) -> Result<(String, u16), Failure> {
    let bad = || {
        Failure::usage(format!(
            "{url:?} is no URL of a TLS server: write mqtts://HOST, https://HOST or tls://HOST:PORT"
        ))
    };
    let (scheme, rest) = url.split_once("://").ok_or_else(bad)?;
    let (_, usual) = PORTS.iter().find(|(name, _)| name.eq_ignore_ascii_case(scheme)).ok_or_else(bad)?;
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let authority = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, rest)) => (host, rest.strip_prefix(':')),
        None => match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        },
    };
    let port = match port {
        Some(port) => Some(port.parse().map_err(|_| bad())?),
        None => *usual,
    };
    match (host.is_empty(), port) {
        (false, Some(port)) => Ok((host.to_owned(), port)),
        _ => Err(bad()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let parsed = |url| parse(url).ok();
        assert_eq!(parsed("mqtts://a.example"), Some(("a.example".to_owned(), 8883)));
        assert_eq!(parsed("https://user@a.example:8443/x?y"), Some(("a.example".to_owned(), 8443)));
        assert_eq!(parsed("tls://[::1]:1"), Some(("::1".to_owned(), 1)));
        for bad in ["tls://a", "mqtt://a", "mqtts://", "tls://a:b", "a:1"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
    }
}
