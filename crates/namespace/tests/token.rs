//! Tokens of a namespace's own issuer: who is admitted, and why others are not.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod common;

use std::sync::LazyLock;

use common::{NOW, gate_of};
use gridmq_namespace::gate::{
    ConnectRequest, Credentials, DecisionCache, Proof, RefusalKind, Step, TokenProblem, Transport,
};
use gridmq_namespace::principal::{AuthenticatedBy, NameSource};
use gridmq_namespace::{Admission, Gate, Refusal, Resources};
use gridmq_proto::time::Wall;
use gridmq_proto::{ReasonCode, TopicName};
use gridmq_tls::issue::{IssuedCertificate, KeyType, LeafRequest, Validity, self_signed};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

struct Keys {
    one: IssuedCertificate,
    other: IssuedCertificate,
    stranger: IssuedCertificate,
}

static KEYS: LazyLock<Keys> = LazyLock::new(|| {
    let issue = |name: &str| {
        let request = LeafRequest::client(name).key_type(KeyType::Rsa2048);
        self_signed(&request, false, Validity::days(NOW.as_secs(), 30)).unwrap()
    };
    Keys { one: issue("one"), other: issue("other"), stranger: issue("stranger") }
});

const ISSUER: &str = "https://issuer.example";
const HOST: &str = "ns1.westeurope-1.ts.eventgrid.azure.net";

fn certificates() -> Value {
    json!([
        { "kid": "one", "encodedCertificate": KEYS.one.certificate_pem() },
        { "kid": "other", "encodedCertificate": KEYS.other.certificate_pem().replace('\n', "") },
    ])
}

fn document(certificates: &Value, clients: &Value) -> Value {
    let custom = json!({ "tokenIssuer": ISSUER, "encodedIssuerCertificates": certificates });
    let mqtt = json!({ "state": "Enabled", "clientAuthentication": { "customJwtAuthentication": custom },
        "customDomains": [{ "fullyQualifiedDomainName": "mqtt.example" }] });
    json!({
        "namespace": { "name": "ns1", "location": "West Europe", "properties": { "topicSpacesConfiguration": mqtt } },
        "clients": clients,
        "clientGroups": [{ "name": "sensors", "properties": { "query": "attributes.type = 'sensor'" } }],
        "topicSpaces": [{ "name": "floors",
            "properties": { "topicTemplates": ["floors/${client.attributes.floor}/${client.authenticationName}"] } }],
        "permissionBindings": [{ "name": "floors-pub", "properties":
            { "clientGroupName": "sensors", "topicSpaceName": "floors", "permission": "Publisher" } }],
    })
}

fn gate() -> Gate {
    gate_of(&document(&certificates(), &json!([])).to_string(), 1)
}

fn claims() -> Value {
    let now = NOW.as_secs();
    json!({ "iss": ISSUER, "sub": "device1", "aud": HOST, "exp": now + 3600, "nbf": now - 10, "iat": now, "jti": "x",
        "type": "sensor", "floor": 5, "flag": true, "big": 5_000_000_000_i64, "half": 0.5, "words": ["a", "b"], "mixed": ["a", 1] })
}

fn but(name: &str, value: Value) -> Value {
    let mut claims = claims();
    claims[name] = value;
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed(key: &IssuedCertificate, kid: Option<&str>, claims: &Value) -> String {
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(Algorithm::RS256) };
    encode(&header, claims, &EncodingKey::from_rsa_pem(key.key_pem().as_bytes()).unwrap()).unwrap()
}

fn good() -> String {
    signed(&KEYS.one, Some("one"), &claims())
}

fn request(token: &str) -> ConnectRequest<'_> {
    ConnectRequest {
        authentication_method: Some("CUSTOM-JWT"),
        authentication_data: Some(token.as_bytes()),
        ..ConnectRequest::new("session1", Transport::Tls)
    }
}

fn proof(gate: &Gate, token: &str, now: Wall) -> Result<Proof, Refusal> {
    let request = request(token);
    let mut exchange = gate.exchange(&request).expect("the method is served");
    match exchange.step(request.authentication_data, now) {
        Step::Proven { proof, data: None } => Ok(proof),
        Step::Refused(refusal) => Err(refusal),
        other => panic!("{other:?}"),
    }
}

fn admit(gate: &Gate, token: &str) -> Result<Admission, Refusal> {
    let proof = proof(gate, token, NOW)?;
    gate.admit(&ConnectRequest { proof: Some(&proof), ..request(token) }, NOW)
}

fn may_publish(gate: &Gate, admission: &Admission, topic: &str) -> bool {
    let topic = TopicName::try_from(topic).unwrap();
    gate.publish(admission, &mut DecisionCache::new(), &topic, ()).is_ok()
}

#[test]
fn a_good_token_says_who_somebody_is_and_what_they_have() {
    let gate = gate();
    for (key, kid) in [(&KEYS.one, Some("one")), (&KEYS.other, Some("other")), (&KEYS.other, None)] {
        let admission = admit(&gate, &signed(key, kid, &claims())).unwrap();
        let principal = admission.principal();
        assert_eq!(&**principal.authentication_name(), "device1");
        assert_eq!(principal.name_source(), NameSource::Token);
        let by = kid.unwrap_or("other");
        assert_eq!(*principal.authenticated_by(), AuthenticatedBy::Token { issuer: ISSUER.into(), kid: by.into() });
        assert_eq!(principal.expires_at(), Some(Wall::from_millis((NOW.as_secs() + 3600) * 1000)));
        let attributes: Vec<_> = principal.attributes().iter().map(|(name, _)| name.to_owned()).collect();
        assert_eq!(attributes, ["floor", "type", "words"]);
        assert_eq!(principal.groups().collect::<Vec<_>>(), ["$all", "sensors"]);
        assert!(may_publish(&gate, &admission, "floors/5/device1"));
        assert!(!may_publish(&gate, &admission, "floors/6/device1"));
    }
}

#[test]
fn hosts_that_a_token_is_made_out_for_may_be_written_in_several_ways() {
    let gate = gate();
    let many = json!(["https://elsewhere.example", "MQTT.example"]);
    for audience in [json!(format!("https://{HOST}/")), json!(HOST.to_uppercase()), json!("mqtt.example/"), many] {
        assert!(admit(&gate, &signed(&KEYS.one, None, &but("aud", audience.clone()))).is_ok(), "{audience}");
    }
}

#[test]
fn each_token_that_is_not_good_is_refused_in_its_own_words() {
    let gate = gate();
    let now = NOW.as_secs();
    let one = |claims: Value| signed(&KEYS.one, Some("one"), &claims);
    // {"alg":"none"}
    let none = format!("eyJhbGciOiJub25lIn0.{}.", good().split('.').nth(1).unwrap());
    let confused = {
        let header = Header { kid: Some("one".to_owned()), ..Header::new(Algorithm::HS256) };
        encode(&header, &claims(), &EncodingKey::from_secret(KEYS.one.certificate_pem().as_bytes())).unwrap()
    };
    let changed = good().replacen('.', ".e30", 1);
    for (token, problem) in [
        (String::new(), TokenProblem::Malformed),
        ("a.b.c".to_owned(), TokenProblem::Malformed),
        (none, TokenProblem::Malformed),
        (confused, TokenProblem::Algorithm("HS256".to_owned())),
        (changed, TokenProblem::Signature),
        ("x".repeat(9000), TokenProblem::TooLong(9000)),
        (signed(&KEYS.stranger, Some("one"), &claims()), TokenProblem::Signature),
        (signed(&KEYS.stranger, None, &claims()), TokenProblem::Signature),
        (signed(&KEYS.one, Some("third"), &claims()), TokenProblem::UnknownKey("third".to_owned())),
        (
            one(but("iss", json!("https://other.example"))),
            TokenProblem::Issuer { found: "https://other.example".to_owned(), expected: ISSUER.to_owned() },
        ),
        (
            one(but("aud", json!("ns2.westeurope-1.ts.eventgrid.azure.net"))),
            TokenProblem::Audience {
                found: "ns2.westeurope-1.ts.eventgrid.azure.net".to_owned(),
                expected: format!("{HOST} or mqtt.example"),
            },
        ),
        (one(but("exp", json!(now))), TokenProblem::Expired { seconds: 0 }),
        (one(but("exp", json!(now - 90))), TokenProblem::Expired { seconds: 90 }),
        (one(but("nbf", json!(now + 301))), TokenProblem::NotYet { seconds: 301 }),
        (one(without("iss")), TokenProblem::Missing("iss")),
        (one(without("sub")), TokenProblem::Missing("sub")),
        (one(but("sub", json!(""))), TokenProblem::Missing("sub")),
        (one(without("aud")), TokenProblem::Missing("aud")),
        (one(without("exp")), TokenProblem::Missing("exp")),
        (one(but("exp", json!("tomorrow"))), TokenProblem::Missing("exp")),
        (one(but("exp", json!(-1))), TokenProblem::Missing("exp")),
        (one(without("nbf")), TokenProblem::Missing("nbf")),
    ] {
        let refusal = admit(&gate, &token).unwrap_err();
        assert_eq!(refusal.why, RefusalKind::Token(problem));
        assert_eq!(refusal.reason, ReasonCode::NotAuthorized);
        assert!(refusal.to_string().contains(';'), "what is wrong, and the cure: {refusal}");
    }
    assert!(admit(&gate, &one(but("nbf", json!(now + 299)))).is_ok());
}

#[test]
fn a_client_that_shows_another_token_stays_itself_for_longer() {
    let gate = gate();
    let admission = admit(&gate, &good()).unwrap();
    let credentials = Credentials::from(&request(""));
    let later = Wall::from_millis((NOW.as_secs() + 3000) * 1000);
    let longer = signed(&KEYS.other, None, &but("exp", json!(later.as_secs() + 3600)));
    let renewed = proof(&gate, &longer, later).unwrap();
    let renewed = gate.reauthenticate(&admission, &credentials, &renewed, later).unwrap();
    assert_eq!(renewed.principal().expires_at().unwrap().as_secs(), later.as_secs() + 3600);
    let stranger = proof(&gate, &signed(&KEYS.one, None, &but("sub", json!("device2"))), NOW).unwrap();
    let refusal = gate.reauthenticate(&admission, &credentials, &stranger, NOW).unwrap_err();
    assert!(matches!(refusal.why, RefusalKind::NameChanged { .. }));
}

#[test]
fn a_change_of_resources_and_the_end_of_the_token_are_noticed() {
    let gate = gate();
    let admission = admit(&gate, &good()).unwrap();
    let credentials = Credentials::from(&request(""));
    let changed = |certificates: &Value, clients: &Value, generation| {
        gate_of(&document(certificates, clients).to_string(), generation)
    };
    // The rights are those of the resources as they are now, and of the token's claims.
    let same = changed(&certificates(), &json!([]), 2);
    assert!(may_publish(&same, &admission, "floors/5/device1"));
    let again = same.readmit(&admission, &credentials, NOW).unwrap();
    assert!(may_publish(&same, &again, "floors/5/device1"));
    let ended = Wall::from_millis((NOW.as_secs() + 3600) * 1000);
    let refusal = same.readmit(&admission, &credentials, ended).unwrap_err();
    assert_eq!(refusal.why, RefusalKind::Token(TokenProblem::Expired { seconds: 0 }));
    // Its key is gone; or another certificate has its kid.
    let mut others = certificates();
    others[0] = json!({ "kid": "one", "encodedCertificate": KEYS.stranger.certificate_pem() });
    let withdrawn = changed(&others, &json!([]), 3);
    assert!(!may_publish(&withdrawn, &admission, "floors/5/device1"));
    assert_eq!(withdrawn.readmit(&admission, &credentials, NOW).unwrap_err().why, RefusalKind::IssuerWithdrawn);
    // A client of that name is registered, and disabled.
    let disabled = changed(&certificates(), &json!([{ "name": "device1", "properties": { "state": "Disabled" } }]), 4);
    let why = RefusalKind::Disabled { authentication_name: "device1".to_owned() };
    assert_eq!(disabled.readmit(&admission, &credentials, NOW).unwrap_err().why, why);
    assert_eq!(admit(&disabled, &good()).unwrap_err().why, why);
}

#[test]
fn without_an_issuer_or_without_encryption_tokens_are_no_way_in() {
    let open = gate_of(r#"{"clients": [{"name": "device1"}]}"#, 1);
    let token = good();
    assert!(open.exchange(&request(&token)).is_none());
    let refusal = open.admit(&request(&token), NOW).unwrap_err();
    assert_eq!(refusal.reason, ReasonCode::BadAuthenticationMethod);
    let gate = gate();
    let other = ConnectRequest { authentication_method: Some("custom-jwt"), ..request(&token) };
    assert!(gate.exchange(&other).is_none(), "methods are compared exactly");
    let proof = proof(&gate, &token, NOW).unwrap();
    let plain =
        ConnectRequest { proof: Some(&proof), transport: Transport::Plain { trusted: false }, ..request(&token) };
    assert_eq!(gate.admit(&plain, NOW).unwrap_err().why, RefusalKind::PlainNotTrusted);
}

#[test]
fn an_issuer_that_cannot_be_is_said_so() {
    let pem = KEYS.one.certificate_pem();
    let path = "clientAuthentication.customJwtAuthentication";
    let with = |custom: Value| {
        json!({ "namespace": { "name": "ns1", "properties": { "topicSpacesConfiguration": {
            "clientAuthentication": { "customJwtAuthentication": custom } } } } })
    };
    let one = |kid: &str, pem: &str| json!({ "kid": kid, "encodedCertificate": pem });
    for (custom, place) in [
        (json!({ "encodedIssuerCertificates": [one("1", &pem)] }), "tokenIssuer"),
        (
            json!({ "tokenIssuer": "i", "encodedIssuerCertificates": [one("", &pem)] }),
            "encodedIssuerCertificates[0].kid",
        ),
        (
            json!({ "tokenIssuer": "i", "encodedIssuerCertificates": [one("1", &pem), one("1", &pem)] }),
            "encodedIssuerCertificates[1].kid",
        ),
        (
            json!({ "tokenIssuer": "i", "encodedIssuerCertificates": [one("1", "no PEM")] }),
            "encodedIssuerCertificates[0].encodedCertificate",
        ),
        (
            json!({ "tokenIssuer": "i", "encodedIssuerCertificates": [one("1", &pem), one("2", &pem), one("3", &pem)] }),
            "encodedIssuerCertificates",
        ),
    ] {
        let error = Resources::from_json(&with(custom).to_string()).unwrap_err().to_string();
        assert!(error.contains(&format!("{path}.{place}: ")), "{error}");
    }
}
