//! `gridmq certs verify`.

use std::path::PathBuf;

use clap::Args;
use gridmq_tls::Certificate;
use gridmq_tls::convert;
use gridmq_tls::inspect::{Comparison, Judge, Outcome as Ruling, Purpose, Question};
use serde_json::{Value, json};

use super::passphrase;
use crate::error::{Failure, Outcome};
use crate::output::Style;
use crate::{files, output, utc};

/// Ask whether a certificate is believed: by Event Grid, by OpenSSL and by rustls
///
/// The file holds the leaf and what is sent with it; --ca what the other side trusts. Where the three differ, it says
/// why. Ends with code 1 unless all agree that the certificate is good.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs issue --dir ca --name server --server --dns localhost\n  \
    gridmq certs verify ca/device1.pem --ca ca/root-ca.pem\n  \
    gridmq certs verify ca/server.pem --ca ca/root-ca.pem \\\n    --host localhost")]
pub(super) struct Arguments {
    /// The leaf's file, with its intermediates
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The authorities that the other side trusts; may be repeated
    #[arg(long, value_name = "FILE", required = true)]
    ca: Vec<PathBuf>,
    /// More intermediates that are sent
    #[arg(long, value_name = "FILE")]
    chain: Vec<PathBuf>,
    /// It is a server's, called by this host name or IP address
    #[arg(long, value_name = "HOST")]
    host: Option<String>,
    /// It is a server's
    #[arg(long)]
    server: bool,
    /// OpenSSL's security level: 2 on Debian and Ubuntu, 1 elsewhere
    #[arg(long, value_name = "LEVEL", default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=5))]
    security_level: u8,
    /// As of this second since 1970 in place of now
    #[arg(long, value_name = "SECONDS")]
    at: Option<u64>,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Say it as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let secret = arguments.passphrase.source();
    let mut sent = super::certificates(&arguments.file, secret.as_ref())?;
    for path in &arguments.chain {
        sent.extend(super::certificates(path, None)?);
    }
    let mut anchors = Vec::new();
    for path in &arguments.ca {
        anchors.extend(super::certificates(path, None)?);
    }
    let now = arguments.at.unwrap_or_else(utc::now);
    // The leaf need not be the first; a lone authority is taken for what it is given as.
    let leaf = convert::order(&sent, None, true).ok().and_then(|ordered| ordered.chain.into_iter().next());
    let Some(leaf) = leaf.or_else(|| sent.first().cloned()) else {
        return Err(Failure::failed(format!("{} is empty", files::shown(&arguments.file))));
    };
    let intermediates: Vec<Certificate> = sent.into_iter().filter(|one| *one != leaf).collect();
    let purpose = if arguments.server || arguments.host.is_some() { Purpose::Server } else { Purpose::Client };
    let question = Question::new(&leaf, &intermediates, &anchors, purpose, now);
    let question = question.security_level(arguments.security_level);
    let question = arguments.host.as_deref().map_or(question, |host| question.host(host));
    let comparison = question.judge();
    if arguments.json {
        output::json(&document(&leaf, &comparison))?;
    } else {
        show(&leaf, purpose, &comparison)?;
    }
    if comparison.is_accepted_by_all() { Ok(()) } else { Err(Failure::said()) }
}

fn show(leaf: &Certificate, purpose: Purpose, comparison: &Comparison) -> Outcome {
    let style = Style::stdout();
    let side = if purpose == Purpose::Server { "a server's" } else { "a client's" };
    output::line(&output::visible(&format!("{} as {side} certificate", leaf.subject())))?;
    for verdict in &comparison.verdicts {
        let judge = verdict.judge.to_string();
        let line = match &verdict.outcome {
            Ruling::Accepted => style.mark(true, &format!("{judge:<10} believes it")),
            Ruling::Refused { code, rule, subject } => {
                let code = code.map(|code| format!(" (error {code})")).unwrap_or_default();
                style.mark(false, &output::visible(&format!("{judge:<10} refuses {subject}: {rule}{code}")))
            }
            _ => format!("  {judge:<10} does not judge servers"),
        };
        output::line(&line)?;
    }
    for difference in &comparison.differences {
        output::line(&style.mark(true, &format!("Note: {difference}")).replacen('✓', "·", 1))?;
    }
    Ok(())
}

fn document(leaf: &Certificate, comparison: &Comparison) -> Value {
    let verdict = |judge| match comparison.of(judge) {
        Ruling::Accepted => json!({ "accepted": true }),
        Ruling::Refused { code, rule, subject } => {
            json!({ "accepted": false, "code": code, "rule": rule, "subject": subject })
        }
        _ => Value::Null,
    };
    let differences: Vec<Value> = comparison
        .differences
        .iter()
        .map(|difference| json!({ "name": difference.name(), "text": difference.to_string() }))
        .collect();
    json!({
        "subject": leaf.subject().to_string(),
        "eventGrid": verdict(Judge::EventGrid),
        "openssl": verdict(Judge::OpenSsl),
        "rustls": verdict(Judge::Rustls),
        "differences": differences,
    })
}
