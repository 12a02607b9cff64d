//! `gridmq certs convert`.

use std::path::PathBuf;

use base64ct::{Base64, Encoding};
use clap::{Args, ValueEnum};
use gridmq_tls::convert::{self, Contents, Pkcs12Encryption, PlainKey, Salt};
use gridmq_tls::{Certificate, pem};
use serde_json::json;
use zeroize::Zeroizing;

use super::{contents, existing, passphrase};
use crate::error::{Failure, Outcome};
use crate::files::{self, NewFiles};
use crate::output;

/// What comes out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Certificates and, where there is one, the key (PKCS#8), in PEM
    Pem,
    /// One certificate in DER; the key alone where there is no certificate
    Der,
    /// Certificates and their key in a PKCS#12 file (.p12, .pfx)
    Pkcs12,
    /// The key alone, in PKCS#8 in PEM
    Pkcs8,
}

/// Write certificates and keys in another form
///
/// Reads PEM in any state, DER, PKCS#7, PKCS#8, PKCS#1, SEC1 and PKCS#12. The passphrase options open what is read;
/// those that begin with --out encrypt what is written. What holds a key can be read by its owner alone.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    gridmq certs init --dir ca\n  \
    gridmq certs issue --dir ca --name device1\n  \
    echo secret > password\n  \
    gridmq certs convert ca/device1.pem --key ca/device1.key \\\n    \
    --to pkcs12 --out device1.p12 --out-pass-file password\n  \
    gridmq certs convert device1.p12 --pass-file password \\\n    --to pem --out device1-all.pem")]
pub(super) struct Arguments {
    /// What to read
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The private key, where it is in another file
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// The form to write
    #[arg(long, value_name = "FORM")]
    to: Form,
    /// Where to write
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// PKCS#12 for Windows Server 2016 and other old programs: triple DES and SHA-1, which protect little
    #[arg(long)]
    compat: bool,
    /// The friendly name in a PKCS#12 file; without it the common name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    passphrase: passphrase::Options,
    #[command(flatten)]
    out_passphrase: passphrase::NewOptions,
    /// Replace a file that is there
    #[arg(long)]
    force: bool,
    /// Say what was made as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &Arguments) -> Outcome {
    if arguments.compat && arguments.to != Form::Pkcs12 {
        return Err(Failure::usage("--compat is about PKCS#12: add --to pkcs12"));
    }
    let secret = arguments.passphrase.source();
    let mut read = contents(&arguments.file, secret.as_ref())?;
    if let Some(path) = &arguments.key {
        let held = contents(path, secret.as_ref())?;
        super::private_key(path, &held)?;
        read.keys = held.keys;
    }
    arguments.check(&read)?;
    let mut new = NewFiles::default();
    let out = arguments.out.clone();
    match arguments.to {
        Form::Pem => {
            let key = arguments.key_pem(&read)?;
            match key {
                Some(key) => new.add_secret(out, format!("{}{}", pem::encode(&read.certificates), *key)),
                None if read.certificates.is_empty() => return Err(arguments.nothing(&read)),
                None => new.add(out, pem::encode(&read.certificates)),
            }
        }
        Form::Der => match (read.certificates.as_slice(), read.keys.as_slice()) {
            ([certificate], []) => new.add(out, certificate.der()),
            ([], [key]) => new.add_secret(out, arguments.key_der(key)?.as_slice()),
            ([], []) => return Err(arguments.nothing(&read)),
            _ => {
                return Err(Failure::failed(format!(
                    "{} holds {}, and DER holds one thing: use --to pem or --to pkcs12",
                    files::shown(&arguments.file),
                    read.classified
                )));
            }
        },
        Form::Pkcs8 => match arguments.key_pem(&read)? {
            Some(key) => new.add_secret(out, key.as_bytes()),
            None => return Err(arguments.nothing(&read)),
        },
        Form::Pkcs12 => new.add_secret(out, arguments.pkcs12(&read)?.as_slice()),
    }
    new.write(existing(arguments.force))?;
    let (out, certificates, keys) = (files::shown(&arguments.out), read.certificates.len(), read.keys.len());
    if arguments.json {
        return output::json(&json!({ "file": out, "certificates": certificates, "keys": keys }));
    }
    output::line(&output::Style::stdout().mark(true, &out))
}

impl Arguments {
    fn nothing(&self, read: &Contents) -> Failure {
        let shown = files::shown(&self.file);
        Failure::failed(format!("{shown}: there is nothing to write in that form; it holds {}", read.classified))
    }

    /// What is written together has to belong together, and what is to be encrypted has to be there.
    fn check(&self, read: &Contents) -> Outcome {
        let shown = files::shown(&self.file);
        let Some(key) = read.keys.first() else {
            if self.out_passphrase.any() && self.to != Form::Pkcs12 {
                return Err(Failure::usage(format!(
                    "{shown} holds {}, and only private keys are encrypted: leave out the passphrase, or add --key",
                    read.classified
                )));
            }
            return Ok(());
        };
        let Some(public) = convert::public_key_of(key.pkcs8()) else { return Ok(()) };
        if !read.certificates.is_empty() && read.certificates.iter().all(|one| one.public_key() != public) {
            let key = self.key.as_deref().map_or_else(|| "the key in it".to_owned(), files::shown);
            return Err(Failure::failed(format!(
                "{shown}: none of the certificates belongs to the private key ({key}): give the key that the \
                 certificate was made with"
            )));
        }
        Ok(())
    }

    /// The key in PEM, encrypted if a passphrase for it is given.
    fn key_pem(&self, read: &Contents) -> Result<Option<Zeroizing<String>>, Failure> {
        let Some(key) = read.keys.first() else { return Ok(None) };
        Ok(Some(match self.out_passphrase.given()? {
            Some(secret) => Zeroizing::new(convert::encrypt_key(key.pkcs8(), secret.expose(), Salt::random()?)?),
            None => convert::key_to_pem(key.pkcs8()),
        }))
    }

    /// The same in DER.
    fn key_der(&self, key: &PlainKey) -> Result<Zeroizing<Vec<u8>>, Failure> {
        let Some(secret) = self.out_passphrase.given()? else { return Ok(Zeroizing::new(key.pkcs8().to_vec())) };
        let text = convert::encrypt_key(key.pkcs8(), secret.expose(), Salt::random()?)?;
        let base64: String = text.lines().filter(|line| !line.starts_with('-')).collect();
        Ok(Zeroizing::new(Base64::decode_vec(&base64)?))
    }

    fn pkcs12(&self, read: &Contents) -> Result<Vec<u8>, Failure> {
        let Some(key) = read.keys.first() else {
            let shown = files::shown(&self.file);
            return Err(Failure::failed(format!("{shown}: PKCS#12 needs the private key too; give it with --key")));
        };
        let public = convert::public_key_of(key.pkcs8());
        // Whoever imports the file builds the chain from it: the root may stay.
        let chain = match convert::order(&read.certificates, public.as_deref(), true) {
            Ok(ordered) => ordered.chain,
            Err(error) => return Err(Failure::from(error).during(files::shown(&self.file))),
        };
        let name = self.name.clone().or_else(|| chain.first().and_then(common_name));
        let secret = self.out_passphrase.required("the PKCS#12 file")?;
        let encryption = if self.compat { Pkcs12Encryption::Compat } else { Pkcs12Encryption::Modern };
        let name = name.as_deref().unwrap_or("gridmq");
        Ok(convert::to_pkcs12(&chain, key.pkcs8(), name, secret.expose(), encryption)?.to_vec())
    }
}

fn common_name(certificate: &Certificate) -> Option<String> {
    certificate.subject().common_name().map(str::to_owned)
}
