use proptest::prelude::*;

use super::*;
use crate::resource::AttributeValue;

fn client() -> Attributes {
    [
        ("type", AttributeValue::from("home-sensors")),
        ("floor", AttributeValue::from(3)),
        ("on", AttributeValue::from(true)),
        ("sensors", AttributeValue::from(["motion", "humidity"])),
        ("none", AttributeValue::Texts(Vec::new())),
    ]
    .into_iter()
    .collect()
}

#[test]
fn decisions() {
    let attributes = client();
    for (query, expected) in [
        // The documentation's own queries.
        (r#"(attributes.sensors = "motion" or attributes.sensors = "humidity") or attributes.type = "x""#, true),
        (r#"attributes.sensors IN ["motion","humidity","temperature"] and attributes.floor <= 5"#, true),
        ("authenticationName IN ['client1','client2']", true),
        ("attributes.type IN ['a','b','c']", false),
        ("attributes.floor = 6", false),
        // Every operator.
        ("attributes.floor = 3", true),
        ("attributes.floor <> 3", false),
        ("attributes.floor != 4", true),
        ("attributes.floor < 3", false),
        ("attributes.floor < 4", true),
        ("attributes.floor <= 3", true),
        ("attributes.floor > 3", false),
        ("attributes.floor > -1", true),
        ("attributes.floor >= 3", true),
        ("attributes.floor >= +4", false),
        ("attributes.floor in [1, 2, 3]", true),
        ("attributes.floor in ['3']", false),
        ("attributes.on = true", true),
        ("attributes.on <> TRUE", false),
        // and binds tighter than or.
        ("attributes.floor = 3 or attributes.floor = 4 and attributes.floor = 5", true),
        ("(attributes.floor = 3 or attributes.floor = 4) and attributes.floor = 5", false),
        // Case: keywords in any, values exact.
        ("ATTRIBUTES.floor In [3] AND AuthenticationName = 'client1' Or attributes.floor = 9", true),
        ("attributes.Floor = 3", false),
        ("authenticationName = 'Client1'", false),
        ("attributes.type = 'Home-Sensors'", false),
        // Missing attributes and other types never hold.
        ("attributes.absent = 'x'", false),
        ("attributes.absent <> 'x'", false),
        ("attributes.floor <> 'x'", false),
        ("attributes.floor = '3'", false),
        ("attributes.type > 1", false),
        // Arrays: any element.
        ("attributes.sensors = 'humidity'", true),
        ("attributes.sensors = 'motion,humidity'", false),
        ("attributes.sensors <> 'motion'", true),
        ("attributes.none <> 'motion'", false),
        // Layout and quotation marks.
        ("\t attributes.floor=3\nand\r\nauthenticationName<>'b\"c' ", true),
        ("attributes.type = 'home\\'", false),
    ] {
        let parsed = Query::parse(query).unwrap_or_else(|error| panic!("{query}: {error}"));
        assert_eq!(parsed.matches("client1", &attributes), expected, "{query}");
    }
}

#[test]
fn keys_may_begin_with_a_digit_and_look_like_keywords() {
    let attributes: Attributes = [("1st", 1), ("in", 2), ("and", 3)].into_iter().collect();
    let query = Query::parse("attributes.1st = 1 and attributes.in = 2 and attributes.and = 3").unwrap();
    assert!(query.matches("x", &attributes));
}

#[test]
fn errors_say_where() {
    for (query, at) in [
        ("", 0),
        ("   ", 3),
        ("attributes", 10),
        ("attributes.", 11),
        ("attributes. floor = 1", 11),
        ("attributes.floor", 16),
        ("attributes.floor = ", 19),
        ("attributes.floor == 1", 18),
        ("attributes.floor = 1 andd", 21),
        ("attributes.floor = 1 and", 24),
        ("attributes.floor = 1 or or", 24),
        ("attributes.floor < '5'", 19),
        ("attributes.floor = 5.5", 19),
        ("attributes.floor = 5x", 19),
        ("attributes.floor = -", 19),
        ("attributes.floor = foo", 19),
        ("attributes.floor in 1", 20),
        ("attributes.floor in []", 21),
        ("attributes.floor in [1 2]", 23),
        ("attributes.floor in [1,]", 23),
        ("attributes.floor in [1", 22),
        ("(attributes.floor = 1", 21),
        ("attributes.floor = 1)", 20),
        ("authenticationName < 5", 19),
        ("authenticationName = 5", 21),
        ("authenticationName = 'a", 21),
        ("floor = 1", 0),
        ("'a' = attributes.x", 0),
        ("NOT attributes.x = 1", 0),
        ("attributes.x = 1 & attributes.y = 2", 17),
        ("attributes.ü = 1", 11),
        ("attributes.x = 'ü' ü", 20),
    ] {
        let error = Query::parse(query).expect_err(query);
        assert_eq!(error.at(), at, "{query}: {error}");
    }
}

#[test]
fn errors_say_what() {
    let kind = |query: &str| Query::parse(query).unwrap_err().kind().clone();
    assert!(matches!(kind("attributes.x = 'a"), QueryErrorKind::UnterminatedString { quote: '\'' }));
    assert!(matches!(kind("attributes.x = 9223372036854775808"), QueryErrorKind::IntegerOutOfRange { .. }));
    assert!(matches!(kind("attributes.x # 1"), QueryErrorKind::Character { found: '#' }));
    assert!(matches!(
        kind("attributes.x > 'a'"),
        QueryErrorKind::Unexpected { found, expected } if found.contains("\"a\"") && expected.contains("integer")
    ));
    assert!(Query::parse("attributes.x = -9223372036854775808").is_ok());
}

#[test]
fn depth_and_length_are_limited() {
    let nested = |depth: usize| format!("{}attributes.x = 1{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&nested(32)).is_ok());
    let error = Query::parse(&nested(33)).unwrap_err();
    assert_eq!((error.at(), error.kind()), (32, &QueryErrorKind::TooDeep { limit: 32 }));
    assert!(matches!(Query::parse(&"(".repeat(8192)).unwrap_err().kind(), QueryErrorKind::TooDeep { .. }));

    let long = format!("attributes.x = '{}'", "a".repeat(8192));
    assert!(matches!(Query::parse(&long).unwrap_err().kind(), QueryErrorKind::TooLong { bytes: 8209, .. }));
}

proptest! {
    #[test]
    fn no_text_panics_and_errors_lie_inside(text in any::<String>()) {
        if let Err(error) = Query::parse(&text) {
            prop_assert!(error.at() <= text.len());
            prop_assert!(text.is_char_boundary(error.at()));
        }
    }

    #[test]
    fn no_order_of_words_panics(words in prop::collection::vec(prop::sample::select(vec![
        "attributes", ".", "x", "authenticationName", "=", "<>", "<", "in", "[", "]", ",", "(", ")", "and", "or",
        "'a'", "1", "-", "'", "ü",
    ]), 0..40)) {
        let text = words.join(" ");
        if let Ok(query) = Query::parse(&text) {
            let _ = query.matches("a", &client());
        }
        let _ = Query::parse(&words.concat());
    }
}
