//! Whom a client believes: alone, or added together by name.
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

use common::ca::{Ca, Leaf, at, ca_params, server_params};
use common::{established, handshake, identity, now};
use gridmq_tls::issue::{Validity, self_signed_client};
use gridmq_tls::trust::TrustError;
use gridmq_tls::{ClientConfig, Id, Identity, Pin, ServerConfig, TlsError, Trust, TrustSource};

fn of(ca: &Ca) -> TrustSource {
    TrustSource::Certificates(vec![ca.certificate.clone()])
}

fn server(identity: Identity) -> ServerConfig {
    ServerConfig::builder().identity(identity).build().unwrap()
}

fn client(trust: Trust) -> ClientConfig {
    ClientConfig::builder().trust(trust).build().unwrap()
}

async fn believes(trust: Trust, server: &ServerConfig) {
    established(&client(trust), server).await;
}

async fn refuses(trust: Trust, server: &ServerConfig) -> TlsError {
    handshake(&client(trust), server).await.0.unwrap_err()
}

#[tokio::test]
async fn only_these_and_these_as_well_are_different() {
    let (a, b, c) = (Ca::root("A"), Ca::root("B"), Ca::root("C"));
    let of_b = server(b.issue(&server_params("localhost"), &[]).identity());
    let only_a = Trust::only(of(&a)).unwrap();
    assert_eq!(refuses(only_a.clone(), &of_b).await.id(), Id::D01);
    believes(only_a.clone().and_also(of(&b)).unwrap(), &of_b).await;
    believes(Trust::only_all([of(&a), of(&b)]).unwrap(), &of_b).await;
    // What was added to a copy is not added to the original.
    assert_eq!(refuses(only_a.clone(), &of_b).await.id(), Id::D01);
    let many = only_a.and_also(of(&c)).unwrap().and_also(TrustSource::WebRoots).unwrap();
    let error = refuses(many.clone(), &of_b).await;
    assert_eq!(error.id(), Id::D01);
    assert_eq!(error.report().trusted.len(), 3);
    believes(many.and_also(of(&b)).unwrap(), &of_b).await;
}

#[tokio::test]
async fn pain_18_the_roots_of_the_web_are_built_in_and_know_no_private_authority() {
    let own = Ca::root("Own");
    let web = Trust::only(TrustSource::WebRoots).unwrap();
    // No file, directory or service of the system has a part in it.
    assert!(!web.asks_platform() && !web.described().is_empty());
    let error = refuses(web, &server(own.issue(&server_params("localhost"), &[]).identity())).await;
    assert_eq!(error.id(), Id::D01, "{error}");
}

#[tokio::test]
#[cfg(feature = "platform-verifier")]
async fn the_system_and_an_authority_of_ones_own_are_asked_together() {
    let (own, stranger) = (Ca::root("Own"), Ca::root("Stranger"));
    let of_own = server(own.issue(&server_params("localhost"), &[]).identity());
    let error = refuses(Trust::platform(), &of_own).await;
    assert_eq!(error.id(), Id::D01, "{error}");
    let both = Trust::only(of(&own)).unwrap().and_also(TrustSource::Platform).unwrap();
    assert!(both.asks_platform());
    believes(both.clone(), &of_own).await;
    let error = refuses(both, &server(stranger.issue(&server_params("localhost"), &[]).identity())).await;
    assert_eq!(error.id(), Id::D01, "{error}");
}

#[tokio::test]
async fn an_intermediate_ends_a_chain_and_an_expired_one_does_not() {
    let root = Ca::root("Root");
    let issuing = root.issue_ca(ca_params("Issuing"));
    let leaf = || issuing.issue(&server_params("localhost"), &[&issuing]);
    believes(Trust::only(of(&issuing)).unwrap(), &server(leaf().identity())).await;
    believes(Trust::only(of(&issuing)).unwrap(), &server(leaf().alone().identity())).await;
    let mut params = ca_params("Root");
    at(&mut params, now() - 7_200, now() - 60);
    let old = Ca::self_signed(params);
    let error =
        refuses(Trust::only(of(&old)).unwrap(), &server(old.issue(&server_params("localhost"), &[]).identity())).await;
    assert_eq!(error.id(), Id::D06, "{error}");
    let refusal = error.refusal().unwrap();
    assert_eq!((refusal.position(), refusal.certificate.as_ref().unwrap()), (None, &old.certificate));
    let renewed = TrustSource::Certificates(vec![old.renewed(ca_params("Root"))]);
    let both = Trust::only(of(&old)).unwrap().and_also(renewed).unwrap();
    believes(both, &server(old.issue(&server_params("localhost"), &[]).identity())).await;
}

#[tokio::test]
async fn a_self_signed_ca_as_server_works_by_pin_and_says_so_without() {
    let validity = Validity::days(now(), 1);
    for is_ca in [true, false] {
        // It has no subject alternative name either.
        let own = self_signed_client("broker", is_ca, validity).unwrap();
        let config = server(identity(&own));
        let certificate = &own.chain()[0];
        believes(Trust::only(TrustSource::Pin(Pin::of_certificate(certificate))).unwrap(), &config).await;
        let text = format!("sha256:{}", certificate.thumbprint_sha256());
        believes(Trust::only(TrustSource::Pin(text.parse().unwrap())).unwrap(), &config).await;
        let by_file = refuses(Trust::only(TrustSource::Certificates(own.chain().to_vec())).unwrap(), &config).await;
        assert_eq!(by_file.id(), if is_ca { Id::D04 } else { Id::D10 }, "{by_file}");
        let stranger = refuses(Trust::only(of(&Ca::root("Other"))).unwrap(), &config).await;
        assert_eq!(stranger.id(), Id::D04, "{stranger}");
        // The key's pin waives the issuer and not the name.
        let by_key = refuses(Trust::only(TrustSource::Pin(Pin::of_key(certificate))).unwrap(), &config).await;
        assert_eq!(by_key.id(), Id::D10, "{by_key}");
    }
}

#[tokio::test]
async fn a_pin_waives_no_dates_and_believes_no_other() {
    let stranger = Ca::root("Stranger");
    let leaf = stranger.issue(&server_params("localhost"), &[]);
    let other = stranger.issue(&server_params("localhost"), &[]);
    let config = server(leaf.identity());
    believes(Trust::only(TrustSource::Pin(Pin::of_key(&leaf.chain[0]))).unwrap(), &config).await;
    let wrong = refuses(Trust::only(TrustSource::Pin(Pin::of_certificate(&other.chain[0]))).unwrap(), &config).await;
    assert_eq!(wrong.id(), Id::D03, "{wrong}");
    assert!(wrong.to_string().contains(leaf.chain[0].thumbprint_sha256()));
    // Beside authorities a pin is one more way, and not the only one.
    let beside = Trust::only_all([of(&stranger), TrustSource::Pin(Pin::of_certificate(&other.chain[0]))]).unwrap();
    believes(beside, &config).await;
    let mut params = server_params("localhost");
    at(&mut params, now() - 7_200, now() - 60);
    let old: Leaf = stranger.issue(&params, &[]);
    let pin = TrustSource::Pin(Pin::of_certificate(&old.chain[0]));
    assert_eq!(refuses(Trust::only(pin).unwrap(), &server(old.identity())).await.id(), Id::D06);
}

#[tokio::test]
async fn a_directory_is_read_file_by_file_and_bad_ones_are_reported() {
    let (a, b) = (Ca::root("A"), Ca::root("B"));
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let pem = |ca: &Ca| gridmq_tls::pem::encode(std::slice::from_ref(&ca.certificate));
    let load = || Trust::only(TrustSource::Directory(directory.path().to_owned()));
    assert!(matches!(load(), Err(TrustError::EmptyDirectory { files: 0, .. })));
    fs::write(path("noise.pem"), "nothing").unwrap();
    assert!(matches!(load(), Err(TrustError::EmptyDirectory { files: 1, first: Some(_), .. })));
    fs::write(path("a.pem"), pem(&a)).unwrap();
    fs::write(path("b.cer"), b.certificate.der()).unwrap();
    fs::write(path("again.pem"), pem(&a)).unwrap();
    fs::write(path("empty"), "").unwrap();
    fs::write(path("0a0b0c0d.r0"), a.crl(&[], now() + 3_600).pem().unwrap()).unwrap();
    fs::create_dir(path("deeper")).unwrap();
    let trust = load().unwrap();
    assert_eq!(trust.subjects(), ["CN=A", "CN=B"]);
    let about: Vec<_> = trust.findings().iter().map(|finding| finding.about.rsplit('/').next().unwrap()).collect();
    assert_eq!(about, ["empty", "noise.pem"]);
    believes(trust, &server(b.issue(&server_params("localhost"), &[]).identity())).await;
    let missing = Trust::only(TrustSource::Directory(path("missing")));
    assert!(matches!(missing, Err(TrustError::Directory { .. })));
    let der = Trust::only(TrustSource::File(path("b.cer"))).unwrap();
    assert_eq!(der.subjects(), ["CN=B"]);
}
