//! Identities and trust from files, and what bad files get.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs;
use std::path::{Path, PathBuf};

use common::Pki;
use gridmq_tls::classify::KeyForm;
use gridmq_tls::file::{FileError, MAX_FILE_BYTES};
use gridmq_tls::identity::IdentityError;
use gridmq_tls::pem::{PemContent, PemError};
use gridmq_tls::trust::TrustError;
use gridmq_tls::{Id, Identity, Trust};

/// A directory of its own for each test.
fn directory(test: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    let _ = fs::remove_dir_all(&path);
    fs::create_dir_all(&path).unwrap();
    path
}

fn write(directory: &Path, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
    let path = directory.join(name);
    fs::write(&path, content).unwrap();
    path
}

#[test]
fn two_files_or_one_make_the_same_identity() {
    let (pki, directory) = (Pki::new(), directory("two-files-or-one"));
    let certificate = write(&directory, "client.pem", pki.client.chain_pem());
    let key = write(&directory, "client.key", pki.client.key_pem());
    let both = write(&directory, "both.pem", pki.client.key_pem().to_owned() + &pki.client.chain_pem());
    let apart = Identity::from_pem_files(&certificate, &key).unwrap();
    let together = Identity::from_pem_file(&both).unwrap();
    assert_eq!(apart.thumbprint_sha256(), together.thumbprint_sha256());
    assert_eq!(apart.chain_subjects(), ["CN=client1-authn-ID", "CN=Intermediate"]);
    assert_eq!(apart.leaf_der(), pki.client.certificate_der());
    assert!(Identity::from_pem_files(&both, &both).is_ok());
}

#[test]
fn swapped_files_are_put_right_and_both_named() {
    let (pki, directory) = (Pki::new(), directory("swapped"));
    let certificate = write(&directory, "client.pem", pki.client.chain_pem());
    let key = write(&directory, "client.key", pki.client.key_pem());
    let identity = Identity::from_pem_files(&key, &certificate).unwrap();
    assert_eq!(identity.leaf_der(), pki.client.certificate_der());
    let found = identity.findings(common::now());
    let swapped = found.iter().find(|finding| finding.id == Id::A13).unwrap();
    assert!(swapped.why.contains("client.pem") && swapped.about.contains("client.key"));
}

#[test]
fn a_key_of_another_certificate_names_both_files_and_the_subject() {
    let (pki, directory) = (Pki::new(), directory("mismatch"));
    let certificate = write(&directory, "client.pem", pki.client.chain_pem());
    let key = write(&directory, "server.key", pki.server.key_pem());
    let error = Identity::from_pem_files(&certificate, &key).unwrap_err();
    assert!(matches!(error, IdentityError::KeyMismatch { .. }));
    let text = error.to_string();
    for part in ["client.pem", "server.key", "CN=client1-authn-ID"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_absolute_path() {
    let directory = directory("unreadable");
    let empty = write(&directory, "empty.pem", "");
    let large = write(&directory, "large.pem", vec![b'x'; MAX_FILE_BYTES as usize + 1]);
    let file = |path: &Path| match Identity::from_pem_file(path) {
        Err(IdentityError::File(error)) => error,
        other => panic!("{other:?}"),
    };
    match file(Path::new("no/such/file.pem")) {
        FileError::Missing { path } => assert!(path.is_absolute() && path.ends_with("no/such/file.pem")),
        other => panic!("{other:?}"),
    }
    assert!(matches!(file(&empty), FileError::Empty { .. }));
    assert!(matches!(file(&large), FileError::TooLarge { .. }));
    assert!(matches!(file(&directory), FileError::Directory { .. }));
    assert!(matches!(Trust::only_pem_file(&empty), Err(TrustError::File(FileError::Empty { .. }))));
}

#[test]
fn pain_01_trust_says_what_it_was_given_instead() {
    let (pki, directory) = (Pki::new(), directory("trust"));
    let key = write(&directory, "ca.key", pki.client.key_pem());
    match Trust::only_pem_file(&key) {
        Err(TrustError::Pem { source: PemError::NoCertificate { found }, .. }) => {
            assert_eq!(found, PemContent::PrivateKey(KeyForm::Pkcs8));
        }
        other => panic!("{other:?}"),
    }
    let der = write(&directory, "ca.cer", pki.root.certificate().der());
    assert_eq!(Trust::only_pem_file(&der).unwrap().subjects(), ["CN=Root"]);
    assert!(matches!(Trust::only_der(Vec::new()), Err(TrustError::None)));
    assert!(matches!(Trust::only_der(vec![vec![1]]), Err(TrustError::BadCertificate { number: 1, .. })));
    let root = write(&directory, "ca.pem", pki.root.certificate_pem());
    assert_eq!(Trust::only_pem_file(&root).unwrap().subjects(), ["CN=Root"]);
}
