//! What the server's answers say beside their reason codes, batches, options per filter, and timeouts of requests.
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

use gridmq_client::error::PingError;
use gridmq_client::{
    Client, Filter, PublishError, QoS, ReasonCode, RetainHandling, SubscribeError, Version, Will, rpc,
};
use gridmq_proto::packet::{Ack, AckProperties, ConnAckProperties, Packet, SubAck, UnsubAck};
use support::{Peer, builder, connected, connected_with};
use tokio::io::DuplexStream;
use tokio::time::Instant;

fn said() -> AckProperties {
    AckProperties { reason_string: Some("as you like".into()), user_properties: vec![("shard".into(), "7".into())] }
}

fn ack(id: gridmq_proto::PacketId, reason: ReasonCode, properties: Option<AckProperties>) -> Ack {
    Ack { packet_id: id, reason, properties: properties.map(Box::new) }
}

#[tokio::test]
async fn a_published_message_has_what_the_server_says_of_it() {
    let (client, mut server) = connected(Version::V5).await;
    let serve = async {
        let id = server.publish().await.packet_id.unwrap();
        server.send(Packet::PubAck(ack(id, ReasonCode::NoMatchingSubscribers, Some(said())))).await;
        let id = server.publish().await.packet_id.unwrap();
        server.send(Packet::PubRec(ack(id, ReasonCode::NoMatchingSubscribers, Some(said())))).await;
        assert!(matches!(server.packet().await, Packet::PubRel(_)));
        // The words of the reason are those that came with it.
        let other = AckProperties { reason_string: Some("done".into()), ..AckProperties::default() };
        server.send(Packet::PubComp(ack(id, ReasonCode::Success, Some(other)))).await;
        let id = server.publish().await.packet_id.unwrap();
        server.send(Packet::PubRec(ack(id, ReasonCode::QuotaExceeded, Some(said())))).await;
        let id = server.publish().await.packet_id.unwrap();
        server.acknowledge(id).await;
    };
    let publish = async {
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            let published = client.publish("a", "1").qos(qos).await.unwrap();
            assert_eq!(published.reason, ReasonCode::NoMatchingSubscribers);
            assert_eq!(published.reason_string().map(|words| &**words), Some("as you like"));
            assert_eq!(published.user_properties(), said().user_properties);
        }
        match client.publish("a", "1").qos(QoS::ExactlyOnce).await.unwrap_err() {
            PublishError::Refused { reason, reason_string, user_properties, .. } => {
                assert_eq!(reason, ReasonCode::QuotaExceeded);
                assert_eq!(AckProperties { reason_string, user_properties }, said());
            }
            other => panic!("{other:?}"),
        }
        let silent = client.publish("a", "1").qos(QoS::AtLeastOnce).await.unwrap();
        assert!(silent.reason_string().is_none() && silent.user_properties().is_empty());
    };
    tokio::join!(publish, serve);
}

#[tokio::test]
async fn a_subscription_has_what_the_server_says_of_it() {
    let (client, mut server) = connected(Version::V5).await;
    let serve = async {
        for reasons in [vec![ReasonCode::GrantedQos1, ReasonCode::NotAuthorized], vec![ReasonCode::NotAuthorized]] {
            let packet_id = server.subscribe().await.packet_id;
            server.send(Packet::SubAck(SubAck { packet_id, properties: said(), reasons })).await;
        }
        for reason in [ReasonCode::NoSubscriptionExisted, ReasonCode::NotAuthorized] {
            let Packet::Unsubscribe(unsubscribe) = server.packet().await else { panic!("no UNSUBSCRIBE") };
            let (packet_id, properties) = (unsubscribe.packet_id, said());
            server.send(Packet::UnsubAck(UnsubAck { packet_id, properties, reasons: vec![reason] })).await;
        }
    };
    let ask = async {
        let filters = [("a", QoS::AtLeastOnce), ("b", QoS::AtMostOnce)];
        let subscription = client.subscribe_all(filters).or_fewer().await.unwrap();
        let granted = subscription.filters()[0].clone();
        let refused = subscription.refused()[0].clone();
        for (reason_string, user_properties) in
            [(granted.reason_string, granted.user_properties), (refused.reason_string, refused.user_properties)]
        {
            assert_eq!(AckProperties { reason_string, user_properties }, said());
        }
        match client.subscribe("c", QoS::AtMostOnce).await.unwrap_err() {
            SubscribeError::Refused { reason_string, user_properties, .. } => {
                assert_eq!(AckProperties { reason_string, user_properties }, said());
            }
            other => panic!("{other:?}"),
        }
        let gone = client.unsubscribe_all(["d"]).await.unwrap().remove(0);
        assert_eq!(gone.reason, ReasonCode::NoSubscriptionExisted);
        let (reason_string, user_properties) = (gone.reason_string, gone.user_properties);
        assert_eq!(AckProperties { reason_string, user_properties }, said());
        match client.unsubscribe("e").await.unwrap_err() {
            SubscribeError::Refused { reason_string, user_properties, .. } => {
                assert_eq!(AckProperties { reason_string, user_properties }, said());
            }
            other => panic!("{other:?}"),
        }
        subscription
    };
    let _open = tokio::join!(ask, serve).0;
}

#[tokio::test]
async fn each_filter_has_options_of_its_own() {
    let (client, mut server) = connected(Version::V5).await;
    let filters = [
        Filter::new("a").qos(QoS::AtLeastOnce).no_local(),
        Filter::new("b").retain_as_published().retain_handling(RetainHandling::DoNotSend),
        Filter::from(("c", QoS::ExactlyOnce)),
    ];
    let serve = async {
        let subscribe = server.subscribe().await;
        let reasons = vec![ReasonCode::GRANTED_QOS_0; 3];
        let ack = SubAck { packet_id: subscribe.packet_id, properties: <_>::default(), reasons };
        server.send(Packet::SubAck(ack)).await;
        subscribe
    };
    let (subscription, packet) = tokio::join!(client.subscribe_all(filters).into_future(), serve);
    assert_eq!(subscription.unwrap().filters().len(), 3);
    let asked: Vec<_> = packet
        .filters
        .iter()
        .map(|entry| {
            let options = entry.options;
            let switches = (options.no_local, options.retain_as_published, options.retain_handling);
            (entry.filter.as_str(), options.qos, switches)
        })
        .collect();
    let expected = [
        ("a", QoS::AtLeastOnce, (true, false, RetainHandling::Send)),
        ("b", QoS::AtMostOnce, (false, true, RetainHandling::DoNotSend)),
        ("c", QoS::ExactlyOnce, (false, false, RetainHandling::Send)),
    ];
    assert_eq!(asked, expected);
    let bad = client.subscribe_all([Filter::new("a"), Filter::new("a/#/b").no_local()]).await;
    assert!(matches!(bad, Err(SubscribeError::Filter(..))), "{bad:?}");
}

#[tokio::test]
async fn a_batch_has_an_outcome_for_each_message_in_order() {
    let properties = ConnAckProperties { retain_available: Some(false), ..ConnAckProperties::default() };
    let (client, mut server) = connected_with(Version::V5, builder(), properties).await;
    let requests = [
        client.publish("a", "0").qos(QoS::AtLeastOnce),
        client.publish("no/+/topic", "1"),
        client.publish("a", "2").retain(true).qos(QoS::AtLeastOnce),
        client.publish("a", "3").qos(QoS::AtLeastOnce),
        client.publish("a", "4"),
    ];
    let serve = async {
        let mut ids = Vec::new();
        while ids.len() < 2 {
            ids.extend(server.publish().await.packet_id);
        }
        // Answered in the order of receipt, as a server must.
        server.send(Packet::PubAck(ack(ids[0], ReasonCode::QuotaExceeded, None))).await;
        server.send(Packet::PubAck(ack(ids[1], ReasonCode::Success, None))).await;
    };
    let (outcomes, ()) = tokio::join!(client.publish_all(requests).into_future(), serve);
    assert_eq!(outcomes.len(), 5);
    assert_eq!(outcomes[0].as_ref().unwrap_err().reason(), Some(ReasonCode::QuotaExceeded));
    assert!(matches!(outcomes[1], Err(PublishError::Topic(..))), "{:?}", outcomes[1]);
    assert!(matches!(outcomes[2], Err(PublishError::Limit { .. })), "{:?}", outcomes[2]);
    assert_eq!(outcomes[3].as_ref().unwrap().reason, ReasonCode::Success);
    assert!(outcomes[4].is_ok(), "{:?}", outcomes[4]);
    assert!(client.publish_all([]).await.is_empty());
}

#[tokio::test]
async fn a_batch_larger_than_every_queue_arrives_in_order() {
    const COUNT: usize = 3000;
    let (client, mut server) = connected(Version::V5).await;
    let requests = (0..COUNT).map(|number| client.publish("a", number.to_string()).qos(QoS::AtLeastOnce));
    let serve = async {
        for number in 0..COUNT {
            let publish = server.publish().await;
            assert_eq!(publish.payload, number.to_string());
            server.acknowledge(publish.packet_id.unwrap()).await;
        }
    };
    let (outcomes, ()) = tokio::join!(client.publish_all(requests).into_future(), serve);
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), COUNT);
}

#[tokio::test(start_paused = true)]
async fn a_batch_has_one_time_for_all() {
    let (client, mut server) = connected(Version::V5).await;
    let requests = (0..5).map(|number| client.publish("a", number.to_string()).qos(QoS::AtLeastOnce));
    let serve = async {
        let id = server.publish().await.packet_id.unwrap();
        server.acknowledge(id).await;
        server
    };
    let begin = Instant::now();
    let after = Duration::from_secs(3);
    let request = client.publish_all(requests).timeout(after);
    let (outcomes, _server) = tokio::join!(request.into_future(), serve);
    assert!(begin.elapsed() < after + Duration::from_secs(1));
    assert!(outcomes[0].is_ok());
    for outcome in &outcomes[1..] {
        assert!(matches!(outcome, Err(PublishError::Timeout { .. })), "{outcome:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn every_request_can_have_a_time_of_its_own() {
    let options = builder().request_timeout(Duration::from_secs(600));
    let (client, _server) = connected_with(Version::V5, options, <_>::default()).await;
    let after = Duration::from_secs(1);
    let begin = Instant::now();
    let late = client.subscribe("a", QoS::AtMostOnce).timeout(after).await;
    assert!(matches!(late, Err(SubscribeError::Timeout { .. })), "{late:?}");
    let late = client.unsubscribe("a").timeout(after).await;
    assert!(matches!(late, Err(SubscribeError::Timeout { .. })), "{late:?}");
    let late = client.unsubscribe_all(["a"]).timeout(after).await;
    assert!(matches!(late, Err(SubscribeError::Timeout { .. })), "{late:?}");
    let late = client.ping().timeout(after).await;
    assert!(matches!(late, Err(PingError::Timeout { after: said }) if said == after), "{late:?}");
    assert!(begin.elapsed() < Duration::from_secs(10));
}

/// What must not be seen in logs.
const SECRET: &str = "hush-hush";

async fn received(client: &Client, server: &mut Peer<DuplexStream>) -> gridmq_client::Message {
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtMostOnce).into_future(), server.grant(ReasonCode::GRANTED_QOS_0));
    let mut publish = support::message("a", SECRET, QoS::AtMostOnce, 0);
    let user_properties = vec![("key".into(), SECRET.into())];
    let properties = gridmq_proto::MessageProperties {
        content_type: Some(SECRET.into()),
        correlation_data: Some(SECRET.into()),
        user_properties,
        ..<_>::default()
    };
    publish.properties = Some(Box::new(properties));
    server.send(Packet::Publish(publish)).await;
    subscription.unwrap().next().await.unwrap()
}

#[tokio::test]
async fn debug_shows_neither_payloads_nor_values_of_properties() {
    let (client, mut server) = connected(Version::V5).await;
    let message = received(&client, &mut server).await;
    let publish = client.publish("a", SECRET).correlation_data(SECRET).user_property("key", SECRET);
    let subscribe = client.subscribe("a", QoS::AtMostOnce).user_property("key", SECRET);
    let leave = client.disconnect().user_property("key", SECRET);
    let will = Will::new("a", SECRET).content_type(SECRET).user_property("key", SECRET);
    let reply = rpc::Reply::new(SECRET).content_type(SECRET).user_property("key", SECRET);
    let call = rpc::MqttNetCaller::new(&client).call("method", SECRET);
    let batch = client.publish_all([client.publish("a", SECRET).user_property("key", SECRET)]);
    let shown = [
        format!("{message:?}"),
        format!("{publish:?}"),
        format!("{subscribe:?}"),
        format!("{leave:?}"),
        format!("{will:?}"),
        format!("{reply:?}"),
        format!("{call:?}"),
        format!("{batch:?}"),
    ];
    let bytes: Vec<_> = SECRET.bytes().map(|byte| byte.to_string()).collect();
    for text in shown {
        assert!(!text.contains(SECRET) && !text.contains(&bytes.join(", ")), "{text}");
    }
    assert!(format!("{message:?}").contains("9 bytes"), "{message:?}");
}
