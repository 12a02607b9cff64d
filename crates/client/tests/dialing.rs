//! Names, ports and what listens there.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::time::Duration;

use gridmq_client::Client;
use gridmq_client::error::{ConnectErrorKind, Side, Stage};
use gridmq_proto::Version;
use gridmq_proto::packet::ConnAckProperties;
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{TlsErrorKind, Trust};
use support::Peer;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn some_trust() -> Trust {
    let root = CertificateAuthority::new_root("Root", Validity::days(1_700_000_000, 36_500)).unwrap();
    Trust::only_pem(root.certificate_pem().as_bytes()).unwrap()
}

#[tokio::test]
async fn a_name_that_does_not_exist_fails_at_the_name() {
    let error = Client::builder("mqtt://no-such-host.invalid").connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Name, Side::Network));
    assert!(error.to_string().contains("no-such-host.invalid"));
}

#[tokio::test]
async fn a_port_where_nothing_listens_names_every_address() {
    let (listener, port) = listener().await;
    drop(listener);
    let error = Client::builder(&format!("mqtt://localhost:{port}")).connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Tcp, Side::Network));
    let ConnectErrorKind::Tcp(attempts) = error.kind() else { panic!("{error}") };
    assert!(attempts.iter().any(|attempt| attempt.address.is_ipv4()));
    for attempt in attempts {
        assert!(attempt.error.is_some());
        assert!(error.to_string().contains(&attempt.address.to_string()));
    }
}

#[tokio::test]
async fn the_address_that_answers_is_taken_and_told() {
    let (listener, port) = listener().await;
    let serve = async {
        let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
        server.accept(false, ConnAckProperties::default()).await;
        server
    };
    let address = format!("mqtt://localhost:{port}");
    let (client, _server) = tokio::join!(Client::builder(&address).connect(), serve);
    assert_eq!(client.unwrap().info().unwrap().address.unwrap().port(), port);
}

#[tokio::test]
async fn mqtt_without_tls_on_the_port_is_told_to_who_wants_tls() {
    let (listener, port) = listener().await;
    let serve = async {
        let (mut io, _) = listener.accept().await.unwrap();
        let mut hello = [0; 64];
        assert!(io.read(&mut hello).await.unwrap() > 0);
        // What a broker that answers garbage at all says.
        io.write_all(b"\x20\x02\x00\x01").await.unwrap();
        io.shutdown().await.unwrap();
        let mut rest = Vec::new();
        io.read_to_end(&mut rest).await.ok();
    };
    let builder = Client::builder(&format!("mqtts://localhost:{port}")).trust(some_trust());
    let (failed, ()) = tokio::join!(builder.connect(), serve);
    let error = failed.unwrap_err();
    assert_eq!(error.stage(), Stage::Tls);
    let ConnectErrorKind::Tls(tls) = error.kind() else { panic!("{error}") };
    assert!(matches!(tls.kind(), TlsErrorKind::NotTls(_)), "{error}");
}

#[tokio::test]
async fn a_server_that_closes_on_the_hello_fails_at_tls() {
    let (listener, port) = listener().await;
    let serve = async { drop(listener.accept().await.unwrap()) };
    let builder = Client::builder(&format!("mqtts://localhost:{port}")).trust(some_trust());
    let (failed, ()) = tokio::join!(builder.connect(), serve);
    let error = failed.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Tls, Side::Server), "{error}");
}

#[tokio::test]
async fn a_tls_handshake_that_never_answers_runs_into_the_deadline() {
    let (_listener, port) = listener().await;
    let builder = Client::builder(&format!("mqtts://127.0.0.1:{port}")).trust(some_trust());
    let error = builder.connect_timeout(Duration::from_millis(100)).connect().await.unwrap_err();
    assert_eq!(error.stage(), Stage::Tls);
    assert!(matches!(error.kind(), ConnectErrorKind::Timeout { .. }));
}
