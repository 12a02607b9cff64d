//! Coming back after the connection was lost, with a server that does what its test tells it to.
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

use gridmq_client::auth::User;
use gridmq_client::error::{ConnectErrorKind, DisconnectKind};
use gridmq_client::{
    Client, ConnectionEvent, ConnectionState, Decision, Options, QoS, ReasonCode, Reconnect, Setback, Version,
};
use gridmq_proto::packet::{Ack, ConnAck, ConnAckProperties, Connect, Disconnect, DisconnectProperties, Packet};
use support::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

struct Server(TcpListener);

impl Server {
    async fn new() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    fn options(&self) -> Options {
        Client::builder(&format!("mqtt://127.0.0.1:{}", self.port())).client_id("returning").reconnect(quick())
    }

    async fn take(&self) -> Peer<TcpStream> {
        let (tcp, _) = timeout(SOON, self.0.accept()).await.expect("the client comes").unwrap();
        Peer::new(tcp, Version::V5)
    }

    async fn accept(&self, session_present: bool) -> (Peer<TcpStream>, Connect) {
        let mut peer = self.take().await;
        let connect = peer.accept(session_present, <_>::default()).await;
        (peer, connect)
    }

    async fn refuse(&self, reason: ReasonCode, properties: ConnAckProperties) -> Connect {
        let mut peer = self.take().await;
        let connect = peer.connect().await;
        peer.send(Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties }))).await;
        peer.hang_up().await;
        connect
    }

    async fn connected(&self, options: Options) -> (Client, Peer<TcpStream>, Connect) {
        let (client, (peer, connect)) = tokio::join!(options.connect(), self.accept(false));
        (client.unwrap(), peer, connect)
    }
}

fn quick() -> Reconnect {
    Reconnect::new().first_wait(Duration::from_millis(10)).longest_wait(Duration::from_millis(50))
}

async fn leave(mut peer: Peer<TcpStream>, reason: ReasonCode, properties: DisconnectProperties) {
    peer.send(Packet::Disconnect(Disconnect { reason, properties })).await;
    peer.hang_up().await;
}

async fn ended(client: &Client) -> gridmq_client::DisconnectCause {
    let mut state = client.state();
    let over = state.wait_for(|state| matches!(state, ConnectionState::Disconnected(_)));
    timeout(SOON, over).await.expect("an end").unwrap();
    client.disconnected().unwrap()
}

#[tokio::test]
async fn a_lost_connection_comes_back_with_its_session_and_what_it_owed() {
    let server = Server::new().await;
    let (client, mut peer, connect) = server.connected(server.options()).await;
    assert!(connect.clean_start);
    assert_eq!(connect.properties.session_expiry_interval, Some(300));
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), peer.grant(ReasonCode::GrantedQos1));
    let mut subscription = subscription.unwrap();
    let publish = tokio::spawn(client.publish("b", "once").qos(QoS::AtLeastOnce).into_future());
    let id = peer.publish().await.packet_id;
    let mut events = support::events_from_now(&client);
    drop(peer);
    let (mut peer, connect) = server.accept(true).await;
    assert!(!connect.clean_start);
    let lost = events.next().await;
    assert!(matches!(&lost, Some(ConnectionEvent::Lost { cause, .. }) if !cause.is_requested()), "{lost:?}");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Connected { session_present: true })));
    let again = peer.publish().await;
    assert_eq!((again.packet_id, again.dup), (id, true));
    peer.send(Packet::PubAck(Ack::new(id.unwrap(), ReasonCode::Success))).await;
    publish.await.unwrap().unwrap();
    peer.deliver("a", "still there", QoS::AtLeastOnce, 1).await;
    assert_eq!(subscription.next().await.unwrap().text(), Some("still there"));
}

#[tokio::test]
async fn a_lost_session_is_told_and_subscribed_to_again() {
    let server = Server::new().await;
    let (client, mut peer, _) = server.connected(server.options()).await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), peer.grant(ReasonCode::GrantedQos1));
    let mut subscription = subscription.unwrap();
    let mut events = support::events_from_now(&client);
    drop(peer);
    let (mut peer, _) = server.accept(false).await;
    assert_eq!(peer.grant(ReasonCode::GrantedQos1).await.filters[0].filter.as_str(), "a");
    assert!(matches!(events.next().await, Some(ConnectionEvent::Lost { .. })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::Connected { session_present: false })));
    assert!(matches!(events.next().await, Some(ConnectionEvent::SessionLost)));
    peer.deliver("a", "again", QoS::AtMostOnce, 0).await;
    assert_eq!(subscription.next().await.unwrap().text(), Some("again"));
}

#[tokio::test]
async fn a_subscription_that_was_dropped_meanwhile_is_given_up_afterwards() {
    let server = Server::new().await;
    let (client, mut peer, _) = server.connected(server.options()).await;
    let (subscription, _) =
        tokio::join!(client.subscribe("a", QoS::AtLeastOnce).into_future(), peer.grant(ReasonCode::GrantedQos1));
    drop(peer);
    let mut peer = server.take().await;
    drop(subscription);
    tokio::time::sleep(Duration::from_millis(20)).await;
    peer.accept(true, <_>::default()).await;
    assert_eq!(peer.release().await, "a");
}

#[tokio::test]
async fn a_started_client_takes_messages_before_there_is_a_server() {
    let reserved = Server::new().await;
    let (port, options) = (reserved.port(), reserved.options());
    drop(reserved);
    let client = options.start().unwrap();
    assert!(client.info().is_none());
    let publish = tokio::spawn(client.publish("a", "early").qos(QoS::AtLeastOnce).into_future());
    let mut state = client.state();
    let waiting = state.wait_for(|state| {
        matches!(state, ConnectionState::Waiting { why: Setback::Failed(error), attempts, .. }
            if matches!(error.kind(), ConnectErrorKind::Tcp(_)) && *attempts >= 2)
    });
    timeout(SOON, waiting).await.unwrap().unwrap();
    let server = Server(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
    let (mut peer, _) = server.accept(false).await;
    let early = peer.publish().await;
    assert_eq!((&early.payload[..], early.dup), (&b"early"[..], false));
    peer.send(Packet::PubAck(Ack::new(early.packet_id.unwrap(), ReasonCode::Success))).await;
    publish.await.unwrap().unwrap();
}

#[tokio::test]
async fn who_connects_and_waits_hears_of_the_first_failure() {
    let server = Server::new().await;
    let (outcome, _) = tokio::join!(server.options().connect(), server.refuse(ReasonCode::ServerBusy, <_>::default()));
    assert_eq!(outcome.unwrap_err().reason(), Some(ReasonCode::ServerBusy));
}

#[tokio::test]
async fn a_busy_server_is_asked_again() {
    let server = Server::new().await;
    let client = server.options().start().unwrap();
    for _ in 0..3 {
        server.refuse(ReasonCode::ServerBusy, <_>::default()).await;
    }
    let (_peer, _) = server.accept(false).await;
    let mut state = client.state();
    timeout(SOON, state.wait_for(|state| matches!(state, ConnectionState::Connected(_)))).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_final_refusal_ends_the_client() {
    let server = Server::new().await;
    let client = server.options().start().unwrap();
    server.refuse(ReasonCode::NotAuthorized, <_>::default()).await;
    let cause = ended(&client).await;
    assert!(matches!(cause.kind(), DisconnectKind::Unreachable(error)
        if error.reason() == Some(ReasonCode::NotAuthorized)));
}

#[tokio::test]
async fn a_session_that_was_taken_over_is_not_taken_back() {
    let server = Server::new().await;
    let (client, peer, _) = server.connected(server.options()).await;
    leave(peer, ReasonCode::SessionTakenOver, <_>::default()).await;
    assert!(matches!(ended(&client).await.kind(), DisconnectKind::Server(ReasonCode::SessionTakenOver)));
}

#[tokio::test]
async fn without_reconnecting_a_lost_connection_is_the_end() {
    let server = Server::new().await;
    let (client, peer, connect) = server.connected(server.options().reconnect(Reconnect::never())).await;
    assert_eq!(connect.properties.session_expiry_interval, None);
    drop(peer);
    assert!(matches!(ended(&client).await.kind(), DisconnectKind::Closed | DisconnectKind::Network(_)));
}

#[tokio::test]
async fn the_application_can_overrule_and_come_back_as_another() {
    let server = Server::new().await;
    let policy = quick().judge(|failure| match failure.reason() {
        Some(ReasonCode::BadUserNameOrPassword) => {
            Decision::retry().after(Duration::from_millis(5)).with_user(User::new("new").with_password("secret"))
        }
        Some(ReasonCode::ServerBusy) => Decision::stop(),
        _ => Decision::by_table(),
    });
    let client = server.options().username("old").reconnect(policy).start().unwrap();
    assert_eq!(server.refuse(ReasonCode::BadUserNameOrPassword, <_>::default()).await.username.unwrap(), "old");
    let connect = server.refuse(ReasonCode::ServerBusy, <_>::default()).await;
    assert_eq!((connect.username.unwrap(), &connect.password.unwrap()[..]), ("new".into(), &b"secret"[..]));
    assert!(matches!(ended(&client).await.kind(), DisconnectKind::Unreachable(_)));
}

#[tokio::test]
async fn a_server_reference_is_followed_only_when_asked() {
    let (first, second) = (Server::new().await, Server::new().await);
    let reference = Some(format!("127.0.0.1:{}", second.port()).into());
    let properties = || ConnAckProperties { server_reference: reference.clone(), ..ConnAckProperties::default() };
    let options = first.options().reconnect(quick().follow_server_reference());
    let (client, _, (peer, _)) =
        tokio::join!(options.connect(), first.refuse(ReasonCode::UseAnotherServer, properties()), second.accept(false));
    let client = client.unwrap();
    assert_eq!(client.info().unwrap().address.unwrap().port(), second.port());
    // And back, by DISCONNECT.
    let server_reference = Some(format!("127.0.0.1:{}", first.port()).into());
    let properties = DisconnectProperties { server_reference, ..DisconnectProperties::default() };
    leave(peer, ReasonCode::ServerMoved, properties).await;
    first.accept(true).await;
    let properties = ConnAckProperties { server_reference: reference.clone(), ..ConnAckProperties::default() };
    let (outcome, _) = tokio::join!(first.options().connect(), first.refuse(ReasonCode::UseAnotherServer, properties));
    let error = outcome.unwrap_err();
    assert_eq!((error.reason(), error.server_reference()), (Some(ReasonCode::UseAnotherServer), reference.as_deref()));
}

#[tokio::test]
async fn servers_that_send_us_round_in_circles_are_left() {
    let server = Server::new().await;
    let reference = Some(format!("127.0.0.1:{}", server.port()).into());
    let properties = ConnAckProperties { server_reference: reference, ..ConnAckProperties::default() };
    let serve = async {
        for _ in 0..5 {
            server.refuse(ReasonCode::UseAnotherServer, properties.clone()).await;
        }
    };
    let options = server.options().reconnect(quick().follow_server_reference());
    let (outcome, ()) = tokio::join!(options.connect(), serve);
    assert_eq!(outcome.unwrap_err().reason(), Some(ReasonCode::UseAnotherServer));
}

#[tokio::test]
async fn leaving_while_there_is_no_connection_ends_at_once() {
    let server = Server::new().await;
    let slow = Reconnect::new().first_wait(Duration::from_secs(600)).longest_wait(Duration::from_secs(600));
    let (client, peer, _) = server.connected(server.options().reconnect(slow)).await;
    let mut state = client.state();
    drop(peer);
    let waiting = state.wait_for(|state| matches!(state, ConnectionState::Waiting { why: Setback::Lost(_), .. }));
    timeout(SOON, waiting).await.unwrap().unwrap();
    timeout(SOON, client.disconnect().into_future()).await.unwrap().unwrap();
    assert!(ended(&client).await.is_requested());
}

#[tokio::test]
async fn a_client_that_nobody_holds_any_more_leaves_no_task_behind() {
    let server = Server::new().await;
    // Never accepted: the attempt waits for CONNACK.
    let client = server.options().start().unwrap();
    let mut events = client.events();
    let mut peer = server.take().await;
    peer.connect().await;
    drop(client);
    let last = timeout(SOON, async {
        let mut last = None;
        while let Some(event) = events.next().await {
            last = Some(event);
        }
        last
    });
    assert!(matches!(last.await.unwrap(), Some(ConnectionEvent::Disconnected(cause)) if cause.is_requested()));
    assert!(peer.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_dead_link_is_noticed_within_one_and_a_half_keep_alives() {
    let (connect, mut peer) = support::pair(Version::V5);
    let options = support::builder().keep_alive(Duration::from_secs(20));
    let (client, _) = tokio::join!(connect(options), peer.accept(false, <_>::default()));
    let client = client.unwrap();
    let begun = tokio::time::Instant::now();
    // A stream of QoS 0 messages hides nothing: nothing comes back.
    let publisher = tokio::spawn({
        let client = client.clone();
        async move {
            while client.publish("a", "b").await.is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    });
    let cause = {
        let mut state = client.state();
        state.wait_for(|state| matches!(state, ConnectionState::Disconnected(_))).await.unwrap();
        client.disconnected().unwrap()
    };
    assert!(matches!(cause.kind(), DisconnectKind::KeepAlive), "{cause}");
    assert!(begun.elapsed() <= Duration::from_secs(30), "{:?}", begun.elapsed());
    publisher.await.unwrap();
    drop(peer);
}

#[tokio::test]
async fn each_address_names_its_own_user() {
    let (first, second) = (Server::new().await, Server::new().await);
    let options = Client::builder(&format!("mqtt://one:1@127.0.0.1:{}", first.port()))
        .server(&format!("mqtt://two@127.0.0.1:{}", second.port()))
        .client_id("several")
        .reconnect(quick());
    let (client, refused, (_peer, taken)) =
        tokio::join!(options.connect(), first.refuse(ReasonCode::ServerBusy, <_>::default()), second.accept(false));
    client.unwrap();
    assert_eq!((refused.username.unwrap(), &refused.password.unwrap()[..]), ("one".into(), &b"1"[..]));
    assert_eq!((taken.username.unwrap(), taken.password), ("two".into(), None));
}

#[tokio::test]
async fn a_session_expiry_of_zero_is_taken_at_its_word() {
    let server = Server::new().await;
    let (_client, _peer, connect) = server.connected(server.options().session_expiry(Duration::ZERO)).await;
    assert_eq!(connect.properties.session_expiry_interval, Some(0));
}

#[tokio::test]
async fn servers_that_take_us_and_send_us_to_each_other_are_left() {
    let server = Server::new().await;
    let server_reference = Some(format!("127.0.0.1:{}", server.port()).into());
    let properties = DisconnectProperties { server_reference, ..DisconnectProperties::default() };
    let (client, peer, _) = server.connected(server.options().reconnect(quick().follow_server_reference())).await;
    leave(peer, ReasonCode::ServerMoved, properties.clone()).await;
    for _ in 0..4 {
        let (peer, _) = server.accept(false).await;
        leave(peer, ReasonCode::ServerMoved, properties.clone()).await;
    }
    // Accepting and leaving may come in one read, which is a connection refused.
    assert_eq!(ended(&client).await.reason(), Some(ReasonCode::ServerMoved));
}
