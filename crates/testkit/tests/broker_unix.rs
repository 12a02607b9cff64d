//! Unix sockets.
#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;

use gridmq_broker::{Broker, ListenAddress, Listener, StartError, UnixSocket};
use gridmq_client::{Client, QoS};
use gridmq_namespace::Policy;
use gridmq_proto::{ReasonCode, Version};
use gridmq_testkit::authority::Authority;
use gridmq_testkit::broker::{resources, server_config};
use gridmq_testkit::wire::Wire;
use gridmq_tls::ClientConfig;
use tokio::net::UnixStream;

async fn broker(socket: UnixSocket) -> Result<Broker, StartError> {
    Broker::builder().workers(2).listener(Listener::plain(socket)).start().await
}

async fn wire(path: &Path) -> Wire {
    Wire::over(UnixStream::connect(path).await.unwrap())
}

#[tokio::test]
async fn our_client_speaks_over_a_socket_whose_file_goes_with_the_broker() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mqtt.sock");
    let broker = broker(UnixSocket::new(&path).mode(0o600)).await.unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(broker.addresses().is_empty());
    assert_eq!(
        broker.listening().map(ListenAddress::to_string).collect::<Vec<_>>(),
        [format!("unix://{}", path.display())]
    );
    let client = Client::builder(&format!("unix://{}", path.display())).client_id("local").connect().await.unwrap();
    let mut messages = client.subscribe("a", QoS::AtLeastOnce).await.unwrap();
    client.publish("a", "hello").qos(QoS::AtLeastOnce).await.unwrap();
    assert_eq!(messages.next().await.unwrap().text(), Some("hello"));
    client.disconnect().await.unwrap();
    broker.shutdown().await;
    assert!(!path.exists());
}

#[tokio::test]
async fn a_socket_that_is_left_over_is_replaced_and_nothing_else_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mqtt.sock");
    drop(UnixListener::bind(&path).unwrap());
    assert!(path.exists());
    let first = broker(UnixSocket::new(&path)).await.expect("nobody listens there");
    let error = broker(UnixSocket::new(&path)).await.unwrap_err().to_string();
    assert!(error.contains("another program listens there") && error.contains("mqtt.sock"), "{error}");
    Wire::introduce(wire(&path).await, "still-there", Version::V5, |_| ()).await;
    // Somebody else's socket in its place is left alone.
    std::fs::remove_file(&path).unwrap();
    let _theirs = UnixListener::bind(&path).unwrap();
    first.shutdown().await;
    assert!(path.exists());

    let file = directory.path().join("notes.txt");
    std::fs::write(&file, "mine").unwrap();
    let error = broker(UnixSocket::new(&file)).await.unwrap_err().to_string();
    assert!(error.contains("no socket"), "{error}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
}

#[tokio::test]
async fn a_start_that_fails_leaves_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mqtt.sock");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let both = Broker::builder()
        .listener(Listener::plain(UnixSocket::new(&path)))
        .listener(Listener::plain(taken.local_addr().unwrap()));
    assert!(matches!(both.start().await, Err(StartError::Bind { .. })));
    assert!(!path.exists());
}

#[tokio::test]
async fn names_are_taken_at_their_word_only_where_the_listener_says_so_and_tls_goes_over_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let authority = Authority::new("Local");
    let rules = Policy::compile(resources(&authority), 1).unwrap();
    let broker = Broker::builder()
        .rules(Arc::new(rules))
        .listener(Listener::plain(UnixSocket::new(path("plain"))))
        .listener(Listener::plain(UnixSocket::new(path("trusting"))).trust_plain(true))
        .listener(Listener::tls(UnixSocket::new(path("tls")), server_config(&authority)));
    let _broker = broker.start().await.unwrap();
    for (name, reason) in [("plain", ReasonCode::NotAuthorized), ("trusting", ReasonCode::Success)] {
        let named = |connect: &mut gridmq_proto::packet::Connect| connect.username = Some("client1-authn-ID".into());
        let (_, ack) = wire(&path(name)).await.introduce("client1", Version::V5, named).await;
        assert_eq!(ack.reason, reason, "{name}");
    }
    let identity = gridmq_testkit::authority::identity(&authority.client("client2-authn-ID"));
    let config = ClientConfig::builder().identity(identity).trust(authority.trust()).build().unwrap();
    let stream = UnixStream::connect(path("tls")).await.unwrap();
    let (stream, _) = gridmq_tls::stream::connect(stream, "localhost", &config).await.unwrap();
    let named = |connect: &mut gridmq_proto::packet::Connect| connect.username = Some("client2-authn-ID".into());
    let (_, ack) = Wire::over(stream).introduce("client2", Version::V5, named).await;
    assert_eq!(ack.reason, ReasonCode::Success);
}
