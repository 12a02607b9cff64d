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

use common::{Running, gridmq, open_broker, run};

fn certificates(dir: &std::path::Path) {
    run(dir, "certs init --dir .").done();
    run(dir, "certs issue --dir . --name server --server --dns localhost --ip 127.0.0.1").done();
    run(dir, "certs issue --dir . --name device1").done();
}

#[test]
fn flags_win_over_variables_and_variables_over_the_file() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    std::fs::write(
        dir.path().join("gridmq.toml"),
        "plain = ['127.0.0.2:0', '127.0.0.2:0']\ndata-dir = 'from-file'\nlog = 'error'\n",
    )
    .unwrap();
    let addresses = |command: &mut std::process::Command, count: usize| {
        let mut broker = Running::start(command);
        (0..count).map(|_| broker.line().split([' ', ':']).nth(2).unwrap().to_owned()).collect::<Vec<_>>()
    };
    let serve = || {
        let mut command = gridmq(dir.path());
        command.args(["serve", "--config", "gridmq.toml"]);
        command
    };
    assert_eq!(addresses(&mut serve(), 2), ["127.0.0.2", "127.0.0.2"]);
    assert!(dir.path().join("from-file/lock").exists());
    assert_eq!(addresses(serve().env("GRIDMQ_PLAIN", "127.0.0.3:0"), 1), ["127.0.0.3"]);
    let mut both = serve();
    both.env("GRIDMQ_PLAIN", "127.0.0.3:0").args(["--plain", "127.0.0.4:0", "--plain", "127.0.0.5:0"]);
    assert_eq!(addresses(&mut both, 2), ["127.0.0.4", "127.0.0.5"]);
    let mut from_variable = gridmq(dir.path());
    from_variable.arg("serve").env("GRIDMQ_CONFIG", "gridmq.toml").env("GRIDMQ_DATA_DIR", "from-variable");
    assert_eq!(addresses(&mut from_variable, 2).len(), 2);
    assert!(dir.path().join("from-variable/format").exists());
}

#[test]
fn a_state_directory_is_one_brokers() {
    let dir = tempfile::tempdir().unwrap();
    let (mut first, _) = open_broker(dir.path());
    let pid = first.child.id().to_string();
    run(dir.path(), "serve --plain 127.0.0.1:0").failed(1, &["state", "in use", &pid, "--data-dir"]);
    #[cfg(unix)]
    assert_eq!(first.stop("-INT"), 0);
    drop(first);
    open_broker(dir.path());
}

#[test]
#[cfg(unix)]
fn it_stops_when_asked_to_and_tells_its_clients() {
    let dir = tempfile::tempdir().unwrap();
    let (mut broker, port) = open_broker(dir.path());
    let mut command = gridmq(dir.path());
    command.args(["sub", "-p", &port.to_string(), "-t", "a", "-v", "-q", "1"]);
    command.stderr(std::process::Stdio::piped());
    let mut subscriber = Running::start(&mut command);
    let publish = format!("pub -p {port} -t a -m hello -r -q 1");
    run(dir.path(), &publish).done();
    assert_eq!(subscriber.line(), "a hello");
    assert_eq!(broker.stop("-TERM"), 0);
    let mut err = String::new();
    std::io::Read::read_to_string(&mut subscriber.child.stderr.take().unwrap(), &mut err).unwrap();
    assert_eq!(subscriber.child.wait().unwrap().code(), Some(1));
    assert!(err.to_lowercase().contains("shutting down"), "{err}");
}

#[test]
fn an_open_broker_serves_over_tls_too() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let mut broker =
        Running::start(gridmq(dir.path()).args(["serve", "--cert", "server.pem", "--key", "server.key"]).args([
            "--listen",
            "127.0.0.1:0",
            "--log",
            "error",
        ]));
    let port = broker.port();
    for version in ["tlsv1.2", "tlsv1.3"] {
        let words = format!("pub -h localhost -p {port} --cafile root-ca.pem --tls-version {version} -t a -m b -q 2");
        run(dir.path(), &words).done();
    }
    let url = format!("pub --url mqtts://127.0.0.1:{port} --cafile root-ca.pem -t a -m b -q 1");
    run(dir.path(), &url).done();
    run(dir.path(), "certs init --dir stranger").done();
    let words = format!("pub -h localhost -p {port} --cafile stranger/root-ca.pem -t a -m b");
    run(dir.path(), &words).failed(1, &["localhost", "--cafile"]);
}

#[test]
fn only_clients_that_speak_the_listeners_protocol_come_in() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let file = "cert = 'server.pem'\nkey = 'server.key'\n[[listener]]\naddress = '127.0.0.1:0'\nalpn = ['mqtt']\n";
    std::fs::write(dir.path().join("gridmq.toml"), file).unwrap();
    let mut broker = Running::start(gridmq(dir.path()).args(["serve", "--config", "gridmq.toml", "--log", "error"]));
    let port = broker.port();
    let publish = format!("pub -h localhost -p {port} --cafile root-ca.pem -t a -m b -q 1");
    run(dir.path(), &publish).done();
    let examine = |protocol: &str| {
        let words = format!("doctor --cafile root-ca.pem --alpn {protocol} mqtts://localhost:{port} --json");
        let told: serde_json::Value = serde_json::from_str(&run(dir.path(), &words).out).unwrap();
        told.to_string().contains("no-common-alpn")
    };
    assert_eq!((examine("mqtt"), examine("http/1.1")), (false, true));
}

#[test]
fn what_mqtt_leaves_to_the_broker_is_configured() {
    let dir = tempfile::tempdir().unwrap();
    let file = "plain = '127.0.0.1:0'\n[mqtt]\nshared-strategy = 'sticky-by-topic'\nsystem-topics = '1s'\n";
    std::fs::write(dir.path().join("gridmq.toml"), file).unwrap();
    let mut broker = Running::start(gridmq(dir.path()).args(["serve", "--config", "gridmq.toml", "--log", "error"]));
    let port = broker.port();
    let version = run(dir.path(), &format!("sub -p {port} -t $SYS/broker/version -C 1")).done();
    assert_eq!(version, format!("gridmq {}\n", env!("CARGO_PKG_VERSION")));
    run(dir.path(), &format!("pub -p {port} -t hello -m hello -r -q 1")).done();
    let mut members: Vec<_> = (0..2)
        .map(|_| {
            let words = format!("sub -p {port} -t $share/g/t -t hello -C 5");
            let mut member = Running::start(gridmq(dir.path()).args(words.split(' ')));
            assert_eq!(member.line(), "hello");
            member
        })
        .collect();
    for number in 0..4 {
        run(dir.path(), &format!("pub -p {port} -t t -m {number} -q 1")).done();
    }
    let mut ended = || members.iter_mut().filter_map(|member| member.child.try_wait().unwrap()).count();
    common::eventually("one member has all four", || ended() == 1);
}

#[test]
fn a_namespace_decides_who_may_do_what() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let pem = std::fs::read_to_string(dir.path().join("intermediate-ca.pem")).unwrap();
    let binding = |name: &str, permission: &str| {
        serde_json::json!({ "name": name, "properties":
            { "clientGroupName": "$all", "topicSpaceName": "machines", "permission": permission } })
    };
    let namespace = serde_json::json!({
        "clients": [{ "name": "device1" }],
        "topicSpaces": [{ "name": "machines",
            "properties": { "topicTemplates": ["machines/${client.authenticationName}/#"] } }],
        "permissionBindings": [binding("publish", "Publisher"), binding("subscribe", "Subscriber")],
        "caCertificates": [{ "name": "intermediate", "properties": { "encodedCertificate": pem } }],
    });
    std::fs::write(dir.path().join("namespace.json"), namespace.to_string()).unwrap();
    let mut command = gridmq(dir.path());
    command.args("serve --cert server.pem --key server.key --namespace namespace.json --log error".split(' '));
    command.args("--listen 127.0.0.1:0 --plain 127.0.0.1:0 --trust-plain --workers 2".split(' '));
    let mut broker = Running::start(&mut command);
    let (tls, plain) = (broker.port(), broker.port());
    let device = "--cafile root-ca.pem --cert device1.pem --key device1.key -u device1 -q 1";
    let tls = format!("pub -h localhost -p {tls} {device}");
    run(dir.path(), &format!("{tls} -t machines/device1/temperature -m 21")).done();
    run(dir.path(), &format!("{tls} -t machines/device2/temperature -m 21")).failed(1, &["0x87"]);
    let plain = format!("pub -h localhost -p {plain} -q 1 -m 21");
    run(dir.path(), &format!("{plain} -u device1 -t machines/device1/temperature")).done();
    run(dir.path(), &format!("{plain} -u device2 -t machines/device2/temperature")).failed(1, &["0x87"]);
    run(dir.path(), &format!("{plain} -t machines/device1/temperature")).failed(1, &["0x87"]);
}

#[test]
fn what_cannot_work_is_said_at_the_start() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("namespace.json"), r#"{"clients": [{"name": "device1", "properties": {"x": 1}}]}"#)
        .unwrap();
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    let words = "serve --namespace namespace.json --plain 127.0.0.1:0 --log info";
    let mut broker = Running::start(gridmq(dir.path()).args(words.split(' ')).stderr(log));
    broker.port();
    let summary = broker.line();
    assert!(summary.contains("client device1") && summary.contains("no topic templates"), "{summary}");
    let log = std::fs::read_to_string(dir.path().join("log")).unwrap();
    assert!(log.contains("--trust-plain") && log.contains("clients[0].properties.x"), "{log}");
}

#[cfg(unix)]
#[test]
fn a_replaced_certificate_is_used_and_a_bad_one_is_not() {
    let dir = tempfile::tempdir().unwrap();
    certificates(dir.path());
    let mut command = gridmq(dir.path());
    command.args("serve --cert server.pem --key server.key --listen 127.0.0.1:0 --data-dir s".split(' '));
    let log = std::fs::File::create(dir.path().join("log")).unwrap();
    command.stderr(log);
    let mut broker = Running::start(&mut command);
    let port = broker.port();
    let said = || std::fs::read_to_string(dir.path().join("log")).unwrap();
    let publish = format!("pub -h localhost -p {port} --cafile root-ca.pem -t a -m hello");
    run(dir.path(), &publish).done();
    run(dir.path(), "certs issue --dir . --name other --server --dns localhost --ip 127.0.0.1").done();
    for end in ["key", "pem"] {
        std::fs::rename(dir.path().join(format!("other.{end}")), dir.path().join(format!("server.{end}"))).unwrap();
    }
    common::eventually("the new certificate is used", || said().contains("was replaced"));
    run(dir.path(), &publish).done();
    let replaced = said().matches("was replaced").count();
    std::fs::write(dir.path().join("server.pem"), "nothing").unwrap();
    common::eventually("the bad one is reported", || said().contains("is not used"));
    run(dir.path(), &publish).done();
    // A signal has the files read again, and does not end the broker.
    let id = broker.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    common::eventually("the signal is seen", || said().contains("asked to reload"));
    run(dir.path(), &publish).done();
    assert_eq!(said().matches("was replaced").count(), replaced);
    assert_eq!(broker.stop("-TERM"), 0);
}
