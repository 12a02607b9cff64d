use gridmq_tls::certificate::AlternativeNames;
use gridmq_tls::est::{CertificateRequest, EnrolmentKey, read_request};

use super::*;

fn request(kind: KeyType, common_name: &str, dns: &[&str]) -> SigningRequest {
    let key = EnrolmentKey::generate(kind).unwrap();
    let mut names = AlternativeNames::default();
    names.dns = dns.iter().map(|name| (*name).to_owned()).collect();
    read_request(CertificateRequest::new(&key, common_name, &names).unwrap().body().as_bytes()).unwrap()
}

#[test]
fn who_asks_gets_their_own_name_only() {
    let policy = Policy::default();
    let check = |common_name: &str, dns: &[&str]| {
        policy.check_names(&request(KeyType::EcdsaP256, common_name, dns), "device1").is_ok()
    };
    assert!(check("device1", &[]) && check("device1", &["device1"]) && check("", &["device1"]));
    assert!(!check("device2", &[]) && !check("device1", &["device2"]) && !check("", &["device1", "device2"]));
    let any = Policy::default().subject(SubjectRule::Any);
    assert!(any.check_names(&request(KeyType::EcdsaP256, "device2", &["x.example"]), "device1").is_ok());
}

#[test]
fn escapes_do_not_hide_further_attributes() {
    for (name, alone) in [
        ("CN=a", true),
        ("CN=a\\,b", true),
        ("CN=a,O=b", false),
        ("CN=a+O=b", false),
        ("CN=a\\\\,O=b", false),
        ("O=a", false),
    ] {
        assert_eq!(is_one_attribute(name), alone, "{name}");
    }
}

#[test]
fn a_wanted_key_is_the_only_one_taken() {
    let policy = Policy::default().key(KeyType::EcdsaP384);
    policy.check_key(&request(KeyType::EcdsaP384, "a", &[])).unwrap();
    policy.check_key(&request(KeyType::EcdsaP256, "a", &[])).unwrap_err();
    Policy::default().check_key(&request(KeyType::Ed25519, "a", &[])).unwrap();
}

#[test]
fn a_validity_ends_with_the_authority_and_begins_a_little_early() {
    let policy = Policy::default().validity(60);
    let validity = policy.validity_at(1_000, 10_000);
    assert_eq!((validity.not_before(), validity.not_after()), (994, 1_060));
    assert_eq!(policy.validity_at(1_000, 1_030).not_after(), 1_030);
    assert_eq!(Policy::default().validity_at(1_000_000, u64::MAX).not_before(), 999_700);
}
