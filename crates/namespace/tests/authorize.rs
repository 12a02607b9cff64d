//! Publishing and subscribing: which templates allow what.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{admit, document, gate};
use gridmq_namespace::explain::Explanation;
use gridmq_namespace::gate::DecisionCache;
use gridmq_namespace::resource::Permission;
use gridmq_proto::{ReasonCode, SubscriptionFilter, TopicFilter, TopicName};

/// Whether a client of that name and those attributes may publish to `topic` with one template for everybody.
fn may_publish(template: &str, attributes: &str, topic: &str) -> bool {
    let json = document(&[("Client1", attributes)], &[], &[("space", &[template])], &[("$all", "space", "Publisher")]);
    let gate = gate(&json);
    let topic = TopicName::try_from(topic).unwrap();
    gate.publish(&admit(&gate, "client1"), &mut DecisionCache::new(), &topic, ()).is_ok()
}

fn may_subscribe(template: &str, filter: &str) -> bool {
    let json = document(&[("Client1", "{}")], &[], &[("space", &[template])], &[("$all", "space", "Subscriber")]);
    let gate = gate(&json);
    gate.subscribe(&admit(&gate, "client1"), &SubscriptionFilter::try_from(filter).unwrap()).is_ok()
}

#[test]
fn publish_matches_one_template() {
    for (template, topic, expected) in [
        ("a/b", "a/b", true),
        ("a/b", "a/B", false),
        ("a/+", "a/b", true),
        ("a/+", "a/b/c", false),
        ("a/#", "a", true),
        ("a/#", "a/b/c", true),
        ("#", "anything/at/all", true),
        ("#", "$SYS/broker", false),
        ("+/broker", "$SYS/broker", false),
        ("$SYS/#", "$SYS/broker", true),
    ] {
        assert_eq!(may_publish(template, "{}", topic), expected, "{template} {topic}");
    }
}

#[test]
fn variables_stand_for_the_clients_own_values() {
    for (template, attributes, topic, expected) in [
        // The registered case counts, not the one that the client connected with.
        ("${client.authenticationName}/x", "{}", "Client1/x", true),
        ("${client.authenticationName}/x", "{}", "client1/x", false),
        ("${client.authenticationName|.factory1}/x", "{}", "Client1.factory1/x", true),
        ("${client.authenticationName|.factory1}/x", "{}", "Client1/x", false),
        ("f/${client.attributes.floor}", r#"{"floor": 3}"#, "f/3", true),
        ("f/${client.attributes.floor}", r#"{"floor": 3}"#, "f/4", false),
        ("f/${principal.attributes.floor}", r#"{"floor": 3}"#, "f/3", true),
        ("f/${client.attributes.on}", r#"{"on": true}"#, "f/true", true),
        ("f/${client.attributes.floor}", "{}", "f/3", false),
        ("f/${client.attributes.floor}", r#"{"Floor": 3}"#, "f/3", false),
        ("f/${client.attributes.s}", r#"{"s": ["a", "b"]}"#, "f/b", true),
        ("f/${client.attributes.s}", r#"{"s": ["a", "b"]}"#, "f/c", false),
        ("f/${client.attributes.s}", r#"{"s": []}"#, "f/a", false),
        // A value never widens what the template allows.
        ("f/${client.attributes.s}", r##"{"s": "#"}"##, "f/x", false),
        ("f/${client.attributes.s}", r#"{"s": "+"}"#, "f/x", false),
        ("f/${client.attributes.s}", r#"{"s": "a/b"}"#, "f/a/b", false),
        ("f/${client.attributes.s}", r#"{"s": ["+", "ok"]}"#, "f/ok", true),
        ("${client.attributes.s}/x", r#"{"s": "$SYS"}"#, "$SYS/x", false),
    ] {
        assert_eq!(may_publish(template, attributes, topic), expected, "{template} {attributes} {topic}");
    }
}

#[test]
fn subscribe_must_be_covered() {
    for (template, filter, expected) in [
        // Pairs that the documentation and samples show working.
        ("areas/area1/machines/#", "areas/area1/machines/#", true),
        ("sample/#", "sample/+", true),
        ("vehicles/#", "vehicles/+/position", true),
        ("vehicles/+/command/#", "vehicles/vehicle03/command/unlock/request", true),
        // Broader than the template.
        ("sample/+", "sample/#", false),
        ("sample/+", "#", false),
        ("a/b", "a/+", false),
        ("a/+", "+/b", false),
        // The parent level belongs to the wildcard.
        ("a/#", "a", true),
        ("a/#", "a/#", true),
        ("a/+/#", "a", false),
        ("#", "+/+", true),
        ("#", "$SYS/#", false),
        // A shared subscription is judged by its inner filter.
        ("sample/#", "$share/group/sample/+", true),
        ("sample/+", "$share/group/#", false),
    ] {
        assert_eq!(may_subscribe(template, filter), expected, "{template} {filter}");
    }
}

#[test]
fn two_templates_together_do_not_cover() {
    let spaces: &[(&str, &[&str])] = &[("space", &["a/b", "a/c", "a/d"])];
    let gate = gate(&document(&[("c", "{}")], &[], spaces, &[("$all", "space", "Subscriber")]));
    let admission = admit(&gate, "c");
    assert!(gate.subscribe(&admission, &"a/c".try_into().unwrap()).is_ok());
    assert!(gate.subscribe(&admission, &"a/+".try_into().unwrap()).is_err());
}

#[test]
fn the_way_leads_from_client_over_group_and_binding_to_topic_space() {
    let gate = gate(&document(
        &[("v1", r#"{"type": "vehicle"}"#), ("m1", r#"{"type": "map"}"#), ("x1", "{}")],
        &[("vehicles", "attributes.type = 'vehicle'"), ("map", "attributes.type = 'map'")],
        &[("telemetry", &["vehicles/${client.authenticationName}/position"]), ("all", &["vehicles/+/position"])],
        &[("vehicles", "telemetry", "Publisher"), ("map", "all", "Subscriber")],
    ));
    let topic = TopicName::try_from("vehicles/v1/position").unwrap();
    let filter: SubscriptionFilter = "vehicles/+/position".try_into().unwrap();
    for (client, publishes, subscribes) in [("v1", true, false), ("m1", false, true), ("x1", false, false)] {
        let admission = admit(&gate, client);
        let mut cache = DecisionCache::new();
        assert_eq!(gate.publish(&admission, &mut cache, &topic, ()).is_ok(), publishes, "{client}");
        assert_eq!(gate.subscribe(&admission, &filter).is_ok(), subscribes, "{client}");
    }

    let admission = admit(&gate, "v1");
    let principal = admission.principal();
    assert_eq!(principal.groups().collect::<Vec<_>>(), ["$all", "vehicles"]);
    assert!(principal.grants(Permission::Subscriber).is_empty());
    let verdict = gate.explain_publish(principal, &topic);
    let Explanation::Granted(grant) = verdict.explanation() else { panic!("{verdict:?}") };
    assert_eq!(grant.filter().as_str(), "vehicles/v1/position");
    let from = grant.provenance();
    assert_eq!((&*from.group, &*from.binding, &*from.topic_space), ("vehicles", "binding0", "telemetry"));
    assert_eq!(&*from.template, "vehicles/${client.authenticationName}/position");
}

#[test]
fn nothing_is_allowed_without_a_binding_and_the_answer_is_not_authorized() {
    let gate = gate(&document(&[("c", "{}")], &[], &[("space", &["#"])], &[]));
    let admission = admit(&gate, "c");
    let topic = TopicName::try_from("a").unwrap();
    let denied = gate.publish(&admission, &mut DecisionCache::new(), &topic, ()).unwrap_err();
    assert_eq!(denied.reason, ReasonCode::NotAuthorized);
    let denied = gate.subscribe(&admission, &"a".try_into().unwrap()).unwrap_err();
    assert_eq!(denied.reason, ReasonCode::NotAuthorized);
}

#[test]
fn names_of_groups_and_spaces_are_referred_to_in_any_case() {
    let gate = gate(&document(
        &[("c", r#"{"x": 1}"#)],
        &[("Group", "attributes.x = 1")],
        &[("Space", &["a"])],
        &[("gROUP", "sPACE", "publisher")],
    ));
    let verdict = gate.explain_publish(admit(&gate, "c").principal(), &TopicName::try_from("a").unwrap());
    assert!(verdict.is_allowed());
}

#[test]
fn a_filter_can_be_judged_without_subscribing() {
    let gate = gate(&document(&[("c", "{}")], &[], &[("space", &["a/#"])], &[("$all", "space", "Subscriber")]));
    let principal = std::sync::Arc::clone(admit(&gate, "c").principal());
    assert!(gate.explain_subscribe(&principal, &TopicFilter::try_from("a/b").unwrap()).is_allowed());
    assert!(!gate.explain_subscribe(&principal, &TopicFilter::try_from("b").unwrap()).is_allowed());
}
