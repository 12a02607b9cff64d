//! Options and requests that a version of MQTT does not have are errors by name, and nothing is sent.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::future::IntoFuture;
use std::time::Duration;

use gridmq_client::error::ConnectErrorKind;
use gridmq_client::{DisconnectError, Options, PublishError, QoS, ReasonCode, RetainHandling, SubscribeError};
use gridmq_client::{Version, Will};
use gridmq_proto::packet::{ConnAckProperties, Packet, PacketType};
use gridmq_proto::{EncodeError, MessageProperties};
use support::{builder, connected, connected_with};

fn refused(options: &Options) -> Option<&'static str> {
    match options.check().err()?.kind() {
        ConnectErrorKind::Option { option, .. } => Some(option),
        other => panic!("{other:?}"),
    }
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_only_mqtt_5_has_is_refused_by_name_before() {
    let will = || Will::new("t", "p");
    let cases = [
        (builder().session_expiry(SECOND), "session_expiry"),
        (builder().session_expiry(Duration::ZERO), "session_expiry"),
        (builder().topic_alias_maximum(1), "topic_alias_maximum"),
        (builder().outbound_topic_aliases(1), "outbound_topic_aliases"),
        (builder().request_response_information(true), "request_response_information"),
        (builder().request_problem_information(false), "request_problem_information"),
        (builder().user_property("a", "b"), "user_property"),
        (builder().will(will().delay(SECOND)), "will.delay"),
        (builder().will(will().payload_format_indicator(true)), "will.payload_format_indicator"),
        (builder().will(will().message_expiry(SECOND)), "will.message_expiry"),
        (builder().will(will().content_type("text/plain")), "will.content_type"),
        (builder().will(will().response_topic("r")), "will.response_topic"),
        (builder().will(will().correlation_data("c")), "will.correlation_data"),
        (builder().will(will().user_property("a", "b")), "will.user_property"),
        (
            builder().will(will().properties(MessageProperties {
                content_type: Some("text/plain".into()),
                ..MessageProperties::default()
            })),
            "will.content_type",
        ),
    ];
    for (options, name) in cases {
        for version in [Version::V3_1, Version::V3_1_1] {
            assert_eq!(refused(&options.clone().version(version)), Some(name), "{version}");
        }
        assert_eq!(refused(&options), None, "{name}");
    }
    for version in [Version::V3_1, Version::V3_1_1, Version::V5] {
        let plain = builder().topic_alias_maximum(0).receive_maximum(1).maximum_packet_size(100).will(will());
        assert_eq!(refused(&plain.version(version)), None);
    }
}

#[test]
fn values_that_cannot_work_are_refused_by_name() {
    let anonymous = || Options::new("mqtt://localhost");
    for (options, name) in [
        (builder().keep_alive(Duration::from_secs(65_536)), "keep_alive"),
        (builder().receive_maximum(0), "receive_maximum"),
        (builder().maximum_packet_size(0), "maximum_packet_size"),
        (builder().will(Will::new("a/#", "")), "will"),
        (builder().will(Will::new("a", "").response_topic("+")), "will"),
        (anonymous().version(Version::V3_1), "client_id"),
        (anonymous().version(Version::V3_1_1).clean_start(false), "client_id"),
        (builder().version(Version::V3_1_1).password("secret"), "password"),
    ] {
        assert_eq!(refused(&options), Some(name));
    }
    assert_eq!(refused(&anonymous().clean_start(false)), None);
}

#[tokio::test]
async fn every_option_of_the_connect_reaches_the_wire() {
    let will = Will::new("status/tester", "gone")
        .qos(QoS::AtLeastOnce)
        .retain(true)
        .delay(Duration::from_millis(1500))
        .payload_format_indicator(true)
        .message_expiry(Duration::from_secs(60))
        .content_type("text/plain")
        .response_topic("answers")
        .correlation_data("c1")
        .user_property("a", "b")
        .user_property("a", "c");
    let options = builder()
        .username("user")
        .password("secret")
        .clean_start(false)
        .keep_alive(Duration::from_secs(7))
        .session_expiry(Duration::from_secs(90))
        .receive_maximum(11)
        .maximum_packet_size(12_000)
        .topic_alias_maximum(13)
        .request_response_information(true)
        .request_problem_information(false)
        .user_property("one", "1")
        .user_property("one", "2")
        .will(will);
    let (connect, mut server) = support::pair(Version::V5);
    let (client, sent) = tokio::join!(connect(options), server.accept(false, ConnAckProperties::default()));
    client.unwrap();
    assert_eq!((sent.version, sent.clean_start, sent.keep_alive), (Version::V5, false, 7));
    assert_eq!((&*sent.client_id, sent.username.as_deref()), ("tester", Some("user")));
    assert_eq!(sent.password.as_deref(), Some(&b"secret"[..]));
    let properties = sent.properties;
    assert_eq!(properties.session_expiry_interval, Some(90));
    assert_eq!(properties.receive_maximum.map(u16::from), Some(11));
    assert_eq!(properties.maximum_packet_size.map(u32::from), Some(12_000));
    assert_eq!(properties.topic_alias_maximum, Some(13));
    assert_eq!(properties.request_response_information, Some(true));
    assert_eq!(properties.request_problem_information, Some(false));
    assert_eq!(properties.user_properties, [("one".into(), "1".into()), ("one".into(), "2".into())]);
    let will = sent.will.unwrap();
    assert_eq!((will.qos, will.retain, will.delay_interval), (QoS::AtLeastOnce, true, 2));
    assert_eq!((will.message.topic.as_str(), &*will.message.payload), ("status/tester", &b"gone"[..]));
    let expected = MessageProperties {
        payload_format_indicator: Some(true),
        message_expiry_interval: Some(60),
        content_type: Some("text/plain".into()),
        response_topic: Some("answers".try_into().unwrap()),
        correlation_data: Some("c1".into()),
        user_properties: vec![("a".into(), "b".into()), ("a".into(), "c".into())],
    };
    assert_eq!(*will.message.properties(), expected);
}

#[tokio::test]
async fn properties_of_requests_are_refused_by_name_on_3_1_1() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    let field = |error: EncodeError| match error {
        EncodeError::NotInVersion { packet, field, version: Version::V3_1_1 } => (packet, field),
        other => panic!("{other:?}"),
    };
    let publish = || client.publish("a", "b");
    for (request, name) in [
        (publish().payload_format_indicator(true), "the payload format indicator"),
        (publish().message_expiry(SECOND), "the message expiry interval"),
        (publish().content_type("x"), "the content type"),
        (publish().response_topic("x"), "the response topic"),
        (publish().correlation_data("x"), "the correlation data"),
        (publish().user_property("a", "b"), "a user property"),
    ] {
        match request.await.unwrap_err() {
            PublishError::Packet { error, .. } => assert_eq!(field(error), (PacketType::Publish, name)),
            other => panic!("{other:?}"),
        }
    }
    let subscribe = || client.subscribe("a", QoS::AtMostOnce);
    for (request, name) in [
        (subscribe().no_local(), "No Local"),
        (subscribe().retain_as_published(), "Retain As Published"),
        (subscribe().retain_handling(RetainHandling::DoNotSend), "Retain Handling"),
        (subscribe().identifier(1), "a subscription identifier"),
        (subscribe().user_property("a", "b"), "a user property"),
    ] {
        match request.await.unwrap_err() {
            SubscribeError::Packet(error) => assert_eq!(field(error), (PacketType::Subscribe, name)),
            other => panic!("{other:?}"),
        }
    }
    match client.unsubscribe("a").user_property("a", "b").await.unwrap_err() {
        SubscribeError::Packet(error) => assert_eq!(field(error), (PacketType::Unsubscribe, "a user property")),
        other => panic!("{other:?}"),
    }
    server.silence().await;
}

#[tokio::test]
async fn a_disconnect_says_all_that_it_is_told() {
    let options = builder().session_expiry(Duration::from_secs(60));
    let (client, mut server) = connected_with(Version::V5, options, ConnAckProperties::default()).await;
    let serve = async {
        match server.packet().await {
            Packet::Disconnect(disconnect) => {
                server.hang_up().await;
                disconnect
            }
            other => panic!("{other:?}"),
        }
    };
    let leave = client
        .disconnect()
        .reason(ReasonCode::ImplementationSpecificError)
        .reason_string("maintenance")
        .session_expiry(Duration::ZERO)
        .user_property("a", "b");
    let (left, said) = tokio::join!(leave.into_future(), serve);
    left.unwrap();
    assert_eq!(said.reason, ReasonCode::ImplementationSpecificError);
    assert_eq!(said.properties.reason_string.as_deref(), Some("maintenance"));
    // Zero is said, and differs from silence.
    assert_eq!(said.properties.session_expiry_interval, Some(0));
    assert_eq!(said.properties.user_properties, [("a".into(), "b".into())]);
}

#[tokio::test]
async fn a_reason_of_servers_is_not_for_leaving() {
    let (client, mut server) = connected(Version::V5).await;
    for reason in [ReasonCode::SessionTakenOver, ReasonCode::NotAuthorized, ReasonCode::ServerShuttingDown] {
        let refused = client.disconnect().reason(reason).await;
        assert!(matches!(refused, Err(DisconnectError::Reason { reason: given }) if given == reason), "{refused:?}");
    }
    // Nothing has happened.
    client.publish("a", "b").await.unwrap();
    assert_eq!(server.publish().await.topic.unwrap().as_str(), "a");
}

#[tokio::test]
async fn what_a_disconnect_cannot_say_on_3_1_1_is_refused_by_name() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    let leave = || client.disconnect();
    for (request, name) in [
        (leave().reason(ReasonCode::ImplementationSpecificError), "the reason code"),
        (leave().publish_will(), "the reason code"),
        (leave().session_expiry(SECOND), "the session expiry interval"),
        (leave().reason_string("maintenance"), "the reason string"),
        (leave().user_property("a", "b"), "a user property"),
    ] {
        match request.await.unwrap_err() {
            DisconnectError::Packet(EncodeError::NotInVersion { packet, field, version }) => {
                assert_eq!((packet, field, version), (PacketType::Disconnect, name, Version::V3_1_1));
            }
            other => panic!("{other:?}"),
        }
    }
    // The client is still there, and leaves when it says what the version has.
    client.publish("a", "b").await.unwrap();
    assert_eq!(server.publish().await.topic.unwrap().as_str(), "a");
    let serve = async {
        assert!(matches!(server.packet().await, Packet::Disconnect(_)));
        server.hang_up().await;
    };
    tokio::join!(leave().into_future(), serve).0.unwrap();
}
