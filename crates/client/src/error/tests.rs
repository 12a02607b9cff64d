use super::*;

#[test]
fn a_servers_words_are_made_safe_and_short() {
    assert_eq!(quoted("topic 'a/b' is not \"yours\""), "topic 'a/b' is not \"yours\"");
    assert_eq!(quoted("go \u{1b}[31maway\n"), "go \\u{1b}[31maway\\n");
    assert_eq!(quoted("größer \u{202e}"), "größer \\u{202e}");
    let long = "x".repeat(10_000);
    assert_eq!(quoted(&long).chars().count(), MAX_SHOWN + 1);
}
