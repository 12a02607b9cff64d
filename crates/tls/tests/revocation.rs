//! Revocation lists, for servers, for clients in the handshake, and for clients after it.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::fs;

use common::ca::{Ca, Leaf, ca_params, client_params, server_params};
use common::{established, handshake, now};
use gridmq_tls::peer::PresentedPeer;
use gridmq_tls::revocation::{CheckDepth, Outdated, RevocationError, UnknownStatus};
use gridmq_tls::trust::TrustError;
use gridmq_tls::{
    Anchors, ClientAuth, ClientConfig, ClientTrust, Id, Revocation, ServerConfig, Trust, TrustSource, VerifyError,
    verify_with,
};

struct Pki {
    root: Ca,
    issuing: Ca,
    good: Leaf,
    revoked: Leaf,
    /// The lists of both authorities.
    lists: String,
}

impl Pki {
    fn new() -> Self {
        let root = Ca::root("Root");
        let issuing = root.issue_ca(ca_params("Issuing"));
        let good = issuing.issue(&client_params("good"), &[&issuing]);
        let revoked = issuing.issue(&client_params("revoked"), &[&issuing]);
        let next = now() + 3_600;
        let lists = issuing.crl(&[&revoked.chain[0]], next).pem().unwrap() + &root.crl(&[], next).pem().unwrap();
        Self { root, issuing, good, revoked, lists }
    }

    fn judge(&self, leaf: &Leaf, revocation: &Revocation, at: u64) -> Result<(), VerifyError> {
        let presented = PresentedPeer::from_der_unproven(leaf.ders()).unwrap();
        let anchors = Anchors::new([self.root.certificate.clone()]).unwrap();
        verify_with(&presented, &anchors, Some(revocation), at).map(|_| ()).map_err(|refusal| refusal.rule)
    }

    fn trust(&self) -> Trust {
        Trust::only(TrustSource::Certificates(vec![self.root.certificate.clone()])).unwrap()
    }
}

fn lists(text: &str) -> Revocation {
    Revocation::builder().from_bytes(text.as_bytes(), now()).unwrap()
}

#[test]
fn a_revoked_certificate_is_refused_and_named() {
    let pki = Pki::new();
    let revocation = lists(&pki.lists);
    assert_eq!(revocation.lists().len(), 2);
    assert_eq!(pki.judge(&pki.good, &revocation, now()), Ok(()));
    match pki.judge(&pki.revoked, &revocation, now()) {
        Err(error @ VerifyError::Revoked { .. }) => {
            assert_eq!((error.id(), error.subject()), (Id::B12, "CN=revoked"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revoked_intermediate_is_named() {
    let pki = Pki::new();
    let next = now() + 3_600;
    let text =
        pki.issuing.crl(&[], next).pem().unwrap() + &pki.root.crl(&[&pki.issuing.certificate], next).pem().unwrap();
    match pki.judge(&pki.good, &lists(&text), now()) {
        Err(VerifyError::Revoked { subject, serial }) => {
            assert_eq!((subject.as_str(), serial.as_str()), ("CN=Issuing", pki.issuing.certificate.serial()));
        }
        other => panic!("{other:?}"),
    }
    let leaf_only = Revocation::builder().depth(CheckDepth::EndEntity).from_bytes(text.as_bytes(), now()).unwrap();
    assert_eq!(pki.judge(&pki.good, &leaf_only, now()), Ok(()));
}

#[test]
fn pain_13_what_no_list_covers_is_refused_unless_that_is_allowed() {
    let pki = Pki::new();
    let text = pki.issuing.crl(&[], now() + 3_600).pem().unwrap();
    match pki.judge(&pki.good, &lists(&text), now()) {
        Err(VerifyError::RevocationUnknown { subject, issuer }) => {
            assert_eq!((subject.as_str(), issuer.as_str()), ("CN=Issuing", "CN=Root"));
        }
        other => panic!("{other:?}"),
    }
    let lenient = Revocation::builder().unknown_status(UnknownStatus::Accept);
    assert_eq!(pki.judge(&pki.good, &lenient.from_bytes(text.as_bytes(), now()).unwrap(), now()), Ok(()));
    let leaf_only = Revocation::builder().depth(CheckDepth::EndEntity);
    assert_eq!(pki.judge(&pki.good, &leaf_only.from_bytes(text.as_bytes(), now()).unwrap(), now()), Ok(()));
}

#[test]
fn an_overdue_list_is_not_loaded_and_refuses_once_it_is_overdue() {
    let pki = Pki::new();
    let old = pki.issuing.crl(&[], now() - 60).pem().unwrap();
    match Revocation::builder().from_bytes(old.as_bytes(), now()) {
        Err(error @ RevocationError::Outdated { .. }) => assert_eq!(error.id(), Some(Id::B13)),
        other => panic!("{other:?}"),
    }
    let revocation = lists(&pki.lists);
    let due = revocation.next_update().unwrap();
    assert_eq!(pki.judge(&pki.good, &revocation, due - 1), Ok(()));
    match pki.judge(&pki.good, &revocation, due + 1) {
        Err(error @ VerifyError::ListOutdated { .. }) => assert_eq!(error.id(), Id::B13),
        other => panic!("{other:?}"),
    }
    let lenient = Revocation::builder().outdated(Outdated::Accept).depth(CheckDepth::EndEntity);
    assert_eq!(pki.judge(&pki.good, &lenient.from_bytes(old.as_bytes(), now()).unwrap(), now()), Ok(()));
}

#[test]
fn a_list_of_another_key_of_the_same_name_proves_nothing() {
    let pki = Pki::new();
    let namesake = Ca::root("Issuing");
    let forged = namesake.crl(&[], now() + 3_600).pem().unwrap();
    let leaf_only = Revocation::builder().depth(CheckDepth::EndEntity);
    assert!(pki.judge(&pki.revoked, &leaf_only.from_bytes(forged.as_bytes(), now()).unwrap(), now()).is_err());
}

#[test]
fn of_two_lists_of_one_authority_the_newest_decides() {
    let pki = Pki::new();
    let root = pki.root.crl(&[], now() + 3_600).pem().unwrap();
    let old = pki.issuing.crl_of(&[], now() - 7_200, now() + 3_600).pem().unwrap();
    let new = pki.issuing.crl_of(&[&pki.revoked.chain[0]], now() - 60, now() + 3_600).pem().unwrap();
    for text in [format!("{old}{new}{root}"), format!("{new}{root}{old}")] {
        let error = pki.judge(&pki.revoked, &lists(&text), now()).unwrap_err();
        assert!(matches!(error, VerifyError::Revoked { .. }), "{error}");
        pki.judge(&pki.good, &lists(&text), now()).unwrap();
    }
}

#[test]
fn files_and_directories_are_read_in_pem_and_der_and_what_is_no_list_is_named() {
    let pki = Pki::new();
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let next = now() + 3_600;
    fs::write(path("a.crl"), pki.issuing.crl(&[&pki.revoked.chain[0]], next).der()).unwrap();
    fs::write(path("b.r0"), pki.root.crl(&[], next).pem().unwrap()).unwrap();
    fs::write(path("root.pem"), gridmq_tls::pem::encode(std::slice::from_ref(&pki.root.certificate))).unwrap();
    fs::create_dir(path("deeper")).unwrap();
    let revocation = Revocation::load(&[directory.path()], now()).unwrap();
    assert_eq!(revocation.lists().len(), 2);
    assert_eq!(revocation.lists()[0].revoked, 1);
    assert!(matches!(pki.judge(&pki.revoked, &revocation, now()), Err(VerifyError::Revoked { .. })));
    let both = Revocation::load(&[path("a.crl"), path("b.r0"), path("a.crl")], now()).unwrap();
    assert_eq!(both, revocation);
    for (name, content) in [("root.pem", None), ("empty", Some(&b""[..])), ("noise", Some(b"\xff\x00\x30"))] {
        if let Some(content) = content {
            fs::write(path(name), content).unwrap();
        }
        let error = Revocation::load(&[path(name)], now()).unwrap_err();
        assert!(matches!(error, RevocationError::NotAList { .. }), "{name}: {error}");
    }
    fs::write(path("cut.crl"), &pki.root.crl(&[], next).der()[..40]).unwrap();
    assert!(matches!(Revocation::load(&[path("cut.crl")], now()), Err(RevocationError::BadList { .. })));
    assert!(matches!(Revocation::load(&[directory.path()], now()), Err(RevocationError::BadList { .. })));
    assert!(matches!(Revocation::load(&[path("missing")], now()), Err(RevocationError::Unreadable { .. })));
    assert!(matches!(Revocation::load(&[path("deeper")], now()), Err(RevocationError::None { .. })));
}

#[test]
fn every_cut_of_a_list_is_an_error_and_no_panic() {
    let pki = Pki::new();
    let der = pki.issuing.crl(&[&pki.revoked.chain[0]], now() + 3_600).der().to_vec();
    for end in 0..der.len() {
        assert!(Revocation::builder().from_bytes(&der[..end], now()).is_err(), "{end}");
    }
    for place in 0..der.len() {
        let mut changed = der.clone();
        changed[place] ^= 0x41;
        let _ = Revocation::builder().from_bytes(&changed, now());
    }
}

#[tokio::test]
async fn a_client_refuses_a_revoked_server() {
    let pki = Pki::new();
    let next = now() + 3_600;
    let server = pki.issuing.issue(&server_params("localhost"), &[&pki.issuing]);
    let config = ServerConfig::builder().identity(server.identity()).build().unwrap();
    let root_list = pki.root.crl(&[], next).pem().unwrap();
    let client = |text: String| {
        let trust = pki.trust().with_revocation(lists(&(text + &root_list))).unwrap();
        ClientConfig::builder().trust(trust).build().unwrap()
    };
    established(&client(pki.issuing.crl(&[], next).pem().unwrap()), &config).await;
    let strict = client(pki.issuing.crl(&[&server.chain[0]], next).pem().unwrap());
    let (near, far) = handshake(&strict, &config).await;
    let near = near.unwrap_err();
    assert_eq!(near.id(), Id::B12, "{near}");
    assert_eq!(near.refusal().unwrap().position(), Some(0));
    assert_eq!(far.unwrap_err().report().alert.as_ref().map(|alert| alert.code), Some(44));
}

#[tokio::test]
async fn a_listener_refuses_a_revoked_client() {
    let pki = Pki::new();
    let trust = pki.trust().with_revocation(lists(&pki.lists)).unwrap();
    let server = pki.issuing.issue(&server_params("localhost"), &[&pki.issuing]);
    let server = ServerConfig::builder()
        .identity(server.identity())
        .client_certificate(ClientAuth::Required)
        .handshake_trust(ClientTrust::Anchors(trust))
        .build()
        .unwrap();
    let client = |leaf: &Leaf| ClientConfig::builder().identity(leaf.identity()).trust(pki.trust()).build().unwrap();
    established(&client(&pki.good), &server).await;
    let (_, far) = handshake(&client(&pki.revoked), &server).await;
    let far = far.unwrap_err();
    assert_eq!(far.id(), Id::B12, "{far}");
    assert!(matches!(far.refusal().unwrap().rule, VerifyError::Revoked { .. }));
}

#[cfg(feature = "platform-verifier")]
#[test]
fn lists_and_the_systems_trust_do_not_go_together() {
    let pki = Pki::new();
    assert!(matches!(
        Trust::platform().with_revocation(lists(&pki.lists)),
        Err(TrustError::Revocation(RevocationError::WithPlatform))
    ));
    let own = pki.trust().with_revocation(lists(&pki.lists)).unwrap();
    assert!(matches!(own.and_also(TrustSource::Platform), Err(TrustError::Revocation(RevocationError::WithPlatform))));
}

#[test]
fn pins_and_web_roots_do_not_judge_clients() {
    let pki = Pki::new();
    let server = pki.issuing.issue(&server_params("localhost"), &[&pki.issuing]);
    for source in [TrustSource::WebRoots, TrustSource::Pin(gridmq_tls::Pin::of_key(&pki.root.certificate))] {
        let trust = pki.trust().and_also(source).unwrap();
        let built =
            ServerConfig::builder().identity(server.identity()).handshake_trust(ClientTrust::Anchors(trust)).build();
        match built {
            Err(gridmq_tls::client::ConfigError::Trust(TrustError::NotForClients { .. })) => {}
            other => panic!("{other:?}"),
        }
    }
}
