//! Moving from one certificate to the next, with a server that does what its test tells it to.
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
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_client::{Client, ConnectionEvent, ConnectionState, Options, QoS, ReasonCode, Version};
use gridmq_proto::PacketId;
use gridmq_proto::packet::{Ack, AckProperties, ConnAck, Connect, Disconnect, Packet, Publish};
use gridmq_tls::credentials::Published;
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::stream::TlsStream;
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, Trust};
use support::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

type Connected = Peer<TlsStream<TcpStream>>;

struct Stage {
    root: CertificateAuthority,
    validity: Validity,
    listener: TcpListener,
    config: ServerConfig,
    credentials: Published,
}

fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

impl Stage {
    async fn new() -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let validity = Validity::days(now, 2);
        let root = CertificateAuthority::new_root("Rotating Root", validity).unwrap();
        let server = identity(&root.issue_server(["localhost"], validity).unwrap());
        let trust = Trust::only_pem(root.certificate_pem().as_bytes()).unwrap();
        let config = ServerConfig::builder().identity(server).client_certificate(ClientAuth::Required);
        let config = config.handshake_trust(ClientTrust::Anchors(trust)).build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let credentials = Published::new(identity(&root.issue_client("one", validity).unwrap()));
        Self { root, validity, listener, config, credentials }
    }

    fn builder(&self) -> Options {
        let port = self.listener.local_addr().unwrap().port();
        Client::builder(&format!("mqtts://localhost:{port}"))
            .trust(Trust::only_pem(self.root.certificate_pem().as_bytes()).unwrap())
            .credentials(Arc::new(self.credentials.clone()))
            .client_id("rotating")
    }

    fn publish(&self, name: &str) {
        self.credentials.publish(identity(&self.root.issue_client(name, self.validity).unwrap()));
    }

    /// The next connection and the common name that it presented.
    async fn take(&self, version: Version) -> (Connected, String) {
        let (tcp, _) =
            timeout(Duration::from_secs(20), self.listener.accept()).await.expect("the client comes").unwrap();
        let (io, info) = gridmq_tls::stream::accept(tcp, &self.config).await.unwrap();
        let subject = info.presented.unwrap().leaf().subject().to_string();
        (Peer::new(io, version), subject)
    }

    async fn accept(&self, version: Version, session_present: bool) -> (Connected, String, Connect) {
        let (mut server, subject) = self.take(version).await;
        let connect = server.accept(session_present, <_>::default()).await;
        (server, subject, connect)
    }

    async fn connected(&self, builder: Options, version: Version) -> (Client, Connected, Connect) {
        let (client, (server, subject, connect)) =
            tokio::join!(builder.version(version).connect(), self.accept(version, false));
        assert_eq!(subject, "CN=one");
        (client.unwrap(), server, connect)
    }
}

/// The client leaves in order, and the session stays.
async fn leaves(mut server: Connected) {
    match server.packet().await {
        Packet::Disconnect(Disconnect { reason, properties }) => {
            assert_eq!((reason, properties.session_expiry_interval), (ReasonCode::NORMAL_DISCONNECTION, None));
        }
        other => panic!("{other:?}"),
    }
    server.hang_up().await;
}

async fn acknowledge(server: &mut Connected, id: PacketId) {
    server.send(Packet::PubAck(Ack::new(id, ReasonCode::Success))).await;
}

#[tokio::test]
async fn pain_14_the_client_leaves_and_comes_back_with_the_new_certificate_and_its_session() {
    let stage = Stage::new().await;
    let (client, server, connect) = stage.connected(stage.builder(), Version::V5).await;
    assert!(connect.clean_start);
    assert_eq!(connect.properties.session_expiry_interval, Some(300));
    assert_eq!(client.info().unwrap().generation, Some(1));
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    leaves(server).await;
    let (mut server, subject, connect) = stage.accept(Version::V5, true).await;
    assert_eq!((subject.as_str(), connect.clean_start), ("CN=two", false));
    assert_eq!(connect.client_id, "rotating");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { from: 1, to: 2 })));
    let rotated = events.next().await;
    assert!(matches!(rotated, Some(ConnectionEvent::Rotated { generation: 2, session_present: true })), "{rotated:?}");
    assert!(matches!(&*client.state().borrow(), ConnectionState::Connected(info) if info.generation == Some(2)));
    assert_eq!(client.credential_status().unwrap().generation, 2);
    // The session was asked for by the client alone, so it goes when the application leaves.
    let serve = async {
        let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
        assert_eq!(disconnect.properties.session_expiry_interval, Some(0));
        server.hang_up().await;
    };
    tokio::join!(client.disconnect().into_future(), serve).0.unwrap();
}

#[tokio::test]
async fn the_applications_own_session_expiry_is_kept() {
    let stage = Stage::new().await;
    let builder = stage.builder().session_expiry(Duration::from_secs(7200)).clean_start(false);
    let (client, mut server, connect) = stage.connected(builder, Version::V5).await;
    assert_eq!((connect.clean_start, connect.properties.session_expiry_interval), (false, Some(7200)));
    let serve = async {
        let Packet::Disconnect(disconnect) = server.packet().await else { panic!() };
        assert_eq!(disconnect.properties.session_expiry_interval, None);
        server.hang_up().await;
    };
    tokio::join!(client.disconnect().into_future(), serve).0.unwrap();
}

#[tokio::test]
async fn what_is_sent_is_acknowledged_first_and_what_comes_meanwhile_waits() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let first = tokio::spawn(client.publish("a", "first").qos(QoS::AtLeastOnce).into_future());
    let id = server.publish().await.packet_id.unwrap();
    let mut state = client.state();
    stage.publish("two");
    state.wait_for(|state| matches!(state, ConnectionState::Rotating { from: 1, to: 2, .. })).await.unwrap();
    let second = tokio::spawn(client.publish("a", "second").qos(QoS::AtLeastOnce).into_future());
    let subscription = tokio::spawn(client.subscribe("b", QoS::AtLeastOnce).into_future());
    server.silence().await;
    acknowledge(&mut server, id).await;
    first.await.unwrap().unwrap();
    // With the last answer, not when the time for answers is over.
    timeout(Duration::from_secs(2), leaves(server)).await.unwrap();
    let (mut server, ..) = stage.accept(Version::V5, true).await;
    for _ in 0..2 {
        match server.packet().await {
            Packet::Publish(publish) => {
                assert_eq!((&publish.payload[..], publish.dup), (&b"second"[..], false));
                acknowledge(&mut server, publish.packet_id.unwrap()).await;
            }
            Packet::Subscribe(subscribe) => {
                let (packet_id, reasons) = (subscribe.packet_id, vec![ReasonCode::GrantedQos1]);
                let ack = gridmq_proto::packet::SubAck { packet_id, properties: AckProperties::default(), reasons };
                server.send(Packet::SubAck(ack)).await;
            }
            other => panic!("{other:?}"),
        }
    }
    second.await.unwrap().unwrap();
    drop(subscription.await.unwrap().unwrap());
}

#[tokio::test]
async fn what_is_not_acknowledged_is_sent_again() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let publish = tokio::spawn(client.publish("a", "once").qos(QoS::AtLeastOnce).into_future());
    let id = server.publish().await.packet_id;
    let mut state = client.state();
    stage.publish("two");
    state.wait_for(|state| matches!(state, ConnectionState::Rotating { .. })).await.unwrap();
    // The server goes first.
    drop(server);
    let (mut server, subject, connect) = stage.accept(Version::V5, true).await;
    assert_eq!((subject.as_str(), connect.clean_start), ("CN=two", false));
    let again = server.publish().await;
    assert_eq!((again.packet_id, again.dup), (id, true));
    acknowledge(&mut server, id.unwrap()).await;
    publish.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_lost_session_is_told_and_made_again() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let (kept, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), server.grant(ReasonCode::GrantedQos1));
    let (gone, _) =
        tokio::join!(client.subscribe("b", QoS::AtMostOnce).into_future(), server.grant(ReasonCode::GRANTED_QOS_0));
    let (mut kept, mut gone) = (kept.unwrap(), gone.unwrap());
    let publish = tokio::spawn(client.publish("c", "once").qos(QoS::AtLeastOnce).into_future());
    server.publish().await;
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { .. })));
    drop(server);
    let (mut server, ..) = stage.accept(Version::V5, false).await;
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotated { session_present: false, .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::SessionLost)));
    // First the subscriptions, so that nothing passes them.
    let subscribe = server.subscribe().await;
    assert_eq!(subscribe.filters.iter().map(|entry| entry.filter.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    let reasons = vec![ReasonCode::GrantedQos1, ReasonCode::NotAuthorized];
    let (packet_id, properties) = (subscribe.packet_id, AckProperties::default());
    server.send(Packet::SubAck(gridmq_proto::packet::SubAck { packet_id, properties, reasons })).await;
    let again = server.publish().await;
    assert!(!again.dup);
    acknowledge(&mut server, again.packet_id.unwrap()).await;
    publish.await.unwrap().unwrap();
    assert!(gone.next().await.is_none());
    let lost = events.next().await;
    assert!(matches!(&lost, Some(ConnectionEvent::SubscriptionLost { filter }) if filter.as_str() == "b"), "{lost:?}");
    server.deliver("a", "hello", QoS::AtLeastOnce, 1).await;
    assert_eq!(kept.next().await.unwrap().text(), Some("hello"));
}

#[tokio::test]
async fn a_server_that_refuses_the_new_certificate_gets_the_old_one() {
    let stage = Stage::new().await;
    let (client, server, _) = stage.connected(stage.builder(), Version::V5).await;
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    leaves(server).await;
    let (mut server, subject) = stage.take(Version::V5).await;
    assert_eq!(subject, "CN=two");
    server.connect().await;
    let reason = ReasonCode::NotAuthorized;
    server
        .send(Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties: <_>::default() })))
        .await;
    server.hang_up().await;
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { .. })));
    match events.next().await {
        Some(ConnectionEvent::RotationFailed { generation: 2, attempts: 1, error, retry_in: Some(wait) }) => {
            assert_eq!(error.reason(), Some(reason));
            assert!(wait <= Duration::from_secs(1));
        }
        other => panic!("{other:?}"),
    }
    let (_server, subject, _) = stage.accept(Version::V5, true).await;
    assert_eq!(subject, "CN=one");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotated { generation: 1, session_present: true })));
    // A newer one is tried at once.
    stage.publish("three");
    leaves(_server).await;
    let (_server, subject, _) = stage.accept(Version::V5, true).await;
    assert_eq!(subject, "CN=three");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { from: 1, to: 3 })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotated { generation: 3, .. })));
}

#[tokio::test]
async fn leaving_for_good_does_not_wait_for_the_move() {
    let stage = Stage::new().await;
    let (client, server, _) = stage.connected(stage.builder(), Version::V3_1_1).await;
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    let mut server = server;
    assert!(matches!(server.packet().await, Packet::Disconnect(_)));
    server.hang_up().await;
    // The next connection is not accepted.
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { .. })));
    timeout(Duration::from_secs(5), client.disconnect().into_future()).await.unwrap().unwrap();
    assert!(client.disconnected().unwrap().is_requested());
    assert!(matches!(events.next().await, Some(ConnectionEvent::Disconnected(_))));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn credentials_need_tls() {
    let stage = Stage::new().await;
    let error = Client::builder("mqtt://localhost").credentials(Arc::new(stage.credentials.clone())).connect().await;
    assert!(matches!(error.unwrap_err().kind(), gridmq_client::error::ConnectErrorKind::IdentityWithoutTls));
}

#[tokio::test]
async fn a_generation_that_comes_during_the_move_is_used_next() {
    let stage = Stage::new().await;
    let (client, server, _) = stage.connected(stage.builder(), Version::V5).await;
    stage.publish("two");
    leaves(server).await;
    let (mut server, subject) = stage.take(Version::V5).await;
    assert_eq!(subject, "CN=two");
    stage.publish("three");
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.accept(true, <_>::default()).await;
    leaves(server).await;
    let (_server, subject, _) = stage.accept(Version::V5, true).await;
    assert_eq!(subject, "CN=three");
    client
        .state()
        .wait_for(|state| matches!(state, ConnectionState::Connected(info) if info.generation == Some(3)))
        .await
        .unwrap();
}

#[tokio::test]
async fn a_subscription_that_was_not_made_again_in_time_is_made_on_the_next_connection() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let (kept, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), server.grant(ReasonCode::GrantedQos1));
    let mut kept = kept.unwrap();
    stage.publish("two");
    leaves(server).await;
    let (mut server, ..) = stage.accept(Version::V5, false).await;
    assert_eq!(server.subscribe().await.filters[0].filter.as_str(), "a");
    // The client waits for the answer before it leaves again; the server goes without one.
    let mut state = client.state();
    stage.publish("three");
    state.wait_for(|state| matches!(state, ConnectionState::Rotating { from: 2, .. })).await.unwrap();
    server.silence().await;
    drop(server);
    let (mut server, ..) = stage.accept(Version::V5, true).await;
    assert_eq!(server.grant(ReasonCode::GrantedQos1).await.filters[0].filter.as_str(), "a");
    server.deliver("a", "hello", QoS::AtLeastOnce, 1).await;
    assert_eq!(kept.next().await.unwrap().text(), Some("hello"));
}

/// The client is on its way and does not get there.
async fn away(stage: &Stage, builder: Options) -> Client {
    let (client, server, _) = stage.connected(builder, Version::V5).await;
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    leaves(server).await;
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { .. })));
    client
}

#[tokio::test]
async fn requests_that_wait_do_not_keep_the_client_from_leaving() {
    let stage = Stage::new().await;
    let client = away(&stage, stage.builder()).await;
    let waiting: Vec<_> = (0..300)
        .map(|number| tokio::spawn(client.subscribe(format!("a/{number}"), QoS::AtLeastOnce).into_future()))
        .collect();
    tokio::time::sleep(Duration::from_millis(100)).await;
    timeout(Duration::from_secs(5), client.disconnect().into_future()).await.unwrap().unwrap();
    for request in waiting {
        assert!(request.await.unwrap().is_err());
    }
}

#[tokio::test]
async fn a_client_that_is_dropped_on_the_way_leaves_no_task_behind() {
    let stage = Stage::new().await;
    let client = away(&stage, stage.builder()).await;
    let mut events = support::events_from_now(&client);
    drop(client);
    let last = timeout(Duration::from_secs(5), async {
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        last
    });
    assert!(matches!(last.await.unwrap(), Some(ConnectionEvent::Disconnected(cause)) if cause.is_requested()));
}

#[tokio::test]
async fn a_message_of_qos_2_is_handed_on_once() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::ExactlyOnce).into_future(), server.grant(ReasonCode::GrantedQos2));
    let mut subscription = subscription.unwrap();
    server.deliver("a", "once", QoS::ExactlyOnce, 7).await;
    // It has arrived when what was sent after it is answered.
    server.send(Packet::PubRel(Ack::new(PacketId::new(9).unwrap(), ReasonCode::Success))).await;
    assert!(matches!(server.packet().await, Packet::PubComp(_)));
    stage.publish("two");
    leaves(server).await;
    // The application takes it while there is no connection that it could be acknowledged on.
    assert_eq!(subscription.next().await.unwrap().text(), Some("once"));
    let (mut server, ..) = stage.accept(Version::V5, true).await;
    let again = Publish { dup: true, ..support::message("a", "once", QoS::ExactlyOnce, 7) };
    server.send(Packet::Publish(again)).await;
    let Packet::PubRec(ack) = server.packet().await else { panic!() };
    assert_eq!(ack.packet_id.get(), 7);
    server.send(Packet::PubRel(Ack::new(ack.packet_id, ReasonCode::Success))).await;
    assert!(matches!(server.packet().await, Packet::PubComp(ack) if ack.packet_id.get() == 7));
    server.deliver("a", "next", QoS::ExactlyOnce, 8).await;
    assert_eq!(subscription.next().await.unwrap().text(), Some("next"));
}

#[tokio::test]
async fn a_message_of_qos_2_goes_on_where_it_was() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let publishing = |payload| tokio::spawn(client.publish("a", payload).qos(QoS::ExactlyOnce).into_future());
    let first = publishing("first");
    let taken = server.publish().await.packet_id.unwrap();
    server.send(Packet::PubRec(Ack::new(taken, ReasonCode::Success))).await;
    assert!(matches!(server.packet().await, Packet::PubRel(ack) if ack.packet_id == taken));
    let second = publishing("second");
    let sent = server.publish().await.packet_id.unwrap();
    let mut state = client.state();
    stage.publish("two");
    state.wait_for(|state| matches!(state, ConnectionState::Rotating { .. })).await.unwrap();
    drop(server);
    let (mut server, ..) = stage.accept(Version::V5, true).await;
    for _ in 0..2 {
        match server.packet().await {
            Packet::PubRel(ack) => {
                assert_eq!(ack.packet_id, taken);
                server.send(Packet::PubComp(Ack::new(taken, ReasonCode::Success))).await;
            }
            Packet::Publish(publish) => {
                assert_eq!((publish.packet_id, publish.dup), (Some(sent), true));
                server.send(Packet::PubRec(Ack::new(sent, ReasonCode::Success))).await;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(matches!(server.packet().await, Packet::PubRel(ack) if ack.packet_id == sent));
    server.send(Packet::PubComp(Ack::new(sent, ReasonCode::Success))).await;
    first.await.unwrap().unwrap();
    second.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_late_acknowledgement_does_not_count_for_another_message() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let (subscription, _) = tokio::join!(
        client.subscribe("a", QoS::AtLeastOnce).manual_ack().into_future(),
        server.grant(ReasonCode::GrantedQos1)
    );
    let mut subscription = subscription.unwrap();
    server.deliver("a", "old", QoS::AtLeastOnce, 1).await;
    let mut old = subscription.next().await.unwrap();
    stage.publish("two");
    leaves(server).await;
    old.ack();
    let (mut server, ..) = stage.accept(Version::V5, true).await;
    server.deliver("a", "new", QoS::AtLeastOnce, 1).await;
    let mut new = subscription.next().await.unwrap();
    assert_eq!(new.text(), Some("new"));
    server.silence().await;
    new.ack();
    assert_eq!(server.puback().await.packet_id.get(), 1);
}

#[tokio::test]
async fn mqtt_3_1_1_keeps_the_session_that_the_application_asked_for() {
    let stage = Stage::new().await;
    let builder = stage.builder().clean_start(false);
    let (client, mut server, connect) = stage.connected(builder, Version::V3_1_1).await;
    assert!(!connect.clean_start);
    let publish = tokio::spawn(client.publish("a", "once").qos(QoS::AtLeastOnce).into_future());
    let id = server.publish().await.packet_id;
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { .. })));
    drop(server);
    let (mut server, _, connect) = stage.accept(Version::V3_1_1, true).await;
    assert!(!connect.clean_start);
    let again = server.publish().await;
    assert_eq!((again.packet_id, again.dup), (id, true));
    acknowledge(&mut server, id.unwrap()).await;
    publish.await.unwrap().unwrap();
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotated { session_present: true, .. })));
}

#[tokio::test]
async fn mqtt_3_1_1_tells_that_a_clean_session_does_not_survive() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V3_1_1).await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), server.grant(ReasonCode::GrantedQos1));
    let _subscription = subscription.unwrap();
    let mut events = support::events_from_now(&client);
    stage.publish("two");
    leaves(server).await;
    let (mut server, _, connect) = stage.accept(Version::V3_1_1, false).await;
    assert!(connect.clean_start);
    server.grant(ReasonCode::GrantedQos1).await;
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotating { .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::Rotated { session_present: false, .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::SessionLost)));
}

#[tokio::test]
async fn a_server_that_answers_nothing_does_not_stop_the_move() {
    let stage = Stage::new().await;
    let (client, mut server, _) = stage.connected(stage.builder(), Version::V5).await;
    let publish = tokio::spawn(client.publish("a", "once").qos(QoS::AtLeastOnce).into_future());
    let id = server.publish().await.packet_id.unwrap();
    stage.publish("two");
    // After the time for answers, and without the server's closing.
    assert!(matches!(timeout(Duration::from_secs(10), server.packet()).await.unwrap(), Packet::Disconnect(_)));
    let (mut new, ..) = stage.accept(Version::V5, true).await;
    let again = new.publish().await;
    assert_eq!((again.packet_id, again.dup), (Some(id), true));
    acknowledge(&mut new, id).await;
    publish.await.unwrap().unwrap();
    // The connection that was left is not kept open beside the new one.
    assert!(server.next().await.is_none());
}
