use std::fs;
use std::path::Path;

use gridmq_tls::passphrase::Passphrase;
use tempfile::TempDir;

use super::*;

const NOW: u64 = 1_795_392_000;

fn ids(stage: &StageReport) -> Vec<&'static str> {
    stage.findings.iter().map(|finding| finding.id.code()).collect()
}

fn input(cert: &Path) -> FilesInput {
    FilesInput { cert: Some(Source::File(cert.to_owned())), ..FilesInput::default() }
}

#[test]
fn nothing_given_is_skipped() {
    let stage = examine(&FilesInput::default(), NOW);
    assert_eq!(stage.status, Status::Skipped);
}

#[test]
fn a_missing_file_names_its_neighbours() {
    let directory = TempDir::new().unwrap();
    fs::write(directory.path().join("dev1.crt"), "x").unwrap();
    let stage = examine(&input(&directory.path().join("dev1.pem")), NOW);
    assert_eq!(ids(&stage), ["A01"]);
    assert_eq!(stage.status, Status::Failed);
    assert!(stage.findings[0].evidence[0].ends_with("dev1.crt"));
}

#[test]
fn a_directory_and_an_empty_file_are_told_apart() {
    let directory = TempDir::new().unwrap();
    assert_eq!(ids(&examine(&input(directory.path()), NOW)), ["A35"]);
    let empty = directory.path().join("empty.pem");
    fs::write(&empty, "").unwrap();
    assert_eq!(ids(&examine(&input(&empty), NOW)), ["A04"]);
}

#[test]
fn trust_alone_is_examined_too() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("ca.pem");
    fs::write(&path, "<html>log in</html>").unwrap();
    let stage = examine(&FilesInput { cafile: vec![path], ..FilesInput::default() }, NOW);
    assert_eq!(ids(&stage), ["A35"]);
}

#[test]
fn a_passphrase_is_never_shown() {
    let input = FilesInput {
        passphrase: Some(PassphraseSource::value(Passphrase::new("correct horse"))),
        ..FilesInput::default()
    };
    assert!(!format!("{input:?}").contains("horse"));
}
