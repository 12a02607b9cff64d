use proptest::prelude::*;

use super::*;
use crate::certificate::{AlternativeNames, Certificate};
use crate::identity::Identity;
use crate::issue::{CertificateAuthority, KeyType, LeafRequest, SigningProfile, Usage, Validity};

const NOW: u64 = 1_800_000_000;
const VALIDITY: Validity = Validity::new(NOW - 100, NOW + 1000);

fn authority() -> CertificateAuthority {
    CertificateAuthority::new_root("Root", VALIDITY).unwrap()
}

fn three() -> Vec<Certificate> {
    let root = authority();
    let intermediate = root.intermediate("Intermediate", VALIDITY).unwrap();
    let leaf = intermediate.issue_client("device", VALIDITY).unwrap();
    vec![leaf.chain()[0].clone(), intermediate.certificate().clone(), root.certificate().clone()]
}

fn names() -> AlternativeNames {
    AlternativeNames {
        dns: vec!["a.example.org".to_owned(), "*.example.org".to_owned()],
        uri: vec!["urn:device:1".to_owned()],
        ip: vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()],
        email: vec!["a@example.org".to_owned()],
    }
}

#[test]
fn paths_are_those_of_the_standard() {
    assert_eq!(Operation::SimpleEnroll.path(None), "/.well-known/est/simpleenroll");
    let label = Label::new("devices").unwrap();
    assert_eq!(Operation::CsrAttrs.path(Some(&label)), "/.well-known/est/devices/csrattrs");
    for bad in ["", "a/b", "cacerts", "..", ".x", "é", &"a".repeat(65)] {
        assert!(Label::new(bad).is_err(), "{bad}");
    }
}

#[test]
fn certificates_survive_the_way_there_and_back() {
    let certificates = three();
    assert_eq!(read_certs_only(certs_only(&certificates).as_bytes()).unwrap(), certificates);
    assert!(certs_only(&certificates).lines().all(|line| line.len() <= 64));
}

#[test]
fn bodies_are_read_however_they_are_wrapped() {
    let certificates = three();
    let text = certs_only(&certificates);
    let der = crate::pkcs7::certs_only(&certificates);
    let one_line = text.replace('\n', "");
    for body in [
        one_line.clone().into_bytes(),
        one_line.trim_end_matches('=').as_bytes().to_vec(),
        text.replace('\n', "\r\n").into_bytes(),
        format!("  {one_line}\t\n\n").into_bytes(),
        format!("-----BEGIN PKCS7-----\n{text}-----END PKCS7-----\n").into_bytes(),
        der,
    ] {
        assert_eq!(read_certs_only(&body).unwrap(), certificates);
    }
}

/// BouncyCastle and others write BER with indefinite lengths.
#[test]
fn indefinite_lengths_are_read() {
    let certificates = three();
    let whole: Vec<u8> = certificates.iter().flat_map(|certificate| certificate.der().to_vec()).collect();
    let oid = |last: u8| vec![0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, last];
    let end = [0_u8, 0];
    let data = [vec![0x30, 0x80], oid(1), end.to_vec()].concat();
    let set = [vec![0xa0, 0x80], whole, end.to_vec()].concat();
    let signed = [vec![0x30, 0x80, 0x02, 0x01, 0x01, 0x31, 0x00], data, set, vec![0x31, 0x00], end.to_vec()].concat();
    let body = [vec![0x30, 0x80], oid(2), vec![0xa0, 0x80], signed, end.to_vec(), end.to_vec()].concat();
    assert_eq!(read_certs_only(&body).unwrap(), certificates);
    for cut in 0..body.len() {
        // Whatever is missing at the end, nothing is made up.
        if let Ok(read) = read_certs_only(&body[..cut]) {
            assert_eq!(read, certificates);
        }
    }
}

#[test]
fn what_holds_no_certificate_or_too_many_is_refused() {
    let one = three().remove(0);
    assert!(matches!(read_certs_only(certs_only(&[]).as_bytes()), Err(AnswerError::NoCertificate)));
    let many = vec![one; MAX_CERTIFICATES + 1];
    assert!(matches!(read_certs_only(certs_only(&many).as_bytes()), Err(AnswerError::TooManyCertificates)));
    assert!(matches!(read_certs_only(b"MAA="), Err(AnswerError::NotCertsOnly)));
    assert!(matches!(read_certs_only(b"?"), Err(AnswerError::NotBase64)));
    assert!(matches!(read_certs_only(&vec![b'A'; MAX_BODY_BYTES + 1]), Err(AnswerError::TooLarge)));
    let mut deep = vec![0x30, 0x80];
    deep = deep.repeat(100_000);
    assert!(matches!(read_certs_only(&deep), Err(AnswerError::NotCertsOnly)));
}

#[test]
fn a_request_of_every_kind_of_key_proves_possession_and_keeps_its_names() {
    for kind in [KeyType::EcdsaP256, KeyType::EcdsaP384, KeyType::Ed25519, KeyType::Rsa2048] {
        let key = EnrolmentKey::generate(kind).unwrap();
        let request = CertificateRequest::new(&key, "device, one", &names()).unwrap();
        let read = read_request(request.body().as_bytes()).unwrap();
        assert_eq!(read.subject(), request.subject(), "{kind}");
        assert_eq!(read.subject().common_name(), Some("device, one"), "{kind}");
        assert_eq!(read.public_key(), key.public_key(), "{kind}");
        assert_eq!(read.alternative_names().len(), 6, "{kind}");
        let again = EnrolmentKey::from_pem(key.pem()).unwrap();
        assert_eq!(again.public_key(), key.public_key(), "{kind}");
    }
}

#[test]
fn a_request_signed_by_another_key_is_refused() {
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let request = CertificateRequest::new(&key, "device", &AlternativeNames::default()).unwrap();
    let mut der = request.der().to_vec();
    let position = der.windows(6).position(|window| window == b"device").unwrap();
    der[position] ^= 1;
    assert!(matches!(read_request(&der), Err(RequestError::Unusable(_))));
    assert!(matches!(read_request(b"?"), Err(RequestError::NotBase64)));
}

#[test]
fn names_that_cannot_be_are_not_asked_for() {
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let with = |change: fn(&mut AlternativeNames)| {
        let mut names = AlternativeNames::default();
        change(&mut names);
        CertificateRequest::new(&key, "device", &names)
    };
    assert!(with(|_| {}).is_ok());
    assert!(with(|names| names.dns.push("a b".to_owned())).is_err());
    assert!(with(|names| names.uri.push(String::new())).is_err());
    assert!(with(|names| names.email.push("é@example.org".to_owned())).is_err());
    assert!(CertificateRequest::new(&key, "", &AlternativeNames::default()).is_err());
    assert!(CertificateRequest::new(&key, &"x".repeat(65), &AlternativeNames::default()).is_err());
}

#[test]
fn a_renewal_asks_for_the_same_octets() {
    let root = authority();
    let wanted = LeafRequest::client("device").dns("a.example.org").uri("urn:x").ip("192.0.2.1".parse().unwrap());
    let issued = root.issue(&wanted, VALIDITY).unwrap();
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let request = CertificateRequest::renewing(&key, &issued.chain()[0]).unwrap();
    let read = read_request(request.der()).unwrap();
    assert_eq!(read.subject(), issued.chain()[0].subject());
    assert!(read.asks_for_names_of(&issued.chain()[0]));
}

#[test]
fn what_may_replace_an_identity_is_checked_whole() {
    let root = authority();
    let intermediate = root.intermediate("Intermediate", VALIDITY).unwrap();
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let request = CertificateRequest::new(&key, "device", &AlternativeNames::default()).unwrap();
    let asked = read_request(request.der()).unwrap();
    let issued = intermediate.sign_request(&asked, &SigningProfile::new(Usage::Client), VALIDITY).unwrap();
    let authorities = [root.certificate().clone(), intermediate.certificate().clone()];
    let accept = |previous, now| {
        let body = certs_only(&issued.chain()[..1]);
        let Ok(Enrolment::Issued(granted)) = Answer::new(200, body.as_bytes()).enrolled(now) else { panic!("issued") };
        granted.into_identity(&request, &key, &authorities, previous, now)
    };
    let identity: Identity = accept(None, NOW).unwrap();
    assert_eq!(identity.chain().len(), 2, "completed with the intermediate, without the root");
    let leaf = &issued.chain()[0];
    assert!(matches!(accept(Some(leaf), NOW), Err(AnswerError::SameCertificate { .. })));
    assert!(matches!(accept(None, NOW + 2000), Err(AnswerError::Expired { .. })));
    assert!(matches!(accept(None, NOW - 2000), Err(AnswerError::NotYetValid { .. })));
}

#[test]
fn answers_mean_what_their_status_says() {
    let page = Answer::new(200, b"<html>").content_type("text/html; charset=utf-8");
    assert!(matches!(page.ca_certificates(NOW), Err(AnswerError::NotEst { .. })));
    let moved = Answer::new(307, b"").location(Some("https://elsewhere.example/"));
    assert!(matches!(moved.enrolled(NOW), Err(AnswerError::Redirected { status: 307, .. })));
    for status in [400, 401, 403, 404, 500, 501, 503] {
        let answer = Answer::new(status, b"no\r\nreason\x1b[31m").retry_after(Some("9"));
        let Err(AnswerError::Refused { status: read, words, retry_after: Some(9) }) = answer.enrolled(NOW) else {
            panic!("refused")
        };
        assert_eq!((read, words.as_str()), (status, "no reason[31m"));
    }
    for (field, expected) in [(Some("30"), 30), (None, 60), (Some("soon"), 60)] {
        let Ok(Enrolment::Pending { retry_after }) = Answer::new(202, b"").retry_after(field).enrolled(NOW) else {
            panic!("pending")
        };
        assert_eq!(retry_after, expected);
    }
    for status in [204, 404] {
        assert_eq!(Answer::new(status, b"").csr_attributes(NOW).unwrap(), CsrAttributes::default());
    }
}

#[test]
fn retry_after_is_seconds_or_a_date() {
    // 1994-11-06T08:49:37Z
    const DATE: u64 = 784_111_777;
    assert_eq!(retry_after(" 120 ", 0), Some(120));
    assert_eq!(retry_after("0", 0), Some(1));
    assert_eq!(retry_after("99999999999999999999999", 0), Some(MAX_RETRY_AFTER));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", DATE - 10), Some(10));
    assert_eq!(retry_after("Sun Nov  6 08:49:37 1994", DATE - 10), Some(10));
    assert_eq!(retry_after("Sun, 06 Nov 1994 08:49:37 GMT", DATE + 10), Some(1));
    assert_eq!(retry_after("Wednesday, 06-Nov-30 08:49:37 GMT", 1_920_185_377 - 7), Some(7));
    for bad in ["", "-1", "1.5", "soon", "Sun, 31 Feb 1994 08:49:37 GMT", "Sun, 06 Nov 1994 25:49:37 GMT"] {
        assert_eq!(retry_after(bad, 0), None, "{bad}");
    }
}

/// The example of RFC 7030 §4.5.2: a challenge password, P-384 and SHA-384, and an unknown attribute.
#[test]
fn the_standard_s_attributes_are_read() {
    let example = b"MEEGCSqGSIb3DQEJBzASBgcqhkjOPQIBMQcGBSuBBAAiMBYGCSqGSIb3DQEJDjEJBgcrBgEBAQEWBggqhkjOPQQDAw==";
    let read = CsrAttributes::from_body(example).unwrap();
    assert_eq!(read.entries().len(), 4);
    assert!(read.wants_channel_binding());
    assert_eq!(read.key_type(), Some(KeyType::EcdsaP384));
    assert_eq!(CsrAttributes::from_body(read.body().as_bytes()).unwrap(), read);
}

#[test]
fn a_wanted_key_is_understood_again() {
    for kind in KeyType::ALL {
        let body = CsrAttributes::for_key(kind).body();
        assert_eq!(CsrAttributes::from_body(body.as_bytes()).unwrap().key_type(), Some(kind), "{kind}");
    }
    assert_eq!(CsrAttributes::from_body(b" \r\n").unwrap(), CsrAttributes::default());
    let many = vec![CsrAttribute::Oid("1.2.3".to_owned()); MAX_ATTRIBUTES + 1];
    assert!(matches!(
        CsrAttributes::from_body(CsrAttributes::new(many).body().as_bytes()),
        Err(AnswerError::TooManyAttributes)
    ));
}

#[test]
fn no_debug_output_shows_a_key() {
    let key = EnrolmentKey::generate(KeyType::EcdsaP256).unwrap();
    let shown = format!("{key:?}");
    assert!(!shown.contains("PRIVATE") && !shown.contains(key.pem().lines().nth(1).unwrap()));
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_panic(body in proptest::collection::vec(any::<u8>(), 0..600)) {
        let _ = read_certs_only(&body);
        let _ = CsrAttributes::from_body(&body);
        let _ = read_request(&body);
        let text = String::from_utf8_lossy(&body);
        let _ = retry_after(&text, NOW);
    }

    #[test]
    fn damaged_messages_are_read_without_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut der = SAMPLE.with(Clone::clone);
        for (place, octet) in changes {
            let place = place.index(der.len());
            der[place] = octet;
        }
        let _ = read_certs_only(&der);
        let _ = CsrAttributes::from_body(&der);
        let _ = read_request(&der);
    }

    #[test]
    fn dates_and_numbers_are_read_without_panic(
        text in "[A-Za-z]{3,9},? [0-9]{1,2}[- ][A-Z][a-z]{2}[- ][0-9]{2,5} [0-9:]{1,9} GMT",
    ) {
        let _ = retry_after(&text, NOW);
    }

    #[test]
    fn attributes_survive_the_way_there_and_back(
        entries in proptest::collection::vec((0_u32..3, 0_u32..40, 0_u32..100_000, any::<bool>()), 0..20),
    ) {
        let entries: Vec<_> = entries
            .into_iter()
            .map(|(first, second, third, bare)| {
                let oid = format!("{first}.{second}.{third}");
                let values = vec![vec![0x05, 0x00]];
                if bare { CsrAttribute::Oid(oid) } else { CsrAttribute::Attribute { oid, values } }
            })
            .collect();
        let attributes = CsrAttributes::new(entries);
        prop_assert_eq!(CsrAttributes::from_body(attributes.body().as_bytes()).unwrap(), attributes);
    }
}

thread_local! {
    static SAMPLE: Vec<u8> = crate::pkcs7::certs_only(&three());
}
