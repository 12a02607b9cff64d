//! `gridmq certs issue`.

use std::path::{Path, PathBuf};

use clap::Args;
use gridmq_tls::Certificate;
use gridmq_tls::issue::{
    self, IssuedCertificate, KeyType, LeafRequest, SignedCertificate, SigningProfile, SigningRequest, Validity,
};
use serde_json::json;

use super::profile::{Profile, Purpose};
use super::{LEAF_DAYS, MAX_BYTES, authority, duration, existing, names, passphrase};
use crate::error::{Failure, Outcome};
use crate::files::{self, NewFiles};
use crate::{output, utc};

/// Issue a client's or a server's certificate
///
/// Writes NAME.pem (the certificate, then the intermediate's) and NAME.key into the authority's directory. For a
/// request made elsewhere (--csr) the key stays where it is, and only NAME.pem is written.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    gridmq certs issue --dir ca --name server --server \\\n    --dns localhost --ip 127.0.0.1 --ip ::1\n  \
    gridmq certs issue --dir ca --name pump7.example.org \\\n    --profile dns --validity 90d\n  \
    gridmq certs issue --dir ca --name pump8 \\\n    --profile uri --uri urn:device:pump8\n  \
    gridmq certs csr --name device2 --out device2\n  \
    gridmq certs issue --dir ca --name device2 --csr device2.csr")]
pub(super) struct Arguments {
    /// The directory that gridmq certs init filled
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// The common name, and the name of the files; for a client of Event Grid its authentication name
    #[arg(long, value_name = "NAME", value_parser = authority::file_name)]
    name: String,
    /// A server's certificate; without --dns and --ip it is for NAME
    #[arg(long, conflicts_with_all = ["uri", "email", "profile"])]
    server: bool,
    /// What it may be used for, instead of a client's or a server's side alone
    #[arg(long, value_name = "USE", conflicts_with = "server")]
    usage: Option<Purpose>,
    /// The common name, where it is not the NAME of the files
    #[arg(long, value_name = "NAME", value_parser = names::common_name)]
    cn: Option<String>,
    #[command(flatten)]
    names: names::Options,
    /// Where an Event Grid namespace finds the client's authentication name
    #[arg(long, value_name = "PROFILE", conflicts_with = "csr")]
    profile: Option<Profile>,
    /// Sign this request (PKCS#10) in place of making a key; subject and names are as it asks
    #[arg(long, value_name = "FILE", conflicts_with_all = ["dns", "ip", "uri", "email", "key_type"])]
    csr: Option<PathBuf>,
    /// The kind of its key: ec-p256, ec-p384, ed25519, rsa-2048, rsa-3072 or rsa-4096
    #[arg(long, value_name = "TYPE", default_value_t)]
    key_type: KeyType,
    /// How long it is valid, in days; never longer than the authority
    #[arg(long, value_name = "DAYS", default_value_t = LEAF_DAYS, value_parser = duration::days)]
    days: u32,
    /// How long it is valid, such as 90d, 12h or 60s
    #[arg(long, value_name = "TIME", conflicts_with = "days", value_parser = duration::parse)]
    validity: Option<u64>,
    /// Where the revocation list will be found, to be named in the certificate
    #[arg(long, value_name = "URI", value_parser = names::uri)]
    crl_uri: Option<String>,
    #[command(flatten)]
    passphrase: passphrase::Options,
    /// Replace files that are there
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

/// What was made: with the key, or for a key that somebody else has.
enum Made {
    Issued(IssuedCertificate),
    Signed(SignedCertificate),
}

impl Made {
    fn chain_pem(&self) -> String {
        match self {
            Self::Issued(issued) => issued.chain_pem(),
            Self::Signed(signed) => signed.chain_pem(),
        }
    }

    fn leaf(&self) -> &Certificate {
        match self {
            Self::Issued(issued) => issued.leaf(),
            Self::Signed(signed) => signed.leaf(),
        }
    }

    fn key_pem(&self) -> Option<&str> {
        match self {
            Self::Issued(issued) => Some(issued.key_pem()),
            Self::Signed(_) => None,
        }
    }
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    let Arguments { dir, name, force, json, .. } = arguments;
    let (made, authentication_name) = arguments.make()?;
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    let mut new = NewFiles::default();
    new.add(certificate.clone(), made.chain_pem());
    if let Some(key_pem) = made.key_pem() {
        new.add_secret(key.clone(), key_pem.as_bytes());
    }
    files::make_directory(dir)?;
    new.write(existing(*force))?;

    let (subject, thumbprint) = (made.leaf().subject().to_string(), made.leaf().thumbprint_sha256());
    let expires = utc::date(made.leaf().not_after());
    let certificate = files::shown(&certificate);
    let key = made.key_pem().map(|_| files::shown(&key));
    let scheme = arguments.profile.map(Profile::validation_scheme);
    let authentication_name = scheme.and(authentication_name);
    if *json {
        return output::json(&json!({
            "subject": subject, "certificate": certificate, "key": key, "notAfter": expires,
            "thumbprintSha256": thumbprint, "validationScheme": scheme, "authenticationName": authentication_name,
        }));
    }
    let mut text = format!("{subject}, valid to {expires}\n{certificate}");
    for line in key.into_iter().chain([format!("SHA-256 thumbprint {thumbprint}")]) {
        text = format!("{text}\n{line}");
    }
    if let (Some(scheme), Some(name)) = (scheme, authentication_name) {
        text = format!("{text}\nEvent Grid: validation scheme {scheme}, authentication name {name}");
    }
    output::line(&output::Style::stdout().mark(true, &text))
}

impl Arguments {
    /// The certificate, and for a profile the authentication name in it.
    fn make(&self) -> Result<(Made, Option<String>), Failure> {
        let seconds = self.validity.unwrap_or_else(|| u64::from(self.days) * 86_400);
        if self.profile == Some(Profile::Thumbprint) {
            let (request, name) = self.request()?;
            let validity = Validity::seconds(utc::now(), seconds);
            return Ok((Made::Issued(issue::self_signed(&request, false, validity)?), name));
        }
        // What was typed is looked at first: a person may be asked for a passphrase next.
        let wanted = if self.csr.is_none() { Some(self.request()?) } else { None };
        let authority = authority::issuer(&self.dir, self.passphrase.source().as_ref())?;
        let validity = authority::validity(&authority, seconds);
        let (made, name) = match (wanted, &self.csr) {
            (Some((request, name)), _) => (Made::Issued(authority.issue(&request, validity)?), name),
            (None, Some(path)) => {
                let request = read_request(path)?;
                (Made::Signed(authority.sign_request(&request, &self.signing_profile(), validity)?), None)
            }
            (None, None) => return Err(Failure::usage("give a --name or a --csr")),
        };
        authority::believes(&authority, made.leaf())?;
        Ok((made, name))
    }

    fn request(&self) -> Result<(LeafRequest, Option<String>), Failure> {
        let cn = self.cn.as_deref().unwrap_or(&self.name);
        let mut authentication_name = None;
        let request = if self.server {
            let mut names = self.names.dns.clone();
            names.extend(self.names.ip.iter().map(ToString::to_string));
            if names.is_empty() {
                names.push(self.name.clone());
            }
            let request = LeafRequest::server(names);
            if self.cn.is_some() { request.common_name(cn) } else { request }
        } else {
            let request = match self.profile {
                Some(profile) => {
                    let (request, name) = profile.request(&self.name, cn, &self.names)?;
                    authentication_name = Some(name);
                    request
                }
                None => LeafRequest::client(cn),
            };
            self.names.add_to(request)
        };
        let request = self.usage.iter().fold(request, |request, usage| request.usage(usage.usage()));
        let request = self.crl_uri.iter().fold(request, |request, uri| request.crl_uri(uri));
        Ok((request.key_type(self.key_type), authentication_name))
    }

    fn signing_profile(&self) -> SigningProfile {
        let usage = if self.server { Purpose::Server } else { self.usage.unwrap_or(Purpose::Client) };
        let profile = SigningProfile::new(usage.usage());
        let profile = self.cn.iter().fold(profile, |profile, cn| profile.common_name(cn));
        self.crl_uri.iter().fold(profile, |profile, uri| profile.crl_uri(uri))
    }
}

fn read_request(path: &Path) -> Result<SigningRequest, Failure> {
    let bytes = files::read(path, MAX_BYTES, "the request")?;
    SigningRequest::read(&bytes).map_err(|error| Failure::from(error).during(files::shown(path)))
}
