use gridmq_proto::packet::{ConnectProperties, SubscribeOptions};
use gridmq_proto::{ByteString, MessageProperties};

use super::*;
use crate::preset;

const GRID: Profile = Profile::of(&preset::EVENT_GRID_SERVICE);
const AWS: Profile = Profile::of(&preset::AWS_IOT_SERVICE);

/// Every sentence says who limits, to what, how much there is, and what to do.
#[test]
fn each_limit_is_told_with_its_numbers_and_a_cure() {
    for limit in preset::EVENT_GRID.iter().chain(preset::AWS_IOT) {
        let error = ProfileError { service: "Anybody", rule: limit.rule, limit: 7, found: 9, subject: None };
        let text = error.to_string();
        assert!(text.starts_with("Anybody ") && text.contains(": "), "{text}");
        let numbers = matches!(limit.value, LimitValue::Number(number) if number > 0);
        assert!(!numbers || (text.contains('7') && text.contains('9')), "{text}");
    }
    let long = "room/".repeat(1000);
    let error = GRID.check_publish(&outgoing(&long, 1), Version::V5).unwrap_err();
    assert_eq!((error.limit, error.found), (256, 5000));
    assert!(error.to_string().contains("\"room/room/"), "{error}");
    assert!(error.subject.is_some_and(|subject| subject.len() < 1000));
}

#[cfg(feature = "tls")]
#[test]
fn without_checks_what_the_service_needs_stays() {
    let unchecked = GRID.checked(false);
    assert_eq!(broken(unchecked, &outgoing(&"t".repeat(257), 1)), None);
    assert_eq!((unchecked.max_filters(), unchecked.with_filters(3).max_filters()), (10, 3));
    assert_eq!(Profile::default().with_filters(3).max_filters(), 3);
    let alpn = |profile| preset::protocols(profile, 443, true);
    assert_eq!(alpn(AWS.checked(false)), alpn(AWS));
    assert!(!alpn(AWS).is_empty() && preset::protocols(AWS, 8883, true).is_empty());
}

fn outgoing(topic: &str, bytes: usize) -> Outgoing {
    let message = Message::new(topic.try_into().unwrap(), vec![0; bytes].into());
    Outgoing { message, qos: QoS::AtLeastOnce, retain: false }
}

fn with(change: impl FnOnce(&mut MessageProperties)) -> Outgoing {
    let mut outgoing = outgoing("a", 1);
    change(outgoing.message.properties_mut());
    outgoing
}

fn broken(profile: Profile, outgoing: &Outgoing) -> Option<Rule> {
    profile.check_publish(outgoing, Version::V5).err().map(|error| error.rule)
}

fn text(bytes: usize) -> ByteString {
    "x".repeat(bytes).into()
}

#[test]
fn messages_are_held_to_each_limit_and_not_below_it() {
    let long = |bytes: usize| "t".repeat(bytes);
    let levels = |count: usize| vec!["l"; count].join("/");
    let property = |bytes: usize| with(|set| set.user_properties.push((text(bytes / 2), text(bytes - bytes / 2))));
    let response = |bytes: usize| with(|set| set.response_topic = Some(long(bytes).try_into().unwrap()));
    let cases = [
        (outgoing(&long(256), 1), outgoing(&long(257), 1), Rule::Topic),
        (outgoing(&levels(15), 1), outgoing(&levels(16), 1), Rule::TopicLevels),
        (response(256), response(257), Rule::ResponseTopic),
        (
            with(|set| set.correlation_data = Some(vec![0; 256].into())),
            with(|set| set.correlation_data = Some(vec![0; 257].into())),
            Rule::CorrelationData,
        ),
        (
            with(|set| set.content_type = Some(text(256))),
            with(|set| set.content_type = Some(text(257))),
            Rule::ContentType,
        ),
        (property(32 * 1024), property(32 * 1024 + 1), Rule::UserProperties),
        (
            Outgoing { retain: true, ..outgoing("a", 64 * 1024) },
            Outgoing { retain: true, ..outgoing("a", 64 * 1024 + 1) },
            Rule::RetainedPayload,
        ),
        (outgoing("a", 1), Outgoing { qos: QoS::ExactlyOnce, ..outgoing("a", 1) }, Rule::Qos),
    ];
    for (good, bad, rule) in &cases {
        assert_eq!(broken(GRID, good), None, "{rule}");
        assert_eq!(broken(GRID, bad), Some(*rule));
        assert_eq!(broken(Profile::default(), bad), None);
    }
}

#[test]
fn a_whole_packet_is_measured_as_it_is_written() {
    // Fixed header 4, topic 3, identifier 2, length of properties 1.
    for (version, head) in [(Version::V5, 10), (Version::V3_1_1, 9)] {
        let largest = 512 * 1024 - head;
        assert_eq!(GRID.check_publish(&outgoing("a", largest), version), Ok(()));
        let error = GRID.check_publish(&outgoing("a", largest + 1), version).unwrap_err();
        assert_eq!((error.rule, error.found), (Rule::Packet, 512 * 1024 + 1));
    }
}

#[test]
fn subscriptions_are_held_to_the_limits() {
    let filter = |text: &str, qos| SubscribeFilter {
        filter: text.try_into().unwrap(),
        options: SubscribeOptions { qos, ..SubscribeOptions::default() },
    };
    let check = |profile: Profile, filter, identifier, properties: &UserProperties, version| {
        profile.check_subscribe(&[filter], identifier, properties, version).err().map(|error| error.rule)
    };
    let none = UserProperties::new();
    let some = vec![("a".into(), "b".into())];
    let (v5, v3) = (Version::V5, Version::V3_1_1);
    let one = QoS::AtLeastOnce;
    assert_eq!(check(GRID, filter("a/#", one), None, &none, v5), None);
    assert_eq!(check(GRID, filter("$share/g/a", one), None, &none, v5), None);
    assert_eq!(check(GRID, filter("$share/g/a", one), None, &none, v3), Some(Rule::SharedSubscriptionsV3));
    assert_eq!(check(AWS, filter("$share/g/a", one), None, &none, v3), None);
    assert_eq!(check(GRID, filter("a", QoS::ExactlyOnce), None, &none, v5), Some(Rule::Qos));
    assert_eq!(check(GRID, filter("a", one), None, &some, v5), Some(Rule::SubscribeUserProperties));
    assert_eq!(check(AWS, filter("a", one), None, &some, v5), None);
    let identifier = SubscriptionId::new(1);
    assert_eq!(check(GRID, filter("a", one), identifier, &none, v5), Some(Rule::SubscriptionIdentifiers));
    assert_eq!(check(AWS, filter("1/2/3/4/5/6/7/8", one), None, &none, v5), None);
    assert_eq!(check(AWS, filter("1/2/3/4/5/6/7/8/9", one), None, &none, v5), Some(Rule::TopicLevels));
    // The group is not part of the filter.
    assert_eq!(check(AWS, filter("$share/g/1/2/3/4/5/6/7/8", one), None, &none, v5), None);
    assert_eq!((GRID.max_filters(), AWS.max_filters(), Profile::default().max_filters()), (10, 8, usize::MAX));
}

#[test]
fn what_stands_before_a_basic_ingest_topic_does_not_count() {
    assert_eq!(broken(AWS, &outgoing("$aws/rules/name/1/2/3/4/5/6/7/8", 1)), None);
    assert_eq!(broken(AWS, &outgoing("$aws/rules/name/1/2/3/4/5/6/7/8/9", 1)), Some(Rule::TopicLevels));
    assert_eq!(broken(AWS, &outgoing(&format!("$aws/rules/name/{}", "t".repeat(256)), 1)), None);
    assert_eq!(broken(AWS, &outgoing(&format!("$aws/rules/name/{}", "t".repeat(257)), 1)), Some(Rule::Topic));
    // Without a topic behind it, and where it only looks like it.
    assert_eq!(broken(AWS, &outgoing("$aws/rules/name", 1)), None);
    assert_eq!(broken(AWS, &outgoing("$aws/rulesx/2/3/4/5/6/7/8/9", 1)), Some(Rule::TopicLevels));
    assert_eq!(broken(AWS, &outgoing("a", 128 * 1024)), None);
    assert_eq!(broken(AWS, &outgoing("a", 128 * 1024 + 1)), Some(Rule::Payload));
}

#[test]
fn other_packets_are_held_to_the_limits() {
    let user_properties = vec![("a".into(), "b".into())];
    let rule = |outcome: Result<(), ProfileError>| outcome.err().map(|error| error.rule);
    let disconnect = DisconnectProperties { user_properties: user_properties.clone(), ..<_>::default() };
    assert_eq!(rule(GRID.check_disconnect(&disconnect)), Some(Rule::DisconnectUserProperties));
    assert_eq!(rule(GRID.check_disconnect(&<_>::default())), None);
    assert_eq!(rule(GRID.check_ack(ReasonCode::Success, &user_properties)), Some(Rule::AckUserProperties));
    assert_eq!(rule(GRID.check_ack(ReasonCode::NotAuthorized, &Vec::new())), Some(Rule::FailingAck));
    assert_eq!(rule(GRID.check_ack(ReasonCode::NoMatchingSubscribers, &Vec::new())), None);
    assert_eq!(rule(Profile::default().check_ack(ReasonCode::NotAuthorized, &user_properties)), None);
    let data = |bytes| AuthProperties { authentication_data: Some(vec![0; bytes].into()), ..<_>::default() };
    assert_eq!(rule(GRID.check_auth(&data(8 * 1024))), None);
    assert_eq!(rule(GRID.check_auth(&data(8 * 1024 + 1))), Some(Rule::AuthenticationData));
    let auth = AuthProperties { user_properties, ..<_>::default() };
    assert_eq!(rule(GRID.check_auth(&auth)), Some(Rule::AuthUserProperties));
}

#[test]
fn a_connect_is_held_to_the_limits() {
    let connect = || Connect {
        version: Version::V5,
        clean_start: true,
        keep_alive: 1160,
        client_id: "session".into(),
        username: Some("name".into()),
        password: None,
        will: None,
        properties: ConnectProperties::default(),
    };
    let check = |profile: Profile, named_elsewhere, change: &dyn Fn(&mut Connect)| {
        let mut connect = connect();
        change(&mut connect);
        profile.check_connect(&connect, Login { named_elsewhere }).err().map(|error| error.rule)
    };
    assert_eq!(check(GRID, false, &|_| {}), None);
    assert_eq!(check(GRID, false, &|connect| connect.version = Version::V3_1), Some(Rule::Version));
    assert_eq!(check(GRID, false, &|connect| connect.client_id = text(129)), Some(Rule::ClientId));
    assert_eq!(check(GRID, false, &|connect| connect.client_id = "é".repeat(128).into()), None);
    assert_eq!(check(GRID, false, &|connect| connect.client_id = ByteString::new()), Some(Rule::ClientId));
    assert_eq!(check(GRID, false, &|connect| connect.username = None), Some(Rule::Username));
    assert_eq!(check(GRID, true, &|connect| connect.username = None), None);
    assert_eq!(check(AWS, false, &|connect| connect.username = None), None);
    assert_eq!(check(GRID, false, &|connect| connect.keep_alive = 1161), Some(Rule::KeepAliveMaximum));
    assert_eq!(check(GRID, false, &|connect| connect.keep_alive = 0), Some(Rule::KeepAliveMaximum));
    assert_eq!(check(AWS, false, &|connect| connect.keep_alive = 29), Some(Rule::KeepAliveMinimum));
    assert_eq!(check(AWS, false, &|connect| connect.keep_alive = 1200), None);
    let user = |connect: &mut Connect| connect.properties.user_properties.push(("a".into(), "b".into()));
    assert_eq!(check(GRID, false, &user), Some(Rule::ConnectUserProperties));
    assert_eq!(check(Profile::default(), false, &user), None);
    let token = |connect: &mut Connect| connect.properties.authentication_data = Some(vec![0; 8 * 1024 + 1].into());
    assert_eq!(check(GRID, false, &token), Some(Rule::AuthenticationData));
}
