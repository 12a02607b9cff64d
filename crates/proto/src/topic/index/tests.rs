use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::topic::TopicFilter;

type Index = SubscriptionIndex<u32, u64>;

fn filter(text: &str) -> SubscriptionFilter {
    text.parse().unwrap()
}

fn name(text: &str) -> TopicName {
    text.parse().unwrap()
}

/// Matches in a comparable form: plain ones, then groups with their members.
type Found = (Vec<(u32, u64)>, Vec<(String, Vec<(u32, u64)>)>);

fn sorted(members: impl Iterator<Item = (u32, u64)>) -> Vec<(u32, u64)> {
    let mut members: Vec<_> = members.collect();
    members.sort_unstable();
    members
}

fn lookup(index: &Index, topic: &str) -> Found {
    let (mut plain, mut groups) = Found::default();
    index.for_each_match(&name(topic), |found| match found {
        Match::Subscriber(key, value) => plain.push((*key, *value)),
        Match::Group(group) => {
            groups.push((group.name().to_owned(), sorted(group.members().map(|(key, value)| (*key, *value)))));
        }
    });
    groups.sort_unstable();
    (sorted(plain.into_iter()), groups)
}

/// The index as a list that is searched from end to end.
#[derive(Clone, Default)]
struct Naive(BTreeMap<(String, u32), u64>);

impl Naive {
    fn lookup(&self, topic: &str) -> Found {
        let topic = name(topic);
        let mut plain = Vec::new();
        let mut groups: BTreeMap<String, (String, Vec<(u32, u64)>)> = BTreeMap::new();
        for ((text, key), value) in &self.0 {
            let filter = filter(text);
            match filter.group() {
                _ if !filter.filter().matches(&topic) => {}
                None => plain.push((*key, *value)),
                Some(group) => {
                    groups.entry(text.clone()).or_insert_with(|| (group.to_owned(), Vec::new())).1.push((*key, *value));
                }
            }
        }
        let mut groups: Vec<_> =
            groups.into_values().map(|(group, members)| (group, sorted(members.into_iter()))).collect();
        groups.sort_unstable();
        (sorted(plain.into_iter()), groups)
    }
}

const LEVELS: [&str; 4] = ["", "a", "b", "$a"];

fn filter_text() -> impl Strategy<Value = String> {
    let level = prop_oneof![3 => prop::sample::select(&LEVELS[..]), 2 => Just("+")];
    let plain = (prop::collection::vec(level, 0..4), any::<bool>())
        .prop_map(|(mut levels, below)| {
            levels.extend(below.then_some("#"));
            levels.join("/")
        })
        .prop_filter("a filter has a character", |text| !text.is_empty());
    let group = prop::sample::select(vec!["", "", "$share/g/", "$share/h/"]);
    (group, plain).prop_map(|(group, plain)| format!("{group}{plain}"))
}

fn all_topics() -> Vec<String> {
    let mut topics: Vec<String> = LEVELS.map(str::to_owned).to_vec();
    for _ in 0..2 {
        let longer = topics.iter().flat_map(|topic| LEVELS.map(|level| format!("{topic}/{level}")));
        topics.extend(longer.collect::<Vec<_>>());
    }
    topics.retain(|topic| !topic.is_empty());
    topics
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn finds_what_a_search_of_everything_finds(
        seed in any::<u64>(),
        filters in prop::collection::vec(filter_text(), 1..12),
        steps in prop::collection::vec((any::<prop::sample::Index>(), 0_u32..4, 0_u8..8), 1..80),
    ) {
        let mut index = Index::new(seed);
        let mut naive = Naive::default();
        let mut kept = Vec::new();
        for (value, (which, key, action)) in (0..).zip(steps) {
            let text = which.get(&filters);
            match action {
                0..4 => prop_assert_eq!(
                    index.insert(&filter(text), key, value),
                    naive.0.insert((text.clone(), key), value)
                ),
                4..7 => prop_assert_eq!(
                    index.remove(&filter(text), &key),
                    naive.0.remove(&(text.clone(), key))
                ),
                _ => kept.push((index.clone(), naive.clone())),
            }
            prop_assert_eq!(index.get(&filter(text), &key), naive.0.get(&(text.clone(), key)));
            prop_assert_eq!(index.len(), naive.0.len());
        }
        kept.push((index.clone(), naive.clone()));
        for (index, naive) in &kept {
            for topic in all_topics() {
                prop_assert_eq!(lookup(index, &topic), naive.lookup(&topic), "{}", topic);
            }
        }
        for (text, key) in naive.0.into_keys() {
            prop_assert!(index.remove(&filter(&text), &key).is_some());
        }
        prop_assert!(index.is_empty());
        prop_assert_eq!(index.root.weight(), 0);
    }
}

#[test]
fn mqtt5_4_7_2_1_and_mqtt311_4_7_2_1_the_index_keeps_reserved_topics_from_leading_wildcards() {
    let mut index = Index::new(1);
    for (key, text) in (0..).zip(["#", "+/x", "+/#", "$share/g/#", "$SYS/#", "$SYS/+"]) {
        index.insert(&filter(text), key, 0);
    }
    assert_eq!(lookup(&index, "$SYS/x"), (vec![(4, 0), (5, 0)], vec![]));
    assert_eq!(lookup(&index, "SYS/x").0, [(0, 0), (1, 0), (2, 0)]);
}

#[test]
fn unrelated_subscriptions_cost_a_lookup_nothing() {
    let mut index = Index::new(7);
    index.insert(&filter("a/+/c"), 1, 1);
    index.insert(&filter("a/#"), 2, 2);
    let topic = name("a/b/c");
    let before = index.visited(&topic);
    for n in 0..100_000 {
        index.insert(&filter(&format!("x/{n}/+")), n, 0);
    }
    assert_eq!(index.len(), 100_002);
    assert_eq!(index.visited(&topic), before);
    assert_eq!(before, 4);
    assert_eq!(index.visited(&name("x/5/y")), 4);
    assert_eq!(lookup(&index, "x/5/y").0, [(5, 0)]);
}

#[test]
fn many_subscribers_of_one_filter() {
    let mut index = Index::new(3);
    let (plain, shared) = (filter("a/b"), filter("$share/g/a/b"));
    for n in 0..20_000 {
        assert_eq!(index.insert(&plain, n, 0), None);
        assert_eq!(index.insert(&shared, n, 1), None);
    }
    let snapshot = index.clone();
    for n in 0..20_000 {
        assert_eq!(index.remove(&plain, &n), Some(0));
        assert_eq!(index.remove(&shared, &n), Some(1));
        assert_eq!(index.remove(&shared, &n), None);
    }
    assert_eq!((index.len(), snapshot.len()), (0, 40_000));
    let (plain, groups) = lookup(&snapshot, "a/b");
    assert_eq!((plain.len(), groups[0].1.len()), (20_000, 20_000));
    assert_eq!(lookup(&index, "a/b"), Found::default());
}

#[test]
fn the_same_group_name_with_another_filter_is_another_group() {
    let mut index = Index::new(3);
    index.insert(&filter("$share/g/a/+"), 1, 1);
    index.insert(&filter("$share/g/a/#"), 1, 2);
    index.insert(&filter("$share/h/a/#"), 1, 3);
    let group = |name: &str, value| (name.to_owned(), vec![(1, value)]);
    assert_eq!(lookup(&index, "a/b"), (vec![], vec![group("g", 1), group("g", 2), group("h", 3)]));
    assert_eq!(lookup(&index, "a"), (vec![], vec![group("g", 2), group("h", 3)]));
}

#[test]
fn picks_go_round_the_members() {
    let mut index = Index::new(11);
    for n in 0..1_000 {
        index.insert(&filter("$share/g/a"), n, 0);
    }
    index.for_each_match(&name("a"), |found| {
        let Match::Group(group) = found else { panic!("{found:?}") };
        let members: Vec<u32> = group.members().map(|(key, _)| *key).collect();
        assert_eq!(members.len(), 1_000);
        for n in 0..2_500 {
            assert_eq!(group.pick(n).map(|(key, _)| *key), Some(members[n % 1_000]));
        }
        assert!(group.pick(usize::MAX).is_some());
    });
}

#[test]
fn filters_of_the_greatest_depth_need_no_stack() {
    let deep = "/".repeat(65_535);
    let wild = format!("{}#", "+/".repeat(32_767));
    let work = move || {
        let mut index = Index::new(1);
        index.insert(&filter(&deep), 1, 1);
        index.insert(&filter(&wild), 2, 2);
        let snapshot = index.clone();
        assert_eq!(lookup(&index, &deep).0, [(1, 1), (2, 2)]);
        assert_eq!(index.remove(&filter(&deep), &1), Some(1));
        index.insert(&filter(&deep), 3, 3);
        assert_eq!(lookup(&index, &deep).0, [(2, 2), (3, 3)]);
        drop(snapshot);
        drop(index);
    };
    std::thread::Builder::new().stack_size(128 * 1024).spawn(work).unwrap().join().unwrap();
}

#[test]
fn snapshots_cross_threads() {
    fn crosses<T: Send + Sync>() {}
    crosses::<Index>();
    let mut index = Index::new(5);
    index.insert(&filter("a/#"), 1, 1);
    let snapshot = index.clone();
    let reader = std::thread::spawn(move || lookup(&snapshot, "a/b"));
    index.remove(&filter("a/#"), &1);
    assert_eq!(reader.join().unwrap().0, [(1, 1)]);
}

#[test]
fn a_filter_matches_in_the_index_as_alone() {
    let mut index = Index::new(2);
    for text in ["a", "a/#", "+/#", "/", "+/+"] {
        index.insert(&filter(text), 0, 0);
        for topic in all_topics() {
            let alone = TopicFilter::try_from(text).unwrap().matches(&name(&topic));
            assert_eq!(!lookup(&index, &topic).0.is_empty(), alone, "{text} {topic}");
        }
        index.remove(&filter(text), &0);
    }
}

#[test]
fn a_million_subscriptions_are_found_and_gone_again() {
    const SITES: u32 = 1000;
    let of = |site: u32, device: u32| filter(&format!("site/{site}/+/{device}"));
    let all = || (0..SITES).flat_map(|site| (0..SITES).map(move |device| (site, device)));
    let mut index = Index::new(7);
    for (site, device) in all() {
        assert_eq!(index.insert(&of(site, device), site, u64::from(device)), None);
    }
    assert_eq!(index.len(), 1_000_000);
    let full = index.clone();
    for (site, device) in all() {
        assert_eq!(index.remove(&of(site, device), &site), Some(u64::from(device)));
    }
    assert!(index.is_empty());
    for (site, device) in [(0_u32, 0_u32), (7, 13), (999, 999)] {
        let topic = format!("site/{site}/temperature/{device}");
        assert_eq!(lookup(&full, &topic).0, [(site, u64::from(device))]);
        assert!(full.visited(&name(&topic)) <= 5, "a lookup looks at its own levels only");
        assert!(lookup(&index, &topic).0.is_empty());
    }
    assert_eq!(index.visited(&name("site/7/temperature/13")), 1);
}
