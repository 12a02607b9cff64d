//! The client's guide is documentation of this crate, whose examples are tests.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

const GUIDE: &str = include_str!("../../../docs/client.md");
const CRATE: &str = include_str!("../src/lib.rs");
const MANIFEST: &str = include_str!("../Cargo.toml");
const SUITE: &str = include_str!("../../../xtask/src/suite.rs");

#[test]
fn pain_19_the_guide_is_documentation_that_is_tested() {
    assert!(CRATE.contains("#[doc = include_str!(\"../../../docs/client.md\")]"), "its examples are tests");
    assert!(SUITE.contains("\"--workspace\", \"--doc\""), "`cargo xtask test` runs them");
    assert!(MANIFEST.lines().all(|line| line.replace(' ', "") != "doctest=false"), "cargo runs them");
    let fences: Vec<_> = GUIDE.lines().filter(|line| line.starts_with("```")).collect();
    assert_eq!(fences.len() % 2, 0);
    let openings: Vec<_> = fences.iter().step_by(2).collect();
    for opening in &openings {
        assert!(matches!(**opening, "```rust" | "```rust,no_run" | "```console" | "```text" | "```toml"), "{opening}");
    }
    let of = |kind: &str| openings.iter().filter(|opening| ***opening == kind).count();
    let (run, compiled) = (of("```rust"), of("```rust,no_run"));
    assert!(run > 2 * compiled, "{run} are run, {compiled} are only compiled");
    // Client certificates, start to end, with files: against a namespace that asks for them.
    assert!(GUIDE.contains("Identity::from_pem_files") && GUIDE.contains("guide::with_namespace"));
}

#[test]
fn every_room_of_the_guide_is_in_its_index() {
    let anchor = |title: &str| {
        let kept = title.to_lowercase().replace(' ', "-");
        kept.chars().filter(|c| c.is_alphanumeric() || *c == '-').collect::<String>()
    };
    let rooms: Vec<_> = GUIDE.lines().filter_map(|line| line.strip_prefix("## ")).map(anchor).collect();
    assert!(rooms.len() > 20);
    for room in rooms {
        assert!(GUIDE.contains(&format!("](#{room})")), "{room} is not in the index");
    }
}
