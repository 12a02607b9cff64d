//! `gridmq certs inspect`.

mod account;
mod presented;
mod tree;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use gridmq_tls::convert::Contents;
use gridmq_tls::inspect::Chain;
use gridmq_tls::{Certificate, catalogue::Severity};

use super::{MAX_BYTES, passphrase};
use crate::error::{Failure, Outcome};
use crate::output::{Colour, Style};
use crate::{files, output, utc};

/// Show what certificates say, and how they hang together
///
/// Takes files in PEM, DER, PKCS#7 and PKCS#12, and URLs such as mqtts://HOST:8883 or tls://HOST:PORT: then it shows
/// what the server presents, believed or not. A chain with a fault makes it end with code 1.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs inspect ca/device1.pem --ca ca/root-ca.pem")]
pub(super) struct Arguments {
    /// Files, or URLs of servers
    #[arg(value_name = "FILE|URL", required = true)]
    places: Vec<PathBuf>,
    /// Authorities that are trusted: a chain that ends elsewhere is then a fault
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// How long to wait for a server, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=300))]
    timeout: u64,
    /// A line of JSON for each certificate
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let trusted = match &arguments.ca {
        Some(path) => super::certificates(path, None)?,
        None => Vec::new(),
    };
    let mut failures = 0_usize;
    for (number, place) in arguments.places.iter().enumerate() {
        match look(arguments, place) {
            Ok(found) => {
                if number > 0 && !arguments.json {
                    output::line("")?;
                }
                failures += usize::from(!show(arguments.json, place, &found, &trusted)?);
            }
            // The others are still worth a look.
            Err(failure) if arguments.places.len() > 1 => {
                failures += 1;
                failure.report();
            }
            Err(failure) => return Err(failure),
        }
    }
    if failures > 0 { Err(Failure::said()) } else { Ok(()) }
}

/// Certificates, and in words what they were found in.
struct Found {
    certificates: Vec<Certificate>,
    what: String,
}

fn look(arguments: &Arguments, place: &Path) -> Result<Found, Failure> {
    if let Some(url) = place.to_str().filter(|text| text.contains("://")) {
        return presented::by(url, Duration::from_secs(arguments.timeout));
    }
    if let Some(text) = place.to_str().filter(|text| is_host_and_port(text) && !place.exists()) {
        return Err(Failure::failed(format!("{text} is no file; to see what a server presents, write tls://{text}")));
    }
    let bytes = files::read(place, MAX_BYTES, "the file")?;
    let shown = || files::shown(place);
    let contents = Contents::read(&bytes, arguments.passphrase.source().as_ref())
        .map_err(|error| Failure::from(error).during(shown()))?;
    if contents.certificates.is_empty() {
        return Err(super::no_certificate(place, &contents));
    }
    Ok(Found { what: contents.classified.to_string(), certificates: contents.certificates })
}

fn is_host_and_port(text: &str) -> bool {
    let parts = text.rsplit_once(':');
    parts.is_some_and(|(host, port)| !host.is_empty() && !host.contains('/') && port.parse::<u16>().is_ok())
}

/// Shows it all; is it without a fault?
fn show(as_json: bool, place: &Path, found: &Found, trusted: &[Certificate]) -> Result<bool, Failure> {
    let now = utc::now();
    let chain = Chain::of(&found.certificates, trusted, now);
    let expired =
        |link: &gridmq_tls::inspect::Link| link.faults.iter().any(|fault| fault.severity() == Severity::Error);
    let sound = !chain.links().iter().any(expired);
    if as_json {
        for link in chain.links() {
            output::json(&account::document(place, link, now))?;
        }
        return Ok(sound);
    }
    let style = Style::stdout();
    let title = format!("{}: {}", place.display(), found.what);
    output::line(&style.paint(Colour::Bold, &output::visible(&title)))?;
    for link in chain.links() {
        output::line("")?;
        for line in account::lines(link, now, style) {
            output::line(&line)?;
        }
    }
    output::line("")?;
    for line in tree::lines(&chain, style) {
        output::line(&line)?;
    }
    Ok(sound)
}
