//! Options in the form of Microsoft's samples.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use gridmq_client::Options;
use gridmq_client::env::EnvError;
use gridmq_client::error::ConnectErrorKind;
use gridmq_tls::issue::{CertificateAuthority, Validity};

fn write(directory: &Path, name: &str, content: &str) {
    fs::write(directory.join(name), content).unwrap();
}

#[test]
fn a_scenario_s_file_names_files_beside_it() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 2);
    let root = CertificateAuthority::new_root("Root", validity).unwrap();
    let issued = root.issue_client("vehicle01", validity).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let directory = directory.path();
    write(directory, "chain.pem", &root.certificate_pem());
    write(directory, "vehicle01.pem", &issued.chain_pem());
    write(directory, "vehicle01.key", issued.key_pem());
    let text = "MQTT_HOST_NAME=localhost\nMQTT_CLIENT_ID=vehicle01\nMQTT_CA_FILE=chain.pem\n\
        MQTT_CERT_FILE=vehicle01.pem\nMQTT_KEY_FILE=vehicle01.key\n";
    write(directory, "vehicle01.env", text);
    let options = Options::from_env_file(directory.join("vehicle01.env")).unwrap();
    options.check().unwrap();
    assert!(format!("{options:?}").contains("localhost:8883"), "{options:?}");

    // Event Grid's limits hold for its hosts: there is no user name.
    let text = text.replace("localhost", "contoso.westus3-1.ts.eventgrid.azure.net");
    write(directory, "grid.env", &text);
    let options = Options::from_env_file(directory.join("grid.env")).unwrap();
    let error = options.check().unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "username", .. }), "{error}");
    options.alternative_name_source().check().unwrap();

    write(directory, "missing.env", &text.replace("vehicle01.key", "other.key"));
    assert!(matches!(Options::from_env_file(directory.join("missing.env")), Err(EnvError::Identity(_))));
    write(directory, "huge.env", &"#\n".repeat(40_000));
    assert!(matches!(Options::from_env_file(directory.join("huge.env")), Err(EnvError::TooLarge { .. })));
    fs::write(directory.join("latin.env"), b"MQTT_HOST_NAME=caf\xe9").unwrap();
    assert!(matches!(Options::from_env_file(directory.join("latin.env")), Err(EnvError::NotText { at: 18, .. })));
    assert!(matches!(Options::from_env_file(directory.join("none.env")), Err(EnvError::Read { .. })));
}

#[test]
fn variables_make_options() {
    let base = [("MQTT_HOST_NAME", "localhost"), ("MQTT_USE_TLS", "false")];
    let with = |more: &[(&'static str, &'static str)]| Options::from_env_vars(base.iter().chain(more).copied());
    let options = with(&[("MQTT_TCP_PORT", "1884"), ("MQTT_USERNAME", "roger"), ("MQTT_PASSWORD", "hunter2")]).unwrap();
    options.check().unwrap();
    let shown = format!("{options:?}");
    assert!(shown.contains("localhost:1884") && !shown.contains("roger") && !shown.contains("hunter2"), "{shown}");
    assert!(format!("{:?}", with(&[]).unwrap()).contains("localhost:1883"));
    assert!(matches!(Options::from_env_vars([("MQTT_TCP_PORT", "1")]), Err(EnvError::NoHost)));
    assert!(matches!(with(&[("MQTT_TCP_PORT", "x")]), Err(EnvError::Value { name, .. }) if name == "MQTT_TCP_PORT"));
    let both = [("MQTT_PASSWORD", "a"), ("MQTT_PASSWORD_FILE", "b")];
    assert!(matches!(with(&both), Err(EnvError::TwoPasswords)));
    let alone = Options::from_env_vars([("MQTT_HOST_NAME", "localhost"), ("MQTT_KEY_FILE", "k")]);
    assert!(matches!(alone, Err(EnvError::KeyAlone)));
    // Nobody is to believe that they are protected by files that nothing reads.
    for name in ["MQTT_CERT_FILE", "MQTT_KEY_FILE", "MQTT_CA_FILE", "MQTT_CA_PATH"] {
        assert!(matches!(with(&[(name, "file")]), Err(EnvError::WithoutTls { name: named }) if named == name));
    }
}

#[test]
fn a_password_comes_from_the_first_line_of_its_file() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), "password", "secret\nmore\n");
    write(directory.path(), "empty", "\n");
    let of = |name: &str| {
        let path = directory.path().join(name);
        Options::from_connection_string(&format!("HostName=h;UseTls=false;PasswordFile={}", path.display()))
    };
    of("password").unwrap().check().unwrap();
    assert!(matches!(of("empty"), Err(EnvError::EmptyPassword { .. })));
}

/// A pipe that nobody writes to would keep its reader waiting for ever.
#[cfg(unix)]
#[test]
fn what_is_no_file_is_not_opened() {
    let directory = tempfile::tempdir().unwrap();
    let pipe = directory.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    assert!(matches!(Options::from_env_file(&pipe), Err(EnvError::Read { .. })));
    let text = format!("HostName=h;UseTls=false;PasswordFile={}", pipe.display());
    assert!(matches!(Options::from_connection_string(&text), Err(EnvError::Read { .. })));
}
