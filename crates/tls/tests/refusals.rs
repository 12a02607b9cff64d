//! Every refusal names the rule, the certificate that broke it, and the chain that was seen.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::sync::Arc;

use common::ca::{Ca, Leaf, at, ca_params, client_params, server_params};
use common::{handshake, now};
use gridmq_tls::explain::{Side, from_io};
use gridmq_tls::peer::PresentedPeer;
use gridmq_tls::{
    Anchors, Certificate, ClientAuth, ClientConfig, ClientTrust, Id, Refusal, ServerConfig, TlsError, TlsVersion,
    Trust, TrustSource, VerifyError, verify_with,
};
use rcgen::{BasicConstraints, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, NameConstraints};
use tokio::io::AsyncReadExt;

fn refusal_with(leaf: &Leaf, anchors: &[&Certificate]) -> Refusal {
    let presented = PresentedPeer::from_der_unproven(leaf.ders()).unwrap();
    let anchors = Anchors::new(anchors.iter().copied().cloned()).unwrap();
    verify_with(&presented, &anchors, None, now()).unwrap_err()
}

fn refusal(leaf: &Leaf, root: &Ca) -> Refusal {
    refusal_with(leaf, &[&root.certificate])
}

/// The rule is checked by the caller; here: which certificate, and the whole chain.
fn at_fault(refusal: &Refusal) -> (String, Option<usize>, Id) {
    assert!(!refusal.chain.is_empty());
    let subject = refusal.certificate.as_ref().unwrap().subject().to_string();
    (subject, refusal.position(), refusal.finding().id)
}

fn expect(refusal: &Refusal, subject: &str, position: Option<usize>, id: Id) {
    assert_eq!(at_fault(refusal), (subject.to_owned(), position, id), "{refusal}");
    let text = refusal.to_string();
    assert!(text.ends_with(&format!("[{id} {}]", id.name())), "{text}");
}

#[test]
fn the_certificate_whose_dates_are_wrong_is_named() {
    let root = Ca::root("Root");
    let mut old = ca_params("Old");
    at(&mut old, now() - 7_200, now() - 3_600);
    let mut early = ca_params("Early");
    at(&mut early, now() + 3_600, now() + 7_200);
    let (old, early) = (root.issue_ca(old), root.issue_ca(early));
    expect(&refusal(&old.issue(&client_params("a"), &[&old]), &root), "CN=Old", Some(1), Id::B01);
    expect(&refusal(&early.issue(&client_params("a"), &[&early]), &root), "CN=Early", Some(1), Id::B02);
    let mut leaf = client_params("a");
    at(&mut leaf, now() - 7_200, now() - 3_600);
    expect(&refusal(&root.issue(&leaf, &[]), &root), "CN=a", Some(0), Id::B01);
    at(&mut leaf, now() + 3_600, now() + 7_200);
    expect(&refusal(&root.issue(&leaf, &[]), &root), "CN=a", Some(0), Id::B02);
}

#[test]
fn an_expired_authority_is_named_and_does_not_shadow_its_renewal() {
    let mut params = ca_params("Root");
    at(&mut params, now() - 7_200, now() - 3_600);
    let root = Ca::self_signed(params);
    let leaf = root.issue(&client_params("a"), &[]);
    expect(&refusal(&leaf, &root), "CN=Root", None, Id::B01);
    let renewed = root.renewed(ca_params("Root"));
    let presented = PresentedPeer::from_der_unproven(leaf.ders()).unwrap();
    for order in [[&root.certificate, &renewed], [&renewed, &root.certificate]] {
        let anchors = Anchors::new(order.into_iter().cloned()).unwrap();
        assert!(verify_with(&presented, &anchors, None, now()).is_ok());
    }
}

#[test]
fn the_certificate_that_may_not_issue_or_be_used_is_named() {
    let root = Ca::root("Root");
    let server = root.issue(&server_params("a"), &[]);
    expect(&refusal(&server, &root), "CN=a", Some(0), Id::B03);
    let mut limited = ca_params("Limited");
    limited.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let limited = root.issue_ca(limited);
    expect(&refusal(&limited.issue(&client_params("a"), &[&limited]), &root), "CN=Limited", Some(1), Id::B05);
    let mut no_ca = ca_params("No CA");
    no_ca.is_ca = IsCa::ExplicitNoCa;
    let no_ca = root.issue_ca(no_ca);
    let refused = refusal(&no_ca.issue(&client_params("a"), &[&no_ca]), &root);
    assert!(matches!(refused.rule, VerifyError::NotACa { .. }), "{refused}");
    expect(&refused, "CN=No CA", Some(1), Id::B17);
    let ca_as_leaf =
        Leaf { chain: vec![root.issue_ca(ca_params("Sub")).certificate], ..root.issue(&client_params("a"), &[]) };
    expect(&refusal(&ca_as_leaf, &root), "CN=Sub", Some(0), Id::A14);
}

#[test]
fn name_constraints_and_path_lengths_name_the_one_who_constrains() {
    let root = Ca::root("Root");
    let mut narrow = ca_params("Narrow");
    narrow.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.com".into())],
        excluded_subtrees: Vec::new(),
    });
    let narrow = root.issue_ca(narrow);
    let refused = refusal(&narrow.issue(&client_params("device.example.org"), &[&narrow]), &root);
    match &refused.rule {
        VerifyError::NameConstraints { authority, .. } => assert_eq!(authority, "CN=Narrow"),
        other => panic!("{other:?}"),
    }
    expect(&refused, "CN=device.example.org", Some(0), Id::B18);
    let mut short = ca_params("Short");
    short.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = root.issue_ca(short);
    let below = short.issue_ca(ca_params("Below"));
    let refused = refusal(&below.issue(&client_params("a"), &[&below, &short]), &root);
    assert!(matches!(refused.rule, VerifyError::PathLength { .. }), "{refused}");
    expect(&refused, "CN=Short", Some(2), Id::B17);
}

#[test]
fn an_unknown_issuer_is_told_from_one_of_the_same_name() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let leaf = other.issue(&client_params("a"), &[]);
    match refusal(&leaf, &root).rule {
        VerifyError::UnknownIssuer { issuer, leaf_only: true, self_signed: false, .. } => {
            assert_eq!(issuer, "CN=Other");
        }
        rule => panic!("{rule:?}"),
    }
    let namesake = Ca::root("Root");
    let refused = refusal(&namesake.issue(&client_params("a"), &[]), &root);
    assert!(matches!(refused.rule, VerifyError::BadSignature { registered: true, .. }), "{refused}");
    expect(&refused, "CN=a", Some(0), Id::B10);
    let own = Ca::self_signed(client_params("a"));
    let own = Leaf { chain: vec![own.certificate], ..leaf };
    let refused = refusal(&own, &root);
    assert!(matches!(refused.rule, VerifyError::UnknownIssuer { self_signed: true, .. }), "{refused}");
    expect(&refused, "CN=a", Some(0), Id::B09);
}

#[test]
fn circles_and_long_chains_are_refused_in_good_time() {
    let (one, two) = (Ca::root("One"), Ca::root("Two"));
    let a = one.issue_ca(ca_params("Two"));
    let b = two.issue_ca(ca_params("One"));
    let leaf = two.issue(&client_params("a"), &[&a, &b, &a, &b, &a, &b, &a, &b]);
    let refused = refusal(&leaf, &Ca::root("Root"));
    assert_eq!(refused.chain.len(), 9);
}

fn server(leaf: &Leaf, trust: ClientTrust, version: TlsVersion) -> ServerConfig {
    ServerConfig::builder()
        .identity(leaf.identity())
        .client_certificate(ClientAuth::Required)
        .handshake_trust(trust)
        .versions(version)
        .build()
        .unwrap()
}

fn trust(ca: &Ca) -> Trust {
    Trust::only(TrustSource::Certificates(vec![ca.certificate.clone()])).unwrap()
}

/// What each side says when the server refuses the client in the handshake.
async fn both_sides(client: &ClientConfig, server: &ServerConfig) -> (TlsError, TlsError) {
    let (near, far) = handshake(client, server).await;
    let near = match near {
        Err(error) => error,
        Ok((mut stream, _)) => from_io(&stream.read_u8().await.unwrap_err()).unwrap(),
    };
    (near, far.unwrap_err())
}

#[tokio::test]
async fn a_listener_names_the_certificate_and_the_client_hears_the_matching_alert() {
    let root = Ca::root("Root");
    let issuing = root.issue_ca(ca_params("Issuing"));
    let mut old_ca = ca_params("Old");
    at(&mut old_ca, now() - 7_200, now() - 3_600);
    let old_ca = root.issue_ca(old_ca);
    let dated = |from, to| {
        let mut params = client_params("device");
        at(&mut params, from, to);
        issuing.issue(&params, &[&issuing])
    };
    let stranger = Ca::root("Stranger");
    let namesake = Ca::root("Root");
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let server = server(&root.issue(&server_params("localhost"), &[]), ClientTrust::Anchors(trust(&root)), version);
        for (leaf, at_fault, far_id, near_id) in [
            (dated(now() - 7_200, now() - 60), "CN=device", Id::B01, Id::E04),
            (dated(now() + 3_600, now() + 7_200), "CN=device", Id::B02, Id::B02),
            (old_ca.issue(&client_params("device"), &[&old_ca]), "CN=Old", Id::B01, Id::E04),
            (issuing.issue(&server_params("device"), &[&issuing]), "CN=device", Id::B03, Id::E06),
            (stranger.issue(&client_params("device"), &[]), "CN=device", Id::E02, Id::E02),
            (namesake.issue(&client_params("device"), &[]), "CN=device", Id::B10, Id::E02),
            (issuing.issue(&client_params("device"), &[&issuing]).alone(), "CN=device", Id::E02, Id::E02),
        ] {
            let client = ClientConfig::builder().identity(leaf.identity()).trust(trust(&root)).build().unwrap();
            let (near, far) = both_sides(&client, &server).await;
            let refusal = far.refusal().unwrap();
            assert_eq!(refusal.certificate.as_ref().unwrap().subject().to_string(), at_fault, "{far}");
            assert_eq!(refusal.chain, leaf.chain);
            assert_eq!(far.report().peer_chain.len(), leaf.chain.len());
            assert_eq!((far.id(), far.side()), (far_id, Side::Us), "{far}");
            assert_eq!((near.id(), near.side()), (near_id, Side::Peer), "{near}");
        }
    }
}

#[tokio::test]
async fn a_client_that_trusts_the_whole_bundle_knows_that_its_intermediate_is_missing() {
    let root = Ca::root("Root");
    let issuing = root.issue_ca(ca_params("Issuing"));
    let bundle = vec![root.certificate.clone(), issuing.certificate.clone()];
    let leaf = issuing.issue(&client_params("device"), &[&issuing]).alone();
    let client = ClientConfig::builder()
        .identity(leaf.identity())
        .trust(Trust::only(TrustSource::Certificates(bundle)).unwrap())
        .build()
        .unwrap();
    let server =
        server(&root.issue(&server_params("localhost"), &[]), ClientTrust::Anchors(trust(&root)), TlsVersion::V1_3);
    let (near, _) = both_sides(&client, &server).await;
    assert_eq!(near.id(), Id::E03, "{near}");
    assert_eq!(near.report().hints_name_our_issuer, Some(false));
    assert_eq!(near.report().hint_names, ["CN=Root"]);
    assert!(near.report().scheme.is_some());
}

#[tokio::test]
async fn a_listener_may_know_its_clients_by_thumbprint() {
    let own = Ca::root("device");
    let issued =
        gridmq_tls::issue::self_signed_client("device", true, gridmq_tls::issue::Validity::days(now(), 1)).unwrap();
    let allowed: Arc<[_]> = [gridmq_tls::Thumbprint::parse(issued.chain()[0].thumbprint_sha256()).unwrap()].into();
    let leaf = own.issue(&server_params("localhost"), &[]);
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let server = server(&leaf, ClientTrust::Thumbprints(Arc::clone(&allowed)), version);
        let known = ClientConfig::builder().identity(common::identity(&issued)).trust(trust(&own)).build().unwrap();
        common::established(&known, &server).await;
        let stranger = own.issue(&client_params("other"), &[]);
        let stranger = ClientConfig::builder().identity(stranger.identity()).trust(trust(&own)).build().unwrap();
        let (near, far) = both_sides(&stranger, &server).await;
        assert_eq!(far.id(), Id::B08, "{far}");
        assert_eq!(near.report().alert.as_ref().map(|alert| alert.code), Some(49));
        let nobody = ClientConfig::builder().trust(trust(&own)).build().unwrap();
        let (near, far) = both_sides(&nobody, &server).await;
        assert_eq!((near.id(), far.id()), (Id::E01, Id::E01));
    }
}

/// What a client says about a server with this leaf.
async fn of_server(leaf: &Leaf, trust: Trust, identity: Option<&Leaf>) -> TlsError {
    let mut client = ClientConfig::builder().trust(trust);
    if let Some(identity) = identity {
        client = client.identity(identity.identity());
    }
    let server = ServerConfig::builder().identity(leaf.identity()).build().unwrap();
    let error = handshake(&client.build().unwrap(), &server).await.0.unwrap_err();
    assert_eq!(error.side(), Side::Us);
    assert!(error.to_string().ends_with(&format!("[{} {}]", error.id(), error.id().name())), "{error}");
    assert_eq!(error.finding().id, error.id());
    error
}

#[tokio::test]
async fn a_client_tells_the_ways_apart_in_which_a_server_is_not_trusted() {
    let (root, ours, namesake) = (Ca::root("Root"), Ca::root("Ours"), Ca::root("Root"));
    let issuing = root.issue_ca(ca_params("Issuing"));
    let good = issuing.issue(&server_params("localhost"), &[&issuing]);
    let with_root = issuing.issue(&server_params("localhost"), &[&issuing, &root]);
    let device = ours.issue(&client_params("device"), &[]);
    let stranger = Ca::root("Stranger");
    for (error, id, at_fault) in [
        (of_server(&good, trust(&stranger), None).await, Id::D01, "CN=Issuing"),
        (of_server(&good, trust(&ours), Some(&device)).await, Id::D02, "CN=Issuing"),
        (of_server(&good, trust(&namesake), None).await, Id::D03, "CN=Issuing"),
        (of_server(&good.alone(), trust(&root), None).await, Id::D01, "CN=localhost"),
        // A root that came along without being asked for is left out by the identity, so it is sent as an intermediate.
        (of_server(&with_root, trust(&stranger), None).await, Id::D01, "CN=Issuing"),
    ] {
        assert_eq!(error.id(), id, "{error}");
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.certificate.as_ref().unwrap().subject().to_string(), at_fault, "{error}");
        assert_eq!(refusal.chain, error.report().peer_certificates);
    }
}

#[tokio::test]
async fn a_client_names_the_certificate_of_the_servers_chain_that_is_at_fault() {
    let root = Ca::root("Root");
    let mut old = ca_params("Old");
    at(&mut old, now() - 7_200, now() - 3_600);
    let old = root.issue_ca(old);
    let mut limited = ca_params("Limited");
    limited.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let limited = root.issue_ca(limited);
    let mut nameless = server_params("localhost");
    nameless.subject_alt_names.clear();
    for (leaf, id, at_fault) in [
        (old.issue(&server_params("localhost"), &[&old]), Id::D06, "CN=Old"),
        (limited.issue(&server_params("localhost"), &[&limited]), Id::D11, "CN=Limited"),
        (root.issue(&client_params("localhost"), &[]), Id::D11, "CN=localhost"),
        (root.issue(&server_params("other.example"), &[]), Id::D08, "CN=other.example"),
        (root.issue(&nameless, &[]), Id::D10, "CN=localhost"),
    ] {
        let error = of_server(&leaf, trust(&root), None).await;
        assert_eq!(error.id(), id, "{error}");
        let refusal = error.refusal().unwrap();
        assert_eq!(refusal.certificate.as_ref().unwrap().subject().to_string(), at_fault, "{error}");
    }
}
