//! What each `[[listener]]` of `gridmq serve` is told.

use std::path::PathBuf;

use serde::Deserialize;

use super::Address;
use super::section::section;
use super::value::{Value, quoted};

/// What is spoken there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Kind {
    /// MQTT over TCP.
    Tcp,
    /// MQTT over TLS.
    #[default]
    Tls,
}

impl Value for Kind {
    fn shown(&self) -> Option<String> {
        Some(quoted(match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
        }))
    }
}

section! {
    /// One more place to listen, with its own settings, beside those of listen and plain.
    Listener {
        /// IP:PORT, or a port alone for this machine only. Always needed.
        address: Option<Address> = None, example "'0.0.0.0:8883'";
        /// tls, or tcp, which is without TLS.
        kind: Kind = Kind::Tls;
        /// Its certificate chain, PEM. Default: that of the whole broker.
        cert: Option<PathBuf> = None, example "'other.pem'";
        /// The private key of that, PEM. Default: it is in the file of cert.
        key: Option<PathBuf> = None, example "'other.key'";
        /// For tcp on a loopback address: take clients of a namespace at their word, by user name.
        trust_plain: bool = false;
    }
}

impl Listener {
    /// What no key alone shows to be wrong.
    pub(super) fn agree(&self) -> Result<(), String> {
        let Some(address) = &self.address else {
            return Err("it has no address: add one, such as address = '0.0.0.0:8883'".to_owned());
        };
        if self.key.is_some() && self.cert.is_none() {
            return Err("it has key without cert: name the certificate too".to_owned());
        }
        if self.kind == Kind::Tcp && self.cert.is_some() {
            return Err("it has a certificate and its kind is tcp, which is without TLS: write kind = 'tls'".to_owned());
        }
        if self.trust_plain {
            if self.kind != Kind::Tcp {
                return Err("trust-plain is for kind = 'tcp'".to_owned());
            }
            if let Some(address) = address.addresses().iter().find(|address| !address.ip().is_loopback()) {
                return Err(format!("trust-plain holds on loopback addresses only, not on {address}"));
            }
        }
        Ok(())
    }
}
