//! A TLS 1.3 server refuses a client certificate after the client's handshake: over real sockets its
//! reason has to survive the race with what the client already wrote.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Pki, identity};
use gridmq_tls::explain::from_io;
use gridmq_tls::stream::{accept, connect};
use gridmq_tls::{ClientAuth, ClientTrust, ServerConfig, TlsErrorKind, TlsVersion};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[tokio::test]
async fn the_reason_arrives_even_when_the_client_writes_at_once() {
    let pki = Pki::new();
    let server = ServerConfig::builder()
        .identity(identity(&pki.server))
        .client_certificate(ClientAuth::Required)
        .handshake_trust(ClientTrust::Anchors(pki.trust()))
        .versions(TlsVersion::V1_3)
        .build()
        .unwrap();
    let client = pki.anonymous();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for run in 0..50 {
        let serve = async {
            let (socket, _) = listener.accept().await.unwrap();
            accept(socket, &server).await.unwrap_err()
        };
        let device = async {
            let socket = TcpStream::connect(address).await.unwrap();
            let (mut stream, _) = connect(socket, "localhost", &client).await.unwrap();
            let _ = stream.write_all(&[0x10; 2_000]).await;
            let _ = stream.flush().await;
            from_io(&stream.read_u8().await.unwrap_err()).unwrap()
        };
        let (there, here) = tokio::join!(serve, device);
        assert_eq!(there.kind(), TlsErrorKind::CertificateRequired, "run {run}");
        assert_eq!(here.kind(), TlsErrorKind::CertificateRequired, "run {run}: {here}");
        assert_eq!(here.report().alert.as_ref().map(|alert| alert.code), Some(116));
    }
}
