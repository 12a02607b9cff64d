//! From what was presented to whom it is.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use common::{Pki, now};
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, LeafRequest, Usage, Validity, self_signed_client};
use gridmq_tls::peer::{MAX_PRESENTED_BYTES, PeerError, PresentedPeer};
use gridmq_tls::verify::{AnchorsError, verify_thumbprint};
use gridmq_tls::{Anchors, Thumbprint, VerifiedBy, VerifyError, verify};

const VALIDITY: Validity = Validity::new(1_000, 2_000);

fn presented(issued: &IssuedCertificate) -> PresentedPeer {
    let chain = issued.chain().iter().map(|certificate| certificate.der().to_vec()).collect();
    PresentedPeer::from_der_unproven(chain).unwrap()
}

fn leaf_only(issued: &IssuedCertificate) -> PresentedPeer {
    PresentedPeer::from_der_unproven(vec![issued.certificate_der()]).unwrap()
}

fn anchors(authorities: &[&CertificateAuthority]) -> Anchors {
    Anchors::new(authorities.iter().map(|authority| authority.certificate().clone())).unwrap()
}

#[test]
fn a_chain_to_a_root_or_to_an_intermediate_is_verified() {
    let pki = Pki::new();
    let root = verify(&presented(&pki.client), &anchors(&[&pki.root]), now()).unwrap();
    assert_eq!(root.chain_subjects(), ["CN=client1-authn-ID", "CN=Intermediate", "CN=Root"]);
    let expected = pki.root.certificate().thumbprint_sha256();
    match root.how() {
        VerifiedBy::Anchor { subject, thumbprint_sha256 } => {
            assert_eq!((subject.as_str(), thumbprint_sha256.as_str()), ("CN=Root", expected));
        }
        other => panic!("{other:?}"),
    }
    let partial = verify(&leaf_only(&pki.client), &anchors(&[&pki.intermediate]), now()).unwrap();
    assert_eq!(partial.chain_subjects(), ["CN=client1-authn-ID", "CN=Intermediate"]);
}

#[test]
fn an_intermediate_that_was_not_sent_is_found_among_the_anchors_only() {
    let pki = Pki::new();
    assert!(verify(&leaf_only(&pki.client), &anchors(&[&pki.root, &pki.intermediate]), now()).is_ok());
    match verify(&leaf_only(&pki.client), &anchors(&[&pki.root]), now()) {
        Err(VerifyError::UnknownIssuer { issuer, .. }) => assert_eq!(issuer, "CN=Intermediate"),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_same_peer_is_judged_anew_when_anchors_change() {
    let (pki, stranger) = (Pki::new(), Pki::named("Stranger "));
    let peer = presented(&pki.client);
    assert!(verify(&peer, &anchors(&[&pki.root]), now()).is_ok());
    assert!(matches!(verify(&peer, &anchors(&[&stranger.root]), now()), Err(VerifyError::UnknownIssuer { .. })));
    assert!(matches!(verify(&peer, &Anchors::default(), now()), Err(VerifyError::UnknownIssuer { .. })));
    assert!(verify(&peer, &anchors(&[&stranger.root, &pki.root]), now()).is_ok());
}

#[test]
fn a_ca_of_the_same_name_and_another_key_vouches_for_nobody() {
    let (pki, impostor) = (Pki::new(), Pki::new());
    let refused = verify(&leaf_only(&impostor.client), &anchors(&[&pki.intermediate]), now());
    assert!(
        matches!(refused, Err(VerifyError::BadSignature { .. } | VerifyError::UnknownIssuer { .. })),
        "{refused:?}"
    );
}

#[test]
fn a_signature_that_was_good_before_vouches_for_nothing_else() {
    let (pki, other) = (Pki::new(), Pki::new());
    let anchors = anchors(&[&pki.root]);
    let good = presented(&pki.client);
    for _ in 0..2 {
        assert!(verify(&good, &anchors, now()).is_ok());
        for (position, der) in good.chain().iter().enumerate() {
            // The last byte belongs to the signature, one amidst the names and dates to what is signed.
            for changed in [der.len() - 1, der.len() / 3] {
                let mut chain = good.chain().to_vec();
                chain[position][changed] ^= 1;
                if let Ok(peer) = PresentedPeer::from_der_unproven(chain) {
                    assert!(verify(&peer, &anchors, now()).is_err(), "{position}: {changed}");
                }
            }
        }
        assert!(verify(&presented(&other.client), &anchors, now()).is_err());
        assert!(verify(&good, &anchors, u64::MAX).is_err());
    }
}

#[test]
fn validity_is_judged_at_the_given_time_all_along_the_path() {
    let root = CertificateAuthority::new_root("Root", Validity::new(1_000, 9_000)).unwrap();
    let intermediate = root.intermediate("Intermediate", Validity::new(2_000, 6_000)).unwrap();
    let client = intermediate.issue_client("device", Validity::new(3_000, 8_000)).unwrap();
    let (peer, anchors) = (presented(&client), anchors(&[&root]));
    for (now, expected) in [
        (2_999, Err(VerifyError::NotYetValid { subject: "CN=device".into(), not_before: 3_000 })),
        (3_000, Ok(())),
        (6_000, Ok(())),
        (6_001, Err(VerifyError::Expired { subject: "CN=Intermediate".into(), not_after: 6_000 })),
        (8_001, Err(VerifyError::Expired { subject: "CN=device".into(), not_after: 8_000 })),
    ] {
        assert_eq!(verify(&peer, &anchors, now).map(|_| ()), expected, "{now}");
    }
}

#[test]
fn an_expired_authority_vouches_for_nobody_and_its_renewal_does() {
    let old = CertificateAuthority::new_root("Root", Validity::new(1_000, 2_000)).unwrap();
    let client = old.issue_client("device", Validity::new(1_000, 9_000)).unwrap();
    let refused = verify(&presented(&client), &anchors(&[&old]), 2_001);
    assert_eq!(refused.err(), Some(VerifyError::Expired { subject: "CN=Root".into(), not_after: 2_000 }));
    let expired = old.certificate().clone();
    let renewed = old.renewed(Validity::new(1_900, 9_000)).unwrap();
    let both = Anchors::new([expired, renewed.certificate().clone()]).unwrap();
    assert!(verify(&presented(&client), &both, 2_001).is_ok());
    assert!(verify(&presented(&client), &both, 1_500).is_ok());
}

#[test]
fn only_certificates_for_clients_are_taken() {
    let pki = Pki::new();
    let anchors = anchors(&[&pki.root]);
    for (usage, accepted) in
        [(Usage::Client, true), (Usage::Both, true), (Usage::Unspecified, true), (Usage::Server, false)]
    {
        let issued = pki.intermediate.issue(&LeafRequest::client("device").usage(usage), pki.validity).unwrap();
        match verify(&presented(&issued), &anchors, now()) {
            Ok(_) => assert!(accepted, "{usage:?}"),
            Err(error) => {
                assert!(!accepted, "{usage:?}");
                assert_eq!(error, VerifyError::WrongUsage { subject: "CN=device".into() });
            }
        }
    }
}

#[test]
fn a_ca_certificate_is_no_client_and_a_leaf_no_authority() {
    let pki = Pki::new();
    let ca = PresentedPeer::from_der_unproven(vec![pki.intermediate.certificate().der().to_vec()]).unwrap();
    assert_eq!(
        verify(&ca, &anchors(&[&pki.root]), now()).err(),
        Some(VerifyError::CaAsLeaf { subject: "CN=Intermediate".into() })
    );
    let leaf = Anchors::from_pem(pki.client.certificate_pem().as_bytes());
    assert!(matches!(leaf, Err(AnchorsError::NotACa { .. })));
    assert!(matches!(Anchors::from_pem(b""), Err(AnchorsError::Pem(_))));
    assert!(matches!(Anchors::from_der([b"x"]), Err(AnchorsError::BadCertificate(_))));
}

#[test]
fn a_leaf_cannot_issue_another_leaf() {
    let pki = Pki::new();
    let chain = vec![pki.client.certificate_der(), pki.server.certificate_der()];
    let peer = PresentedPeer::from_der_unproven(chain).unwrap();
    assert!(matches!(verify(&peer, &anchors(&[&pki.root]), now()), Err(VerifyError::UnknownIssuer { .. })));
}

#[test]
fn a_self_signed_certificate_is_verified_by_thumbprint_with_ca_true_or_false() {
    for is_ca in [true, false] {
        let own = self_signed_client("device", is_ca, VALIDITY).unwrap();
        let peer = presented(&own);
        let leaf = peer.leaf();
        let colons: Vec<String> = leaf
            .thumbprint_sha256()
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        for text in [
            leaf.thumbprint_sha256().to_owned(),
            leaf.thumbprint_sha1().to_uppercase(),
            format!("\u{200e}{}", colons.join(":")),
        ] {
            let allowed = [Thumbprint::parse(&"0".repeat(64)).unwrap(), Thumbprint::parse(&text).unwrap()];
            let verified = verify_thumbprint(&peer, &allowed, 1_500).unwrap();
            assert_eq!(verified.how(), &VerifiedBy::Thumbprint(allowed[1].clone()));
            assert_eq!(verified.chain_subjects(), ["CN=device"]);
            for (now, expired) in [(999, false), (2_001, true)] {
                match verify_thumbprint(&peer, &allowed, now) {
                    Err(VerifyError::Expired { .. }) => assert!(expired),
                    Err(VerifyError::NotYetValid { .. }) => assert!(!expired),
                    other => panic!("{other:?}"),
                }
            }
        }
    }
}

#[test]
fn another_certificate_of_the_same_name_has_another_thumbprint() {
    let registered = self_signed_client("device", true, VALIDITY).unwrap();
    let other = self_signed_client("device", true, VALIDITY).unwrap();
    let allowed = [Thumbprint::parse(presented(&registered).leaf().thumbprint_sha256()).unwrap()];
    match verify_thumbprint(&presented(&other), &allowed, 1_500) {
        Err(VerifyError::ThumbprintMismatch { sha256, .. }) => {
            assert_eq!(sha256, presented(&other).leaf().thumbprint_sha256());
        }
        other => panic!("{other:?}"),
    }
    assert!(verify_thumbprint(&presented(&other), &[], 1_500).is_err());
}

#[test]
fn texts_that_are_no_thumbprint_are_refused() {
    for text in ["", "abc", &"0".repeat(63), &"0".repeat(65), &"0".repeat(128), &format!("{}g", "0".repeat(64))] {
        assert!(Thumbprint::parse(text).is_err(), "{text:?}");
    }
    assert!(Thumbprint::parse(&"aB".repeat(20)).unwrap().is_sha1());
}

#[test]
fn what_a_peer_can_present_is_limited() {
    let der = Pki::new().client.certificate_der();
    assert_eq!(PresentedPeer::from_der_unproven(Vec::new()), Err(PeerError::Empty));
    assert!(PresentedPeer::from_der_unproven(vec![der.clone(); 10]).is_ok());
    assert_eq!(PresentedPeer::from_der_unproven(vec![der.clone(); 11]), Err(PeerError::TooMany));
    let large = vec![der, vec![0; MAX_PRESENTED_BYTES]];
    assert_eq!(PresentedPeer::from_der_unproven(large), Err(PeerError::TooLarge));
    assert!(matches!(PresentedPeer::from_der_unproven(vec![vec![0x30, 0]]), Err(PeerError::BadLeaf(_))));
}

proptest::proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 64, ..Default::default() })]
    #[test]
    fn hostile_chains_never_panic(
        position in 0_usize..700,
        byte: u8,
        extra in proptest::collection::vec(proptest::collection::vec(proptest::num::u8::ANY, 0..200), 0..4),
        now: u64,
    ) {
        let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
        let mut leaf = root.issue_client("device", VALIDITY).unwrap().certificate_der();
        let length = leaf.len();
        leaf[position % length] ^= byte;
        let mut chain = vec![leaf];
        chain.extend(extra);
        if let Ok(peer) = PresentedPeer::from_der_unproven(chain) {
            let result = verify(&peer, &anchors(&[&root]), now);
            assert!(byte == 0 || result.is_err());
            let _ = format!("{result:?} {peer:?}");
        }
    }
}
