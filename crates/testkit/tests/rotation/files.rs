//! Certificates that come by files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;

use gridmq_testkit::authority::{Authority, unix_now};
use gridmq_tls::CredentialProvider;
use gridmq_tls::credentials::WatchedFiles;
use gridmq_tls::issue::{IssuedCertificate, Validity};
use tempfile::TempDir;

use crate::harness::{PUBLISHER, Succession};

/// How long each certificate is valid, in seconds.
const LIFE: u64 = 60;

pub(crate) struct Files<'a> {
    authority: &'a Authority,
    directory: TempDir,
    credentials: Arc<WatchedFiles>,
}

fn issue(authority: &Authority) -> IssuedCertificate {
    let now = unix_now();
    authority.intermediate.issue_client(PUBLISHER, Validity::new(now - 5, now + LIFE)).unwrap()
}

impl<'a> Files<'a> {
    /// `mount/tls.crt` and `mount/tls.key`, where `mount` links to a directory of the files' own.
    pub(crate) fn new(authority: &'a Authority) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        fs::create_dir(path("..0")).unwrap();
        symlink("..0", path("..data")).unwrap();
        let issued = issue(authority);
        fs::write(path("..0/tls.crt"), issued.chain_pem()).unwrap();
        fs::write(path("..0/tls.key"), issued.key_pem()).unwrap();
        for name in ["tls.crt", "tls.key"] {
            symlink(format!("..data/{name}"), path(name)).unwrap();
        }
        let credentials = Arc::new(WatchedFiles::pem(&path("tls.crt"), &path("tls.key")).start().unwrap());
        Self { authority, directory, credentials }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, directory: &str, issued: &IssuedCertificate) {
        fs::write(self.path(directory).join("tls.crt"), issued.chain_pem()).unwrap();
        fs::write(self.path(directory).join("tls.key"), issued.key_pem()).unwrap();
    }
}

impl Succession for Files<'_> {
    fn credentials(&self) -> Arc<dyn CredentialProvider> {
        Arc::<WatchedFiles>::clone(&self.credentials)
    }

    /// By rename, in place, and by a swap of the directory, in turn.
    async fn next(&mut self, round: usize) -> Option<String> {
        let issued = issue(self.authority);
        match round % 3 {
            0 => {
                let new = format!("new-{round}");
                fs::create_dir(self.path(&new)).unwrap();
                self.write(&new, &issued);
                for name in ["tls.crt", "tls.key"] {
                    fs::rename(self.path(&new).join(name), self.path("..data").join(name)).unwrap();
                }
            }
            1 => self.write("..data", &issued),
            _ => {
                let version = format!("..{round}");
                fs::create_dir(self.path(&version)).unwrap();
                self.write(&version, &issued);
                let old = fs::read_link(self.path("..data")).unwrap();
                symlink(&version, self.path("..data_tmp")).unwrap();
                fs::rename(self.path("..data_tmp"), self.path("..data")).unwrap();
                fs::remove_dir_all(self.directory.path().join(old)).unwrap();
            }
        }
        Some(issued.chain()[0].thumbprint_sha256().to_owned())
    }
}
