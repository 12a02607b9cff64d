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
    for (profile, name, option, scheme) in [
        ("subject", "plain", "", "SubjectMatchesAuthenticationName"),
        ("subject", "other", "--cn", "SubjectMatchesAuthenticationName"),
        ("dns", "a.example", "", "DnsMatchesAuthenticationName"),
        ("dns", "b.example", "--dns", "DnsMatchesAuthenticationName"),
        ("uri", "urn:device:7", "--uri", "UriMatchesAuthenticationName"),
        ("ip", "192.0.2.1", "", "IpMatchesAuthenticationName"),
        ("ip", "2001:db8::1", "--ip", "IpMatchesAuthenticationName"),
        ("email", "a@b.example", "", "EmailMatchesAuthenticationName"),
        ("email", "c@b.example", "--email", "EmailMatchesAuthenticationName"),
        ("thumbprint", "own", "", "ThumbprintMatch"),
    ] {
        let (file, option) =
            if option.is_empty() { (name, String::new()) } else { ("d", format!(" {option} {name} --force")) };
        let made = json(dir, &format!("certs issue --dir . --name {file} --profile {profile}{option} --json"));
        assert_eq!((&made["validationScheme"], &made["authenticationName"]), (&scheme.into(), &name.into()));
        let shown = run(dir, &format!("certs inspect --json {file}.pem")).done();
        let leaf: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
        let names = &leaf["alternativeNames"];
        match profile {
            "dns" | "ip" | "uri" | "email" => assert_eq!(names[profile], serde_json::json!([name])),
            "thumbprint" => assert_eq!(leaf["subject"], leaf["issuer"]),
            _ => assert_eq!(leaf["subject"], format!("CN={name}")),
        }
    }
    let said = run(dir, "certs issue --dir . --name u --profile uri --uri urn:device:8").done();
    assert!(said.contains("UriMatchesAuthenticationName, authentication name urn:device:8"), "{said}");
    run(dir, "certs issue --dir . --name x --profile uri").failed(2, &["a URI", "--uri"]);
    run(dir, "certs issue --dir . --name x --profile email").failed(2, &["e-mail", "--email"]);
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
fn a_renewal_keeps_the_kind_of_the_key_and_where_the_list_is() {
    let dir = ca();
    let dir = dir.path();
    run(dir, "certs issue --dir . --name r --key-type ec-p384 --crl-uri http://crl.example/a.crl").done();
    run(dir, "certs renew --dir . --name r --force").done();
    let shown = run(dir, "certs inspect --json r.pem").done();
    let leaf: Value = serde_json::from_str(shown.lines().next().unwrap()).unwrap();
    assert_eq!(leaf["key"], "ECDSA P-384");
    assert!(leaf["crl"].to_string().contains("http://crl.example/a.crl"), "{}", leaf["crl"]);
    run(dir, "certs renew --dir . --name r --key-type ec-p256 --out s").done();
    assert!(run(dir, "certs inspect s.pem").done().contains("ECDSA P-256"));
}

#[test]
fn a_renewal_with_the_same_key_leaves_its_file_as_it_is() {
    let dir = ca();
    let dir = dir.path();
    std::fs::write(dir.join("pass"), "secret\n").unwrap();
    run(dir, "certs convert device1.key --to pkcs8 --out device1.key --out-pass-file pass --force").done();
    let key = read(dir, "device1.key");
    assert!(key.starts_with(b"-----BEGIN ENCRYPTED PRIVATE KEY-----"));
    run(dir, "certs renew --dir . --name device1 --same-key --force --pass-file pass").done();
    assert_eq!(read(dir, "device1.key"), key);
    run(dir, "certs renew --dir . --name device1 --same-key --out copy --pass-file pass").done();
    assert_eq!(read(dir, "copy.key"), key);
    run(dir, "certs issue --dir . --name other").done();
    std::fs::copy(dir.join("other.key"), dir.join("device1.key")).unwrap();
    run(dir, "certs renew --dir . --name device1 --same-key --force").failed(1, &["device1.key", "belongs"]);
}

#[test]
fn what_runs_at_once_loses_no_revocation() {
    let dir = ca();
    let dir = dir.path();
    let names: Vec<String> = (0..8).map(|number| format!("d{number}")).collect();
    for name in &names {
        run(dir, &format!("certs issue --dir . --name {name}")).done();
    }
    for _ in 0..5 {
        drop(std::fs::remove_file(dir.join("intermediate-ca.revoked")));
        let running: Vec<_> = names
            .iter()
            .map(|name| {
                let words = format!("certs revoke --dir . {name}.pem --json");
                common::gridmq(dir).args(words.split(' ')).stdout(std::process::Stdio::null()).spawn().unwrap()
            })
            .collect();
        for mut child in running {
            assert!(child.wait().unwrap().success());
        }
        assert_eq!(json(dir, "certs crl --dir . --force --json")["revoked"], 8);
    }
}

#[test]
fn an_authority_whose_time_is_over_signs_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, "certs init --dir . --validity 1s").done();
    std::thread::sleep(std::time::Duration::from_secs(2));
    for words in ["issue --name a", "crl", "crl --issuer root"] {
        run(dir, &format!("certs {words} --dir .")).failed(1, &["expired", "init", "--force"]);
    }
}

#[test]
fn names_that_the_authority_may_not_certify_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, "certs init --dir . --name-constraint dns:plant.example --name-constraint ip:10.0.0.0/8").done();
    run(dir, "certs issue --dir . --name good --server --dns a.plant.example --ip 10.1.2.3").done();
    for bad in ["--dns other.example", "--ip 192.0.2.1"] {
        run(dir, &format!("certs issue --dir . --name bad --server {bad}")).failed(1, &["constraint"]);
    }
    run(dir, "certs csr --name x --dns other.example --out x").done();
    run(dir, "certs issue --dir . --name bad --csr x.csr").failed(1, &["constraint"]);
    assert!(!dir.join("bad.pem").exists() && !dir.join("bad.key").exists());
}

#[test]
fn what_follows_a_revocation_is_said_as_it_can_be_pasted() {
    let dir = ca();
    let dir = dir.path();
    let said = run(dir, "certs revoke --dir . device1.pem intermediate-ca.pem").done();
    let next: Vec<&str> = said.lines().filter_map(|line| line.strip_prefix("Next: gridmq ")).collect();
    assert_eq!(next, ["certs crl --dir .", "certs crl --dir . --issuer root"]);
    for words in next {
        run(dir, words).done();
    }
    assert!(run(dir, "certs revoke --dir . device1.pem").done().contains("Next: gridmq certs crl --dir . --force"));
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
    run(dir, "certs convert device1.key --to der --out e.der --out-pass-file pass").done();
    assert!(!read(dir, "e.der").windows(16).any(|part| read(dir, "d.der").ends_with(part)), "the key is encrypted");
    run(dir, "certs convert e.der --pass-file pass --to der --out f.der").done();
    run(dir, "certs convert device1.key --to der --out g.der").done();
    assert_eq!(read(dir, "f.der"), read(dir, "g.der"));
    run(dir, "certs convert device1.pem --to pem --out x.pem --out-pass-file pass").failed(2, &["private key"]);
    run(dir, "certs issue --dir . --name device2").done();
    run(dir, "certs convert device1.pem --key device2.key --to pem --out x.pem").failed(1, &["device2.key", "belongs"]);
    run(dir, "certs convert device1.key --key device1.pem --to pem --out x.pem").failed(1, &["device1.pem", "key"]);
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
