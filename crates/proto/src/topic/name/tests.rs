use super::*;
use crate::topic::{MAX_TOPIC_BYTES, SubscriptionFilter, TopicFilter};

fn name(text: &str) -> TopicName {
    text.parse().unwrap()
}

#[test]
fn mqtt5_4_7_0_1_and_mqtt311_4_7_0_1_and_mqtt311_4_7_1_1_a_topic_name_has_no_wildcard() {
    assert_eq!(TopicName::try_from("a/+"), Err(TopicError::Wildcard { at: 2 }));
    assert_eq!(TopicName::try_from("#"), Err(TopicError::Wildcard { at: 0 }));
    assert_eq!(TopicName::try_from("é#x"), Err(TopicError::Wildcard { at: 2 }));
    assert_eq!(TopicFilter::try_from("a/+").map(|filter| filter.to_string()), Ok("a/+".to_owned()));
}

#[test]
fn mqtt5_4_7_3_1_and_mqtt311_4_7_3_1_names_and_filters_have_a_character() {
    assert_eq!(TopicName::try_from(""), Err(TopicError::Empty));
    assert_eq!(TopicFilter::try_from(""), Err(TopicError::Empty));
    assert_eq!(SubscriptionFilter::try_from(""), Err(TopicError::Empty));
    for text in ["/", " ", "x"] {
        assert_eq!(name(text).as_str(), text);
        assert_eq!(TopicFilter::try_from(text).unwrap().as_str(), text);
    }
}

#[test]
fn mqtt5_4_7_3_2_and_mqtt311_4_7_3_2_names_and_filters_have_no_null_character() {
    assert_eq!(TopicName::try_from("a\0b"), Err(TopicError::Nul));
    assert_eq!(TopicFilter::try_from("a\0b"), Err(TopicError::Nul));
    assert_eq!(SubscriptionFilter::try_from("$share/g\0/b"), Err(TopicError::Nul));
}

#[test]
fn mqtt5_4_7_3_3_and_mqtt311_4_7_3_3_names_and_filters_have_at_most_65535_bytes() {
    let fits = "é".repeat(MAX_TOPIC_BYTES / 2) + "x";
    assert_eq!(fits.len(), MAX_TOPIC_BYTES);
    let over = fits.clone() + "x";
    let refused = TopicError::TooLong { bytes: MAX_TOPIC_BYTES + 1 };
    assert!(TopicName::try_from(fits.as_str()).is_ok());
    assert!(TopicFilter::try_from(fits).is_ok());
    assert_eq!(TopicName::try_from(over.as_str()), Err(refused));
    assert_eq!(TopicFilter::try_from(over.as_str()), Err(refused));
    let shared = format!("$share/g/{over}");
    let bytes = shared.len();
    assert_eq!(SubscriptionFilter::try_from(shared), Err(TopicError::TooLong { bytes }));
}

#[test]
fn levels_may_be_empty() {
    let levels = |text| name(text).levels().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(levels("/a//"), ["", "a", "", ""]);
    assert_eq!(levels("/"), ["", ""]);
    assert_eq!(name("/a//").level_count(), 4);
}

#[test]
fn only_a_leading_dollar_reserves() {
    assert!(name("$SYS/x").is_reserved());
    assert!(!name("a/$SYS").is_reserved());
}

#[test]
fn equals_hashes_and_sorts_as_its_text() {
    let set = std::collections::HashSet::from([name("a/b")]);
    assert!(set.contains("a/b"));
    assert!(!set.contains("a/B"));
    let sorted = std::collections::BTreeSet::from([name("b"), name("a/b"), name("a")]);
    assert_eq!(sorted.iter().map(TopicName::as_str).collect::<Vec<_>>(), ["a", "a/b", "b"]);
    assert_eq!(format!("{0} {0:?}", name("a/b")), "a/b \"a/b\"");
}

#[test]
fn detached_leaves_the_buffer_it_came_from() {
    let buffer = ByteString::from("prefix/topic".to_owned());
    let slice = TopicName::try_from(buffer.slice_ref(&buffer[7..])).unwrap();
    let own = slice.detached();
    assert_eq!(own, slice);
    assert!(!buffer.as_bytes().as_ptr_range().contains(&own.as_bytes().as_ptr()));
    assert_eq!(own.into_inner(), "topic");
}
