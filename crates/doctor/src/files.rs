//! Stage files: certificates, keys and trust, examined offline.

use std::path::PathBuf;

use gridmq_tls::catalogue::Stage;
use gridmq_tls::classify::{Content, classify};
use gridmq_tls::identity::IdentityLoader;
use gridmq_tls::passphrase::PassphraseSource;
use gridmq_tls::source::Source;
use gridmq_tls::{Certificate, Finding, Id, Identity, Severity, pem};
use serde_json::json;
use zeroize::Zeroizing;

use crate::profile::Profile;
use crate::report::{CertificateSummary, Report, StageReport, Status};

mod chain;
mod disk;
mod names;
mod thumbprint;
mod trust;

/// What to examine. Everything is optional.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct FilesInput {
    /// The client's certificate with its intermediates.
    pub cert: Option<Source>,
    /// Its private key; not needed if it stands with the certificate.
    pub key: Option<Source>,
    /// Both in a PKCS#12 file.
    pub pkcs12: Option<Source>,
    /// The authorities that are to be believed about the server.
    pub cafile: Vec<PathBuf>,
    /// The passphrase of the key or of the PKCS#12 file.
    pub passphrase: Option<PassphraseSource>,
    /// The user name, to be compared with the names in the certificate.
    pub username: Option<String>,
    /// The thumbprint that is registered for this client, as it was pasted.
    pub thumbprint: Option<String>,
    /// The certificate that was used before this one.
    pub previous: Option<PathBuf>,
    /// What is known of the service; [`Profile::generic`] when absent.
    pub profile: Option<Profile>,
}

/// What came of the files.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Examined {
    /// The stage.
    pub stage: StageReport,
    /// The identity, where one can be made of the files.
    pub identity: Option<Identity>,
    /// The certificates of the client, the one that is sent first at the beginning.
    pub certificates: Vec<Certificate>,
}

impl Examined {
    /// A report of this stage alone, begun at `now` (seconds since 1970).
    #[must_use]
    pub fn into_report(self, profile: Option<&Profile>, now: u64) -> Report {
        Report {
            target: "files".to_owned(),
            profile: profile.map(|profile| profile.name.clone()).unwrap_or_default(),
            started: now,
            stages: vec![self.stage],
            client_certificates: self.certificates.iter().map(CertificateSummary::of).collect(),
            server_certificates: Vec::new(),
            timed_out: false,
        }
    }
}

/// The stage files at `now` (seconds since 1970). Reads the files; connects to nothing.
#[must_use]
pub fn examine(input: &FilesInput, now: u64) -> StageReport {
    load(input, now).stage
}

/// As [`examine`], with the identity that can be made of the files.
#[must_use]
pub fn load(input: &FilesInput, now: u64) -> Examined {
    let profile = input.profile.as_ref().unwrap_or_else(|| Profile::generic());
    let mut stage = StageReport::new(Stage::Files);
    let mut certificates = Vec::new();
    let mut identity = None;
    if input.cert.is_none() && input.key.is_none() && input.pkcs12.is_none() {
        if input.cafile.is_empty() {
            stage.status = Status::Skipped;
            stage.lines.push("no files were given".to_owned());
            return Examined { stage, identity, certificates };
        }
    } else {
        let readable = read_all(input, &mut stage, &mut certificates);
        if readable {
            identity = load_identity(input, now, &mut stage);
        }
        if let Some(identity) = &identity {
            certificates = identity.chain().to_vec();
        }
        for certificate in &certificates {
            stage.lines.push(chain::line(certificate, now));
        }
        if let Some(leaf) = certificates.first().filter(|leaf| !leaf.is_ca() || identity.is_some()) {
            if let Some(identity) = &identity {
                chain::check(identity.chain(), now, &mut stage);
            }
            names::check(input.username.as_deref(), leaf, profile, &mut stage);
            if let Some(pasted) = &input.thumbprint {
                thumbprint::check(pasted, &certificates, profile, &mut stage);
            }
            previous(input, leaf, &mut stage);
            facts(leaf, &certificates, &mut stage);
        }
    }
    for path in &input.cafile {
        trust::check(path, certificates.first(), profile, now, &mut stage);
    }
    tidy(&mut stage, profile);
    Examined { stage, identity, certificates }
}

/// Looks at each file by itself. Whether all of them can be read.
fn read_all(input: &FilesInput, stage: &mut StageReport, certificates: &mut Vec<Certificate>) -> bool {
    let mut readable = true;
    let mut seen: Vec<PathBuf> = Vec::new();
    for (source, role) in [(&input.cert, Role::Certificate), (&input.key, Role::Key), (&input.pkcs12, Role::Pkcs12)] {
        let Some(source) = source else { continue };
        let path = source.path();
        if let Some(path) = &path {
            if seen.contains(path) {
                continue;
            }
            seen.push(path.clone());
        }
        let bytes = match bytes(source) {
            Some(Ok(bytes)) => bytes,
            Some(Err(finding)) => {
                stage.found(finding);
                readable = false;
                continue;
            }
            None => {
                stage.lines.push(format!("{source}: not read here"));
                continue;
            }
        };
        let about = source.to_string();
        let classified = classify(&bytes);
        let mut line = format!("{about}: {classified}");
        if matches!(classified.content(), Content::Pkcs12(_)) && role == Role::Certificate {
            let why = "the file is PKCS#12, which most programs do not take for a certificate in PEM";
            stage.found(Finding::new(Id::A12, Severity::Warning, about.clone(), why, Id::A12.fix()));
        }
        if let Some(mode) = path.as_deref().filter(|_| classified.has_key()).and_then(disk::mode) {
            line.push_str(&format!(", mode {mode:03o}"));
        }
        stage.lines.push(line);
        if certificates.is_empty() {
            let found = Certificate::from_der(&bytes).map(|one| vec![one]).or_else(|_| pem::certificates(&bytes));
            *certificates = found.unwrap_or_default();
        }
    }
    readable
}

/// Makes an identity of it all, with what the loader notices.
fn load_identity(input: &FilesInput, now: u64, stage: &mut StageReport) -> Option<Identity> {
    let first = input.pkcs12.as_ref().or(input.cert.as_ref());
    let source = first.or(input.key.as_ref())?;
    let mut loader = IdentityLoader::new(source.clone());
    if first.is_some()
        && let Some(key) = &input.key
    {
        loader = loader.key(key.clone());
    }
    if let Some(passphrase) = &input.passphrase {
        loader = loader.passphrase(passphrase.clone());
    }
    let (result, notes) = loader.examine();
    match result {
        Ok(identity) => {
            for finding in identity.findings(now) {
                stage.found(finding);
            }
            Some(identity)
        }
        Err(error) => {
            let mut finding = error.finding();
            // Nobody thought of a password who took the file for PEM.
            let taken_for_pem = stage.findings.iter().any(|known| known.id == Id::A12);
            if finding.id == Id::A26 && taken_for_pem && input.passphrase.is_none() {
                let why = "the file is PKCS#12, not PEM, and it is under a password, which was not given";
                let fix = "name it by --pkcs12 instead of --cert, and give its password";
                finding = Finding::new(Id::A12, Severity::Error, finding.about, why, fix);
                stage.findings.retain(|known| known.id != Id::A12);
            }
            stage.found(finding);
            for note in notes {
                stage.found(note);
            }
            None
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Certificate,
    Key,
    Pkcs12,
}

/// What a source holds, if that can be read without a token or a program.
pub(crate) fn bytes(source: &Source) -> Option<Result<Zeroizing<Vec<u8>>, Finding>> {
    if let Some(path) = source.path() {
        return Some(disk::read(&path));
    }
    match source {
        Source::Pem(bytes) => Some(Ok(Zeroizing::clone(bytes))),
        Source::Env(name) => Some(match std::env::var_os(name).filter(|value| !value.is_empty()) {
            Some(value) => Ok(Zeroizing::new(value.into_encoded_bytes())),
            None => {
                let why = format!("the environment variable {name} is not set");
                Err(Finding::new(Id::A01, Severity::Error, source.to_string(), why, "set it to the PEM text"))
            }
        }),
        Source::Credential(name) => {
            let why = format!("there is no credential {name}: CREDENTIALS_DIRECTORY is not set");
            let fix = "start the program by systemd, with LoadCredential";
            Some(Err(Finding::new(Id::A01, Severity::Error, source.to_string(), why, fix)))
        }
        _ => None,
    }
}

fn previous(input: &FilesInput, leaf: &Certificate, stage: &mut StageReport) {
    let Some(path) = &input.previous else { return };
    let bytes = match disk::read(path) {
        Ok(bytes) => bytes,
        Err(finding) => return stage.found(finding),
    };
    let found = Certificate::from_der(&bytes).map(|one| vec![one]).or_else(|_| pem::certificates(&bytes));
    match found.as_deref().map(<[Certificate]>::first) {
        Ok(Some(before)) => chain::compare(before, leaf, stage),
        _ => stage.lines.push(format!("{}: holds no certificate to compare with", path.display())),
    }
}

fn facts(leaf: &Certificate, certificates: &[Certificate], stage: &mut StageReport) {
    let names: Vec<_> =
        names::candidates(leaf).into_iter().map(|(source, name)| json!({ "source": source, "name": name })).collect();
    stage.facts.insert("certificates".to_owned(), json!(certificates.len()));
    stage.facts.insert("sha1".to_owned(), json!(leaf.thumbprint_sha1().to_ascii_uppercase()));
    stage.facts.insert("sha256".to_owned(), json!(leaf.thumbprint_sha256().to_ascii_uppercase()));
    stage.facts.insert("names".to_owned(), json!(names));
}

/// The gravest findings first, each once, with the service's own cures.
fn tidy(stage: &mut StageReport, profile: &Profile) {
    let mut once: Vec<Finding> = Vec::with_capacity(stage.findings.len());
    for mut finding in std::mem::take(&mut stage.findings) {
        // The loader and the classifier may both have seen it: the first has the better words.
        if once.iter().any(|known| known.id == finding.id && known.about == finding.about) {
            continue;
        }
        if let Some(hint) = profile.hint(finding.id) {
            hint.clone_into(&mut finding.fix);
        }
        once.push(finding);
    }
    once.sort_by_key(|finding| std::cmp::Reverse(finding.severity));
    let worst = once.first().map(|finding| finding.severity);
    stage.findings = once;
    stage.status = match worst {
        Some(Severity::Error) => Status::Failed,
        Some(Severity::Warning) => Status::Warning,
        _ => Status::Ok,
    };
}

#[cfg(test)]
mod tests;
