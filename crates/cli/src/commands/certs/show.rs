//! `gridmq certs show`.

use std::path::PathBuf;

use clap::Args;
use gridmq_tls::{Certificate, pem};
use serde_json::{Value, json};

use super::MAX_BYTES;
use crate::error::{Failure, Outcome};
use crate::output::{Colour, Style};
use crate::{files, output, utc};

/// Show what certificates say
///
/// Shows subject, issuer, validity, alternative names, usage and the thumbprints that Event Grid can be given.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs show ca/device1.pem")]
pub(super) struct Arguments {
    /// PEM or DER files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// A line of JSON for each certificate
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let mut failures = 0_usize;
    for path in &arguments.files {
        match read(path) {
            Ok(certificates) => {
                for (number, certificate) in certificates.iter().enumerate() {
                    show(arguments.json, path, number, certificate)?;
                }
            }
            // The others are still worth a look.
            Err(failure) if arguments.files.len() > 1 => {
                failures += 1;
                failure.report();
            }
            Err(failure) => return Err(failure),
        }
    }
    if failures > 0 { Err(Failure::said()) } else { Ok(()) }
}

fn read(path: &std::path::Path) -> Result<Vec<Certificate>, Failure> {
    let bytes = files::read(path, MAX_BYTES, "the file")?;
    let shown = || files::shown(path);
    // DER begins with the tag of a SEQUENCE, which no PEM text begins with.
    if bytes.first() == Some(&0x30)
        && let Ok(certificate) = Certificate::from_der(&bytes)
    {
        return Ok(vec![certificate]);
    }
    pem::certificates(&bytes).map_err(|error| Failure::from(error).during(shown()))
}

fn show(as_json: bool, path: &std::path::Path, number: usize, certificate: &Certificate) -> Outcome {
    if as_json {
        return output::json(&document(path, certificate));
    }
    let style = Style::stdout();
    let title = format!("{} [{}] {}", path.display(), number + 1, certificate.subject());
    output::line(&style.paint(Colour::Bold, &output::visible(&title)))?;
    for (name, value) in facts(certificate, utc::now()) {
        output::line(&format!("  {name:<18} {}", output::visible(&value)))?;
    }
    Ok(())
}

fn facts(certificate: &Certificate, now: u64) -> Vec<(&'static str, String)> {
    let names = certificate.alternative_names();
    let mut listed: Vec<String> = names.dns.iter().map(|name| format!("DNS:{name}")).collect();
    listed.extend(names.ip.iter().map(|ip| format!("IP:{ip}")));
    listed.extend(names.uri.iter().map(|uri| format!("URI:{uri}")));
    listed.extend(names.email.iter().map(|address| format!("email:{address}")));
    let state = if now > certificate.not_after() {
        " (expired)"
    } else if now < certificate.not_before() {
        " (not yet valid)"
    } else {
        ""
    };
    let self_signed = if certificate.is_self_issued() { " (self-signed)" } else { "" };
    let usage = match (certificate.allows_client_auth(), certificate.allows_server_auth()) {
        (true, true) => "client and server",
        (true, false) => "client",
        (false, true) => "server",
        (false, false) => "neither client nor server",
    };
    let mut facts = vec![
        ("issuer", format!("{}{self_signed}", certificate.issuer())),
        ("valid from", utc::date(certificate.not_before())),
        ("valid to", format!("{}{state}", utc::date(certificate.not_after()))),
        ("CA", if certificate.is_ca() { "yes" } else { "no" }.to_owned()),
    ];
    if !certificate.is_ca() {
        facts.push(("may be used as", usage.to_owned()));
    }
    if !listed.is_empty() {
        facts.push(("alternative names", listed.join(", ")));
    }
    facts.push(("serial", certificate.serial().to_owned()));
    facts.push(("SHA-1", certificate.thumbprint_sha1().to_owned()));
    facts.push(("SHA-256", certificate.thumbprint_sha256().to_owned()));
    facts
}

fn document(path: &std::path::Path, certificate: &Certificate) -> Value {
    let names = certificate.alternative_names();
    json!({
        "file": path.display().to_string(),
        "subject": certificate.subject().to_string(),
        "issuer": certificate.issuer().to_string(),
        "notBefore": utc::date(certificate.not_before()),
        "notAfter": utc::date(certificate.not_after()),
        "ca": certificate.is_ca(),
        "clientAuth": certificate.allows_client_auth(),
        "serverAuth": certificate.allows_server_auth(),
        "alternativeNames": {
            "dns": names.dns,
            "ip": names.ip.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "uri": names.uri,
            "email": names.email,
        },
        "serial": certificate.serial(),
        "thumbprintSha1": certificate.thumbprint_sha1(),
        "thumbprintSha256": certificate.thumbprint_sha256(),
    })
}
