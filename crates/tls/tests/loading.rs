//! Identities from everything that OpenSSL writes, and from everywhere it can be kept.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::{Path, PathBuf};

use gridmq_tls::identity::{IdentityError, KeyPermissions, Role};
use gridmq_tls::passphrase::{Passphrase, PassphraseSource};
use gridmq_tls::source::Source;
use gridmq_tls::{Finding, Id, Identity, IdentityLoader, Severity};

/// Within the validity of every certificate of the data.
fn now() -> u64 {
    let leaf = gridmq_tls::pem::certificates(&fs::read(data("leaf.crt")).unwrap()).unwrap();
    leaf[0].not_before() + 60
}

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

/// The data's keys are readable by everybody.
fn loader(certificate: &str, key: &str) -> IdentityLoader {
    IdentityLoader::new(data(certificate)).key(data(key)).key_permissions(KeyPermissions::Ignore)
}

fn secret() -> Passphrase {
    Passphrase::new("secret")
}

fn ids(found: &[Finding]) -> Vec<Id> {
    found.iter().map(|finding| finding.id).collect()
}

/// The error's entry in the catalogue.
fn refused(loader: &IdentityLoader) -> Id {
    let error = loader.load().unwrap_err();
    let finding = error.finding();
    assert_eq!(finding.severity, Severity::Error);
    assert!(!error.to_string().contains("secret") && !format!("{error:?} {loader:?} {finding:?}").contains("secret"));
    finding.id
}

#[test]
fn pain_06_every_form_of_certificate_and_key_makes_the_same_identity() {
    let expected = ["CN=data-device", "CN=Data Intermediate"];
    for certificate in ["chain.pem", "chain.p7b", "chain.der.p7b", "bag-attributes.pem"] {
        for key in ["ec.sec1.key", "ec.sec1.der", "ec.params.key", "ec.pkcs8.key", "ec.pkcs8.der"] {
            let identity = loader(certificate, key).load().unwrap();
            assert_eq!(identity.chain_subjects(), expected, "{certificate} {key}");
        }
    }
    for certificate in ["leaf.crt", "leaf.der", "trusted.pem"] {
        let identity = loader(certificate, "ec.pkcs8.key").chain(data("inter.crt")).load().unwrap();
        assert_eq!(identity.chain_subjects(), expected, "{certificate}");
    }
    let identity = loader("chain.pem", "ec.pkcs8.key").load().unwrap();
    assert_eq!(identity.findings(now()), []);
}

#[test]
fn encrypted_keys_open_under_their_passphrase_only() {
    for key in ["ec.aes.key", "ec.aes.der", "ec.des3-sha1.key", "ec.scrypt.key"] {
        let loader = loader("chain.pem", key);
        assert!(loader.clone().passphrase(secret()).load().is_ok(), "{key}");
        assert_eq!(refused(&loader), Id::A20, "{key}");
        assert_eq!(refused(&loader.passphrase(Passphrase::new("wrong"))), Id::A21, "{key}");
    }
    let with_blank = loader("chain.pem", "ec.aes.key").passphrase(Passphrase::new("secret "));
    assert!(matches!(with_blank.load(), Err(IdentityError::WrongPassphrase { blanks: true, .. })));
    for key in ["ec.traditional.key", "ec.pbe.key"] {
        let loader = loader("chain.pem", key).passphrase(secret());
        assert!(matches!(loader.load(), Err(IdentityError::UnsupportedEncryption { .. })), "{key}");
    }
    // What is not encrypted asks nobody.
    let nobody = PassphraseSource::ask(|_| panic!("asked"));
    assert!(loader("chain.pem", "ec.sec1.key").passphrase(nobody).load().is_ok());
}

#[test]
fn pkcs12_of_every_generation_is_an_identity() {
    let load = |name: &str, password: Option<&str>| {
        let loader = IdentityLoader::new(data(name)).key_permissions(KeyPermissions::Ignore);
        match password {
            Some(password) => loader.passphrase(Passphrase::new(password)),
            None => loader,
        }
    };
    for (name, password, entry) in [
        ("modern.p12", Some("secret"), Id::A25),
        ("legacy.p12", Some("secret"), Id::A24),
        ("empty.p12", None, Id::A25),
        ("empty.p12", Some("needless"), Id::A25),
        ("plain.p12", None, Id::A12),
    ] {
        let identity = load(name, password).load().unwrap();
        assert_eq!(identity.chain_subjects(), ["CN=data-device", "CN=Data Intermediate"], "{name}");
        let found = identity.findings(now());
        assert_eq!(ids(&found), [entry], "{name}");
        assert_eq!(found[0].severity, Severity::Info);
    }
    let without_chain = load("nochain.p12", Some("secret")).load().unwrap();
    assert!(ids(&without_chain.findings(now())).contains(&Id::A28));
    for (name, password, entry) in [
        ("modern.p12", Some("wrong"), Id::A26),
        ("modern.p12", None, Id::A26),
        ("legacy.p12", Some("wrong"), Id::A26),
        ("nokey.p12", Some("secret"), Id::A27),
    ] {
        assert_eq!(refused(&load(name, password)), entry, "{name}");
    }
    // The key may come from elsewhere.
    assert!(load("nokey.p12", Some("secret")).key(data("ec.pkcs8.key")).load().is_ok());
}

#[test]
fn kinds_of_keys_are_taken_or_named() {
    for name in ["secp521r1", "p384", "rsa2048.pkcs1", "ed25519"] {
        assert!(loader(&format!("{name}.crt"), &format!("{name}.key")).load().is_ok(), "{name}");
    }
    for (name, entry) in [("rsa1024", Id::A29), ("secp256k1", Id::A31), ("brainpoolP256r1", Id::A31)] {
        assert_eq!(refused(&loader(&format!("{name}.crt"), &format!("{name}.key"))), entry, "{name}");
    }
}

#[test]
fn pain_06_what_is_given_in_the_wrong_place_is_named() {
    for (certificate, key, entry) in [
        ("request.csr", "ec.pkcs8.key", Id::A22),
        ("chain.pem", "public.pem", Id::A22),
        ("chain.pem", "p384.key", Id::A19),
        ("make.sh", "ec.pkcs8.key", Id::A35),
        ("ec.pkcs8.key", "ec.pkcs8.key", Id::A13),
        ("missing.pem", "ec.pkcs8.key", Id::A01),
        (".", "ec.pkcs8.key", Id::A35),
    ] {
        assert_eq!(refused(&loader(certificate, key)), entry, "{certificate} {key}");
    }
}

#[test]
fn what_certificates_say_becomes_findings_for_their_role() {
    let found = |certificate: &str, role| {
        let identity = loader(certificate, "ec.sec1.key").chain(data("inter.crt")).load().unwrap();
        let found = identity.findings_as(role, now());
        found
            .into_iter()
            .filter(|finding| finding.severity > Severity::Info)
            .map(|finding| finding.id)
            .collect::<Vec<_>>()
    };
    assert_eq!(found("leaf.crt", Role::Client), []);
    assert_eq!(found("sha1.crt", Role::Client), [Id::A30]);
    assert_eq!(found("server-only.crt", Role::Client), [Id::B04, Id::B03]);
    assert_eq!(found("server-only.crt", Role::Server), [Id::B04]);
}

#[test]
fn the_end_of_a_certificate_is_announced() {
    use gridmq_tls::issue::{CertificateAuthority, Validity};
    const DAY: u64 = 86_400;
    let year = Validity::new(0, 365 * DAY);
    let root = CertificateAuthority::new_root("Root", Validity::new(0, 3650 * DAY)).unwrap();
    let leaf = root.issue_client("device", year).unwrap();
    let identity = Identity::from_pem(leaf.certificate_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
    let soon = |left: u64| {
        let found = identity.findings(365 * DAY - left);
        found.into_iter().find(|finding| finding.id == Id::B14).map(|finding| finding.fix)
    };
    assert_eq!(soon(11 * DAY), None);
    assert_eq!(soon(10 * DAY).as_deref(), Some("renew it soon"));
    assert_eq!(soon(DAY).as_deref(), Some("renew it now"));
    // Of a certificate of a minute, a third is what counts.
    let short = root.issue_client("device", Validity::new(1000, 1060)).unwrap();
    let identity = Identity::from_pem(short.certificate_pem().as_bytes(), short.key_pem().as_bytes()).unwrap();
    let warned = |now| ids(&identity.findings(now)).contains(&Id::B14);
    assert!(!warned(1030) && warned(1055));
}

#[test]
#[cfg(unix)]
fn a_key_that_others_can_read_is_reported_or_refused() {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("device.key");
    fs::copy(data("ec.pkcs8.key"), &key).unwrap();
    let loader = |permissions| IdentityLoader::new(data("chain.pem")).key(key.as_path()).key_permissions(permissions);
    for (mode, open) in [(0o600, false), (0o400, false), (0o640, true), (0o644, true)] {
        fs::set_permissions(&key, fs::Permissions::from_mode(mode)).unwrap();
        let warned = loader(KeyPermissions::Warn).load().unwrap();
        assert_eq!(ids(&warned.findings(now())).contains(&Id::A03), open, "{mode:o}");
        let ignored = loader(KeyPermissions::Ignore).load().unwrap();
        assert!(!ids(&ignored.findings(now())).contains(&Id::A03));
        match loader(KeyPermissions::Refuse).load() {
            Err(error @ IdentityError::ReadableByOthers { .. }) => {
                assert_eq!((open, error.finding().id), (true, Id::A03))
            }
            other => assert!(!open && other.is_ok(), "{mode:o}"),
        }
    }
}

#[test]
#[cfg(unix)]
fn a_link_is_followed_and_noted() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("tls.crt");
    std::os::unix::fs::symlink(data("chain.pem"), &link).unwrap();
    let loader = IdentityLoader::new(link.as_path()).key(data("ec.pkcs8.key")).key_permissions(KeyPermissions::Ignore);
    assert_eq!(ids(&loader.load().unwrap().findings(now())), [Id::A33]);
    assert_eq!(loader.paths(), [link, data("ec.pkcs8.key")]);
}

#[test]
fn text_may_come_from_memory_and_from_a_callback() {
    let chain = fs::read(data("chain.pem")).unwrap();
    let key = fs::read(data("ec.sec1.key")).unwrap();
    let fetched = key.clone();
    let loader = IdentityLoader::new(Source::pem(chain)).key(Source::callback(move || Ok(fetched.clone())));
    assert_eq!(loader.load().unwrap().subject(), "CN=data-device");
    let unset: Source = "env:GRIDMQ_NO_SUCH_VARIABLE".parse().unwrap();
    assert_eq!(refused(&IdentityLoader::new(Source::pem(key)).key(unset)), Id::A01);
}

#[test]
fn what_was_noticed_is_told_also_when_loading_fails() {
    let text = String::from_utf8(fs::read(data("leaf.crt")).unwrap()).unwrap().replace('\n', "\\n");
    let (result, found) = IdentityLoader::new(Source::pem(text)).key(data("p384.key")).examine();
    assert!(matches!(result, Err(IdentityError::KeyMismatch { .. })));
    assert!(ids(&found).contains(&Id::A09));
}
