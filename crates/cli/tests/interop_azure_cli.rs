//! `az`, unchanged, against `gridmq serve --arm`.

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

const STEPS: usize = 8;

#[test]
#[ignore = "needs azure-cli, which is large: cargo xtask test --az"]
fn az_logs_in_makes_deploys_assigns_and_deletes() {
    let az = std::env::var("GRIDMQ_INTEROP_AZ").expect("run this suite by `cargo xtask test --az`");
    let dir = tempfile::tempdir().unwrap();
    let plane = control_plane(dir.path());
    let work = dir.path().join("work");
    std::fs::create_dir(&work).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/azure_cli.sh");
    let mut program = Command::new("bash");
    program.current_dir(work).arg(script).args([&az, &plane.base, &plane.secret, plane.ca.to_str().unwrap()]);
    let said = ended(&mut program).done();
    assert_eq!(said.lines().filter(|line| line.starts_with("ok ")).count(), STEPS, "{said}");
}
