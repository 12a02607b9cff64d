//! Keys that stay in a token, with SoftHSM in the token's place.
#![cfg(feature = "pkcs11")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Pki, echo, established, identity};
use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::object::{Attribute, CertificateType, ObjectClass};
use cryptoki::session::UserType;
use gridmq_tls::identity::IdentityError;
use gridmq_tls::passphrase::Passphrase;
use gridmq_tls::source::Source;
use gridmq_tls::{ClientAuth, ClientConfig, ClientTrust, Id, Identity, IdentityLoader, ServerConfig, TlsVersion};

/// Object, its id, its key and its certificate.
const OBJECTS: [(&str, &str, &str, &str); 3] = [
    ("device", "01", "ec.pkcs8.key", "leaf.crt"),
    ("large", "02", "p384.key", "p384.crt"),
    ("rsa", "03", "rsa2048.pkcs8.key", "rsa2048.pkcs1.crt"),
];

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name)
}

fn module() -> String {
    std::env::var("GRIDMQ_SOFTHSM2").expect("GRIDMQ_SOFTHSM2 names SoftHSM's module")
}

/// SoftHSM reads its configuration from the environment of the process, so the test runs itself again in one.
fn in_a_token(test: &str, run: fn()) {
    if std::env::var_os("GRIDMQ_TOKEN").is_some() {
        return run();
    }
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-{test}"));
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir_all(directory.join("tokens")).unwrap();
    let config = directory.join("softhsm2.conf");
    std::fs::write(&config, format!("directories.tokendir = {}\n", directory.join("tokens").display())).unwrap();
    let util = |arguments: &[&str]| {
        let output = Command::new("softhsm2-util").args(arguments).env("SOFTHSM2_CONF", &config).output().unwrap();
        assert!(output.status.success(), "softhsm2-util {arguments:?}: {output:?}");
    };
    util(&["--init-token", "--free", "--label", "dev", "--so-pin", "12345678", "--pin", "1234"]);
    for (label, id, key, _) in OBJECTS {
        let key = data(key);
        util(&["--import", key.to_str().unwrap(), "--token", "dev", "--label", label, "--id", id, "--pin", "1234"]);
    }
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env("SOFTHSM2_CONF", &config)
        .env("GRIDMQ_TOKEN", "dev")
        .status()
        .unwrap();
    assert!(status.success());
}

fn token(object: &str) -> Source {
    format!("pkcs11:token=dev;object={object}?module-path={}", module()).parse().unwrap()
}

fn loader(certificate: &str, object: &str) -> IdentityLoader {
    IdentityLoader::new(data(certificate)).key(token(object)).passphrase(Passphrase::new("1234"))
}

/// Connects with it over both versions; the server checks that the client has the key.
fn connects(identity_of_client: &Identity) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let pki = Pki::new();
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let client =
            ClientConfig::builder().identity(identity_of_client.clone()).trust(pki.trust()).versions(version).build();
        let server = ServerConfig::builder()
            .identity(identity(&pki.server))
            .client_certificate(ClientAuth::Required)
            .handshake_trust(ClientTrust::AnyPresented)
            .build()
            .unwrap();
        runtime.block_on(async {
            let ((mut near, _), (mut far, info)) = established(&client.unwrap(), &server).await;
            assert_eq!(info.presented.unwrap().leaf().der(), identity_of_client.leaf_der());
            echo(&mut near, &mut far).await;
        });
    }
}

#[test]
#[ignore = "needs SoftHSM; run by cargo xtask test"]
fn a_key_in_a_token_authenticates_with_a_certificate_from_a_file() {
    in_a_token("a_key_in_a_token_authenticates_with_a_certificate_from_a_file", || {
        for (object, _, _, certificate) in OBJECTS {
            connects(&loader(certificate, object).load().unwrap());
        }
    });
}

#[test]
#[ignore = "needs SoftHSM; run by cargo xtask test"]
fn the_certificate_comes_from_the_token_where_none_is_given() {
    in_a_token("the_certificate_comes_from_the_token_where_none_is_given", || {
        let without = IdentityLoader::new(token("device")).passphrase(Passphrase::new("1234")).load().unwrap_err();
        assert!(matches!(without, IdentityError::Token { .. }), "{without:?}");

        let context = Pkcs11::new(module()).unwrap();
        let _ = context.initialize(CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK));
        let slot = context.get_slots_with_initialized_token().unwrap()[0];
        let session = context.open_rw_session(slot).unwrap();
        match session.login(UserType::User, Some(&"1234".to_owned().into())) {
            Ok(()) | Err(cryptoki::error::Error::Pkcs11(cryptoki::error::RvError::UserAlreadyLoggedIn, _)) => {}
            Err(error) => panic!("{error}"),
        }
        for certificate in ["inter.crt", "leaf.crt"] {
            let parsed = gridmq_tls::pem::certificates(&std::fs::read(data(certificate)).unwrap()).unwrap();
            session
                .create_object(&[
                    Attribute::Class(ObjectClass::CERTIFICATE),
                    Attribute::CertificateType(CertificateType::X_509),
                    Attribute::Token(true),
                    Attribute::Private(false),
                    Attribute::Label(certificate.as_bytes().to_vec()),
                    Attribute::Id(vec![1]),
                    Attribute::Subject(vec![0x30, 0]),
                    Attribute::Value(parsed[0].der().to_vec()),
                ])
                .unwrap();
        }
        let found = IdentityLoader::new(token("device")).passphrase(Passphrase::new("1234")).load().unwrap();
        assert_eq!(found.chain_subjects(), ["CN=data-device", "CN=Data Intermediate"]);
        connects(&found);
    });
}

#[test]
#[ignore = "needs SoftHSM; run by cargo xtask test"]
fn what_is_wrong_with_a_token_is_named_with_what_it_holds() {
    in_a_token("what_is_wrong_with_a_token_is_named_with_what_it_holds", || {
        let failure = |loader: IdentityLoader| {
            let error = loader.load().unwrap_err();
            let finding = error.finding();
            assert_eq!(finding.id, Id::A32, "{error}");
            finding
        };
        let no_object = failure(loader("leaf.crt", "nokey"));
        assert!(no_object.evidence.iter().any(|seen| seen.contains("\"device\"")), "{no_object:?}");
        let other_token: Source = format!("pkcs11:token=prod?module-path={}", module()).parse().unwrap();
        let no_token = failure(IdentityLoader::new(data("leaf.crt")).key(other_token));
        assert!(no_token.evidence.iter().any(|seen| seen.contains("\"dev\"")), "{no_token:?}");
        failure(loader("p384.crt", "device"));
        failure(IdentityLoader::new(data("leaf.crt")).key(token("device")));
        failure(loader("leaf.crt", "device").passphrase(Passphrase::new("9999")));
        let no_module: Source = "pkcs11:token=dev?module-path=/no/such/module.so".parse().unwrap();
        failure(IdentityLoader::new(data("leaf.crt")).key(no_module));
        let pin_in_uri: Source = "pkcs11:token=dev?pin-value=1234".parse().unwrap();
        failure(IdentityLoader::new(data("leaf.crt")).key(pin_in_uri));
    });
}
