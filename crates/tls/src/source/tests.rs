use super::*;

#[test]
fn a_text_names_a_source() {
    for (text, shown) in [
        ("client.pem", "client.pem"),
        ("/etc/a b.pem", "/etc/a b.pem"),
        ("C:\\keys\\a.pem", "C:\\keys\\a.pem"),
        ("file:a.pem", "a.pem"),
        ("file:///etc/a.pem", "/etc/a.pem"),
        ("env:DEVICE_CERT", "env:DEVICE_CERT"),
        ("credential:device.pem", "credential:device.pem"),
        ("pkcs11:token=a;object=b", "pkcs11:token=a;object=b"),
        ("pkcs11:token=a?pin-source=/run/pin&x=y", "pkcs11:token=a?pin-source=/run/pin&x=y"),
        // A PIN in the URI is refused later; until then it is not shown either.
        ("pkcs11:token=a?pin-value=12&34", "pkcs11:token=a?pin-value=(not shown)"),
        ("pkcs11:PIN_value=1234;token=a", "pkcs11:pin-value=(not shown)"),
    ] {
        assert_eq!(text.parse::<Source>().unwrap().to_string(), shown);
    }
    for text in ["", "file:", "env:", "credential:"] {
        assert!(matches!(text.parse::<Source>(), Err(SourceTextError::Empty)), "{text}");
    }
    for text in ["credential:../key", "credential:a/b", "credential:.."] {
        assert!(matches!(text.parse::<Source>(), Err(SourceTextError::BadCredential(_))), "{text}");
    }
}

#[test]
fn what_cannot_be_had_says_so() {
    let take = |source: &Source| source.take("text");
    let unset = Source::Env("GRIDMQ_NO_SUCH_VARIABLE".to_owned());
    assert!(matches!(take(&unset), Err(SourceError::NoVariable { .. })));
    let failing = Source::callback(|| Err(io::Error::other("vault is sealed")));
    assert!(matches!(take(&failing), Err(SourceError::Callback(_))));
    let large = Source::callback(|| Ok(vec![0; usize::try_from(MAX_FILE_BYTES).unwrap() + 1]));
    assert!(matches!(take(&large), Err(SourceError::TooLarge { .. })));
    let given = take(&Source::pem("text")).unwrap().unwrap();
    assert_eq!(given.bytes.as_slice(), b"text");
    assert!(take(&Source::Pkcs11("pkcs11:".to_owned())).unwrap().is_none());
}

#[test]
fn sources_are_compared_by_place() {
    let source = |text: &str| text.parse::<Source>().unwrap();
    assert!(source("a").same(&source("file:a")));
    assert!(!source("a").same(&source("env:a")));
    assert!(Source::pem("x").same(&Source::pem("x")) && !Source::pem("x").same(&Source::pem("y")));
}

#[test]
fn an_error_about_a_token_shows_no_pin() {
    let error =
        crate::IdentityLoader::new(Source::Pkcs11("pkcs11:token=a?pin-value=981275".to_owned())).load().unwrap_err();
    assert!(!format!("{error} {error:?} {}", error.finding()).contains("981275"), "{error}");
}
