//! Debian's mosquitto with `require_certificate`: each way in which it rejects a client certificate, on TLS 1.2 and
//! 1.3, a hundred times by the client library and a hundred times by the doctor. The alert must be named every time:
//! on TLS 1.3 it comes after the handshake, in a race with the end of the connection.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};

use gridmq_client::Client;
use gridmq_client::error::ConnectErrorKind;
use gridmq_doctor::{Options, Scheme, Target};
use gridmq_testkit::peers::programs::{Mosquitto, Program};
use gridmq_testkit::pki::{Pki, Template};
use gridmq_tls::catalogue::Stage;
use gridmq_tls::{Identity, TlsVersion, Trust};

const RUNS: usize = 100;
const AT_ONCE: usize = 4;

/// Another one each time: connections with the same one would end each other.
fn client_id() -> String {
    static NEXT: AtomicUsize = AtomicUsize::new(0);
    format!("device1-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// What the broker said, by the client library: the alert's number, or what else came.
async fn by_client(broker: &Program, pki: &Pki, identity: Option<Identity>, version: TlsVersion) -> String {
    let mut builder = Client::builder(&format!("mqtts://localhost:{}", broker.address.port()))
        .trust(Trust::only_pem(pki.root.pem().as_bytes()).unwrap())
        .tls_versions(version)
        .client_id(client_id());
    if let Some(identity) = identity {
        builder = builder.identity(identity);
    }
    let Err(error) = builder.connect().await else { return "connected".to_owned() };
    match error.kind() {
        ConnectErrorKind::Tls(tls) => match &tls.report().alert {
            Some(alert) => format!("alert {}", alert.code),
            None => format!("{:?}", tls.kind()),
        },
        ConnectErrorKind::Refused { reason, .. } => format!("{reason:?}"),
        other => format!("{other:?}"),
    }
}

/// What the broker said, by the doctor's stage `client`, or by a later one if that was fine.
async fn by_doctor(broker: &Program, pki: &Pki, identity: Option<Identity>, version: TlsVersion) -> String {
    let mut options = Options::default();
    options.identity = identity;
    options.trust = Some(Trust::only_pem(pki.root.pem().as_bytes()).unwrap());
    options.tls_versions = version.into();
    options.client_id = Some(client_id());
    let report = gridmq_doctor::run(&Target::new(Scheme::Mqtts, "localhost", broker.address.port()), &options).await;
    let client = report.stages.iter().find(|stage| stage.stage == Stage::Client);
    if let Some(code) = client.and_then(|stage| stage.facts.get("alert")).and_then(|alert| alert["code"].as_u64()) {
        return format!("alert {code}");
    }
    match report.primary() {
        Some(finding) => finding.id.to_string(),
        None => "connected".to_owned(),
    }
}

async fn counted<F, Fut>(once: F) -> BTreeMap<String, usize>
where
    F: Fn() -> Fut,
    Fut: Future<Output = String>,
{
    let mut counts = BTreeMap::new();
    for _ in 0..RUNS / AT_ONCE {
        let (a, b, c, d) = tokio::join!(once(), once(), once(), once());
        for said in [a, b, c, d] {
            *counts.entry(said).or_default() += 1;
        }
    }
    counts
}

/// Runs both ways on both versions; `expected` is what TLS 1.2 and TLS 1.3 have to show.
async fn rejected(broker: &Mosquitto, pki: &Pki, identity: Option<Identity>, expected: [&str; 2]) {
    let broker = broker.start();
    for (version, expected) in [TlsVersion::V1_2, TlsVersion::V1_3].into_iter().zip(expected) {
        let expected = BTreeMap::from([(expected.to_owned(), RUNS)]);
        let client = counted(|| by_client(&broker, pki, identity.clone(), version)).await;
        assert_eq!(client, expected, "the client library on {version:?}");
        let doctor = counted(|| by_doctor(&broker, pki, identity.clone(), version)).await;
        assert_eq!(doctor, expected, "the doctor on {version:?}");
    }
}

fn strict(pki: &Pki) -> Mosquitto {
    Mosquitto::tls(&pki.server).requires(&pki.root.pem())
}

fn with_lists(pki: &Pki, lists: String) -> Mosquitto {
    let broker = Mosquitto::tls(&pki.server).requires(&(pki.root.pem() + &pki.intermediate.pem()));
    broker.file("crlfile", "crl.pem", lists)
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn no_certificate() {
    let pki = Pki::default();
    rejected(&strict(&pki), &pki, None, ["alert 40", "alert 116"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn unknown_authority() {
    let pki = Pki::default();
    let client = pki.other_root.issue(&Template::client("device1"));
    rejected(&strict(&pki), &pki, Some(client.identity()), ["alert 48", "alert 48"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn intermediate_not_sent() {
    let pki = Pki::default();
    let identity = pki.client.identity_with(&pki.client.pem());
    rejected(&strict(&pki), &pki, Some(identity), ["alert 48", "alert 48"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn expired() {
    let pki = Pki::default();
    let client = pki.intermediate.issue(&Template::client("device1").valid(-90, -3));
    rejected(&strict(&pki), &pki, Some(client.identity()), ["alert 45", "alert 45"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn not_yet_valid() {
    let pki = Pki::default();
    let client = pki.intermediate.issue(&Template::client("device1").valid(3, 90));
    rejected(&strict(&pki), &pki, Some(client.identity()), ["alert 42", "alert 42"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn usage_for_servers_only() {
    let pki = Pki::default();
    let client = pki.intermediate.issue(&Template::client("device1").for_servers());
    rejected(&strict(&pki), &pki, Some(client.identity()), ["alert 43", "alert 43"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn revoked() {
    let pki = Pki::default();
    let lists = pki.intermediate.revocation_list(&[&pki.client], -1, 30) + &pki.root.revocation_list(&[], -1, 30);
    rejected(&with_lists(&pki, lists), &pki, Some(pki.client.identity()), ["alert 44", "alert 44"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn the_brokers_own_list_is_stale() {
    let pki = Pki::default();
    let lists = pki.intermediate.revocation_list(&[], -30, -2) + &pki.root.revocation_list(&[], -30, -2);
    rejected(&with_lists(&pki, lists), &pki, Some(pki.client.identity()), ["alert 45", "alert 45"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn the_broker_trusts_an_intermediate_only() {
    let pki = Pki::default();
    let broker = Mosquitto::tls(&pki.server).requires(&pki.intermediate.pem());
    rejected(&broker, &pki, Some(pki.client.identity()), ["alert 48", "alert 48"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn without_extended_key_usage_it_is_let_in() {
    let pki = Pki::default();
    let client = pki.intermediate.issue(&Template::client("device1").for_anything());
    rejected(&strict(&pki), &pki, Some(client.identity()), ["connected", "connected"]).await;
}

#[tokio::test]
#[ignore = "needs the broker mosquitto; run by cargo xtask test"]
async fn without_a_name_the_refusal_is_a_connack() {
    let pki = Pki::default();
    let template = Template::client("device1").without_common_name().organisation("Example");
    let client = pki.intermediate.issue(&template);
    let broker = strict(&pki).line("use_identity_as_username true").start();
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let said = by_client(&broker, &pki, Some(client.identity()), version).await;
        assert_eq!(said, "BadUserNameOrPassword");
        assert_eq!(by_doctor(&broker, &pki, Some(client.identity()), version).await, "E10");
    }
}
