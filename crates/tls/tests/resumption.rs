//! No connection carries the identity of an earlier one, whatever the other side offers (class 15).
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::ca::{Ca, Leaf, client_params, server_params};
use common::raw::{self, Client};
use gridmq_tls::credentials::Published;
use gridmq_tls::stream::{accept, connect};
use gridmq_tls::{
    Certificate, ClientAuth, ClientConfig, ClientTrust, CredentialProvider, ServerConfig, TlsVersion, Trust,
    TrustSource,
};
use rustls::HandshakeKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

const BOTH: [TlsVersion; 2] = [TlsVersion::V1_2, TlsVersion::V1_3];

struct Pki {
    root: Ca,
    server: Leaf,
    one: Leaf,
    two: Leaf,
}

impl Pki {
    fn new() -> Self {
        let root = Ca::root("Root");
        let server = root.issue(&server_params("localhost"), &[]);
        let one = root.issue(&client_params("one"), &[]);
        let two = root.issue(&client_params("two"), &[]);
        Self { root, server, one, two }
    }

    fn root(&self) -> &Certificate {
        &self.root.certificate
    }

    fn trust(&self) -> Trust {
        Trust::only(TrustSource::Certificates(vec![self.root().clone()])).unwrap()
    }
}

/// Without this the other tests here would prove nothing: these peers do resume, with the old identity.
#[tokio::test]
async fn the_peers_here_do_carry_an_old_identity_when_both_resume() {
    let pki = Pki::new();
    for version in BOTH {
        for tickets in [true, false] {
            let server = raw::resuming_server(&pki.server, pki.root(), version, tickets);
            let client = Client::new(&pki.one, pki.root(), version);
            for round in 0..2 {
                let (near, far) = duplex(64 * 1024);
                let (_, (kind, leaf)) = tokio::join!(client.connect(near), raw::accept(&server, far));
                assert_eq!(kind == HandshakeKind::Resumed, round == 1, "{version} {tickets}");
                assert_eq!(leaf, pki.one.chain[0].der());
                client.change(&pki.two);
            }
        }
    }
}

#[tokio::test]
async fn a_client_proves_its_current_identity_to_a_server_that_offers_to_resume() {
    let pki = Pki::new();
    for version in BOTH {
        for tickets in [true, false] {
            let server = raw::resuming_server(&pki.server, pki.root(), version, tickets);
            let credentials = Published::new(pki.one.identity());
            for round in 0..4 {
                let expected = if round < 2 { &pki.one } else { &pki.two };
                if round == 2 {
                    credentials.publish(pki.two.identity());
                }
                let config = ClientConfig::builder()
                    .identity(credentials.current().identity.clone())
                    .trust(pki.trust())
                    .versions(version)
                    .build()
                    .unwrap();
                // The same configuration twice, too.
                for _ in 0..2 {
                    let (near, far) = duplex(64 * 1024);
                    let ours = async {
                        let (mut stream, info) = connect(near, "localhost", &config).await.unwrap();
                        assert_eq!(stream.read_u8().await.unwrap(), b'x');
                        info
                    };
                    let (info, (kind, leaf)) = tokio::join!(ours, raw::accept(&server, far));
                    assert_eq!(kind, HandshakeKind::Full, "{version} {tickets} {round}");
                    assert_eq!(leaf, expected.chain[0].der());
                    assert!(info.asked_for_certificate);
                    assert_eq!(info.sent_chain, [expected.chain[0].subject().to_string()]);
                }
            }
        }
    }
}

#[tokio::test]
async fn a_listener_that_asks_resumes_nothing_and_sees_each_new_identity() {
    let pki = Pki::new();
    for version in BOTH {
        for (auth, trust) in [
            (ClientAuth::Optional, ClientTrust::AnyPresented),
            (ClientAuth::Required, ClientTrust::AnyPresented),
            (ClientAuth::Required, ClientTrust::Anchors(pki.trust())),
        ] {
            let server = ServerConfig::builder()
                .identity(pki.server.identity())
                .client_certificate(auth)
                .handshake_trust(trust)
                .versions(version)
                .build()
                .unwrap();
            let client = Client::new(&pki.one, pki.root(), version);
            for expected in [&pki.one, &pki.one, &pki.two, &pki.two] {
                client.change(expected);
                let (near, far) = duplex(64 * 1024);
                let ours = async {
                    let (mut stream, info) = accept(far, &server).await.unwrap();
                    stream.write_all(b"x").await.unwrap();
                    stream.flush().await.unwrap();
                    info.presented.unwrap()
                };
                let ((kind, _), presented) = tokio::join!(client.connect(near), ours);
                assert_eq!(kind, HandshakeKind::Full, "{version} {auth:?}");
                assert_eq!(presented.leaf(), &expected.chain[0]);
            }
        }
    }
}

/// Where no client certificate is asked for, sessions may be resumed; a new server certificate ends that.
#[tokio::test]
async fn a_listeners_new_certificate_is_shown_to_clients_that_want_to_resume() {
    let pki = Pki::new();
    let config = |leaf: &Leaf, version| {
        let builder = ServerConfig::builder().identity(leaf.identity()).client_certificate(ClientAuth::Off);
        builder.versions(version).build().unwrap()
    };
    let renewed = pki.root.issue(&server_params("localhost"), &[]);
    for version in BOTH {
        let client = Client::new(&pki.one, pki.root(), version);
        for server in [&pki.server, &renewed] {
            let (near, far) = duplex(64 * 1024);
            let config = config(server, version);
            let ours = async {
                let (mut stream, _) = accept(far, &config).await.unwrap();
                stream.write_all(b"x").await.unwrap();
                stream.flush().await.unwrap();
                stream
            };
            let ((kind, leaf), _stream) = tokio::join!(client.connect(near), ours);
            assert_eq!(kind, HandshakeKind::Full, "{version}");
            assert_eq!(leaf, server.chain[0].der());
        }
    }
}
