//! Which certificate is asked for, sent, and handed on.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Pki, echo, established, handshake, identity, now};
use gridmq_tls::explain::{Side, Stage, from_io};
use gridmq_tls::{
    Anchors, ClientAuth, ClientConfig, ClientTrust, ServerConfig, TlsErrorKind, TlsVersion, VerifyError, verify,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const BOTH: [TlsVersion; 2] = [TlsVersion::V1_2, TlsVersion::V1_3];

fn refusing(pki: &Pki, auth: ClientAuth, trust: ClientTrust, version: TlsVersion) -> ServerConfig {
    ServerConfig::builder()
        .identity(identity(&pki.server))
        .client_certificate(auth)
        .handshake_trust(trust)
        .versions(version)
        .build()
        .unwrap()
}

#[tokio::test]
async fn pain_04_leaf_and_intermediate_are_sent_and_reported_on_both_sides() {
    let pki = Pki::new();
    let ((mut near, near_info), (mut far, far_info)) = established(&pki.client(), &pki.server()).await;
    assert!(near_info.asked_for_certificate);
    assert_eq!(near_info.sent_chain, ["CN=client1-authn-ID", "CN=Intermediate"]);
    assert_eq!(near_info.peer_chain, ["CN=localhost", "CN=Intermediate"]);
    let presented = far_info.presented.unwrap();
    assert_eq!(presented.chain_subjects(), near_info.sent_chain);
    assert_eq!(presented.leaf().der(), pki.client.certificate_der());
    assert_eq!(far_info.server_name.as_deref(), Some("localhost"));
    let anchors = Anchors::from_pem(pki.root.certificate_pem().as_bytes()).unwrap();
    let verified = verify(&presented, &anchors, now()).unwrap();
    assert_eq!(verified.leaf().subject().common_name(), Some("client1-authn-ID"));
    echo(&mut near, &mut far).await;
}

#[tokio::test]
async fn without_an_identity_nothing_is_presented_and_the_question_is_noted() {
    let pki = Pki::new();
    for version in BOTH {
        let server = refusing(&pki, ClientAuth::Optional, ClientTrust::AnyPresented, version);
        let ((mut near, near_info), (mut far, far_info)) = established(&pki.anonymous(), &server).await;
        assert!(near_info.asked_for_certificate && near_info.sent_chain.is_empty());
        assert_eq!(far_info.presented, None);
        echo(&mut near, &mut far).await;
    }
}

#[tokio::test]
async fn a_listener_that_does_not_ask_is_seen_not_to() {
    let pki = Pki::new();
    for version in BOTH {
        let server = refusing(&pki, ClientAuth::Off, ClientTrust::AnyPresented, version);
        let ((_, near), (_, far)) = established(&pki.client(), &server).await;
        assert!(!near.asked_for_certificate && near.sent_chain.is_empty());
        assert_eq!(far.presented, None);
    }
}

#[tokio::test]
async fn a_strangers_certificate_passes_the_handshake_and_fails_verification() {
    let (pki, stranger) = (Pki::new(), Pki::named("Stranger "));
    let client = ClientConfig::builder().identity(identity(&stranger.client)).trust(pki.trust()).build().unwrap();
    for version in BOTH {
        let server = refusing(&pki, ClientAuth::Optional, ClientTrust::AnyPresented, version);
        let ((mut near, _), (mut far, info)) = established(&client, &server).await;
        echo(&mut near, &mut far).await;
        let anchors = Anchors::from_pem(pki.root.certificate_pem().as_bytes()).unwrap();
        match verify(&info.presented.unwrap(), &anchors, now()) {
            Err(VerifyError::UnknownIssuer { issuer, leaf, anchors, .. }) => {
                assert_eq!((issuer.as_str(), leaf.as_str()), ("CN=Stranger Root", "CN=client1-authn-ID"));
                assert_eq!(anchors, ["CN=Root"]);
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_server_that_refuses_in_the_handshake_is_heard() {
    let (pki, stranger) = (Pki::new(), Pki::named("Stranger "));
    let with_stranger =
        || ClientConfig::builder().identity(identity(&stranger.client)).trust(pki.trust()).build().unwrap();
    for version in BOTH {
        for (client, expected) in
            [(with_stranger(), TlsErrorKind::UnknownCa), (pki.anonymous(), TlsErrorKind::CertificateRequired)]
        {
            let server = refusing(&pki, ClientAuth::Required, ClientTrust::Anchors(pki.trust()), version);
            let (near, far) = handshake(&client, &server).await;
            let far = far.unwrap_err();
            assert_eq!((far.kind(), far.side()), (expected, Side::Us), "{version} {far}");
            let heard = match near {
                Err(error) => {
                    assert_eq!((version, error.stage()), (TlsVersion::V1_2, Stage::Handshake));
                    error
                }
                // TLS 1.3: the client's handshake is complete before the server has judged.
                Ok((mut stream, _)) => {
                    let _ = stream.write_all(b"CONNECT").await;
                    let error = stream.read_u8().await.unwrap_err();
                    from_io(&error).unwrap()
                }
            };
            assert_eq!((heard.kind(), heard.side()), (expected, Side::Peer), "{version} {heard}");
            assert!(heard.report().alert.is_some() && heard.report().asked_for_certificate);
            assert_eq!(heard.report().sent_chain.is_empty(), client.identity().is_none());
        }
        let server = refusing(&pki, ClientAuth::Required, ClientTrust::Anchors(pki.trust()), version);
        let ((mut near, _), (mut far, _)) = established(&pki.client(), &server).await;
        echo(&mut near, &mut far).await;
    }
}

#[tokio::test]
async fn required_possession_refuses_only_those_who_present_nothing() {
    let (pki, stranger) = (Pki::new(), Pki::named("Stranger "));
    let server = refusing(&pki, ClientAuth::Required, ClientTrust::AnyPresented, TlsVersion::V1_2);
    let client = ClientConfig::builder().identity(identity(&stranger.client)).trust(pki.trust()).build().unwrap();
    established(&client, &server).await;
    let (near, far) = handshake(&pki.anonymous(), &server).await;
    assert_eq!(near.unwrap_err().kind(), TlsErrorKind::CertificateRequired);
    assert_eq!(far.unwrap_err().kind(), TlsErrorKind::CertificateRequired);
}

#[tokio::test]
async fn every_connection_presents_anew_and_nothing_is_resumed() {
    let pki = Pki::new();
    let (client, server) = (pki.client(), pki.server());
    for _ in 0..3 {
        let ((mut near, near_info), (mut far, far_info)) = established(&client, &server).await;
        echo(&mut near, &mut far).await;
        assert_eq!(near_info.sent_chain.len(), 2);
        assert!(far_info.presented.is_some());
    }
}

#[tokio::test]
async fn a_server_that_goes_after_the_handshake_leaves_words() {
    let pki = Pki::new();
    let server = refusing(&pki, ClientAuth::Optional, ClientTrust::AnyPresented, TlsVersion::V1_3);
    let ((mut near, _), (far, _)) = established(&pki.client(), &server).await;
    drop(far);
    let error = from_io(&near.read_u8().await.unwrap_err()).unwrap();
    assert_eq!((error.kind(), error.stage()), (TlsErrorKind::ClosedAfterHandshake, Stage::AfterHandshake));
    assert_eq!(error.report().sent_chain, ["CN=client1-authn-ID", "CN=Intermediate"]);
}
