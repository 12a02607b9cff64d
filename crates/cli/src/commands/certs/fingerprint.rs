//! `gridmq certs fingerprint`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use gridmq_tls::inspect::Thumbprints;
use serde_json::json;

use super::passphrase;
use crate::error::Outcome;
use crate::output;

/// One form alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// SHA-1, 40 upper-case digits: Windows, older Azure services
    Sha1,
    /// SHA-1 with colons
    Sha1Colons,
    /// SHA-256, 64 upper-case digits: Event Grid, IoT Hub
    Sha256,
    /// SHA-256 with colons: OpenSSL, browsers
    Sha256Colons,
    /// SHA-256 in base64
    Sha256Base64,
    /// SHA-256 of the public key, 64 lower-case digits
    KeySha256,
    /// SHA-256 of the public key in base64, as curl's --pinnedpubkey takes it
    KeyPin,
}

impl Form {
    const ALL: [(Self, &'static str); 7] = [
        (Self::Sha1, "SHA-1"),
        (Self::Sha1Colons, "SHA-1 with colons"),
        (Self::Sha256, "SHA-256"),
        (Self::Sha256Colons, "SHA-256 with colons"),
        (Self::Sha256Base64, "SHA-256 in base64"),
        (Self::KeySha256, "SHA-256 of the key"),
        (Self::KeyPin, "pin of the key"),
    ];

    fn of(self, prints: &Thumbprints) -> String {
        match self {
            Self::Sha1 => prints.sha1().to_owned(),
            Self::Sha1Colons => prints.sha1_colons(),
            Self::Sha256 => prints.sha256().to_owned(),
            Self::Sha256Colons => prints.sha256_colons(),
            Self::Sha256Base64 => prints.sha256_base64(),
            Self::KeySha256 => prints.key_sha256(),
            Self::KeyPin => prints.key_pin(),
        }
    }
}

/// Show a certificate's thumbprints in the forms that services ask for
///
/// Of a chain, the first certificate's, or with --all of each.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs fingerprint ca/device1.pem --form sha256")]
pub(super) struct Arguments {
    /// The file
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// This form alone, without words around it
    #[arg(long, value_name = "FORM")]
    form: Option<Form>,
    /// Every certificate of the file
    #[arg(long)]
    all: bool,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Say it as JSON, a line for each certificate
    #[arg(long, conflicts_with = "form")]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let certificates = super::certificates(&arguments.file, arguments.passphrase.source().as_ref())?;
    let count = if arguments.all { certificates.len() } else { 1 };
    for certificate in certificates.iter().take(count) {
        let prints = Thumbprints::of(certificate);
        if arguments.json {
            output::json(&json!({
                "subject": certificate.subject().to_string(),
                "sha1": prints.sha1(), "sha1Colons": prints.sha1_colons(),
                "sha256": prints.sha256(), "sha256Colons": prints.sha256_colons(),
                "sha256Base64": prints.sha256_base64(),
                "keySha256": prints.key_sha256(), "keyPin": prints.key_pin(),
            }))?;
        } else if let Some(form) = arguments.form {
            output::line(&form.of(&prints))?;
        } else {
            output::line(&output::visible(&certificate.subject().to_string()))?;
            for (form, name) in Form::ALL {
                // A name alone above what would be longer than a terminal's line.
                let value = form.of(&prints);
                let gap = if value.len() > 56 { "\n    " } else { " " };
                output::line(&format!("  {name:<20}{gap}{value}"))?;
            }
        }
    }
    Ok(())
}
