//! The certificates: made once, kept, and renewed when they have expired.

use std::path::{Path, PathBuf};

use gridmq_tls::issue::{CertificateAuthority, LeafRequest, Validity};
use gridmq_tls::{Identity, pem};

use super::{CLIENT_1, CLIENT_2};
use crate::commands::certs::{self, Authority, CA_DAYS, INTERMEDIATE, LEAF_DAYS, ROOT};
use crate::error::Failure;
use crate::files::{self, Existing, NewFiles};

/// What expires sooner than this many seconds is renewed at once.
const MARGIN: u64 = 86_400;
const SERVER_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// Everything that the quickstart needs to prove who is who.
pub(super) struct Material {
    pub(super) dir: PathBuf,
    /// The root, which clients trust.
    pub(super) root_pem: String,
    /// The intermediate, which the namespace registers.
    pub(super) intermediate_pem: String,
    pub(super) server: Identity,
    pub(super) client_1: Identity,
    /// A client of an authority that the namespace does not know. It is kept in no file.
    pub(super) stranger: Identity,
    made: Vec<String>,
    renewed: Vec<String>,
}

impl Material {
    /// Finds everything in the directory, and makes what is missing or has expired.
    pub(super) fn ensure(dir: &Path, now: u64) -> Result<Self, Failure> {
        files::make_directory(dir)?;
        let mut work = Work { dir, now, new: NewFiles::default(), made: Vec::new(), renewed: Vec::new() };
        let authority = work.authority()?;
        let server = work.leaf(&authority.intermediate, "server", LeafRequest::server(SERVER_NAMES))?;
        let client_1 = work.leaf(&authority.intermediate, CLIENT_1, LeafRequest::client(CLIENT_1))?;
        work.leaf(&authority.intermediate, CLIENT_2, LeafRequest::client(CLIENT_2))?;
        let Work { new, made, renewed, .. } = work;
        new.write(Existing::Replace)?;
        Ok(Self {
            dir: dir.to_owned(),
            root_pem: authority.root.certificate_pem(),
            intermediate_pem: authority.intermediate.certificate_pem(),
            server,
            client_1,
            stranger: stranger(now)?,
            made,
            renewed,
        })
    }

    /// One of the files.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// What was found and what was made.
    pub(super) fn summary(&self) -> String {
        let dir = files::shown(&self.dir);
        let mut text = match (self.made.is_empty(), self.renewed.is_empty()) {
            (true, true) => format!("those in {dir} are used again"),
            (false, true) => format!("made in {dir}: {}", self.made.join(", ")),
            (true, false) => format!("those in {dir} are used again"),
            (false, false) => format!("in {dir}, made: {}", self.made.join(", ")),
        };
        if !self.renewed.is_empty() {
            text = format!("{text}; made anew: {}", self.renewed.join(", "));
        }
        text
    }
}

struct Work<'a> {
    dir: &'a Path,
    now: u64,
    new: NewFiles,
    made: Vec<String>,
    renewed: Vec<String>,
}

impl Work<'_> {
    fn authority(&mut self) -> Result<Authority, Failure> {
        let names = [ROOT, INTERMEDIATE].map(|name| [format!("{name}.pem"), format!("{name}.key")]);
        let (there, missing): (Vec<_>, Vec<_>) =
            names.as_flattened().iter().partition(|name| self.dir.join(name.as_str()).exists());
        match (there.first(), missing.first()) {
            (None, _) => self.made.push("root, intermediate".to_owned()),
            (Some(there), Some(missing)) => {
                return Err(Failure::failed(format!(
                    "{} holds {there} but not {missing}: put it back, or name another directory by --dir",
                    files::shown(self.dir)
                )));
            }
            (Some(_), None) => {
                let authority = Authority {
                    root: certs::load(self.dir, ROOT)?,
                    intermediate: certs::load(self.dir, INTERMEDIATE)?,
                };
                let end =
                    authority.root.certificate().not_after().min(authority.intermediate.certificate().not_after());
                if !self.over(end) {
                    return Ok(authority);
                }
                self.renewed.push("root, intermediate (expired)".to_owned());
            }
        }
        let authority = Authority::new("GridMQ Quickstart", Validity::days(self.now, CA_DAYS))?;
        authority.add_to(&mut self.new, self.dir);
        Ok(authority)
    }

    fn leaf(&mut self, issuer: &CertificateAuthority, name: &str, request: LeafRequest) -> Result<Identity, Failure> {
        let (certificate, key) = (self.dir.join(format!("{name}.pem")), self.dir.join(format!("{name}.key")));
        if certificate.exists() && key.exists() {
            let identity = Identity::from_pem_files(&certificate, &key).map_err(|error| {
                Failure::failed(format!("{error} (or remove {name}.pem and {name}.key to have them made anew)"))
            })?;
            let ours = identity.chain().get(1) == Some(issuer.certificate());
            match (ours, self.over(identity.not_after())) {
                (true, false) => return Ok(identity),
                (true, true) => self.renewed.push(format!("{name} (expired)")),
                (false, _) => self.renewed.push(format!("{name} (its authority is another one)")),
            }
        } else {
            self.made.push(name.to_owned());
        }
        let end = issuer.certificate().not_after();
        let validity = Validity::days(self.now, LEAF_DAYS);
        let issued = issuer.issue(&request, Validity::new(validity.not_before(), validity.not_after().min(end)))?;
        self.new.add(certificate, issued.chain_pem());
        self.new.add_secret(key, issued.key_pem());
        Ok(Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes())?)
    }

    const fn over(&self, end: u64) -> bool {
        end <= self.now.saturating_add(MARGIN)
    }
}

fn stranger(now: u64) -> Result<Identity, Failure> {
    let validity = Validity::days(now, 1);
    let authority = Authority::new("Stranger", validity)?;
    let issued = authority.intermediate.issue_client(CLIENT_1, validity)?;
    Ok(Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes())?)
}

/// Whether two PEM texts hold the same first certificate.
pub(super) fn same_certificate(one: &str, other: &str) -> bool {
    match (pem::certificates(one.as_bytes()), pem::certificates(other.as_bytes())) {
        (Ok(one), Ok(other)) => one.first() == other.first(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;

    fn read_all(dir: &Path) -> Vec<(std::ffi::OsString, Vec<u8>)> {
        let mut all: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name(), std::fs::read(entry.path()).unwrap()))
            .collect();
        all.sort();
        all
    }

    #[test]
    fn what_is_there_is_used_again() {
        let dir = tempfile::tempdir().unwrap();
        Material::ensure(dir.path(), NOW).unwrap();
        let before = read_all(dir.path());
        assert_eq!(before.len(), 10);
        let again = Material::ensure(dir.path(), NOW + 1000).unwrap();
        assert!(again.made.is_empty() && again.renewed.is_empty());
        assert_eq!(read_all(dir.path()), before);
    }

    #[test]
    fn what_expired_is_renewed_and_the_rest_kept() {
        let dir = tempfile::tempdir().unwrap();
        let first = Material::ensure(dir.path(), NOW).unwrap();
        let later = Material::ensure(dir.path(), NOW + u64::from(LEAF_DAYS) * 86_400).unwrap();
        assert_eq!((later.made.len(), later.renewed.len()), (0, 3));
        assert_eq!(later.root_pem, first.root_pem);
        assert!(later.client_1.not_after() > first.client_1.not_after());
        let much_later = Material::ensure(dir.path(), NOW + u64::from(CA_DAYS) * 86_400).unwrap();
        assert_eq!(much_later.renewed.len(), 4);
        assert_ne!(much_later.root_pem, first.root_pem);
    }

    #[test]
    fn what_is_damaged_is_named_and_left() {
        let dir = tempfile::tempdir().unwrap();
        Material::ensure(dir.path(), NOW).unwrap();
        std::fs::write(dir.path().join("server.pem"), "-----BEGIN CERTIFICATE-----\n!").unwrap();
        let before = read_all(dir.path());
        assert!(Material::ensure(dir.path(), NOW).is_err());
        std::fs::remove_file(dir.path().join("root-ca.key")).unwrap();
        assert!(Material::ensure(dir.path(), NOW).is_err());
        assert_eq!(read_all(dir.path()).len(), before.len() - 1);
    }
}
