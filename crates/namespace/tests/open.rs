//! Rules without a namespace: who comes in by password or certificate, and what becomes of it when they change.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::sync::{Arc, LazyLock};

use gridmq_namespace::gate::{
    Admission, ConnectRequest, Credentials, DecisionCache, Gate, Refusal, RefusalKind, Transport,
};
use gridmq_namespace::open::{Access, Brake, CertificateNames, Open, PasswordHash, Users};
use gridmq_namespace::principal::{AuthenticatedBy, PrincipalKind};
use gridmq_namespace::resource::AlternativeNameSource;
use gridmq_proto::time::Wall;
use gridmq_proto::{ReasonCode, SubscriptionFilter, TopicName};
use gridmq_tls::issue::{CertificateAuthority, IssuedCertificate, Validity};
use gridmq_tls::{Anchors, PresentedPeer};

/// Alice's password is `wonder`, Bob's `builder`.
static USERS: LazyLock<String> = LazyLock::new(|| {
    let line = |name: &str, password: &str| {
        let hash = PasswordHash::new(password.as_bytes(), [7; 16]).unwrap();
        format!("{name}:{}\n", hash.as_str())
    };
    line("alice", "wonder") + &line("bob", "builder")
});
const NOW: Wall = Wall::from_millis(1_790_000_000_000);

fn users() -> Arc<Users> {
    Arc::new(Users::parse(&USERS).unwrap())
}

fn request<'a>(username: &'a str, password: &'a str) -> ConnectRequest<'a> {
    ConnectRequest {
        username: Some(username).filter(|name| !name.is_empty()),
        password: Some(password.as_bytes()).filter(|password| !password.is_empty()),
        source: "192.0.2.1".parse().ok(),
        ..ConnectRequest::new("c1", Transport::Tls)
    }
}

fn enter_at(gate: &Gate, request: &ConnectRequest<'_>, now: Wall) -> Result<Admission, Refusal> {
    let proof = gate.prepare(request, now).map(|computation| computation.run());
    gate.admit(&ConnectRequest { proof: proof.as_ref(), ..*request }, now)
}

fn enter(gate: &Gate, request: &ConnectRequest<'_>) -> Result<Admission, Refusal> {
    enter_at(gate, request, NOW)
}

fn gate(rules: Open) -> Gate {
    Gate::new(Arc::new(rules))
}

#[test]
fn a_user_comes_in_with_the_right_password_alone() {
    let gate = gate(Open::new().with_users(users()));
    let admission = enter(&gate, &request("alice", "wonder")).unwrap();
    let principal = admission.principal();
    assert_eq!((principal.kind(), &**principal.authentication_name()), (PrincipalKind::Client, "alice"));
    assert_eq!(principal.authenticated_by(), &AuthenticatedBy::Password);
    for (name, password) in
        [("alice", "builder"), ("bob", "wonder"), ("carol", "wonder"), ("alice", ""), ("Alice", "wonder")]
    {
        let refusal = enter(&gate, &request(name, password)).unwrap_err();
        assert_eq!(refusal.reason, ReasonCode::BadUserNameOrPassword, "{name} {password}");
        let words = refusal.to_string();
        assert_eq!(
            words.replace(name, "NAME"),
            enter(&gate, &request("alice", "no")).unwrap_err().to_string().replace("alice", "NAME"),
            "no word says which of the two is wrong"
        );
    }
    for password in ["", "wonder"] {
        assert_eq!(enter(&gate, &request("", password)).unwrap_err().reason, ReasonCode::NotAuthorized);
    }
    assert!(gate.admit(&request("alice", "wonder"), NOW).is_err(), "without the work nobody comes in");
}

#[test]
fn anonymous_clients_come_in_when_it_is_said_and_never_as_a_user() {
    let gate = gate(Open::new().with_users(users()).allow_anonymous(true));
    let admission = enter(&gate, &request("", "")).unwrap();
    assert_eq!(&**admission.principal().authentication_name(), "anonymous");
    assert_eq!(admission.principal().kind(), PrincipalKind::Open);
    assert!(enter(&gate, &request("alice", "")).is_err());
    assert!(enter(&gate, &request("alice", "wrong")).is_err());
    assert!(gate.session_limits().owner_only);
    let closed = self::gate(Open::new().allow_anonymous(false));
    assert_eq!(enter(&closed, &request("", "")).unwrap_err().why, RefusalKind::AnonymousNotAllowed);
    assert!(!closed.session_limits().owner_only);
}

#[test]
fn access_rules_hold_for_proven_names() {
    let access =
        Access::parse("allow users all d/${client.authenticationName}/#\nallow user alice subscribe #").unwrap();
    let rules = Open::new().with_users(users()).allow_anonymous(true).with_access(Arc::new(access));
    let gate = gate(rules.clone());
    let mut cache = DecisionCache::new();
    let alice = enter(&gate, &request("alice", "wonder")).unwrap();
    let own = TopicName::try_from("d/alice/x").unwrap();
    assert!(gate.publish(&alice, &mut cache, &own, ()).is_ok());
    let denied = gate.publish(&alice, &mut cache, &TopicName::try_from("d/bob/x").unwrap(), ()).unwrap_err();
    assert_eq!(denied.reason, ReasonCode::NotAuthorized);
    assert!(denied.to_string().contains("d/bob/x"), "{denied}");
    let shared = SubscriptionFilter::try_from("$share/g/d/bob/#").unwrap();
    assert!(gate.subscribe(&alice, &shared).is_ok());
    let bob = enter(&gate, &request("bob", "builder")).unwrap();
    assert!(gate.subscribe(&bob, &SubscriptionFilter::try_from("$share/g/d/alice/#").unwrap()).is_err());
    let nobody = enter(&gate, &request("", "")).unwrap();
    assert!(gate.publish(&nobody, &mut cache, &own, ()).is_err());

    // Under other rules a principal of before is decided by those at once.
    let access = Access::parse("allow everyone all #").unwrap();
    let later = self::gate(rules.with_access(Arc::new(access)).with_generation(1));
    assert!(later.publish(&nobody, &mut cache, &own, ()).is_ok());
}

#[test]
fn who_is_no_longer_a_user_or_has_another_password_is_ended() {
    let rules = Open::new().with_users(users());
    let gate = gate(rules.clone());
    let asked = request("alice", "wonder");
    let admission = enter(&gate, &asked).unwrap();
    let credentials = Credentials::from(&asked);
    let changed = |text: &str| {
        let users = Arc::new(Users::parse(text).unwrap());
        self::gate(rules.clone().with_users(users).with_generation(1)).readmit(&admission, &credentials, NOW)
    };
    assert_eq!(changed(&USERS).unwrap().generation(), 1);
    assert!(changed("").is_err());
    let other = USERS.replace("alice", "x").replace("bob", "alice");
    let refusal = changed(&other).unwrap_err();
    assert!(matches!(refusal.why, RefusalKind::PasswordChanged { .. }), "{refusal}");
    assert_eq!(refusal.reason, ReasonCode::NotAuthorized);
}

#[test]
fn whoever_came_in_without_a_name_is_judged_by_what_holds_now() {
    let open = gate(Open::new());
    let asked = request("alice", "");
    let admission = enter(&open, &asked).unwrap();
    assert_eq!(&**admission.principal().authentication_name(), "alice");
    let credentials = Credentials::from(&asked);
    assert!(gate(Open::new().with_generation(1)).readmit(&admission, &credentials, NOW).is_ok());
    assert!(gate(Open::new().allow_anonymous(false)).readmit(&admission, &credentials, NOW).is_err());
    let users = gate(Open::new().with_users(users()).allow_anonymous(true));
    assert!(users.readmit(&admission, &credentials, NOW).is_err(), "it does not become another one silently");
}

#[test]
fn who_guesses_is_held_up_and_who_was_here_is_not() {
    let brake = Arc::new(Brake::new());
    let gate = gate(Open::new().with_users(users()).with_brake(Arc::clone(&brake)));
    enter(&gate, &request("bob", "builder")).unwrap();
    for _ in 0..6 {
        assert_eq!(enter(&gate, &request("alice", "guess")).unwrap_err().reason, ReasonCode::BadUserNameOrPassword);
    }
    assert!(gate.prepare(&request("alice", "wonder"), NOW).is_none(), "no work is done for it");
    let refusal = enter(&gate, &request("alice", "wonder")).unwrap_err();
    assert_eq!(refusal.reason, ReasonCode::ConnectionRateExceeded);
    assert!(refusal.to_string().contains("again in 2 s"), "{refusal}");
    assert!(enter(&gate, &request("bob", "builder")).is_ok());
    assert_eq!((brake.stats().wrong, brake.stats().held_up), (6, 1));
    assert!(enter_at(&gate, &request("alice", "wonder"), NOW.after(std::time::Duration::from_secs(1))).is_ok());
}

#[test]
fn passwords_that_wait_while_others_are_wrong_are_not_looked_at() {
    let brake = Arc::new(Brake::new());
    let gate = gate(Open::new().with_users(users()).with_brake(Arc::clone(&brake)));
    let asked = request("alice", "guess");
    let waiting: Vec<_> = (0..100).map(|_| gate.prepare(&asked, NOW).unwrap()).collect();
    let refusals: Vec<_> = waiting
        .into_iter()
        .map(|computation| {
            let proof = computation.run();
            gate.admit(&ConnectRequest { proof: Some(&proof), ..asked }, NOW).unwrap_err().reason
        })
        .collect();
    assert_eq!(refusals.iter().filter(|reason| **reason == ReasonCode::BadUserNameOrPassword).count(), 6);
    assert_eq!((brake.stats().wrong, brake.stats().held_up), (6, 94));
}

fn presented(issued: &IssuedCertificate) -> PresentedPeer {
    PresentedPeer::from_der_unproven(vec![issued.certificate_der()]).unwrap()
}

#[test]
fn a_certificate_names_its_client_and_a_password_another_one() {
    let validity = Validity::days(NOW.as_secs(), 30);
    let ca = CertificateAuthority::new_root("Root", validity).unwrap();
    let stranger = CertificateAuthority::new_root("Stranger", validity).unwrap();
    let anchors = || Anchors::from_pem(ca.certificate_pem().as_bytes()).unwrap();
    let certificates = Arc::new(CertificateNames::new(anchors()));
    let rules = Open::new().with_users(users()).with_certificates(certificates);
    let gate = gate(rules.clone());
    let pump = presented(&ca.issue_client("pump", validity).unwrap());
    let with = |name, password| ConnectRequest { presented: Some(&pump), ..request(name, password) };
    for (name, password, expected) in [
        ("", "", Some("pump")),
        ("pump", "", Some("pump")),
        ("pump", "x", Some("pump")),
        ("alice", "wonder", Some("alice")),
        ("alice", "", None),
        ("alice", "x", None),
    ] {
        let entered = enter(&gate, &with(name, password)).ok();
        let entered = entered.map(|admission| admission.principal().authentication_name().to_string());
        assert_eq!(entered.as_deref(), expected, "{name} {password}");
    }
    assert!(gate.prepare(&with("pump", "x"), NOW).is_none(), "no password is needed");
    let asked = with("", "");
    let admission = enter(&gate, &asked).unwrap();
    assert!(matches!(admission.principal().authenticated_by(), AuthenticatedBy::CaCertificate { .. }));
    assert!(admission.principal().expires_at().is_some());
    let credentials = Credentials::from(&asked);
    assert!(gate.readmit(&admission, &credentials, NOW).is_ok());
    let later = Wall::from_millis((validity.not_after() + 1) * 1000);
    assert!(gate.readmit(&admission, &credentials, later).is_err());

    // A certificate that does not hold is not passed over, and `anonymous` is nobody's name.
    let forged = presented(&stranger.issue_client("pump", validity).unwrap());
    let forged = ConnectRequest { presented: Some(&forged), ..request("alice", "wonder") };
    assert_eq!(enter(&gate, &forged).unwrap_err().reason, ReasonCode::NotAuthorized);
    let nobody = presented(&ca.issue_client("anonymous", validity).unwrap());
    assert!(enter(&gate, &ConnectRequest { presented: Some(&nobody), ..request("", "") }).is_err());

    // Named by another field, this certificate names nobody.
    let by_dns = CertificateNames::new(anchors()).named_by(AlternativeNameSource::ClientCertificateDns);
    let by_dns = self::gate(rules.with_certificates(Arc::new(by_dns)));
    assert!(enter(&by_dns, &with("", "")).is_err());
}
