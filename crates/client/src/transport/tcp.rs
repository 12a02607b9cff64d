//! From a name to a TCP connection.

mod order;
mod socket;

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::Way;
use crate::error::{Attempt, ConnectError, ConnectErrorKind, Stage};

pub(super) use order::ordered;

/// How long an address may take before the next one is tried beside it: the Connection Attempt Delay of RFC 8305 §5.
const STAGGER: Duration = Duration::from_millis(250);

/// Tries all addresses of the host; the first that answers is taken (RFC 8305).
///
/// The system's resolver answers for both families at once and has sorted what it gives (RFC 6724), so there is no
/// Resolution Delay (§3) to keep.
pub(super) async fn dial(way: Way<'_>, host: &str, port: u16) -> Result<(TcpStream, SocketAddr), ConnectError> {
    let settings = way.plan.transport.tcp;
    let keep_alive = Duration::from_secs(way.plan.connect.keep_alive.into());
    let resolve = async { Ok(lookup_host((host, port)).await?.collect()) };
    dial_with(way, resolve, move |address| socket::open(address, settings, keep_alive)).await
}

async fn dial_with<S, O>(
    way: Way<'_>,
    resolve: impl Future<Output = io::Result<Vec<SocketAddr>>>,
    open: impl Fn(SocketAddr) -> O,
) -> Result<(S, SocketAddr), ConnectError>
where
    S: Send + 'static,
    O: Future<Output = io::Result<S>> + Send + 'static,
{
    let found = match timeout_at(way.deadline, resolve).await {
        Ok(Ok(found)) => found,
        Ok(Err(error)) => return Err(way.error(Stage::Name, ConnectErrorKind::Name(error))),
        Err(_) => return Err(way.late(Stage::Name)),
    };
    if found.is_empty() {
        return Err(way.error(Stage::Name, ConnectErrorKind::NoAddress));
    }
    let options = &way.plan.transport;
    let addresses = ordered(&found, options.family, options.only_v4());
    if addresses.is_empty() {
        return Err(way.error(Stage::Name, ConnectErrorKind::NoAddressOfFamily { found }));
    }
    let mut attempts: Vec<Attempt> = Vec::new();
    match timeout_at(way.deadline, race(addresses, &mut attempts, open)).await {
        Ok(Some(connected)) => Ok(connected),
        Ok(None) => Err(way.error(Stage::Tcp, ConnectErrorKind::Tcp(attempts))),
        Err(_) => {
            let after = way.plan.connect_timeout;
            Err(way.error(Stage::Tcp, ConnectErrorKind::Timeout { after, attempts }))
        }
    }
}

/// The first connection that comes about; `attempts` tells what became of the others. A new attempt begins when the
/// latest fails, or [`STAGGER`] after it began.
async fn race<S, O>(
    addresses: Vec<SocketAddr>,
    attempts: &mut Vec<Attempt>,
    open: impl Fn(SocketAddr) -> O,
) -> Option<(S, SocketAddr)>
where
    S: Send + 'static,
    O: Future<Output = io::Result<S>> + Send + 'static,
{
    let mut left = addresses.into_iter();
    let mut running: Vec<Attempted<S>> = Vec::new();
    let mut next_at = Instant::now();
    let mut start_next = true;
    loop {
        if std::mem::take(&mut start_next)
            && let Some(address) = left.next()
        {
            attempts.push(Attempt { address, error: None });
            running.push((address, Box::pin(open(address))));
            next_at = Instant::now() + STAGGER;
        }
        let waits_for_more = left.len() != 0;
        tokio::select! {
            ended = poll_fn(|cx| poll_each(&mut running, cx)) => match ended {
                Some((address, Ok(stream))) => return Some((stream, address)),
                Some((address, Err(error))) => {
                    if let Some(attempt) = attempts.iter_mut().find(|attempt| attempt.address == address) {
                        attempt.error = Some(error);
                    }
                    start_next = true;
                }
                None => return None,
            },
            () = sleep_until(next_at), if waits_for_more => start_next = true,
        }
    }
}

/// An address, and its connection in the making.
type Attempted<S> = (SocketAddr, Pin<Box<dyn Future<Output = io::Result<S>> + Send>>);

/// The next of them that has ended; `None`: there is none left.
fn poll_each<S>(running: &mut Vec<Attempted<S>>, cx: &mut Context<'_>) -> Poll<Option<(SocketAddr, io::Result<S>)>> {
    let ended = running.iter_mut().enumerate().find_map(|(place, (_, opening))| match opening.as_mut().poll(cx) {
        Poll::Ready(result) => Some((place, result)),
        Poll::Pending => None,
    });
    match ended {
        Some((place, result)) => Poll::Ready(Some((running.remove(place).0, result))),
        None if running.is_empty() => Poll::Ready(None),
        None => Poll::Pending,
    }
}

#[cfg(test)]
mod tests;
