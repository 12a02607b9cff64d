use proptest::prelude::*;

use super::*;

/// At the least cost that Argon2 has, so that tests are quick.
pub(crate) fn cheap(password: &str) -> String {
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let hash = argon2::password_hash::CustomizedPasswordHasher::<argon2::password_hash::phc::PasswordHash>::hash_password_customized(
        &argon2::Argon2::default(), password.as_bytes(), b"0123456789abcdef", Some("argon2id"), Some(0x13), params);
    hash.unwrap().to_string()
}

#[test]
fn a_password_is_right_for_its_user_alone() {
    let text = format!("# people\n\nalice:{}\nbob:{}\n", cheap("wonder"), cheap("builder"));
    let users = Users::parse(&text).unwrap();
    assert_eq!((users.len(), users.contains("alice"), users.contains("Alice")), (2, true, false));
    assert!(users.verify("alice", b"wonder"));
    assert!(users.verify("bob", b"builder"));
    for (name, password) in [("alice", "builder"), ("bob", "wonder"), ("carol", "wonder"), ("alice", ""), ("", "")] {
        assert!(!users.verify(name, password.as_bytes()), "{name} {password}");
    }
    assert!(!Users::parse("").unwrap().verify("alice", b"wonder"));
}

#[test]
fn a_new_hash_costs_what_is_documented_and_is_read_again() {
    let hash = PasswordHash::new(b"wonder", [7; 16]).unwrap();
    assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
    assert_eq!(hash.as_str().parse(), Ok(hash.clone()));
    assert!(hash.verify(b"wonder"));
    assert!(!hash.verify(b"wander"));
    assert_eq!(PasswordHash::new(b"", [7; 16]), Err(HashError::EmptyPassword));
    assert_eq!(PasswordHash::new(&[b'a'; 65_536], [7; 16]), Err(HashError::LongPassword));
}

#[test]
fn hashes_of_other_programs_are_taken() {
    // The reference implementation: echo -n password | argon2 somesalt -t 2 -m 16 -p 1 -id -e
    let hash = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    let hash: PasswordHash = hash.parse().unwrap();
    assert!(hash.verify(b"password"));
    assert!(!hash.verify(b"passwore"));
}

#[test]
fn hashes_that_are_no_use_are_refused() {
    let salt = "c29tZXNhbHQ";
    let out = "CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
    for (text, error) in [
        (String::new(), HashError::NotPhc),
        ("secret".to_owned(), HashError::NotPhc),
        ("$7$101$salt$hash".to_owned(), HashError::NotPhc),
        (format!("$argon2i$v=19$m=65536,t=2,p=1${salt}${out}"), HashError::Algorithm),
        (format!("$argon2id$v=16$m=65536,t=2,p=1${salt}${out}"), HashError::Algorithm),
        (format!("$argon2id$m=65536,t=2,p=1${salt}${out}"), HashError::Algorithm),
        (format!("$argon2id$v=19$m=4194304,t=2,p=1${salt}${out}"), HashError::Cost),
        (format!("$argon2id$v=19$m=65536,t=1000,p=1${salt}${out}"), HashError::Cost),
        (format!("$argon2id$v=19$m=65536,t=2,p=1${salt}"), HashError::Length),
        ("$argon2id$v=19$m=65536,t=2,p=1".to_owned(), HashError::Length),
    ] {
        assert_eq!(text.parse::<PasswordHash>(), Err(error), "{text}");
    }
}

#[test]
fn every_wrong_line_is_named_with_the_cure() {
    let hash = cheap("a");
    let text = format!("alice:{hash}\nbob\n:{hash}\nalice:{hash}\ncarol:plain\nanonymous:{hash}\n");
    let problems = UsersFile::parse(&text).unwrap_err();
    let kinds: Vec<_> = problems.iter().map(|problem| (problem.line, problem.kind.clone())).collect();
    assert_eq!(
        kinds,
        [
            (2, UsersProblemKind::NoColon),
            (3, UsersProblemKind::Name),
            (4, UsersProblemKind::Duplicate { first: 1 }),
            (5, UsersProblemKind::Hash(HashError::NotPhc)),
            (6, UsersProblemKind::Reserved),
        ]
    );
    for problem in problems {
        assert!(problem.to_string().contains(';'), "{problem}");
        assert!(!problem.to_string().contains("plain"), "what may be a password is not repeated: {problem}");
    }
}

#[test]
fn a_file_is_changed_where_it_must_be() {
    let (one, two) = (cheap("one"), cheap("two"));
    let mut file = UsersFile::parse(&format!("# people\nalice:{one}\n\n# machines\npump:{one}\n")).unwrap();
    assert_eq!(file.set(UserName::new("alice").unwrap(), two.parse().unwrap()), Ok(true));
    assert_eq!(file.set(UserName::new("bob").unwrap(), one.parse().unwrap()), Ok(false));
    assert!(file.remove("pump"));
    assert!(!file.remove("pump"));
    assert_eq!(file.to_string(), format!("# people\nalice:{two}\n\n# machines\nbob:{one}\n"));
}

#[test]
fn nothing_secret_is_shown() {
    let users = Users::parse(&format!("alice:{}", cheap("a"))).unwrap();
    assert_eq!(format!("{users:?}"), "Users { len: 1, .. }");
    assert!(!format!("{:?}", users.get("alice")).contains("argon2"));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,40}(\n\\PC{0,40}){0,5}") {
        if let Ok(file) = UsersFile::parse(&text) {
            let again = UsersFile::parse(&file.to_string()).unwrap();
            prop_assert_eq!(file.users().collect::<Vec<_>>(), again.users().collect::<Vec<_>>());
        }
    }

    #[test]
    fn a_name_that_is_taken_survives_the_file(name in "\\PC{1,20}") {
        if let Ok(name) = UserName::new(&name) {
            let mut file = UsersFile::default();
            file.set(name.clone(), cheap("a").parse().unwrap()).unwrap();
            prop_assert!(Users::parse(&file.to_string()).unwrap().contains(name.as_str()));
        }
    }
}
