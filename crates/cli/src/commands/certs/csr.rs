//! `gridmq certs csr`.

use std::path::PathBuf;

use clap::Args;
use gridmq_tls::convert::{self, Salt};
use gridmq_tls::issue::{KeyType, LeafRequest, NewRequest};
use serde_json::json;

use super::{contents, existing, names, passphrase, profile::Purpose};
use crate::error::{Failure, Outcome};
use crate::files::{self, NewFiles};
use crate::output;

/// Make a certification request for an authority elsewhere
///
/// Writes OUT.csr and OUT.key. With --key it asks for a key that is there already, and with --like for what an earlier
/// certificate says; then OUT.csr alone is written.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  gridmq certs csr --name device2 --dns device2.example.org --out device2")]
pub(super) struct Arguments {
    /// The common name
    #[arg(long, value_name = "NAME", required_unless_present = "like", value_parser = names::common_name)]
    name: Option<String>,
    /// Where to write, without the ending
    #[arg(long, value_name = "OUT")]
    out: PathBuf,
    #[command(flatten)]
    names: names::Options,
    /// What it will be used for
    #[arg(long, value_name = "USE", default_value = "client")]
    usage: Purpose,
    /// Ask for the subject, names and use of this certificate
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "dns", "ip", "uri", "email", "usage"])]
    like: Option<PathBuf>,
    /// The kind of the new key: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "TYPE", default_value_t)]
    key_type: KeyType,
    /// Use this private key in place of a new one
    #[arg(long, value_name = "FILE", conflicts_with = "key_type")]
    key: Option<PathBuf>,
    /// Encrypt the new private key
    #[arg(long, conflicts_with = "key")]
    encrypt: bool,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let wanted = arguments.wanted()?.key_type(arguments.key_type);
    let ending = |ending: &str| {
        let mut path = arguments.out.clone().into_os_string();
        path.push(ending);
        PathBuf::from(path)
    };
    let (out, out_key) = (ending(".csr"), ending(".key"));
    let mut new = NewFiles::default();
    let made = match &arguments.key {
        Some(path) => {
            let held = contents(path, arguments.passphrase.source().as_ref())?;
            NewRequest::for_key(&wanted, &convert::key_to_pem(super::private_key(path, &held)?.pkcs8()))?
        }
        None => {
            let made = NewRequest::new(&wanted)?;
            if arguments.encrypt {
                let secret = arguments.passphrase.new_passphrase("the new key")?;
                let key = convert::encrypt_key(made.key_pkcs8(), secret.expose(), Salt::random()?)?;
                new.add_secret(out_key.clone(), key);
            } else {
                new.add_secret(out_key.clone(), made.key_pem().as_bytes());
            }
            made
        }
    };
    let request = made.request();
    new.add(out.clone(), request.to_pem());
    new.write(existing(arguments.force))?;

    let (out, key) = (files::shown(&out), arguments.key.is_none().then(|| files::shown(&out_key)));
    let (subject, kind) = (request.subject().to_string(), request.key_kind().to_string());
    if arguments.json {
        return output::json(&json!({
            "subject": subject, "alternativeNames": request.alternative_names(), "keyKind": kind,
            "request": out, "key": key,
        }));
    }
    let lines: Vec<String> = [format!("{subject}, {kind}"), out].into_iter().chain(key).collect();
    output::line(&output::Style::stdout().mark(true, &lines.join("\n")))
}

impl Arguments {
    fn wanted(&self) -> Result<LeafRequest, Failure> {
        if let Some(path) = &self.like {
            let certificates = super::certificates(path, self.passphrase.source().as_ref())?;
            let first = certificates.first().map(LeafRequest::like);
            return first.ok_or_else(|| Failure::failed(format!("{} is empty", files::shown(path))));
        }
        let name = self.name.as_deref().unwrap_or_default();
        Ok(self.names.add_to(LeafRequest::client(name)).usage(self.usage.usage()))
    }
}
