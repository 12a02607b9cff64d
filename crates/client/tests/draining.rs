//! A server that ends the connection in the middle of a message that it does not want.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_client::error::DisconnectKind;
use gridmq_client::{Client, PublishError, QoS, ReasonCode, Version};
use gridmq_proto::packet::{Disconnect, DisconnectProperties, Packet};
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{ClientAuth, Identity, ServerConfig, Trust};
use support::Peer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;

const TRIES: usize = 20;
const LARGE: usize = 600 * 1024;

/// Reads a little of the message, says why it goes, and goes: what it leaves unread makes the system reset the
/// connection.
async fn refuse(mut server: Peer<impl AsyncRead + AsyncWrite + Unpin>) {
    server.accept(false, <_>::default()).await;
    let mut some = vec![0; 4096];
    assert!(server.io.read(&mut some).await.unwrap() > 0);
    let properties = DisconnectProperties::default();
    server.send(Packet::Disconnect(Disconnect { reason: ReasonCode::PacketTooLarge, properties })).await;
    // On its way before the reset is.
    tokio::time::sleep(Duration::from_millis(1)).await;
}

async fn refused(client: &Client) {
    let outcome = client.publish("a", vec![7; LARGE]).qos(QoS::AtLeastOnce).await;
    let Err(PublishError::Disconnected { cause, .. }) = outcome else { panic!("{outcome:?}") };
    assert!(matches!(cause.kind(), DisconnectKind::Server(ReasonCode::PacketTooLarge)), "{cause}");
    assert_eq!(cause.id(), Some(gridmq_tls::catalogue::Id::G03));
}

#[tokio::test]
async fn a_reason_that_comes_while_a_large_message_is_written_is_not_lost_on_plain_tcp() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..TRIES {
        let serve = async { refuse(Peer::new(listener.accept().await.unwrap().0, Version::V5)).await };
        let work = async {
            let client = Client::builder(&format!("mqtt://127.0.0.1:{port}")).connect().await.unwrap();
            refused(&client).await;
        };
        tokio::join!(serve, work);
    }
}

#[tokio::test]
async fn nor_is_it_over_tls() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 1);
    let root = CertificateAuthority::new_root("Draining Root", validity).unwrap();
    let issued = root.issue_server(["localhost"], validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(identity).client_certificate(ClientAuth::Off).build().unwrap();
    let trust = Trust::only_pem(root.certificate_pem().as_bytes()).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    for _ in 0..TRIES {
        let serve = async {
            let (io, _) = gridmq_tls::stream::accept(listener.accept().await.unwrap().0, &config).await.unwrap();
            refuse(Peer::new(io, Version::V5)).await;
        };
        let work = async {
            let builder = Client::builder(&format!("mqtts://localhost:{port}")).trust(trust.clone());
            refused(&builder.connect().await.unwrap()).await;
        };
        tokio::join!(serve, work);
    }
}
