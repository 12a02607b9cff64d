//! `gridmq certs order`.

use std::path::PathBuf;

use clap::Args;
use gridmq_tls::{convert, pem};
use serde_json::json;

use super::{contents, existing, passphrase};
use crate::error::{Failure, Outcome};
use crate::files::{self, NewFiles};
use crate::output;

/// Write a chain in order into a new file
///
/// The leaf comes first, then each one's issuer. What is there twice, what has no part in the chain, and the root are
/// left out. The file that is read stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    cat ca/root-ca.pem ca/device1.pem > scrambled.pem\n  \
    gridmq certs order scrambled.pem --out device1-chain.pem")]
pub(super) struct Arguments {
    /// The files to take certificates from
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The private key whose certificate is the leaf
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Keep the root at the end
    #[arg(long)]
    keep_root: bool,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let secret = arguments.passphrase.source();
    let mut certificates = Vec::new();
    for path in &arguments.files {
        certificates.extend(super::certificates(path, secret.as_ref())?);
    }
    let public = match &arguments.key {
        None => None,
        Some(path) => {
            let held = contents(path, secret.as_ref())?;
            let key = held.keys.first().and_then(|key| convert::public_key_of(key.pkcs8()));
            super::private_key(path, &held)?;
            let shown = files::shown(path);
            Some(key.ok_or_else(|| {
                Failure::failed(format!("{shown}: its private key is of a kind that cannot be used here"))
            })?)
        }
    };
    let ordered = convert::order(&certificates, public.as_deref(), arguments.keep_root)?;
    let mut new = NewFiles::default();
    new.add(arguments.out.clone(), pem::encode(&ordered.chain));
    new.write(existing(arguments.force))?;

    let out = files::shown(&arguments.out);
    let subjects = |all: &[gridmq_tls::Certificate]| {
        all.iter().map(|certificate| certificate.subject().to_string()).collect::<Vec<_>>()
    };
    let (chain, unrelated) = (subjects(&ordered.chain), subjects(&ordered.unrelated));
    let root = ordered.root.as_ref().map(|root| root.subject().to_string());
    if arguments.json {
        return output::json(&json!({
            "file": out, "chain": chain, "root": root, "duplicates": ordered.duplicates, "unrelated": unrelated,
        }));
    }
    let mut lines = vec![out];
    lines.extend(chain.iter().enumerate().map(|(at, subject)| format!("{}. {subject}", at + 1)));
    lines.extend(root.map(|root| format!("left out: {root} (root)")));
    lines.extend(unrelated.iter().map(|subject| format!("left out: {subject} (no part of the chain)")));
    if ordered.duplicates > 0 {
        lines.push(format!("left out: {} that were there twice", ordered.duplicates));
    }
    output::line(&output::Style::stdout().mark(true, &output::visible(&lines.join("\n"))))
}
