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

/// How a client that was refused after its handshake goes about writing and reading.
#[derive(Debug, Clone, Copy)]
enum Pattern {
    /// CONNECT at once, then read.
    WriteThenRead,
    /// Wait until the server has closed, then write until that fails, and never read.
    WaitThenWriteOnly,
    /// Read before anything is written.
    ReadFirst,
    /// Wait, write until that fails, then read once more.
    WriteFailsThenRead,
}

async fn names_the_alert(pattern: Pattern, runs: usize, pki: &Pki, server: &ServerConfig) {
    let client = pki.anonymous();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for run in 0..runs {
        let serve = async {
            let (socket, _) = listener.accept().await.unwrap();
            accept(socket, server).await.unwrap_err()
        };
        let device = async {
            let socket = TcpStream::connect(address).await.unwrap();
            let (mut stream, _) = connect(socket, "localhost", &client).await.unwrap();
            let write_until_it_fails = async |stream: &mut gridmq_tls::stream::TlsStream<TcpStream>| {
                loop {
                    let written = async {
                        stream.write_all(&[0x10; 4_000]).await?;
                        stream.flush().await
                    };
                    if let Err(error) = written.await {
                        return error;
                    }
                    tokio::task::yield_now().await;
                }
            };
            match pattern {
                Pattern::WriteThenRead => {
                    let _ = stream.write_all(&[0x10; 200]).await;
                    let _ = stream.flush().await;
                    stream.read_u8().await.unwrap_err()
                }
                Pattern::WaitThenWriteOnly => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    write_until_it_fails(&mut stream).await
                }
                Pattern::ReadFirst => stream.read_u8().await.unwrap_err(),
                Pattern::WriteFailsThenRead => {
                    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
                    let _ = write_until_it_fails(&mut stream).await;
                    stream.read_u8().await.unwrap_err()
                }
            }
        };
        let (_, error) = tokio::join!(serve, device);
        let error = from_io(&error).unwrap_or_else(|| panic!("{pattern:?}, run {run}: {error}"));
        assert_eq!(error.report().alert.as_ref().map(|alert| alert.code), Some(116), "{pattern:?}, run {run}: {error}");
        assert_eq!(error.id(), gridmq_tls::Id::E01);
    }
}

#[tokio::test]
async fn the_alert_is_named_whichever_way_a_client_writes_and_reads() {
    let pki = Pki::new();
    let server = ServerConfig::builder()
        .identity(identity(&pki.server))
        .client_certificate(ClientAuth::Required)
        .handshake_trust(ClientTrust::Anchors(pki.trust()))
        .versions(TlsVersion::V1_3)
        .build()
        .unwrap();
    for pattern in [Pattern::WriteThenRead, Pattern::WaitThenWriteOnly, Pattern::ReadFirst, Pattern::WriteFailsThenRead]
    {
        names_the_alert(pattern, 100, &pki, &server).await;
    }
}

#[tokio::test]
async fn what_the_server_said_before_it_closed_is_read_after_writing_failed() {
    let pki = Pki::new();
    let (client, server) = (pki.anonymous(), pki.server());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    for run in 0..50 {
        let serve = async {
            let (socket, _) = listener.accept().await.unwrap();
            let (mut stream, _) = accept(socket, &server).await.unwrap();
            // DISCONNECT, Packet too large.
            stream.write_all(&[0xe0, 1, 0x95]).await.unwrap();
            stream.flush().await.unwrap();
        };
        let device = async {
            let socket = TcpStream::connect(address).await.unwrap();
            let (mut stream, _) = connect(socket, "localhost", &client).await.unwrap();
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
            while stream.write_all(&[0x30; 60_000]).await.is_ok() && stream.flush().await.is_ok() {
                tokio::task::yield_now().await;
            }
            let mut said = [0; 3];
            stream.read_exact(&mut said).await.map(|_| said)
        };
        let ((), said) = tokio::join!(serve, device);
        assert_eq!(said.unwrap(), [0xe0, 1, 0x95], "run {run}");
    }
}
