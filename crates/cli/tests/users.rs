//! `gridmq users`.
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

use common::{run, run_with_input};

#[test]
fn a_user_is_added_verified_changed_and_removed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("secret"), "wonder\nsecond line\n").unwrap();
    run(dir, "users add users alice --password-file secret").done();
    let text = std::fs::read_to_string(dir.join("users")).unwrap();
    assert!(text.starts_with("alice:$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(!text.contains("wonder"));
    run_with_input(dir, "users add users bob --password-stdin", b"builder\n").done();
    assert_eq!(run(dir, "users list users").done(), "alice\nbob\n");
    run(dir, "users verify users alice --password-file secret").done();
    run_with_input(dir, "users verify users alice --password-stdin", b"builder")
        .failed(1, &["not the password of alice"]);
    assert!(
        run_with_input(dir, "users add users alice --password-stdin", b"builder").done().contains("another password")
    );
    run_with_input(dir, "users verify users alice --password-stdin", b"builder").done();
    run(dir, "users remove users alice").done();
    run(dir, "users remove users alice").failed(1, &["no user \"alice\"", "gridmq users list"]);
    assert_eq!(run(dir, "users list users").done(), "bob\n");
    assert_eq!(std::fs::read_dir(dir).unwrap().count(), 2, "nothing is left beside the files");
}

#[test]
#[cfg(unix)]
fn the_file_is_for_its_owner_and_a_group_that_had_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let path = dir.join("users");
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    run_with_input(dir, "users add users alice --password-stdin", b"a").done();
    assert_eq!(mode(), 0o600);
    for (before, after) in [(0o644, 0o640), (0o666, 0o640), (0o600, 0o600)] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(before)).unwrap();
        run_with_input(dir, "users add users alice --password-stdin", b"a").done();
        assert_eq!(mode(), after);
    }
}

#[test]
fn what_is_wrong_is_said_with_its_line_and_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    std::fs::write(dir.join("users"), "# people\nalice:secret\n").unwrap();
    run_with_input(dir, "users add users bob --password-stdin", b"b").failed(1, &["line 2", "no PHC string"]);
    assert_eq!(std::fs::read_to_string(dir.join("users")).unwrap(), "# people\nalice:secret\n");
    run(dir, "users list nowhere").failed(1, &["does not exist"]);
    for name in ["a:b", "#a", "anonymous"] {
        run_with_input(dir, &format!("users add new {name} --password-stdin"), b"b").failed(1, &["choose another"]);
    }
    run_with_input(dir, "users add new bob --password-stdin", b"").failed(1, &["is empty"]);
    run(dir, "users add new bob").failed(2, &["--password-file"]);
    run(dir, "users add new bob secret").failed(2, &["secret"]);
    assert!(!dir.join("new").exists());
}
