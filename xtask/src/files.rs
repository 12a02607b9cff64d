//! Lengths of source files, and reasons for ignored tests.

use crate::shell::{Result, fail};
use crate::sources::{self, Ignored};

/// A non-test source file may not be longer.
const LIMIT: usize = 500;
/// What a file should stay under.
const AIM: usize = 300;

/// `cargo xtask files`.
pub(crate) fn command() -> Result<()> {
    let sources = sources::all()?;
    let mut faults = Vec::new();
    let mut long = Vec::new();
    for source in &sources {
        let lines = source.text.lines().count();
        if lines > AIM && !source.is_test_only() {
            long.push((lines, &source.path));
        }
        for test in sources::tests(&source.text) {
            if test.ignored == Ignored::WithoutReason {
                let name = test.name;
                faults.push(format!("{}: {name} is ignored without a reason; write #[ignore = \"why\"]", source.path));
            }
        }
    }
    long.sort_by(|a, b| b.cmp(a));
    for (lines, path) in long {
        if lines > LIMIT {
            faults.push(format!("{path}: {lines} lines, the limit is {LIMIT}; split it by concern"));
        } else {
            println!("note: {path}: {lines} lines, aim at {AIM}");
        }
    }
    for fault in &faults {
        println!("fault: {fault}");
    }
    println!("{} source files looked at, faults: {}", sources.len(), faults.len());
    if faults.is_empty() { Ok(()) } else { fail(format!("faults in source files, listed above: {}", faults.len())) }
}
