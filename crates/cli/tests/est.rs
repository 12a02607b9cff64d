//! `gridmq serve` with `[est]`, and `gridmq certs enroll` against it.
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

use std::fs;
use std::path::Path;

use common::{Ended, Running, gridmq, run};

/// A server with the user `device1`, password `secret`, and its port.
fn serve(dir: &Path, more: &str) -> (Running, u16) {
    run(dir, "certs init --dir ca").done();
    run(dir, "certs issue --dir ca --name server --server --dns localhost --ip 127.0.0.1").done();
    fs::write(dir.join("secret"), "secret\n").unwrap();
    fs::write(dir.join("users"), run(dir, "certs user device1 --password-file secret").done()).unwrap();
    let settings = format!(
        "listen = '127.0.0.1:0'\ncert = 'ca/server.pem'\nkey = 'ca/server.key'\nlog = 'warn'\n\
         [est]\nlisten = '127.0.0.1:0'\nca = 'ca'\nusers = 'users'\n{more}"
    );
    fs::write(dir.join("gridmq.toml"), settings).unwrap();
    let mut server = Running::start(gridmq(dir).args(["serve", "--config", "gridmq.toml"]));
    let port = server.port();
    (server, port)
}

fn enroll(dir: &Path, port: u16, more: &str) -> Ended {
    run(dir, &format!("certs enroll --est https://localhost:{port} --cafile ca/root-ca.pem {more}"))
}

const BY_PASSWORD: &str = "--user device1 --password-file secret --out-cert d.pem --out-key d.key";

#[test]
fn a_device_enrols_renews_and_is_revoked() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_server, port) = serve(dir, "validity = '1h'\n");
    let said = enroll(dir, port, BY_PASSWORD).done();
    assert!(said.contains("CN=device1"), "{said}");
    let first = fs::read_to_string(dir.join("d.pem")).unwrap();
    assert_eq!(first.matches("BEGIN CERTIFICATE").count(), 2, "with the intermediate");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(dir.join("d.key")).unwrap().permissions().mode() & 0o777, 0o600);
    }
    run(dir, "certs verify d.pem --ca ca/root-ca.pem").done();

    // Nothing is overwritten, and nothing is asked of the server then.
    enroll(dir, port, BY_PASSWORD).failed(1, &["d.pem", "--force"]);
    let renew = "--reenroll --cert d.pem --key d.key";
    enroll(dir, port, &format!("{renew} --out-cert d.pem --out-key d.key --force")).done();
    let second = fs::read_to_string(dir.join("d.pem")).unwrap();
    assert_ne!(second, first);
    let key = fs::read_to_string(dir.join("d.key")).unwrap();
    let hook = "--hook /bin/sh --hook-arg -c --hook-arg env>told";
    enroll(dir, port, &format!("{renew} --same-key --out-cert e.pem {hook}")).done();
    assert_eq!(fs::read_to_string(dir.join("d.key")).unwrap(), key);
    let told = fs::read_to_string(dir.join("told")).unwrap();
    assert!(told.contains("GRIDMQ_CERT=e.pem") && told.contains("GRIDMQ_KEY=d.key"), "{told}");

    run(dir, "certs revoke --dir ca d.pem").done();
    enroll(dir, port, &format!("{renew} --out-cert f.pem --out-key f.key")).failed(1, &["403", "revoked"]);
    assert!(!dir.join("f.pem").exists() && !dir.join("f.key").exists());
}

#[test]
fn what_is_refused_says_why_and_writes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (_server, port) = serve(dir, "key-type = 'ec-p384'\n");
    fs::write(dir.join("wrong"), "wrong\n").unwrap();
    enroll(dir, port, "--user device1 --password-file wrong --out-cert d.pem --out-key d.key").failed(1, &["401"]);
    enroll(dir, port, &format!("{BY_PASSWORD} --name device2")).failed(1, &["403", "device1"]);
    enroll(dir, port, &format!("{BY_PASSWORD} --key-type rsa-2048")).failed(1, &["403", "ec-p384"]);
    enroll(dir, port, "--name device1 --out-cert d.pem --out-key d.key").failed(1, &["401"]);
    enroll(dir, port, "--reenroll --out-cert d.pem --out-key d.key").failed(2, &["--cert"]);
    assert!(!dir.join("d.pem").exists() && !dir.join("d.key").exists());
    // The key that the server asks for is made unasked.
    enroll(dir, port, BY_PASSWORD).done();
    let shown = run(dir, "certs inspect d.pem").done();
    assert!(shown.contains("P-384"), "{shown}");
}

#[test]
fn a_section_that_makes_no_sense_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    fs::write(dir.join("a.toml"), "plain = '127.0.0.1:0'\n[est]\nca = 'ca'\n").unwrap();
    run(dir, "serve --config a.toml").failed(2, &["[est]", "cert"]);
    run(dir, "certs init --dir ca").done();
    run(dir, "certs issue --dir ca --name server --server --dns localhost").done();
    let certificate = "listen = '127.0.0.1:0'\ncert = 'ca/server.pem'\nkey = 'ca/server.key'\n[est]\n";
    fs::write(dir.join("b.toml"), format!("{certificate}ca = 'nowhere'\n")).unwrap();
    run(dir, "serve --config b.toml").failed(1, &["nowhere", "certs init"]);
    fs::write(dir.join("users"), "device1:plain\n").unwrap();
    fs::write(dir.join("c.toml"), format!("{certificate}ca = 'ca'\nusers = 'users'\n")).unwrap();
    run(dir, "serve --config c.toml").failed(1, &["users", "line 1"]);
}

#[test]
fn a_subscriber_renews_its_certificate_and_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let (mut server, est) = serve(dir, "validity = '9s'\n");
    let port = server.port();
    enroll(dir, est, BY_PASSWORD).done();
    let first = fs::read_to_string(dir.join("d.pem")).unwrap();
    let subscriber = format!(
        "sub -h localhost -p {port} -t a -q 1 -C 1 -W 60 --cafile ca/root-ca.pem --cert d.pem --key d.key \
         --renew-est https://localhost:{est}"
    );
    let mut subscriber = Running::start(gridmq(dir).args(subscriber.split(' ')));
    common::eventually("a renewal", || fs::read_to_string(dir.join("d.pem")).unwrap() != first);
    // It may be on its way to the broker: a message of a session that lasts waits for it.
    run(dir, &format!("pub -h localhost -p {port} -t a -m hello -q 1 --cafile ca/root-ca.pem")).done();
    assert_eq!(subscriber.line().trim_end(), "hello");

    let renew = format!("sub -h localhost -p {port} -t a --cafile ca/root-ca.pem --renew-est https://localhost:{est}");
    run(dir, &renew).failed(2, &["--renew-est", "--cert"]);
    run(dir, &format!("{renew} --cert d.pem")).failed(2, &["--key"]);
}
