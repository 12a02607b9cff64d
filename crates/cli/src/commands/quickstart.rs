//! `gridmq quickstart`: certificates, a namespace, a broker, a device, and what happened, in one command.

mod material;
mod namespace;
mod paste;
mod steps;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use gridmq_broker::{Broker, Listener, StartError};

use crate::commands::serve;
use crate::config::Address;
use crate::error::{Failure, Outcome};
use crate::output::Style;
use crate::signal::Stop;
use crate::{log, output, utc};
use material::Material;
pub(in crate::commands) use namespace::describe;
use steps::Report;

/// The names of the example in Microsoft's documentation.
const CLIENT_1: &str = "client1-authn-ID";
const CLIENT_2: &str = "client2-authn-ID";
const SESSION_1: &str = "client1-session1";
const TOPIC: &str = "contosotopics/topic1";

/// Make certificates, run a local Event Grid namespace, and connect a device to it over mutual TLS
///
/// Every step is one line that says what was seen, and so are four connections that have to be refused. Then it goes on
/// serving and prints commands to try. Certificates that are in the directory are used again.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  gridmq quickstart --once --port 0\n  gridmq quickstart")]
pub(crate) struct Arguments {
    /// Where certificates and the namespace are kept
    #[arg(long, value_name = "DIR", default_value = "gridmq-quickstart")]
    dir: PathBuf,
    /// The port of the broker, on this machine only; 0 takes any free one
    #[arg(long, value_name = "PORT", default_value = "8883", value_parser = port_number)]
    port: u16,
    /// Stop after the steps. The exit code is 0 if every one came out as it should, else 1
    #[arg(long)]
    once: bool,
    /// A line of JSON for each step
    #[arg(long)]
    json: bool,
    /// What to log: off, error, warn, info, debug or trace, or target=level [default: error during the steps, info
    /// after them]
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
}

pub(crate) async fn run(arguments: Arguments) -> Outcome {
    let Arguments { dir, port, once, json, log } = arguments;
    let change_log = log::start_changeable(log.as_deref().unwrap_or("error"), false)?;
    let mut stop = Stop::listen()?;
    let mut report = Report::new(json);

    let material = Material::ensure(&dir, utc::now())?;
    let policy = namespace::ensure(&material)?;
    let edited = policy.edited.clone();
    report.step(true, "certificates", &material.summary())?;
    report.step(true, "namespace", &policy.summary)?;

    let words = Arc::new(steps::Words::default());
    let broker = start(port, &material, policy, &words).await?;
    let Some(port) = broker.addresses().first().map(std::net::SocketAddr::port) else {
        return Err(Failure::failed("the broker listens nowhere"));
    };
    let listening: Vec<_> = broker.addresses().iter().map(ToString::to_string).collect();
    report.step(true, "broker", &format!("listening with TLS 1.2 and 1.3 on {}", listening.join(" and ")))?;

    let target = steps::Target { port, material: &material, words: &words };
    tokio::select! {
        done = steps::all(&target, &mut report) => done?,
        () = stop.asked() => {
            broker.shutdown().await;
            return Err(Failure::failed("stopped before the steps were done"));
        }
    }
    report.conclude()?;
    if let Some(path) = edited.filter(|_| report.failures() > 0) {
        Style::stderr().warning(&format!(
            "{path} was changed since it was written, which may be why: compare it, or remove it to have the example \
             written again"
        ));
    }
    if !once {
        if !json {
            output::raw(paste::commands(&material, port).as_bytes())?;
        }
        // From here on, whoever tries something wants to see why it was refused.
        if log.is_none() {
            change_log("info");
        }
        stop.asked().await;
    }
    broker.shutdown().await;
    if report.failures() > 0 { Err(Failure::said()) } else { Ok(()) }
}

fn port_number(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "expected a number from 1 to 65535, or 0 for any free port".to_owned())
}

async fn start(
    port: u16,
    material: &Material,
    policy: namespace::Ready,
    words: &Arc<steps::Words>,
) -> Result<Broker, Failure> {
    let config = serve::server_config(material.server.clone(), true, &[])?;
    let observer: Arc<dyn gridmq_broker::Observer> = Arc::<steps::Words>::clone(words);
    let rules = steps::Watched { policy: policy.policy, words: Arc::clone(words) };
    let mut builder = Broker::builder().rules(Arc::new(rules)).observer(observer);
    let addresses = if port == 0 { Address::free_loopback() } else { Address::loopback(port) };
    for address in addresses.addresses() {
        builder = builder.listener(Listener::tls(*address, config.clone()));
    }
    builder.start().await.map_err(|error| match &error {
        StartError::Bind { address, source } if source.kind() == io::ErrorKind::AddrInUse => Failure::failed(format!(
            "another program listens on {address}: stop it, or choose another port by --port (0 takes any free one)"
        )),
        StartError::Bind { address, source } if source.kind() == io::ErrorKind::PermissionDenied => {
            Failure::failed(format!("{address} needs a privilege: choose a port above 1023 by --port"))
        }
        _ => Failure::from(error),
    })
}
