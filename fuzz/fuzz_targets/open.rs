//! Files of users and access rules.
#![no_main]

use gridmq_namespace::open::{Access, UsersFile};

libfuzzer_sys::fuzz_target!(|text: &str| {
    if let Ok(file) = UsersFile::parse(text) {
        let again = UsersFile::parse(&file.to_string()).expect("what is written can be read");
        assert!(file.users().eq(again.users()));
    }
    match Access::parse(text) {
        Ok(access) => assert!(access.rules().iter().all(|rule| rule.line <= text.lines().count())),
        Err(problems) => assert!(!problems.is_empty() && problems.len() <= 20),
    }
});
