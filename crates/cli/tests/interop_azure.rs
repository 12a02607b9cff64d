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

use common::{control_plane, ended};

const STEPS: usize = 10;

#[test]
#[ignore = "needs azure-mgmt-eventgrid: cargo xtask test"]
fn the_sdk_for_python_makes_changes_lists_and_removes_every_kind() {
    let python = std::env::var("GRIDMQ_INTEROP_PYTHON").expect("run this suite by `cargo xtask test`");
    let dir = tempfile::tempdir().unwrap();
    let plane = control_plane(dir.path());
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/azure_management.py");
    let mut program = Command::new(python);
    program
        .arg(script)
        .args([&plane.base, &plane.secret, plane.ca.to_str().unwrap()])
        .env("REQUESTS_CA_BUNDLE", &plane.ca)
        .env("IDENTITY_ENDPOINT", format!("{}/msi/token", plane.base))
        .env("IDENTITY_HEADER", &plane.secret);
    let said = ended(&mut program).done();
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), STEPS, "{said}");
}
