//! How names are compared where case is ignored.

/// The form of a name in which names that differ only in case are equal.
///
/// Only a character's single lower-case form counts, and nothing outside ASCII becomes ASCII: a certificate made out
/// to `\u{212a}` (the Kelvin sign) is not one for `k`.
pub(crate) fn fold(name: &str) -> String {
    name.chars().map(fold_char).collect()
}

/// Whether two names differ in nothing but case.
pub(crate) fn same(left: &str, right: &str) -> bool {
    left.chars().map(fold_char).eq(right.chars().map(fold_char))
}

fn fold_char(c: char) -> char {
    if c.is_ascii() {
        return c.to_ascii_lowercase();
    }
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(only), None) if !only.is_ascii() => only,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn case_is_ignored_and_look_alikes_are_not() {
        assert!(same("Client-ÄÖ", "cLIENT-äö"));
        assert!(!same("k", "\u{212a}"));
        assert!(!same("i", "\u{130}"));
        assert!(!same("a", "ab"));
        assert_eq!(fold("Σ"), fold("σ"));
    }
}
