//! `gridmq certs enroll`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use gridmq_client::env::Settings as EnvFile;
use gridmq_client::est::{EstClient, Hook, PairFiles};
use gridmq_tls::certificate::AlternativeNames;
use gridmq_tls::est::{CertificateRequest, Enrolment, EnrolmentKey};
use gridmq_tls::issue::KeyType;
use gridmq_tls::source::Source;
use gridmq_tls::{Identity, pem};
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::{MAX_BYTES, names};
use crate::commands::block_on;
use crate::connection::identity::IdentityOptions;
use crate::connection::password;
use crate::connection::trust::TrustOptions;
use crate::error::{Failure, Outcome};
use crate::files::{self, Existing, NewFiles};
use crate::{output, utc};

/// Get a certificate from an EST server, or renew one
///
/// A first certificate is asked for with a user name and a password, or with a bootstrap certificate (--cert, --key).
/// With --reenroll the certificate of --cert is renewed: subject and names stay, the key is new unless --same-key is
/// given. The answer is checked against the request before anything is written.
#[derive(Debug, Args)]
#[command(after_help = "Example, against `gridmq serve` with [est]:\n  \
    gridmq certs enroll --est https://localhost:9443 --cafile ca/root-ca.pem \\\n    \
    --user device1 --password-file secret --out-cert device1.pem --out-key device1.key\n\n\
    The user's line for the server's file of users:\n  \
    gridmq certs user device1 --password-file secret >> users\n\n\
    See docs/est.md for a server and a whole round.")]
pub(super) struct Arguments {
    /// The server: https://HOST, with :PORT and /LABEL as needed
    #[arg(long, value_name = "URL")]
    est: String,
    #[command(flatten)]
    trust: TrustOptions,
    #[command(flatten)]
    identity: IdentityOptions,
    /// The user to enrol as
    #[arg(short = 'u', long, value_name = "NAME", requires = "password_file")]
    user: Option<String>,
    /// A file whose first line is the user's password
    #[arg(long, value_name = "FILE", requires = "user")]
    password_file: Option<PathBuf>,
    /// Renew the certificate of --cert
    #[arg(long, requires = "cert", conflicts_with_all = ["name", "dns", "ip", "uri", "email"])]
    reenroll: bool,
    /// The common name [default: the user's name]
    #[arg(long, visible_alias = "cn", value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    names: names::Options,
    /// The new key's type: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096 [default: what the server asks
    /// for, or ec-p256]
    #[arg(long, value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// Keep the key of --key, which must be a plain PEM file
    #[arg(long, requires = "reenroll", conflicts_with = "key_type")]
    same_key: bool,
    /// Where the certificate goes, with its intermediates
    #[arg(long, value_name = "FILE")]
    out_cert: PathBuf,
    /// Where the new key goes
    #[arg(long, value_name = "FILE", required_unless_present = "same_key", conflicts_with = "same_key")]
    out_key: Option<PathBuf>,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// How long to wait if somebody has to approve the request first, such as 10m [default: not at all]
    #[arg(long, value_name = "TIME", value_parser = super::duration::parse)]
    wait: Option<u64>,
    /// A program to run afterwards; it finds GRIDMQ_CERT, GRIDMQ_KEY and GRIDMQ_NOT_AFTER in its environment
    #[arg(long, value_name = "PROGRAM")]
    hook: Option<OsString>,
    /// An argument of that program; may be repeated
    #[arg(long, value_name = "ARGUMENT", requires = "hook", allow_hyphen_values = true)]
    hook_arg: Vec<OsString>,
    /// Say what came as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    block_on(enroll(arguments))
}

async fn enroll(arguments: &Arguments) -> Outcome {
    arguments.refuse_existing()?;
    let identity = arguments.identity.load(&EnvFile::default())?;
    let trust = arguments.trust.load(&EnvFile::default(), utc::now())?;
    let mut builder = EstClient::builder(&arguments.est).trust(trust);
    if let Some(identity) = &identity {
        builder = builder.identity(identity.clone());
    }
    if let (Some(user), Some(path)) = (&arguments.user, &arguments.password_file) {
        builder = builder.password(user, password(path)?);
    }
    let client = builder.build()?;
    let key = match arguments.kept_key()? {
        Some(key) => key,
        None => {
            let wanted = match arguments.key_type {
                Some(wanted) => Some(wanted),
                None => client.csr_attributes().await?.key_type(),
            };
            EnrolmentKey::generate(wanted.unwrap_or_default())?
        }
    };
    let request = arguments.request(&key, identity.as_ref())?;
    let granted = arguments.ask(&client, &request).await?;
    let new = client.accept(granted, &request, &key).await?;
    arguments.write(&new, &key)?;
    arguments.report(&new)?;
    if let Some(program) = &arguments.hook {
        let hook = arguments.hook_arg.iter().fold(Hook::new(program), Hook::argument);
        let key = arguments.out_key.clone().or_else(|| arguments.key_file().map(Path::to_owned)).unwrap_or_default();
        hook.run(&new, Some(&PairFiles::new(&arguments.out_cert, key))).await?;
    }
    Ok(())
}

impl Arguments {
    /// Before a certificate is issued that could not be kept.
    fn refuse_existing(&self) -> Outcome {
        if self.force {
            return Ok(());
        }
        let there = [Some(&self.out_cert), self.out_key.as_ref()].into_iter().flatten().find(|path| path.exists());
        match there {
            Some(path) => Err(Failure::failed(format!(
                "already there and left alone: {}; name another file, or add --force",
                files::shown(path)
            ))),
            None => Ok(()),
        }
    }

    fn key_file(&self) -> Option<&Path> {
        match (&self.identity.key, &self.identity.cert) {
            (Some(Source::File(path)), _) | (None, Some(Source::File(path))) => Some(path),
            _ => None,
        }
    }

    fn kept_key(&self) -> Result<Option<EnrolmentKey>, Failure> {
        if !self.same_key {
            return Ok(None);
        }
        let path =
            self.key_file().ok_or_else(|| Failure::usage("--same-key needs a key in a file: give --key FILE"))?;
        let text = files::read_text(path, MAX_BYTES, "the key")?;
        let key = EnrolmentKey::from_pem(&text).map_err(|error| Failure::failed(error).during(files::shown(path)))?;
        Ok(Some(key))
    }

    fn request(&self, key: &EnrolmentKey, identity: Option<&Identity>) -> Result<CertificateRequest, Failure> {
        let current = identity.and_then(|identity| identity.chain().first());
        if self.reenroll {
            let current = current.ok_or_else(|| Failure::usage("--reenroll needs the certificate to renew: --cert"))?;
            return Ok(CertificateRequest::renewing(key, current)?);
        }
        let mut names = AlternativeNames::default();
        names.dns.clone_from(&self.names.dns);
        names.ip.clone_from(&self.names.ip);
        names.uri.clone_from(&self.names.uri);
        names.email.clone_from(&self.names.email);
        let of_certificate = || current.and_then(|current| current.subject().common_name());
        let name = self.name.as_deref().or(self.user.as_deref()).or_else(of_certificate);
        if name.is_none() && names.is_empty() {
            return Err(Failure::usage("give the name to enrol: --name"));
        }
        Ok(CertificateRequest::new(key, name.unwrap_or_default(), &names)?)
    }

    /// Asks until it is decided, as long as there is time.
    async fn ask(
        &self,
        client: &EstClient,
        request: &CertificateRequest,
    ) -> Result<gridmq_tls::est::Enrolled, Failure> {
        let deadline = Instant::now() + Duration::from_secs(self.wait.unwrap_or(0));
        loop {
            let answer = if self.reenroll { client.reenroll(request).await? } else { client.enroll(request).await? };
            let seconds = match answer {
                Enrolment::Issued(granted) => return Ok(granted),
                Enrolment::Pending { retry_after } => retry_after,
                _ => return Err(Failure::failed("the server's answer is of a kind that this version does not know")),
            };
            let next = Instant::now() + Duration::from_secs(seconds);
            if next > deadline {
                return Err(Failure::failed(format!(
                    "the server has taken the request, and somebody has to approve it; it wants to be asked again in \
                     {seconds} s: run this with --wait, since another run asks for another key"
                )));
            }
            tracing::info!(seconds, "the request waits for approval");
            sleep(Duration::from_secs(seconds)).await;
        }
    }

    fn write(&self, new: &Identity, key: &EnrolmentKey) -> Outcome {
        let mut written = NewFiles::default();
        if let Some(path) = &self.out_key {
            written.add_secret(path.clone(), key.pem());
        }
        written.add(self.out_cert.clone(), pem::encode(new.chain()));
        written.write(if self.force { Existing::Replace } else { Existing::Refuse })
    }

    fn report(&self, new: &Identity) -> Outcome {
        let certificate = files::shown(&self.out_cert);
        let key = self.out_key.as_deref().map(files::shown);
        let expires = utc::date(new.not_after());
        if self.json {
            return output::json(&json!({
                "subject": new.subject(), "certificate": certificate, "key": key, "notAfter": expires,
                "thumbprintSha256": new.thumbprint_sha256(),
            }));
        }
        let key = key.map(|key| format!("\n{key}")).unwrap_or_default();
        let text = format!("{}, valid to {expires}\n{certificate}{key}", new.subject());
        output::line(&output::Style::stdout().mark(true, &text))
    }
}
