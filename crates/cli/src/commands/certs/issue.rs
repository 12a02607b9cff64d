//! `gridmq certs issue`.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::Args;
use gridmq_tls::issue::{LeafRequest, Validity};
use serde_json::json;

use super::{INTERMEDIATE, LEAF_DAYS, ROOT, load};
use crate::error::{Failure, Outcome};
use crate::files::{self, Existing, NewFiles};
use crate::{output, utc};

/// Issue a client's or a server's certificate
///
/// Writes NAME.pem (the certificate, then the intermediate's) and NAME.key into the authority's directory.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs issue --dir ca --name server --server \\\n    --dns localhost --ip 127.0.0.1 --ip ::1")]
pub(super) struct Arguments {
    /// The directory that gridmq certs init filled
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The common name, and the name of the files; for a client of Event Grid its authentication name
    #[arg(long, value_name = "NAME", value_parser = file_name)]
    name: String,
    /// A server's certificate; without --dns and --ip it is for NAME
    #[arg(long)]
    server: bool,
    /// A DNS name it is for; may be repeated
    #[arg(long, value_name = "NAME", value_parser = dns_name)]
    dns: Vec<String>,
    /// An IP address it is for; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    ip: Vec<IpAddr>,
    /// A URI it is for; may be repeated
    #[arg(long, value_name = "URI", conflicts_with = "server")]
    uri: Vec<String>,
    /// An e-mail address it is for; may be repeated
    #[arg(long, value_name = "ADDRESS", conflicts_with = "server")]
    email: Vec<String>,
    /// How long it is valid, in days; never longer than the authority
    #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS, value_parser = clap::value_parser!(u32).range(1..=36_500))]
    days: u32,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { dir, name, force, json, .. } = arguments;
    let authority = load(dir, INTERMEDIATE)?;
    let now = utc::now();
    let end = authority.certificate().not_after();
    if end <= now {
        return Err(Failure::failed(format!(
            "the authority in {} expired on {}: make a new one with gridmq certs init --force",
            files::shown(dir),
            utc::date(end)
        )));
    }
    let wanted = Validity::days(now, arguments.days);
    let validity = Validity::new(wanted.not_before(), wanted.not_after().min(end));
    let issued = authority.issue(&arguments.request(), validity)?;

    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    let mut new = NewFiles::default();
    new.add(certificate.clone(), issued.chain_pem());
    new.add_secret(key.clone(), issued.key_pem());
    new.write(if *force { Existing::Replace } else { Existing::Refuse })?;

    let leaf = issued.chain().first();
    let subject = leaf.map(|leaf| leaf.subject().to_string()).unwrap_or_default();
    let thumbprint = leaf.map(|leaf| leaf.thumbprint_sha256()).unwrap_or_default();
    let expires = utc::date(validity.not_after());
    let (certificate, key) = (files::shown(&certificate), files::shown(&key));
    if *json {
        return output::json(&json!({
            "subject": subject, "certificate": certificate, "key": key, "notAfter": expires,
            "thumbprintSha256": thumbprint,
        }));
    }
    let text = format!("{subject}, valid to {expires}\n{certificate}\n{key}\nSHA-256 thumbprint {thumbprint}");
    output::line(&output::Style::stdout().mark(true, &text))
}

impl Arguments {
    fn request(&self) -> LeafRequest {
        if self.server {
            let mut names = self.dns.clone();
            names.extend(self.ip.iter().map(ToString::to_string));
            if names.is_empty() {
                names.push(self.name.clone());
            }
            return LeafRequest::server(names);
        }
        let request = self.dns.iter().fold(LeafRequest::client(&self.name), |request, name| request.dns(name));
        let request = self.uri.iter().fold(request, |request, uri| request.uri(uri));
        let request = self.email.iter().fold(request, |request, address| request.email(address));
        self.ip.iter().fold(request, |request, address| request.ip(*address))
    }
}

/// Letters, digits, hyphens and underscores between dots, 63 at most each (RFC 1123); the first may be `*`.
fn dns_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let name = text.strip_prefix("*.").unwrap_or(text);
    if text.len() > 253 || !name.split('.').all(label) {
        return Err("expected a host name such as localhost or broker.example.org, without scheme and port; an \
            address goes to --ip, and a name with other letters is written in its xn-- form"
            .to_owned());
    }
    Ok(text.to_owned())
}

fn file_name(text: &str) -> Result<String, String> {
    let reserved = [ROOT, INTERMEDIATE].contains(&text);
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    if text.is_empty() || text.len() > 64 || text.starts_with('.') || text.contains(odd) || reserved {
        return Err("the name also names the files: use 1 to 64 characters without / \\ or :, not beginning with a \
            dot, and neither root-ca nor intermediate-ca"
            .to_owned());
    }
    Ok(text.to_owned())
}
