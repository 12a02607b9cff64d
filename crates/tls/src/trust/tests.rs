use super::*;

#[test]
fn pins_are_read_in_the_forms_that_programs_print() {
    let digits = "ab".repeat(32);
    let colons = digits.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap().to_uppercase());
    let colons = colons.collect::<Vec<_>>().join(":");
    for text in [format!("sha256:{digits}"), digits.clone(), colons.clone(), format!(" sha256:{colons} ")] {
        assert_eq!(text.parse(), Ok(Pin::Certificate([0xab; 32])), "{text}");
    }
    assert_eq!(format!("key-sha256:{colons}").parse(), Ok(Pin::Key([0xab; 32])));
    assert_eq!(Pin::Key([0xab; 32]).to_string().parse(), Ok(Pin::Key([0xab; 32])));
    for text in ["", "sha256:", &digits[2..], &format!("{digits}ab"), "sha1:ab", &format!("x-sha256:{digits}")] {
        assert_eq!(text.parse::<Pin>(), Err(BadPin), "{text}");
    }
}

#[test]
fn nothing_is_believed_by_default() {
    assert!(matches!(Trust::only_all([]), Err(TrustError::None)));
    assert!(matches!(Trust::only(TrustSource::Certificates(Vec::new())), Err(TrustError::None)));
}
