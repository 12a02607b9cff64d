//! The client for programs without a runtime.
#![cfg(feature = "blocking")]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::net::TcpListener;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use gridmq_client::blocking::{Client, Error};
use gridmq_client::{ConnectionEvent, ConnectionState, PublishError, QoS, ReasonCode, Reconnect, Version};
use gridmq_proto::packet::{Ack, Packet, SubAck, UnsubAck};
use support::Peer;

const LONG: Duration = Duration::from_secs(20);

/// A server in a thread of its own that accepts one client, then does what `serve` says.
fn server<F, Fut>(serve: F) -> (gridmq_client::Options, thread::JoinHandle<()>)
where
    F: FnOnce(Peer<tokio::net::TcpStream>) -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let options = gridmq_client::Client::builder(&format!("mqtt://{}", listener.local_addr().unwrap()))
        .client_id("tester")
        .reconnect(Reconnect::never())
        .request_timeout(Duration::from_secs(10));
    let thread = thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut peer = Peer::new(listener.accept().await.unwrap().0, Version::V5);
            peer.accept(false, <_>::default()).await;
            serve(peer).await;
        });
    });
    (options, thread)
}

#[test]
fn publishing_subscribing_and_leaving_without_a_runtime() {
    let (options, server) = server(|mut peer| async move {
        peer.grant(ReasonCode::GrantedQos1).await;
        let id = peer.publish().await.packet_id.unwrap();
        peer.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
        for n in 1..=3 {
            peer.deliver("a", &n.to_string(), QoS::AtMostOnce, 0).await;
        }
        assert_eq!(peer.packet().await, Packet::PingReq);
        peer.send(Packet::PingResp).await;
        peer.release().await;
        assert!(matches!(peer.packet().await, Packet::Disconnect(_)));
    });
    let client = Client::connect(options).unwrap();
    let mut messages = client.subscribe("a", QoS::AtLeastOnce).with(|request| request.buffer(10)).send().unwrap();
    let publish = client.publish("b", "x").qos(QoS::AtLeastOnce).with(|request| request.content_type("text/plain"));
    assert_eq!(publish.send().unwrap().reason, ReasonCode::Success);
    assert_eq!(messages.next().unwrap().text(), Some("1"));
    assert_eq!(messages.next_within(LONG).unwrap().unwrap().text(), Some("2"));
    assert_eq!(messages.next().unwrap().text(), Some("3"));
    let begun = Instant::now();
    let late = messages.next_within(Duration::from_millis(50)).unwrap_err();
    assert_eq!(late.after, Duration::from_millis(50));
    assert!(begun.elapsed() >= Duration::from_millis(50));
    client.ping().unwrap();
    client.unsubscribe("a").send().unwrap();
    client.disconnect().unwrap();
    assert!(messages.next().is_none());
    assert!(matches!(client.publish("b", "").send(), Err(Error::Failed(PublishError::NotTaken { .. }))));
    server.join().unwrap();
}

#[test]
fn it_works_while_the_program_does_something_else() {
    let (options, server) = server(|mut peer| async move {
        // Keep-alive is 1 s: it pings although nobody calls it.
        let mut pings = 0;
        while let Packet::PingReq = peer.packet().await {
            peer.send(Packet::PingResp).await;
            pings += 1;
        }
        assert!(pings >= 2, "{pings}");
    });
    let client = Client::connect(options.keep_alive(Duration::from_secs(1))).unwrap();
    thread::sleep(Duration::from_millis(2500));
    client.publish("a", "still there").send().unwrap();
    server.join().unwrap();
}

#[test]
fn dropping_the_last_handle_leaves_in_order_and_does_not_take_long() {
    let (options, server) = server(|mut peer| async move {
        assert!(matches!(peer.packet().await, Packet::Disconnect(_)));
    });
    let client = Client::connect(options).unwrap();
    drop(client.clone());
    assert!(client.asynchronous().disconnected().is_none());
    drop(client);
    server.join().unwrap();

    // One that does not answer, and does not close.
    let (release, released) = mpsc::sync_channel::<()>(0);
    let (options, server) = self::server(|peer| async move {
        let _ = released.recv();
        drop(peer);
    });
    let client = Client::connect(options).unwrap();
    let begun = Instant::now();
    drop(client);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    drop(release);
    server.join().unwrap();
}

#[test]
fn many_threads_share_one() {
    let (options, server) = server(|mut peer| async move {
        for _ in 0..40 {
            let id = peer.publish().await.packet_id.unwrap();
            peer.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
        }
    });
    let client = Client::connect(options).unwrap();
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for _ in 0..10 {
                    client.publish("a", "x").qos(QoS::AtLeastOnce).send().unwrap();
                }
            });
        }
    });
    server.join().unwrap();
}

#[test]
fn inside_a_runtime_it_refuses_instead_of_panicking() {
    let (options, server) = server(|mut peer| async move {
        peer.publish().await;
    });
    let client = Client::connect(options.clone()).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert!(matches!(Client::connect(options), Err(Error::InsideRuntime)));
        assert!(matches!(client.publish("a", "").send(), Err(Error::InsideRuntime)));
        assert!(matches!(client.ping(), Err(Error::InsideRuntime)));
        assert!(matches!(client.disconnect(), Err(Error::InsideRuntime)));
    });
    client.publish("a", "outside").send().unwrap();
    // Nor does dropping it there panic or wait.
    runtime.block_on(async move {
        let begun = Instant::now();
        drop(client);
        assert!(begun.elapsed() < Duration::from_secs(1));
    });
    server.join().unwrap();
}

#[test]
fn a_server_that_is_not_there_is_an_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("mqtt://{}", listener.local_addr().unwrap());
    drop(listener);
    let options = gridmq_client::Client::builder(&address).reconnect(Reconnect::never());
    let error = Client::connect(options).unwrap_err().failed().unwrap();
    assert_eq!(error.stage(), gridmq_client::error::Stage::Tcp);
}

#[test]
fn starting_before_the_server_is_there_and_waiting_for_it() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let options = gridmq_client::Client::builder(&format!("mqtt://{address}")).client_id("tester");
    let (go, gone) = mpsc::sync_channel::<()>(0);
    let server = thread::spawn(move || {
        gone.recv().unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            listener.set_nonblocking(true).unwrap();
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            let mut peer = Peer::new(listener.accept().await.unwrap().0, Version::V5);
            peer.accept(false, <_>::default()).await;
            while !matches!(peer.packet().await, Packet::Disconnect(_)) {}
        });
    });
    let client = Client::start(options).unwrap();
    let mut events = client.events();
    assert!(!client.is_connected() && client.info().is_none() && client.disconnected().is_none());
    assert!(client.connected(Duration::from_millis(20)).unwrap().is_none());
    assert!(events.next_within(Duration::ZERO).is_err());
    assert!(matches!(client.state(), ConnectionState::Connecting { attempts: 0 }));
    go.send(()).unwrap();
    let info = client.connected(LONG).unwrap().unwrap();
    assert_eq!(info.server, address.to_string());
    assert!(client.is_connected());
    assert!(matches!(events.next().unwrap(), ConnectionEvent::Connected { session_present: false }));
    client.disconnect_with(|request| request.reason_string("enough")).unwrap();
    assert!(matches!(events.next_within(LONG).unwrap(), Some(ConnectionEvent::Disconnected(_))));
    assert!(events.next().is_none());
    assert!(client.connected(LONG).unwrap_err().failed().unwrap().is_requested());
    let ended = client.wait_for_state(LONG, |state| matches!(state, ConnectionState::Disconnected(_))).unwrap();
    assert!(ended.is_some());
    let mut looks = 0;
    let once = client.wait_for_state(LONG, |_| {
        looks += 1;
        looks == 1
    });
    assert!(once.unwrap().is_some(), "each state is looked at once");
    assert_eq!((client.client_id(), client.metrics().snapshot().connects), ("tester".into(), 1));
    let never = client.wait_for_state(LONG, |state| matches!(state, ConnectionState::Connected(_)));
    assert!(never.unwrap_err().failed().unwrap().is_requested());
    server.join().unwrap();
}

#[test]
fn several_filters_and_several_messages_by_one_call() {
    let (options, server) = server(|mut peer| async move {
        let subscribe = peer.subscribe().await;
        assert_eq!(subscribe.filters.len(), 2);
        let reasons = vec![ReasonCode::GrantedQos1, ReasonCode::GRANTED_QOS_0];
        let (packet_id, properties) = (subscribe.packet_id, <_>::default());
        peer.send(Packet::SubAck(SubAck { packet_id, properties, reasons })).await;
        let Packet::Unsubscribe(unsubscribe) = peer.packet().await else { panic!() };
        let reasons = vec![ReasonCode::Success, ReasonCode::NoSubscriptionExisted];
        let (packet_id, properties) = (unsubscribe.packet_id, <_>::default());
        peer.send(Packet::UnsubAck(UnsubAck { packet_id, properties, reasons })).await;
        for reason in [ReasonCode::Success, ReasonCode::QuotaExceeded, ReasonCode::Success] {
            let id = peer.publish().await.packet_id.unwrap();
            peer.send(Packet::PubAck(Ack::new(id, reason))).await;
        }
    });
    let client = Client::connect(options).unwrap();
    let subscription = client.subscribe_all([("a/#", QoS::AtLeastOnce), ("b", QoS::AtMostOnce)]).send().unwrap();
    assert_eq!(subscription.asynchronous().filters().len(), 2);
    let released = client.unsubscribe_all(["a/#", "c"]).send().unwrap();
    assert_eq!(released[1].reason, ReasonCode::NoSubscriptionExisted);
    let requests = ["1", "2"].map(|text| client.asynchronous().publish("d", text).qos(QoS::AtLeastOnce));
    let outcomes = client.publish_all(requests).unwrap();
    assert!(outcomes[0].is_ok());
    let error = outcomes[1].as_ref().unwrap_err();
    assert!(error.reason() == Some(ReasonCode::QuotaExceeded) && !error.advice().is_empty());
    let mut ticket = client.publish("d", "3").qos(QoS::AtLeastOnce).enqueue().unwrap();
    assert_eq!(ticket.position(), Some(3));
    assert_eq!(ticket.wait_within(LONG).unwrap().unwrap().reason, ReasonCode::Success);
    // It was told.
    assert!(ticket.wait_within(Duration::ZERO).unwrap().is_none());
    assert!(ticket.wait().unwrap().is_none());
    drop(subscription);
    drop(client);
    server.join().unwrap();
}
