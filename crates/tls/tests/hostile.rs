//! Chains that somebody made to be believed, or to keep the verifier busy.
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
use std::time::{Duration, Instant};

use common::ca::{Ca, Leaf, at, ca_params, client_params, named, server_params};
use common::{handshake, now, raw};
use gridmq_tls::explain::{Side, from_io};
use gridmq_tls::peer::PresentedPeer;
use gridmq_tls::stream::connect;
use gridmq_tls::trust::Pin;
use gridmq_tls::{
    Anchors, Certificate, ClientAuth, ClientConfig, ClientTrust, Id, Refusal, ServerConfig, TlsError, Trust,
    TrustSource, VerifyError, verify_with,
};
use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose};
use tokio::io::AsyncReadExt;

/// Far more than any chain here needs, also in a debug build on a busy machine, and far less than path building can take.
const SOON: Duration = Duration::from_secs(3);

fn of(certificates: &[&Certificate]) -> Trust {
    Trust::only(TrustSource::Certificates(certificates.iter().copied().cloned().collect())).unwrap()
}

/// What a client that believes `trust` says of a server.
async fn server_refused(trust: &Trust, leaf: &Leaf) -> TlsError {
    let server = ServerConfig::builder().identity(leaf.identity()).build().unwrap();
    let client = ClientConfig::builder().trust(trust.clone()).build().unwrap();
    handshake(&client, &server).await.0.expect_err("the server is believed")
}

/// The same of one that sends what no identity of ours would.
async fn raw_refused(trust: &Trust, leaf: &Leaf) -> TlsError {
    let server = raw::server(leaf);
    let client = ClientConfig::builder().trust(trust.clone()).build().unwrap();
    let (near, far) = tokio::io::duplex(256 * 1024);
    let theirs = tokio_rustls::TlsAcceptor::from(server).accept(far);
    tokio::join!(connect(near, "localhost", &client), theirs).0.expect_err("the server is believed")
}

async fn server_believed(trust: &Trust, leaf: &Leaf) {
    let server = ServerConfig::builder().identity(leaf.identity()).build().unwrap();
    let client = ClientConfig::builder().trust(trust.clone()).build().unwrap();
    handshake(&client, &server).await.0.expect("the server is not believed");
}

fn listener(auth: ClientAuth, trust: ClientTrust, leaf: &Leaf) -> ServerConfig {
    ServerConfig::builder().identity(leaf.identity()).client_certificate(auth).handshake_trust(trust).build().unwrap()
}

fn judge(leaf: &Leaf, anchors: &[&Certificate]) -> Result<(), Refusal> {
    let presented = PresentedPeer::from_der_unproven(leaf.ders()).unwrap();
    let anchors = Anchors::new(anchors.iter().copied().cloned()).unwrap();
    verify_with(&presented, &anchors, None, now()).map(|_| ())
}

/// Rule, certificate, chain and id are all there.
fn whole(error: &TlsError, length: usize) -> &Refusal {
    let refusal = error.refusal().unwrap_or_else(|| panic!("no refusal: {error}"));
    assert!(refusal.certificate.is_some(), "{error}");
    assert_eq!(refusal.chain.len(), length, "{error}");
    assert!(error.to_string().ends_with(&format!("[{} {}]", error.id(), error.id().name())), "{error}");
    refusal
}

/// A leaf's owner signs a certificate for another name.
fn forged(owner: &Leaf, params: CertificateParams, forged: &CertificateParams) -> Leaf {
    let forger = Ca::of_leaf(owner.chain[0].clone(), params, &owner.key);
    forger.issue(forged, &[&forger])
}

#[tokio::test]
async fn a_leaf_among_the_authorities_vouches_for_itself_alone() {
    let root = Ca::root("Root");
    let params = server_params("other.example");
    let other = root.issue(&params, &[]);
    let forged = forged(&other, params, &server_params("localhost"));
    for forged in [&forged, &Leaf { chain: vec![forged.chain[0].clone()], key: forged.key.clone() }] {
        let error = server_refused(&of(&[&other.chain[0], &root.certificate]), forged).await;
        let refusal = whole(&error, forged.chain.len());
        assert!(matches!(refusal.rule, VerifyError::NotACa { .. }), "{error}");
        assert_eq!(refusal.certificate.as_ref(), Some(&other.chain[0]));
    }
    // A self-signed one with CA:FALSE is believed as the very certificate that it is.
    let own = Ca::self_signed(server_params("localhost"));
    let own = Leaf { key: own.key_pem(), chain: vec![own.certificate] };
    server_believed(&of(&[&own.chain[0]]), &own).await;
}

#[tokio::test]
async fn a_client_certificate_among_a_listeners_authorities_admits_nobody_else() {
    let root = Ca::root("Root");
    let params = client_params("one");
    let one = root.issue(&params, &[]);
    let forged = forged(&one, params, &client_params("admin"));
    let server = root.issue(&server_params("localhost"), &[]);
    let server = listener(ClientAuth::Required, ClientTrust::Anchors(of(&[&one.chain[0]])), &server);
    let client = ClientConfig::builder().identity(forged.identity()).trust(of(&[&root.certificate])).build().unwrap();
    let error = handshake(&client, &server).await.1.unwrap_err();
    assert_eq!((error.side(), error.id()), (Side::Us, Id::B17), "{error}");
    whole(&error, 2);
}

#[test]
fn an_issuer_whose_key_usage_forbids_it_issues_nothing() {
    let root = Ca::root("Root");
    let mut params = ca_params("No Signer");
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let ca = root.issue_ca(params);
    let refusal = judge(&ca.issue(&client_params("a"), &[&ca]), &[&root.certificate]).unwrap_err();
    assert!(matches!(refusal.rule, VerifyError::NotACa { .. }), "{refusal}");
    assert_eq!(refusal.position(), Some(1));
}

#[test]
fn an_authority_is_bound_by_its_own_certificate_also_where_the_path_ends() {
    let mut params = ca_params("Short");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let short = Ca::self_signed(params);
    let below = short.issue_ca(ca_params("Below"));
    let refusal = judge(&below.issue(&client_params("a"), &[&below]), &[&short.certificate]).unwrap_err();
    assert!(matches!(&refusal.rule, VerifyError::PathLength { subject, .. } if subject == "CN=Short"), "{refusal}");
    judge(&short.issue(&client_params("a"), &[]), &[&short.certificate]).unwrap();
    // The authority below ends the path when it is registered itself.
    judge(&below.issue(&client_params("a"), &[]), &[&short.certificate, &below.certificate]).unwrap();

    let mut params = ca_params("Servers");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let servers = Ca::self_signed(params);
    let refusal = judge(&servers.issue(&client_params("a"), &[]), &[&servers.certificate]).unwrap_err();
    assert!(matches!(&refusal.rule, VerifyError::IssuerUsage { subject, .. } if subject == "CN=Servers"), "{refusal}");
    assert_eq!((refusal.position(), refusal.certificate.as_ref()), (None, Some(&servers.certificate)));
    let mut params = ca_params("Any");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::Any];
    let any = Ca::self_signed(params);
    judge(&any.issue(&client_params("a"), &[]), &[&any.certificate]).unwrap();
}

#[test]
fn a_clique_of_namesakes_is_refused_soon() {
    let root = Ca::root("Root");
    // Of one name, each issued by that name: path building could go through them in any order.
    let clique: Vec<Ca> = (0..9).map(|_| root.issue_ca(ca_params("Root"))).collect();
    let stranger = Ca::root("Root");
    let leaf = stranger.issue(&client_params("a"), &clique.iter().collect::<Vec<_>>());
    let begun = Instant::now();
    let refusal = judge(&leaf, &[&root.certificate]).unwrap_err();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    assert!(matches!(refusal.rule, VerifyError::BadSignature { .. }), "{refusal}");
    assert_eq!(refusal.chain.len(), 10);
}

#[tokio::test]
async fn a_server_with_hundreds_of_certificates_is_refused_soon() {
    // Six authorities in a ring, each with many certificates of one key: every signature is right, no path ends.
    let ring: Vec<Ca> = (0..6).map(|n| Ca::root(&format!("R{n}"))).collect();
    let mut above = Vec::new();
    for _ in 0..20 {
        for n in 0..6 {
            above.push(ring[(n + 1) % 6].certify(ca_params(&format!("R{n}")), &ring[n]));
        }
    }
    let Leaf { chain, key } = ring[0].issue(&server_params("localhost"), &[]);
    let leaf = Leaf { chain: chain.into_iter().chain(above).collect(), key };
    assert!(leaf.ders().iter().map(Vec::len).sum::<usize>() > 32 * 1024);
    let begun = Instant::now();
    let error = raw_refused(&of(&[&Ca::root("Root").certificate]), &leaf).await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    whole(&error, 16);
    assert_eq!(error.id(), Id::D01, "{error}");
}

#[test]
fn an_authority_that_was_cross_signed_and_renewed_is_found_all_the_same() {
    let (root, old_root) = (Ca::root("Root"), Ca::root("Old Root"));
    let issuing = root.issue_ca(ca_params("Issuing"));
    let mut over = ca_params("Issuing");
    at(&mut over, now() - 7_200, now() - 3_600);
    let expired = root.certify(over, &issuing);
    let crossed = old_root.certify(ca_params("Issuing"), &issuing);
    let mut leaf = issuing.issue(&client_params("a"), &[]);
    leaf.chain.extend([expired, crossed, issuing.certificate]);
    for anchor in [&root, &old_root] {
        judge(&leaf, &[&anchor.certificate]).unwrap();
    }
}

#[tokio::test]
async fn a_chain_that_is_too_long_is_refused_with_all_that_was_seen() {
    let root = Ca::root("Root");
    let mut cas = vec![root.issue_ca(ca_params("C0"))];
    for n in 1..12 {
        let next = cas[n - 1].issue_ca(ca_params(&format!("C{n}")));
        cas.push(next);
    }
    let long = cas[11].issue(&client_params("a"), &cas.iter().rev().collect::<Vec<_>>());
    let server = root.issue(&server_params("localhost"), &[]);
    let any = ClientTrust::AnyPresented;
    for trust in [any, ClientTrust::Anchors(of(&[&root.certificate]))] {
        let client = ClientConfig::builder().identity(long.identity()).trust(of(&[&root.certificate])).build().unwrap();
        let error = handshake(&client, &listener(ClientAuth::Optional, trust, &server)).await.1.unwrap_err();
        assert_eq!(error.side(), Side::Us, "{error}");
        let refusal = whole(&error, 13);
        assert!(matches!(refusal.rule, VerifyError::NotTaken { .. }), "{error}");
        assert!(error.finding().fix.contains("only the leaf"), "{}", error.finding().fix);
    }
}

#[tokio::test]
async fn optional_asks_and_still_refuses_what_does_not_verify() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let server = root.issue(&server_params("localhost"), &[]);
    let stranger = other.issue(&client_params("a"), &[]);
    let thumbprint = root.issue(&client_params("b"), &[]).chain[0].thumbprint_sha256().parse().unwrap();
    for trust in [ClientTrust::Anchors(of(&[&root.certificate])), ClientTrust::Thumbprints(Arc::new([thumbprint]))] {
        for (auth, nobody) in [(ClientAuth::Optional, true), (ClientAuth::Required, false)] {
            let server = listener(auth, trust.clone(), &server);
            let base = ClientConfig::builder().trust(of(&[&root.certificate]));
            let (near, far) = handshake(&base.clone().identity(stranger.identity()).build().unwrap(), &server).await;
            whole(&far.unwrap_err(), 1);
            if let Ok((mut stream, _)) = near {
                assert_eq!(from_io(&stream.read_u8().await.unwrap_err()).unwrap().side(), Side::Peer);
            }
            let without = handshake(&base.build().unwrap(), &server).await.1;
            assert_eq!(without.is_ok(), nobody);
        }
    }
    // No thumbprint registered admits nobody.
    let server = listener(ClientAuth::Required, ClientTrust::Thumbprints(Arc::new([])), &server);
    let client = ClientConfig::builder().identity(stranger.identity()).trust(of(&[&root.certificate])).build().unwrap();
    assert_eq!(handshake(&client, &server).await.1.unwrap_err().id(), Id::B08);
}

/// Class 14: a client that does not verify, or not the second time.
#[tokio::test]
async fn no_wrong_server_is_believed_and_none_the_second_time() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let mut over = server_params("localhost");
    at(&mut over, now() - 7_200, now() - 3_600);
    let mut early = server_params("localhost");
    at(&mut early, now() + 3_600, now() + 7_200);
    let mut no_name = server_params("localhost");
    no_name.subject_alt_names.clear();
    let mut named_only = named("localhost");
    named_only.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let own = Ca::self_signed(server_params("localhost"));
    let own_ca = Ca::self_signed({
        let mut params = server_params("localhost");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    });
    let self_signed = |ca: Ca| Leaf { key: ca.key_pem(), chain: vec![ca.certificate] };
    let wrong = [
        ("another name", root.issue(&server_params("elsewhere.example"), &[]), Id::D08),
        ("an address", root.issue(&server_params("192.0.2.1"), &[]), Id::D08),
        ("a wildcard above", root.issue(&server_params("*.localhost"), &[]), Id::D08),
        ("no name", root.issue(&no_name, &[]), Id::D10),
        ("a common name", root.issue(&named_only, &[]), Id::D10),
        ("another CA", other.issue(&server_params("localhost"), &[]), Id::D01),
        ("self-signed", self_signed(own), Id::D04),
        ("self-signed CA", self_signed(own_ca), Id::D04),
        ("expired", root.issue(&over, &[]), Id::D06),
        ("not yet valid", root.issue(&early, &[]), Id::D07),
        ("for clients", root.issue(&client_params("localhost"), &[]), Id::D11),
    ];
    let trust = of(&[&root.certificate]);
    let client = ClientConfig::builder().trust(trust).build().unwrap();
    let right = ServerConfig::builder().identity(root.issue(&server_params("localhost"), &[]).identity());
    let right = right.build().unwrap();
    for (what, leaf, id) in wrong {
        let server = ServerConfig::builder().identity(leaf.identity()).build().unwrap();
        // The first failure, the second, and once more after a success must not differ.
        for round in 0..3 {
            let error = handshake(&client, &server).await.0.expect_err(what);
            assert_eq!((error.side(), error.id()), (Side::Us, id), "{what}, {round}: {error}");
            whole(&error, 1);
            if round == 1 {
                handshake(&client, &right).await.0.unwrap();
            }
        }
    }
}

#[tokio::test]
async fn pain_10_own_authorities_replace_those_of_the_system_and_of_the_web() {
    let (root, other) = (Ca::root("Root"), Ca::root("Other"));
    let server = root.issue(&server_params("localhost"), &[]);
    let believes = |trust: &Trust| (trust.certificates().len(), trust.asks_platform(), trust.described().len());
    assert_eq!(believes(&of(&[&other.certificate])), (1, false, 1));
    let also =
        of(&[&other.certificate]).and_also(TrustSource::Platform).unwrap().and_also(TrustSource::WebRoots).unwrap();
    assert_eq!(believes(&also), (1, true, 3));
    // Nobody among them knows the server, and each is asked.
    let error = server_refused(&also, &server).await;
    assert_eq!(error.id(), Id::D01, "{error}");
    whole(&error, 1);
    server_believed(&also.and_also(TrustSource::Certificates(vec![root.certificate.clone()])).unwrap(), &server).await;
}

#[tokio::test]
async fn what_makes_the_own_part_refuse_is_not_lost_beside_the_system() {
    let root = Ca::root("Root");
    let mut over = server_params("localhost");
    at(&mut over, now() - 7_200, now() - 3_600);
    let leaf = root.issue(&over, &[]);
    for trust in [
        of(&[&root.certificate]).and_also(TrustSource::Platform).unwrap(),
        Trust::platform().and_also(TrustSource::Pin(Pin::of_certificate(&leaf.chain[0]))).unwrap(),
        Trust::platform().and_also(TrustSource::Pin(Pin::of_key(&leaf.chain[0]))).unwrap(),
    ] {
        let error = server_refused(&trust, &leaf).await;
        assert_eq!(error.id(), Id::D06, "{error}");
        whole(&error, 1);
    }
}

#[tokio::test]
async fn the_pin_of_a_key_does_not_shadow_the_pin_of_the_certificate() {
    let leaf = Ca::root("Root").issue(&server_params("elsewhere.example"), &[]);
    let key = Trust::only(TrustSource::Pin(Pin::of_key(&leaf.chain[0]))).unwrap();
    assert_eq!(server_refused(&key, &leaf).await.id(), Id::D08);
    server_believed(&key.and_also(TrustSource::Pin(Pin::of_certificate(&leaf.chain[0]))).unwrap(), &leaf).await;
}

#[tokio::test]
async fn a_pin_believes_nobody_who_only_shows_the_certificate() {
    let root = Ca::root("Root");
    let pinned = root.issue(&server_params("localhost"), &[]);
    let mut other = root.issue(&server_params("localhost"), &[]);
    // In front of another's key, the handshake's signature is wrong.
    let shown = Leaf { chain: pinned.chain.clone(), key: other.key.clone() };
    other.chain.push(pinned.chain[0].clone());
    for pin in [Pin::of_certificate(&pinned.chain[0]), Pin::of_key(&pinned.chain[0])] {
        let error = raw_refused(&Trust::only(TrustSource::Pin(pin)).unwrap(), &other).await;
        assert_eq!(error.id(), Id::D03, "{error}");
        whole(&error, 2);
        let error = raw_refused(&Trust::only(TrustSource::Pin(pin)).unwrap(), &shown).await;
        assert_eq!((error.side(), error.report().peer_chain.len()), (Side::Us, 1), "{error}");
    }
}
