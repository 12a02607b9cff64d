//! Options that examine files, with a server and without.

use std::path::PathBuf;

use clap::Args;
use gridmq_client::env::Settings as EnvFile;
use gridmq_doctor::Profile;
use gridmq_doctor::files::FilesInput;
use gridmq_doctor::fix::repair;
use gridmq_tls::source::Source;

use crate::connection::identity::IdentityOptions;
use crate::error::{Failure, Outcome};
use crate::files::{Existing, NewFiles, make_directory, shown};
use crate::output;

/// What concerns the files.
#[derive(Debug, Args)]
pub(super) struct FileOptions {
    #[command(flatten)]
    pub(super) identity: IdentityOptions,
    /// The user name; with Event Grid the client authentication name
    #[arg(short = 'u', long, value_name = "NAME")]
    pub(super) username: Option<String>,
    /// The thumbprint that is registered at the service, as it stands there
    #[arg(long, value_name = "HEX")]
    pub(super) thumbprint: Option<String>,
    /// The certificate that was used before this one, to compare names
    #[arg(long, value_name = "FILE")]
    pub(super) previous: Option<PathBuf>,
    /// Settings in the form of Microsoft's MQTT samples (MQTT_HOST_NAME=…); paths in it start at its directory
    #[arg(long, value_name = "FILE")]
    pub(super) env_file: Option<PathBuf>,
    /// What is known of the service: azure-event-grid, azure-iot-hub, aws-iot, hivemq-cloud, emqx-cloud, mosquitto or
    /// generic [default: by the host name]
    #[arg(long, value_name = "NAME", value_parser = super::profile)]
    pub(super) profile: Option<String>,
    /// Write repaired copies of the files into this directory; the originals stay as they are
    #[arg(long, value_name = "DIR")]
    pub(super) fix: Option<PathBuf>,
    /// Print JSON (gridmq-doctor/1), one report a line
    #[arg(long)]
    pub(super) json: bool,
    /// Exit with 1 if there are warnings
    #[arg(long)]
    pub(super) strict: bool,
}

impl FileOptions {
    /// The env file, or an empty one.
    pub(super) fn env(&self) -> Result<EnvFile, Failure> {
        Ok(self.env_file.as_deref().map(EnvFile::from_file).transpose()?.unwrap_or_default())
    }

    /// The profile that was asked for.
    pub(super) fn profile(&self) -> Option<&'static Profile> {
        self.profile.as_deref().and_then(Profile::by_name)
    }

    /// What the library is to examine.
    pub(super) fn input(&self, cafile: &[PathBuf], profile: &Profile, env: &EnvFile) -> FilesInput {
        let named = self.identity.is_given();
        let file = |path: &Option<PathBuf>| path.clone().filter(|_| !named).map(Source::File);
        let mut input = FilesInput::default();
        input.cert = self.identity.cert.clone().or_else(|| file(&env.cert_file));
        input.key = self.identity.key.clone().or_else(|| file(&env.key_file));
        input.pkcs12 = self.identity.pkcs12.clone().map(Source::File);
        input.cafile = if cafile.is_empty() { env.ca_file.iter().cloned().collect() } else { cafile.to_vec() };
        input.passphrase = self.identity.passphrase(env);
        input.username = self.username.clone().or_else(|| env.username.clone());
        input.thumbprint.clone_from(&self.thumbprint);
        input.previous.clone_from(&self.previous);
        input.profile = Some(profile.clone());
        input
    }

    /// Writes repaired copies where that was asked for, and says what was done to them.
    pub(super) fn write_repaired(&self, input: &FilesInput) -> Outcome {
        let Some(directory) = &self.fix else { return Ok(()) };
        let repaired = repair(input)?;
        make_directory(directory)?;
        let mut files = NewFiles::default();
        let mut said = Vec::new();
        for one in repaired {
            let path = directory.join(&one.name);
            said.push(format!("wrote {}: {}", shown(&path), one.done.join("; ")));
            if one.secret {
                files.add_secret(path, one.content.to_vec());
            } else {
                files.add(path, one.content.to_vec());
            }
        }
        files.write(Existing::Keep)?;
        if said.is_empty() {
            said.push("nothing to repair".to_owned());
        }
        for line in said.iter().filter(|_| !self.json) {
            output::line(line)?;
        }
        Ok(())
    }
}
