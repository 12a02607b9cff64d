//! `gridmq certs renew`.

use std::path::{Path, PathBuf};

use clap::Args;
use gridmq_tls::inspect::Inspection;
use gridmq_tls::issue::{self, IssuedCertificate, KeyType, LeafRequest, Usage, Validity};
use gridmq_tls::keys::KeyKind;
use gridmq_tls::{Certificate, convert};
use serde_json::json;

use super::{MAX_BYTES, authority, contents, duration, existing, passphrase};
use crate::error::{Failure, Outcome};
use crate::files::{self, NewFiles};
use crate::{output, utc};

/// Issue a certificate anew, with the same subject, names and use
///
/// Takes NAME.pem and NAME.key of the authority's directory. The new pair goes to --out, or takes the place of the old
/// one with --force. It lasts as long as the old one did, and has a new key of the same kind unless --same-key is
/// given; then the key's file stays as it is.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1 --validity 30d\n  \
    gridmq certs renew --dir ca --name device1 --force")]
pub(super) struct Arguments {
    /// The directory that gridmq certs init filled
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The name of the files
    #[arg(long, value_name = "NAME", value_parser = authority::file_name)]
    name: String,
    /// The name of the new files; it may be the same with --force
    #[arg(long, value_name = "NAME", value_parser = authority::file_name)]
    out: Option<String>,
    /// Keep the private key: thumbprints change, pins of the key do not
    #[arg(long, conflicts_with = "key_type")]
    same_key: bool,
    /// The kind of the new key: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096 [default: that of the old
    /// one]
    #[arg(long, value_name = "TYPE")]
    key_type: Option<KeyType>,
    /// How long it is valid, such as 90d, 12h or 60s [default: as long as the old one]
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    validity: Option<u64>,
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
    let Arguments { dir, name, .. } = arguments;
    let (old_path, old_key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    let old = super::certificates(&old_path, None)?;
    let Some(old) = old.first() else { return Err(Failure::failed(format!("{} is empty", files::shown(&old_path)))) };
    let issued = arguments.renewed(old, &old_path, &old_key)?;

    let out = arguments.out.as_deref().unwrap_or(name);
    let (certificate, key) = (dir.join(format!("{out}.pem")), dir.join(format!("{out}.key")));
    let mut new = NewFiles::default();
    new.add(certificate.clone(), issued.chain_pem());
    if !arguments.same_key {
        new.add_secret(key.clone(), issued.key_pem().as_bytes());
    } else if key != old_key {
        // As it is: what was encrypted stays so.
        new.add_secret(key.clone(), files::read(&old_key, MAX_BYTES, "the key")?);
    }
    new.write(existing(arguments.force))?;
    let (expires, thumbprint) = (utc::date(issued.leaf().not_after()), issued.leaf().thumbprint_sha256());
    let (certificate, key) = (files::shown(&certificate), files::shown(&key));
    let subject = issued.leaf().subject();
    if arguments.json {
        return output::json(&json!({
            "subject": subject.to_string(), "certificate": certificate, "key": key, "notAfter": expires,
            "thumbprintSha256": thumbprint, "formerThumbprintSha256": old.thumbprint_sha256(),
        }));
    }
    let text = format!("{subject}, valid to {expires}\n{certificate}\n{key}\nSHA-256 thumbprint {thumbprint}");
    output::line(&output::Style::stdout().mark(true, &text))
}

impl Arguments {
    fn renewed(&self, old: &Certificate, path: &Path, old_key: &Path) -> Result<IssuedCertificate, Failure> {
        if old.is_ca() && !old.is_self_issued() {
            return Err(Failure::failed(format!("{} is an authority: make it anew with certs init", old.subject())));
        }
        let life = old.not_after().saturating_sub(old.not_before()).saturating_sub(Validity::MARGIN).max(1);
        let seconds = self.validity.unwrap_or(life);
        let key_type = self.key_type.or_else(|| kind_of(old)).unwrap_or_default();
        let lists = Inspection::of(old).crl_uris;
        let request = lists.iter().fold(LeafRequest::like(old).key_type(key_type), |request, uri| request.crl_uri(uri));

        if old.is_self_issued() {
            if self.same_key {
                return Err(Failure::usage(
                    "a self-signed certificate is renewed with a new key: leave out --same-key",
                ));
            }
            let usage = if old.extended_key_usage().is_some() { Usage::of(old) } else { Usage::Unspecified };
            let validity = Validity::seconds(utc::now(), seconds);
            return Ok(issue::self_signed(&request.usage(usage), old.is_ca(), validity)?);
        }
        let secret = self.passphrase.source();
        let issuer = authority::issuer(&self.dir, secret.as_ref())?;
        if old.issuer() != issuer.certificate().subject() {
            return Err(Failure::failed(format!(
                "{} was issued by {}, and the authority in {} is {}: renew it where it came from",
                files::shown(path),
                old.issuer(),
                files::shown(&self.dir),
                issuer.certificate().subject()
            )));
        }
        let validity = authority::validity(&issuer, seconds);
        let issued = if self.same_key {
            let held = contents(old_key, secret.as_ref())?;
            let key = super::private_key(old_key, &held)?.pkcs8();
            if convert::public_key_of(key).is_some_and(|public| public != old.public_key()) {
                let (key, path) = (files::shown(old_key), files::shown(path));
                return Err(Failure::failed(format!(
                    "{key} is not the key of {path}: put back the key that belongs to it, or leave out --same-key"
                )));
            }
            issuer.issue_for_key(&request, &convert::key_to_pem(key), validity)?
        } else {
            issuer.issue(&request, validity)?
        };
        authority::believes(&issuer, issued.leaf())?;
        Ok(issued)
    }
}

/// The kind of a certificate's key, where this program makes such keys.
fn kind_of(certificate: &Certificate) -> Option<KeyType> {
    match KeyKind::of(certificate.public_key()) {
        KeyKind::Ec { curve, .. } if curve == "P-256" => Some(KeyType::EcdsaP256),
        KeyKind::Ec { curve, .. } if curve == "P-384" => Some(KeyType::EcdsaP384),
        KeyKind::Ed25519 => Some(KeyType::Ed25519),
        KeyKind::Rsa { bits: 2048 } => Some(KeyType::Rsa2048),
        KeyKind::Rsa { bits: 3072 } => Some(KeyType::Rsa3072),
        KeyKind::Rsa { bits: 4096 } => Some(KeyType::Rsa4096),
        _ => None,
    }
}
