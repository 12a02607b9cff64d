//! Stage name: from the host to addresses.

use std::net::SocketAddr;
use std::time::Instant;

use gridmq_tls::Id;
use gridmq_tls::catalogue::Stage;
use serde_json::json;

use super::{Context, ms, within};
use crate::report::StageReport;

/// How many addresses are tried.
const MAX_ADDRESSES: usize = 16;

/// Looks the host up.
pub(crate) async fn run(cx: &Context<'_>) -> (StageReport, Vec<SocketAddr>) {
    let mut report = StageReport::new(Stage::Name);
    let (host, port) = (cx.target.host.clone(), cx.target.port);
    if let Some(address) = cx.target.address() {
        report.lines.push(format!("{address} is an address, nothing to look up"));
        return (report, vec![SocketAddr::new(address, port)]);
    }
    cx.step(Stage::Name, format!("looking up {host}"));
    let begun = Instant::now();
    let answer = within(cx.patience(), tokio::net::lookup_host((host.as_str(), port))).await;
    let took = begun.elapsed();
    let addresses = match answer {
        Some(Ok(found)) => {
            let mut addresses: Vec<SocketAddr> = Vec::new();
            for address in found {
                if !addresses.contains(&address) && addresses.len() < MAX_ADDRESSES {
                    addresses.push(address);
                }
            }
            addresses
        }
        Some(Err(error)) => {
            let why = format!("the name {host} cannot be looked up: {error}");
            report.found(cx.error(Id::C01, &host, why, advice(cx)).seen(format!("asked for {}", ms(took))));
            return (report, Vec::new());
        }
        None => {
            let why = format!("the resolver did not answer for {host} within {}", ms(took));
            let fix = "check this machine's DNS servers and the network it is on";
            report.found(cx.error(Id::C01, &host, why, fix));
            return (report, Vec::new());
        }
    };
    let of = |v6: bool| {
        let list: Vec<_> =
            addresses.iter().filter(|a| a.is_ipv6() == v6).map(|address| address.ip().to_string()).collect();
        if list.is_empty() { "none".to_owned() } else { list.join(" ") }
    };
    report.lines.push(format!("A {} · AAAA {} · {}", of(false), of(true), ms(took)));
    report.facts.insert(
        "addresses".to_owned(),
        json!(addresses.iter().map(|address| address.ip().to_string()).collect::<Vec<_>>()),
    );
    if addresses.is_empty() {
        let why = format!("the name {host} exists and has no address");
        report.found(cx.error(Id::C01, &host, why, advice(cx)));
    } else if let Some(hint) = cx.profile.wrong_host(&host) {
        let why = format!("{host} is a name of this service that does not serve MQTT");
        report.found(cx.warning(Id::C01, &host, why, hint));
    }
    (report, addresses)
}

fn advice(cx: &Context<'_>) -> String {
    cx.profile.wrong_host(&cx.target.host).map(str::to_owned).unwrap_or_else(|| {
        "check the spelling, and whether the name is only known inside a private network or VPN".to_owned()
    })
}
