//! What `gridmq serve` is told: by defaults, over them by a TOML file, over that by `GRIDMQ_*` variables, over those by
//! flags. See [`mod@section`] for how a key is added.

mod address;
mod admin;
mod arm;
mod bridge;
mod check;
mod est;
mod limits;
mod listener;
mod log;
mod mqtt;
mod namespace;
mod open;
mod print;
mod section;
mod store;
mod tls;
mod value;

use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::error::Failure;
use crate::files;
use address::one_or_more;
use section::{Section, section};
use value::text_or_section;

pub(crate) use address::Address;
pub(crate) use admin::Admin;
pub(crate) use arm::Arm;
pub(crate) use bridge::Bridge;
pub(crate) use est::Est;
pub(crate) use limits::Limits;
pub(crate) use listener::{Certificate, Listener};
pub(crate) use log::{Log, LogFormat};
pub(crate) use mqtt::Mqtt;
pub(crate) use namespace::Namespace;
pub(crate) use open::Open;
pub(crate) use print::print;
pub(crate) use section::Change;
pub(crate) use store::{Durability, Store};
pub(crate) use tls::Tls;

const MAX_BYTES: u64 = 1024 * 1024;
const MAX_WORKERS: u8 = 64;

section! {
    /// What stands before the first section is short for the usual broker: one certificate, a few addresses. Each of
    /// these keys is also a flag, --data-dir for data-dir, and a variable, GRIDMQ_DATA_DIR.
    Settings {
        /// The server's certificate chain, PEM. Watched: when it is replaced, new connections get the new one.
        cert: Option<PathBuf> = None, example "'server.pem'";
        /// Its private key, PEM. Default: it is in the file of cert.
        key: Option<PathBuf> = None, example "'server.key'";
        /// Where to listen with TLS: IP:PORT, or a port alone for this machine only, or a list of them.
        /// Default: 8883, if there is a certificate and no [[listener]].
        #[serde(deserialize_with = "one_or_more")]
        listen: Option<Vec<Address>> = None, example "['0.0.0.0:8883']";
        /// Where to listen without TLS. Default: nowhere.
        #[serde(deserialize_with = "one_or_more")]
        plain: Option<Vec<Address>> = None, example "[1883]";
        /// Whether clients of a namespace are taken at their word on addresses of plain, which must be loopback then:
        /// by user name, without a certificate.
        trust_plain: Option<bool> = None, example "false";
        /// Short for directory of [store].
        data_dir: Option<PathBuf> = None, example "'/var/lib/gridmq'";
        /// Worker threads, 1 to 64. Default: one for each core.
        #[serde(deserialize_with = "worker_count")]
        workers: Option<u8> = None, example "2";
    }
    sections {
        #[serde(deserialize_with = "text_or_section")]
        namespace: Namespace;
        open: Open;
        listener: Vec<Listener>;
        certificate: Vec<Certificate>;
        bridge: Vec<Bridge>;
        tls: Option<Tls>;
        mqtt: Mqtt;
        limits: Limits;
        store: Store;
        #[serde(deserialize_with = "text_or_section")]
        log: Log;
        admin: Admin;
        arm: Arm;
        est: Option<Est>;
    }
}

impl Settings {
    /// Reads a TOML file.
    pub(crate) fn read(path: &Path) -> Result<Self, Failure> {
        let text = files::read_text(path, MAX_BYTES, "the configuration file")?;
        let base = path.parent().unwrap_or_else(|| Path::new(""));
        Self::parse(&text, base).map_err(|problems| {
            let shown = files::shown(path);
            let lines: Vec<_> = problems.iter().map(|problem| format!("{shown}:{problem}")).collect();
            Failure::failed(lines.join("\n"))
        })
    }

    /// Reads TOML. Relative paths start at `base`. What is wrong is said as `LINE:COLUMN: words`.
    fn parse(text: &str, base: &Path) -> Result<Self, Vec<String>> {
        let mut settings: Self = check::parse(text, &Self::tree(""))?;
        settings.resolve(base);
        settings.agree().map_err(|problem| vec![format!("1:1: {problem}")])?;
        Ok(settings)
    }

    /// What no key alone shows to be wrong.
    fn agree(&self) -> Result<(), String> {
        if self.data_dir.is_some() && self.store.directory.is_some() {
            return Err("data-dir and directory of [store] name the same thing: keep one".to_owned());
        }
        if self.est.as_ref().is_some_and(|est| est.ca.is_none()) {
            return Err("[est] needs ca, the directory that gridmq certs init filled".to_owned());
        }
        self.agree_on_counters()?;
        for (number, certificate) in self.certificate.iter().enumerate() {
            certificate.agree().map_err(|problem| format!("[[certificate]] {}: {problem}", number + 1))?;
        }
        for (number, bridge) in self.bridge.iter().enumerate() {
            let problem = |problem: String| format!("[[bridge]] {}: {problem}", number + 1);
            bridge.agree().map_err(problem)?;
            if self.bridge.iter().take(number).any(|other| other.name == bridge.name) {
                return Err(problem(format!("another bridge is called '{}': give it a name of its own", bridge.name)));
            }
        }
        for (number, listener) in self.listener.iter().enumerate() {
            listener.agree().map_err(|problem| format!("[[listener]] {}: {problem}", number + 1))?;
        }
        Ok(())
    }

    /// A namespace of Event Grid publishes no counters. It may also be named by a flag.
    pub(crate) fn agree_on_counters(&self) -> Result<(), String> {
        if self.mqtt.system_topics.is_some() && self.has_namespace() {
            return Err(
                "a namespace has no topics of counters: leave system-topics out of [mqtt], and read /metrics of \
                        [admin] instead"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Whether the broker decides as a namespace does: one of a file, or of the control plane.
    pub(crate) fn has_namespace(&self) -> bool {
        self.namespace.is_given() || self.arm.is_given()
    }

    /// Where the state is, if that is said.
    pub(crate) fn directory(&self) -> Option<&Path> {
        self.data_dir.as_deref().or(self.store.directory.as_deref())
    }

    /// These settings as a reload leaves them: with those of `newer` that need no start. A namespace neither comes nor
    /// goes that way.
    pub(crate) fn reloaded(&self, newer: &Self) -> Self {
        let mut next = self.clone();
        next.adopt(newer);
        if self.namespace.is_given() != newer.namespace.is_given() {
            next.namespace.clone_from(&self.namespace);
        }
        next
    }

    /// What differs from `newer`.
    pub(crate) fn changes_to(&self, newer: &Self) -> Vec<Change> {
        let mut found = Vec::new();
        self.changes(newer, "", &mut found);
        found
    }
}

fn worker_count<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let count = i64::deserialize(deserializer)?;
    workers(&count.to_string()).map(Some).map_err(serde::de::Error::custom)
}

/// Reads a number of worker threads.
pub(crate) fn workers(text: &str) -> Result<u8, String> {
    text.parse().ok().filter(|count| (1..=MAX_WORKERS).contains(count)).ok_or_else(|| {
        format!("expected a whole number from 1 to {MAX_WORKERS}; without the option there is one for each core")
    })
}

#[cfg(test)]
mod tests;
