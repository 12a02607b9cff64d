//! Building the clients.

use std::path::PathBuf;
use std::process::Command;

use crate::setup::{Installer, Peer};
use crate::shell::{Context, Result, cargo, quiet, root, run, target};

/// One column.
#[derive(Debug)]
pub(super) struct Contestant {
    pub(super) name: &'static str,
    pub(super) program: PathBuf,
    /// The protocol, as its command line has it.
    pub(super) mqtt: &'static str,
}

/// Everything that a run needs.
#[derive(Debug)]
pub(super) struct Bench {
    /// Ours first, then both of rumqttc's versions.
    pub(super) contestants: Vec<Contestant>,
    /// What writes packets encoded beforehand.
    pub(super) source: PathBuf,
    pub(super) gridmq: PathBuf,
    /// Certificates, and our broker's namespace.
    pub(super) certificates: PathBuf,
}

/// How many of the first columns are ours, and where rumqttc's end.
pub(super) const OURS: usize = 1;
pub(super) const RUMQTTC_END: usize = 3;

/// Installs what is missing, builds everything, and makes certificates.
pub(super) fn prepare() -> Result<Bench> {
    let mut installer = Installer::default();
    for peer in [Peer::ClientLibraries, Peer::Broker] {
        installer.prepare(peer)?;
    }
    run(cargo().args(["build", "--quiet", "--release", "--locked", "--bin", "gridmq"]))?;
    let dir = target().join("compare");
    let dir = std::path::absolute(&dir).context(format_args!("cannot find {}", dir.display()))?;
    // One by one, so that no client gets features of a library for which only another one asks.
    for package in ["peer-harness", "peer-rumqttc", "peer-gridmq"] {
        let mut command = cargo();
        command.current_dir(root().join("bench/peers")).args(["build", "--quiet", "--release", "--locked"]);
        run(command.args(["--package", package, "--target-dir"]).arg(&dir))?;
    }
    let rust = |name: &str| dir.join("release").join(name);
    let c = |name: &str, library: &str| {
        let program = dir.join(name);
        let source = root().join("bench/peers/c").join(format!("{}.c", name.trim_start_matches("peer-")));
        let mut command = Command::new("cc");
        command.args(["-O2", "-Wall", "-o"]).arg(&program).arg(source).arg(library).arg("-lpthread");
        quiet(&mut command).map(|_| program)
    };
    let (paho, mosquitto) = (c("peer-paho", "-lpaho-mqtt3as")?, c("peer-mosquitto", "-lmosquitto")?);
    let column = |name, program, mqtt| Contestant { name, program, mqtt };
    let contestants = vec![
        column("gridmq-client", rust("peer-gridmq"), "5"),
        column("rumqttc, 5.0", rust("peer-rumqttc"), "5"),
        column("rumqttc, 3.1.1", rust("peer-rumqttc"), "4"),
        column("paho C", paho, "5"),
        column("libmosquitto", mosquitto, "5"),
    ];
    let gridmq = std::path::absolute(target().join("release/gridmq")).context("cannot find gridmq")?;
    let certificates = dir.join("certificates");
    let _ = std::fs::remove_dir_all(&certificates);
    quiet(Command::new(&gridmq).args(["quickstart", "--once", "--port", "0", "--dir"]).arg(&certificates))?;
    Ok(Bench { contestants, source: rust("peer-source"), gridmq, certificates })
}
