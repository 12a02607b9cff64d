//! The authority's files.

use std::fs::File;
use std::path::Path;

use gridmq_tls::Certificate;
use gridmq_tls::inspect::{Judge, Outcome as Ruling, Purpose, Question};
use gridmq_tls::issue::{CertificateAuthority, IssueError, RegisterError, Revocations, Validity};
use gridmq_tls::passphrase::PassphraseSource;

use super::{INTERMEDIATE, contents};
use crate::error::Failure;
use crate::{files, utc};

/// The largest register of revocations that is read: 16 MiB.
const MAX_REGISTER_BYTES: u64 = 16 * 1024 * 1024;

/// The authority that `certs init` left in a directory, under one of its names.
pub(crate) fn load(dir: &Path, name: &str) -> Result<CertificateAuthority, Failure> {
    load_with(dir, name, None)
}

/// The same where its key is encrypted.
pub(super) fn load_with(
    dir: &Path,
    name: &str,
    passphrase: Option<&PassphraseSource>,
) -> Result<CertificateAuthority, Failure> {
    let (certificate, key) = (dir.join(format!("{name}.pem")), dir.join(format!("{name}.key")));
    if !certificate.exists() && !key.exists() {
        let dir = files::shown(dir);
        return Err(Failure::failed(format!("{dir} holds no {name}.pem: make one with gridmq certs init --dir {dir}")));
    }
    let certificates = super::certificates(&certificate, None)?;
    let keys = contents(&key, passphrase)?;
    let private = super::private_key(&key, &keys)?;
    CertificateAuthority::from_parts(certificates, private.pkcs8()).map_err(|error| {
        let path =
            if matches!(error, IssueError::BadKey(_) | IssueError::KeyMismatch { .. }) { key } else { certificate };
        Failure::from(error).during(files::shown(&path))
    })
}

/// The intermediate of a directory, which has to be in date.
pub(super) fn issuer(dir: &Path, passphrase: Option<&PassphraseSource>) -> Result<CertificateAuthority, Failure> {
    in_date(dir, INTERMEDIATE, passphrase)
}

/// An authority whose time is not over.
pub(super) fn in_date(
    dir: &Path,
    name: &str,
    passphrase: Option<&PassphraseSource>,
) -> Result<CertificateAuthority, Failure> {
    let authority = load_with(dir, name, passphrase)?;
    let end = authority.certificate().not_after();
    if end <= utc::now() {
        let shown = files::shown(dir);
        return Err(Failure::failed(format!(
            "the authority {name} in {shown} expired on {}: make a new one with gridmq certs init --dir {shown} --force",
            utc::date(end)
        )));
    }
    Ok(authority)
}

/// Nobody believes a leaf that is named outside its authority's name constraints: it is not worth writing.
pub(super) fn believes(authority: &CertificateAuthority, leaf: &Certificate) -> Result<(), Failure> {
    let issuer = authority.certificate();
    if !issuer.has_name_constraints() {
        return Ok(());
    }
    let purpose = if leaf.allows_client_auth() { Purpose::Client } else { Purpose::Server };
    let anchors = std::slice::from_ref(issuer);
    match Question::new(leaf, &[], anchors, purpose, utc::now()).judge().of(Judge::Rustls) {
        Ruling::Refused { rule, .. } => Err(Failure::failed(format!(
            "{} would not be believed, and is not written: {rule}; {} may certify some names only, which gridmq certs \
             inspect shows: choose others, or make an authority without --name-constraint",
            leaf.subject(),
            issuer.subject()
        ))),
        _ => Ok(()),
    }
}

/// Keeps other runs from changing the registers until it is dropped: of two that read and write at once, one would be
/// lost. Where the file system knows no locks, there is none.
pub(super) fn lock(dir: &Path) -> Option<File> {
    let dir = File::open(dir).ok()?;
    dir.lock().ok()?;
    Some(dir)
}

/// A validity from now for this many seconds, ending with the authority at the latest.
pub(super) fn validity(authority: &CertificateAuthority, seconds: u64) -> Validity {
    Validity::seconds(utc::now(), seconds).until_at_most(authority.certificate().not_after())
}

/// What the authority of this name took back so far.
pub(super) fn register(dir: &Path, name: &str) -> Result<Revocations, Failure> {
    let path = dir.join(format!("{name}.revoked"));
    if !path.exists() {
        return Ok(Revocations::default());
    }
    let text = files::read_text(&path, MAX_REGISTER_BYTES, "the register of revocations")?;
    text.parse().map_err(|error: RegisterError| Failure::from(error).during(files::shown(&path)))
}

/// Whether `text` can name files in the authority's directory.
pub(super) fn file_name(text: &str) -> Result<String, String> {
    let reserved = [super::ROOT, INTERMEDIATE].contains(&text);
    let odd = |c: char| c.is_control() || matches!(c, '/' | '\\' | ':');
    if text.is_empty()
        || text.chars().count() > 64
        || text.len() > 200
        || text.starts_with('.')
        || text.contains(odd)
        || reserved
    {
        return Err("the name also names the files: use 1 to 64 characters without / \\ or :, not beginning with a \
            dot, and neither root-ca nor intermediate-ca"
            .to_owned());
    }
    Ok(text.to_owned())
}
