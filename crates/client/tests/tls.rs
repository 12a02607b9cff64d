//! Connections over mutual TLS.
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

use gridmq_client::error::{ConnectErrorKind, Side, Stage};
use gridmq_client::{
    Client, ConnectError, ConnectionState, Decision, FailureKind, Options, QoS, ReasonCode, Reconnect, Setback, Version,
};
use gridmq_proto::packet::Packet;
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, TlsErrorKind, TlsVersion, Trust};
use support::Peer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

struct Pki {
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
    validity: Validity,
}

impl Pki {
    fn new(name: &str) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        let validity = Validity::days(now, 2);
        let root = CertificateAuthority::new_root(&format!("{name} Root"), validity).unwrap();
        let intermediate = root.intermediate(&format!("{name} Intermediate"), validity).unwrap();
        Self { root, intermediate, validity }
    }

    fn client(&self) -> Identity {
        identity(&self.intermediate.issue_client("client1-authn-ID", self.validity).unwrap())
    }

    fn trust(&self) -> Trust {
        Trust::only_pem(self.root.certificate_pem().as_bytes()).unwrap()
    }

    fn server(&self, version: TlsVersion, auth: ClientAuth, trust: ClientTrust) -> ServerConfig {
        let issued = self.intermediate.issue_server(["localhost"], self.validity).unwrap();
        let builder = ServerConfig::builder().identity(identity(&issued)).versions(version);
        builder.client_certificate(auth).handshake_trust(trust).build().unwrap()
    }
}

fn identity(issued: &IssuedCertificate) -> Identity {
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}

async fn listener() -> (TcpListener, Options) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, Client::builder(&format!("mqtts://localhost:{port}")))
}

async fn accept(
    listener: &TcpListener,
    config: &ServerConfig,
) -> Option<Peer<gridmq_tls::stream::TlsStream<TcpStream>>> {
    let (tcp, _) = listener.accept().await.unwrap();
    let (io, _) = gridmq_tls::stream::accept(tcp, config).await.ok()?;
    Some(Peer::new(io, Version::V5))
}

#[tokio::test]
async fn a_device_connects_publishes_and_leaves_over_both_versions() {
    let pki = Pki::new("Our");
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let (listener, builder) = listener().await;
        let config = pki.server(version, ClientAuth::Required, ClientTrust::Anchors(pki.trust()));
        let serve = async {
            let mut server = accept(&listener, &config).await.unwrap();
            server.accept(false, <_>::default()).await;
            assert_eq!(&server.publish().await.payload[..], b"hello");
            assert!(matches!(server.packet().await, Packet::Disconnect(_)));
            server.hang_up().await;
        };
        let device = async {
            let client = builder.identity(pki.client()).trust(pki.trust()).connect().await.unwrap();
            let info = client.info().unwrap();
            let tls = info.tls.as_ref().unwrap();
            assert_eq!(tls.version, version);
            assert_eq!(tls.sent_chain.len(), 2);
            assert!(tls.asked_for_certificate);
            client.publish("a", "hello").await.unwrap();
            client.disconnect().await.unwrap();
        };
        tokio::join!(serve, device);
    }
}

fn tls_error(error: &ConnectError) -> TlsErrorKind {
    assert_eq!(error.stage(), Stage::Tls, "{error}");
    match error.kind() {
        ConnectErrorKind::Tls(tls) => tls.kind(),
        other => panic!("{other:?}"),
    }
}

/// With TLS 1.3 the refusal arrives after the client's side of the handshake, when CONNECT may be under way.
#[tokio::test]
async fn a_missing_certificate_is_named_although_the_alert_is_late() {
    let pki = Pki::new("Our");
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let config = pki.server(version, ClientAuth::Required, ClientTrust::AnyPresented);
        for _ in 0..20 {
            let (listener, builder) = listener().await;
            let (failed, server) = tokio::join!(builder.trust(pki.trust()).connect(), accept(&listener, &config));
            assert!(server.is_none());
            let error = failed.unwrap_err();
            assert_eq!(tls_error(&error), TlsErrorKind::CertificateRequired, "{error}");
            assert_eq!(error.side(), Side::Server);
        }
    }
}

#[tokio::test]
async fn a_strangers_certificate_is_named_although_the_alert_is_late() {
    let (pki, stranger) = (Pki::new("Our"), Pki::new("Another"));
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let config = pki.server(version, ClientAuth::Required, ClientTrust::Anchors(pki.trust()));
        let (listener, builder) = listener().await;
        let connect = builder.trust(pki.trust()).identity(stranger.client()).connect();
        let (failed, _) = tokio::join!(connect, accept(&listener, &config));
        let error = failed.unwrap_err();
        assert_eq!((tls_error(&error), error.side()), (TlsErrorKind::UnknownCa, Side::Server), "{error}");
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_is_refused_by_us() {
    let (pki, stranger) = (Pki::new("Our"), Pki::new("Another"));
    let config = pki.server(TlsVersion::V1_3, ClientAuth::Off, ClientTrust::AnyPresented);
    let (listener, builder) = listener().await;
    let (failed, _) = tokio::join!(builder.trust(stranger.trust()).connect(), accept(&listener, &config));
    let error = failed.unwrap_err();
    assert_eq!((tls_error(&error), error.side()), (TlsErrorKind::UnknownCa, Side::Us), "{error}");
}

/// Started with `options`, against a server with `config`: what became of the first attempt.
async fn started(config: &ServerConfig, options: impl FnOnce(Options) -> Options) -> ConnectionState {
    let (listener, builder) = listener().await;
    let patience = Reconnect::new().first_wait(Duration::from_millis(1)).longest_wait(Duration::from_secs(400_000));
    let client = options(builder.reconnect(patience)).start().unwrap();
    let mut state = client.state();
    let decided =
        state.wait_for(|state| matches!(state, ConnectionState::Waiting { .. } | ConnectionState::Disconnected(_)));
    let (decided, server) = tokio::join!(support::bounded("the first attempt", decided), accept(&listener, config));
    drop(server);
    decided.unwrap().clone()
}

/// A fleet's devices cannot be visited: what is put right elsewhere has to be enough.
#[tokio::test]
async fn a_certificate_that_is_not_believed_is_tried_again_after_a_long_while() {
    let (pki, stranger) = (Pki::new("Our"), Pki::new("Another"));
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let open = pki.server(version, ClientAuth::Off, ClientTrust::AnyPresented);
        let closed = pki.server(version, ClientAuth::Required, ClientTrust::Anchors(pki.trust()));
        let begun = Instant::now();
        for (case, state) in [
            ("we do not know its authority", started(&open, |it| it.trust(stranger.trust())).await),
            ("it has another name", started(&open, |it| it.trust(pki.trust()).server_name("other.example")).await),
            ("it wants a certificate", started(&closed, |it| it.trust(pki.trust())).await),
            (
                "it does not know our authority",
                started(&closed, |it| it.trust(pki.trust()).identity(stranger.client())).await,
            ),
        ] {
            let ConnectionState::Waiting { why: Setback::Failed(error), retry_at, .. } = state else {
                panic!("{case}: {state:?}")
            };
            assert_eq!(error.stage(), Stage::Tls, "{case}: {error}");
            // Any time up to the longest; the usual bound would have been milliseconds.
            assert!(retry_at > begun + Duration::from_secs(2), "{case}");
        }
    }
    let open = pki.server(TlsVersion::V1_3, ClientAuth::Off, ClientTrust::AnyPresented);
    let stop = Reconnect::new().judge(|failure| match failure.kind {
        FailureKind::Attempt(error) if matches!(error.kind(), ConnectErrorKind::Tls(_)) => Decision::stop(),
        _ => Decision::by_table(),
    });
    let state = started(&open, |it| it.trust(stranger.trust()).reconnect(stop)).await;
    assert!(matches!(state, ConnectionState::Disconnected(_)), "{state:?}");
}

#[tokio::test]
async fn a_connack_refusal_over_tls_is_a_refusal_of_mqtt() {
    let pki = Pki::new("Our");
    let config = pki.server(TlsVersion::V1_3, ClientAuth::Optional, ClientTrust::AnyPresented);
    let (listener, builder) = listener().await;
    let serve = async {
        let mut server = accept(&listener, &config).await.unwrap();
        server.connect().await;
        let reason = ReasonCode::NotAuthorized;
        let ack = gridmq_proto::packet::ConnAck { session_present: false, reason, properties: <_>::default() };
        server.send(Packet::ConnAck(Box::new(ack))).await;
    };
    let (failed, ()) = tokio::join!(builder.trust(pki.trust()).connect(), serve);
    let error = failed.unwrap_err();
    assert_eq!((error.stage(), error.reason()), (Stage::Connect, Some(ReasonCode::NotAuthorized)));
}

#[tokio::test]
async fn large_messages_go_both_ways() {
    let pki = Pki::new("Our");
    let config = pki.server(TlsVersion::V1_3, ClientAuth::Optional, ClientTrust::AnyPresented);
    let (listener, builder) = listener().await;
    let payload: Vec<u8> = (0..900_000_u32).map(|n| (n % 251) as u8).collect();
    let serve = async {
        let mut server = accept(&listener, &config).await.unwrap();
        server.accept(false, <_>::default()).await;
        server.grant(ReasonCode::GRANTED_QOS_0).await;
        let publish = server.publish().await;
        server.send(Packet::Publish(publish)).await;
        server
    };
    let device = async {
        let client = builder.trust(pki.trust()).connect().await.unwrap();
        let mut messages = client.subscribe("big", QoS::AtMostOnce).await.unwrap();
        client.publish("big", payload.clone()).await.unwrap();
        messages.next().await.unwrap().payload().clone()
    };
    let (_server, received) = tokio::join!(serve, device);
    assert_eq!(received, payload);
}
