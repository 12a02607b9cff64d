//! Azure's own SDK for management, unchanged, against `gridmq serve --arm`.

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

use std::path::Path;
use std::process::Command;

use common::{Running, ended, gridmq, run};

const STEPS: usize = 10;

#[test]
#[ignore = "needs azure-mgmt-eventgrid: cargo xtask test"]
fn the_sdk_for_python_makes_changes_lists_and_removes_every_kind() {
    let python = std::env::var("GRIDMQ_INTEROP_PYTHON").expect("run this suite by `cargo xtask test`");
    let dir = tempfile::tempdir().unwrap();
    run(dir.path(), "certs init --dir ca").done();
    run(dir.path(), "certs issue --dir ca --name server --server --dns localhost --ip 127.0.0.1").done();
    let serve = "serve --arm 127.0.0.1:0 --listen 127.0.0.1:0 --cert ca/server.pem --key ca/server.key --data-dir kept";
    let mut broker = Running::start(gridmq(dir.path()).args(serve.split(' ')));
    let (_mqtt, arm) = (broker.port(), broker.port());
    assert!(broker.line().starts_with("the admin secret for ARM is in "));
    let secret = std::fs::read_to_string(dir.path().join("kept/admin-secret")).unwrap();
    let base = format!("https://localhost:{arm}");
    let ca = dir.path().join("ca/root-ca.pem");
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/azure_management.py");
    let mut program = Command::new(python);
    program
        .arg(script)
        .args([&base, secret.trim(), ca.to_str().unwrap()])
        .env("REQUESTS_CA_BUNDLE", &ca)
        .env("IDENTITY_ENDPOINT", format!("{base}/msi/token"))
        .env("IDENTITY_HEADER", secret.trim());
    let said = ended(&mut program).done();
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), STEPS, "{said}");
}
