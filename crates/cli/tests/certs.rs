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

use common::{ended, gridmq, run};
use gridmq_tls::{Anchors, Identity, PresentedPeer, verify};

fn names(dir: &std::path::Path) -> Vec<String> {
    let mut names: Vec<_> =
        std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn what_is_issued_is_believed_by_those_who_know_the_root_or_the_intermediate() {
    let dir = tempfile::tempdir().unwrap();
    let ca = dir.path().join("ca");
    run(dir.path(), "certs init --dir ca").done();
    run(dir.path(), "certs issue --dir ca --name device1 --uri urn:device:1 --email a@example.org").done();
    let identity = Identity::from_pem_files(&ca.join("device1.pem"), &ca.join("device1.key")).unwrap();
    assert_eq!(identity.subject(), "CN=device1");
    assert_eq!(identity.chain().len(), 2);
    let chain = identity.chain().iter().map(|certificate| certificate.der().to_vec()).collect();
    let presented = PresentedPeer::from_der_unproven(chain).unwrap();
    for anchor in ["root-ca.pem", "intermediate-ca.pem"] {
        let anchors = Anchors::from_pem(&std::fs::read(ca.join(anchor)).unwrap()).unwrap();
        let now = identity.not_after() - 1;
        let peer = verify(&presented, &anchors, now).unwrap();
        assert_eq!(peer.leaf().alternative_names().uri, ["urn:device:1"]);
        verify(&presented, &anchors, now + 2).unwrap_err();
    }
    assert_eq!(
        names(&ca),
        ["device1.key", "device1.pem", "intermediate-ca.key", "intermediate-ca.pem", "root-ca.key", "root-ca.pem"]
    );
}

#[test]
#[cfg(unix)]
fn keys_are_for_their_owner_alone() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs issue --dir . --name device1").done();
    for key in ["root-ca.key", "intermediate-ca.key", "device1.key"] {
        assert_eq!(std::fs::metadata(dir.path().join(key)).unwrap().permissions().mode() & 0o777, 0o600, "{key}");
    }
}

#[test]
fn nothing_is_overwritten_without_force() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs issue --dir . --name device1").done();
    let read = |name: &str| std::fs::read(dir.path().join(name)).unwrap();
    let (root, device) = (read("root-ca.pem"), read("device1.pem"));
    run(dir.path(), "certs init --dir .").failed(1, &["root-ca.pem", "--force"]);
    run(dir.path(), "certs issue --dir . --name device1").failed(1, &["device1.pem", "--force"]);
    assert_eq!((read("root-ca.pem"), read("device1.pem")), (root.clone(), device.clone()));
    run(dir.path(), "certs issue --dir . --name device1 --force").done();
    assert_ne!(read("device1.pem"), device);
    run(dir.path(), "certs init --dir . --force").done();
    assert_ne!(read("root-ca.pem"), root);
    assert_eq!(names(dir.path()).len(), 6, "no temporary file stays");
}

#[test]
fn a_key_that_stands_alone_in_the_way_stops_everything() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("intermediate-ca.key"), "mine").unwrap();
    run(dir.path(), "certs init --dir .").failed(1, &["intermediate-ca.key"]);
    assert_eq!(names(dir.path()), ["intermediate-ca.key"]);
    assert_eq!(std::fs::read(dir.path().join("intermediate-ca.key")).unwrap(), b"mine");
}

#[test]
fn a_key_that_cannot_be_replaced_leaves_the_certificate_as_it_was() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs issue --dir . --name device1").done();
    let old = std::fs::read(dir.path().join("device1.pem")).unwrap();
    std::fs::remove_file(dir.path().join("device1.key")).unwrap();
    std::fs::create_dir(dir.path().join("device1.key")).unwrap();
    run(dir.path(), "certs issue --dir . --name device1 --force").failed(1, &["device1.key", "directory"]);
    assert_eq!(std::fs::read(dir.path().join("device1.pem")).unwrap(), old);
}

#[test]
fn issuing_needs_an_authority_that_fits_its_key() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs issue --dir . --name a").failed(1, &["intermediate-ca.pem", "certs init"]);
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs init --dir other").done();
    std::fs::copy(dir.path().join("other/intermediate-ca.key"), dir.path().join("intermediate-ca.key")).unwrap();
    run(dir.path(), "certs issue --dir . --name a").failed(1, &["intermediate-ca.key"]);
    std::fs::write(dir.path().join("other/intermediate-ca.pem"), "nothing").unwrap();
    run(dir.path(), "certs issue --dir other --name a").failed(1, &["intermediate-ca.pem"]);
    run(dir.path(), "certs issue --dir nowhere --name a").failed(1, &["nowhere"]);
}

#[test]
fn a_certificate_is_shown_with_all_that_event_grid_asks_for() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs issue --dir . --name server --server --dns localhost --ip ::1 --days 10").done();
    let out = run(dir.path(), "certs show --json server.pem").done();
    let shown: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(shown.len(), 2);
    assert_eq!(shown[0]["subject"], "CN=localhost");
    assert_eq!(shown[0]["issuer"], shown[1]["subject"]);
    assert_eq!(shown[0]["alternativeNames"]["dns"], serde_json::json!(["localhost"]));
    assert_eq!(shown[0]["alternativeNames"]["ip"], serde_json::json!(["::1"]));
    assert_eq!((&shown[0]["ca"], &shown[1]["ca"]), (&false.into(), &true.into()));
    let identity = Identity::from_pem_files(&dir.path().join("server.pem"), &dir.path().join("server.key")).unwrap();
    assert_eq!(shown[0]["thumbprintSha256"], identity.thumbprint_sha256());
    let words = run(dir.path(), "certs show server.pem").done();
    let thumbprint = identity.thumbprint_sha256().to_uppercase();
    for fact in [thumbprint.as_str(), "DNS:localhost", "IP:::1", "CN=localhost"] {
        assert!(words.contains(fact), "{fact} in {words}");
    }
    std::fs::write(dir.path().join("server.der"), identity.leaf_der()).unwrap();
    assert_eq!(run(dir.path(), "certs show --json server.der").done().lines().count(), 1);
}

#[test]
fn what_is_no_certificate_is_named() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    std::fs::write(dir.path().join("empty.pem"), "").unwrap();
    run(dir.path(), "certs show empty.pem").failed(1, &["empty.pem"]);
    run(dir.path(), "certs show missing.pem").failed(1, &["missing.pem"]);
    run(dir.path(), "certs show root-ca.key").failed(1, &["root-ca.key", "private key"]);
    let both = run(dir.path(), "certs show missing.pem root-ca.pem");
    assert_eq!(both.code, 1);
    assert!(both.out.contains("Root CA") && both.err.contains("missing.pem"), "{both:?}");
}

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let ended = ended(gridmq(dir.path()).args(["certs", "show", "root-ca.pem"]).stdout(writer));
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
}
