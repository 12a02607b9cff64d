//! The commands beside `certs init` and `certs issue`.
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

use std::path::Path;

use common::run;
use serde_json::Value;

fn json(dir: &Path, words: &str) -> Value {
    serde_json::from_str(&run(dir, words).done()).unwrap()
}

fn ca() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir .").done();
    run(dir.path(), "certs issue --dir . --name device1").done();
    dir
}

fn read(dir: &Path, name: &str) -> Vec<u8> {
    std::fs::read(dir.join(name)).unwrap()
}

#[test]
fn a_request_is_made_and_signed_without_its_key_leaving() {
    let dir = ca();
    let dir = dir.path();
    run(dir, "certs csr --name device2 --dns a.example --out far/../device2").failed(1, &["far"]);
    let made = json(dir, "certs csr --name device2 --dns a.example --out elsewhere --json");
    assert_eq!((&made["subject"], &made["keyKind"]), (&"CN=device2".into(), &"ECDSA P-256".into()));
    let signed = json(dir, "certs issue --dir . --name device2 --csr elsewhere.csr --json");
    assert_eq!((&signed["subject"], &signed["key"]), (&"CN=device2".into(), &Value::Null));
    assert!(!dir.join("device2.key").exists());
    gridmq_tls::Identity::from_pem_files(&dir.join("device2.pem"), &dir.join("elsewhere.key")).unwrap();
    let like = json(dir, "certs csr --like device2.pem --key elsewhere.key --out again --json");
    assert_eq!((&like["subject"], &like["alternativeNames"]), (&made["subject"], &made["alternativeNames"]));
    assert!(!dir.join("again.key").exists());
    run(dir, "certs issue --dir . --name device3 --csr device1.pem").failed(1, &["device1.pem"]);
}

#[test]
fn a_profile_puts_the_name_where_event_grid_reads_it() {
    let dir = ca();
    let dir = dir.path();
    for (profile, name, scheme) in [
        ("subject", "plain", "SubjectMatchesAuthenticationName"),
        ("dns", "a.example", "DnsMatchesAuthenticationName"),
        ("uri", "urn", "UriMatchesAuthenticationName"),
        ("ip", "192.0.2.1", "IpMatchesAuthenticationName"),
        ("email", "a@b.example", "EmailMatchesAuthenticationName"),
        ("thumbprint", "own", "ThumbprintMatch"),
    ] {
        let words = format!("certs issue --dir . --name {name} --profile {profile} --json");
        // A colon cannot stand in the name of a file everywhere, so a URI is given by --uri.
        if profile == "uri" {
            run(dir, &words).failed(2, &["URI"]);
            continue;
        }
        assert_eq!(json(dir, &words)["validationScheme"], scheme);
        let shown = run(dir, &format!("certs inspect --json {name}.pem")).done();
        let leaf: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
        let names = &leaf["alternativeNames"];
        match profile {
            "dns" => assert_eq!(names["dns"][0], name),
            "ip" => assert_eq!(names["ip"][0], name),
            "email" => assert_eq!(names["email"][0], name),
            "thumbprint" => assert_eq!(leaf["subject"], leaf["issuer"]),
            _ => assert_eq!(leaf["subject"], format!("CN={name}")),
        }
    }
    run(dir, "certs issue --dir . --name x --profile ip").failed(2, &["IP address"]);
}

#[test]
fn a_renewal_keeps_the_name_and_replaces_only_when_told() {
    let dir = ca();
    let dir = dir.path();
    let old = read(dir, "device1.pem");
    run(dir, "certs renew --dir . --name device1").failed(1, &["device1.pem", "--force"]);
    assert_eq!(read(dir, "device1.pem"), old);
    let new = json(dir, "certs renew --dir . --name device1 --out device1-new --json");
    assert_eq!(new["subject"], "CN=device1");
    assert_ne!(new["thumbprintSha256"], new["formerThumbprintSha256"]);
    assert_ne!(read(dir, "device1-new.key"), read(dir, "device1.key"));
    run(dir, "certs renew --dir . --name device1 --same-key --validity 60s --force").done();
    gridmq_tls::Identity::from_pem_files(&dir.join("device1.pem"), &dir.join("device1.key")).unwrap();
    assert_ne!(read(dir, "device1.pem"), old);
}

#[test]
fn what_is_taken_back_stands_in_the_next_list() {
    let dir = ca();
    let dir = dir.path();
    run(dir, "certs init --dir other").done();
    run(dir, "certs issue --dir other --name stranger").done();
    run(dir, "certs revoke --dir . other/stranger.pem").failed(1, &["stranger.pem"]);
    let first = json(dir, "certs crl --dir . --json");
    assert_eq!((&first["number"], &first["revoked"]), (&1.into(), &0.into()));
    run(dir, "certs crl --dir .").failed(1, &["intermediate-ca.crl", "--force"]);
    let revoked = json(dir, "certs revoke --dir . device1.pem --reason key-compromise --json");
    assert_eq!((&revoked["reason"], &revoked["alreadyRevoked"]), (&"key-compromise".into(), &false.into()));
    assert_eq!(json(dir, "certs revoke --dir . device1.pem --json")["alreadyRevoked"], true);
    run(dir, "certs revoke --dir . device1.pem --reason bored").failed(2, &["bored"]);
    let second = json(dir, "certs crl --dir . --force --json");
    assert_eq!((&second["number"], &second["revoked"]), (&2.into(), &1.into()));
    run(dir, "certs crl --dir . --issuer root --out root.der").done();
    assert_eq!(read(dir, "root.der")[0], 0x30);
}

#[test]
fn forms_turn_into_each_other_and_keys_are_for_their_owner() {
    let dir = ca();
    let dir = dir.path();
    std::fs::write(dir.join("pass"), "secret\n").unwrap();
    for compat in ["", " --compat"] {
        let words = format!(
            "certs convert device1.pem --key device1.key --to pkcs12 --out d.p12 --out-pass-file pass{compat} --force"
        );
        run(dir, &words).done();
        run(dir, "certs convert d.p12 --to pem --out d.pem --force").failed(1, &["d.p12", "passphrase"]);
        run(dir, "certs convert d.p12 --pass-file pass --to pem --out d.pem --force").done();
        gridmq_tls::Identity::from_pem_file(&dir.join("d.pem")).unwrap();
    }
    run(dir, "certs convert d.pem --to pkcs8 --out d.key --out-pass-file pass").done();
    assert!(read(dir, "d.key").starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    run(dir, "certs convert d.key --pass-file pass --to der --out d.der").done();
    assert_eq!(read(dir, "d.der")[0], 0x30);
    run(dir, "certs convert device1.pem --to der --out two.der").failed(1, &["device1.pem", "DER"]);
    run(dir, "certs convert device1.pem --to pkcs12 --out x.p12 --out-pass-file pass").failed(1, &["--key"]);
    run(dir, "certs convert device1.pem --to pkcs8 --out x.key").failed(1, &["device1.pem"]);
    run(dir, "certs convert device1.pem --to pem --compat --out x.pem").failed(2, &["--compat"]);
    #[cfg(unix)]
    for name in ["d.p12", "d.pem", "d.key", "d.der"] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(dir.join(name)).unwrap().permissions().mode() & 0o777, 0o600, "{name}");
    }
}

#[test]
fn an_authority_whose_keys_are_encrypted_issues_with_the_passphrase() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("pass"), "secret").unwrap();
    run(dir, "certs init --dir ca --encrypt").failed(2, &["passphrase"]);
    run(dir, "certs init --dir ca --encrypt --pass-file pass --key-type ec-p384").done();
    assert!(read(dir, "ca/root-ca.key").starts_with(b"-----BEGIN ENCRYPTED"));
    run(dir, "certs issue --dir ca --name a").failed(1, &["intermediate-ca.key", "passphrase"]);
    run(dir, "certs issue --dir ca --name a --pass-file pass").done();
    run(dir, "certs crl --dir ca --pass-file pass").done();
}

#[test]
fn a_scrambled_chain_is_repaired_into_a_new_file() {
    let dir = ca();
    let dir = dir.path();
    let scrambled = [read(dir, "root-ca.pem"), read(dir, "intermediate-ca.pem"), read(dir, "device1.pem")].concat();
    std::fs::write(dir.join("scrambled.pem"), &scrambled).unwrap();
    let made = json(dir, "certs order scrambled.pem --out good.pem --json");
    assert_eq!((made["chain"].as_array().unwrap().len(), &made["duplicates"]), (2, &1.into()));
    assert_eq!(read(dir, "good.pem"), read(dir, "device1.pem"));
    assert_eq!(read(dir, "scrambled.pem"), scrambled);
    run(dir, "certs order root-ca.pem intermediate-ca.pem --out x.pem").failed(1, &["leaf"]);
    let faults: Vec<Value> = run(dir, "certs inspect --json scrambled.pem")
        .done()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["faults"].clone())
        .collect();
    assert!(faults.iter().any(|faults| faults.to_string().contains("A15")), "{faults:?}");
}

#[test]
fn three_judges_are_asked() {
    let dir = ca();
    let dir = dir.path();
    let good = json(dir, "certs verify device1.pem --ca root-ca.pem --json");
    for judge in ["eventGrid", "openssl", "rustls"] {
        assert_eq!(good[judge]["accepted"], true, "{judge}");
    }
    let partial = run(dir, "certs verify device1.pem --ca intermediate-ca.pem --json");
    assert_eq!(partial.code, 1);
    let partial: Value = serde_json::from_str(&partial.out).unwrap();
    assert_eq!((&partial["openssl"]["code"], &partial["rustls"]["accepted"]), (&2.into(), &true.into()));
    assert_eq!(partial["differences"][0]["name"], "partial-chain");
    let server = run(dir, "certs verify device1.pem --ca root-ca.pem --server");
    assert_eq!(server.code, 1);
    assert!(server.out.contains("error 26"), "{}", server.out);
}

#[test]
fn a_tree_shows_where_the_chain_breaks() {
    let dir = ca();
    let dir = dir.path();
    let shown = run(dir, "certs inspect device1.pem --ca root-ca.pem").done();
    assert!(shown.contains("└─ CN=device1 [1]"), "{shown}");
    run(dir, "certs init --dir other").done();
    let broken = run(dir, "certs inspect device1.pem --ca other/root-ca.pem");
    assert_eq!(broken.code, 1);
    assert!(broken.out.contains("✗") && broken.out.contains("Root CA"), "{}", broken.out);
}

#[test]
fn thumbprints_come_in_the_forms_that_services_want() {
    let dir = ca();
    let dir = dir.path();
    let all = json(dir, "certs fingerprint device1.pem --json");
    let form = |form: &str| run(dir, &format!("certs fingerprint device1.pem --form {form}")).done().trim().to_owned();
    assert_eq!((form("sha256").len(), form("sha1").len()), (64, 40));
    assert_eq!(all["sha256"], form("sha256"));
    assert_eq!(form("sha256-colons").replace(':', ""), form("sha256"));
    assert!(form("key-pin").starts_with("sha256//"));
    assert_eq!(run(dir, "certs fingerprint device1.pem --all --form sha1").done().lines().count(), 2);
}

#[test]
fn what_a_server_presents_is_shown() {
    let dir = ca();
    let dir = dir.path();
    run(dir, "certs issue --dir . --name server --server --dns localhost").done();
    let words = "serve --cert server.pem --key server.key --listen 127.0.0.1:0 --data-dir s --log error";
    let mut broker = common::Running::start(common::gridmq(dir).args(words.split(' ')));
    let port = broker.port();
    let shown = run(dir, &format!("certs inspect mqtts://127.0.0.1:{port} --ca root-ca.pem --json")).done();
    assert_eq!(shown.lines().count(), 2);
    let (_open, plain) = common::open_broker(dir);
    run(dir, &format!("certs inspect tls://127.0.0.1:{plain} --timeout 5")).failed(1, &["127.0.0.1"]);
    run(dir, "certs inspect mqtt://127.0.0.1").failed(2, &["URL"]);
}
