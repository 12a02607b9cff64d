//! Stage tcp: every address of every family.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use gridmq_tls::catalogue::Stage;
use gridmq_tls::{Finding, Id};
use serde_json::json;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;

use super::{Context, Route, ms, within};
use crate::report::StageReport;

/// How much later the next address is tried (RFC 8305 §5).
const STAGGER: Duration = Duration::from_millis(250);
/// How long the other addresses are waited for once one works.
const GRACE: Duration = Duration::from_millis(1500);
/// Ports that are tried when the given one does not work.
const OTHER_PORTS: [u16; 3] = [8883, 443, 1883];

/// What came of one address.
#[derive(Debug)]
struct Attempt {
    address: SocketAddr,
    took: Duration,
    outcome: Outcome,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Outcome {
    Open,
    Refused,
    Silent,
    Unreachable(String),
}

impl Outcome {
    fn words(&self) -> String {
        match self {
            Self::Open => "open".to_owned(),
            Self::Refused => "refused".to_owned(),
            Self::Silent => "no answer".to_owned(),
            Self::Unreachable(why) => why.clone(),
        }
    }
}

/// Opens a connection. A small `mss` keeps every packet under what narrow paths carry.
pub(crate) async fn open(address: SocketAddr, mss: Option<u32>) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    // Only tells a dead path sooner; a system that has no such option works without.
    let _ = socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(Duration::from_secs(30)));
    if let Some(mss) = mss {
        #[cfg(unix)]
        socket.set_tcp_mss(mss)?;
        #[cfg(not(unix))]
        let _ = mss;
    }
    TcpSocket::from_std_stream(socket.into()).connect(address).await
}

async fn attempt(address: SocketAddr, delay: Duration, limit: Duration) -> (Attempt, Option<TcpStream>) {
    tokio::time::sleep(delay).await;
    let begun = Instant::now();
    let (outcome, stream) = match within(limit, open(address, None)).await {
        Some(Ok(stream)) => (Outcome::Open, Some(stream)),
        Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => (Outcome::Refused, None),
        // It was accepted, and ended before it was looked at.
        Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionReset => (Outcome::Open, None),
        Some(Err(error)) if error.kind() == io::ErrorKind::TimedOut => (Outcome::Silent, None),
        Some(Err(error)) => (Outcome::Unreachable(error.to_string()), None),
        None => (Outcome::Silent, None),
    };
    (Attempt { address, took: begun.elapsed(), outcome }, stream)
}

/// Races the addresses; the others are heard out for a moment when one works.
pub(crate) async fn run(cx: &Context<'_>, addresses: &[SocketAddr]) -> (StageReport, Option<Route>) {
    let mut report = StageReport::new(Stage::Tcp);
    cx.step(Stage::Tcp, format!("connecting to {} address(es), port {}", addresses.len(), cx.target.port));
    let limit = cx.patience();
    let mut race = JoinSet::new();
    for (delay, address) in (0_u32..).zip(interleaved(addresses)) {
        race.spawn(attempt(address, STAGGER * delay, limit));
    }
    let mut attempts: Vec<Attempt> = Vec::new();
    let mut route: Option<Route> = None;
    let slack = STAGGER * u32::try_from(addresses.len()).unwrap_or(u32::MAX);
    let mut until = tokio::time::Instant::now() + limit + slack.min(Duration::from_secs(4));
    while let Ok(Some(Ok((attempt, _stream)))) = tokio::time::timeout_at(until, race.join_next()).await {
        if attempt.outcome == Outcome::Open && route.is_none() {
            route = Some(Route { address: attempt.address, took: attempt.took });
            until = until.min(tokio::time::Instant::now() + GRACE + slack);
        }
        attempts.push(attempt);
    }
    race.abort_all();
    for address in addresses {
        if !attempts.iter().any(|attempt| attempt.address == *address) {
            attempts.push(Attempt { address: *address, took: limit, outcome: Outcome::Silent });
        }
    }
    describe(&mut report, &attempts, route);
    match route {
        Some(route) => {
            if let Some(finding) = dead_family(cx, &attempts, route) {
                report.found(finding);
            }
        }
        None => {
            cx.step(Stage::Tcp, "trying other ports");
            let others = other_ports(cx, addresses).await;
            report.found(why(cx, &attempts, &others));
        }
    }
    (report, route)
}

/// The families in turn, IPv6 first (RFC 8305 §4).
fn interleaved(addresses: &[SocketAddr]) -> Vec<SocketAddr> {
    let mut six: Vec<_> = addresses.iter().filter(|address| address.is_ipv6()).copied().collect();
    let mut four: Vec<_> = addresses.iter().filter(|address| address.is_ipv4()).copied().collect();
    six.reverse();
    four.reverse();
    let mut order = Vec::with_capacity(addresses.len());
    while !six.is_empty() || !four.is_empty() {
        order.extend(six.pop());
        order.extend(four.pop());
    }
    order
}

fn describe(report: &mut StageReport, attempts: &[Attempt], route: Option<Route>) {
    if let Some(route) = route {
        let tried = attempts.len();
        report.lines.push(format!("{} in {} ({tried} tried)", route.address, ms(route.took)));
        report.facts.insert("address".to_owned(), json!(route.address.to_string()));
    }
    if attempts.len() > 1 || route.is_none() {
        let line =
            |attempt: &Attempt| format!("{} {} after {}", attempt.address, attempt.outcome.words(), ms(attempt.took));
        report.lines.extend(attempts.iter().map(line));
    }
    let fact = |attempt: &Attempt| {
        json!({
            "address": attempt.address.to_string(),
            "result": attempt.outcome.words(),
            "ms": u64::try_from(attempt.took.as_millis()).unwrap_or(u64::MAX),
        })
    };
    report.facts.insert("attempts".to_owned(), attempts.iter().map(fact).collect());
}

/// One family works and nothing of the other does.
fn dead_family(cx: &Context<'_>, attempts: &[Attempt], route: Route) -> Option<Finding> {
    let other = |attempt: &&Attempt| attempt.address.is_ipv6() != route.address.is_ipv6();
    let others: Vec<_> = attempts.iter().filter(other).collect();
    if others.is_empty() || others.iter().any(|attempt| attempt.outcome == Outcome::Open) {
        return None;
    }
    let (dead, alive) = if route.address.is_ipv6() { ("IPv4", "IPv6") } else { ("IPv6", "IPv4") };
    let why = format!("the name has {dead} addresses that do not answer; clients that try them first hang or give up");
    let fix = format!("repair {dead} on this path, take its addresses out of the name, or force {alive} in the client");
    let finding = cx.warning(Id::C04, &cx.target.host, why, fix);
    Some(others.iter().fold(finding, |finding, attempt| {
        finding.seen(format!("{} {} after {}", attempt.address, attempt.outcome.words(), ms(attempt.took)))
    }))
}

/// Which of the usual ports are open where the given one is not.
async fn other_ports(cx: &Context<'_>, addresses: &[SocketAddr]) -> Vec<u16> {
    let limit = Duration::from_millis(1500).min(cx.left());
    let Some(address) = addresses.iter().find(|address| address.is_ipv4()).or_else(|| addresses.first()) else {
        return Vec::new();
    };
    let mut race = JoinSet::new();
    for port in OTHER_PORTS.into_iter().filter(|port| *port != cx.target.port) {
        race.spawn(attempt(SocketAddr::new(address.ip(), port), Duration::ZERO, limit));
    }
    let mut open: Vec<_> = race
        .join_all()
        .await
        .into_iter()
        .filter(|(attempt, _)| attempt.outcome == Outcome::Open)
        .map(|(attempt, _)| attempt.address.port())
        .collect();
    open.sort_unstable();
    open
}

fn why(cx: &Context<'_>, attempts: &[Attempt], others: &[u16]) -> Finding {
    let port = cx.target.port;
    let about = cx.target.to_string();
    let open = match others {
        [] => String::new(),
        ports => format!("; open there: {}", ports.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")),
    };
    let private = attempts.iter().all(|attempt| is_private(attempt.address.ip()));
    let refused = attempts.iter().any(|attempt| attempt.outcome == Outcome::Refused);
    let finding = if private && cx.is_cloud() && cx.target.address().is_none() {
        let why = format!("the name leads to a private address, and port {port} there does not let this machine in");
        let fix = "connect from the network of the private endpoint, or look the name up at a public resolver and \
                   allow this machine's address in the service's firewall";
        cx.error(Id::C14, about, why, fix)
    } else if refused {
        let why = format!("nothing listens on port {port}: the connection is refused{open}");
        let fix = match others {
            [] => "check host and port, and that the broker runs and listens on this interface".to_owned(),
            [other, ..] => format!("check the port ({other} is open), and that the broker listens on {port}"),
        };
        cx.error(Id::C02, about, why, fix)
    } else {
        let why = format!("port {port} does not answer: a firewall drops the packets, or the host is not there{open}");
        let fix = if others.contains(&443) {
            "let the port out, or use MQTT over WebSocket or by ALPN on port 443 where the service has it"
        } else {
            "let the port through on every firewall between here and the broker, and check the address"
        };
        cx.error(Id::C03, about, why, fix)
    };
    attempts.iter().fold(finding, |finding, attempt| {
        finding.seen(format!("{} {} after {}", attempt.address, attempt.outcome.words(), ms(attempt.took)))
    })
}

fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}
