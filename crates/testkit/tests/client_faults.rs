//! The client against the real broker through a proxy that cuts, stalls, delays and splits, as seeds say.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::collections::BTreeMap;
use std::future::IntoFuture as _;
use std::net::SocketAddr;
use std::time::Duration;

use gridmq_client::{Client, ConnectionEvent, Options, QoS, Reconnect, Subscription, Version};
use gridmq_testkit::fault::{Blow, Cut, Faults, Pieces, Proxy, Storm, StormSettings, Way};
use gridmq_testkit::open;
use tokio::task::JoinSet;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);
const BOTH: [QoS; 2] = [QoS::AtLeastOnce, QoS::ExactlyOnce];

fn options(at: SocketAddr, client_id: &str, version: Version) -> Options {
    let options = Client::builder(&format!("mqtt://{at}"))
        .version(version)
        .client_id(client_id)
        .clean_start(false)
        .keep_alive(Duration::from_secs(2))
        .connect_timeout(Duration::from_secs(2))
        .request_timeout(PATIENCE)
        .reconnect(Reconnect::new().first_wait(Duration::from_millis(20)).longest_wait(Duration::from_millis(200)));
    if version.is_v5() { options.session_expiry(Duration::from_secs(3600)) } else { options }
}

/// How often each number arrived.
type Counts = BTreeMap<u32, u32>;

async fn count(subscription: &mut Subscription, counts: &mut Counts, until: usize) {
    while counts.len() < until {
        let message = subscription.next().await.expect("the stream goes on");
        *counts.entry(message.text().unwrap().parse().unwrap()).or_default() += 1;
    }
}

/// Late duplicates would come now.
async fn linger(subscription: &mut Subscription, counts: &mut Counts) {
    let _ = timeout(Duration::from_millis(500), count(subscription, counts, usize::MAX)).await;
}

fn check(qos: QoS, counts: &Counts, sent: u32, journal: &[Blow]) {
    for number in 0..sent {
        let times = counts.get(&number).copied().unwrap_or(0);
        let fits = if qos == QoS::ExactlyOnce { times == 1 } else { times >= 1 };
        assert!(fits, "{number} at {qos:?} arrived {times} times after {journal:?}");
    }
}

/// Publishes until the storm has lasted long enough; how many.
async fn publish(client: &Client, qos: QoS, lasts: Duration) -> u32 {
    let end = tokio::time::Instant::now() + lasts;
    let mut pending = JoinSet::new();
    let mut number = 0;
    while tokio::time::Instant::now() < end {
        pending.spawn(client.publish("faults", number.to_string()).qos(qos).into_future());
        number += 1;
        tokio::time::sleep(Duration::from_millis(3)).await;
        while let Some(done) = pending.try_join_next() {
            done.unwrap().unwrap();
        }
    }
    while let Some(done) = pending.join_next().await {
        done.unwrap().unwrap();
    }
    number
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_through_a_storm_arrives() {
    for (seed, version) in [(1, Version::V5), (2, Version::V3_1_1), (3, Version::V5)] {
        for qos in BOTH {
            let broker = open(1).await;
            let proxy = Proxy::start(broker.address(), seed).await.unwrap();
            let reader = options(broker.address(), "reader", Version::V5).connect().await.unwrap();
            let mut subscription = reader.subscribe("faults", qos).await.unwrap();
            let writer = options(proxy.address(), "writer", version).connect().await.unwrap();
            let mut storm = Storm::new(seed, StormSettings::default());
            let mut counts = Counts::new();
            let sent = {
                let publishing = async {
                    let lasts = Duration::from_secs(3);
                    let (sent, _) = tokio::join!(publish(&writer, qos, lasts), async {
                        let _ = timeout(lasts, storm.blow(&proxy)).await;
                        proxy.calm();
                    });
                    sent
                };
                let counting = count(&mut subscription, &mut counts, usize::MAX);
                tokio::select! {
                    sent = timeout(PATIENCE, publishing) => sent.expect("publishing ends"),
                    () = counting => unreachable!("it counts for ever"),
                }
            };
            let all = count(&mut subscription, &mut counts, sent as usize);
            timeout(PATIENCE, all)
                .await
                .unwrap_or_else(|_| panic!("seed {seed}: something is lost: {:?}", storm.journal));
            linger(&mut subscription, &mut counts).await;
            check(qos, &counts, sent, &storm.journal);
            assert!(proxy.accepted() > 1, "{:?}", storm.journal);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_subscribed_to_through_a_storm_arrives() {
    for (seed, version) in [(11, Version::V5), (12, Version::V3_1_1)] {
        for qos in BOTH {
            let broker = open(1).await;
            let proxy = Proxy::start(broker.address(), seed).await.unwrap();
            let reader = options(proxy.address(), "reader", version).connect().await.unwrap();
            let mut subscription = reader.subscribe("faults", qos).await.unwrap();
            let mut events = reader.events();
            let writer = options(broker.address(), "writer", Version::V5).connect().await.unwrap();
            let mut storm = Storm::new(seed, StormSettings::default());
            let mut counts = Counts::new();
            let lasts = Duration::from_secs(3);
            let sent = {
                let blowing = async {
                    let _ = timeout(lasts, storm.blow(&proxy)).await;
                    proxy.calm();
                };
                let counting = count(&mut subscription, &mut counts, usize::MAX);
                let publishing = async { tokio::join!(publish(&writer, qos, lasts), blowing).0 };
                tokio::select! {
                    sent = timeout(PATIENCE, publishing) => sent.expect("publishing ends"),
                    () = counting => unreachable!("it counts for ever"),
                }
            };
            let all = count(&mut subscription, &mut counts, sent as usize);
            timeout(PATIENCE, all)
                .await
                .unwrap_or_else(|_| panic!("seed {seed}: something is lost: {:?}", storm.journal));
            linger(&mut subscription, &mut counts).await;
            check(qos, &counts, sent, &storm.journal);
            while let Ok(Some(event)) = timeout(Duration::from_millis(1), events.next()).await {
                assert!(!matches!(event, ConnectionEvent::SessionLost), "the broker keeps the session");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_cut_at_each_byte_of_the_servers_first_words_is_made_again() {
    let broker = open(1).await;
    let proxy = Proxy::start(broker.address(), 5).await.unwrap();
    for limit in 0..12 {
        let how = if limit % 2 == 0 { Cut::Fin } else { Cut::Reset };
        proxy.set(Faults { down: Way { limit: Some((limit, how)), ..Way::default() }, ..Faults::default() });
        let client = options(proxy.address(), "cut", Version::V5).start().unwrap();
        let before = proxy.accepted();
        let tried = async {
            while proxy.accepted() < before + 2 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(PATIENCE, tried).await.expect("it tries again");
        proxy.calm();
        timeout(PATIENCE, client.publish("a", "").qos(QoS::AtLeastOnce).into_future()).await.unwrap().unwrap();
        client.disconnect().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_and_broken_up_link_is_no_lost_link() {
    let broker = open(1).await;
    for (name, pieces) in [("halves", Pieces::Halves), ("bytes", Pieces::Bytes)] {
        let proxy = Proxy::start(broker.address(), 6).await.unwrap();
        let delay = Duration::ZERO..=Duration::from_millis(20);
        proxy.set(Faults::both(&Way { pieces, delay, ..Way::default() }));
        let client = options(proxy.address(), name, Version::V5).connect().await.unwrap();
        let mut subscription = client.subscribe(name, QoS::ExactlyOnce).await.unwrap();
        for number in 0..20 {
            client.publish(name, number.to_string()).qos(QoS::ExactlyOnce).await.unwrap();
            let message = timeout(PATIENCE, subscription.next()).await.unwrap().unwrap();
            assert_eq!(message.text(), Some(number.to_string().as_str()));
        }
        assert_eq!(proxy.accepted(), 1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_link_is_left_within_one_and_a_half_keep_alives() {
    let broker = open(1).await;
    let proxy = Proxy::start(broker.address(), 7).await.unwrap();
    let client = options(proxy.address(), "dead", Version::V5).connect().await.unwrap();
    let mut events = client.events();
    proxy.set(Faults::silence());
    let from = std::time::Instant::now();
    let lost =
        async { while !matches!(events.next().await.expect("the client lives"), ConnectionEvent::Lost { .. }) {} };
    timeout(PATIENCE, lost).await.unwrap();
    // The keep-alive is two seconds.
    assert!(from.elapsed() < Duration::from_millis(3800), "{:?}", from.elapsed());
    proxy.cut(Cut::Reset);
    proxy.calm();
    timeout(PATIENCE, client.publish("a", "").qos(QoS::AtLeastOnce).into_future()).await.unwrap().unwrap();
}
