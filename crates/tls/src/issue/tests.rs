use super::*;
use x509_cert::der::Decode;

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
    for secret in [root.key_pem().as_str(), leaf.key_pem()] {
        let line = secret.lines().nth(1).unwrap();
        assert!(!shown.contains(line));
    }
}

#[test]
fn every_key_type_signs_and_is_signed() {
    for kind in KeyType::ALL {
        let request = AuthorityRequest::new("Root").key_type(kind);
        let root = CertificateAuthority::root(&request, VALIDITY).unwrap();
        let again = CertificateAuthority::from_pem(&root.certificate_pem(), &root.key_pem()).unwrap();
        let leaf = again.issue(&LeafRequest::client("device").key_type(kind), VALIDITY).unwrap();
        let account = crate::inspect::Inspection::of(leaf.leaf());
        let expected = match kind {
            KeyType::EcdsaP256 => "ECDSA P-256",
            KeyType::EcdsaP384 => "ECDSA P-384",
            KeyType::Ed25519 => "Ed25519",
            KeyType::Rsa2048 => "RSA 2048",
            KeyType::Rsa3072 => "RSA 3072",
            KeyType::Rsa4096 => "RSA 4096",
        };
        assert_eq!(account.key.to_string(), expected);
        assert_eq!(leaf.leaf().authority_key_id(), root.certificate().subject_key_id());
        Identity::from_pem(leaf.chain_pem().as_bytes(), leaf.key_pem().as_bytes()).unwrap();
        assert_eq!(kind.name().parse(), Ok(kind));
    }
    assert_eq!("rsa-1024".parse::<KeyType>(), Err(UnknownKeyType));
}

#[test]
fn serial_numbers_are_given_or_random_and_never_negative() {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    for octets in [[0; 16], [0xff; 16]] {
        let serial = Serial::from_random(octets);
        let leaf = root.issue(&LeafRequest::client("device").serial(serial), VALIDITY).unwrap();
        assert_eq!(leaf.leaf().serial().len(), 32);
        assert!(matches!(leaf.leaf().serial().as_bytes()[0], b'4'..=b'7'), "{}", leaf.leaf().serial());
    }
    let request = LeafRequest::client("device");
    let key = root.issue(&request, VALIDITY).unwrap();
    let twice = [0, 1].map(|_| root.issue_for_key(&request, key.key_pem(), VALIDITY).unwrap());
    assert_ne!(twice[0].leaf().serial(), twice[1].leaf().serial(), "the same key, and another certificate");
    assert_eq!(twice[0].leaf().public_key(), twice[1].leaf().public_key());
}

#[test]
fn a_validity_of_seconds_ends_with_its_issuer() {
    let validity = Validity::seconds(10_000, 60);
    assert_eq!((validity.not_before(), validity.not_after()), (9_700, 10_060));
    assert_eq!(validity.until_at_most(10_030).not_after(), 10_030);
    assert_eq!(Validity::days(10_000, 1).not_after(), 96_400);
}

#[test]
fn name_constraints_and_path_lengths_are_written() {
    let request = AuthorityRequest::new("Root")
        .path_length(1)
        .permit("dns:example.org".parse().unwrap())
        .permit("ip:192.0.2.0/24".parse().unwrap())
        .exclude("email:example.com".parse().unwrap());
    let root = CertificateAuthority::root(&request, VALIDITY).unwrap();
    let account = crate::inspect::Inspection::of(root.certificate());
    assert_eq!(account.path_length, Some(1));
    assert_eq!(account.permitted, ["DNS:example.org", "IP:192.0.2.0/255.255.255.0"]);
    assert_eq!(account.excluded, ["email:example.com"]);
    for bad in ["", "dns:", "example.org", "ip:192.0.2.0", "ip:192.0.2.0/33", "ip:::/129", "uri:x", "dns:a b"] {
        assert_eq!(bad.parse::<Subtree>(), Err(BadSubtree), "{bad}");
    }
    assert_eq!("ip:2001:db8::/32".parse::<Subtree>().unwrap().to_string(), "ip:2001:db8::/32");
}

#[test]
fn a_request_is_signed_as_it_asks_and_as_the_profile_says() {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    for kind in KeyType::ALL {
        let wanted = LeafRequest::client("device")
            .dns("device.example")
            .uri("urn:device:1")
            .email("a@example.org")
            .ip("192.0.2.1".parse().unwrap())
            .key_type(kind);
        let made = NewRequest::new(&wanted).unwrap();
        let request = SigningRequest::read(made.request().to_pem().as_bytes()).unwrap();
        assert_eq!(
            request.alternative_names(),
            ["DNS:device.example", "URI:urn:device:1", "email:a@example.org", "IP:192.0.2.1"]
        );
        let signed = root.sign_request(&request, &SigningProfile::new(Usage::Server), VALIDITY).unwrap();
        let leaf = signed.leaf();
        assert_eq!(leaf.subject().to_string(), "CN=device");
        assert!(leaf.allows_server_auth() && !leaf.allows_client_auth() && !leaf.is_ca());
        assert!(request.asks_for_names_of(leaf));
        Identity::from_pem(signed.chain_pem().as_bytes(), made.key_pem().as_bytes()).unwrap();
        let plain = SigningProfile::new(Usage::Client).common_name("other").without_alternative_names();
        let other = root.sign_request(&request, &plain, VALIDITY).unwrap();
        assert_eq!(other.leaf().subject().to_string(), "CN=other");
        assert!(other.leaf().alternative_names().is_empty() && !request.asks_for_names_of(other.leaf()));
        let again = NewRequest::for_key(&LeafRequest::like(leaf), made.key_pem()).unwrap();
        assert_eq!(again.request().public_key(), request.public_key());
        assert!(again.request().asks_for_names_of(leaf));
    }
}

#[test]
fn a_request_without_its_key_or_for_an_authority_is_refused() {
    let made = NewRequest::new(&LeafRequest::client("device")).unwrap();
    let mut der = made.request().der().to_vec();
    let last = der.len() - 1;
    der[last] ^= 1;
    assert_eq!(SigningRequest::from_der(&der).unwrap_err(), RequestError::NoProofOfPossession);
    let at = der.windows(6).position(|window| window == b"device").unwrap();
    let mut renamed = made.request().der().to_vec();
    renamed[at] = b'D';
    assert_eq!(SigningRequest::from_der(&renamed).unwrap_err(), RequestError::NoProofOfPossession);
    let key = KeyType::EcdsaP256.generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = params.serialize_request(&key).unwrap();
    assert_eq!(SigningRequest::from_der(authority.der()).unwrap_err(), RequestError::WantsAuthority);
    assert!(matches!(SigningRequest::read(b"hello"), Err(RequestError::NotARequest(_))));
    assert_eq!(SigningRequest::read(&[0x30; MAX_REQUEST_BYTES + 1]).unwrap_err(), RequestError::TooLarge);
    let mut params = CertificateParams::default();
    params.subject_alt_names =
        (0..=MAX_REQUESTED_NAMES).map(|n| rcgen::SanType::DnsName(format!("a{n}").try_into().unwrap())).collect();
    let many = params.serialize_request(&key).unwrap();
    assert_eq!(SigningRequest::from_der(many.der()).unwrap_err(), RequestError::TooManyNames);
}

#[test]
fn what_is_revoked_stands_in_the_next_list() {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    let (one, two) = (root.issue_client("one", VALIDITY).unwrap(), root.issue_client("two", VALIDITY).unwrap());
    let mut register = Revocations::default();
    assert_eq!(register.revoke(one.leaf(), 1_500, Reason::KeyCompromise), Ok(true));
    assert_eq!(register.revoke(one.leaf(), 1_600, Reason::Superseded), Ok(false));
    let list = root.sign_revocations(&mut register, Validity::new(1_500, 1_900)).unwrap();
    assert_eq!(register.number(), 1);
    let read = x509_cert::crl::CertificateList::<x509_cert::certificate::Rfc5280>::from_der(list.der()).unwrap();
    let entries = read.tbs_cert_list.revoked_certificates.unwrap();
    let serials: Vec<_> = entries.iter().map(|entry| crate::certificate::hex(entry.serial_number.as_bytes())).collect();
    assert_eq!(serials, [one.leaf().serial()]);
    assert_ne!(serials[0], two.leaf().serial());
    let signed = crate::inspect::Signed::split(list.der()).unwrap();
    assert_eq!(signed.is_by(root.certificate().public_key()), Some(true));
    assert_eq!(signed.is_by(one.leaf().public_key()), Some(false));
    let again: Revocations = register.to_text().parse().unwrap();
    assert_eq!(again, register);
    assert_eq!("\n12\t1\tunspecified".parse::<Revocations>().unwrap().entries().len(), 1);
    for bad in ["x", "12\t1", "12\t1\tbored", "1\t1\tunspecified", "\t1\tunspecified", "crl-number x", "é\t1\tx"] {
        assert_eq!(bad.parse::<Revocations>(), Err(RegisterError::BadLine { line: 1 }), "{bad:?}");
    }
}

proptest::proptest! {
    #[test]
    fn a_damaged_request_never_panics(position in 0_usize..400, byte: u8) {
        let mut der = NewRequest::new(&LeafRequest::client("device").dns("a.b")).unwrap().request().der().to_vec();
        if let Some(slot) = der.get_mut(position) {
            *slot = byte;
        }
        let _ = SigningRequest::from_der(&der);
    }

    #[test]
    fn no_text_makes_the_register_panic(text: String) {
        let _ = text.parse::<Revocations>();
        let _ = text.parse::<Subtree>();
        let _ = text.parse::<KeyType>();
    }
}

#[test]
fn a_name_that_is_asked_for_twice_hides_no_other() {
    let authority = CertificateAuthority::new_root("Root", Validity::new(1_000, 2_000)).unwrap();
    let wanted = LeafRequest::client("device").dns("a.example").dns("b.example");
    let current = authority.issue(&wanted, Validity::new(1_000, 2_000)).unwrap();
    let ask = |names: [&str; 2]| {
        let wanted = names.iter().fold(LeafRequest::client("device"), |wanted, name| wanted.dns(name));
        NewRequest::new(&wanted).unwrap().request().asks_for_names_of(&current.chain()[0])
    };
    assert!(ask(["b.example", "a.example"]));
    assert!(!ask(["a.example", "a.example"]));
}
