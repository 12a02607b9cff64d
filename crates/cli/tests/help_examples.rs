//! What `--help` shows as an example works when it is pasted.

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

/// The lines of a command's help that are examples, each on one line.
fn examples(dir: &Path, command: &str) -> Vec<String> {
    let help = run(dir, &format!("{command} --help")).done();
    let examples = &help[help.find("Example").unwrap()..];
    let mut found: Vec<String> = Vec::new();
    let mut open = false;
    for line in examples.lines().skip(1) {
        let word = line.trim();
        if word.starts_with("gridmq ") {
            found.push(word.to_owned());
            open = true;
        } else if open && !word.is_empty() && !line.starts_with("An ") {
            // The help is wrapped to the width of the terminal.
            found.last_mut().unwrap().push_str(&format!(" {word}"));
        } else {
            open = false;
        }
    }
    assert!(!found.is_empty(), "{help}");
    found
}

fn shell(dir: &Path, example: &str) -> Command {
    let program = env!("CARGO_BIN_EXE_gridmq");
    let mut command = Command::new("sh");
    command.args(["-c", &example.replacen("gridmq", &format!("exec '{program}'"), 1)]);
    command.current_dir(dir).env("XDG_STATE_HOME", dir.join("state")).stdin(Stdio::null());
    command
}

fn done(dir: &Path, example: &str) {
    let output = shell(dir, example).output().unwrap();
    assert!(output.status.success(), "{example}: {output:?}");
}

#[test]
#[cfg(unix)]
fn of_certs() {
    let dir = tempfile::tempdir().unwrap();
    for example in examples(dir.path(), "certs") {
        done(dir.path(), &example);
    }
    for (command, first) in
        [("certs init", "rm -r ca"), ("certs issue", "rm -f ca/device1.* ca/server.*"), ("certs show", "true")]
    {
        assert!(Command::new("sh").args(["-c", first]).current_dir(dir.path()).status().unwrap().success());
        if command == "certs show" {
            run(dir.path(), "certs issue --dir ca --name device1 --force").done();
        }
        for example in examples(dir.path(), command) {
            done(dir.path(), &example);
        }
    }
}

#[test]
#[cfg(unix)]
fn of_serve() {
    let dir = tempfile::tempdir().unwrap();
    let examples = examples(dir.path(), "serve");
    let (serve, prepare): (Vec<_>, Vec<_>) = examples.iter().partition(|example| example.contains(" serve "));
    prepare.iter().for_each(|example| done(dir.path(), example));
    assert_eq!(serve.len(), 2);
    for example in serve {
        // Ports that are free here in place of those of MQTT.
        let example = match example.strip_suffix("--plain 1883") {
            Some(start) => format!("{start}--plain 127.0.0.1:0"),
            None => format!("{example} --listen 127.0.0.1:0"),
        };
        let mut broker = Running::start(&mut shell(dir.path(), &example));
        assert!(broker.line().starts_with("listening on 127.0.0.1:"));
        assert_eq!(broker.stop("-INT"), 0);
    }
}

#[test]
#[cfg(unix)]
fn of_pub_and_sub() {
    let dir = tempfile::tempdir().unwrap();
    let mut quickstart = Running::start(gridmq(dir.path()).args(["quickstart", "--port", "0"]));
    let port = loop {
        let line = quickstart.line();
        if let Some(rest) = line.strip_prefix("Serving on port ") {
            break rest.split(' ').next().unwrap().to_owned();
        }
    };
    let (_open, plain) = common::open_broker(dir.path());
    let plain = format!("-p {plain}");
    for (publish, subscribe) in examples(dir.path(), "pub").iter().zip(examples(dir.path(), "sub")) {
        let here = |example: &str| example.replace("-p 8883", &format!("-p {port}")).replace("-p 1883", &plain);
        let mut subscriber = Running::start(&mut shell(dir.path(), &format!("{} -C 1 -W 20", here(&subscribe))));
        common::eventually("the subscriber is served", || {
            done(dir.path(), &here(publish));
            subscriber.child.try_wait().unwrap().is_some()
        });
        assert!(subscriber.line().contains("hello"));
    }
}

#[test]
#[cfg(unix)]
fn of_quickstart() {
    let dir = tempfile::tempdir().unwrap();
    let examples = examples(dir.path(), "quickstart");
    done(dir.path(), examples.iter().find(|example| example.contains("--once")).unwrap());
}
