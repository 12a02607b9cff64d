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

use common::{Running, eventually, gridmq, run};

fn certificates(dir: &Path) {
    run(dir, "certs init --dir .").done();
    run(dir, "certs issue --dir . --name server --server --dns localhost --ip 127.0.0.1").done();
    run(dir, "certs issue --dir . --name device1").done();
    run(dir, "certs issue --dir . --name device2").done();
    run(dir, "certs crl --dir .").done();
}

fn namespace(dir: &Path) {
    let pem = fs::read_to_string(dir.join("intermediate-ca.pem")).unwrap();
    let binding = |name: &str, permission: &str| {
        serde_json::json!({ "name": name, "properties":
            { "clientGroupName": "$all", "topicSpaceName": "all", "permission": permission } })
    };
    let namespace = serde_json::json!({
        "clients": [{ "name": "device1" }, { "name": "device2" }],
        "topicSpaces": [{ "name": "all", "properties": { "topicTemplates": ["machines/#"] } }],
        "permissionBindings": [binding("publish", "Publisher"), binding("subscribe", "Subscriber")],
        "caCertificates": [{ "name": "intermediate", "properties": { "encodedCertificate": pem } }],
    });
    fs::write(dir.join("namespace.json"), namespace.to_string()).unwrap();
}

fn device(name: &str, port: u16) -> String {
    format!("-h localhost -p {port} --cafile root-ca.pem --cert {name}.pem --key {name}.key -u {name} -q 1")
}

#[test]
fn a_revoked_client_is_disconnected_and_a_list_that_is_no_good_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    certificates(dir);
    namespace(dir);
    fs::write(dir.join("gridmq.toml"), "[tls]\ncrls = ['intermediate-ca.crl']\ncrl-check = 'chain'\n").unwrap();
    let log = fs::File::create(dir.join("log")).unwrap();
    let words = "serve --config gridmq.toml --namespace namespace.json --cert server.pem --key server.key --listen \
                 127.0.0.1:0 --workers 2 --json";
    let mut broker = Running::start(gridmq(dir).args(words.split_whitespace()).stderr(log));
    let port = broker.port();
    let logged = |what: &str| fs::read_to_string(dir.join("log")).unwrap().contains(what);
    let publish = |name: &str| run(dir, &format!("pub {} -t machines/a -m hello -r", device(name, port)));

    let errors = fs::File::create(dir.join("sub.err")).unwrap();
    let subscribe = format!("sub {} -t machines/a", device("device1", port));
    let mut subscriber = Running::start(gridmq(dir).args(subscribe.split(' ')).stderr(errors));
    publish("device2").done();
    assert_eq!(subscriber.line(), "hello");

    run(dir, "certs revoke --dir . device1.pem --reason key-compromise").done();
    run(dir, "certs crl --dir . --force").done();
    eventually("the subscriber is out", || subscriber.child.try_wait().unwrap().is_some());
    let said = fs::read_to_string(dir.join("sub.err")).unwrap();
    assert!(said.contains("B12"), "{said}");
    publish("device1").failed(1, &["0x87"]);
    assert!(logged("B12"));
    publish("device2").done();

    let refused = |log: &str| log.matches("\"WARN\"").count();
    let before = refused(&fs::read_to_string(dir.join("log")).unwrap());
    fs::write(dir.join("intermediate-ca.crl"), "no list").unwrap();
    eventually("the new file is refused", || refused(&fs::read_to_string(dir.join("log")).unwrap()) > before);
    publish("device1").failed(1, &["0x87"]);
    publish("device2").done();
    #[cfg(unix)]
    assert_eq!(broker.stop("-TERM"), 0);
}

#[test]
fn what_cannot_be_checked_is_refused_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    certificates(dir);
    namespace(dir);
    let serve = |section: &str, words: &str| {
        fs::write(dir.join("gridmq.toml"), format!("[tls]\n{section}\n")).unwrap();
        run(dir, &format!("serve --config gridmq.toml --cert server.pem --key server.key --listen 127.0.0.1:0{words}"))
    };
    let whole = " --namespace namespace.json";
    serve("require-ocsp = true", whole).failed(1, &["OCSP", "revocation lists"]);
    serve("crls = ['intermediate-ca.crl']\nrequire_ocsp = true", whole).failed(1, &["OCSP"]);
    serve("crls = ['missing.crl']", whole).failed(1, &["missing.crl"]);
    serve("crls = ['root-ca.pem']", whole).failed(1, &["root-ca.pem"]);
    serve("crl-check = 'leaf'", whole).failed(2, &["crls"]);
    serve("crls = ['intermediate-ca.crl']", "").failed(2, &["namespace"]);
    serve("crls = ['intermediate-ca.crl']\ncrl-check = 'none'", whole).failed(1, &["crl-check"]);
}
