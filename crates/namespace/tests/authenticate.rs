//! Connecting: who is admitted, and why others are not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::net::IpAddr;
use std::sync::LazyLock;

use common::{NOW, gate, plain};
use gridmq_namespace::gate::{ConnectRequest, Credentials, RefusalKind, Transport};
use gridmq_namespace::principal::{AuthenticatedBy, NameSource, PrincipalKind};
use gridmq_namespace::resource::{AlternativeNameSource, ValidationScheme};
use gridmq_namespace::{Admission, Gate, Refusal};
use gridmq_proto::ReasonCode;
use gridmq_proto::time::Wall;
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, LeafRequest, Usage, Validity, self_signed_client};
use gridmq_tls::{PresentedPeer, VerifyError};
use serde_json::{Value, json};

const DAY: u64 = 86_400;

struct Authorities {
    root: CertificateAuthority,
    intermediate: CertificateAuthority,
    stranger: CertificateAuthority,
}

static CA: LazyLock<Authorities> = LazyLock::new(|| {
    let root = CertificateAuthority::new_root("Root", days(3650)).unwrap();
    let intermediate = root.intermediate("Intermediate", days(1825)).unwrap();
    let stranger = CertificateAuthority::new_root("Intermediate", days(3650)).unwrap();
    Authorities { root, intermediate, stranger }
});

fn days(days: u32) -> Validity {
    Validity::days(NOW.as_secs(), days)
}

/// A namespace with these clients, this CA and these alternative sources.
fn namespace(ca: Option<&CertificateAuthority>, clients: Value, sources: Value) -> Gate {
    let cas: Vec<_> = ca
        .map(|ca| json!({"name": "ca1", "properties": {"encodedCertificate": ca.certificate_pem()}}))
        .into_iter()
        .collect();
    let mqtt = json!({"state": "Enabled",
        "clientAuthentication": {"alternativeAuthenticationNameSources": sources}});
    let document = json!({
        "namespace": {"name": "ns1", "properties": {"topicSpacesConfiguration": mqtt}},
        "clients": clients, "caCertificates": cas,
    });
    gate(&document.to_string())
}

fn presented(issued: &IssuedCertificate) -> PresentedPeer {
    let chain = issued.chain().iter().map(|certificate| certificate.der().to_vec()).collect();
    PresentedPeer::from_der_unproven(chain).unwrap()
}

fn leaf_only(issued: &IssuedCertificate) -> PresentedPeer {
    PresentedPeer::from_der_unproven(vec![issued.certificate_der()]).unwrap()
}

fn tls<'a>(username: Option<&'a str>, presented: Option<&'a PresentedPeer>) -> ConnectRequest<'a> {
    ConnectRequest { username, presented, ..ConnectRequest::new("session1", Transport::Tls) }
}

fn connect(gate: &Gate, username: &str, issued: &IssuedCertificate) -> Result<Admission, Refusal> {
    gate.admit(&tls(Some(username), Some(&presented(issued))), NOW)
}

/// The refusal of an authentication failure, whose reason code is always the same.
fn refused(result: Result<Admission, Refusal>) -> RefusalKind {
    let refusal = result.expect_err("it should be refused");
    assert_eq!(refusal.reason, ReasonCode::NotAuthorized, "{refusal}");
    refusal.why
}

fn subject_client(name: &str) -> Value {
    json!([{"name": "client1", "properties": {"authenticationName": name}}])
}

#[test]
fn a_ca_signed_certificate_admits_whom_its_common_name_names() {
    let gate = namespace(Some(&CA.intermediate), subject_client("Client1-authn-ID"), json!([]));
    let issued = CA.intermediate.issue_client("client1-authn-id", days(30)).unwrap();
    let admission = connect(&gate, "CLIENT1-authn-ID", &issued).unwrap();
    let principal = admission.principal();
    assert_eq!(principal.kind(), PrincipalKind::Client);
    // The registered case is kept, whatever the client and its certificate wrote.
    assert_eq!(&**principal.authentication_name(), "Client1-authn-ID");
    assert_eq!(principal.name_source(), NameSource::Username);
    let by = AuthenticatedBy::CaCertificate {
        anchor: "CN=Intermediate".to_owned(),
        subject: "CN=client1-authn-id".to_owned(),
    };
    assert_eq!(principal.authenticated_by(), &by);
    assert_eq!(principal.expires_at(), Some(Wall::from_millis((days(30).not_after() + 1) * 1000)));
}

#[test]
fn the_whole_subject_may_be_the_name() {
    let gate = namespace(Some(&CA.intermediate), subject_client("CN=device"), json!([]));
    let issued = CA.intermediate.issue_client("device", days(30)).unwrap();
    assert!(connect(&gate, "cn=DEVICE", &issued).is_ok());
}

#[test]
fn the_chain_may_end_at_the_root_or_at_an_intermediate() {
    let issued = CA.intermediate.issue_client("c", days(30)).unwrap();
    let at_root = namespace(Some(&CA.root), subject_client("c"), json!([]));
    let at_intermediate = namespace(Some(&CA.intermediate), subject_client("c"), json!([]));
    let (whole, alone) = (presented(&issued), leaf_only(&issued));
    assert!(at_root.admit(&tls(Some("c"), Some(&whole)), NOW).is_ok());
    assert!(at_intermediate.admit(&tls(Some("c"), Some(&whole)), NOW).is_ok());
    assert!(at_intermediate.admit(&tls(Some("c"), Some(&alone)), NOW).is_ok());
    let why = refused(at_root.admit(&tls(Some("c"), Some(&alone)), NOW));
    assert!(matches!(why, RefusalKind::Certificate(VerifyError::UnknownIssuer { .. })), "{why}");
}

#[test]
fn a_registered_ca_may_have_lost_its_line_breaks() {
    let pem = CA.root.certificate_pem().replace('\n', "");
    let document = json!({
        "clients": [{"name": "c"}],
        "caCertificates": [{"name": "ca1", "properties": {"encodedCertificate": pem}}],
    });
    let gate = gate(&document.to_string());
    assert!(connect(&gate, "c", &CA.root.issue_client("c", days(30)).unwrap()).is_ok());
}

#[test]
fn a_leaf_is_no_ca_certificate() {
    let leaf = CA.root.issue_client("c", days(30)).unwrap();
    let document = json!({"caCertificates":
        [{"name": "ca1", "properties": {"encodedCertificate": leaf.certificate_pem()}}]});
    let error = gridmq_namespace::Resources::from_json(&document.to_string()).unwrap_err().to_string();
    assert!(error.contains("caCertificates[0].properties.encodedCertificate"), "{error}");
}

#[test]
fn refusals_of_a_name() {
    let clients = json!([
        {"name": "c"}, {"name": "off", "properties": {"state": "Disabled"}},
        {"name": "by-print", "properties": {"clientCertificateAuthentication":
            {"validationScheme": "ThumbprintMatch", "allowedThumbprints": ["00".repeat(32)]}}},
    ]);
    let gate = namespace(Some(&CA.root), clients, json!([]));
    let issued = CA.root.issue_client("c", days(30)).unwrap();

    let why = refused(connect(&gate, "nobody", &issued));
    assert!(matches!(&why, RefusalKind::UnknownClient { authentication_name } if authentication_name == "nobody"));
    assert!(why.to_string().contains("Client could not be found"), "{why}");

    let hostile = refused(connect(&gate, &"\n".repeat(60_000), &issued)).to_string();
    assert!(hostile.len() < 2000 && !hostile.contains('\n'), "{hostile}");

    let why = refused(gate.admit(&tls(Some("c"), None), NOW));
    assert_eq!(why, RefusalKind::NoCertificate);
    assert!(why.to_string().contains("Peer did not present client certificate for authentication"), "{why}");

    let why = refused(connect(&gate, "off", &issued));
    assert!(matches!(&why, RefusalKind::Disabled { authentication_name } if authentication_name == "off"));

    for username in [None, Some("")] {
        let why = refused(gate.admit(&tls(username, Some(&presented(&issued))), NOW));
        assert_eq!(why, RefusalKind::NoUsername { sources_configured: false });
    }

    let why = refused(connect(&gate, "by-print", &issued));
    let RefusalKind::ThumbprintMismatch { sha256, .. } = &why else { panic!("{why}") };
    assert_eq!(sha256, issued.chain()[0].thumbprint_sha256());

    let other = CA.root.issue_client("somebody", days(30)).unwrap();
    let why = refused(connect(&gate, "c", &other));
    let RefusalKind::NameMismatch { expected, scheme, certificate } = &why else { panic!("{why}") };
    assert_eq!((expected.as_str(), *scheme), ("c", ValidationScheme::SubjectMatchesAuthenticationName));
    assert_eq!(certificate.values, ["somebody", "CN=somebody"]);
}

#[test]
fn refusals_of_a_certificate() {
    let gate = namespace(Some(&CA.intermediate), subject_client("c"), json!([]));
    let now = NOW.as_secs();
    let issue = |ca: &CertificateAuthority, usage, validity| {
        ca.issue(&LeafRequest::client("c").usage(usage), validity).unwrap()
    };
    // The stranger has our intermediate's name, and another key.
    let stranger = issue(&CA.stranger, Usage::Client, days(30));
    let root = issue(&CertificateAuthority::new_root("Other", days(30)).unwrap(), Usage::Client, days(30));
    let expired = issue(&CA.intermediate, Usage::Client, Validity::new(now - 2 * DAY, now - 1));
    let early = issue(&CA.intermediate, Usage::Client, Validity::new(now + 1, now + DAY));
    let server = issue(&CA.intermediate, Usage::Server, days(30));
    for (what, issued, expected) in [
        (
            "stranger",
            &stranger,
            (|e| matches!(e, VerifyError::UnknownIssuer { .. } | VerifyError::BadSignature { .. }))
                as fn(&VerifyError) -> bool,
        ),
        ("root", &root, |e| matches!(e, VerifyError::UnknownIssuer { .. })),
        ("expired", &expired, |e| matches!(e, VerifyError::Expired { .. })),
        ("early", &early, |e| matches!(e, VerifyError::NotYetValid { .. })),
        ("server", &server, |e| matches!(e, VerifyError::WrongUsage { .. })),
    ] {
        match refused(connect(&gate, "c", issued)) {
            RefusalKind::Certificate(error) => assert!(expected(&error), "{what}: {error:?}"),
            other => panic!("{what}: {other:?}"),
        }
    }
    let nobody = namespace(None, subject_client("c"), json!([]));
    let good = issue(&CA.intermediate, Usage::Client, days(30));
    let why = refused(connect(&nobody, "c", &good));
    assert!(matches!(why, RefusalKind::Certificate(VerifyError::UnknownIssuer { .. })), "{why}");
    let refusal = connect(&nobody, "c", &good).unwrap_err();
    let seen = refusal.certificate.unwrap();
    assert_eq!((seen.chain.len(), seen.position(), seen.finding().id), (2, Some(1), gridmq_tls::Id::E02), "{seen}");
}

#[test]
fn each_scheme_compares_its_field_and_no_other() {
    let cases = [
        ("DnsMatchesAuthenticationName", "Device.Example.org"),
        ("UriMatchesAuthenticationName", "urn:device:1"),
        ("IpMatchesAuthenticationName", "2001:DB8:0::1"),
        ("EmailMatchesAuthenticationName", "device@example.org"),
    ];
    let all = LeafRequest::client("cn")
        .dns("other.example.org")
        .dns("device.example.org")
        .uri("urn:device:1")
        .ip("2001:db8::1".parse::<IpAddr>().unwrap())
        .email("Device@Example.org");
    let all = CA.root.issue(&all, days(30)).unwrap();
    for (scheme, name) in cases {
        let client = json!([{"name": "c", "properties": {"authenticationName": name,
            "clientCertificateAuthentication": {"validationScheme": scheme}}}]);
        let gate = namespace(Some(&CA.root), client, json!([]));
        assert!(connect(&gate, name, &all).is_ok(), "{scheme}");
        let only_cn = CA.root.issue_client(name, days(30)).unwrap();
        let why = refused(connect(&gate, name, &only_cn));
        let RefusalKind::NameMismatch { certificate, .. } = why else { panic!("{scheme}: {why}") };
        assert!(certificate.values.is_empty(), "{scheme}");
    }
    // A wildcard is a name like any other and stands for nothing.
    let client = json!([{"name": "c", "properties": {"authenticationName": "device.example.org",
        "clientCertificateAuthentication": {"validationScheme": "DnsMatchesAuthenticationName"}}}]);
    let gate = namespace(Some(&CA.root), client, json!([]));
    let wildcard = CA.root.issue(&LeafRequest::client("cn").dns("*.example.org"), days(30)).unwrap();
    assert!(matches!(refused(connect(&gate, "device.example.org", &wildcard)), RefusalKind::NameMismatch { .. }));
}

#[test]
fn a_thumbprint_admits_its_certificate_whoever_signed_it() {
    let self_signed = self_signed_client("anything", true, days(30)).unwrap();
    let next = CA.stranger.issue_client("else", days(30)).unwrap();
    let (primary, secondary) = (self_signed.chain()[0].thumbprint_sha256(), next.chain()[0].thumbprint_sha1());
    let thumbprints = json!([primary.to_uppercase(), secondary]);
    let client = |name: &str| {
        json!({"name": name, "properties": {"clientCertificateAuthentication":
            {"validationScheme": "ThumbprintMatch", "allowedThumbprints": thumbprints}}})
    };
    // Several clients may share a certificate; the user name says which one it is.
    let gate = namespace(None, json!([client("c1"), client("c2")]), json!([]));
    for name in ["c1", "c2"] {
        for certificate in [&self_signed, &next] {
            let admission = connect(&gate, name, certificate).unwrap();
            assert_eq!(&**admission.principal().authentication_name(), name);
            let sha256 = certificate.chain()[0].thumbprint_sha256().to_owned();
            assert_eq!(admission.principal().authenticated_by(), &AuthenticatedBy::Thumbprint { sha256 });
        }
    }
    let later = Wall::from_millis((days(30).not_after() + 1) * 1000);
    let why = refused(gate.admit(&tls(Some("c1"), Some(&presented(&self_signed))), later));
    assert!(matches!(why, RefusalKind::Certificate(VerifyError::Expired { .. })), "{why}");
}

#[test]
fn without_a_username_the_first_source_that_is_there_names_the_client() {
    let clients = json!([
        {"name": "by-cn"},
        {"name": "by-dns", "properties": {"authenticationName": "second.example.org", "clientCertificateAuthentication":
            {"validationScheme": "DnsMatchesAuthenticationName"}}},
    ]);
    let sources = json!(["ClientCertificateUri", "ClientCertificateDns", "clientcertificatesubject"]);
    let gate = namespace(Some(&CA.root), clients, sources);
    let admitted = |request: LeafRequest| {
        let peer = presented(&CA.root.issue(&request, days(30)).unwrap());
        gate.admit(&tls(None, Some(&peer)), NOW)
    };

    let by_dns = admitted(LeafRequest::client("by-cn").dns("first.example.org").dns("second.example.org")).unwrap();
    assert_eq!(&**by_dns.principal().authentication_name(), "second.example.org");
    let source = NameSource::Certificate(AlternativeNameSource::ClientCertificateDns);
    assert_eq!(by_dns.principal().name_source(), source);

    let by_cn = admitted(LeafRequest::client("by-cn")).unwrap();
    assert_eq!(&**by_cn.principal().authentication_name(), "by-cn");

    // The first source that is there decides, also where a later one would name a client.
    let why = refused(admitted(LeafRequest::client("by-cn").uri("urn:nobody")));
    assert_eq!(why, RefusalKind::UnknownClient { authentication_name: "urn:nobody".to_owned() });

    // A user name wins.
    let peer = presented(&CA.root.issue(&LeafRequest::client("by-cn").dns("second.example.org"), days(30)).unwrap());
    let by_username = gate.admit(&tls(Some("BY-cn"), Some(&peer)), NOW).unwrap();
    assert_eq!(by_username.principal().name_source(), NameSource::Username);

    let only_uri = namespace(Some(&CA.root), json!([{"name": "by-cn"}]), json!(["ClientCertificateUri"]));
    let why = refused(only_uri.admit(&tls(None, Some(&peer)), NOW));
    assert_eq!(why, RefusalKind::NoUsername { sources_configured: true });
}

#[test]
fn a_plain_connection_is_taken_at_its_word_only_where_the_listener_says_so() {
    let clients = json!([{"name": "c"}, {"name": "off", "properties": {"state": "Disabled"}}]);
    let gate = namespace(Some(&CA.root), clients, json!(["ClientCertificateSubject"]));
    let admission = gate.admit(&plain("C"), NOW).unwrap();
    assert_eq!(admission.principal().authenticated_by(), &AuthenticatedBy::PlainTrusted);
    assert_eq!(admission.principal().expires_at(), None);
    assert!(matches!(refused(gate.admit(&plain("off"), NOW)), RefusalKind::Disabled { .. }));
    assert!(matches!(refused(gate.admit(&plain("x"), NOW)), RefusalKind::UnknownClient { .. }));
    assert!(matches!(refused(gate.admit(&plain(""), NOW)), RefusalKind::NoUsername { .. }));

    let untrusted = ConnectRequest { transport: Transport::Plain { trusted: false }, ..plain("c") };
    assert_eq!(refused(gate.admit(&untrusted, NOW)), RefusalKind::PlainNotTrusted);
}

#[test]
fn an_authentication_method_that_is_not_served_has_its_own_reason_code() {
    let gate = namespace(Some(&CA.root), json!([{"name": "c"}]), json!([]));
    let request = ConnectRequest { authentication_method: Some("SCRAM"), ..plain("c") };
    let refusal = gate.admit(&request, NOW).unwrap_err();
    assert_eq!(refusal.reason, ReasonCode::BadAuthenticationMethod);
    assert!(matches!(refusal.why, RefusalKind::UnsupportedAuthenticationMethod { method } if method == "SCRAM"));
}

#[test]
fn a_namespace_without_an_mqtt_broker_serves_nobody() {
    for configuration in [json!({}), json!({"topicSpacesConfiguration": {"state": "Disabled"}})] {
        let document = json!({"namespace": {"name": "ns1", "properties": configuration}, "clients": [{"name": "c"}]});
        let refusal = gate(&document.to_string()).admit(&plain("c"), NOW).unwrap_err();
        assert_eq!((refusal.reason, refusal.why), (ReasonCode::ServerUnavailable, RefusalKind::BrokerDisabled));
    }
}

#[test]
fn judged_again_a_client_must_still_prove_itself() {
    let issued = CA.intermediate.issue_client("c", days(30)).unwrap();
    let peer = presented(&issued);
    let request = tls(Some("c"), Some(&peer));
    let credentials = Credentials::from(&request);
    let first = namespace(Some(&CA.intermediate), subject_client("c"), json!([]));
    let admission = first.admit(&request, NOW).unwrap();
    assert!(first.readmit(&admission, &credentials, NOW).is_ok());

    let later = admission.principal().expires_at().unwrap();
    let before = Wall::from_millis(later.as_millis() - 1);
    assert!(first.readmit(&admission, &credentials, before).is_ok());
    let why = refused(first.readmit(&admission, &credentials, later));
    assert!(matches!(why, RefusalKind::Certificate(VerifyError::Expired { .. })), "{why}");

    let other_ca = namespace(Some(&CA.stranger), subject_client("c"), json!([]));
    assert!(matches!(refused(other_ca.readmit(&admission, &credentials, NOW)), RefusalKind::Certificate(_)));
    let gone = namespace(Some(&CA.intermediate), json!([]), json!([]));
    assert!(matches!(refused(gone.readmit(&admission, &credentials, NOW)), RefusalKind::UnknownClient { .. }));

    // The same certificate names another client when the sources change.
    let clients = json!([{"name": "c"}, {"name": "dns.example.org", "properties": {"clientCertificateAuthentication":
        {"validationScheme": "DnsMatchesAuthenticationName"}}}]);
    let peer = presented(&CA.root.issue(&LeafRequest::client("c").dns("dns.example.org"), days(30)).unwrap());
    let request = tls(None, Some(&peer));
    let by_subject = namespace(Some(&CA.root), clients.clone(), json!(["ClientCertificateSubject"]));
    let by_dns = namespace(Some(&CA.root), clients, json!(["ClientCertificateDns"]));
    let admission = by_subject.admit(&request, NOW).unwrap();
    let why = refused(by_dns.readmit(&admission, &Credentials::from(&request), NOW));
    assert_eq!(why, RefusalKind::NameChanged { from: "c".to_owned(), to: "dns.example.org".to_owned() });
}

#[test]
fn nothing_that_is_shown_has_the_password() {
    let request = ConnectRequest { password: Some(b"secret"), ..plain("c") };
    assert!(!format!("{request:?}").contains("secret"));
    assert!(!format!("{request:?}").contains("115"));
}
