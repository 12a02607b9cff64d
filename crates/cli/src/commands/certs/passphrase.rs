//! Where a passphrase comes from: a file, a descriptor, the environment or a person, never an argument.

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use gridmq_tls::passphrase::{Passphrase, PassphraseSource};

use crate::error::Failure;

#[derive(Debug, Args)]
#[group(id = "passphrase", multiple = false)]
pub(super) struct Options {
    /// The passphrase is the first line of this file
    #[arg(long, value_name = "FILE", help_heading = "Passphrase")]
    pass_file: Option<PathBuf>,
    /// The passphrase comes through this file descriptor
    #[arg(long, value_name = "NUMBER", help_heading = "Passphrase")]
    pass_fd: Option<u32>,
    /// The passphrase is in this environment variable
    #[arg(long, value_name = "NAME", help_heading = "Passphrase")]
    pass_env: Option<String>,
}

impl Options {
    /// To open what is encrypted. Without an option a person at the terminal is asked, if there is one.
    pub(super) fn source(&self) -> Option<PassphraseSource> {
        self.given().or_else(|| io::stdin().is_terminal().then(|| PassphraseSource::ask(|what| ask(what, false))))
    }

    /// To encrypt something new. At the terminal it is asked for twice.
    pub(super) fn new_passphrase(&self, what: &str) -> Result<Passphrase, Failure> {
        let asked = || io::stdin().is_terminal().then(|| PassphraseSource::ask(|what| ask(what, true)));
        let Some(source) = self.given().or_else(asked) else {
            return Err(Failure::usage(format!(
                "{what} is to be encrypted, and there is no passphrase: name a file, descriptor or variable (see --help)"
            )));
        };
        let passphrase = source.read(what)?.filter(|passphrase| !passphrase.expose().is_empty());
        passphrase.ok_or_else(|| Failure::failed(format!("the new passphrase for {what} is empty: choose one")))
    }

    fn given(&self) -> Option<PassphraseSource> {
        let file = self.pass_file.clone().map(PassphraseSource::file);
        let descriptor = || self.pass_fd.map(PassphraseSource::descriptor);
        let variable = || self.pass_env.clone().map(PassphraseSource::variable);
        file.or_else(descriptor).or_else(variable)
    }
}

fn ask(what: &str, twice: bool) -> io::Result<Option<Passphrase>> {
    let passphrase = rpassword::prompt_password(format!("Passphrase for {what}: "))?;
    if twice && rpassword::prompt_password("The same again: ")? != passphrase {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "the two are not the same"));
    }
    Ok(Some(Passphrase::new(passphrase)))
}

/// For what is written, beside [`Options`] for what is read.
#[derive(Debug, Args)]
#[group(id = "new-passphrase", multiple = false)]
pub(super) struct NewOptions {
    /// Encrypt what is written under the first line of this file
    #[arg(long, value_name = "FILE", help_heading = "Passphrase")]
    out_pass_file: Option<PathBuf>,
    /// Encrypt what is written under what comes through this file descriptor
    #[arg(long, value_name = "NUMBER", help_heading = "Passphrase")]
    out_pass_fd: Option<u32>,
    /// Encrypt what is written under the value of this environment variable
    #[arg(long, value_name = "NAME", help_heading = "Passphrase")]
    out_pass_env: Option<String>,
}

impl NewOptions {
    /// Does an option name one?
    pub(super) const fn any(&self) -> bool {
        self.out_pass_file.is_some() || self.out_pass_fd.is_some() || self.out_pass_env.is_some()
    }

    /// The passphrase, where an option names one.
    pub(super) fn given(&self) -> Result<Option<Passphrase>, Failure> {
        if self.any() { self.required("what is written").map(Some) } else { Ok(None) }
    }

    /// The passphrase, from a person where no option names one.
    pub(super) fn required(&self, what: &str) -> Result<Passphrase, Failure> {
        let Self { out_pass_file, out_pass_fd, out_pass_env } = self;
        let options =
            Options { pass_file: out_pass_file.clone(), pass_fd: *out_pass_fd, pass_env: out_pass_env.clone() };
        options.new_passphrase(what)
    }
}
