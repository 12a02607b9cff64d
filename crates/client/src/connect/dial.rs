//! From a name to a TCP connection.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::Plan;
use crate::error::{Attempt, ConnectError, ConnectErrorKind, Stage};

/// How long an address may take before the next one is tried beside it (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Tries all addresses of the host, IPv6 and IPv4 in turn; the first that answers is taken.
pub(super) async fn dial(plan: &Plan, deadline: Instant) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let host = (plan.address.host.as_str(), plan.address.port);
    let addresses = match timeout_at(deadline, lookup_host(host)).await {
        Ok(Ok(addresses)) => interleaved(addresses),
        Ok(Err(error)) => return Err(plan.error(Stage::Name, ConnectErrorKind::Name(error))),
        Err(_) => return Err(plan.late(Stage::Name)),
    };
    if addresses.is_empty() {
        return Err(plan.error(Stage::Name, ConnectErrorKind::NoAddress));
    }
    let mut attempts: Vec<Attempt> = Vec::new();
    match timeout_at(deadline, race(addresses, &mut attempts)).await {
        Ok(Some(connected)) => Ok(connected),
        Ok(None) => Err(plan.error(Stage::Tcp, ConnectErrorKind::Tcp(attempts))),
        Err(_) => Err(plan.error(Stage::Tcp, ConnectErrorKind::Timeout { after: plan.connect_timeout, attempts })),
    }
}

/// The first connection that comes about; `attempts` tells what became of the others.
async fn race(addresses: Vec<SocketAddr>, attempts: &mut Vec<Attempt>) -> Option<(TcpStream, SocketAddr)> {
    let mut left = addresses.into_iter();
    let mut running = JoinSet::new();
    let mut start_next = true;
    loop {
        if std::mem::take(&mut start_next)
            && let Some(address) = left.next()
        {
            attempts.push(Attempt { address, error: None });
            running.spawn(async move { (address, open(address).await) });
        }
        let waits_for_more = left.len() != 0;
        tokio::select! {
            ended = running.join_next() => match ended {
                Some(Ok((address, Ok(stream)))) => return Some((stream, address)),
                Some(Ok((address, Err(error)))) => {
                    if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.address == address) {
                        attempt.error = Some(error);
                    }
                    start_next = true;
                }
                Some(Err(_)) => start_next = true,
                None => return None,
            },
            () = sleep(STAGGER), if waits_for_more => start_next = true,
        }
    }
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// IPv6 and IPv4 in turn, beginning with the family that the system put first; each address once.
fn interleaved(addresses: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    let mut all: Vec<SocketAddr> = Vec::new();
    for address in addresses {
        if !all.contains(&address) {
            all.push(address);
        }
    }
    let first_is_v6 = all.first().is_some_and(SocketAddr::is_ipv6);
    let (first, second): (Vec<_>, Vec<_>) = all.into_iter().partition(|address| address.is_ipv6() == first_is_v6);
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let mut mixed = Vec::new();
    loop {
        let pair = [first.next(), second.next()];
        if pair.iter().all(Option::is_none) {
            mixed.truncate(MAX_ADDRESSES);
            return mixed;
        }
        mixed.extend(pair.into_iter().flatten());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_take_turns_and_nothing_is_tried_twice() {
        let parse = |text: &[&str]| -> Vec<SocketAddr> { text.iter().map(|text| text.parse().unwrap()).collect() };
        let given = parse(&["[::1]:1", "[::2]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1"]);
        assert_eq!(interleaved(given.into_iter()), parse(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "[::3]:1"]));
        let many = (1..=99).map(|port| SocketAddr::from(([10, 0, 0, 1], port)));
        assert_eq!(interleaved(many).len(), MAX_ADDRESSES);
    }
}
