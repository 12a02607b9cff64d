use super::*;
use crate::catalogue::Id;
use crate::classify::Content;
use crate::issue::{CertificateAuthority, IssuedCertificate, Validity, self_signed_client};

const VALIDITY: Validity = Validity::new(1_000, 2_000);

struct Made {
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
    leaf: IssuedCertificate,
}

fn made() -> Made {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    let intermediate = root.intermediate("Intermediate", VALIDITY).unwrap();
    let leaf = intermediate.issue_client("device", VALIDITY).unwrap();
    Made { root, intermediate, leaf }
}

fn ids(identity: &Identity, now: u64) -> Vec<&'static str> {
    identity.findings(now).iter().map(|finding| finding.id.name()).collect()
}

#[test]
fn a_chain_in_any_order_is_sent_in_order() {
    let Made { root, intermediate, leaf } = made();
    let (l, i, r) = (leaf.certificate_pem(), intermediate.certificate_pem(), root.certificate_pem());
    for (order, expected) in [
        ([&l, &i, ""], vec![]),
        ([&i, &l, ""], vec!["leaf-not-first"]),
        ([&l, &i, &r], vec!["needless-root"]),
        ([&l, &r, &i], vec!["chain-out-of-order", "needless-root"]),
        ([&r, &i, &l], vec!["leaf-not-first", "needless-root"]),
        ([&l, "", ""], vec!["intermediate-missing"]),
    ] {
        let text = order.concat();
        let identity = Identity::from_pem(text.as_bytes(), leaf.key_pem().as_bytes()).unwrap();
        assert_eq!(ids(&identity, 1_500), expected);
        assert_eq!(identity.chain_subjects()[0], "CN=device");
        if text.contains(i.as_str()) {
            assert_eq!(identity.chain_subjects(), ["CN=device", "CN=Intermediate"]);
        }
    }
}

#[test]
fn key_and_certificates_may_share_one_text_in_any_order() {
    let Made { leaf, .. } = made();
    for text in [leaf.chain_pem() + leaf.key_pem(), leaf.key_pem().to_owned() + &leaf.chain_pem()] {
        let identity = Identity::from_pem(text.as_bytes(), text.as_bytes()).unwrap();
        assert_eq!(identity.chain().len(), 2);
    }
}

#[test]
fn swapped_texts_are_put_right_with_a_finding() {
    let Made { leaf, .. } = made();
    let identity = Identity::from_pem(leaf.key_pem().as_bytes(), leaf.chain_pem().as_bytes()).unwrap();
    assert_eq!(identity.chain_subjects(), ["CN=device", "CN=Intermediate"]);
    let [finding] = &identity.findings(1_500)[..] else { panic!("one finding") };
    assert_eq!((finding.id, finding.severity), (Id::A13, Severity::Warning));
}

#[test]
fn a_key_of_another_certificate_is_refused_with_the_subjects() {
    let Made { leaf, intermediate, .. } = made();
    let other = intermediate.issue_client("other", VALIDITY).unwrap();
    match Identity::from_pem(leaf.chain_pem().as_bytes(), other.key_pem().as_bytes()) {
        Err(error @ IdentityError::KeyMismatch { .. }) => {
            let finding = error.finding();
            assert_eq!((finding.id, finding.severity), (Id::A19, Severity::Error));
            let IdentityError::KeyMismatch(mismatch) = error else { panic!() };
            let KeyMismatch { subjects, key_sha256, certificate_sha256, .. } = *mismatch;
            assert_eq!(subjects, ["CN=device", "CN=Intermediate"]);
            assert_eq!((key_sha256.len(), certificate_sha256.len()), (64, 2));
            assert!(finding.evidence[0].contains(&key_sha256) && finding.evidence[1].contains(&certificate_sha256[0]));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_is_there_instead_of_a_key_is_named() {
    let Made { leaf, .. } = made();
    let chain = leaf.chain_pem();
    let labelled = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n");
    for (text, expected) in [
        (labelled("PUBLIC KEY"), Content::PublicKey),
        (labelled("CERTIFICATE REQUEST"), Content::SigningRequest),
        (labelled("OPENSSH PRIVATE KEY"), Content::OpenSshKey),
        (chain.clone(), Content::Certificate),
        ("hello".to_owned(), Content::Text),
    ] {
        match Identity::from_pem(chain.as_bytes(), text.as_bytes()) {
            Err(IdentityError::NoKey { found, .. }) => assert_eq!(found, expected),
            other => panic!("{expected:?}: {other:?}"),
        }
    }
    let traditional = "-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-256-CBC,00\n\nAAAA\n\
                       -----END RSA PRIVATE KEY-----\n";
    let encrypted = Identity::from_pem(chain.as_bytes(), labelled("ENCRYPTED PRIVATE KEY").as_bytes()).unwrap_err();
    assert!(matches!(encrypted, IdentityError::EncryptedKey { .. }), "{encrypted:?}");
    assert_eq!(encrypted.finding().id, Id::A20);
    let refused = Identity::from_pem(chain.as_bytes(), traditional.as_bytes()).unwrap_err();
    assert!(matches!(refused, IdentityError::UnsupportedEncryption { .. }), "{refused:?}");
    assert_eq!(refused.finding().id, Id::A20);
    let unusable = Identity::from_pem(chain.as_bytes(), labelled("EC PRIVATE KEY").as_bytes());
    assert!(matches!(unusable, Err(IdentityError::UnusableKey { .. })));
    let no_certificate = Identity::from_pem(b"hello", leaf.key_pem().as_bytes());
    assert!(matches!(no_certificate, Err(IdentityError::NoCertificate { found: Content::Text, .. })));
}

#[test]
fn validity_is_judged_at_the_given_time() {
    let Made { leaf, .. } = made();
    let identity = Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
    assert_eq!(identity.not_after(), 2_000);
    for (now, expected) in [
        (999, vec!["certificate-not-yet-valid", "certificate-not-yet-valid"]),
        (1_000, vec![]),
        (1_600, vec![]),
        (1_670, vec!["expires-soon", "expires-soon"]),
        (2_000, vec!["expires-soon", "expires-soon"]),
        (2_001, vec!["certificate-expired", "certificate-expired"]),
    ] {
        assert_eq!(ids(&identity, now), expected, "{now}");
    }
    assert!(identity.findings(3_000).iter().all(|finding| finding.severity == Severity::Error));
}

#[test]
fn a_ca_as_leaf_is_a_warning_only_when_self_signed() {
    let own = self_signed_client("device", true, VALIDITY).unwrap();
    let identity = Identity::from_pem(own.certificate_pem().as_bytes(), own.key_pem().as_bytes()).unwrap();
    let [finding] = &identity.findings(1_500)[..] else { panic!("one finding") };
    assert_eq!((finding.id, finding.severity), (Id::A14, Severity::Warning));
    assert_eq!(identity.chain_subjects(), ["CN=device"], "a self-signed leaf is sent");

    let Made { intermediate, .. } = made();
    let identity =
        Identity::from_pem(intermediate.certificate_pem().as_bytes(), intermediate.key_pem().as_bytes()).unwrap();
    let found = identity.findings(1_500);
    assert!(found.iter().any(|finding| finding.id.name() == "ca-as-leaf" && finding.severity == Severity::Error));
}

#[test]
fn a_certificate_of_another_chain_is_left_out_and_reported() {
    let (Made { leaf, .. }, stranger) = (made(), made());
    let text = leaf.chain_pem() + &stranger.leaf.certificate_pem();
    let identity = Identity::from_pem(text.as_bytes(), leaf.key_pem().as_bytes()).unwrap();
    assert_eq!(identity.chain().len(), 2);
    assert_eq!(ids(&identity, 1_500), ["unrelated-certificate"]);
}
