//! Our client against our server, over TLS on loopback.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(dead_code, unreachable_pub, reason = "shared with other tests")]

mod common;

use common::{Pki, Running, enrolled, leaf, new_request, now};
use gridmq_client::est::{EstClient, EstError, EstErrorKind, HttpError};
use gridmq_http::est::{Approval, Policy};
use gridmq_tls::certificate::AlternativeNames;
use gridmq_tls::est::{AnswerError, CertificateRequest, Enrolment, EnrolmentKey, Label};
use gridmq_tls::issue::{CertificateAuthority, KeyType, Validity};
use gridmq_tls::{Identity, TlsErrorKind, Trust};

fn status(error: &EstError) -> u16 {
    match error.kind() {
        EstErrorKind::Answer(AnswerError::Refused { status, .. }) => *status,
        other => panic!("a status, not {other:?}"),
    }
}

#[tokio::test]
async fn a_device_enrols_by_password_and_renews_by_certificate() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let (first, key) = enrolled(&running, &pki).await;
    assert_eq!(leaf(&first).subject().common_name(), Some("device1"));
    assert_eq!(first.chain().len(), 2, "leaf and the intermediate from cacerts");
    assert!(leaf(&first).allows_client_auth() && !leaf(&first).allows_server_auth());

    for (name, new) in [("same key", key), ("new key", EnrolmentKey::generate(KeyType::EcdsaP384).unwrap())] {
        let client = running.client(&pki).identity(first.clone()).build().unwrap();
        let request = CertificateRequest::renewing(&new, leaf(&first)).unwrap();
        let Enrolment::Issued(granted) = client.reenroll(&request).await.unwrap() else { panic!("issued") };
        let second = client.accept(granted, &request, &new).await.unwrap();
        assert_eq!(leaf(&second).public_key(), new.public_key(), "{name}");
        assert_eq!(leaf(&second).subject(), leaf(&first).subject(), "{name}");
        assert_ne!(leaf(&second).serial(), leaf(&first).serial(), "{name}");
    }
    running.stop().await;
}

#[tokio::test]
async fn names_of_every_kind_survive_a_renewal() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let mut names = AlternativeNames::default();
    names.dns = vec!["device1.example.org".to_owned()];
    names.uri = vec!["urn:device:1".to_owned()];
    names.ip = vec!["10.0.0.1".parse().unwrap(), "::1".parse().unwrap()];
    names.email = vec!["device1@example.org".to_owned()];
    let wanted = names
        .dns
        .iter()
        .fold(gridmq_tls::issue::LeafRequest::client("device1"), |wanted, name| wanted.dns(name))
        .uri("urn:device:1")
        .ip(names.ip[0])
        .ip(names.ip[1])
        .email("device1@example.org");
    let issued = pki.issuing.issue(&wanted, Validity::days(now(), 1)).unwrap();
    let old = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let key = EnrolmentKey::generate(KeyType::Rsa2048).unwrap();
    let request = CertificateRequest::renewing(&key, leaf(&old)).unwrap();
    let client = running.client(&pki).identity(old.clone()).build().unwrap();
    let Enrolment::Issued(granted) = client.reenroll(&request).await.unwrap() else { panic!("issued") };
    let new = client.accept(granted, &request, &key).await.unwrap();
    assert_eq!(leaf(&new).alternative_names(), &names);
    // Another name is another certificate.
    let request = CertificateRequest::new(&key, "device2", &names).unwrap();
    assert_eq!(status(&client.reenroll(&request).await.unwrap_err()), 403);
}

#[tokio::test]
async fn who_has_no_right_gets_nothing() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let (_, request) = new_request("device1");
    for (user, password) in [("device1", "wrong"), ("device2", "secret"), ("", "")] {
        let client = running.client(&pki).password(user, password).build().unwrap();
        assert_eq!(status(&client.enroll(&request).await.unwrap_err()), 401, "{user}:{password}");
    }
    let nobody = running.client(&pki).build().unwrap();
    assert_eq!(status(&nobody.enroll(&request).await.unwrap_err()), 401);
    let without = nobody.reenroll(&request).await.unwrap_err();
    assert!(matches!(without.kind(), EstErrorKind::NoIdentity));
    // The password is right, the name is another's.
    let client = running.client(&pki).password("device1", "secret").build().unwrap();
    assert_eq!(status(&client.enroll(&new_request("device2").1).await.unwrap_err()), 403);
    // A certificate of somebody else's authority, and one that has expired.
    let foreign = Pki::new().client_identity("device1");
    let expired = pki.issuing.issue_client("device1", Validity::new(now() - 100, now() - 10)).unwrap();
    let expired = Identity::from_pem(expired.chain_pem().as_bytes(), expired.key_pem().as_bytes()).unwrap();
    for identity in [foreign, expired] {
        let client = running.client(&pki).identity(identity).build().unwrap();
        assert_eq!(status(&client.reenroll(&request).await.unwrap_err()), 403);
    }
}

#[tokio::test]
async fn a_bootstrap_certificate_enrols_its_own_name() {
    let pki = Pki::new();
    let factory = Pki::new();
    let builder = pki.server().bootstrap(vec![factory.issuing.certificate().clone()]);
    let running = Running::start(&pki, builder).await;
    let client = running.client(&pki).identity(factory.client_identity("device7")).build().unwrap();
    let (key, request) = new_request("device7");
    let Enrolment::Issued(granted) = client.enroll(&request).await.unwrap() else { panic!("issued") };
    let identity = client.accept(granted, &request, &key).await.unwrap();
    assert_eq!(leaf(&identity).issuer(), pki.issuing.certificate().subject());
    assert_eq!(status(&client.enroll(&new_request("device8").1).await.unwrap_err()), 403);
}

#[tokio::test]
async fn a_barred_certificate_is_not_renewed() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().barred(std::sync::Arc::new(|_| true))).await;
    let (identity, key) = enrolled(&running, &pki).await;
    let request = CertificateRequest::renewing(&key, leaf(&identity)).unwrap();
    let client = running.client(&pki).identity(identity).build().unwrap();
    assert_eq!(status(&client.reenroll(&request).await.unwrap_err()), 403);
}

#[tokio::test]
async fn a_barred_certificate_does_not_enrol_and_serial_numbers_of_others_bar_nobody() {
    let (pki, factory) = (Pki::new(), Pki::new());
    let authorities = vec![pki.issuing.certificate().clone(), factory.root.certificate().clone()];
    let builder = pki.server().bootstrap(authorities).barred(std::sync::Arc::new(|_| true));
    let running = Running::start(&pki, builder).await;
    let (_, request) = new_request("device7");
    let client = running.client(&pki).identity(pki.client_identity("device7")).build().unwrap();
    assert_eq!(status(&client.enroll(&request).await.unwrap_err()), 403);
    let issued = factory.root.issue_client("device7", Validity::days(now(), 1)).unwrap();
    let foreign = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let client = running.client(&pki).identity(foreign).build().unwrap();
    assert!(matches!(client.enroll(&request).await.unwrap(), Enrolment::Issued(_)));
}

#[tokio::test]
async fn a_certificate_for_servers_is_not_renewed() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let identity = pki.server_identity();
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let request = CertificateRequest::renewing(&key, leaf(&identity)).unwrap();
    let client = running.client(&pki).identity(identity).build().unwrap();
    assert_eq!(status(&client.reenroll(&request).await.unwrap_err()), 403);
}

#[tokio::test]
async fn a_request_waits_until_somebody_approves_it() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().approval(Approval::Manual { retry_after: 7 })).await;
    let client = running.client(&pki).password("device1", "secret").build().unwrap();
    let (_, request) = new_request("device1");
    for _ in 0..2 {
        let answer = client.enroll(&request).await.unwrap();
        assert!(matches!(answer, Enrolment::Pending { retry_after: 7 }), "{answer:?}");
    }
    let [waiting] = &running.server.pending()[..] else { panic!("one waits") };
    assert_eq!((waiting.subject.as_str(), waiting.requester.as_str()), ("CN=device1", "device1"));
    assert!(running.server.approve(&waiting.id) && !running.server.approve("another"));
    assert!(matches!(client.enroll(&request).await.unwrap(), Enrolment::Issued(_)));
    // It counts once.
    assert!(matches!(client.enroll(&request).await.unwrap(), Enrolment::Pending { .. }));
}

#[tokio::test]
async fn the_wanted_key_is_told_and_insisted_on() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().policy(Policy::default().key(KeyType::EcdsaP384))).await;
    let client = running.client(&pki).password("device1", "secret").build().unwrap();
    assert_eq!(client.csr_attributes().await.unwrap().key_type(), Some(KeyType::EcdsaP384));
    assert_eq!(status(&client.enroll(&new_request("device1").1).await.unwrap_err()), 403);

    let running = Running::start(&pki, pki.server()).await;
    let client = running.client(&pki).build().unwrap();
    assert_eq!(client.csr_attributes().await.unwrap().key_type(), None);
}

#[tokio::test]
async fn a_label_is_a_path_of_its_own() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().label(Label::new("devices").unwrap())).await;
    for (label, there) in [("", true), ("/devices", true), ("/others", false)] {
        let url = format!("{}{label}", running.url);
        let answer = EstClient::builder(&url).trust(pki.trust()).build().unwrap().ca_certificates().await;
        match answer {
            Ok(certificates) => assert!(there && certificates.len() == 2),
            Err(error) => assert!(!there && status(&error) == 404),
        }
    }
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_no_password() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server()).await;
    let other = CertificateAuthority::new_root("Root", Validity::days(now(), 1)).unwrap();
    let trust = Trust::only_der(vec![other.certificate().der().to_vec()]).unwrap();
    let client = EstClient::builder(&running.url).trust(trust).password("device1", "secret").build().unwrap();
    let error = client.enroll(&new_request("device1").1).await.unwrap_err();
    let EstErrorKind::Http(HttpError::Tls(tls)) = error.kind() else { panic!("TLS, not {error:?}") };
    assert!(matches!(tls.kind(), TlsErrorKind::UnknownCa | TlsErrorKind::BadCertificate), "{tls:?}");
    assert!(!format!("{client:?} {error:?}").contains("secret"));
}

#[tokio::test]
async fn a_life_of_seconds_is_possible() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().policy(Policy::default().validity(60))).await;
    let (identity, _) = enrolled(&running, &pki).await;
    assert!((now() + 50..=now() + 60).contains(&identity.not_after()));
}
