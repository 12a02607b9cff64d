//! Calls, seen from the server.
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

use gridmq_client::rpc::{CallError, Caller, MqttNetCaller, Response, RpcError};
use gridmq_client::{Client, QoS, ReasonCode, TopicTemplate, Version};
use gridmq_proto::MessageProperties;
use gridmq_proto::packet::{Ack, AckProperties, Packet, Publish, SubAck};
use support::{Peer, connected, message};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

type Call = JoinHandle<Result<Response, CallError>>;

async fn caller(client: &Client, server: &mut Peer<DuplexStream>) -> Caller {
    let request = TopicTemplate::parse("vehicles/{vehicle}/command/{name}/request").unwrap();
    let response = TopicTemplate::parse("vehicles/{vehicle}/command/{name}/response").unwrap();
    let request = Caller::new(client, &request, &response).timeout(Duration::from_secs(5));
    let (caller, subscribe) = tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos1));
    assert_eq!(subscribe.filters[0].filter.as_str(), "vehicles/+/command/+/response");
    caller.unwrap()
}

fn call(caller: &Caller, vehicle: &str) -> Call {
    tokio::spawn(caller.call([("vehicle", vehicle), ("name", "unlock")], vehicle.to_owned()).into_future())
}

/// The next request; acknowledged.
async fn request(server: &mut Peer<DuplexStream>) -> Publish {
    let publish = server.publish().await;
    server.send(Packet::PubAck(Ack::new(publish.packet_id.unwrap(), ReasonCode::Success))).await;
    publish
}

fn answer_to(request: &Publish, payload: &str, status: Option<&str>) -> Publish {
    let asked = request.properties.as_ref().unwrap();
    let mut answer = message(asked.response_topic.as_ref().unwrap().as_str(), payload, QoS::AtMostOnce, 0);
    answer.properties = Some(Box::new(MessageProperties {
        correlation_data: asked.correlation_data.clone(),
        user_properties: status.map(|status| ("Status".into(), status.into())).into_iter().collect(),
        ..MessageProperties::default()
    }));
    answer
}

#[tokio::test]
async fn a_call_carries_what_the_samples_carry() {
    let (client, mut server) = connected(Version::V5).await;
    let caller = caller(&client, &mut server).await;
    let sent = caller.call([("vehicle", "v3"), ("name", "unlock")], "please").content_type("application/protobuf");
    let sent = tokio::spawn(sent.user_property("k", "v").into_future());
    let publish = request(&mut server).await;
    assert_eq!(
        (publish.topic.as_ref().unwrap().as_str(), publish.qos),
        ("vehicles/v3/command/unlock/request", QoS::AtLeastOnce)
    );
    let properties = publish.properties.as_ref().unwrap();
    assert_eq!(properties.response_topic.as_ref().unwrap().as_str(), "vehicles/v3/command/unlock/response");
    assert_eq!(properties.content_type.as_deref(), Some("application/protobuf"));
    // A .NET responder reads it as a Guid.
    assert_eq!(properties.correlation_data.as_ref().unwrap().len(), 16);
    assert_eq!(properties.message_expiry_interval, Some(5));
    server.send(Packet::Publish(answer_to(&publish, "done", Some("200")))).await;
    let response = sent.await.unwrap().unwrap();
    assert_eq!((response.text(), response.status()), (Some("done"), Some(200)));
}

#[tokio::test]
async fn calls_share_a_subscription_and_get_each_their_own_answer() {
    let (client, mut server) = connected(Version::V5).await;
    let caller = caller(&client, &mut server).await;
    let calls: Vec<_> = (0..50).map(|n| call(&caller, &format!("v{n}"))).collect();
    let mut requests = Vec::new();
    for _ in 0..50 {
        requests.push(request(&mut server).await);
    }
    requests.sort_by_key(|request| request.properties.as_ref().unwrap().correlation_data.clone());
    for request in &requests {
        let payload = std::str::from_utf8(&request.payload).unwrap();
        server.send(Packet::Publish(answer_to(request, payload, None))).await;
    }
    for (n, call) in calls.into_iter().enumerate() {
        assert_eq!(call.await.unwrap().unwrap().text(), Some(format!("v{n}").as_str()));
    }
    drop(caller);
    assert_eq!(server.release().await, "vehicles/+/command/+/response");
}

#[tokio::test]
async fn failures_come_back_as_errors() {
    let (client, mut server) = connected(Version::V5).await;
    let caller = caller(&client, &mut server).await;
    let failing = call(&caller, "v1");
    let publish = request(&mut server).await;
    server.send(Packet::Publish(answer_to(&publish, "no key", Some("500")))).await;
    let Err(CallError::Failed { status, response }) = failing.await.unwrap() else { panic!() };
    assert_eq!((status, response.text()), (500, Some("no key")));
    let alone = call(&caller, "v2");
    let publish = server.publish().await;
    let ack = Ack::new(publish.packet_id.unwrap(), ReasonCode::NoMatchingSubscribers);
    server.send(Packet::PubAck(ack)).await;
    assert!(matches!(alone.await.unwrap(), Err(CallError::Nobody)));
    let nameless = caller.call([("vehicle", "v1")], "").await;
    assert!(matches!(nameless, Err(CallError::Topic(_))));
    let unknown = caller.call([("vehicle", "v1"), ("name", "x"), ("colour", "red")], "").await;
    assert!(matches!(unknown, Err(CallError::Topic(_))));
    let last = call(&caller, "v3");
    request(&mut server).await;
    drop(server);
    assert!(matches!(last.await.unwrap(), Err(CallError::Ended | CallError::Publish(_) | CallError::Timeout { .. })));
}

#[tokio::test(start_paused = true)]
async fn late_repeated_and_unknown_answers_are_counted_and_dropped() {
    let (client, mut server) = connected(Version::V5).await;
    let caller = caller(&client, &mut server).await;
    let late = call(&caller, "v1");
    let publish = request(&mut server).await;
    assert!(matches!(late.await.unwrap(), Err(CallError::Timeout { sent: true, .. })));
    server.send(Packet::Publish(answer_to(&publish, "late", None))).await;
    let answered = call(&caller, "v2");
    let publish = request(&mut server).await;
    // Another vehicle answers in its place.
    let mut imposter = answer_to(&publish, "no", None);
    imposter.properties.as_mut().unwrap().correlation_data = Some(vec![7; 16].into());
    server.send(Packet::Publish(imposter)).await;
    server.send(Packet::Publish(answer_to(&publish, "yes", None))).await;
    server.send(Packet::Publish(answer_to(&publish, "yes", None))).await;
    assert_eq!(answered.await.unwrap().unwrap().text(), Some("yes"));
    server.silence().await;
    let strays = caller.strays();
    assert_eq!((strays.late, strays.repeated, strays.unknown), (1, 1, 1));
}

#[tokio::test]
async fn so_many_calls_at_once_and_no_more() {
    let (client, mut server) = connected(Version::V5).await;
    let topic = |text| TopicTemplate::parse(text).unwrap();
    let (request_topic, response) = (topic("ask/{vehicle}/{name}"), topic("answer/{vehicle}/{name}"));
    let made = Caller::new(&client, &request_topic, &response).concurrency(1).timeout(Duration::from_millis(300));
    let caller = tokio::join!(made.into_future(), server.grant(ReasonCode::GrantedQos1)).0.unwrap();
    let one = call(&caller, "v1");
    request(&mut server).await;
    let two = caller.call([("vehicle", "v2"), ("name", "unlock")], "").timeout(Duration::from_millis(100)).await;
    assert!(matches!(two, Err(CallError::Timeout { sent: false, .. })));
    assert!(matches!(one.await.unwrap(), Err(CallError::Timeout { sent: true, .. })));
    server.silence().await;
}

#[tokio::test]
async fn before_5_there_are_no_response_topics() {
    let (client, mut server) = connected(Version::V3_1_1).await;
    let topic = TopicTemplate::parse("a/{x}").unwrap();
    assert!(matches!(Caller::new(&client, &topic, &topic).await, Err(RpcError::Version)));
    server.silence().await;
}

#[tokio::test]
async fn calls_by_mqttnets_topics_have_a_topic_each() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let caller = MqttNetCaller::new(&client).timeout(Duration::from_secs(5));
        let call = |n: usize| tokio::spawn(caller.call("deposit", n.to_string()).into_future());
        let mut topics = Vec::new();
        for round in 0..20 {
            let calling = call(round);
            if round % 16 == 0 {
                let subscribe = server.subscribe().await;
                assert_eq!(subscribe.filters.len(), 16);
                let (packet_id, properties) = (subscribe.packet_id, AckProperties::default());
                let reasons = vec![ReasonCode::GrantedQos1; 16];
                server.send(Packet::SubAck(SubAck { packet_id, properties, reasons })).await;
            }
            let mut publish = server.packet().await;
            if let Packet::Unsubscribe(unsubscribe) = publish {
                // The ids before have been used up.
                assert_eq!((round, unsubscribe.filters.len()), (16, 16));
                publish = server.packet().await;
            }
            let Packet::Publish(publish) = publish else { panic!("{publish:?}") };
            server.send(Packet::PubAck(Ack::new(publish.packet_id.unwrap(), ReasonCode::Success))).await;
            let topic = publish.topic.unwrap().as_str().to_owned();
            let levels: Vec<_> = topic.split('/').collect();
            assert_eq!((levels[0], levels[1].len(), levels[2], levels.len()), ("MQTTnet.RPC", 32, "deposit", 3));
            assert!(!topics.contains(&topic));
            server.deliver(&format!("{topic}/response"), &round.to_string(), QoS::AtMostOnce, 0).await;
            let answer = calling.await.unwrap().unwrap();
            assert_eq!(answer.text(), Some(round.to_string().as_str()));
            topics.push(topic);
        }
        let refused = caller.call("a/b", "").await;
        assert!(matches!(refused, Err(CallError::Setup(RpcError::Method { .. }))));
    }
}
