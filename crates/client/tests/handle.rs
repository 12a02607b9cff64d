//! The handle: what it says of the connection, what it tells, what it keeps to itself.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;
#[path = "support/venue.rs"]
mod venue;

use std::future::poll_fn;
use std::pin::Pin;
use std::time::Duration;

use futures_core::Stream;
use gridmq_client::error::{ConnectErrorKind, DisconnectKind, Side, Stage};
use gridmq_client::{Bytes, ConnAckProperties, ConnectionEvent, ConnectionState, Options, QoS, ReasonCode, Version};
use gridmq_proto::packet::{ConnAck, Packet};
use support::{bounded, builder, connected, connected_with, over, pair};
use venue::Venue;

#[tokio::test(start_paused = true)]
async fn who_asks_first_gets_the_events_from_the_beginning_and_others_from_then_on() {
    let mut venue = Venue::new(Version::V5);
    let client = venue.options().start().unwrap();
    drop(venue.next().await);
    let (server, _) = venue.accept(false, <_>::default()).await;
    bounded("the connection", client.connected()).await.unwrap();
    let mut events = client.clone().events();
    let mut later = client.events();
    assert!(matches!(events.next().await, Some(ConnectionEvent::AttemptFailed { attempts: 1, .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::Connected { session_present: false })));
    drop(server);
    assert!(matches!(events.next().await, Some(ConnectionEvent::Lost { .. })));
    assert!(matches!(later.next().await, Some(ConnectionEvent::Lost { .. })));
    client.disconnect().await.unwrap();
    assert!(matches!(events.next().await, Some(ConnectionEvent::Disconnected(_))));
    assert!(events.next().await.is_none() && events.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_slow_reader_of_events_is_told_how_many_it_has_missed() {
    let mut venue = Venue::new(Version::V5);
    let (client, mut server) = venue.connected(venue.options()).await;
    // Each time a Lost and a Connected.
    let rounds = 40;
    for _ in 0..rounds {
        drop(server);
        server = venue.accept(true, <_>::default()).await.0;
        bounded("the connection", client.connected()).await.unwrap();
    }
    let mut events = client.events();
    let mut missed = match events.next().await {
        Some(ConnectionEvent::Missed(missed)) => missed,
        other => panic!("{other:?}"),
    };
    assert!(missed > 0);
    client.disconnect().await.unwrap();
    drop(server);
    let mut read = 0;
    while let Some(event) = events.next().await {
        match event {
            // The last one has pushed one more out.
            ConnectionEvent::Missed(more) => missed += more,
            _ => read += 1,
        }
    }
    // The beginning, the rounds and the end.
    assert_eq!(missed + read, 1 + 2 * rounds + 1);
}

#[tokio::test(start_paused = true)]
async fn events_are_a_stream() {
    let (client, server) = connected(Version::V5).await;
    let mut events = client.events();
    async fn next(events: &mut (impl Stream<Item = ConnectionEvent> + Unpin)) -> Option<ConnectionEvent> {
        poll_fn(|cx| Pin::new(&mut *events).poll_next(cx)).await
    }
    assert!(matches!(next(&mut events).await, Some(ConnectionEvent::Connected { .. })));
    // One who stops waiting loses nothing.
    assert!(tokio::time::timeout(Duration::from_secs(1), next(&mut events)).await.is_err());
    drop(server);
    assert!(matches!(next(&mut events).await, Some(ConnectionEvent::Disconnected(_))));
    assert!(next(&mut events).await.is_none());
    fn shared<T: Send + Sync>(_: &T) {}
    shared(&events);
}

#[tokio::test(start_paused = true)]
async fn connected_waits_for_the_connection_or_tells_why_there_will_be_none() {
    let mut venue = Venue::new(Version::V5);
    let client = venue.options().start().unwrap();
    assert!(!client.is_connected());
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.connected().await }
    });
    drop(venue.next().await);
    let (server, _) = venue.accept(false, <_>::default()).await;
    let info = bounded("the connection", waiting).await.unwrap().unwrap();
    assert_eq!(info.server, "memory:1883");
    assert!(client.is_connected());
    drop(server);
    let mut state = client.state();
    bounded("the loss", state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. }))).await.unwrap();
    assert!(!client.is_connected());
    let mut server = venue.next().await;
    server.connect().await;
    let reason = ReasonCode::NotAuthorized;
    let ack = ConnAck { session_present: false, reason, properties: <_>::default() };
    server.send(Packet::ConnAck(Box::new(ack))).await;
    let cause = bounded("the end", client.connected()).await.unwrap_err();
    assert_eq!(cause.stage(), Some(Stage::Connect));
    assert!(!cause.advice().is_empty());
    let DisconnectKind::Unreachable(error) = cause.kind() else { panic!("{cause}") };
    assert!(error.is_permanent() && error.reason() == Some(reason));
}

#[tokio::test(start_paused = true)]
async fn the_client_identifier_is_known_from_the_beginning_or_from_the_connack() {
    let mut venue = Venue::new(Version::V5);
    let client = venue.options().start().unwrap();
    assert_eq!(client.client_id(), "tester");
    drop(client);

    let client = venue.options().client_id("").clean_start(true).start().unwrap();
    assert_eq!(client.client_id(), "");
    let properties = ConnAckProperties { assigned_client_identifier: Some("given".into()), ..<_>::default() };
    let mut server = venue.next().await;
    while server.next().await.is_none() {
        server = venue.next().await;
    }
    let ack = ConnAck { session_present: false, reason: ReasonCode::Success, properties };
    server.send(Packet::ConnAck(Box::new(ack))).await;
    bounded("the connection", client.connected()).await.unwrap();
    assert_eq!(client.client_id(), "given");
}

#[tokio::test(start_paused = true)]
async fn reconnecting_now_ends_the_wait_and_does_nothing_otherwise() {
    let mut venue = Venue::new(Version::V5);
    let wait = Duration::from_secs(1000);
    let judge = move |_: &gridmq_client::Failure<'_>| gridmq_client::Decision::retry().after(wait);
    let options = venue.options().reconnect(gridmq_client::Reconnect::new().judge(judge));
    let (client, server) = venue.connected(options).await;
    client.reconnect_now();
    client.publish("a", "still there").await.unwrap();
    drop(server);
    let mut state = client.state();
    bounded("the loss", state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. }))).await.unwrap();
    let begun = tokio::time::Instant::now();
    client.reconnect_now();
    let (_server, _) = venue.accept(false, <_>::default()).await;
    bounded("the connection", client.connected()).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn nothing_that_proves_who_somebody_is_shows_in_debug_output() {
    let secret = || Bytes::from_static(b"tell-tale-data");
    let properties = ConnAckProperties {
        authentication_method: Some("M".into()),
        authentication_data: Some(secret()),
        ..<_>::default()
    };
    let shown = format!("{properties:?}");
    assert!(shown.contains("14 bytes, not shown") && shown.contains("\"M\""), "{shown}");
    let options = builder().username("tell-tale-name").password("tell-tale-password");
    let mut shown = format!("{options:?}");
    let properties =
        ConnAckProperties { user_properties: vec![("n".into(), "tell-tale-property".into())], ..<_>::default() };
    let (connect, mut server) = pair(Version::V5);
    let (client, said) = tokio::join!(connect(options), server.accept(false, properties));
    let client = client.unwrap();
    assert_eq!(said.username.as_deref(), Some("tell-tale-name"));
    shown.push_str(&format!("{said:?} {client:?} {:?} {:?}", client.info(), client.state()));
    shown.push_str(&format!("{:?}", client.publish("a", "x").qos(QoS::AtLeastOnce)));
    assert!(!shown.contains("tell-tale") && !shown.contains("116, 101, 108"), "{shown}");
    assert!(format!("{client:?}").contains("Client { client_id: \"tester\", state: connected"), "{client:?}");
}

#[tokio::test(start_paused = true)]
async fn a_cause_says_what_to_do() {
    let (client, server) = connected_with(Version::V5, builder(), <_>::default()).await;
    server.hang_up().await;
    let cause = over(&client).await;
    assert!(matches!(cause.kind(), DisconnectKind::Closed), "{cause}");
    assert_eq!((cause.side(), cause.stage()), (Side::Server, None));
    let (whole, what) = (cause.to_string(), format!("{cause:#}"));
    assert_eq!(whole, format!("{what}; {}", cause.advice()));
}

#[tokio::test(start_paused = true)]
async fn the_user_of_an_address_goes_with_it() {
    for (options, username, password) in [
        (Options::new("mqtt://u:p@one"), None, None),
        (Options::new("mqtt://u:p@one").username("mine").password("own"), Some("mine"), Some(&b"own"[..])),
    ] {
        let (connect, mut server) = pair(Version::V5);
        let options = options.client_id("tester").address("mqtt://memory");
        let (client, said) = tokio::join!(connect(options), server.accept(false, <_>::default()));
        client.unwrap();
        assert_eq!((said.username.as_deref(), said.password.as_deref()), (username, password));
    }
}

#[test]
fn the_address_of_options_can_be_changed() {
    let options = Options::new("mqtt://one").username("u").address("mqtt://two:1884");
    options.check().unwrap();
    assert!(format!("{options:?}").contains("two:1884"), "{options:?}");
    let error = options.address("ftp://three").check().unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Address(_)) && error.is_permanent(), "{error}");
}
