//! Whom to believe about the server: the options of every command that connects over TLS.
//!
//! [`TrustOptions`] is flattened into a command's own options (`#[command(flatten)] trust: TrustOptions`) and has
//! `--cafile`, `--capath`, `--also-system`, `--web-roots`, `--server-pin`, `--crl`, `--crl-check` and `--require-ocsp`.
//! [`TrustOptions::load`] reads what they name; [`TrustOptions::is_given`] tells whether one of them was used.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gridmq_client::env::Settings as EnvFile;
use gridmq_tls::Trust;
use gridmq_tls::revocation::{CheckDepth, Ocsp, Revocation};
use gridmq_tls::trust::{Pin, TrustSource};
use serde::Deserialize;

use crate::error::Failure;

/// Files and settings that say whom to believe.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TrustOptions {
    /// Believe only the authorities in this file, PEM or DER; can be given several times [default: those of the system]
    #[arg(long, value_name = "FILE")]
    pub(crate) cafile: Vec<PathBuf>,
    /// Believe only the authorities in the files of this directory
    #[arg(long, value_name = "DIR")]
    pub(crate) capath: Vec<PathBuf>,
    /// Believe the system's authorities besides those that are named
    #[arg(long)]
    pub(crate) also_system: bool,
    /// Believe the web's root authorities that are built in: alone, or besides those that are named
    #[arg(long)]
    pub(crate) web_roots: bool,
    /// Believe exactly this server: sha256:HEX of its certificate, or key-sha256:HEX of its public key
    #[arg(long, value_name = "PIN", value_parser = pin)]
    pub(crate) server_pin: Vec<Pin>,
    /// Refuse what this revocation list, or those in this directory, names; PEM or DER
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) crl: Vec<PathBuf>,
    /// What the lists are asked about: the server's certificate only (leaf), or its issuers too (chain)
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = CrlCheck::Chain, requires = "crl")]
    pub(crate) crl_check: CrlCheck,
    /// Demand an answer of OCSP; refused, since nothing here checks it
    #[arg(long, hide = true)]
    pub(crate) require_ocsp: bool,
}

/// How far up revocation is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CrlCheck {
    /// Only the peer's own certificate.
    Leaf,
    /// The certificate and every intermediate.
    #[default]
    Chain,
}

impl CrlCheck {
    /// In the library's terms.
    pub(crate) const fn depth(self) -> CheckDepth {
        match self {
            Self::Leaf => CheckDepth::EndEntity,
            Self::Chain => CheckDepth::Chain,
        }
    }
}

impl TrustOptions {
    /// Was any of these options used? They mean nothing without TLS.
    pub(crate) fn is_given(&self) -> bool {
        self.also_system || self.web_roots || self.require_ocsp || self.names_authorities() || !self.crl.is_empty()
    }

    /// Reads everything that is named; The authorities of an env file count only if none is named
    /// here. `now` is in seconds since 1970: a revocation list that is out of date is refused.
    pub(crate) fn load(&self, env: &EnvFile, now: u64) -> Result<Trust, Failure> {
        let mut sources: Vec<TrustSource> = Vec::new();
        sources.extend(self.cafile.iter().cloned().map(TrustSource::File));
        sources.extend(self.capath.iter().cloned().map(TrustSource::Directory));
        sources.extend(self.server_pin.iter().copied().map(TrustSource::Pin));
        if sources.is_empty() && !self.web_roots {
            sources.extend(env.ca_file.iter().cloned().map(TrustSource::File));
            sources.extend(env.ca_path.iter().cloned().map(TrustSource::Directory));
        }
        if self.web_roots {
            sources.push(TrustSource::WebRoots);
        }
        if self.also_system || sources.is_empty() {
            sources.push(TrustSource::Platform);
        }
        let trust = Trust::only_all(sources)?;
        for finding in trust.findings() {
            tracing::warn!("{finding}");
        }
        if self.crl.is_empty() && !self.require_ocsp {
            return Ok(trust);
        }
        let depth = self.crl_check.depth();
        let ocsp = if self.require_ocsp { Ocsp::Required } else { Ocsp::Ignored };
        let revocation = Revocation::builder().depth(depth).ocsp(ocsp).load(&self.crl, now).map_err(Failure::failed)?;
        Ok(trust.with_revocation(revocation)?)
    }

    fn names_authorities(&self) -> bool {
        !(self.cafile.is_empty() && self.capath.is_empty() && self.server_pin.is_empty())
    }
}

fn pin(text: &str) -> Result<Pin, String> {
    text.parse().map_err(|error: gridmq_tls::trust::BadPin| error.to_string())
}
