use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;

#[derive(Default)]
struct Client {
    name: String,
    attributes: BTreeMap<&'static str, Vec<String>>,
}

impl Variables for Client {
    fn authentication_name(&self) -> &str {
        &self.name
    }

    fn attribute(&self, key: &str) -> AttributeValues<'_> {
        self.attributes.get(key).into_iter().flatten().map(String::as_str).collect()
    }
}

fn client(name: &str, attributes: &[(&'static str, &[&str])]) -> Client {
    let own = |values: &[&str]| values.iter().map(ToString::to_string).collect();
    Client { name: name.to_owned(), attributes: attributes.iter().map(|(key, values)| (*key, own(values))).collect() }
}

fn template(text: &str) -> TopicTemplate {
    TopicTemplate::parse(text).unwrap()
}

fn filters(text: &str, client: &Client) -> Vec<String> {
    template(text).resolve(client).filters.iter().map(ToString::to_string).collect()
}

fn reasons(text: &str, client: &Client) -> Vec<UnresolvedReason> {
    template(text).resolve(client).unresolved.iter().map(|unresolved| unresolved.reason).collect()
}

#[test]
fn a_variable_is_a_segment_or_a_part_of_one() {
    let client = client("machine1", &[("area", &["a7"])]);
    for (text, expected) in [
        ("machines/${client.authenticationName}/#", "machines/machine1/#"),
        ("${client.authenticationName|.factory1}/+", "machine1.factory1/+"),
        ("x/pre-${client.attributes.area}-post", "x/pre-a7-post"),
        ("x/${client.attributes.area}${client.authenticationName|!}", "x/a7machine1!"),
        ("x/${principal.attributes.area}", "x/a7"),
        ("${client.attributes.area}/$x/}/{/", "a7/$x/}/{/"),
        ("plain/+/#", "plain/+/#"),
        ("/", "/"),
    ] {
        assert_eq!(filters(text, &client), [expected], "{text}");
        assert_eq!(template(text).as_str(), text);
    }
    assert!(template("${client.authenticationName}").has_variables());
    assert!(!template("a/+").has_variables());
}

#[test]
fn several_values_give_several_filters() {
    let client = client("m", &[("area", &["1", "2", "1"]), ("kind", &["x", "y"])]);
    assert_eq!(filters("a/${client.attributes.area}", &client), ["a/1", "a/2"]);
    assert_eq!(filters("${client.attributes.area}/${client.attributes.kind}", &client), ["1/x", "1/y", "2/x", "2/y"]);
    // One value stands in both places.
    assert_eq!(filters("${client.attributes.area}/${client.attributes.area}", &client), ["1/1", "2/2"]);
}

#[test]
fn combinations_are_bounded() {
    let many: Vec<String> = (0..9).map(|n| n.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let client = client("m", &[("a", &many), ("b", &many)]);
    let resolved = template("${client.attributes.a}/${client.attributes.b}").resolve(&client);
    assert_eq!(resolved.filters.len(), TopicTemplate::MAX_FILTERS);
    assert_eq!(resolved.filters.last().map(ToString::to_string), Some("7/0".to_owned()));
    let [unresolved] = resolved.unresolved.as_slice() else { panic!("{resolved:?}") };
    assert_eq!(unresolved.reason, UnresolvedReason::TooMany { combinations: 81 });
    assert_eq!(unresolved.variable, None);
}

#[test]
fn a_value_that_is_no_part_of_a_level_gives_nothing() {
    let values = ["", "a/b", "a+", "#", "x\0", "ok"];
    let client = client("m", &[("v", &values)]);
    let resolved = template("t/${client.attributes.v}").resolve(&client);
    assert_eq!(resolved.filters, [TopicFilter::try_from("t/ok").unwrap()]);
    let reasons: Vec<_> = resolved.unresolved.iter().map(|one| (one.value.as_deref().unwrap(), one.reason)).collect();
    assert_eq!(
        reasons,
        [
            ("", UnresolvedReason::Empty),
            ("a/b", UnresolvedReason::Separator),
            ("a+", UnresolvedReason::Wildcard),
            ("#", UnresolvedReason::Wildcard),
            ("x\0", UnresolvedReason::Nul),
        ]
    );
    assert_eq!(resolved.unresolved[0].variable.as_deref(), Some("client.attributes.v"));
}

#[test]
fn a_missing_attribute_gives_nothing() {
    let client = client("m", &[("empty", &[])]);
    for text in ["a/${client.attributes.none}", "a/${client.attributes.empty}/${client.authenticationName}"] {
        assert_eq!(filters(text, &client), Vec::<String>::new());
        assert_eq!(reasons(text, &client), [UnresolvedReason::Missing], "{text}");
    }
}

#[test]
fn a_value_never_reaches_reserved_topics() {
    let client = client("$SYS", &[("e", &["e"])]);
    assert_eq!(reasons("${client.authenticationName}/#", &client), [UnresolvedReason::Reserved]);
    assert_eq!(filters("${client.authenticationName}/#", &client), Vec::<String>::new());
    assert_eq!(filters("a/${client.authenticationName}", &client), ["a/$SYS"]);
    assert_eq!(reasons("$shar${client.attributes.e}/g/#", &client), [UnresolvedReason::Reserved]);
}

#[test]
fn a_filter_that_gets_too_long_is_left_out() {
    let long = "x".repeat(40_000);
    let client = client(&long, &[]);
    let text = "${client.authenticationName}/${client.authenticationName}";
    assert_eq!(filters(text, &client), Vec::<String>::new());
    assert_eq!(reasons(text, &client), [UnresolvedReason::TooLong]);
}

#[test]
fn errors_say_where() {
    for (text, at, kind) in [
        ("", 0, TemplateErrorKind::Empty),
        ("a\0", 1, TemplateErrorKind::Nul),
        ("$share/g/a", 0, TemplateErrorKind::Shared),
        ("a/b+", 3, TemplateErrorKind::MisplacedWildcard),
        ("a/#/b", 2, TemplateErrorKind::MisplacedWildcard),
        ("a/${client.authenticationName}+", 30, TemplateErrorKind::MisplacedWildcard),
        ("a/#${client.authenticationName}", 2, TemplateErrorKind::MisplacedWildcard),
        ("a/${client.authenticationName", 2, TemplateErrorKind::Unclosed),
        ("a/x${client.a/uthenticationName}", 3, TemplateErrorKind::Unclosed),
        ("a/${client.name}", 2, TemplateErrorKind::UnknownVariable),
        ("a/${Client.authenticationName}", 2, TemplateErrorKind::UnknownVariable),
        ("a/${}", 2, TemplateErrorKind::UnknownVariable),
        ("a/${client.attributes.}", 22, TemplateErrorKind::BadKey),
        ("a/${client.attributes.a-b}", 22, TemplateErrorKind::BadKey),
        ("a/${client.authenticationName|}", 30, TemplateErrorKind::BadSuffix),
        ("a/${client.authenticationName|+}", 30, TemplateErrorKind::BadSuffix),
    ] {
        assert_eq!(TopicTemplate::parse(text), Err(TemplateError { at, kind }), "{text}");
    }
    let long = "x".repeat(65_536);
    assert_eq!(TopicTemplate::parse(&long).map_err(|error| error.kind), Err(TemplateErrorKind::TooLong));
}

#[test]
fn widest_has_a_plus_for_each_segment_with_a_variable() {
    let widest = |text| template(text).widest().to_string();
    assert_eq!(widest("a/x-${client.authenticationName}/#"), "a/+/#");
    assert_eq!(widest("${client.attributes.x}"), "+");
    assert_eq!(widest("a//b"), "a//b");
}

proptest! {
    #[test]
    fn what_it_resolves_to_is_within_the_widest(
        pieces in prop::collection::vec(
            prop::sample::select(vec![
                "/", "a", "+", "#", "$", "${client.authenticationName}", "${client.attributes.x}",
                "${client.attributes.x|.y}", "${", "}", "|",
            ]),
            1..8,
        ),
        name in "[a-c/+#$]{0,3}",
        values in prop::collection::vec("[a-c/+#$]{0,2}", 0..4),
    ) {
        if let Ok(template) = TopicTemplate::parse(&pieces.concat()) {
            let resolved = template.resolve(&Client { name, attributes: BTreeMap::from([("x", values)]) });
            for filter in &resolved.filters {
                prop_assert_eq!(filter.level_count(), template.widest().level_count());
                let reserved = filter.as_str().starts_with('$') && !template.widest().as_str().starts_with('$');
                prop_assert_eq!(template.widest().covers(filter), !reserved, "{:?} {:?}", template, filter);
            }
            prop_assert!(!resolved.filters.is_empty() || !resolved.unresolved.is_empty());
        }
    }
}
