//! `gridmq bench`: load for any broker, and what became of it.

use std::io::{self, Write};
use std::net::SocketAddr;

use clap::Args;
use gridmq_bench::Fault;
use gridmq_bench::plan::scenario::{ALL, Scenario};
use gridmq_bench::plan::{Plan, PlanError, Target, Tls};
use gridmq_client::env::Settings as EnvFile;
use gridmq_tls::{ClientConfig, TlsVersion};

use crate::connection::identity::IdentityOptions;
use crate::connection::trust::TrustOptions;
use crate::error::{Failure, Outcome};

mod options;
mod show;

use options::{Connect, Length, Load, Output};

/// What was asked for could not be done: the broker is not there, or descriptors ran out.
const CANNOT: u8 = 3;

/// Put load on a broker, and count honestly what becomes of it
///
/// Any MQTT broker: 10 publishers to 1 subscriber as fast as it goes, unless a scenario or options say otherwise.
/// Messages that are lost, doubled, out of order or changed are counted; latency, and with --pid the broker's
/// processor time and memory, are measured.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq bench\n\n  \
    gridmq bench fan-in-qos1 --duration 10s mqtt://localhost:1883\n\n  \
    gridmq bench latency --rate 2000 --pid $(pidof gridmq) --json\n\n  \
    gridmq bench idle --idle 10000 --pid $(pidof gridmq)\n\n\
    `gridmq bench list` says what the scenarios are. Exit codes: 0 every promise\n\
    kept, 1 a promise broken (an acknowledged message lost, QoS 2 twice, a changed\n\
    message), 2 wrong usage, 3 not carried out.")]
pub(crate) struct Arguments {
    /// A scenario, or `list`, or `relay` [default: fan-in]
    #[arg(value_name = "SCENARIO")]
    scenario: Option<String>,
    /// The broker: mqtt://, mqtts:// or unix:// [default: mqtt://localhost:1883]
    #[arg(value_name = "URL")]
    url: Option<String>,
    /// With `relay`: where the floor listens, a program that copies packets and decides nothing (QoS 0)
    #[arg(long, value_name = "IP:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    load: Load,
    #[command(flatten)]
    length: Length,
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    identity: IdentityOptions,
    #[command(flatten)]
    output: Output,
}

pub(crate) fn run(mut arguments: Arguments) -> Outcome {
    // A URL alone is no scenario.
    if arguments.url.is_none() && arguments.scenario.as_deref().is_some_and(|text| text.contains("://")) {
        arguments.url = arguments.scenario.take();
    }
    let name = arguments.scenario.as_deref().unwrap_or("fan-in");
    match (name, arguments.listen) {
        ("list", _) => return show::list(),
        ("relay", Some(address)) => return floor(address),
        ("relay", None) => return Err(Failure::usage("relay needs an address: give --listen 127.0.0.1:1883")),
        (_, Some(_)) => return Err(Failure::usage("--listen is for relay")),
        (_, None) => {}
    }
    let scenario = Scenario::named(name).ok_or_else(|| {
        let names: Vec<_> = ALL.iter().map(|scenario| scenario.name).collect();
        Failure::usage(format!("there is no scenario {name:?}; there are {}", names.join(", ")))
    })?;
    let (json, quiet) = (arguments.output.json, arguments.output.quiet);
    let plan = arguments.plan(scenario)?;
    let allow_loss = plan.allow_loss;
    let mut progress = show::Lines::new(quiet);
    let outcome = gridmq_bench::run(plan, &mut progress);
    progress.end();
    let report = match outcome {
        Ok(report) => report,
        Err(Fault::Plan(PlanError::Option { option, problem })) => {
            return Err(Failure::usage(format!("{option} {problem}")));
        }
        Err(fault) => return Err(Failure::failed(fault).with_code(CANNOT)),
    };
    if json {
        show::json(&report)?
    } else {
        show::people(&report)?
    }
    let broken = report.broken();
    if report.disconnects > 0 && !allow_loss {
        let first = report.errors.first().map_or("", |error| error.what.as_str());
        let text = format!("{} connections were lost, first because {first}", report.disconnects);
        return Err(Failure::failed(text).with_code(CANNOT));
    }
    if broken.is_empty() || allow_loss {
        return Ok(());
    }
    Err(Failure::failed(format!("the broker broke its promises: {}", broken.join(", "))))
}

/// Serves as the relay until the process ends.
fn floor(address: SocketAddr) -> Outcome {
    let listening = |address: SocketAddr| {
        let mut out = io::stdout().lock();
        // Whoever started it waits for this line, or does not want it.
        let _ = writeln!(out, "listening on {address}").and_then(|()| out.flush());
    };
    gridmq_bench::relay(address, listening)
        .map_err(|error| Failure::failed(format!("cannot listen on {address}: {error}")).with_code(CANNOT))
}

impl Arguments {
    fn plan(self, scenario: &Scenario) -> Result<Plan, Failure> {
        let Self { scenario: _, url, listen: _, load, length, connect, trust, identity, output } = self;
        let mut plan = scenario.plan();
        let url = url.unwrap_or_else(|| {
            if scenario.tls { "mqtts://localhost:8883".to_owned() } else { "mqtt://localhost:1883".to_owned() }
        });
        let (target, tls) = target(&url)?;
        if scenario.tls && !tls {
            return Err(Failure::usage(format!("the scenario {} needs TLS: give mqtts://", scenario.name)));
        }
        plan.target = target;
        let tls_given = trust.is_given() || identity.is_given() || connect.tls.is_some();
        if tls {
            plan.tls = Some(encryption(&plan.target, &trust, &identity, connect.tls, connect.server_name.as_deref())?);
        } else if tls_given {
            return Err(Failure::usage("options of TLS need a URL that begins with mqtts://"));
        }
        load.apply(&mut plan);
        length.apply(&mut plan)?;
        connect.apply(&mut plan)?;
        output.apply(&mut plan);
        Ok(plan)
    }
}

/// Reads a URL; whether it asks for TLS.
fn target(url: &str) -> Result<(Target, bool), Failure> {
    let wrong = |what: &str| Failure::usage(format!("{url:?} {what}: give mqtt://HOST:PORT, mqtts://… or unix://PATH"));
    let Some((scheme, rest)) = url.split_once("://") else { return Err(wrong("is no URL")) };
    let (tls, default) = match scheme {
        "unix" if !rest.is_empty() => return Ok((Target::Unix(rest.into()), false)),
        "mqtt" => (false, 1883),
        "mqtts" => (true, 8883),
        _ => return Err(wrong("is not understood")),
    };
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['@', '/', '?']) {
        return Err(wrong("has more than a host and a port"));
    }
    let (host, port) = match rest.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => {
            (host, port.parse().ok().filter(|port| *port != 0).ok_or_else(|| wrong("has no port from 1 to 65535"))?)
        }
        _ => (rest, default),
    };
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(wrong("names no host"));
    }
    Ok((Target::Tcp { host: host.to_owned(), port }, tls))
}

fn encryption(
    target: &Target,
    trust: &TrustOptions,
    identity: &IdentityOptions,
    version: Option<TlsVersion>,
    name: Option<&str>,
) -> Result<Tls, Failure> {
    let env = EnvFile::default();
    let mut config = ClientConfig::builder().trust(trust.load(&env, crate::utc::now())?);
    if let Some(loader) = identity.loader(&env)? {
        config = config.identity(identity.load_by(&loader, &env)?);
    }
    if let Some(version) = version {
        config = config.versions(version);
    }
    let host = match target {
        Target::Tcp { host, .. } => host.as_str(),
        _ => "localhost",
    };
    Ok(Tls { configs: vec![config.build()?], server_name: name.unwrap_or(host).to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_a_port_and_perhaps_tls() {
        let tcp = |host: &str, port| Target::Tcp { host: host.to_owned(), port };
        assert_eq!(target("mqtt://localhost").unwrap(), (tcp("localhost", 1883), false));
        assert_eq!(target("mqtts://broker.example:9000/").unwrap(), (tcp("broker.example", 9000), true));
        assert_eq!(target("mqtt://[::1]:77").unwrap(), (tcp("::1", 77), false));
        assert_eq!(target("mqtt://[::1]").unwrap(), (tcp("::1", 1883), false));
        assert_eq!(target("unix:///run/b.sock").unwrap(), (Target::Unix("/run/b.sock".into()), false));
        for wrong in ["localhost", "http://x", "mqtt://", "mqtt://u@h", "mqtt://h:0", "mqtt://h:x", "unix://"] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }
}
