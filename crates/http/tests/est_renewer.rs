//! An identity that renews itself from our server.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]
#![allow(dead_code, unreachable_pub, reason = "shared with other tests")]

mod common;

use std::time::Duration;

use common::{Pki, Running, enrolled, leaf, now};
use gridmq_client::est::{EstRenewer, Hook, PairFiles, RenewalEvent, RenewalKey};
use gridmq_http::est::{Approval, Policy};
use gridmq_tls::est::renewal::RenewalPolicy;
use gridmq_tls::issue::{KeyType, Validity};
use gridmq_tls::{CredentialProvider, Identity, pem};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(20);

/// Every half second or so, for certificates of one minute.
fn often() -> RenewalPolicy {
    RenewalPolicy::default().fraction(0.01).jitter(0.0).retries(Duration::from_millis(500), Duration::from_secs(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn generations_follow_each_other_in_files_and_in_memory() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().policy(Policy::default().validity(60))).await;
    let (identity, key) = enrolled(&running, &pki).await;
    let dir = tempfile::tempdir().unwrap();
    let files = PairFiles::new(dir.path().join("device1.pem"), dir.path().join("device1.key"));
    files.replace(&pem::encode(identity.chain()), Some(key.pem())).unwrap();
    let told = dir.path().join("told");
    let hook = Hook::new("/bin/sh")
        .argument("-c")
        .argument("echo \"$GRIDMQ_CERT $GRIDMQ_NOT_AFTER\" >> \"$0\"")
        .argument(&told);
    let client = running.client(&pki).build().unwrap();
    let renewer = EstRenewer::builder(client, identity.clone())
        .policy(often())
        .key(RenewalKey::New(KeyType::EcdsaP256))
        .files(files.clone())
        .hook(hook)
        .start();
    let mut seen = vec![identity.thumbprint_sha256().to_owned()];
    let mut number = renewer.current().number;
    for _ in 0..3 {
        let next = timeout(PATIENCE, renewer.changed(number)).await.unwrap();
        assert_eq!(next.number, number + 1);
        number = next.number;
        assert_eq!(leaf(&next.identity).subject(), leaf(&identity).subject());
        assert!(!seen.contains(&next.identity.thumbprint_sha256().to_owned()));
        seen.push(next.identity.thumbprint_sha256().to_owned());
    }
    let on_disk = files.load().unwrap();
    // The next generation may be there already.
    assert_eq!(on_disk.subject(), identity.subject());
    assert_ne!(on_disk.thumbprint_sha256(), identity.thumbprint_sha256());
    assert_eq!(renewer.status().last_error, None);
    assert!(renewer.renewal_status().renewed >= 3);
    timeout(PATIENCE, async {
        while std::fs::read_to_string(&told).unwrap_or_default().lines().count() < 2 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap();
    let told = std::fs::read_to_string(&told).unwrap();
    assert!(told.contains("device1.pem 2"), "{told}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_stays_and_its_file_is_not_touched() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().policy(Policy::default().validity(60))).await;
    let (identity, key) = enrolled(&running, &pki).await;
    let client = running.client(&pki).build().unwrap();
    let renewer = EstRenewer::builder(client, identity.clone()).policy(often()).key(RenewalKey::Same(key)).start();
    let next = timeout(PATIENCE, renewer.changed(1)).await.unwrap();
    assert_eq!(leaf(&next.identity).public_key(), leaf(&identity).public_key());
    assert_ne!(next.identity.thumbprint_sha256(), identity.thumbprint_sha256());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_keeps_the_old_one_and_says_why() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().policy(Policy::default().validity(60))).await;
    let (identity, _) = enrolled(&running, &pki).await;
    let client = running.client(&pki).build().unwrap();
    running.stop().await;
    let renewer = EstRenewer::builder(client, identity.clone()).policy(often()).start();
    let mut events = renewer.events();
    let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    assert!(matches!(event, RenewalEvent::Failed { .. }), "{event:?}");
    assert_eq!(renewer.current().identity.thumbprint_sha256(), identity.thumbprint_sha256());
    let status = renewer.status();
    assert!(status.last_error.is_some() && status.failures >= 1 && status.generation == 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pending_request_is_sent_again_with_the_same_key() {
    let pki = Pki::new();
    let builder = pki.server().approval(Approval::Manual { retry_after: 1 });
    let running = Running::start(&pki, builder).await;
    let client = running.client(&pki).build().unwrap();
    let renewer = EstRenewer::builder(client, due(&pki)).policy(often()).start();
    let mut events = renewer.events();
    let event = timeout(PATIENCE, events.recv()).await.unwrap().unwrap();
    assert!(matches!(event, RenewalEvent::Pending { .. }), "{event:?}");
    let pending = running.server.pending();
    assert_eq!(pending.len(), 1);
    assert!(running.server.approve(&pending[0].id));
    timeout(PATIENCE, renewer.changed(1)).await.unwrap();
    assert_eq!(running.server.pending().len(), 0, "the second request was for the same key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_that_fails_or_hangs_changes_nothing() {
    let pki = Pki::new();
    let running = Running::start(&pki, pki.server().policy(Policy::default().validity(60))).await;
    let (identity, _) = enrolled(&running, &pki).await;
    for hook in [
        Hook::new("/bin/false"),
        Hook::new("/nowhere/at/all"),
        Hook::new("/bin/sleep").argument("60").timeout(Duration::from_millis(100)),
    ] {
        let client = running.client(&pki).build().unwrap();
        let renewer = EstRenewer::builder(client, identity.clone()).policy(often()).hook(hook).start();
        let mut events = renewer.events();
        let mut renewed = false;
        loop {
            match timeout(PATIENCE, events.recv()).await.unwrap().unwrap() {
                RenewalEvent::Renewed { .. } => renewed = true,
                RenewalEvent::HookFailed { .. } => break,
                other => panic!("{other:?}"),
            }
        }
        assert!(renewed && renewer.current().number >= 2);
    }
}

/// An identity in the middle of its life.
fn due(pki: &Pki) -> Identity {
    let issued = pki.issuing.issue_client("device1", Validity::new(now() - 50, now() + 50)).unwrap();
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}
