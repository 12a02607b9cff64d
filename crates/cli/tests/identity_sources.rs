//! Certificates and keys from everywhere that the flags can name.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
mod common;

use std::net::TcpListener;
use std::path::{Path, PathBuf};

use common::run;

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../tls/tests/data").join(name)
}

/// A directory with identities, and the beginning of a command that fails only at connecting.
fn prepared() -> (tempfile::TempDir, String) {
    let dir = tempfile::tempdir().unwrap();
    for name in ["root.crt", "chain.pem", "ec.pkcs8.key", "ec.aes.key", "modern.p12"] {
        std::fs::copy(data(name), dir.path().join(name)).unwrap();
    }
    std::fs::write(dir.path().join("secret"), "secret\n").unwrap();
    std::fs::write(dir.path().join("wrong"), "wrong\n").unwrap();
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    (dir, format!("pub -h 127.0.0.1 -p {port} -t a -m b --cafile root.crt"))
}

#[test]
fn a_passphrase_opens_a_key_and_a_wrong_one_does_not() {
    let (dir, publish) = prepared();
    let dir = dir.path();
    let key = format!("{publish} --cert chain.pem --key ec.aes.key");
    run(dir, &format!("{key} --pass-file secret")).failed(1, &["127.0.0.1"]);
    run(dir, &format!("{key} --pass-file wrong")).failed(1, &["ec.aes.key", "wrong"]);
    run(dir, &key).failed(1, &["ec.aes.key", "--pass-file"]);
    run(dir, &format!("{key} --pass-file missing")).failed(1, &["ec.aes.key", "missing"]);
    run(dir, &format!("{key} --pass-env GRIDMQ_NOT_SET")).failed(1, &["GRIDMQ_NOT_SET"]);
    run(dir, &format!("{key} --pass-file secret --pass-env NAME")).failed(2, &["--pass-env"]);
}

#[test]
fn one_pkcs12_file_is_enough() {
    let (dir, publish) = prepared();
    let dir = dir.path();
    run(dir, &format!("{publish} --pkcs12 modern.p12 --pass-file secret")).failed(1, &["127.0.0.1"]);
    run(dir, &format!("{publish} --cert modern.p12 --pass-file secret")).failed(1, &["127.0.0.1"]);
    run(dir, &format!("{publish} --pkcs12 modern.p12 --pass-file wrong")).failed(1, &["modern.p12"]);
    run(dir, &format!("{publish} --pkcs12 modern.p12")).failed(1, &["modern.p12", "--pass-file"]);
    run(dir, &format!("{publish} --pkcs12 modern.p12 --key ec.pkcs8.key")).failed(2, &["--key"]);
}

#[test]
fn the_env_file_may_hold_the_passphrase() {
    let (dir, publish) = prepared();
    let dir = dir.path();
    let settings = "MQTT_CERT_FILE=chain.pem\nMQTT_KEY_FILE=ec.aes.key\nMQTT_KEY_FILE_PASSWORD=";
    for (password, named) in [("secret", "127.0.0.1"), ("wrong", "ec.aes.key")] {
        std::fs::write(dir.join(".env"), format!("{settings}{password}\n")).unwrap();
        run(dir, &format!("{publish} --env-file .env")).failed(1, &[named]);
    }
}

#[test]
fn sources_that_make_no_sense_are_refused() {
    let (dir, publish) = prepared();
    let dir = dir.path();
    run(dir, &format!("{publish} --cert env:GRIDMQ_NOT_SET")).failed(1, &["GRIDMQ_NOT_SET"]);
    run(dir, &format!("{publish} --cert credential:device.pem")).failed(1, &["CREDENTIALS_DIRECTORY", "device.pem"]);
    run(dir, &format!("{publish} --cert credential:../device.pem")).failed(2, &["--cert"]);
    run(dir, &format!("{publish} --key pkcs11:token=a?pin-value=1")).failed(1, &["pin-source"]);
    run(dir, &format!("{publish} --key ec.pkcs8.key")).failed(2, &["--cert"]);
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_told_or_refused() {
    use std::os::unix::fs::PermissionsExt;
    let (dir, publish) = prepared();
    let dir = dir.path();
    std::fs::set_permissions(dir.join("ec.pkcs8.key"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let publish = format!("{publish} --cert chain.pem --key ec.pkcs8.key");
    run(dir, &publish).failed(1, &["127.0.0.1", "A03"]);
    run(dir, &format!("{publish} --open-key refuse")).failed(1, &["ec.pkcs8.key", "chmod 600"]);
}
