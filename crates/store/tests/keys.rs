#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use bytes::Bytes;
use gridmq_store::{Key, KeyError, NamespaceId};
use proptest::collection::vec;
use proptest::prelude::*;

/// Parts made of few bytes, those that need care among them, so that equal beginnings are frequent.
fn parts() -> impl Strategy<Value = Vec<Vec<u8>>> {
    vec(vec(prop_oneof![Just(0_u8), Just(1), Just(0xff), Just(b'a'), any::<u8>()], 0..5), 0..4)
}

fn key(namespace: u32, parts: &[Vec<u8>]) -> Key {
    let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
    Key::new(NamespaceId::new(namespace), &parts)
}

proptest! {
    #[test]
    fn keys_sort_as_their_parts_sort(n in 0_u32..3, a in parts(), m in 0_u32..3, b in parts()) {
        prop_assert_eq!(key(n, &a).cmp(&key(m, &b)), (n, &a).cmp(&(m, &b)));
    }

    #[test]
    fn a_key_gives_back_its_parts(n in any::<u32>(), a in parts()) {
        let read = Key::from_bytes(key(n, &a).as_bytes().clone()).unwrap();
        prop_assert_eq!(read.decode(), Ok((NamespaceId::new(n), a)));
    }

    #[test]
    fn a_key_is_a_prefix_exactly_when_its_parts_are(a in parts(), b in parts()) {
        prop_assert_eq!(key(7, &b).starts_with(&key(7, &a)), b.starts_with(&a));
        prop_assert!(!key(8, &b).starts_with(&key(7, &a)));
    }

    #[test]
    fn bytes_of_any_kind_are_read_or_refused(bytes in vec(prop_oneof![Just(0_u8), Just(1), any::<u8>()], 0..20)) {
        if let Ok(read) = Key::from_bytes(bytes.clone().into()) {
            let (namespace, parts) = read.decode().unwrap();
            prop_assert_eq!(key(namespace.get(), &parts).as_bytes().clone(), Bytes::from(bytes));
        }
    }
}

#[test]
fn damaged_keys_are_refused_with_the_cause() {
    for (bytes, expected) in [
        (&b"\0\0\0"[..], KeyError::NoNamespace),
        (b"\0\0\0\0a", KeyError::Cut),
        (b"\0\0\0\0a\0", KeyError::Cut),
        (b"\0\0\0\0a\0\x02", KeyError::Escape(2)),
    ] {
        assert_eq!(Key::from_bytes(Bytes::from_static(bytes)), Err(expected));
    }
}
