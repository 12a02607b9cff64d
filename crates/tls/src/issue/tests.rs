use super::*;
use crate::identity::Identity;

const VALIDITY: Validity = Validity::new(1_000, 2_000);

#[test]
fn an_authority_loaded_again_issues_under_the_same_name_and_key() {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    let intermediate = root.intermediate("Intermediate", VALIDITY).unwrap();
    let again = CertificateAuthority::from_pem(&intermediate.chain_pem(), &intermediate.key_pem()).unwrap();
    let leaf = again.issue_client("device", VALIDITY).unwrap();
    let [leaf, above] = leaf.chain() else { panic!("leaf and intermediate") };
    assert_eq!(above, intermediate.certificate());
    assert_eq!(leaf.issuer(), intermediate.certificate().subject());
    assert_eq!(leaf.authority_key_id(), intermediate.certificate().subject_key_id());
    assert!(intermediate.certificate().can_issue());
}

#[test]
fn a_key_of_another_authority_is_refused() {
    let one = CertificateAuthority::new_root("One", VALIDITY).unwrap();
    let other = CertificateAuthority::new_root("Other", VALIDITY).unwrap();
    assert!(matches!(
        CertificateAuthority::from_pem(&one.certificate_pem(), &other.key_pem()),
        Err(IssueError::KeyMismatch { .. })
    ));
    let leaf = one.issue_client("device", VALIDITY).unwrap();
    assert!(matches!(
        CertificateAuthority::from_pem(&leaf.certificate_pem(), leaf.key_pem()),
        Err(IssueError::NotACa { .. })
    ));
    assert!(matches!(CertificateAuthority::from_pem(&one.certificate_pem(), "nothing"), Err(IssueError::BadKey(_))));
}

#[test]
fn names_and_times_that_cannot_be_are_refused() {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    for name in ["", "a b", "-", "exa mple.org", "*."] {
        assert!(matches!(root.issue_server([name], VALIDITY), Err(IssueError::BadName { .. })), "{name:?}");
    }
    assert!(root.issue_server(["*.example.org", "::1", "192.0.2.1", "localhost"], VALIDITY).is_ok());
    for validity in [Validity::new(2, 1), Validity::new(1, 1), Validity::new(0, 253_402_300_800)] {
        assert!(matches!(root.issue_client("device", validity), Err(IssueError::BadValidity)));
    }
}

#[test]
fn a_self_signed_client_is_its_own_issuer() {
    for is_ca in [true, false] {
        let issued = self_signed_client("device", is_ca, VALIDITY).unwrap();
        let [leaf] = issued.chain() else { panic!("one certificate") };
        assert!(leaf.is_self_issued() && leaf.is_ca() == is_ca && leaf.allows_client_auth());
    }
}

#[test]
fn no_debug_output_shows_a_key() {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    let leaf = root.issue_client("device", VALIDITY).unwrap();
    let identity = Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
    let shown = format!("{root:?} {leaf:?} {identity:?}");
    assert!(!shown.contains("PRIVATE"));
    for secret in [root.key_pem(), leaf.key_pem().to_owned()] {
        let line = secret.lines().nth(1).unwrap();
        assert!(!shown.contains(line));
    }
}
