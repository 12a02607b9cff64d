//! What `--help` shows as an example works when it is pasted.

#![cfg(unix)]
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

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};

use common::{Running, gridmq, run};

/// Stands for the program in `PATH`: takes ports that are free, and ends what would run for ever once it serves.
const SHIM: &str = r#"#!/bin/bash
program=PROGRAM
case "$1 $*" in
  "serve "*"--print-config"*) exec "$program" "$@" ;;
  "serve "*"--plain"*) set -- "$@" ;;
  "serve "*) set -- "$@" --listen 127.0.0.1:0 ;;
  "quickstart "*"--once"*) exec "$program" "$@" ;;
  "quickstart "*) set -- "$@" --port 0 ;;
  "sub "*) exec "$program" "$@" -C 1 -W 20 ;;
  *) exec "$program" "$@" ;;
esac
out=$(mktemp -p .)
"$program" "$@" > "$out" & pid=$!
until grep -qiE '^(listening|serving) on' "$out"; do
  kill -0 $pid || exit 9
  sleep 0.05
done
kill -TERM $pid
wait $pid
"#;

/// The indented blocks of a help text after the word `Example`, each as it stands there.
fn examples(dir: &Path, command: &str) -> Vec<String> {
    let help = run(dir, &format!("{command} --help")).done();
    let examples = &help[help.find("Example").unwrap()..];
    let mut blocks = vec![String::new()];
    for line in examples.lines().skip(1) {
        assert!(line.len() < 80, "{line:?} is too long for a terminal");
        if line.starts_with("  ") {
            let block = blocks.last_mut().unwrap();
            block.push_str(line);
            block.push('\n');
        } else if !blocks.last().unwrap().is_empty() {
            blocks.push(String::new());
        }
    }
    blocks.retain(|block| !block.is_empty());
    assert!(!blocks.is_empty(), "{help}");
    blocks
}

/// A shell as somebody has it who installed the program.
fn shell(dir: &Path, text: &str) -> Command {
    let bin = dir.join("bin");
    if !bin.exists() {
        std::fs::create_dir(&bin).unwrap();
        let shim = bin.join("gridmq");
        std::fs::write(&shim, SHIM.replace("PROGRAM", &format!("'{}'", env!("CARGO_BIN_EXE_gridmq")))).unwrap();
        std::fs::set_permissions(&shim, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("bash");
    command.args(["-e", "-c", text]).current_dir(dir).env("PATH", path).env("XDG_STATE_HOME", dir.join("state"));
    command.stdin(Stdio::null());
    command
}

fn done(dir: &Path, text: &str) {
    let output = shell(dir, text).output().unwrap();
    assert!(output.status.success(), "{text}: {output:?}");
}

#[test]
fn every_block_about_certificates_works_in_an_empty_directory() {
    for (command, blocks) in [
        ("certs", 1),
        ("certs init", 2),
        ("certs issue", 1),
        ("certs csr", 1),
        ("certs renew", 1),
        ("certs revoke", 1),
        ("certs crl", 1),
        ("certs inspect", 1),
        ("certs verify", 1),
        ("certs convert", 1),
        ("certs order", 1),
        ("certs fingerprint", 1),
        ("certs user", 1),
    ] {
        each_block_works(command, blocks);
    }
}

#[test]
fn every_block_of_the_others_works_in_an_empty_directory() {
    for (command, blocks) in [("doctor explain", 1), ("serve", 7), ("users", 1), ("quickstart", 1)] {
        each_block_works(command, blocks);
    }
}

fn each_block_works(command: &str, blocks: usize) {
    let dir = tempfile::tempdir().unwrap();
    let found = examples(dir.path(), command);
    assert_eq!(found.len(), blocks, "{command}: {found:?}");
    for text in found {
        // The ports alone are others, for tests run side by side.
        let text = text.replace("--plain 1883", "--plain 127.0.0.1:0").replace("--arm 8443", "--arm 127.0.0.1:0");
        done(dir.path(), &text);
    }
}

/// A quickstart that serves in this directory, and its port.
fn quickstart(dir: &Path) -> (Running, String) {
    let mut quickstart = Running::start(gridmq(dir).args(["quickstart", "--port", "0"]));
    loop {
        let line = quickstart.line();
        if let Some(rest) = line.strip_prefix("Serving on port ") {
            return (quickstart, rest.split(' ').next().unwrap().to_owned());
        }
    }
}

#[test]
fn of_doctor() {
    let dir = tempfile::tempdir().unwrap();
    let (_quickstart, port) = quickstart(dir.path());
    for (command, blocks) in [("doctor", 2), ("doctor files", 1)] {
        let found = examples(dir.path(), command);
        assert_eq!(found.len(), blocks, "{command}: {found:?}");
        for text in found {
            done(dir.path(), &text.replace(":8883", &format!(":{port}")));
        }
    }
}

/// The shell blocks of a document, each as it stands there.
fn shell_blocks(document: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs").join(document);
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```sh\n").skip(1);
    blocks.map(|rest| rest.split("```").next().unwrap().to_owned()).collect()
}

#[test]
fn of_the_document_about_certificates() {
    let dir = tempfile::tempdir().unwrap();
    let (_quickstart, port) = quickstart(dir.path());
    let blocks = shell_blocks("certs.md");
    assert_eq!(blocks.len(), 2, "{blocks:?}");
    for text in blocks {
        done(dir.path(), &text.replace(":8883", &format!(":{port}")));
    }
    let device = gridmq_tls::Identity::from_pem_files(&dir.path().join("device1.pem"), &dir.path().join("device1.key"));
    assert_eq!(device.unwrap().subject(), "CN=device1");
}

#[test]
fn of_the_document_about_est() {
    let dir = tempfile::tempdir().unwrap();
    let blocks = shell_blocks("est.md");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    // The ports alone are others, for tests run side by side; what runs in the background is ended with the block.
    let bin = dir.path().join("program");
    std::fs::create_dir(&bin).unwrap();
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_gridmq"), bin.join("gridmq")).unwrap();
    let first = format!("PATH='{}':$PATH\ntrap 'kill $(jobs -p)' EXIT\n", bin.display());
    let text = blocks[0].replace("[est]\n", &format!("[est]\nlisten = \"127.0.0.1:{free}\"\n"));
    let text = text.replace("cert = ", "listen = \"127.0.0.1:0\"\ncert = ").replace("9443", &free.to_string());
    done(dir.path(), &format!("{first}{text}"));
    let device = gridmq_tls::Identity::from_pem_files(&dir.path().join("device1.pem"), &dir.path().join("device1.key"));
    assert_eq!(device.unwrap().subject(), "CN=device1");
}

#[test]
fn of_bench() {
    let dir = tempfile::tempdir().unwrap();
    let (serving, port) = common::open_broker(dir.path());
    let found = examples(dir.path(), "bench");
    assert_eq!(found.len(), 4, "{found:?}");
    for text in found {
        // Another port and process, and no more than a test has time for.
        let text =
            text.replace("$(pidof gridmq)", &serving.child.id().to_string()).replace("--idle 10000", "--idle 50");
        let text = text.replace("10s", "300ms").replace("mqtt://localhost:1883", "");
        let text = text.replace("--rate 2000", "--rate 2000 -d 300ms").replace("--idle 50", "--idle 50 --rest 100ms");
        let brief = if text.trim() == "gridmq bench" { "-d 300ms" } else { "" };
        done(dir.path(), &format!("{} {brief} mqtt://127.0.0.1:{port}", text.trim_end()));
    }
}

#[test]
fn of_pub_and_sub() {
    let dir = tempfile::tempdir().unwrap();
    let (_quickstart, port) = quickstart(dir.path());
    let (_open, plain) = common::open_broker(dir.path());
    let (tls, plain) = (format!("-p {port}"), format!("-p {plain}"));
    let (publish, subscribe) = (examples(dir.path(), "pub"), examples(dir.path(), "sub"));
    assert_eq!((publish.len(), subscribe.len()), (2, 2));
    for (publish, subscribe) in publish.iter().zip(subscribe) {
        let here = |example: &str| example.replace("-p 8883", &tls).replace("-p 1883", &plain);
        let mut subscriber = Running::start(&mut shell(dir.path(), &here(&subscribe)));
        common::eventually("the subscriber is served", || {
            done(dir.path(), &here(publish));
            subscriber.child.try_wait().unwrap().is_some()
        });
        assert!(subscriber.line().contains("hello"));
    }
}
