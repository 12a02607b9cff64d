//! A client's certificate is revoked while it is connected, the list runs out, and a list that is no good replaces one
//! that is.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridmq_broker::{Broker, Listener, Observer, Occurrence};
use gridmq_client::error::{ConnectErrorKind, DisconnectKind};
use gridmq_client::{Client, ConnectError, QoS, ReasonCode, Reconnect, Version};
use gridmq_namespace::Policy;
use gridmq_testkit::authority::{Authority, identity, unix_now};
use gridmq_testkit::broker::{resources, server_config};
use gridmq_testkit::wire::eventually;
use gridmq_tls::issue::{Reason, Revocations, Validity};
use gridmq_tls::revocation::watched::{Event, RevocationStatus};
use gridmq_tls::revocation::{Revocation, WatchedLists};
use gridmq_tls::{Certificate, Identity};
use tempfile::TempDir;
use tokio::task::JoinHandle;

const SOON: Duration = Duration::from_secs(20);

/// What the broker said of those whom it did not let in, or not stay.
#[derive(Debug, Default)]
struct Refusals(Mutex<Vec<String>>);

impl Observer for Refusals {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        if let Occurrence::Refused { why, .. } = occurrence {
            self.0.lock().unwrap().push((*why).to_owned());
        }
    }
}

/// A namespace over mutual TLS that follows a directory of lists.
struct Stage {
    authority: Authority,
    broker: Arc<Broker>,
    refusals: Arc<Refusals>,
    directory: TempDir,
    register: Revocations,
    lists: WatchedLists,
    events: Arc<Mutex<Vec<Event>>>,
    follows: JoinHandle<()>,
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.follows.abort();
    }
}

impl Stage {
    /// The first list is in force for so many seconds.
    async fn new(seconds: u64) -> Self {
        let authority = Authority::new("Revoking");
        let directory = tempfile::tempdir().unwrap();
        let mut register = Revocations::default();
        write(&directory, &authority, &mut register, Validity::seconds(unix_now(), seconds));
        let events: Arc<Mutex<Vec<Event>>> = Arc::default();
        let seen = Arc::clone(&events);
        let lists = WatchedLists::loading(Revocation::builder(), [directory.path()])
            .on_event(move |event| seen.lock().unwrap().push(event.clone()))
            .start()
            .unwrap();
        let first = lists.current();
        let policy = |number| Policy::compile(resources(&authority), number).unwrap();
        let rules = Arc::new(policy(first.number).with_revocation(first.revocation.clone()));
        let refusals = Arc::new(Refusals::default());
        let listener = Listener::tls(SocketAddr::from(([127, 0, 0, 1], 0)), server_config(&authority));
        let builder = Broker::builder().workers(2).rules(rules).observer(Arc::<Refusals>::clone(&refusals));
        let broker = Arc::new(builder.listener(listener).start().await.unwrap());
        let (following, watched, document) = (Arc::clone(&broker), lists.clone(), resources(&authority));
        let follows = tokio::spawn(async move {
            let mut known = first.number;
            loop {
                let edition = watched.changed(known).await;
                known = edition.number;
                let policy = Policy::compile(document.clone(), known).unwrap();
                following.set_rules(Arc::new(policy.with_revocation(edition.revocation.clone()))).await;
            }
        });
        Self { authority, broker, refusals, directory, register, lists, events, follows }
    }

    fn device(&self, name: &str) -> Identity {
        identity(&self.authority.client(&format!("{name}-authn-ID")))
    }

    async fn connect(&self, name: &str, identity: &Identity, version: Version) -> Result<Client, ConnectError> {
        let port = self.broker.addresses()[0].port();
        Client::builder(&format!("mqtts://localhost:{port}"))
            .trust(self.authority.trust())
            .identity(identity.clone())
            .username(format!("{name}-authn-ID"))
            .client_id(format!("{name}-{version:?}"))
            .version(version)
            .reconnect(Reconnect::never())
            .connect()
            .await
    }

    fn revoke(&mut self, certificate: &Certificate) {
        assert!(self.register.revoke(certificate, unix_now(), Reason::KeyCompromise).unwrap());
    }

    fn publish_list(&mut self, validity: Validity) {
        write(&self.directory, &self.authority, &mut self.register, validity);
    }

    async fn status(&self, what: &str, holds: impl Fn(&RevocationStatus) -> bool) -> RevocationStatus {
        eventually(what, || holds(&self.lists.status())).await;
        self.lists.status()
    }

    fn refused(&self, id: &str) -> bool {
        self.refusals.0.lock().unwrap().iter().any(|why| why.contains(id))
    }
}

/// Replaces the list as a careful job does: beside, then there.
fn write(directory: &TempDir, authority: &Authority, register: &mut Revocations, validity: Validity) {
    let list = authority.intermediate.sign_revocations(register, validity).unwrap();
    let beside = tempfile::tempdir_in(directory.path()).unwrap();
    fs::write(beside.path().join("new"), list.to_pem()).unwrap();
    fs::rename(beside.path().join("new"), directory.path().join("intermediate.crl")).unwrap();
}

/// Waits for a client's end.
async fn ended(client: &Client) -> gridmq_client::DisconnectCause {
    tokio::time::timeout(SOON, async {
        loop {
            if let Some(cause) = client.disconnected() {
                return cause;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap()
}

async fn lives(client: &Client) {
    client.publish("interop/alive", "yes").qos(QoS::AtLeastOnce).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_revoked_while_connected_is_disconnected_and_not_let_in_again() {
    let mut stage = Stage::new(3_600).await;
    let (lost, kept, old) = (stage.device("client1"), stage.device("client2"), stage.device("client3"));
    let five = stage.connect("client1", &lost, Version::V5).await.unwrap();
    let three = stage.connect("client3", &old, Version::V3_1_1).await.unwrap();
    let other = stage.connect("client2", &kept, Version::V5).await.unwrap();
    lives(&five).await;
    for identity in [&lost, &old] {
        stage.revoke(&identity.chain()[0]);
    }
    stage.publish_list(Validity::seconds(unix_now(), 3_600));
    let cause = ended(&five).await;
    assert!(matches!(cause.kind(), DisconnectKind::Server(ReasonCode::NotAuthorized)), "{cause}");
    assert!(cause.reason_string().unwrap().contains("B12"), "{cause}");
    // MQTT 3.1.1 has no way to tell.
    let cause = ended(&three).await;
    assert!(matches!(cause.kind(), DisconnectKind::Closed), "{cause}");
    for (name, identity, version) in [("client1", &lost, Version::V5), ("client3", &old, Version::V3_1_1)] {
        let error = stage.connect(name, identity, version).await.unwrap_err();
        assert_eq!(error.reason(), Some(ReasonCode::NotAuthorized), "{error}");
        assert!(matches!(error.kind(), ConnectErrorKind::Refused { .. }), "{error}");
    }
    assert!(stage.refused("B12"));
    lives(&other).await;
    // The same client with another certificate is another matter.
    let renewed = stage.device("client1");
    lives(&stage.connect("client1", &renewed, Version::V5).await.unwrap()).await;
    assert_eq!((stage.lists.status().edition, stage.lists.status().failures), (2, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_list_that_is_out_of_date_or_no_list_leaves_the_old_one_in_force() {
    let mut stage = Stage::new(3_600).await;
    let (lost, other) = (stage.device("client1"), stage.device("client2"));
    stage.revoke(&lost.chain()[0]);
    stage.publish_list(Validity::seconds(unix_now(), 3_600));
    stage.status("the list is read", |status| status.edition == 2).await;
    let client = stage.connect("client2", &other, Version::V5).await.unwrap();
    // It would let everybody in again if it counted.
    stage.register = Revocations::default();
    stage.publish_list(Validity::new(unix_now() - 7_200, unix_now() - 3_600));
    let status = stage.status("the list is refused", |status| status.failures == 1).await;
    assert_eq!((status.edition, status.reloads), (2, 1));
    let why = status.last_error.unwrap();
    assert!(stage.events.lock().unwrap().contains(&Event::Kept { edition: 2, why }));
    fs::write(stage.directory.path().join("intermediate.crl"), "no list").unwrap();
    stage.status("the text is refused", |status| status.failures > 1).await;
    assert!(stage.connect("client1", &lost, Version::V5).await.is_err());
    assert!(stage.refused("B12"));
    lives(&client).await;
    stage.publish_list(Validity::seconds(unix_now(), 3_600));
    let status = stage.status("the good list is read", |status| status.edition == 3).await;
    assert_eq!(status.last_error, None);
    lives(&client).await;
    lives(&stage.connect("client1", &lost, Version::V5).await.unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_stays_whose_list_has_run_out() {
    let mut stage = Stage::new(4).await;
    let device = stage.device("client1");
    let client = stage.connect("client1", &device, Version::V5).await.unwrap();
    lives(&client).await;
    let cause = ended(&client).await;
    assert!(cause.reason_string().unwrap().contains("B13"), "{cause}");
    assert!(stage.connect("client1", &device, Version::V5).await.is_err());
    assert!(stage.refused("B13"));
    assert!(stage.lists.current().overdue);
    stage.publish_list(Validity::seconds(unix_now(), 3_600));
    stage.status("the list is replaced", |status| status.edition == 3).await;
    // The rules follow the lists a moment later.
    let back = tokio::time::timeout(SOON, async {
        loop {
            if let Ok(client) = stage.connect("client1", &device, Version::V5).await {
                return client;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    });
    lives(&back.await.unwrap()).await;
}
