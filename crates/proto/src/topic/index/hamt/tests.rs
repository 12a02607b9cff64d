use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

/// Hashes that differ early, late, only in the last bits, and not at all.
fn bad_hash(key: u16) -> u64 {
    match key % 4 {
        0 => u64::from(key),
        1 => u64::from(key) << 48,
        2 => u64::from(key & 4) << 61,
        _ => 7,
    }
}

type Map = PersistentMap<u16, u32>;

fn contents(map: &Map) -> BTreeMap<u16, u32> {
    map.iter().map(|(key, value)| (*key, *value)).collect()
}

fn check(map: &Map, model: &BTreeMap<u16, u32>) {
    assert_eq!(map.len(), model.len());
    assert_eq!(map.is_empty(), model.is_empty());
    assert_eq!(map.iter().count(), model.len());
    assert_eq!(&contents(map), model);
    for (place, entry) in map.iter().enumerate() {
        assert_eq!(map.nth(place), Some(entry));
    }
    assert_eq!(map.nth(map.len()), None);
    for key in 0..64 {
        assert_eq!(map.get(bad_hash(key), &key), model.get(&key));
    }
}

proptest! {
    #[test]
    fn is_a_map(steps in prop::collection::vec((0_u16..64, any::<Option<u32>>(), any::<bool>()), 0..200)) {
        let mut map = Map::default();
        let mut model = BTreeMap::new();
        let mut kept = Vec::new();
        for (key, value, keep) in steps {
            match value {
                Some(value) => prop_assert_eq!(map.insert(bad_hash(key), key, value), model.insert(key, value)),
                None => prop_assert_eq!(map.remove(bad_hash(key), &key), model.remove(&key)),
            }
            if keep {
                kept.push((map.clone(), model.clone()));
            }
        }
        check(&map, &model);
        for (map, model) in &kept {
            check(map, model);
        }
    }

    #[test]
    fn order_depends_on_content_alone(keys in prop::collection::btree_set(any::<u16>(), 0..60), gone in any::<u16>()) {
        // Distinct hashes with long common beginnings.
        let hash = |key: u16| u64::from(key).reverse_bits();
        let mut once = Map::default();
        for key in &keys {
            once.insert(hash(*key), *key, 0);
        }
        let mut again = Map::default();
        for key in keys.iter().rev().chain([&gone]) {
            again.insert(hash(*key), *key, 0);
        }
        if !keys.contains(&gone) {
            again.remove(hash(gone), &gone);
        }
        prop_assert!(once.iter().eq(again.iter()));
    }
}

#[test]
fn a_change_copies_one_way_from_the_root() {
    use std::sync::atomic::{AtomicUsize, Ordering};

    static COPIES: AtomicUsize = AtomicUsize::new(0);

    #[derive(PartialEq, Eq)]
    struct Key(u64);

    impl Clone for Key {
        fn clone(&self) -> Self {
            COPIES.fetch_add(1, Ordering::Relaxed);
            Self(self.0)
        }
    }

    let hash = |key: u64| super::super::hash::Seed::new(9).key(&key);
    let mut map = PersistentMap::default();
    for key in 0..100_000 {
        map.insert(hash(key), Key(key), ());
    }
    let snapshot = map.clone();
    COPIES.store(0, Ordering::Relaxed);
    map.insert(hash(100_000), Key(100_000), ());
    map.remove(hash(5), &Key(5));
    // Four branches of 32 on each way.
    assert!(COPIES.load(Ordering::Relaxed) <= 2 * 4 * 32 + 2, "{COPIES:?}");
    assert_eq!((snapshot.len(), map.len()), (100_000, 100_000));
    assert!(snapshot.get(hash(5), &Key(5)).is_some());

    drop(snapshot);
    COPIES.store(0, Ordering::Relaxed);
    map.remove(hash(6), &Key(6));
    assert_eq!(COPIES.load(Ordering::Relaxed), 0, "what is not shared changes in place");
}

#[test]
fn unshared_values_are_given_away_once() {
    let mut map = PersistentMap::default();
    for key in 0_u16..200 {
        map.insert(bad_hash(key), key, Arc::new(key));
    }
    let clone = map.clone();
    let mut taken = Vec::new();
    map.take_unshared(|value| taken.push(value));
    assert!(taken.is_empty());
    clone.take_unshared(|value| taken.push(value));
    let mut values: Vec<u16> = taken.into_iter().filter_map(Arc::into_inner).collect();
    values.sort_unstable();
    assert_eq!(values, (0..200).collect::<Vec<_>>());
}
