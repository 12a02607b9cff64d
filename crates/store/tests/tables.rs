#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
mod common;

use common::{SESSIONS, key, put};
use gridmq_store::{Key, MemoryEngine, NamespaceId, Store, Table, WriteBatch};

const RETAINED: Table = Table::new("retained");

#[test]
fn memory_is_durable_when_submit_returns() {
    let store = Store::memory();
    let seq = store.submit(put("a", "1")).unwrap();
    assert_eq!(store.durable(), seq);
    assert_eq!(store.get(SESSIONS, &key("a")).unwrap().unwrap(), "1");
    assert_eq!(store.get(RETAINED, &key("a")).unwrap(), None);
}

#[test]
fn a_second_store_finds_what_the_first_wrote() {
    let engine = MemoryEngine::new();
    Store::immediate(engine.clone()).submit(put("a", "1")).unwrap();
    assert_eq!(Store::immediate(engine).get(SESSIONS, &key("a")).unwrap().unwrap(), "1");
}

#[test]
fn one_batch_spans_tables_and_its_changes_apply_in_order() {
    let store = Store::memory();
    let mut batch = WriteBatch::new();
    batch.put(SESSIONS, key("a"), "1").put(RETAINED, key("a"), "r").put(SESSIONS, key("b"), "2");
    batch.delete(SESSIONS, key("b")).delete_prefix(RETAINED, key("a")).put(RETAINED, key("a"), "again");
    assert_eq!(batch.len(), 6);
    store.submit(batch).unwrap();
    assert_eq!(store.get(SESSIONS, &key("a")).unwrap().unwrap(), "1");
    assert_eq!(store.get(SESSIONS, &key("b")).unwrap(), None);
    assert_eq!(store.get(RETAINED, &key("a")).unwrap().unwrap(), "again");
}

#[test]
fn a_prefix_reaches_neither_another_namespace_nor_a_longer_part() {
    let store = Store::memory();
    let (one, two) = (NamespaceId::new(1), NamespaceId::new(2));
    let mut batch = WriteBatch::new();
    for namespace in [one, two] {
        for parts in [&["client"][..], &["client", "1"], &["client", "2"], &["clients"]] {
            let parts: Vec<&[u8]> = parts.iter().map(|part| part.as_bytes()).collect();
            batch.put(SESSIONS, Key::new(namespace, &parts), "x");
        }
    }
    batch.delete_prefix(SESSIONS, Key::new(one, &[b"client"]));
    store.submit(batch).unwrap();
    let left = store.scan(SESSIONS, &Key::new(one, &[]), None, 10).unwrap();
    assert_eq!(left.entries.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), [Key::new(one, &[b"clients"])]);
    assert_eq!(store.scan(SESSIONS, &Key::new(two, &[]), None, 10).unwrap().entries.len(), 4);
}

#[test]
fn a_scan_goes_page_by_page() {
    let store = Store::memory();
    let mut batch = WriteBatch::new();
    for n in 0_u32..25 {
        batch.put(SESSIONS, Key::new(NamespaceId::DEFAULT, &[b"queue", &n.to_be_bytes()]), n.to_be_bytes().to_vec());
    }
    batch.put(SESSIONS, key("other"), "x");
    store.submit(batch).unwrap();
    let (mut from, mut sizes, mut seen) = (None, Vec::new(), Vec::new());
    loop {
        let page = store.scan(SESSIONS, &key("queue"), from.as_ref(), 10).unwrap();
        sizes.push(page.entries.len());
        seen.extend(page.entries.iter().map(|(_, value)| u32::from_be_bytes(value[..].try_into().unwrap())));
        match page.next {
            Some(next) => from = Some(next),
            None => break,
        }
    }
    assert_eq!(sizes, [10, 10, 5]);
    assert_eq!(seen, (0..25).collect::<Vec<_>>());
    assert_eq!(store.scan(SESSIONS, &key("queue"), Some(&key("z")), 10).unwrap().entries, []);
}
