use super::*;
use crate::Certificate;
use crate::issue::{AuthorityRequest, CertificateAuthority, KeyType, LeafRequest, Usage, Validity, self_signed};
use crate::keys::KeyKind;

const VALIDITY: Validity = Validity::new(1_000, 2_000);
const NOW: u64 = 1_500;

struct Pki {
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
}

fn pki() -> Pki {
    let root = CertificateAuthority::new_root("Root", VALIDITY).unwrap();
    let intermediate = root.intermediate("Intermediate", VALIDITY).unwrap();
    Pki { root, intermediate }
}

fn faults(chain: &Chain) -> Vec<(usize, Fault)> {
    chain.links().iter().flat_map(|link| link.faults.iter().map(|fault| (link.position, fault.clone()))).collect()
}

fn codes(question: &Question<'_>) -> (bool, Option<u16>, bool) {
    let comparison = question.judge();
    (
        comparison.of(Judge::EventGrid).is_accepted(),
        comparison.of(Judge::OpenSsl).code(),
        comparison.of(Judge::Rustls).is_accepted(),
    )
}

#[test]
fn an_account_says_everything() {
    let pki = pki();
    let request = LeafRequest::client("device")
        .dns("a.example")
        .uri("urn:x")
        .email("a@b.example")
        .ip("2001:db8::1".parse().unwrap())
        .usage(Usage::Both)
        .crl_uri("http://crl.example/ca.crl");
    let leaf = pki.intermediate.issue(&request, VALIDITY).unwrap();
    let account = Inspection::of(leaf.leaf());
    assert_eq!(account.alternative_names, ["DNS:a.example", "URI:urn:x", "email:a@b.example", "IP:2001:db8::1"]);
    assert_eq!(account.key, KeyKind::Ec { curve: "P-256".to_owned(), bits: 256 });
    assert_eq!((account.signature.name.as_str(), account.version), ("ecdsa-with-SHA256", 3));
    assert_eq!(account.key_usage, Some(vec!["digitalSignature"]));
    assert_eq!(account.extended_key_usage, Some(vec!["serverAuth".to_owned(), "clientAuth".to_owned()]));
    assert_eq!((account.ca, account.path_length), (Some(false), None));
    assert_eq!(account.crl_uris, ["http://crl.example/ca.crl"]);
    assert_eq!(account.authority_key_id, Inspection::of(pki.intermediate.certificate()).subject_key_id);
    let prints = &account.thumbprints;
    assert_eq!((prints.sha1().len(), prints.sha256().len()), (40, 64));
    assert_eq!(prints.sha256(), leaf.leaf().thumbprint_sha256().to_uppercase());
    assert_eq!(prints.sha256_colons().replace(':', ""), prints.sha256());
    assert_eq!((prints.sha1_colons().len(), prints.sha256_base64().len()), (59, 44));
    assert!(prints.key_pin().starts_with("sha256//") && prints.key_pin().len() == 52);
}

#[test]
fn a_lifetime_is_counted_in_seconds_and_cells() {
    let account = Inspection::of(pki().root.certificate());
    let cells = |now| (account.lifetime(now).left(), account.lifetime(now).cells(10));
    assert_eq!(cells(1_000), (1_001, 0));
    assert_eq!(cells(2_000), (1, 9));
    assert_eq!(cells(2_001), (0, 10));
    assert_eq!(cells(0), (1_001, 0));
    assert!(account.lifetime(2_001).is_over() && account.lifetime(999).is_to_come());
}

#[test]
fn a_whole_chain_has_no_fault_and_a_tree() {
    let pki = pki();
    let leaf = pki.intermediate.issue_client("device", VALIDITY).unwrap();
    let chain = Chain::of(leaf.chain(), &[pki.root.certificate().clone()], NOW);
    assert!(faults(&chain).is_empty() && !chain.is_faulty());
    let drawn: Vec<_> = chain.tree().iter().map(|(depth, link)| (*depth, link.position)).collect();
    assert_eq!(drawn, [(0, 1), (1, 0)]);
    let unknown = Chain::of(leaf.chain(), &[], NOW);
    let elsewhere = Fault::IssuerElsewhere { issuer: "CN=Root".to_owned() };
    assert_eq!(faults(&unknown), [(1, elsewhere)]);
    assert!(!unknown.is_faulty());
}

#[test]
fn the_faulty_link_is_marked() {
    let pki = pki();
    let trusted = [pki.root.certificate().clone()];
    let leaf = pki.intermediate.issue_client("device", VALIDITY).unwrap();
    let above = pki.intermediate.certificate().clone();
    let alone = Chain::of(&[leaf.leaf().clone()], &trusted, NOW);
    assert_eq!(faults(&alone), [(0, Fault::MissingIssuer { issuer: "CN=Intermediate".to_owned() })]);
    let turned = Chain::of(&[above.clone(), leaf.leaf().clone()], &trusted, NOW);
    assert_eq!(faults(&turned), [(0, Fault::OutOfOrder), (1, Fault::LeafNotFirst)]);
    let late = Chain::of(leaf.chain(), &trusted, 2_001);
    assert_eq!(faults(&late).len(), 2);
    assert!(late.is_faulty());
    let other = pki.root.intermediate("Intermediate", VALIDITY).unwrap();
    let wrong = Chain::of(&[leaf.leaf().clone(), other.certificate().clone()], &trusted, NOW);
    let fault = Fault::WrongSignature { issuer: "CN=Intermediate".to_owned() };
    assert!(faults(&wrong).contains(&(0, fault)), "{:?}", faults(&wrong));
    let rooted = [leaf.leaf().clone(), above.clone(), trusted[0].clone(), above];
    assert_eq!(faults(&Chain::of(&rooted, &trusted, NOW)), [(2, Fault::NeedlessRoot), (3, Fault::Duplicate)]);
    let deep = CertificateAuthority::from_pem(&pki.intermediate.chain_pem(), &pki.intermediate.key_pem())
        .unwrap()
        .authority(&AuthorityRequest::new("Deep"), VALIDITY)
        .unwrap();
    let leaf = deep.issue_client("device", VALIDITY).unwrap();
    let deep = Chain::of(leaf.chain(), &trusted, NOW);
    assert_eq!(faults(&deep), [(2, Fault::PathTooLong { allowed: 0 })]);
}

#[test]
fn authorities_that_signed_each_other_are_drawn_once() {
    let one = CertificateAuthority::new_root("One", VALIDITY).unwrap();
    let two = CertificateAuthority::new_root("Two", VALIDITY).unwrap();
    let cross = |issuer: &CertificateAuthority, name: &str| {
        issuer.authority(&AuthorityRequest::new(name), VALIDITY).unwrap().certificate().clone()
    };
    let all = [cross(&one, "Two"), cross(&two, "One")];
    assert_eq!(Chain::of(&all, &[], NOW).tree().len(), 2);
}

#[test]
fn everybody_believes_a_good_chain_and_nobody_a_strange_one() {
    let pki = pki();
    let stranger = CertificateAuthority::new_root("Stranger", VALIDITY).unwrap();
    let leaf = pki.intermediate.issue_client("device", VALIDITY).unwrap();
    let above = &leaf.chain()[1..];
    let roots = [pki.root.certificate().clone()];
    let question = Question::new(leaf.leaf(), above, &roots, Purpose::Client, NOW);
    assert!(question.judge().is_accepted_by_all());
    assert_eq!(codes(&question), (true, None, true));
    let strange = [stranger.certificate().clone()];
    assert_eq!(codes(&Question::new(leaf.leaf(), above, &strange, Purpose::Client, NOW)), (false, Some(20), false));
    assert_eq!(codes(&Question::new(leaf.leaf(), above, &roots, Purpose::Server, NOW)), (false, Some(26), false));
    assert_eq!(codes(&Question::new(leaf.leaf(), above, &roots, Purpose::Client, 999)), (false, Some(9), false));
    assert_eq!(codes(&Question::new(leaf.leaf(), above, &roots, Purpose::Client, 2_001)), (false, Some(10), false));
    let rooted: Vec<Certificate> = above.iter().chain(&roots).cloned().collect();
    assert_eq!(codes(&Question::new(leaf.leaf(), &rooted, &strange, Purpose::Client, NOW)), (false, Some(19), false));
}

#[test]
fn where_they_differ_the_reason_is_named() {
    let pki = pki();
    let leaf = pki.intermediate.issue_client("device", VALIDITY).unwrap();
    let (above, roots) = (&leaf.chain()[1..], [pki.root.certificate().clone()]);
    let differences = |question: Question<'_>| question.judge().differences;
    let partial = Question::new(leaf.leaf(), above, above, Purpose::Client, NOW);
    assert_eq!(codes(&partial), (true, Some(2), true));
    assert_eq!(differences(partial), [Difference::PartialChain]);
    let both: Vec<Certificate> = above.iter().chain(&roots).cloned().collect();
    let unsent = Question::new(leaf.leaf(), &[], &both, Purpose::Client, NOW);
    assert_eq!(codes(&unsent), (true, None, true));

    let own = self_signed(&LeafRequest::server(["localhost"]), true, VALIDITY).unwrap();
    let pinned = std::slice::from_ref(own.leaf());
    let question = Question::new(own.leaf(), &[], pinned, Purpose::Server, NOW).host("localhost");
    assert_eq!(codes(&question), (false, None, false));
    assert!(differences(question).contains(&Difference::CaAsLeaf));

    let nameless = LeafRequest::client("localhost").usage(Usage::Server);
    let nameless = pki.intermediate.issue(&nameless, VALIDITY).unwrap();
    let question = Question::new(nameless.leaf(), above, &roots, Purpose::Server, NOW).host("localhost");
    assert_eq!(codes(&question), (false, None, false));
    assert_eq!(differences(question), [Difference::CommonNameOnly]);
    let wrong = Question::new(nameless.leaf(), above, &roots, Purpose::Server, NOW).host("127.0.0.1");
    assert_eq!(codes(&wrong).1, Some(64));

    let any = pki.intermediate.issue(&LeafRequest::client("device").usage(Usage::Unspecified), VALIDITY).unwrap();
    let question = Question::new(any.leaf(), above, &roots, Purpose::Client, NOW);
    assert_eq!(codes(&question), (true, None, true));
    assert_eq!(differences(question), [Difference::NoExtendedKeyUsage]);
}

#[test]
fn name_constraints_are_held_by_openssl_as_by_rustls() {
    let request = AuthorityRequest::new("Root")
        .permit("dns:example.org".parse().unwrap())
        .permit("ip:192.0.2.0/24".parse().unwrap());
    let root = CertificateAuthority::root(&request, VALIDITY).unwrap();
    let anchors = [root.certificate().clone()];
    for (name, good) in [
        ("example.org", true),
        ("a.example.org", true),
        ("badexample.org", false),
        ("example.com", false),
        ("198.51.100.1", false),
    ] {
        let leaf = root.issue_server([name], VALIDITY).unwrap();
        let question = Question::new(leaf.leaf(), &[], &anchors, Purpose::Server, NOW).host(name);
        assert_eq!(codes(&question), (false, (!good).then_some(47), good), "{name}");
    }
    // OpenSSL takes a common name of labels and dots for a DNS name, even one that is an address.
    let request = LeafRequest::server(["192.0.2.7"]);
    for (common_name, openssl) in [("192.0.2.7", Some(47)), ("device", None)] {
        let leaf = root.issue(&request.clone().common_name(common_name), VALIDITY).unwrap();
        let question = Question::new(leaf.leaf(), &[], &anchors, Purpose::Server, NOW).host("192.0.2.7");
        assert_eq!(codes(&question), (false, openssl, true), "{common_name}");
    }
}

#[test]
fn security_levels_count_bits() {
    let root = CertificateAuthority::root(&AuthorityRequest::new("Root").key_type(KeyType::Rsa2048), VALIDITY);
    let root = root.unwrap();
    let leaf = root.issue_client("device", VALIDITY).unwrap();
    let anchors = [root.certificate().clone()];
    let question = Question::new(leaf.leaf(), &[], &anchors, Purpose::Client, NOW);
    assert_eq!(codes(&question.security_level(2)).1, None);
    assert_eq!(codes(&question.security_level(3)).1, Some(67));
    let leaf = root.issue(&LeafRequest::client("device").key_type(KeyType::Rsa2048), VALIDITY).unwrap();
    let question = Question::new(leaf.leaf(), &[], &anchors, Purpose::Client, NOW);
    assert_eq!(codes(&question.security_level(3)).1, Some(66));
}
