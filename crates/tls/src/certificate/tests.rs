use super::*;
use crate::issue::{CertificateAuthority, LeafRequest, Validity};

fn leaf() -> Certificate {
    let root = CertificateAuthority::new_root("Test Root", Validity::new(1_000, 2_000)).unwrap();
    let request = LeafRequest::client("client1-authn-ID")
        .dns("device.example")
        .uri("urn:device:1")
        .email("device@example.org")
        .ip("192.0.2.7".parse().unwrap())
        .ip("2001:db8::1".parse().unwrap());
    let issued = root.issue(&request, Validity::new(1_200, 1_800)).unwrap();
    Certificate::from_der(&issued.certificate_der()).unwrap()
}

#[test]
fn every_field_is_read() {
    let leaf = leaf();
    assert_eq!(leaf.subject().common_name(), Some("client1-authn-ID"));
    assert_eq!(leaf.subject().to_string(), "CN=client1-authn-ID");
    assert_eq!(leaf.issuer().to_string(), "CN=Test Root");
    assert_eq!((leaf.not_before(), leaf.not_after()), (1_200, 1_800));
    assert!(!leaf.is_ca() && !leaf.can_issue() && !leaf.is_self_issued());
    assert!(leaf.allows_client_auth() && !leaf.allows_server_auth());
    assert_eq!(leaf.alternative_names().dns, ["device.example"]);
    assert_eq!(leaf.alternative_names().uri, ["urn:device:1"]);
    assert_eq!(leaf.alternative_names().email, ["device@example.org"]);
    assert_eq!(leaf.alternative_names().ip.len(), 2);
    assert_eq!(leaf.thumbprint_sha1().len(), 40);
    assert_eq!(leaf.thumbprint_sha256().len(), 64);
    assert!(leaf.authority_key_id().is_some());
}

#[test]
fn trailing_bytes_and_truncation_are_refused() {
    let der = leaf().der().to_vec();
    assert!(matches!(Certificate::from_der(&[&der[..], b"x"].concat()), Err(CertificateError::NotACertificate(_))));
    for length in 0..der.len() {
        assert!(Certificate::from_der(&der[..length]).is_err());
    }
    assert_eq!(Certificate::from_der(&vec![0x30; MAX_CERTIFICATE_BYTES + 1]), Err(CertificateError::TooLarge));
}

#[test]
fn control_characters_in_a_name_are_not_printed_raw() {
    let root = CertificateAuthority::new_root("a\u{1b}[2J\nb", Validity::new(1, 2)).unwrap();
    let text = root.certificate().subject().to_string();
    assert!(!text.chars().any(char::is_control), "{text}");
    assert_eq!(root.certificate().subject().common_name(), Some("a\u{1b}[2J\nb"));
}

proptest::proptest! {
    #[test]
    fn a_damaged_certificate_never_panics(position in 0_usize..400, byte: u8, second in 0_usize..400, other: u8) {
        let mut der = leaf().der().to_vec();
        for (position, byte) in [(position, byte), (second, other)] {
            if let Some(slot) = der.get_mut(position) {
                *slot = byte;
            }
        }
        if let Ok(certificate) = Certificate::from_der(&der) {
            let _ = format!("{certificate:?} {}", certificate.subject());
        }
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600)) {
        let _ = Certificate::from_der(&bytes);
        let _ = crate::pem::certificates(&bytes);
    }
}
