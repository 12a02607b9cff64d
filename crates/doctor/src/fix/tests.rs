use std::fs;
use std::path::PathBuf;

use gridmq_tls::issue::{CertificateAuthority, Validity};
use tempfile::TempDir;

use super::*;

const NOW: u64 = 1_795_392_000;

struct Lab {
    directory: TempDir,
    root: String,
    issuer: String,
    leaf: String,
    key: String,
}

impl Lab {
    fn new() -> Self {
        let root = CertificateAuthority::new_root("Root", Validity::days(NOW, 100)).unwrap();
        let issuer = root.intermediate("Issuer", Validity::days(NOW, 100)).unwrap();
        let client = issuer.issue_client("dev1", Validity::days(NOW, 90)).unwrap();
        Self {
            directory: TempDir::new().unwrap(),
            root: root.certificate_pem(),
            issuer: issuer.certificate_pem(),
            leaf: client.certificate_pem(),
            key: client.key_pem().to_owned(),
        }
    }

    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, content).unwrap();
        path
    }

    fn input(&self, cert: impl AsRef<[u8]>, key: impl AsRef<[u8]>) -> FilesInput {
        FilesInput {
            cert: Some(Source::File(self.file("dev1.pem", cert))),
            key: Some(Source::File(self.file("dev1.key", key))),
            ..FilesInput::default()
        }
    }

    /// What a sound file holds.
    fn chain(&self) -> String {
        format!("{}{}", self.leaf, self.issuer)
    }
}

fn text(repaired: &Repaired) -> String {
    String::from_utf8(repaired.content.to_vec()).unwrap()
}

#[test]
fn sound_files_need_no_copy() {
    let lab = Lab::new();
    assert!(repair(&lab.input(lab.chain(), &lab.key)).unwrap().is_empty());
}

#[test]
fn a_chain_is_put_in_order_and_loses_its_root() {
    let lab = Lab::new();
    let repaired = repair(&lab.input(format!("{}{}{}", lab.root, lab.issuer, lab.leaf), &lab.key)).unwrap();
    let [one] = repaired.as_slice() else { panic!("{repaired:?}") };
    assert_eq!((one.name.as_str(), one.secret), ("dev1.pem", false));
    assert_eq!(text(one), lab.chain());
    assert!(one.done.len() >= 2, "{:?}", one.done);
}

#[test]
fn other_encodings_become_pem() {
    let lab = Lab::new();
    let utf16: Vec<u8> =
        [0xff, 0xfe].into_iter().chain(lab.chain().encode_utf16().flat_map(u16::to_le_bytes)).collect();
    let marked = format!("\u{feff}{}", lab.key);
    let repaired = repair(&lab.input(utf16, marked)).unwrap();
    let [chain, key] = repaired.as_slice() else { panic!("{repaired:?}") };
    assert_eq!(text(chain), lab.chain());
    assert_eq!((key.name.as_str(), key.secret), ("dev1.key", true));
    assert_eq!(text(key), lab.key);
    assert!(!format!("{key:?}").contains("BEGIN"));
}

#[test]
fn der_becomes_pem() {
    let lab = Lab::new();
    let der = pem::certificates(lab.leaf.as_bytes()).unwrap()[0].der().to_vec();
    let repaired = repair(&lab.input(&der, &lab.key)).unwrap();
    assert_eq!(text(&repaired[0]), lab.leaf);
}

#[test]
fn what_cannot_be_read_is_named() {
    let lab = Lab::new();
    let mut input = lab.input(lab.chain(), &lab.key);
    input.key = Some(Source::File(lab.directory.path().join("nowhere.key")));
    assert!(matches!(repair(&input), Err(FixError::Unreadable(finding)) if finding.id == gridmq_tls::Id::A01));
}
