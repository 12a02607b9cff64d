//! TLS 1.2 and 1.3, each alone, and what happens when they do not meet.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Pki, echo, established, handshake, identity};
use gridmq_tls::client::ConfigError;
use gridmq_tls::explain::Side;
use gridmq_tls::{ClientConfig, ServerConfig, TlsErrorKind, TlsVersion, TlsVersions};

fn pair(pki: &Pki, client: impl Into<TlsVersions>, server: impl Into<TlsVersions>) -> (ClientConfig, ServerConfig) {
    (
        ClientConfig::builder().identity(identity(&pki.client)).trust(pki.trust()).versions(client).build().unwrap(),
        ServerConfig::builder().identity(identity(&pki.server)).versions(server).build().unwrap(),
    )
}

#[tokio::test]
async fn each_version_works_alone_and_is_named() {
    let pki = Pki::new();
    for (version, cipher) in [(TlsVersion::V1_2, "TLS_ECDHE_ECDSA_WITH_"), (TlsVersion::V1_3, "TLS13_")] {
        for (client, server) in
            [(TlsVersions::only(version), TlsVersions::BOTH), (TlsVersions::BOTH, TlsVersions::only(version))]
        {
            let (client, server) = pair(&pki, client, server);
            let ((mut near, near_info), (mut far, far_info)) = established(&client, &server).await;
            for info in [&near_info, &far_info] {
                assert_eq!(info.version, version);
                assert!(info.cipher.starts_with(cipher), "{}", info.cipher);
            }
            echo(&mut near, &mut far).await;
        }
    }
}

#[tokio::test]
async fn versions_that_do_not_meet_are_named_on_both_sides() {
    let pki = Pki::new();
    for (ours, theirs) in [(TlsVersion::V1_2, TlsVersion::V1_3), (TlsVersion::V1_3, TlsVersion::V1_2)] {
        let (client, server) = pair(&pki, ours, theirs);
        let (near, far) = handshake(&client, &server).await;
        let (near, far) = (near.unwrap_err(), far.unwrap_err());
        assert_eq!((near.kind(), near.side()), (TlsErrorKind::ProtocolVersion, Side::Peer), "{near}");
        assert_eq!((far.kind(), far.side()), (TlsErrorKind::ProtocolVersion, Side::Us), "{far}");
        assert_eq!(near.report().versions, ours.into());
        assert_eq!(far.report().versions, theirs.into());
        assert_eq!(near.catalogue_id(), Some("D14"));
    }
}

#[test]
fn no_version_at_all_is_refused_when_building() {
    let pki = Pki::new();
    let none: TlsVersions = std::iter::empty().collect();
    let client = ClientConfig::builder().trust(pki.trust()).versions(none).build();
    assert!(matches!(client, Err(ConfigError::NoVersion)));
    let server = ServerConfig::builder().identity(identity(&pki.server)).versions(none).build();
    assert!(matches!(server, Err(ConfigError::NoVersion)));
}

#[tokio::test]
async fn application_protocols_are_agreed_or_named() {
    let pki = Pki::new();
    let client = |protocols: &[&str]| {
        let protocols: Vec<Vec<u8>> = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        ClientConfig::builder().trust(pki.trust()).alpn(protocols).build().unwrap()
    };
    let server = ServerConfig::builder().identity(identity(&pki.server)).alpn(["mqtt"]).build().unwrap();
    let ((_, near), (_, far)) = established(&client(&["x", "mqtt"]), &server).await;
    assert_eq!((near.alpn.as_deref(), far.alpn.as_deref()), (Some(&b"mqtt"[..]), Some(&b"mqtt"[..])));
    let ((_, near), _) = established(&client(&["x"]), &pki.server()).await;
    assert_eq!(near.alpn, None);
    let (near, far) = handshake(&client(&["x"]), &server).await;
    assert_eq!(near.unwrap_err().kind(), TlsErrorKind::NoCommonProtocol);
    assert_eq!(far.unwrap_err().kind(), TlsErrorKind::NoCommonProtocol);
    assert!(matches!(ClientConfig::builder().trust(pki.trust()).alpn([""]).build(), Err(ConfigError::BadAlpn)));
}
