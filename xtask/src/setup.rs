//! Other people's programs, installed by name: Debian packages where we are root, the rest under the target directory.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::shell::{Context, Result, cargo, fail, quiet, root, target, which};

/// What a suite needs besides this workspace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Peer {
    /// `mosquitto_pub` and `mosquitto_sub`.
    Mosquitto,
    /// paho-mqtt and awscrt for Python.
    Paho,
    /// `az`.
    AzureCli,
    /// MQTT.js for Node.js.
    MqttJs,
    /// The broker `mosquitto`.
    Broker,
    /// The broker `nats-server`.
    Nats,
    /// The `openssl` program, and Python with its module `ssl`.
    OpenSsl,
    /// The `curl` program.
    Curl,
    /// The PKCS#11 module of SoftHSM and its tool.
    SoftHsm,
    /// Network namespaces: root, and `ip`.
    Namespaces,
    /// `valgrind`.
    Valgrind,
    /// What rmqttd is built with: `protoc`, `cmake` and a C++ compiler.
    BuildTools,
    /// A C compiler, and the C clients that are measured beside ours: paho's and mosquitto's.
    ClientLibraries,
    /// Programs of interop/ over those libraries and over rumqttc.
    Programs,
}

/// What a suite needs to know of them: names and values of environment variables.
pub(crate) type Environment = Vec<(&'static str, PathBuf)>;

/// Debian keeps the broker where only root's search path leads.
const BROKER: &str = "/usr/sbin/mosquitto";

/// So it does with this one.
pub(crate) const NATS: &str = "/usr/sbin/nats-server";

/// Where distributions keep SoftHSM's module.
const SOFTHSM: [&str; 4] = [
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
];

/// Installs what is missing.
#[derive(Debug, Default)]
pub(crate) struct Installer {
    lists_are_fresh: bool,
}

impl Installer {
    /// Makes the client ready; the failure says what is missing and how to get it.
    pub(crate) fn prepare(&mut self, peer: Peer) -> Result<Environment> {
        match peer {
            Peer::Mosquitto => self.mosquitto(),
            Peer::Paho => self.paho(),
            Peer::AzureCli => self.azure_cli(),
            Peer::MqttJs => self.mqttjs(),
            Peer::Broker => self.broker(),
            Peer::Nats => self.nats(),
            Peer::OpenSsl => self.openssl(),
            Peer::Curl => self.program("curl", &["curl"]).map(|()| Environment::new()),
            Peer::SoftHsm => self.softhsm(),
            Peer::Namespaces => self.namespaces(),
            Peer::Valgrind => self.program("valgrind", &["valgrind"]).map(|()| Environment::new()),
            Peer::BuildTools => self.build_tools(),
            Peer::ClientLibraries => self.client_libraries(),
            Peer::Programs => self.programs(),
        }
    }

    /// The package's service is not wanted: the suites start the program themselves, on ports of their own.
    fn broker(&mut self) -> Result<Environment> {
        if which("mosquitto").is_none() && !Path::new(BROKER).exists() {
            self.install_without_services(&["mosquitto"])?;
            if which("mosquitto").is_none() && !Path::new(BROKER).exists() {
                return fail("mosquitto is not to be found, though its package is installed");
            }
        }
        Ok(vec![("GRIDMQ_MOSQUITTO_BROKER", "1".into())])
    }

    fn nats(&mut self) -> Result<Environment> {
        if which("nats-server").is_none() && !Path::new(NATS).exists() {
            self.install_without_services(&["nats-server"])?;
        }
        Ok(Environment::new())
    }

    fn openssl(&mut self) -> Result<Environment> {
        self.program("openssl", &["openssl"])?;
        self.program("python3", &["python3"])?;
        quiet(Command::new("python3").args(["-c", "import ssl"]))?;
        Ok(vec![("GRIDMQ_OPENSSL", "1".into())])
    }

    fn softhsm(&mut self) -> Result<Environment> {
        self.program("softhsm2-util", &["softhsm2"])?;
        match SOFTHSM.iter().map(Path::new).find(|module| module.exists()) {
            Some(module) => Ok(vec![("GRIDMQ_SOFTHSM2", module.to_owned())]),
            None => fail(format!("the module of SoftHSM is at none of {}", SOFTHSM.join(", "))),
        }
    }

    fn namespaces(&mut self) -> Result<Environment> {
        if quiet(Command::new("id").arg("-u"))? != "0" {
            return fail("not root: network namespaces need it");
        }
        self.program("ip", &["iproute2"])?;
        let name = format!("gridmq-{}", std::process::id());
        quiet(Command::new("ip").args(["netns", "add", &name]))?;
        quiet(Command::new("ip").args(["netns", "delete", &name]))?;
        Ok(vec![("GRIDMQ_NETNS", "1".into())])
    }

    fn build_tools(&mut self) -> Result<Environment> {
        for (program, package) in [("protoc", "protobuf-compiler"), ("cmake", "cmake"), ("c++", "g++")] {
            self.program(program, &[package])?;
        }
        Ok(Environment::new())
    }

    fn client_libraries(&mut self) -> Result<Environment> {
        self.program("cc", &["gcc", "libc6-dev"])?;
        for (header, package) in [("MQTTAsync.h", "libpaho-mqtt-dev"), ("mosquitto.h", "libmosquitto-dev")] {
            if !Path::new("/usr/include").join(header).exists() {
                self.install(&[package])?;
            }
        }
        Ok(Environment::new())
    }

    fn programs(&mut self) -> Result<Environment> {
        self.client_libraries()?;
        let (from, dir) = (root().join("interop"), room("programs")?);
        let compiled = |name: &str, library: &str| {
            let (source, program) = (from.join(format!("{name}.c")), dir.join(name));
            let mut command = Command::new("cc");
            command.args(["-O1", "-Wall", "-Wextra", "-o"]).arg(&program).arg(source).arg(library).arg("-lpthread");
            quiet(&mut command).map(|_| program)
        };
        let paho = compiled("paho_c_client", "-lpaho-mqtt3as")?;
        let mosquitto = compiled("mosquitto_client", "-lmosquitto")?;
        let mut build = cargo();
        build.current_dir(from.join("rumqttc")).args(["build", "--quiet", "--locked", "--target-dir"]).arg(&dir);
        quiet(&mut build)?;
        let rumqttc = dir.join("debug/interop-rumqttc");
        Ok(vec![
            ("GRIDMQ_INTEROP_PAHO_C", paho),
            ("GRIDMQ_INTEROP_LIBMOSQUITTO", mosquitto),
            ("GRIDMQ_INTEROP_RUMQTTC", rumqttc),
        ])
    }

    fn mosquitto(&mut self) -> Result<Environment> {
        self.program("mosquitto_pub", &["mosquitto-clients"])?;
        self.program("mosquitto_sub", &["mosquitto-clients"])?;
        Ok(vec![("GRIDMQ_INTEROP_MOSQUITTO", "1".into())])
    }

    fn paho(&mut self) -> Result<Environment> {
        let wanted = root().join("interop/requirements.txt");
        let dir = room("py")?;
        let python = dir.join("bin/python");
        let stamp = Stamp::of(&dir, &wanted)?;
        if !(stamp.is_fresh()
            && quiet(Command::new(&python).args(["-c", "import paho.mqtt.client, awscrt.mqtt5"])).is_ok())
        {
            self.program("python3", &["python3", "python3-venv"])?;
            let make = || quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir));
            // Debian keeps the part of `venv` that installs pip in a package of its own.
            if let Err(first) = make() {
                self.install(&["python3-venv"]).map_err(|_| first)?;
                make()?;
            }
            quiet(Command::new(&python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))?;
            stamp.write()?;
        }
        Ok(vec![("GRIDMQ_INTEROP_PYTHON", python)])
    }

    fn azure_cli(&mut self) -> Result<Environment> {
        let wanted = root().join("interop/requirements-az.txt");
        let dir = room("az")?;
        let stamp = Stamp::of(&dir, &wanted)?;
        let az = dir.join("bin/az");
        if !(stamp.is_fresh() && az.exists()) {
            self.program("python3", &["python3", "python3-venv"])?;
            quiet(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&dir))?;
            let python = dir.join("bin/python");
            quiet(Command::new(python).args(["-m", "pip", "install", "--quiet", "-r"]).arg(&wanted))?;
            stamp.write()?;
        }
        Ok(vec![("GRIDMQ_INTEROP_AZ", az)])
    }

    fn mqttjs(&mut self) -> Result<Environment> {
        let from = root().join("interop");
        let dir = room("node")?;
        let stamp = Stamp::of(&dir, &from.join("package-lock.json"))?;
        if !(stamp.is_fresh() && dir.join("node_modules/mqtt/package.json").is_file()) {
            self.program("node", &["nodejs"])?;
            self.program("npm", &["npm"])?;
            for name in ["package.json", "package-lock.json", ".npmrc"] {
                let (source, copy) = (from.join(name), dir.join(name));
                std::fs::copy(&source, &copy).context(format_args!("cannot copy {}", source.display()))?;
            }
            quiet(Command::new("npm").args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(&dir))?;
            stamp.write()?;
        }
        self.program("node", &["nodejs"])?;
        Ok(vec![("GRIDMQ_INTEROP_NODE_DIR", dir)])
    }

    /// Makes sure that `name` is in the search path.
    fn program(&mut self, name: &str, packages: &[&str]) -> Result<()> {
        if which(name).is_some() {
            return Ok(());
        }
        match self.install(packages) {
            Ok(()) if which(name).is_some() => Ok(()),
            Ok(()) => fail(format!("{name} is not in the search path, though {} is installed", packages.join(" "))),
            Err(why) => fail(format!("{name} is missing and was not installed: {why}")),
        }
    }

    /// Keeps the packages from starting services, unless the machine has rules of its own for that.
    fn install_without_services(&mut self, packages: &[&str]) -> Result<()> {
        let rules = Path::new("/usr/sbin/policy-rc.d");
        if rules.exists() || quiet(Command::new("id").arg("-u"))? != "0" {
            return self.install(packages);
        }
        std::fs::write(rules, "#!/bin/sh\nexit 101\n").context(format_args!("cannot write {}", rules.display()))?;
        let outcome = quiet(Command::new("chmod").arg("755").arg(rules)).and_then(|_| self.install(packages));
        std::fs::remove_file(rules).context(format_args!("cannot remove {}", rules.display()))?;
        outcome
    }

    fn install(&mut self, packages: &[&str]) -> Result<()> {
        let by_hand = format!("install the package {}", packages.join(" "));
        if which("apt-get").is_none() {
            return fail(format!("there is no apt-get here; {by_hand}"));
        }
        if quiet(Command::new("id").arg("-u"))? != "0" {
            return fail(format!("not root; {by_hand}"));
        }
        if !self.lists_are_fresh {
            quiet(apt().args(["update", "-q"]))?;
            self.lists_are_fresh = true;
        }
        quiet(apt().args(["install", "-y", "-q", "--no-install-recommends"]).args(packages)).map(drop)
    }
}

fn apt() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command
}

/// A directory of ours under the target directory.
fn room(name: &str) -> Result<PathBuf> {
    let dir = target().join("interop").join(name);
    std::fs::create_dir_all(&dir).context(format_args!("cannot make {}", dir.display()))?;
    // The suites run in their packages' directories, so the path must be whole.
    std::path::absolute(&dir).context(format_args!("cannot find {}", dir.display()))
}

/// Remembers from which list of packages a room was filled.
struct Stamp {
    file: PathBuf,
    wanted: String,
}

impl Stamp {
    fn of(room: &Path, list: &Path) -> Result<Self> {
        let wanted = std::fs::read_to_string(list).context(format_args!("cannot read {}", list.display()))?;
        Ok(Self { file: room.join(".filled-from"), wanted })
    }

    fn is_fresh(&self) -> bool {
        std::fs::read_to_string(&self.file).is_ok_and(|have| have == self.wanted)
    }

    fn write(&self) -> Result<()> {
        std::fs::write(&self.file, &self.wanted).context(format_args!("cannot write {}", self.file.display()))
    }
}
