//! Peers that do not speak TLS, or stop speaking.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::Pki;
use gridmq_tls::TlsErrorKind;
use gridmq_tls::explain::Side;
use gridmq_tls::first_bytes::FirstBytes;
use gridmq_tls::stream::{accept, connect};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

#[tokio::test]
async fn a_client_without_tls_on_the_tls_port_is_recognised() {
    let pki = Pki::new();
    for (bytes, expected) in [
        (&b"\x10\x0e\x00\x04MQTT\x05\x02\x00\x3c\x00\x00\x01a"[..], TlsErrorKind::NotTls(FirstBytes::Mqtt)),
        (b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", TlsErrorKind::NotTls(FirstBytes::Http)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff", TlsErrorKind::NotTls(FirstBytes::Unknown)),
        (b"\x16\x03\x01\xff\xff\xff\xff", TlsErrorKind::Violation),
        (b"", TlsErrorKind::ClosedDuringHandshake),
        (b"\x16\x03\x01\x00\x40\x01", TlsErrorKind::ClosedDuringHandshake),
    ] {
        let (mut near, far) = tokio::io::duplex(64 * 1024);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let error = accept(far, &pki.server()).await.unwrap_err();
        assert_eq!(error.kind(), expected, "{bytes:?}: {error}");
    }
}

#[tokio::test]
async fn a_server_without_tls_is_recognised() {
    let pki = Pki::new();
    for (bytes, expected) in [
        (&b"HTTP/1.1 400 Bad Request\r\n\r\n"[..], TlsErrorKind::NotTls(FirstBytes::Http)),
        (b"SSH-2.0-OpenSSH_9.2\r\n", TlsErrorKind::NotTls(FirstBytes::Ssh)),
        (b"\x20\x02\x00\x05", TlsErrorKind::NotTls(FirstBytes::Mqtt)),
        (b"", TlsErrorKind::ClosedDuringHandshake),
    ] {
        let (near, mut far) = tokio::io::duplex(64 * 1024);
        let config = pki.client();
        let server = async {
            far.read_u8().await.unwrap();
            far.write_all(bytes).await.unwrap();
            drop(far);
        };
        let (error, ()) = tokio::join!(connect(near, "localhost", &config), server);
        assert_eq!(error.unwrap_err().kind(), expected, "{bytes:?}");
    }
}

#[tokio::test]
async fn a_peer_that_closes_is_told_from_one_that_refuses() {
    let pki = Pki::new();
    let (near, far) = tokio::io::duplex(64 * 1024);
    drop(far);
    let error = connect(near, "localhost", &pki.client()).await.unwrap_err();
    assert_eq!((error.kind(), error.side()), (TlsErrorKind::ClosedDuringHandshake, Side::Peer));
}
