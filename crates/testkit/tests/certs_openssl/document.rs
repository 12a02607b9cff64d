//! The tables in docs/certs.md.

use std::path::Path;

/// Holds the table of this name in the document against a new one, or writes it there with `GRIDMQ_BLESS=1`, for which
/// the tests have to run one at a time.
pub fn holds(name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/certs.md");
    let text = std::fs::read_to_string(&path).expect("docs/certs.md");
    let (begin, end) = (format!("<!-- begin {name} -->\n"), format!("<!-- end {name} -->"));
    let (before, rest) = text.split_once(&begin).expect("the table's begin");
    let (old, after) = rest.split_once(&end).expect("the table's end");
    if std::env::var_os("GRIDMQ_BLESS").is_some() {
        std::fs::write(&path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert_eq!(old, table, "docs/certs.md is out of date: run this test with GRIDMQ_BLESS=1");
    }
}
