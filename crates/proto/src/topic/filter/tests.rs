use proptest::prelude::*;

use super::*;

fn filter(text: &str) -> TopicFilter {
    text.parse().unwrap()
}

fn name(text: &str) -> TopicName {
    text.parse().unwrap()
}

fn matches(pattern: &str, topic: &str) -> bool {
    filter(pattern).matches(&name(topic))
}

/// The definition, written for plainness.
fn naive(pattern: &[&str], topic: &[&str]) -> bool {
    match (pattern, topic) {
        (["#"], _) | ([], []) => true,
        (["+", pattern @ ..], [_, topic @ ..]) => naive(pattern, topic),
        ([level, pattern @ ..], [name, topic @ ..]) => level == name && naive(pattern, topic),
        _ => false,
    }
}

fn naive_matches(pattern: &str, topic: &str) -> bool {
    let reserved = topic.starts_with('$') && pattern.starts_with(['+', '#']);
    let pattern: Vec<_> = pattern.split('/').collect();
    let topic: Vec<_> = topic.split('/').collect();
    !reserved && naive(&pattern, &topic)
}

#[test]
fn mqtt5_4_7_1_1_and_mqtt311_4_7_1_2_hash_is_alone_in_the_last_level() {
    for good in ["#", "a/#", "/#", "+/#", "a/b/#"] {
        assert_eq!(filter(good).as_str(), good);
    }
    for (bad, at) in [("a#", 1), ("a/b#", 3), ("#a", 0), ("a/#/b", 2), ("#/", 0), ("##", 0), ("+#", 0), ("a/#+", 2)] {
        assert_eq!(TopicFilter::try_from(bad), Err(TopicError::MisplacedWildcard { at }), "{bad}");
    }
}

#[test]
fn mqtt5_4_7_1_2_and_mqtt311_4_7_1_3_plus_is_a_whole_level() {
    for good in ["+", "+/a", "a/+/b", "/+", "+/", "+/+", "+/a/#"] {
        assert_eq!(filter(good).as_str(), good);
    }
    for (bad, at) in [("a+", 1), ("+a", 0), ("a/b+/c", 3), ("++", 0), ("é+", 2)] {
        assert_eq!(TopicFilter::try_from(bad), Err(TopicError::MisplacedWildcard { at }), "{bad}");
    }
}

#[test]
fn mqtt5_4_7_2_1_and_mqtt311_4_7_2_1_a_leading_wildcard_matches_no_reserved_topic() {
    assert!(!matches("#", "$SYS"));
    assert!(!matches("+/monitor/Clients", "$SYS/monitor/Clients"));
    assert!(!matches("+", "$SYS"));
    assert!(matches("$SYS/#", "$SYS/monitor/Clients"));
    assert!(matches("$SYS/monitor/+", "$SYS/monitor/Clients"));
    assert!(matches("$SYS/#", "$SYS"));
    assert!(matches("a/#", "a/$SYS"));
    assert!(matches("+/+", "a/$SYS"));
}

#[test]
fn mqtt5_4_7_3_4_and_mqtt311_4_7_3_4_matching_normalises_nothing() {
    // U+00E9 and U+0065 U+0301 look alike.
    assert!(!matches("caf\u{e9}", "cafe\u{301}"));
    assert!(!matches("ACCOUNTS", "Accounts"));
    assert!(!matches("/finance", "finance"));
    assert!(!matches("a//b", "a/b"));
    assert!(!matches("a/", "a"));
    assert!(!matches("a", "a "));
    assert!(!matches("a\u{feff}", "a"));
    assert!(matches("a\u{fffd}/\u{feff}", "a\u{fffd}/\u{feff}"));
}

#[test]
fn the_standards_examples() {
    for topic in ["sport/tennis/player1", "sport/tennis/player1/ranking", "sport/tennis/player1/score/wimbledon"] {
        assert!(matches("sport/tennis/player1/#", topic), "{topic}");
    }
    assert!(matches("sport/#", "sport"));
    assert!(matches("sport/tennis/+", "sport/tennis/player1"));
    assert!(!matches("sport/tennis/+", "sport/tennis/player1/ranking"));
    assert!(!matches("sport/+", "sport"));
    assert!(matches("sport/+", "sport/"));
    assert!(matches("+/+", "/finance"));
    assert!(matches("/+", "/finance"));
    assert!(!matches("+", "/finance"));
}

#[test]
fn prefix_and_parent_bound_a_range_scan() {
    for (text, prefix, parent, literal) in [
        ("a/b", "a/b", None, true),
        ("a/b/+/c", "a/b/", None, false),
        ("a/b/#", "a/b/", Some("a/b"), false),
        ("+/b", "", None, false),
        ("#", "", None, false),
        ("/#", "/", None, false),
        ("a/+/#", "a/", None, false),
    ] {
        let filter = filter(text);
        assert_eq!(filter.literal_prefix(), prefix, "{text}");
        assert_eq!(filter.parent_topic(), parent, "{text}");
        assert_eq!(filter.is_literal(), literal, "{text}");
        assert_eq!(filter.has_wildcard(), !literal, "{text}");
    }
}

#[test]
fn covers_by_example() {
    for (wide, narrow) in [
        ("a/#", "a"),
        ("a/#", "a/#"),
        ("a/#", "a/+/c"),
        ("a/+/#", "a/+"),
        ("#", "+/+"),
        ("#", "+/#"),
        ("+/#", "#"),
        ("/+/#", "/#"),
        ("+/+/#", "/#"),
        ("+/b", "/b"),
        ("$SYS/#", "$SYS/+/x"),
        ("vehicles/+/command/#", "vehicles/vehicle03/command/unlock/request"),
    ] {
        assert!(filter(wide).covers(&filter(narrow)), "{wide} covers {narrow}");
    }
    for (narrow, wide) in [
        ("a", "a/#"),
        ("a/+", "a/#"),
        ("a/+/#", "a/#"),
        ("/+", "/#"),
        ("+", "#"),
        ("+/+/#", "#"),
        ("#", "$SYS/#"),
        ("+/x", "$SYS/x"),
        ("a/b", "a/+"),
        ("a", "b"),
        ("a/b", "a"),
    ] {
        assert!(!filter(narrow).covers(&filter(wide)), "{narrow} does not cover {wide}");
    }
}

/// All texts of 1 to `depth` levels from these, the empty text apart.
fn texts(levels: &[&str], depth: usize) -> Vec<String> {
    let mut all = Vec::new();
    let mut longest: Vec<String> = levels.iter().map(ToString::to_string).collect();
    for _ in 0..depth {
        all.extend(longest.iter().filter(|text| !text.is_empty()).cloned());
        longest = longest.iter().flat_map(|text| levels.iter().map(move |level| format!("{text}/{level}"))).collect();
    }
    all
}

#[test]
fn covers_is_containment_for_all_filters_of_three_levels() {
    let mut filters: Vec<TopicFilter> = texts(&["", "a", "$a", "+"], 3).iter().map(|text| filter(text)).collect();
    filters.extend(texts(&["", "a", "$a", "+"], 2).iter().map(|text| filter(&format!("{text}/#"))));
    filters.extend([filter("#"), filter("/#")]);
    // One level that no filter names, and one level more than any filter has, show every difference.
    let topics: Vec<TopicName> = texts(&["", "a", "$a", "z", "$z"], 4).iter().map(|text| name(text)).collect();
    let matched: Vec<Vec<bool>> =
        filters.iter().map(|filter| topics.iter().map(|topic| filter.matches(topic)).collect()).collect();
    let mut contained = 0;
    for (wide, wide_matches) in filters.iter().zip(&matched) {
        for (narrow, narrow_matches) in filters.iter().zip(&matched) {
            let expected = narrow_matches.iter().zip(wide_matches).all(|(narrow, wide)| *wide || !*narrow);
            assert_eq!(wide.covers(narrow), expected, "{wide} covers {narrow}");
            contained += usize::from(expected);
        }
    }
    assert!(contained > filters.len(), "more than each filter itself");
}

fn level() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec!["", "a", "b", "$a", "é"])
}

fn topic_text() -> impl Strategy<Value = String> {
    prop::collection::vec(level(), 1..6)
        .prop_map(|levels| levels.join("/"))
        .prop_filter("a topic has a character", |text| !text.is_empty())
}

fn filter_text() -> impl Strategy<Value = String> {
    let levels = prop::collection::vec(prop_oneof![2 => level(), 1 => Just("+")], 0..6);
    (levels, any::<bool>())
        .prop_map(|(mut levels, below)| {
            levels.extend(below.then_some("#"));
            levels.join("/")
        })
        .prop_filter("a filter has a character", |text| !text.is_empty())
}

proptest! {
    #[test]
    fn matches_as_the_definition_says(pattern in filter_text(), topic in topic_text()) {
        prop_assert_eq!(matches(&pattern, &topic), naive_matches(&pattern, &topic));
    }

    #[test]
    fn what_is_covered_matches(wide in filter_text(), narrow in filter_text(), topic in topic_text()) {
        prop_assert!(filter(&narrow).covers(&filter(&narrow)));
        if filter(&wide).covers(&filter(&narrow)) && matches(&narrow, &topic) {
            prop_assert!(matches(&wide, &topic));
        }
        // A topic is a filter that only it matches.
        prop_assert_eq!(filter(&wide).covers(&filter(&topic)), matches(&wide, &topic));
    }

    #[test]
    fn a_match_is_in_the_range_or_the_parent(pattern in filter_text(), topic in topic_text()) {
        let filter = filter(&pattern);
        if filter.matches(&name(&topic)) {
            let parent = filter.parent_topic() == Some(topic.as_str());
            prop_assert!(parent || topic.starts_with(filter.literal_prefix()));
        }
    }

    #[test]
    fn any_text_is_refused_or_kept(text in ".{0,12}") {
        if let Ok(filter) = TopicFilter::try_from(text.as_str()) {
            prop_assert_eq!(filter.as_str(), text.as_str());
            prop_assert!(filter.levels().all(|level| !level.contains(['+', '#']) || level.len() == 1));
        }
        if let Ok(name) = TopicName::try_from(text.as_str()) {
            prop_assert!(matches(&text, name.as_str()));
        }
    }
}

#[test]
fn many_levels_need_no_stack() {
    let levels = 32_768;
    let pattern = filter(&vec!["+"; levels].join("/"));
    let topic = name(&"/".repeat(levels - 1));
    assert_eq!(pattern.level_count(), levels);
    assert!(pattern.matches(&topic));
    assert!(pattern.covers(&filter(topic.as_str())));
    assert!(!filter("+/+").matches(&topic));
}
