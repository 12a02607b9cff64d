use gridmq_tls::issue::{CertificateAuthority, Validity};

use super::*;
use crate::error::Stage;

/// What an address with TLS is told where no authority was given, and the build has that default.
fn judged(addresses: &[&str], default: Option<Trust>) -> Result<Option<Tls>, ConnectError> {
    let addresses: Vec<_> = addresses.iter().map(|address| Address::parse(address).unwrap()).collect();
    let judge = Judge { target: "memory".to_owned(), version: gridmq_proto::Version::V5 };
    TlsOptions::default().plan_or(&judge, &addresses, Profile::default(), || default)
}

#[test]
fn pain_21_without_an_authority_and_without_the_systems_roots_nothing_is_tried() {
    let authority = CertificateAuthority::new_root("Root", Validity::new(0, 4_000_000_000)).unwrap();
    let trust = Trust::only_pem(authority.certificate_pem().as_bytes()).unwrap();
    // One server with TLS among plain ones needs trust like any other.
    for addresses in [&["mqtts://a"][..], &["mqtt://a", "mqtts://b"], &["mqtts://a", "mqtt://b"]] {
        let error = judged(addresses, None).unwrap_err();
        assert_eq!(error.stage(), Stage::Options);
        assert!(matches!(error.kind(), ConnectErrorKind::NoTrust), "{error}");
        assert!(judged(addresses, Some(trust.clone())).unwrap().is_some());
    }
    assert!(judged(&["mqtt://a"], None).unwrap().is_none());
}
