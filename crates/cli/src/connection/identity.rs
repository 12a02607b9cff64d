//! What we prove: the options of every command that connects over TLS.
//!
//! [`IdentityOptions`] is flattened into a command's own options (`#[command(flatten)] identity: IdentityOptions`).
//! [`IdentityOptions::loader`] says what to load, for those who look closer; [`IdentityOptions::load`] loads it.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gridmq_client::env::Settings as EnvFile;
use gridmq_tls::identity::{IdentityError, KeyPermissions, Severity};
use gridmq_tls::passphrase::{Passphrase, PassphraseSource};
use gridmq_tls::source::Source;
use gridmq_tls::{Identity, IdentityLoader};

use crate::error::Failure;
use crate::output::Style;

/// Certificates, keys and their passphrases.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct IdentityOptions {
    /// Our certificate with its intermediates: a file in PEM, DER, PKCS#7 or PKCS#12, or env:NAME, credential:NAME
    /// (systemd) or a pkcs11: URI
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) cert: Option<Source>,
    /// Our private key, likewise; not needed if it stands with the certificate
    #[arg(long, value_name = "SOURCE", value_parser = source)]
    pub(crate) key: Option<Source>,
    /// Certificate and key from one PKCS#12 file (.pfx, .p12)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["cert", "key"])]
    pub(crate) pkcs12: Option<PathBuf>,
    /// A file whose first line is the passphrase of the key, or the token's PIN [default: asked for on a terminal]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["pass_fd", "pass_env"])]
    pub(crate) pass_file: Option<PathBuf>,
    /// An inherited file descriptor to read that passphrase from
    #[arg(long, value_name = "NUMBER", conflicts_with = "pass_env")]
    pub(crate) pass_fd: Option<u32>,
    /// An environment variable that holds that passphrase
    #[arg(long, value_name = "NAME")]
    pub(crate) pass_env: Option<String>,
    /// What to do if others on this machine can read the key's file
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OpenKey::Warn)]
    pub(crate) open_key: OpenKey,
}

/// What to do about a key that others can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub(crate) enum OpenKey {
    /// Nothing.
    Ignore,
    /// Say so.
    #[default]
    Warn,
    /// Do not use it.
    Refuse,
}

impl IdentityOptions {
    /// Was a certificate or key named? They mean nothing without TLS.
    pub(crate) fn is_given(&self) -> bool {
        self.cert.is_some() || self.key.is_some() || self.pkcs12.is_some()
    }

    /// What is to be loaded, if anything; what is not named here is taken from the env file.
    pub(crate) fn loader(&self, env: &EnvFile) -> Result<Option<IdentityLoader>, Failure> {
        let file = |path: &Option<PathBuf>| path.clone().map(Source::File);
        let loader = if let Some(path) = &self.pkcs12 {
            IdentityLoader::new(path.as_path())
        } else {
            let cert = self.cert.clone().or_else(|| file(&env.cert_file));
            let key = self.key.clone().or_else(|| file(&env.key_file));
            match (cert, key) {
                (Some(cert), Some(key)) => IdentityLoader::new(cert).key(key),
                (Some(cert), None) => IdentityLoader::new(cert),
                // A token holds the certificate beside the key.
                (None, Some(key @ Source::Pkcs11(_))) => IdentityLoader::new(key),
                (None, Some(_)) => {
                    return Err(Failure::usage("a key was given without a certificate: give --cert too"));
                }
                (None, None) => return Ok(None),
            }
        };
        let permissions = match self.open_key {
            OpenKey::Ignore => KeyPermissions::Ignore,
            OpenKey::Warn => KeyPermissions::Warn,
            OpenKey::Refuse => KeyPermissions::Refuse,
        };
        let loader = loader.key_permissions(permissions);
        Ok(Some(match self.passphrase(env) {
            Some(passphrase) => loader.passphrase(passphrase),
            None => loader,
        }))
    }

    /// Loads it, with a word on standard error about what is odd about it.
    pub(crate) fn load(&self, env: &EnvFile) -> Result<Option<Identity>, Failure> {
        self.loader(env)?.map(|loader| self.load_by(&loader, env)).transpose()
    }

    /// As [`Self::load`], by a loader of these options that is needed again: it asks for a passphrase once.
    pub(crate) fn load_by(&self, loader: &IdentityLoader, env: &EnvFile) -> Result<Identity, Failure> {
        let identity = loader.load().map_err(|error| match error {
            IdentityError::NoKey { .. } if self.key.is_none() && self.pkcs12.is_none() && env.key_file.is_none() => {
                Failure::failed(format!("{error} by --key"))
            }
            IdentityError::EncryptedKey { .. } | IdentityError::Pkcs12Password { given: false, .. } => {
                Failure::failed(format!("{error}, by --pass-file, --pass-fd or --pass-env"))
            }
            _ => Failure::from(error),
        })?;
        for finding in identity.findings(crate::utc::now()) {
            if finding.severity >= Severity::Warning {
                Style::stderr().warning(&format!("{}: {finding}", finding.about));
            }
        }
        Ok(identity)
    }

    /// Where the passphrase comes from, if it is known or somebody can be asked.
    pub(crate) fn passphrase(&self, env: &EnvFile) -> Option<PassphraseSource> {
        if let Some(path) = &self.pass_file {
            return Some(PassphraseSource::file(path));
        }
        if let Some(number) = self.pass_fd {
            return Some(PassphraseSource::descriptor(number));
        }
        if let Some(name) = &self.pass_env {
            return Some(PassphraseSource::variable(name));
        }
        if let Some(password) = &env.key_file_password {
            return Some(PassphraseSource::value(Passphrase::new(password.as_str())));
        }
        (io::stdin().is_terminal() && io::stderr().is_terminal()).then(|| PassphraseSource::ask(prompt))
    }
}

/// Asks on the terminal, without showing what is typed.
fn prompt(purpose: &str) -> io::Result<Option<Passphrase>> {
    let typed = rpassword::prompt_password(format!("Passphrase for {purpose}: "))?;
    Ok((!typed.is_empty()).then(|| Passphrase::new(typed)))
}

fn source(text: &str) -> Result<Source, String> {
    text.parse().map_err(|error: gridmq_tls::source::SourceTextError| error.to_string())
}
