//! A client that publishes 100 messages a second while its certificate changes, a subscriber elsewhere, and a broker
//! that notes who comes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridmq_broker::{Broker, Listener, Observer, Occurrence};
use gridmq_client::{Client, ConnectionEvent, Options, QoS, Version};
use gridmq_namespace::Policy;
use gridmq_testkit::authority::{Authority, identity};
use gridmq_testkit::broker::{resources, server_config};
use gridmq_tls::CredentialProvider;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

/// The publisher's common name and user name.
pub(crate) const PUBLISHER: &str = "client1-authn-ID";
const SUBSCRIBER: &str = "client2-authn-ID";
const SOON: Duration = Duration::from_secs(20);
/// Messages that wait for their acknowledgement at most. A namespace ends the session of a subscriber for which a
/// hundred wait, so what piles up during a move must be less.
const OUTSTANDING: usize = 64;
/// Messages that are sent between two moves, at the least.
const BETWEEN: u32 = 80;

/// How the next generation comes.
pub(crate) trait Succession {
    /// What the publisher is given.
    fn credentials(&self) -> Arc<dyn CredentialProvider>;

    /// Has the next generation come, and gives the SHA-256 thumbprint of its leaf if it is known by now.
    fn next(&mut self, round: usize) -> impl Future<Output = Option<String>>;
}

/// Who came in, in order: authentication name, thumbprint, and whether the session was there.
#[derive(Debug, Default)]
struct Guests(Mutex<Vec<(String, String, bool)>>);

impl Observer for Guests {
    fn observe(&self, occurrence: &Occurrence<'_>) {
        if let Occurrence::Connected { authentication_name, certificate, session_present, .. } = occurrence {
            let thumbprint = certificate.map(|leaf| leaf.thumbprint_sha256().to_owned()).unwrap_or_default();
            self.0.lock().unwrap().push(((*authentication_name).to_owned(), thumbprint, *session_present));
        }
    }
}

/// A namespace over mutual TLS.
pub(crate) struct Stage {
    pub(crate) authority: Authority,
    pub(crate) broker: Broker,
    guests: Arc<Guests>,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        let authority = Authority::new("Rotation");
        let policy = Policy::compile(resources(&authority), 1).unwrap();
        let guests = Arc::new(Guests::default());
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let builder = Broker::builder().workers(2).rules(Arc::new(policy)).observer(Arc::<Guests>::clone(&guests));
        let listener = Listener::tls(address, server_config(&authority));
        let broker = builder.listener(listener).start().await.unwrap();
        Self { authority, broker, guests }
    }

    pub(crate) fn builder(&self) -> Options {
        let port = self.broker.addresses()[0].port();
        Client::builder(&format!("mqtts://localhost:{port}")).trust(self.authority.trust())
    }

    /// The thumbprints with which the publisher came in, in order, and whether its session was there.
    pub(crate) fn came(&self) -> Vec<(String, bool)> {
        let guests = self.guests.0.lock().unwrap();
        guests
            .iter()
            .filter(|(name, ..)| name == PUBLISHER)
            .map(|(_, print, present)| (print.clone(), *present))
            .collect()
    }
}

/// Waits until as many messages as belong between two moves have been sent; paced at 100 a second.
async fn flowed(sent_so_far: &mut watch::Receiver<u32>) {
    let goal = *sent_so_far.borrow_and_update() + BETWEEN;
    let reached = timeout(SOON, sent_so_far.wait_for(|sent| *sent >= goal)).await;
    reached.expect("messages flow between moves").expect("the publisher goes on");
}

/// Publishes through `rounds` changes of the certificate; nothing may be lost or come twice.
pub(crate) async fn run(stage: &Stage, version: Version, mut succession: impl Succession, rounds: usize) {
    let subscriber = stage
        .builder()
        .identity(identity(&stage.authority.client(SUBSCRIBER)))
        .username(SUBSCRIBER)
        .client_id("subscriber")
        .connect()
        .await
        .unwrap();
    let mut messages = subscriber.subscribe("interop/rotation", QoS::AtLeastOnce).await.unwrap();
    // Taken at once: what a subscriber leaves lying for long ends its session.
    let (arrivals, mut arrived) = watch::channel(Vec::<u32>::new());
    tokio::spawn(async move {
        while let Some(message) = messages.next().await {
            let number = message.text().unwrap().parse().unwrap();
            arrivals.send_modify(|order| order.push(number));
        }
    });
    let credentials = succession.credentials();
    let mut prints = vec![Some(credentials.current().identity.thumbprint_sha256().to_owned())];
    let publisher = stage
        .builder()
        .credentials(Arc::clone(&credentials))
        .username(PUBLISHER)
        .client_id("publisher")
        .clean_start(version == Version::V5)
        .version(version)
        .connect()
        .await
        .unwrap();
    let mut events = publisher.events();
    assert!(matches!(events.next().await, Some(ConnectionEvent::Connected { .. })));
    let (stop, mut stopped) = watch::channel(false);
    let (progress, mut sent_so_far) = watch::channel(0_u32);
    let busy = tokio::spawn({
        let publisher = publisher.clone();
        async move {
            let mut sent = JoinSet::new();
            let outstanding = Arc::new(Semaphore::new(OUTSTANDING));
            let mut ticks = interval(Duration::from_millis(10));
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut number: u32 = 0;
            loop {
                tokio::select! {
                    _ = ticks.tick() => {}
                    _ = stopped.changed() => break,
                }
                let place = Arc::clone(&outstanding).acquire_owned().await.unwrap();
                let request = publisher.publish("interop/rotation", number.to_string()).qos(QoS::AtLeastOnce);
                sent.spawn(async move {
                    let outcome = request.await;
                    drop(place);
                    outcome
                });
                number += 1;
                progress.send_replace(number);
            }
            while let Some(outcome) = sent.join_next().await {
                outcome.unwrap().expect("acknowledged");
            }
            number
        }
    });
    let mut generation = 1;
    for round in 0..rounds {
        flowed(&mut sent_so_far).await;
        let print = succession.next(round).await;
        let moved = timeout(SOON, async {
            loop {
                match events.next().await.expect("the client goes on") {
                    ConnectionEvent::Rotated { generation, session_present } => return (generation, session_present),
                    ConnectionEvent::Rotating { .. } => {}
                    other => panic!("round {round}: {other:?}"),
                }
            }
        });
        let (number, session_present) = moved.await.expect("the client moves in time");
        assert!(number > generation, "round {round}: generation {number} after {generation}");
        assert!(session_present, "round {round}: the session is lost");
        assert_eq!(publisher.info().unwrap().generation, Some(number));
        generation = number;
        prints.push(print);
    }
    flowed(&mut sent_so_far).await;
    stop.send_replace(true);
    let sent = busy.await.unwrap();
    assert!(sent as usize >= BETWEEN as usize * (rounds + 1), "only {sent} messages in {rounds} rounds");
    let order = timeout(SOON, async {
        loop {
            if arrived.borrow_and_update().iter().collect::<BTreeSet<_>>().len() == sent as usize {
                return arrived.borrow().clone();
            }
            let gone = arrived.changed().await.is_err();
            assert!(!gone, "the subscriber is out: {:?}", subscriber.disconnected());
        }
    });
    let order = order.await.expect("no message is lost");
    // Everything was acknowledged before each move, so nothing was sent twice.
    assert_eq!(order.len(), sent as usize, "more than was sent came");
    let status = publisher.credential_status().unwrap();
    assert_eq!((status.generation, status.last_error.as_deref()), (generation, None));
    let came = stage.came();
    assert_eq!(came.len(), rounds + 1, "{came:?}");
    for (place, ((seen, session_present), expected)) in came.iter().zip(&prints).enumerate() {
        assert_eq!(*session_present, place > 0);
        assert!(expected.as_ref().is_none_or(|expected| expected == seen), "connection {place}");
        assert!(
            came.iter().filter(|(print, _)| print == seen).count() == 1,
            "connection {place} has an old certificate"
        );
    }
    publisher.disconnect().await.unwrap();
}
