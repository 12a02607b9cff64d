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
use std::path::Path;

use common::run;

/// A directory with an authority, a server's and a client's certificate.
fn certificates() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs issue --dir . --name server --server --dns localhost --ip 127.0.0.1").done();
    run(dir.path(), "certs issue --dir . --name device1").done();
    dir
}

fn write(dir: &Path, name: &str, content: &str) {
    std::fs::write(dir.join(name), content).unwrap();
}

const SERVE: &str = "serve --listen 127.0.0.1:0";

#[test]
fn certificates_and_keys_that_cannot_work() {
    let dir = certificates();
    let dir = dir.path();
    write(dir, "empty.pem", "");
    write(dir, "garbage.pem", "garbage");
    write(dir, "encrypted.key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
    for (cert, key, names) in [
        ("missing.pem", "server.key", &["missing.pem", "does not exist"][..]),
        (".", "server.key", &["directory"]),
        ("empty.pem", "server.key", &["empty.pem", "empty"]),
        ("garbage.pem", "server.key", &["garbage.pem"]),
        ("server.pem", "device1.key", &["device1.key", "server.pem"]),
        ("server.pem", "encrypted.key", &["encrypted.key", "passphrase"]),
        ("server.pem", "missing.key", &["missing.key", "does not exist"]),
    ] {
        run(dir, &format!("{SERVE} --cert {cert} --key {key}")).failed(1, names);
        let client = format!("pub -h localhost -p 1 --cafile root-ca.pem --cert {cert} --key {key} -t a -m b");
        run(dir, &client).failed(1, names);
    }
    run(dir, "pub -h localhost -p 1 --cafile missing.pem -t a -m b").failed(1, &["missing.pem", "does not exist"]);
    run(dir, "pub -h localhost -p 1 --cafile device1.key -t a -m b").failed(1, &["device1.key"]);
    run(dir, &format!("{SERVE} --cert server.pem")).failed(1, &["server.pem", "--key"]);
    run(dir, "pub -h localhost -p 1 --cert device1.pem -t a -m b").failed(1, &["device1.pem", "--key"]);
    // Every client would refuse it.
    run(dir, &format!("{SERVE} --cert device1.pem --key device1.key")).failed(1, &["serverAuth", "CN=device1"]);
}

#[test]
fn brokers_that_cannot_be_reached() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "pub -h does-not-exist.invalid -p 1883 -t a -m b").failed(1, &["does-not-exist.invalid"]);
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    run(dir.path(), &format!("sub -h 127.0.0.1 -p {port} -t a")).failed(1, &["127.0.0.1", &port.to_string()]);
}

#[test]
fn files_for_messages_and_passwords() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "empty", "");
    run(dir.path(), "pub -t a -f missing").failed(1, &["missing"]);
    run(dir.path(), "pub -t a -m b --password-file missing").failed(1, &["missing"]);
    run(dir.path(), "pub -t a -m b --password-file empty").failed(1, &["empty"]);
    run(dir.path(), "pub -t a -m b --env-file missing.env").failed(1, &["missing.env"]);
    write(dir.path(), "bad.env", "MQTT_HOST_NAME=localhost\nMQTT_TCP_PORT=eight\n");
    run(dir.path(), "pub -t a -m b --env-file bad.env").failed(1, &["bad.env", "line 2", "MQTT_TCP_PORT"]);
    write(dir.path(), "none.env", "MQTT_CLIENT_ID=a\n");
    run(dir.path(), "pub -t a -m b --env-file none.env").failed(2, &["MQTT_HOST_NAME"]);
}

#[test]
fn a_port_that_is_taken() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let words = format!("serve --plain 127.0.0.1:{port}");
    run(dir.path(), &words).failed(1, &[&format!("127.0.0.1:{port}"), "another program"]);
}

#[test]
fn a_namespace_that_is_none() {
    let dir = certificates();
    let dir = dir.path();
    let serve = format!("{SERVE} --cert server.pem --key server.key --namespace namespace.json");
    run(dir, &serve).failed(1, &["namespace.json", "does not exist"]);
    write(dir, "namespace.json", "{\n  \"clients\": [,]\n}");
    run(dir, &serve).failed(1, &["namespace.json", "line 2"]);
    write(dir, "namespace.json", r#"{"clients": [{"name": "a", "properties": {"state": 7}}]}"#);
    run(dir, &serve).failed(1, &["namespace.json", "clients[0].properties.state"]);
    write(
        dir,
        "namespace.json",
        r#"{"permissionBindings": [{"name": "abc", "properties":
            {"clientGroupName": "$all", "topicSpaceName": "nowhere", "permission": "Publisher"}}]}"#,
    );
    run(dir, &serve).failed(1, &["permissionBindings[0]", "nowhere"]);
}

#[test]
fn a_configuration_that_is_none() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "serve --config missing.toml").failed(1, &["missing.toml", "does not exist"]);
    write(dir.path(), "a.toml", "plain = [1883]\nlisten-on = 1\n");
    run(dir.path(), "serve --config a.toml").failed(1, &["a.toml:2:1:", "listen-on", "did you mean listen?"]);
    write(dir.path(), "a.toml", "plain = [\"nowhere\"]\n");
    run(dir.path(), "serve --config a.toml").failed(1, &["a.toml", "nowhere"]);
}

#[test]
fn a_state_directory_that_cannot_be_used() {
    let dir = tempfile::tempdir().unwrap();
    write(dir.path(), "file", "");
    run(dir.path(), "serve --plain 127.0.0.1:0 --data-dir file").failed(1, &["file", "directory"]);
    std::fs::create_dir(dir.path().join("newer")).unwrap();
    write(dir.path(), "newer/format", "999\n");
    run(dir.path(), "serve --plain 127.0.0.1:0 --data-dir newer").failed(1, &["newer", "format 999"]);
}
