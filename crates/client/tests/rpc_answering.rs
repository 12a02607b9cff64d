//! Answers, seen from the server.
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
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use gridmq_client::rpc::{CallFailure, Counters, Reply, Request, Responder, ResponderRequest, RpcError};
use gridmq_client::{QoS, ReasonCode, TopicTemplate, Version};
use gridmq_proto::MessageProperties;
use gridmq_proto::packet::{Ack, Packet, Publish};
use support::{Peer, connected, message};
use tokio::io::DuplexStream;
use tokio::task::JoinHandle;

/// Does what the payload says, and counts.
async fn obey(request: Request, count: Arc<AtomicUsize>) -> Result<Reply, CallFailure> {
    count.fetch_add(1, Ordering::Relaxed);
    match request.text() {
        Some("fail") => Err(CallFailure::new("no key").status(423)),
        Some("panic") => panic!("as the request says"),
        Some("sleep") => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            Ok(Reply::new("rested"))
        }
        _ => Ok(Reply::new("done").content_type("text/plain").user_property("k", "v")),
    }
}

struct Serving {
    counters: Arc<Counters>,
    handled: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

async fn serve(request: ResponderRequest, server: &mut Peer<DuplexStream>) -> Serving {
    let (responder, _) = tokio::join!(request.into_future(), server.grant(ReasonCode::GrantedQos1));
    let responder = responder.unwrap();
    let (counters, handled) = (responder.counters(), Arc::new(AtomicUsize::new(0)));
    let count = Arc::clone(&handled);
    let task = tokio::spawn(responder.serve(move |request| obey(request, Arc::clone(&count))));
    Serving { counters, handled, task }
}

fn request(payload: &str, to: &str, data: &'static str, expiry: Option<u32>) -> Packet {
    let mut publish = message("ask/unlock", payload, QoS::AtMostOnce, 0);
    publish.properties = Some(Box::new(MessageProperties {
        response_topic: Some(to.try_into().unwrap()),
        correlation_data: (!data.is_empty()).then(|| data.into()),
        message_expiry_interval: expiry,
        ..MessageProperties::default()
    }));
    Packet::Publish(publish)
}

/// The next response; acknowledged.
async fn response(server: &mut Peer<DuplexStream>) -> Publish {
    let publish = server.publish().await;
    if let Some(id) = publish.packet_id {
        server.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
    }
    publish
}

fn status(publish: &Publish) -> &str {
    let properties = publish.properties.as_ref().unwrap();
    properties.user_properties.iter().find(|(name, _)| name == "status").map(|(_, value)| &**value).unwrap()
}

#[tokio::test]
async fn a_reply_goes_where_the_request_says() {
    let (client, mut server) = connected(Version::V5).await;
    let serving = serve(Responder::new(&client, "ask/+"), &mut server).await;
    server.send(request("unlock", "answer/me", "c1", Some(60))).await;
    let reply = response(&mut server).await;
    assert_eq!((reply.topic.as_ref().unwrap().as_str(), reply.qos), ("answer/me", QoS::AtLeastOnce));
    assert_eq!((&reply.payload[..], status(&reply)), (&b"done"[..], "200"));
    let properties = reply.properties.as_ref().unwrap();
    assert_eq!(properties.correlation_data.as_deref(), Some(&b"c1"[..]));
    assert_eq!(properties.content_type.as_deref(), Some("text/plain"));
    assert!(matches!(properties.message_expiry_interval, Some(59..=60)));
    assert!(properties.user_properties.contains(&("k".into(), "v".into())));
    assert_eq!((serving.counters.handled(), serving.counters.failed()), (1, 0));
}

#[tokio::test]
async fn failures_and_panics_are_answered() {
    let (client, mut server) = connected(Version::V5).await;
    let serving = serve(Responder::new(&client, "ask/+"), &mut server).await;
    server.send(request("fail", "answer/me", "c1", None)).await;
    let reply = response(&mut server).await;
    assert_eq!((&reply.payload[..], status(&reply)), (&b"no key"[..], "423"));
    for data in ["c2", "c3", "c4"] {
        server.send(request("panic", "answer/me", data, None)).await;
        assert_eq!(status(&response(&mut server).await), "500");
    }
    assert_eq!(serving.counters.failed(), 4);
    let (over, _) = tokio::join!(client.unsubscribe("ask/+").into_future(), server.release());
    over.unwrap();
    serving.task.await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_is_handled_once_and_answered_again() {
    let (client, mut server) = connected(Version::V5).await;
    let serving = serve(Responder::new(&client, "ask/+"), &mut server).await;
    for _ in 0..3 {
        server.send(request("unlock", "answer/me", "same", None)).await;
        assert_eq!(&response(&mut server).await.payload[..], b"done");
        // The reply is known once its task has ended.
        server.silence().await;
    }
    assert_eq!((serving.handled.load(Ordering::Relaxed), serving.counters.repeated()), (1, 2));
    // The same data for another answer is another request.
    server.send(request("unlock", "answer/other", "same", None)).await;
    response(&mut server).await;
    // Nothing tells two requests without data apart.
    for _ in 0..2 {
        server.send(request("unlock", "answer/me", "", None)).await;
        response(&mut server).await;
    }
    assert_eq!(serving.handled.load(Ordering::Relaxed), 4);
}

#[tokio::test]
async fn nothing_is_answered_where_it_must_not_be() {
    let (client, mut server) = connected(Version::V5).await;
    let within = TopicTemplate::parse("answer/{who}").unwrap();
    let request_within = Responder::new(&client, "ask/#").answers_within(within.filter().clone());
    let serving = serve(request_within, &mut server).await;
    // A request that would be answered by a request.
    server.send(request("unlock", "ask/unlock", "c1", None)).await;
    server.send(request("unlock", "elsewhere", "c2", None)).await;
    server.deliver("ask/unlock", "", QoS::AtMostOnce, 0).await;
    server.silence().await;
    assert_eq!((serving.counters.forbidden(), serving.counters.unanswerable()), (2, 1));
    assert_eq!(serving.handled.load(Ordering::Relaxed), 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_has_as_long_as_the_request() {
    let (client, mut server) = connected(Version::V5).await;
    let request_of = Responder::new(&client, "ask/+").timeout(Duration::from_secs(5));
    let serving = serve(request_of, &mut server).await;
    server.send(request("sleep", "answer/me", "c1", None)).await;
    assert_eq!(status(&response(&mut server).await), "504");
    // Nobody waits for the answer to a request that has expired.
    server.send(request("sleep", "answer/me", "c2", Some(2))).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.silence().await;
    assert_eq!(serving.counters.late(), 2);
}

#[tokio::test]
async fn requests_beyond_the_limit_wait_unacknowledged() {
    let (client, mut server) = connected(Version::V5).await;
    let serving = serve(Responder::new(&client, "ask/+").concurrency(2), &mut server).await;
    for (id, data) in [(1, "c1"), (2, "c2"), (3, "c3")] {
        let Packet::Publish(mut publish) = request("sleep", "answer/me", data, None) else { panic!() };
        publish.qos = QoS::AtLeastOnce;
        publish.packet_id = gridmq_proto::PacketId::new(id);
        server.send(Packet::Publish(publish)).await;
    }
    for id in 1..=2 {
        assert_eq!(server.puback().await.packet_id.get(), id);
    }
    server.silence().await;
    assert_eq!(serving.handled.load(Ordering::Relaxed), 2);
    serving.task.abort();
}

#[tokio::test]
async fn mqttnets_calls_are_answered_below_their_topic() {
    for version in [Version::V5, Version::V3_1_1] {
        let (client, mut server) = connected(version).await;
        let _serving = serve(Responder::mqttnet(&client, "deposit"), &mut server).await;
        server.deliver("MQTTnet.RPC/0123/deposit", "money", QoS::AtMostOnce, 0).await;
        let reply = response(&mut server).await;
        assert_eq!(reply.topic.as_ref().unwrap().as_str(), "MQTTnet.RPC/0123/deposit/response");
        assert_eq!(&reply.payload[..], b"done");
        // Before 5.0 there is no way to say that it failed.
        server.deliver("MQTTnet.RPC/0124/deposit", "fail", QoS::AtMostOnce, 0).await;
        if version.is_v5() {
            assert_eq!(status(&response(&mut server).await), "423");
        } else {
            server.silence().await;
            assert!(matches!(Responder::new(&client, "a").await, Err(RpcError::Version)));
        }
        assert!(matches!(Responder::mqttnet(&client, "a/b").await, Err(RpcError::Method { .. })));
    }
}
