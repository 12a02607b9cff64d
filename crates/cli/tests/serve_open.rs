//! `gridmq serve` without a namespace: users, access rules, and who comes in unasked.
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

use common::{Running, eventually, gridmq, run, run_with_input};

fn user(dir: &Path, name: &str, password: &str) {
    run_with_input(dir, &format!("users add users {name} --password-stdin"), password.as_bytes()).done();
    std::fs::write(dir.join(format!("{name}.secret")), password).unwrap();
}

fn publish(dir: &Path, port: u16, more: &str) -> common::Ended {
    run(dir, &format!("pub -p {port} -q 1 -m x {more}"))
}

#[test]
fn users_come_in_with_their_passwords_and_do_what_the_rules_say() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    user(dir, "alice", "wonder");
    user(dir, "bob", "builder");
    std::fs::write(dir.join("access"), "# rules\nallow user alice publish a/#\n").unwrap();
    let mut command = gridmq(dir);
    command.args("serve --plain 127.0.0.1:0 --users users --access access --log error".split(' '));
    let mut broker = Running::start(&mut command);
    let port = broker.port();
    publish(dir, port, "-t a/b -u alice --password-file alice.secret").done();
    publish(dir, port, "-t b -u alice --password-file alice.secret").failed(1, &["no access rule allows it"]);
    publish(dir, port, "-t a/b -u bob --password-file bob.secret").failed(1, &["line 2 of the access rules"]);
    publish(dir, port, "-t a/b -u alice --password-file bob.secret").failed(1, &["password"]);
    publish(dir, port, "-t a/b").failed(1, &["user name"]);

    // SIGHUP: other rules, another user; what is wrong leaves all as it was.
    #[cfg(unix)]
    {
        user(dir, "carol", "christmas");
        std::fs::write(dir.join("access"), "allow users publish #\n").unwrap();
        let pid = broker.child.id().to_string();
        let hangup = || assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
        hangup();
        eventually("the new rules", || publish(dir, port, "-t b -u carol --password-file carol.secret").code == 0);
        std::fs::write(dir.join("access"), "allow nobody\n").unwrap();
        hangup();
        publish(dir, port, "-t b -u carol --password-file carol.secret").done();
        assert_eq!(broker.stop("-TERM"), 0);
    }
}

#[test]
fn a_certificate_names_a_user() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, "certs init --dir .").done();
    run(dir, "certs issue --dir . --name server --server --dns localhost --ip 127.0.0.1").done();
    run(dir, "certs issue --dir . --name pump7").done();
    std::fs::write(
        dir.join("gridmq.toml"),
        "cert = 'server.pem'\nkey = 'server.key'\nlisten = '127.0.0.1:0'\n[log]\nfilter = 'error'\n[open]\n\
         client-ca = 'root-ca.pem'\nrules = ['allow users publish d/${client.authenticationName}/#']\n",
    )
    .unwrap();
    let mut broker = Running::start(gridmq(dir).args(["serve", "--config", "gridmq.toml"]));
    let port = broker.port();
    let tls = "-h localhost --cafile root-ca.pem";
    let certified = format!("{tls} --cert pump7.pem --key pump7.key");
    publish(dir, port, &format!("{certified} -t d/pump7/x")).done();
    publish(dir, port, &format!("{certified} -t d/pump8/x")).failed(1, &["may not publish"]);
    publish(dir, port, &format!("{tls} -t d/pump7/x")).failed(1, &["certificate"]);
}

#[test]
fn whoever_can_be_reached_from_elsewhere_has_to_say_who_comes_in() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    run(dir, "serve --plain 0.0.0.0:0").failed(2, &["0.0.0.0:0", "--users", "--anonymous"]);
    let mut anonymous = Running::start(gridmq(dir).args("serve --plain 0.0.0.0:0 --anonymous --log error".split(' ')));
    let port = anonymous.port();
    publish(dir, port, "-t a").done();
}

#[test]
fn settings_that_are_wrong_are_said_before_anything_starts() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("users"), "alice:secret\n").unwrap();
    std::fs::write(dir.join("access"), "\nallow alice publish a\n").unwrap();
    run(dir, "serve --plain 127.0.0.1:0 --users users").failed(1, &["users: line 1", "no PHC string"]);
    run(dir, "serve --plain 127.0.0.1:0 --access access").failed(1, &["access: line 2", "\"alice\" is nobody"]);
    run(dir, "serve --plain 127.0.0.1:0 --access nowhere").failed(1, &["does not exist"]);
    std::fs::write(dir.join("a.toml"), "[open]\nrules = ['allow users all #', 'deny']\n").unwrap();
    run(dir, "serve --plain 127.0.0.1:0 --config a.toml").failed(1, &["rules of [open], 2"]);
    run(dir, "quickstart --once --port 0").done();
    run(dir, "serve --plain 127.0.0.1:0 --namespace gridmq-quickstart/namespace.json --users users")
        .failed(2, &["--namespace", "--users"]);
}
