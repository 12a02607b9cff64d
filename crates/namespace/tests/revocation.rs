//! Revocation lists beside the registered authorities.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::Arc;

use gridmq_namespace::gate::{ConnectRequest, Credentials, RefusalKind, Transport};
use gridmq_namespace::{Gate, Policy, Refusal, Resources};
use gridmq_proto::time::Wall;
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Reason, Revocations, Validity};
use gridmq_tls::{PresentedPeer, Revocation, VerifyError};
use serde_json::json;

const NOW: Wall = Wall::from_millis(1_800_000_000_000);

fn days(days: u32) -> Validity {
    Validity::days(NOW.as_secs(), days)
}

fn gate(ca: &CertificateAuthority, revocation: Option<Revocation>, generation: u64) -> Gate {
    let document = json!({
        "namespace": {"name": "ns1", "properties": {"topicSpacesConfiguration": {"state": "Enabled"}}},
        "clients": [{"name": "good"}, {"name": "bad"}],
        "caCertificates": [{"name": "ca1", "properties": {"encodedCertificate": ca.certificate_pem()}}],
    });
    let resources = Resources::from_json(&document.to_string()).unwrap();
    let policy = Policy::compile(resources, generation).unwrap();
    Gate::new(Arc::new(match revocation {
        Some(revocation) => policy.with_revocation(revocation),
        None => policy,
    }))
}

fn presented(issued: &IssuedCertificate) -> PresentedPeer {
    PresentedPeer::from_der_unproven(vec![issued.certificate_der()]).unwrap()
}

fn request<'a>(name: &'a str, presented: &'a PresentedPeer) -> ConnectRequest<'a> {
    ConnectRequest {
        username: Some(name),
        presented: Some(presented),
        ..ConnectRequest::new("session1", Transport::Tls)
    }
}

fn is_revoked(refusal: &Refusal) -> bool {
    matches!(&refusal.why, RefusalKind::Certificate(VerifyError::Revoked { .. }))
}

#[test]
fn a_revoked_client_is_not_admitted_and_is_put_out_when_the_list_comes() {
    let ca = CertificateAuthority::new_root("Root", days(365)).unwrap();
    let (good, bad) = (ca.issue_client("good", days(30)).unwrap(), ca.issue_client("bad", days(30)).unwrap());
    let (good, bad_peer) = (presented(&good), presented(&bad));
    let mut register = Revocations::default();
    register.revoke(&bad.chain()[0], NOW.as_secs(), Reason::KeyCompromise).unwrap();
    let list = ca.sign_revocations(&mut register, days(7)).unwrap();
    let revocation = Revocation::builder().from_bytes(list.to_pem().as_bytes(), NOW.as_secs()).unwrap();

    let (before, after) = (gate(&ca, None, 1), gate(&ca, Some(revocation), 2));
    let admission = before.admit(&request("bad", &bad_peer), NOW).unwrap();
    assert!(after.admit(&request("good", &good), NOW).is_ok());
    assert!(is_revoked(&after.admit(&request("bad", &bad_peer), NOW).unwrap_err()));
    let credentials = Credentials::from(&request("bad", &bad_peer));
    assert!(is_revoked(&after.readmit(&admission, &credentials, NOW).unwrap_err()));

    // A list that nobody renewed says nothing any more, and nobody is admitted on its word.
    let later = Wall::from_millis((days(7).not_after() + 1) * 1000);
    match after.admit(&request("good", &good), later).unwrap_err().why {
        RefusalKind::Certificate(VerifyError::ListOutdated { .. }) => {}
        why => panic!("{why}"),
    }
}
