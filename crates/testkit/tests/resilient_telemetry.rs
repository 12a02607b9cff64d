//! The example of a device that loses nothing, for a few seconds: its link is cut, it is killed and started again.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::process::{Command, Stdio};

/// The numbers of a line.
fn numbers(line: &str) -> Vec<u64> {
    line.split(|c: char| !c.is_ascii_digit()).filter_map(|text| text.parse().ok()).collect()
}

#[test]
#[ignore = "needs the client's example, which a build of the whole workspace makes; run by `cargo xtask test`"]
fn real_client_that_is_killed_and_cut_off_loses_nothing_and_repeats_no_qos_2() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let open = runtime.block_on(gridmq_testkit::open(1));
    // Examples are built with the tests, beside them.
    let test = std::env::current_exe().unwrap();
    let example = test.ancestors().nth(2).unwrap().join("examples/resilient_telemetry");
    assert!(example.is_file(), "{} is missing: cargo build -p gridmq-client --examples", example.display());
    let mut command = Command::new(example);
    command.args(["--broker", &open.address().to_string(), "--seconds", "6", "--rate", "100"]);
    command.args(["--cut-ms", "400", "--kill-ms", "1500"]);
    let output = command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");

    let line = |start: &str| numbers(text.lines().find_map(|line| line.strip_prefix(start)).unwrap());
    let first = numbers(text.lines().next().unwrap());
    let (sent, cuts, kills) = (first[0], first[1], first[3]);
    assert!(sent > 0 && cuts > 3 && kills > 1, "{text}");
    // Sent, arrived, of them more than once, lost.
    let (at_least_once, exactly_once) = (line("QoS 1: "), line("QoS 2: "));
    assert_eq!(at_least_once[0] + exactly_once[0], sent, "{text}");
    assert_eq!((at_least_once[1], at_least_once[3]), (at_least_once[0], 0), "{text}");
    assert_eq!((exactly_once[1], exactly_once[2], exactly_once[3]), (exactly_once[0], 0, 0), "{text}");
}
