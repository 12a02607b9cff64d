//! Tokens, cached decisions and changes of rules.
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
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{NOW, admit, document, gate, gate_of, plain};
use gridmq_namespace::explain::Explanation;
use gridmq_namespace::gate::{
    Computation, ConnectRequest, Credentials, DecisionCache, Exchange, Proof, RefusalKind, Step, Transport,
};
use gridmq_namespace::principal::{NameSource, PrincipalKind};
use gridmq_namespace::profile::{ConnectionLimits, Overflow, SessionLimits};
use gridmq_namespace::{Gate, Open, Policy, Principal, Refusal, Resources, Rules, Verdict};
use gridmq_proto::time::Wall;
use gridmq_proto::{QoS, ReasonCode, SubscriptionFilter, TopicFilter, TopicName};

/// Rules that allow `yes/…` and count how often they are asked.
#[derive(Debug, Default)]
struct Counting {
    generation: u64,
    asked: Arc<AtomicUsize>,
}

impl Rules for Counting {
    fn generation(&self) -> u64 {
        self.generation
    }

    fn admit(&self, request: &ConnectRequest<'_>, _: Wall) -> Result<Principal, Refusal> {
        match request.username {
            Some(name) => Ok(Principal::new(PrincipalKind::Client, name)),
            None => Err(Refusal::new(ReasonCode::Banned, RefusalKind::Other("no".to_owned()))),
        }
    }

    fn readmit(&self, principal: &Principal, _: &Credentials, _: Wall) -> Result<Principal, Refusal> {
        Ok(principal.clone())
    }

    fn publish(&self, _: &Principal, topic: &TopicName) -> Verdict {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let why = Explanation::Other("counted".into());
        if topic.as_str().starts_with("yes/") { Verdict::Allowed(why) } else { Verdict::Denied(why) }
    }

    fn subscribe(&self, _: &Principal, _: &TopicFilter) -> Verdict {
        Verdict::Denied(Explanation::Other("never".into()))
    }

    fn session_limits(&self) -> SessionLimits {
        SessionLimits::OPEN
    }

    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::OPEN
    }
}

fn counting(generation: u64) -> (Gate, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    (Gate::new(Arc::new(Counting { generation, asked: Arc::clone(&asked) })), asked)
}

fn topic(text: &str) -> TopicName {
    TopicName::try_from(text).unwrap()
}

#[test]
fn a_decision_is_asked_for_once_and_denials_keep_their_reason() {
    let (gate, asked) = counting(1);
    let admission = admit(&gate, "me");
    let mut cache = DecisionCache::new();
    for _ in 0..3 {
        let authorized = gate.publish(&admission, &mut cache, &topic("yes/1"), String::from("item")).unwrap();
        assert_eq!(authorized.get(), "item");
        assert_eq!(authorized.into_inner(), "item");
        let denied = gate.publish(&admission, &mut cache, &topic("no/1"), ()).unwrap_err();
        assert_eq!((denied.reason, denied.to_string().as_str()), (ReasonCode::NotAuthorized, "counted"));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert_eq!(cache.len(), 2);
}

#[test]
fn a_cache_is_bounded_in_number_and_length_and_forgets_the_oldest() {
    let (gate, asked) = counting(1);
    let admission = admit(&gate, "me");
    let mut cache = DecisionCache::with_capacity(3);
    let mut publish = |text: &str| gate.publish(&admission, &mut cache, &topic(text), ()).is_ok();
    for text in ["yes/1", "yes/2", "yes/3", "yes/4", "yes/2", "yes/3", "yes/4"] {
        assert!(publish(text));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 4);
    assert!(publish("yes/1"));
    assert_eq!(asked.load(Ordering::Relaxed), 5);
    let long = format!("yes/{}", "x".repeat(300));
    assert!(publish(&long) && publish(&long));
    assert_eq!(asked.load(Ordering::Relaxed), 7);
    assert_eq!(cache.len(), 3);

    let (gate, asked) = counting(1);
    let (admission, mut none) = (admit(&gate, "me"), DecisionCache::with_capacity(0));
    assert!(gate.publish(&admission, &mut none, &topic("yes/1"), ()).is_ok());
    assert!(gate.publish(&admission, &mut none, &topic("yes/1"), ()).is_ok());
    assert_eq!((asked.load(Ordering::Relaxed), none.is_empty()), (2, true));
}

#[test]
fn a_cache_serves_one_principal_and_one_generation() {
    let (first, asked) = counting(1);
    let (second, asked_second) = counting(2);
    let (me, you) = (admit(&first, "me"), admit(&first, "you"));
    let mut cache = DecisionCache::new();
    assert!(first.publish(&me, &mut cache, &topic("yes/1"), ()).is_ok());
    assert!(first.publish(&you, &mut cache, &topic("yes/1"), ()).is_ok());
    assert_eq!(asked.load(Ordering::Relaxed), 2);
    assert!(second.publish(&you, &mut cache, &topic("yes/1"), ()).is_ok());
    assert_eq!(asked_second.load(Ordering::Relaxed), 1);
}

#[test]
fn embedders_rules_answer_in_their_own_words() {
    let (gate, _) = counting(1);
    let refusal = gate.admit(&ConnectRequest { username: None, ..plain("") }, NOW).unwrap_err();
    assert_eq!((refusal.reason, refusal.to_string().as_str()), (ReasonCode::Banned, "no"));
    let filter: SubscriptionFilter = "a".try_into().unwrap();
    assert_eq!(gate.subscribe(&admit(&gate, "me"), &filter).unwrap_err().to_string(), "never");
}

#[test]
fn the_system_passes_by_its_own_door() {
    assert_eq!(Gate::inject_as_system("item").into_inner(), "item");
}

#[test]
fn an_authorized_subscription_is_the_one_that_was_judged() {
    let gate = gate(&document(&[("c", "{}")], &[], &[("space", &["a/#"])], &[("$all", "space", "Subscriber")]));
    let filter: SubscriptionFilter = "$share/g/a/b".try_into().unwrap();
    assert_eq!(gate.subscribe(&admit(&gate, "c"), &filter).unwrap().into_inner(), filter);
}

#[test]
fn a_change_of_resources_counts_before_the_client_was_judged_again() {
    let spaces: &[(&str, &[&str])] = &[("space", &["${client.attributes.area}/x"])];
    let bindings: &[(&str, &str, &str)] = &[("$all", "space", "Publisher")];
    let before = gate_of(&document(&[("c", r#"{"area": "a"}"#)], &[], spaces, bindings), 1);
    let moved = gate_of(&document(&[("c", r#"{"area": "b"}"#)], &[], spaces, bindings), 2);
    let gone = gate_of(&document(&[("d", "{}")], &[], spaces, bindings), 3);
    let unbound = gate_of(&document(&[("c", r#"{"area": "a"}"#)], &[], spaces, &[]), 4);
    let disabled = r#"{"clients": [{"name": "c", "properties": {"state": "Disabled", "attributes": {"area": "a"}}}]}"#;
    let disabled = gate_of(disabled, 5);

    let admission = admit(&before, "c");
    let mut cache = DecisionCache::new();
    let mut may = |gate: &Gate, text: &str| gate.publish(&admission, &mut cache, &topic(text), ()).is_ok();
    for (what, gate, a, b) in [
        ("before", &before, true, false),
        ("moved", &moved, false, true),
        ("before", &before, true, false),
        ("gone", &gone, false, false),
        ("unbound", &unbound, false, false),
        ("disabled", &disabled, false, false),
    ] {
        assert_eq!((may(gate, "a/x"), may(gate, "b/x")), (a, b), "{what}");
    }

    let readmitted = moved.readmit(&admission, &Credentials::from(&plain("c")), NOW).unwrap();
    assert_eq!((admission.generation(), readmitted.generation()), (1, 2));
    assert!(moved.publish(&readmitted, &mut DecisionCache::new(), &topic("b/x"), ()).is_ok());
}

#[test]
fn an_admission_is_worth_nothing_in_another_namespace() {
    let everything = |name: &str| {
        let json = document(&[("c", "{}")], &[], &[("space", &["#"])], &[("$all", "space", "Publisher")]);
        let mut resources = Resources::from_json(&json).unwrap();
        resources.namespace.name = name.to_owned();
        Gate::new(Arc::new(Policy::compile(resources, 1).unwrap()))
    };
    let (here, there) = (everything("here"), everything("there"));
    let admission = admit(&here, "c");
    assert!(here.publish(&admission, &mut DecisionCache::new(), &topic("a"), ()).is_ok());
    let denied = there.publish(&admission, &mut DecisionCache::new(), &topic("a"), ()).unwrap_err();
    assert_eq!(denied.explanation, Explanation::Foreign);
    let open = Gate::new(Arc::new(Open::new()));
    let denied = here.publish(&admit(&open, "c"), &mut DecisionCache::new(), &topic("a"), ()).unwrap_err();
    assert_eq!(denied.explanation, Explanation::Foreign);
}

#[test]
fn event_grids_limits_come_from_the_namespace() {
    let json = r#"{"namespace": {"name": "ns1", "properties": {"topicSpacesConfiguration": {"state": "Enabled",
        "maximumSessionExpiryInHours": 8, "maximumClientSessionsPerAuthenticationName": 100}}}}"#;
    let sessions = gate(json).session_limits();
    assert_eq!(sessions.maximum_per_name, Some(100));
    assert_eq!(sessions.maximum_expiry, Duration::from_secs(8 * 3600));
    let defaults = gate("{}");
    let sessions = defaults.session_limits();
    assert_eq!((sessions.maximum_per_name, sessions.maximum_expiry), (Some(1), Duration::from_secs(3600)));
    assert!(sessions.owner_only);
    assert_eq!((sessions.offline_queue.messages, sessions.offline_queue.overflow), (100, Overflow::EndSession));
    let connections = defaults.connection_limits();
    assert_eq!((connections.maximum_qos, connections.maximum_packet_size), (QoS::AtLeastOnce, 524_288));
    assert_eq!((connections.topic_alias_maximum, connections.outbound_window), (10, 16));
    assert_eq!(connections.maximum_keep_alive, Some(1160));
    assert!(!connections.subscription_identifiers_available);
}

#[test]
fn an_open_broker_admits_everybody_to_everything() {
    let gate = Gate::new(Arc::new(Open::new()));
    for (username, client_id, name, source) in [
        (Some("user"), "id", "user", NameSource::Username),
        (None, "id", "id", NameSource::ClientId),
        (Some(""), "", "", NameSource::ClientId),
    ] {
        for transport in [Transport::Tls, Transport::Plain { trusted: false }] {
            let request = ConnectRequest { client_id, username, transport, ..plain("") };
            let admission = gate.admit(&request, NOW).unwrap();
            assert_eq!(
                (&**admission.principal().authentication_name(), admission.principal().name_source()),
                (name, source)
            );
            assert_eq!(admission.principal().kind(), PrincipalKind::Open);
            assert!(gate.publish(&admission, &mut DecisionCache::new(), &topic("$SYS/x"), ()).is_ok());
            assert!(gate.subscribe(&admission, &"#".try_into().unwrap()).is_ok());
            assert!(gate.readmit(&admission, &Credentials::from(&request), NOW).is_ok());
        }
    }
    let request = ConnectRequest { authentication_method: Some("X"), ..plain("a") };
    assert_eq!(gate.admit(&request, NOW).unwrap_err().reason, ReasonCode::BadAuthenticationMethod);
    assert_eq!(gate.connection_limits(), ConnectionLimits::OPEN);
    assert_eq!(gate.session_limits(), SessionLimits::OPEN);
}

#[test]
fn what_connections_share_can_be_shared() {
    fn shared<T: Send + Sync + 'static>() {}
    shared::<Policy>();
    shared::<Gate>();
    shared::<gridmq_namespace::Admission>();
    shared::<DecisionCache>();
    shared::<gridmq_namespace::Denied>();
}

/// Rules that compute before they admit, and whose one method takes any answer.
#[derive(Debug)]
struct Computing;

#[derive(Debug)]
struct Once;

impl Exchange for Once {
    fn step(&mut self, data: Option<&[u8]>, _: Wall) -> Step {
        match data {
            None => Step::Continue { data: Some(b"who?".to_vec()) },
            Some(name) => Step::Proven { proof: Proof::new(String::from_utf8_lossy(name).into_owned()), data: None },
        }
    }
}

impl Rules for Computing {
    fn generation(&self) -> u64 {
        7
    }
    fn prepare(&self, request: &ConnectRequest<'_>, _now: Wall) -> Option<Computation> {
        let password = request.password?.to_vec();
        Some(Computation::new(move || password == b"right"))
    }
    fn exchange(&self, request: &ConnectRequest<'_>) -> Option<Box<dyn Exchange>> {
        (request.authentication_method == Some("NAME")).then(|| Box::new(Once) as Box<dyn Exchange>)
    }
    fn admit(&self, request: &ConnectRequest<'_>, _: Wall) -> Result<Principal, Refusal> {
        match request.proof.and_then(Proof::get::<bool>) {
            Some(true) => Ok(Principal::new(PrincipalKind::Client, request.username.unwrap_or(request.client_id))),
            _ => Err(Refusal::new(ReasonCode::BadUserNameOrPassword, RefusalKind::Other("no".to_owned()))),
        }
    }
    fn readmit(&self, principal: &Principal, _: &Credentials, _: Wall) -> Result<Principal, Refusal> {
        Ok(principal.clone())
    }
    fn reauthenticate(&self, _: &Principal, _: &Credentials, proof: &Proof, _: Wall) -> Result<Principal, Refusal> {
        Ok(Principal::new(PrincipalKind::Client, proof.get::<String>().unwrap().clone()))
    }
    fn publish(&self, _: &Principal, _: &TopicName) -> Verdict {
        Verdict::Allowed(Explanation::Foreign)
    }
    fn subscribe(&self, _: &Principal, _: &TopicFilter) -> Verdict {
        Verdict::Allowed(Explanation::Foreign)
    }
    fn session_limits(&self) -> SessionLimits {
        SessionLimits::OPEN
    }
    fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits::OPEN
    }
}

#[test]
fn what_was_computed_reaches_admit_and_is_never_shown() {
    let gate = Gate::new(Arc::new(Computing));
    let request = ConnectRequest { password: Some(b"right"), ..plain("a") };
    let proof = gate.prepare(&request, NOW).unwrap().run();
    assert!(gate.prepare(&plain("a"), NOW).is_none());
    let proven = ConnectRequest { proof: Some(&proof), ..request };
    assert!(gate.admit(&proven, NOW).is_ok());
    assert!(gate.admit(&request, NOW).is_err());
    let shown = format!("{proven:?}");
    assert!(shown.contains("password: Some(\"…\")") && shown.contains("proof: Some(Proof(…))"), "{shown}");
}

#[test]
fn who_authenticates_again_cannot_become_another() {
    let gate = Gate::new(Arc::new(Computing));
    let proof = Proof::new(true);
    let admission = gate.admit(&ConnectRequest { proof: Some(&proof), ..plain("a") }, NOW).unwrap();
    let request = ConnectRequest { authentication_method: Some("NAME"), ..plain("a") };
    assert!(gate.exchange(&plain("a")).is_none());
    let mut exchange = gate.exchange(&request).unwrap();
    assert!(matches!(exchange.step(None, NOW), Step::Continue { data: Some(_) }));
    let credentials = Credentials::from(&request);
    for (name, same) in [(b"a", true), (b"b", false)] {
        let Step::Proven { proof, .. } = exchange.step(Some(name), NOW) else { panic!("proven by any answer") };
        match gate.reauthenticate(&admission, &credentials, &proof, NOW) {
            Ok(_) => assert!(same),
            Err(refusal) => assert!(!same && matches!(refusal.why, RefusalKind::NameChanged { .. })),
        }
    }
}
