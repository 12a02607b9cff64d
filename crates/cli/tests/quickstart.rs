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
use std::process::{Command, Stdio};

use common::{Running, gridmq, run};
use serde_json::Value;

fn steps(dir: &Path) -> Vec<Value> {
    let out = run(dir, "quickstart --once --port 0 --json").done();
    out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn every_step_comes_out_as_it_should() {
    let dir = tempfile::tempdir().unwrap();
    let out = run(dir.path(), "quickstart --once --port 0").done();
    let text = out.split_whitespace().collect::<Vec<_>>().join(" ");
    for seen in ["TLS 1.3", "TLS 1.2", "TLS13_", "CN=client1-authn-ID issued by CN=", "0x87 Not authorized"] {
        assert!(text.contains(seen), "{seen} in {out}");
    }
    assert!(!out.contains('✗'), "{out}");
    let refusals = ["no certificate", "stranger", "wrong username", "in no topic space"];
    for refusal in refusals {
        assert!(out.lines().any(|line| line.starts_with("✓ refused") && line.contains(refusal)), "{refusal} in {out}");
    }
    assert!(dir.path().join("gridmq-quickstart/namespace.json").exists());
}

#[test]
fn certificates_are_kept_and_used_again() {
    let dir = tempfile::tempdir().unwrap();
    let first = steps(dir.path());
    assert!(first.iter().all(|step| step.get("ok").is_none_or(|ok| ok == true)), "{first:?}");
    assert_eq!(first.last().unwrap()["failures"], 0);
    let read = || std::fs::read(dir.path().join("gridmq-quickstart/client1-authn-ID.pem")).unwrap();
    let before = read();
    steps(dir.path());
    assert_eq!(read(), before);
}

#[test]
fn a_step_that_fails_is_said_and_the_exit_code_is_1() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    let path = dir.path().join("gridmq-quickstart/namespace.json");
    let mut namespace: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    namespace["permissionBindings"].as_array_mut().unwrap().retain(|binding| binding["name"] != "ContosoPublisher");
    std::fs::write(&path, namespace.to_string()).unwrap();
    let ended = run(dir.path(), "quickstart --once --port 0");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.lines().any(|line| line.starts_with("✗ publish")), "{ended:?}");
}

fn edit(dir: &Path, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let path = dir.join("gridmq-quickstart/namespace.json");
    let mut namespace: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut namespace);
    std::fs::write(&path, namespace.to_string()).unwrap();
    std::fs::read(&path).unwrap()
}

#[test]
fn a_namespace_that_somebody_changed_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    let read = || std::fs::read(dir.path().join("gridmq-quickstart/namespace.json")).unwrap();
    // Their own clients, and an authority that is not this directory's.
    run(dir.path(), "certs init --dir other").done();
    let other = std::fs::read_to_string(dir.path().join("other/intermediate-ca.pem")).unwrap();
    let before = edit(dir.path(), |namespace| {
        namespace["caCertificates"][0]["properties"]["encodedCertificate"] = other.into();
        namespace["clients"][0]["properties"]["authenticationName"] = "mine".into();
    });
    let expected = ["namespace.json", "caCertificates", "intermediate-ca.pem", "--dir"];
    run(dir.path(), "quickstart --once --port 0 --json").without_output().failed(1, &expected);
    assert_eq!(read(), before);
    // As it was written, for an intermediate that was lost: nobody's work is in it.
    std::fs::remove_file(dir.path().join("gridmq-quickstart/namespace.json")).unwrap();
    steps(dir.path());
    for name in ["root-ca.pem", "root-ca.key", "intermediate-ca.pem", "intermediate-ca.key"] {
        std::fs::remove_file(dir.path().join("gridmq-quickstart").join(name)).unwrap();
    }
    let before = read();
    steps(dir.path());
    assert_ne!(read(), before);
}

#[test]
fn a_changed_namespace_that_works_is_used_and_said_to_be_changed() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    edit(dir.path(), |namespace| namespace["clients"][1]["properties"]["authenticationName"] = "sensor-7".into());
    let all = steps(dir.path());
    let seen = all.iter().find(|step| step["step"] == "namespace").unwrap()["seen"].as_str().unwrap();
    assert!(seen.contains("changed") && seen.contains("sensor-7") && !seen.contains("client2"), "{seen}");
}

#[test]
fn a_refusal_for_another_reason_is_not_the_expected_one() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    edit(dir.path(), |namespace| namespace["clients"][0]["properties"]["state"] = "Disabled".into());
    let ended = run(dir.path(), "quickstart --once --port 0");
    assert_eq!(ended.code, 1, "{ended:?}");
    let wrong =
        |line: &str| line.starts_with("✗ refused: certificate of a stranger") && line.contains("another reason");
    assert!(ended.out.lines().any(wrong), "{ended:?}");
    assert!(ended.err.contains("namespace.json") && ended.err.contains("changed"), "{ended:?}");
}

#[test]
fn an_unknown_member_is_a_warning_and_a_misspelt_one_an_error() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    edit(dir.path(), |namespace| namespace["clients"][0]["properties"]["colour"] = "red".into());
    let ended = run(dir.path(), "quickstart --once --port 0 --json");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("warning:") && ended.err.contains("clients[0].properties.colour"), "{ended:?}");
    edit(dir.path(), |namespace| namespace["clients"][0]["properties"]["State"] = "Disabled".into());
    let ended = run(dir.path(), "quickstart --once --port 0 --json");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("clients[0].properties.State"), "{ended:?}");
}

#[test]
#[cfg(unix)]
fn while_it_serves_refusals_are_logged_and_failed_steps_are_not_forgotten() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    edit(dir.path(), |namespace| {
        namespace["permissionBindings"].as_array_mut().unwrap().retain(|it| it["name"] != "ContosoPublisher");
    });
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let mut serving = Running::start(gridmq(dir.path()).args(["quickstart", "--port", "0"]).stderr(log));
    let port = loop {
        if let Some(rest) = serving.line().strip_prefix("Serving on port ") {
            break rest.split(' ').next().unwrap().to_owned();
        }
    };
    while !serving.line().starts_with("MQTT_KEY_FILE=") {}
    let words =
        format!("pub -h localhost -p {port} --cafile gridmq-quickstart/root-ca.pem -u client1-authn-ID -t a -m b");
    common::eventually("the refusal is logged", || {
        run(dir.path(), &words).failed(1, &["0x87"]);
        std::fs::read_to_string(dir.path().join("log")).unwrap().contains("client refused")
    });
    assert_eq!(serving.stop("-INT"), 1);
}

#[test]
fn a_port_that_is_taken_is_named_with_the_cure() {
    let dir = tempfile::tempdir().unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = run(dir.path(), &format!("quickstart --once --port {port}"));
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains(&port) && ended.err.contains("--port"), "{ended:?}");
}

#[test]
fn a_damaged_file_is_named_and_nothing_is_changed() {
    let dir = tempfile::tempdir().unwrap();
    steps(dir.path());
    let path = dir.path().join("gridmq-quickstart/namespace.json");
    std::fs::write(&path, "{\"clients\": 7}").unwrap();
    run(dir.path(), "quickstart --once --port 0").failed(1, &["namespace.json", "clients"]);
    assert_eq!(std::fs::read(&path).unwrap(), b"{\"clients\": 7}");
}

/// The command that begins with these words, as it is printed, over several lines.
fn command(text: &str, beginning: &str) -> String {
    let at = text.find(beginning).unwrap_or_else(|| panic!("{beginning} in {text}"));
    let start = text[..at].rfind('\n').map_or(0, |at| at + 1);
    text[start..].split("\n\n").next().unwrap().to_owned()
}

#[test]
#[cfg(unix)]
fn the_printed_commands_work_when_pasted() {
    let dir = tempfile::tempdir().unwrap();
    let mut serving = Running::start(gridmq(dir.path()).args(["quickstart", "--port", "0", "--dir", "it's here"]));
    let mut text = String::new();
    while !text.contains("MQTT_KEY_FILE=") {
        text.push_str(&serving.line());
        text.push('\n');
    }
    let shell = |command: &str| {
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).current_dir(dir.path()).stdin(Stdio::null());
        shell
    };
    let subscribe = command(&text, "gridmq sub ");
    let publish = command(&text, "gridmq pub ");
    let mut subscriber = Running::start(&mut shell(&format!("exec {subscribe} -C 1 -W 20")));
    // The subscription is made when a message comes through.
    common::eventually("the subscriber is served", || {
        assert!(shell(&publish).status().unwrap().success());
        subscriber.child.try_wait().unwrap().is_some()
    });
    assert_eq!(subscriber.line(), "hello world!");

    let env = &text[text.find("MQTT_HOST_NAME").unwrap()..];
    std::fs::write(dir.path().join("client1.env"), env).unwrap();
    run(dir.path(), "pub --env-file client1.env -t contosotopics/topic1 -m hello -q 1").done();
    for program in ["mosquitto_sub", "mosquitto_pub"] {
        assert!(command(&text, program).contains("--cafile"));
    }
    assert_eq!(serving.stop("-INT"), 0);
}
