use super::*;

fn from_file(content: &[u8]) -> Result<Option<Passphrase>, PassphraseError> {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), content).unwrap();
    PassphraseSource::file(file.path()).read("")
}

#[test]
fn a_file_gives_its_first_line() {
    for (content, expected) in [
        (&b"secret"[..], "secret"),
        (b"secret\n", "secret"),
        (b"secret\r\n", "secret"),
        (b"secret\nsecond\n", "secret"),
        (b"\xef\xbb\xbfsecret\n", "secret"),
        (b" with blanks \n", " with blanks "),
        (b"", ""),
    ] {
        assert_eq!(from_file(content).unwrap().unwrap().expose(), expected);
    }
    assert!(matches!(from_file(&[b'x'; 4097]), Err(PassphraseError::TooLong { .. })));
    assert!(matches!(from_file(b"\xff\xfe"), Err(PassphraseError::NotText { .. })));
    let missing = PassphraseSource::file("/no/such/file").read("");
    assert!(matches!(missing, Err(PassphraseError::Unreadable { .. })));
    let unset = PassphraseSource::variable("GRIDMQ_NO_SUCH_VARIABLE").read("");
    assert!(matches!(unset, Err(PassphraseError::NoVariable { .. })));
}

#[test]
#[cfg(unix)]
fn a_descriptor_is_read_once_and_kept() {
    use std::io::Write;
    use std::os::fd::AsRawFd;
    let (reader, mut writer) = io::pipe().unwrap();
    writer.write_all(b"secret\nmore").unwrap();
    drop(writer);
    let source = PassphraseSource::descriptor(u32::try_from(reader.as_raw_fd()).unwrap());
    assert_eq!(source.read("").unwrap().unwrap().expose(), "secret");
    drop(reader);
    assert_eq!(source.read("").unwrap().unwrap().expose(), "secret");
}

#[test]
fn a_person_is_asked_once_unless_the_answer_was_wrong() {
    use std::sync::atomic::{AtomicUsize, Ordering};
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let source = PassphraseSource::ask(move |purpose| {
        assert_eq!(purpose, "the key");
        count.fetch_add(1, Ordering::Relaxed);
        Ok(Some(Passphrase::new("secret")))
    });
    for _ in 0..2 {
        assert_eq!(source.read("the key").unwrap().unwrap().expose(), "secret");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
    source.forget();
    source.read("the key").unwrap();
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(PassphraseSource::ask(|_| Ok(None)).read("").unwrap().is_none());
}

#[test]
fn a_passphrase_is_never_shown() {
    let passphrase = Passphrase::new("secret");
    let shown = format!("{passphrase:?} {:?}", PassphraseSource::from(passphrase.clone()));
    assert!(!shown.contains("secret"), "{shown}");
}
