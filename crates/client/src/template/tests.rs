use gridmq_proto::TopicName;
use proptest::prelude::*;

use super::{TemplateError, TopicTemplate};

fn template(text: &str) -> TopicTemplate {
    TopicTemplate::parse(text).unwrap()
}

fn topic(text: &str) -> TopicName {
    text.try_into().unwrap()
}

#[test]
fn values_go_in_and_come_out() {
    let command = template("vehicles/{vehicle}/command/{name}/request");
    assert_eq!(command.parameters().collect::<Vec<_>>(), ["vehicle", "name"]);
    assert_eq!(command.filter().as_str(), "vehicles/+/command/+/request");
    let unlock = command.with("name", "unlock").unwrap();
    assert_eq!(unlock.to_string(), "vehicles/{vehicle}/command/unlock/request");
    let one = unlock.with("vehicle", "v3").unwrap().topic().unwrap();
    assert_eq!(one.as_str(), "vehicles/v3/command/unlock/request");
    assert_eq!(command.values(&one).unwrap(), [("vehicle", "v3"), ("name", "unlock")]);
    assert_eq!(command.value("name", &one), Some("unlock"));
    assert_eq!(command.value("other", &one), None);
    assert_eq!(unlock.value("vehicle", &topic("vehicles/v3/command/lock/request")), None);
    let response = template("vehicles/{vehicle}/command/{name}/response");
    let response = response.with_all(command.values(&one).unwrap()).unwrap().topic().unwrap();
    assert_eq!(response.as_str(), "vehicles/v3/command/unlock/response");
}

#[test]
fn a_parameter_is_a_whole_level_and_there_once() {
    for text in ["a/{}", "a/{x", "a/x}", "a/v{x}", "{x}y/b", "a/{{x}}", "a/{+}", "{#}", "a{b}c"] {
        assert!(matches!(TopicTemplate::parse(text), Err(TemplateError::Braces { .. })), "{text}");
    }
    assert_eq!(TopicTemplate::parse("{x}/a/{x}"), Err(TemplateError::Twice { name: "x".into() }));
    for text in ["", "a/#/b", "a+/b", "a/\0", "$share/g/{x}"] {
        assert!(matches!(TopicTemplate::parse(text), Err(TemplateError::Filter(_))), "{text:?}");
    }
}

#[test]
fn a_value_is_one_level() {
    let both = template("{tenant}/{x}");
    for (value, wrong) in [("a/b", '/'), ("+", '+'), ("a#", '#'), ("\0", '\0')] {
        let refused = both.with("x", value);
        assert_eq!(refused, Err(TemplateError::Character { name: "x".into(), character: wrong }));
    }
    assert!(matches!(both.with("y", "1"), Err(TemplateError::Unknown { .. })));
    assert_eq!(both.with("tenant", "$SYS"), Err(TemplateError::Reserved { name: "tenant".into() }));
    // Braces in a value are text.
    let braces = both.with("x", "{tenant}").unwrap().with("tenant", "t").unwrap();
    assert_eq!(braces.topic().unwrap().as_str(), "t/{tenant}");
}

#[test]
fn what_is_open_is_no_topic() {
    for text in ["a/{x}", "a/+", "a/#"] {
        assert!(matches!(template(text).topic(), Err(TemplateError::Open { .. })), "{text}");
    }
    assert_eq!(template("a/{x}").without("x").unwrap(), template("a/+"));
    assert_eq!(template("{x}").with("x", "").unwrap_err(), TemplateError::Filter(TopicErrorEmpty));
}

#[allow(non_upper_case_globals, reason = "reads as a variant above")]
const TopicErrorEmpty: gridmq_proto::topic::TopicError = gridmq_proto::topic::TopicError::Empty;

#[test]
fn trees_and_prefixes() {
    assert_eq!(template("a/{x}").tree_filter().unwrap().as_str(), "a/+/#");
    assert_eq!(template("a/#").tree_filter().unwrap().as_str(), "a/#");
    let all = ["a/{x}/b", "a/{x}/c/d", "a/{x}"].map(template);
    assert_eq!(TopicTemplate::common_prefix(&all), Some(template("a/{x}")));
    assert_eq!(TopicTemplate::common_prefix(&all[..1]), Some(all[0].clone()));
    assert_eq!(TopicTemplate::common_prefix(&["a/b", "c/b"].map(template)), None);
    assert_eq!(TopicTemplate::common_prefix(&[]), None);
    let apart = ["site/{x}/b", "sitemap/{x}"].map(template);
    assert_eq!(TopicTemplate::common_prefix(&apart), None);
}

proptest! {
    #[test]
    fn what_was_put_in_comes_out(
        levels in prop::collection::vec(prop::option::of("[^/+#{}\0$]{1,6}"), 1..8),
        values in prop::collection::vec("[^/+#\0$]{0,6}", 8),
    ) {
        let text: Vec<String> =
            levels.iter().enumerate().map(|(n, level)| level.clone().unwrap_or_else(|| format!("{{p{n}}}"))).collect();
        let template = template(&text.join("/"));
        prop_assert_eq!(&TopicTemplate::parse(&template.to_string()).unwrap(), &template);
        let wanted: Vec<(String, &String)> =
            (0..levels.len()).filter(|n| levels[*n].is_none()).map(|n| (format!("p{n}"), &values[n])).collect();
        let mut filled = template.clone();
        for (name, value) in &wanted {
            match filled.with(name, value) {
                Ok(next) => filled = next,
                // A topic of nothing but one empty level.
                Err(error) => {
                    prop_assert!(levels.len() == 1 && value.is_empty(), "{error}");
                    return Ok(());
                }
            }
        }
        let topic = filled.topic().unwrap();
        let found = template.values(&topic).unwrap();
        prop_assert_eq!(found.len(), wanted.len());
        for ((name, value), (wanted_name, wanted_value)) in found.into_iter().zip(&wanted) {
            prop_assert_eq!((name, value), (wanted_name.as_str(), wanted_value.as_str()));
        }
        prop_assert!(template.filter().covers(filled.filter()));
    }

    #[test]
    fn no_text_makes_it_panic(text in "\\PC{0,40}|[a{}/+#$\0]{0,20}", value in "\\PC{0,20}", name in "[a{}/]{0,4}") {
        if let Ok(template) = TopicTemplate::parse(&text) {
            let names: Vec<String> = template.parameters().map(str::to_owned).chain([name]).collect();
            for name in &names {
                let _ = (template.with(name, &value), template.without(name));
            }
            let _ = (template.tree_filter(), template.topic(), template.to_string());
            if let Ok(topic) = TopicName::try_from(value.as_str()) {
                prop_assert_eq!(template.values(&topic).is_some(), template.matches(&topic));
            }
            prop_assert_eq!(TopicTemplate::common_prefix([&template, &template]), Some(template));
        }
    }
}
