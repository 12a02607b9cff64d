//! A refusal names what came closest.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::sync::Arc;

use common::{admit, document, gate};
use gridmq_namespace::Gate;
use gridmq_namespace::explain::{Closest, Explanation, Refused};
use gridmq_proto::{TopicFilter, TopicName};

fn refused_publish(gate: &Gate, client: &str, topic: &str) -> Arc<Refused> {
    let verdict = gate.explain_publish(admit(gate, client).principal(), &TopicName::try_from(topic).unwrap());
    refused(verdict.explanation(), topic)
}

fn refused_subscribe(gate: &Gate, client: &str, filter: &str) -> Arc<Refused> {
    let verdict = gate.explain_subscribe(admit(gate, client).principal(), &TopicFilter::try_from(filter).unwrap());
    refused(verdict.explanation(), filter)
}

fn refused(explanation: &Explanation, subject: &str) -> Arc<Refused> {
    let Explanation::Refused(refused) = explanation else { panic!("{explanation}") };
    assert_eq!(refused.subject, subject);
    Arc::clone(refused)
}

fn machines() -> Gate {
    gate(&document(
        &[("m1", r#"{"type": "machine"}"#), ("admin", r#"{"type": "admin"}"#), ("bare", "{}")],
        &[("machines", "attributes.type = 'machine'"), ("admins", "attributes.type = 'admin'")],
        &[
            ("telemetry", &["machines/${client.authenticationName}/#"]),
            ("areas", &["areas/${client.attributes.area}/state"]),
            ("control", &["control/#"]),
            ("spare", &["spare/+"]),
            ("alarms", &["alarms/fire", "alarms/water/+"]),
        ],
        &[
            ("machines", "telemetry", "Publisher"),
            ("machines", "areas", "Publisher"),
            ("machines", "alarms", "Subscriber"),
            ("admins", "control", "Publisher"),
        ],
    ))
}

#[test]
fn another_value_of_the_variable() {
    let refused = refused_publish(&machines(), "m1", "machines/m2/state");
    let Closest::OtherValue { template, resolved, unresolved } = &refused.closest else { panic!("{refused}") };
    assert_eq!(&*template.template, "machines/${client.authenticationName}/#");
    assert_eq!(resolved.iter().map(TopicFilter::as_str).collect::<Vec<_>>(), ["machines/m1/#"]);
    assert!(unresolved.is_empty());
    assert_eq!(
        refused.to_string(),
        "Topic name 'machines/m2/state' does not match any topicspaces: closest is template \
         'machines/${client.authenticationName}/#' of topic space 'telemetry', which for this client is \
         'machines/m1/#'"
    );
}

#[test]
fn a_variable_without_a_value() {
    let refused = refused_publish(&machines(), "m1", "areas/a1/state");
    let Closest::OtherValue { resolved, unresolved, .. } = &refused.closest else { panic!("{refused}") };
    assert!(resolved.is_empty());
    assert_eq!(unresolved.len(), 1);
    assert!(unresolved[0].contains("client.attributes.area"), "{unresolved:?}");
}

#[test]
fn a_filter_that_asks_for_more() {
    let refused = refused_subscribe(&machines(), "m1", "alarms/water/#");
    let Closest::Broader(grant) = &refused.closest else { panic!("{refused}") };
    assert_eq!(grant.filter().as_str(), "alarms/water/+");
}

#[test]
fn the_other_permission() {
    let refused = refused_publish(&machines(), "m1", "alarms/fire");
    let Closest::OtherPermission(grant) = &refused.closest else { panic!("{refused}") };
    assert_eq!((&*grant.provenance().binding, &*grant.provenance().topic_space), ("binding2", "alarms"));
}

#[test]
fn a_group_that_the_client_is_not_in() {
    let refused = refused_publish(&machines(), "m1", "control/stop");
    let Closest::OtherGroup { template, query } = &refused.closest else { panic!("{refused}") };
    assert_eq!(&*template.provenance().group, "admins");
    assert_eq!(query, "attributes.type = 'admin'");
}

#[test]
fn a_topic_space_without_a_binding() {
    let refused = refused_publish(&machines(), "m1", "spare/x");
    let Closest::NoBinding { topic_space, template } = &refused.closest else { panic!("{refused}") };
    assert_eq!((&**topic_space, &**template), ("spare", "spare/+"));
}

#[test]
fn the_longest_common_beginning() {
    let refused = refused_subscribe(&machines(), "m1", "alarms/water/1/2");
    let Closest::Nearest { grant, levels } = &refused.closest else { panic!("{refused}") };
    assert_eq!((grant.filter().as_str(), *levels), ("alarms/water/+", 3));
}

#[test]
fn no_permission_of_the_kind_at_all() {
    let refused = refused_subscribe(&machines(), "bare", "x/y");
    let Closest::NoGrant { groups } = &refused.closest else { panic!("{refused}") };
    assert_eq!(groups.iter().map(|group| &**group).collect::<Vec<_>>(), ["$all"]);
}

#[test]
fn every_sentence_names_the_subject() {
    let gate = machines();
    for (client, topic) in [
        ("m1", "machines/m2/state"),
        ("m1", "areas/a1/state"),
        ("m1", "alarms/fire"),
        ("m1", "control/stop"),
        ("m1", "spare/x"),
        ("m1", "elsewhere"),
        ("bare", "elsewhere"),
    ] {
        let words = refused_publish(&gate, client, topic).to_string();
        assert!(words.starts_with(&format!("Topic name '{topic}' does not match any topicspaces: ")), "{words}");
    }
    let words = refused_subscribe(&gate, "m1", "alarms/#").to_string();
    assert!(words.starts_with("Topic filter 'alarms/#' does not match any topicspaces: "), "{words}");
}

#[test]
fn a_granted_template_that_is_nothing_for_the_client_is_named_too() {
    let gate = gate(&document(
        &[("c", r#"{"area": "a/b"}"#)],
        &[],
        &[("areas", &["areas/${client.attributes.area}/state"])],
        &[("$all", "areas", "Publisher")],
    ));
    let refused = refused_publish(&gate, "c", "elsewhere");
    let Closest::OtherValue { resolved, unresolved, .. } = &refused.closest else { panic!("{refused}") };
    assert!(resolved.is_empty());
    assert!(unresolved[0].contains("a/b"), "{unresolved:?}");
}

#[test]
fn a_topic_cannot_forge_a_line_and_is_shortened() {
    let words = refused_publish(&machines(), "m1", "a\nERROR \u{1b}[2J").to_string();
    assert!(!words.contains(|c: char| c.is_control()), "{words:?}");
    let words = refused_publish(&machines(), "m1", &"x".repeat(60_000)).to_string();
    assert!(words.len() < 2000, "{}", words.len());
}
