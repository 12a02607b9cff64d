//! The brokers: which versions, and how each comes to this machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::super::version_of;
use crate::setup::{Installer, NATS, Peer as Package};
use crate::shell::{Context, Failure, Result, cargo, run, target, which};

/// A broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// Ours.
    Gridmq,
    /// Debian's mosquitto.
    Mosquitto,
    /// Debian's nats-server, with JetStream and its MQTT listener.
    Nats,
    /// rumqttd from crates.io.
    Rumqttd,
    /// rmqttd from crates.io.
    Rmqttd,
    /// The floor: copies packets, decides nothing.
    Relay,
}

/// Where a broker is, and what it says of itself.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    pub(super) version: String,
}

/// In the order of the columns.
pub(super) const ALL: [Peer; 6] = [Peer::Gridmq, Peer::Mosquitto, Peer::Nats, Peer::Rumqttd, Peer::Rmqttd, Peer::Relay];

/// What comes from crates.io: the version, and what else `cargo install` is told.
const RUMQTTD: (&str, &[&str]) = ("0.20.0", &["--features", "verify-client-cert"]);
const RMQTTD: (&str, &[&str]) = ("0.24.0", &["--locked"]);

/// Debian keeps the broker where only root's search path leads.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

impl Peer {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gridmq => "gridmq",
            Self::Mosquitto => "mosquitto",
            Self::Nats => "nats-server",
            Self::Rumqttd => "rumqttd",
            Self::Rmqttd => "rmqttd",
            Self::Relay => "relay",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        ALL.into_iter().find(|peer| peer.name() == name)
    }
}

/// Installs what is asked for, or all of it. One that cannot be had is left out with the reason.
pub(super) fn prepare(wanted: &[Peer], gridmq: &Path) -> Result<Vec<(Peer, Result<Program, String>)>> {
    let mut installer = Installer::default();
    let chosen = ALL.into_iter().filter(|peer| wanted.is_empty() || wanted.contains(peer));
    chosen.map(|peer| Ok((peer, one(peer, gridmq, &mut installer).map_err(|Failure(why)| why)))).collect()
}

fn one(peer: Peer, gridmq: &Path, installer: &mut Installer) -> Result<Program> {
    let ours = || version_of(Command::new(gridmq).arg("--version"));
    let (path, version) = match peer {
        Peer::Gridmq => (gridmq.to_owned(), ours()?),
        Peer::Relay => (gridmq.to_owned(), format!("relay of {}", ours()?)),
        Peer::Mosquitto => {
            installer.prepare(Package::Broker)?;
            let path = which("mosquitto").unwrap_or_else(|| MOSQUITTO.into());
            let version = version_of(Command::new(&path).arg("-h"))?;
            (path, version)
        }
        Peer::Nats => {
            installer.prepare(Package::Nats)?;
            let path = which("nats-server").unwrap_or_else(|| NATS.into());
            let version = version_of(Command::new(&path).arg("--version"))?;
            (path, version)
        }
        Peer::Rumqttd => from_registry("rumqttd", RUMQTTD)?,
        Peer::Rmqttd => {
            installer.prepare(Package::BuildTools)?;
            from_registry("rmqttd", RMQTTD)?
        }
    };
    Ok(Program { path, version })
}

/// Builds it once, outside of every lock of ours.
fn from_registry(name: &str, (version, options): (&str, &[&str])) -> Result<(PathBuf, String)> {
    let root = target().join("compare/peers");
    let root = std::path::absolute(&root).context(format_args!("cannot find {}", root.display()))?;
    let path = root.join("bin").join(name);
    let receipt = std::fs::read_to_string(root.join(".crates.toml")).unwrap_or_default();
    if !(path.exists() && receipt.contains(&format!("\"{name} {version} "))) {
        println!("building {name} {version}, which takes a while");
        let mut command = cargo();
        command.args(["install", "--quiet", name, "--version", version]).args(options).arg("--root").arg(&root);
        run(command.env("CARGO_TARGET_DIR", root.join(format!("target-{name}"))))?;
    }
    Ok((path, format!("{name} {version}")))
}
