//! What a client makes of a server's certificate.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Pki, handshake, identity, now};
use gridmq_tls::explain::Side;
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, LeafRequest, Usage, Validity};
use gridmq_tls::stream::{accept, connect};
use gridmq_tls::{ClientConfig, ServerConfig, TlsErrorKind, Trust};

async fn refusal(pki: &Pki, server: &IssuedCertificate) -> gridmq_tls::TlsError {
    let server = ServerConfig::builder().identity(identity(server)).build().unwrap();
    let (near, far) = handshake(&pki.client(), &server).await;
    assert_eq!(far.unwrap_err().side(), Side::Peer);
    near.unwrap_err()
}

#[tokio::test]
async fn a_server_of_another_ca_is_refused_with_the_chain_and_the_trust() {
    let (pki, stranger) = (Pki::new(), Pki::named("Stranger "));
    let error = refusal(&pki, &stranger.server).await;
    // What the client trusts issued its own certificate, and not the server's.
    assert_eq!((error.kind(), error.side(), error.catalogue_id()), (TlsErrorKind::UnknownCa, Side::Us, Some("D02")));
    assert_eq!(error.report().peer_chain, ["CN=localhost", "CN=Stranger Intermediate"]);
    assert_eq!(error.report().peer_issuer.as_deref(), Some("CN=Stranger Root"));
    assert_eq!(error.report().trusted, ["CN=Root"]);
}

#[tokio::test]
async fn each_fault_of_a_server_certificate_has_its_kind() {
    let pki = Pki::new();
    let issue = |request: LeafRequest, validity| pki.intermediate.issue(&request, validity).unwrap();
    let old = Validity::new(now() - 7_200, now() - 3_600);
    let new = Validity::new(now() + 3_600, now() + 7_200);
    for (server, expected) in [
        (issue(LeafRequest::server(["other.example"]), pki.validity), TlsErrorKind::NameMismatch),
        (issue(LeafRequest::client("localhost").usage(Usage::Server), pki.validity), TlsErrorKind::NameMismatch),
        (issue(LeafRequest::server(["localhost"]), old), TlsErrorKind::CertificateExpired),
        (issue(LeafRequest::server(["localhost"]), new), TlsErrorKind::CertificateNotYetValid),
        (issue(LeafRequest::server(["localhost"]).usage(Usage::Client), pki.validity), TlsErrorKind::WrongUsage),
    ] {
        let error = refusal(&pki, &server).await;
        assert_eq!((error.kind(), error.side()), (expected, Side::Us), "{error}");
    }
    let other = issue(LeafRequest::server(["other.example"]), pki.validity);
    assert_eq!(refusal(&pki, &other).await.report().peer_names, ["other.example"]);
}

#[tokio::test]
async fn an_intermediate_may_be_the_trusted_end_of_the_chain() {
    let pki = Pki::new();
    let trust = Trust::only_pem(pki.intermediate.certificate_pem().as_bytes()).unwrap();
    let client = ClientConfig::builder().trust(trust).build().unwrap();
    common::established(&client, &pki.server()).await;
}

#[tokio::test]
async fn a_pinned_self_signed_ca_as_server_is_named() {
    let pki = Pki::new();
    let own = gridmq_tls::issue::self_signed_client("localhost", true, pki.validity).unwrap();
    let trust = Trust::only_pem(own.certificate_pem().as_bytes()).unwrap();
    let client = ClientConfig::builder().trust(trust).build().unwrap();
    let server = ServerConfig::builder().identity(identity(&own)).build().unwrap();
    let (near, _) = handshake(&client, &server).await;
    assert_eq!(near.unwrap_err().kind(), TlsErrorKind::CaAsLeaf);
}

#[tokio::test]
async fn addresses_and_odd_spellings_of_names_work() {
    let pki = Pki::new();
    let server = pki.intermediate.issue_server(["localhost", "127.0.0.1", "::1"], pki.validity).unwrap();
    let server = ServerConfig::builder().identity(identity(&server)).build().unwrap();
    for name in ["localhost", "LOCALHOST", "localhost.", "127.0.0.1", "::1", "[::1]"] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let client = pki.client();
        let (near, _) = tokio::join!(connect(near, name, &client), accept(far, &server));
        assert!(near.is_ok(), "{name}: {near:?}");
    }
    for name in ["", "not a name", "mqtts://host", "[localhost", "a..b"] {
        let (near, _far) = tokio::io::duplex(1024);
        let error = connect(near, name, &pki.client()).await.unwrap_err();
        assert_eq!(error.kind(), TlsErrorKind::InvalidServerName, "{name}");
    }
}

#[tokio::test]
async fn a_root_that_signs_servers_itself_is_enough() {
    let validity = Validity::days(now(), 1);
    let root = CertificateAuthority::new_root("Only", validity).unwrap();
    let server = root.issue_server(["localhost"], validity).unwrap();
    let trust = Trust::only_der(vec![root.certificate().der().to_vec()]).unwrap();
    let client = ClientConfig::builder().trust(trust).build().unwrap();
    let server = ServerConfig::builder().identity(identity(&server)).build().unwrap();
    common::established(&client, &server).await;
}
