use super::*;

#[test]
fn a_servers_words_are_made_safe_and_short() {
    assert_eq!(quoted("go \u{1b}[31maway\n"), "go \\u{1b}[31maway\\n");
    let long = "x".repeat(10_000);
    assert_eq!(quoted(&long).chars().count(), MAX_SHOWN + 1);
}
