//! Server certificates that are replaced while the broker runs.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use gridmq_broker::{Broker, Listener, SetTlsError};
use gridmq_client::{Client, QoS};
use gridmq_testkit::authority::{Authority, identity, unix_now};
use gridmq_tls::client::ConfigError;
use gridmq_tls::credentials::Published;
use gridmq_tls::issue::Validity;
use gridmq_tls::{ClientAuth, Identity, ServerConfig};

const LOOPBACK: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

fn server(authority: &Authority, name: &str) -> Identity {
    identity(&authority.intermediate.issue_server([name, "localhost"], Validity::days(unix_now(), 1)).unwrap())
}

fn config(identity: Identity) -> Result<ServerConfig, ConfigError> {
    ServerConfig::builder().identity(identity).client_certificate(ClientAuth::Off).build()
}

async fn connect(authority: &Authority, broker: &Broker, client_id: &str) -> Client {
    let port = broker.addresses()[0].port();
    let builder = Client::builder(&format!("mqtts://localhost:{port}")).trust(authority.trust());
    builder.client_id(client_id).connect().await.unwrap()
}

/// The subject of the server's leaf.
fn shown(client: &Client) -> String {
    client.info().unwrap().tls.as_ref().unwrap().peer_chain[0].clone()
}

#[tokio::test]
async fn new_connections_get_the_new_certificate_and_old_ones_stay() {
    let authority = Authority::new("Servers");
    let listener = Listener::tls(LOOPBACK, config(server(&authority, "one.test")).unwrap());
    let broker = Broker::builder().workers(1).listener(listener).listener(Listener::plain(LOOPBACK));
    let broker = broker.start().await.unwrap();
    let old = connect(&authority, &broker, "old").await;
    let mut messages = old.subscribe("a", QoS::AtLeastOnce).await.unwrap();
    let two = server(&authority, "two.test");
    let print = two.thumbprint_sha256().to_owned();
    broker.set_tls(0, config(two).unwrap()).unwrap();
    let new = connect(&authority, &broker, "new").await;
    assert_ne!(shown(&old), shown(&new));
    assert!(shown(&new).contains("two.test"), "{}", shown(&new));
    new.publish("a", "hello").qos(QoS::AtLeastOnce).await.unwrap();
    assert_eq!(messages.next().await.unwrap().text(), Some("hello"));
    let [credentials] = &broker.credentials()[..] else { panic!("one listener has TLS") };
    assert_eq!((credentials.address.tcp(), &credentials.thumbprint_sha256), (Some(broker.addresses()[0]), &print));
    assert_eq!((credentials.status.generation, credentials.status.reloads), (2, 1));
    let again = || config(server(&authority, "three.test")).unwrap();
    assert_eq!(broker.set_tls(1, again()), Err(SetTlsError::Plain { index: 1 }));
    assert_eq!(broker.set_tls(2, again()), Err(SetTlsError::NoListener { index: 2, listeners: 2 }));
}

#[tokio::test]
async fn a_listener_follows_its_credentials_and_keeps_what_works() {
    let authority = Authority::new("Servers");
    let credentials = Published::new(server(&authority, "one.test"));
    let refused = server(&authority, "refused.test");
    let print = refused.thumbprint_sha256().to_owned();
    let make = move |identity: Identity| {
        if identity.thumbprint_sha256() == print { Err(ConfigError::NoVersion) } else { config(identity) }
    };
    let listener = Listener::tls_with(LOOPBACK, Arc::new(credentials.clone()), make).unwrap();
    let broker = Broker::builder().workers(1).listener(listener).start().await.unwrap();
    assert!(shown(&connect(&authority, &broker, "a").await).contains("one.test"));
    credentials.publish(server(&authority, "two.test"));
    wait(&broker, |status| status.generation == 2).await;
    assert!(shown(&connect(&authority, &broker, "b").await).contains("two.test"));
    credentials.publish(refused);
    wait(&broker, |status| status.failures == 1).await;
    let [listener] = &broker.credentials()[..] else { panic!("one listener has TLS") };
    assert_eq!(listener.status.generation, 2);
    assert!(listener.status.last_error.is_some());
    assert!(shown(&connect(&authority, &broker, "c").await).contains("two.test"));
    // What the source of the certificates complains about shows too.
    credentials.failed("the disk is full");
    wait(&broker, |status| status.failures == 2).await;
}

async fn wait(broker: &Broker, until: impl Fn(&gridmq_tls::CredentialStatus) -> bool) {
    tokio::time::timeout(Duration::from_secs(10), async {
        while !until(&broker.credentials()[0].status) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
}
