//! Several servers: which is tried when, and as whom.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gridmq_client::error::{ConnectErrorKind, Stage};
use gridmq_client::{ConnectionEvent, Dialer, Dialing, Options, ServerOrder, Target, Version};
use gridmq_proto::packet::Connect;
use support::{Peer, bounded};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Servers in memory, by host; others refuse the connection.
#[derive(Debug, Default)]
struct Town {
    houses: Mutex<HashMap<String, mpsc::Sender<DuplexStream>>>,
    /// Hosts in the order in which they were tried.
    tried: Mutex<Vec<String>>,
}

impl Town {
    /// Opens a server.
    fn open(&self, host: &str) -> mpsc::Receiver<DuplexStream> {
        let (sender, comes) = mpsc::channel(16);
        self.houses.lock().unwrap().insert(host.to_owned(), sender);
        comes
    }

    fn close(&self, host: &str) {
        self.houses.lock().unwrap().remove(host);
    }

    fn tried(&self) -> Vec<String> {
        std::mem::take(&mut *self.tried.lock().unwrap())
    }
}

impl Dialer for Town {
    fn dial<'a>(&'a self, target: Target<'a>) -> Dialing<'a> {
        let host = target.host.to_owned();
        let (near, far) = tokio::io::duplex(64 * 1024);
        let taken = self.houses.lock().unwrap().get(&host).is_some_and(|house| house.try_send(far).is_ok());
        self.tried.lock().unwrap().push(host);
        Box::pin(
            async move { if taken { Ok(Box::new(near) as _) } else { Err(io::ErrorKind::ConnectionRefused.into()) } },
        )
    }
}

fn options(town: &Arc<Town>, first: &str) -> Options {
    Options::new(first).client_id("tester").dialer(Arc::clone(town) as _).connect_timeout(Duration::from_secs(10))
}

async fn peer(comes: &mut mpsc::Receiver<DuplexStream>) -> Peer<DuplexStream> {
    Peer::new(bounded("the client", comes.recv()).await.expect("the client comes"), Version::V5)
}

/// The next client is let in.
async fn accepted(comes: &mut mpsc::Receiver<DuplexStream>) -> (Peer<DuplexStream>, Connect) {
    let mut server = peer(comes).await;
    let connect = server.accept(false, <_>::default()).await;
    (server, connect)
}

#[tokio::test(start_paused = true)]
async fn the_second_takes_over_from_a_first_that_is_down_and_each_return_begins_with_the_first() {
    let town = Arc::new(Town::default());
    let mut b = town.open("b");
    let connecting = options(&town, "mqtt://a").server("mqtt://b").connect();
    let (client, (server, _)) = tokio::join!(connecting, accepted(&mut b));
    let client = client.unwrap();
    assert_eq!(town.tried(), ["a", "b"]);
    assert_eq!(client.info().unwrap().server, "b:1883");
    // The first is the one to be on.
    let mut a = town.open("a");
    drop(server);
    let _server = accepted(&mut a).await;
    bounded("the connection", client.connected()).await.unwrap();
    assert_eq!(town.tried(), ["a"]);
    assert_eq!(client.info().unwrap().server, "a:1883");
}

#[tokio::test(start_paused = true)]
async fn a_first_server_of_another_protocol_does_not_keep_the_client_from_the_second() {
    let town = Arc::new(Town::default());
    let (mut a, mut b) = (town.open("a"), town.open("b"));
    let client = options(&town, "mqtt://a").server("mqtt://b").start().unwrap();
    let mut events = client.events();
    let mut other = peer(&mut a).await;
    other.connect().await;
    other.raw(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
    other.hang_up().await;
    let failed = bounded("the failure", events.next()).await.unwrap();
    let ConnectionEvent::AttemptFailed { error, .. } = failed else { panic!("{failed:?}") };
    assert!(matches!(error.kind(), ConnectErrorKind::NotMqtt(_)), "{error}");
    // Of that server nothing else is to be expected; the other speaks for itself.
    assert!(error.stage() == Stage::Connect && error.is_permanent(), "{error}");
    let _server = accepted(&mut b).await;
    bounded("the connection", client.connected()).await.unwrap();
    assert_eq!(town.tried(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_down_the_error_is_of_the_last_and_all_were_tried_once() {
    let town = Arc::new(Town::default());
    let down = options(&town, "mqtt://a").servers(["mqtt://b", "mqtt://c:2000"]);
    let error = bounded("the outcome", down.connect()).await.unwrap_err();
    assert!(error.to_string().contains("c:2000") && !error.is_permanent(), "{error}");
    assert_eq!(town.tried(), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn an_order_of_chance_begins_anywhere_and_tries_each_once_a_round() {
    let mut firsts = HashSet::new();
    // Missed by a fair chance once in 10^11 runs.
    for _ in 0..64 {
        let town = Arc::new(Town::default());
        let down = options(&town, "mqtt://a").servers(["mqtt://b", "mqtt://c"]).server_order(ServerOrder::Random);
        bounded("the outcome", down.connect()).await.unwrap_err();
        let tried = town.tried();
        assert_eq!(tried.iter().collect::<HashSet<_>>().len(), 3, "{tried:?}");
        assert_eq!(tried.len(), 3);
        firsts.extend(tried.into_iter().next());
    }
    assert_eq!(firsts.len(), 3, "{firsts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_away_goes_round_until_one_is_back() {
    let town = Arc::new(Town::default());
    let mut a = town.open("a");
    let connecting = options(&town, "mqtt://a").server("mqtt://b").connect();
    let (client, (server, _)) = tokio::join!(connecting, accepted(&mut a));
    let client = client.unwrap();
    town.tried();
    town.close("a");
    drop(a);
    drop(server);
    let mut state = client.state();
    let waits = |tried: &[String]| tried.len() >= 6;
    bounded("six attempts", state.wait_for(|_| waits(&town.tried.lock().unwrap()))).await.unwrap();
    let tried = town.tried();
    assert_eq!(tried[..4], ["a", "b", "a", "b"]);
    let mut b = town.open("b");
    let _server = accepted(&mut b).await;
    let info = bounded("the connection", client.connected()).await.unwrap();
    assert_eq!(info.server, "b:1883");
}

#[tokio::test(start_paused = true)]
async fn each_address_has_its_own_user() {
    let town = Arc::new(Town::default());
    let mut b = town.open("b");
    let connecting = options(&town, "mqtt://one:first@a").server("mqtt://two:second@b").connect();
    let (client, (_server, connect)) = tokio::join!(connecting, accepted(&mut b));
    let client = client.unwrap();
    assert_eq!(connect.username.as_deref(), Some("two"));
    assert_eq!(connect.password.as_deref(), Some(&b"second"[..]));
    drop(client);

    // The user of the options is the same everywhere.
    let connecting = options(&town, "mqtt://one:first@a").server("mqtt://two:second@b").username("all").connect();
    let (client, (_server, connect)) = tokio::join!(connecting, accepted(&mut b));
    client.unwrap();
    assert_eq!(connect.username.as_deref(), Some("all"));
    // One server's password is no other's.
    assert_eq!(connect.password.as_deref(), Some(&b"second"[..]));
    let connecting = options(&town, "mqtt://one:first@a").server("mqtt://b").username("all").connect();
    let (client, (_server, connect)) = tokio::join!(connecting, accepted(&mut b));
    client.unwrap();
    assert_eq!((connect.username.as_deref(), connect.password), (Some("all"), None));

    // Nor is its user name.
    let connecting = options(&town, "mqtt://one:first@a").server("mqtt://two@b").password("all").connect();
    let (client, (_server, connect)) = tokio::join!(connecting, accepted(&mut b));
    client.unwrap();
    assert_eq!((connect.username.as_deref(), connect.password.as_deref()), (Some("two"), Some(&b"all"[..])));
    let nameless = options(&town, "mqtt://one@a").server("mqtt://b").password("all").version(Version::V3_1_1);
    let error = nameless.check().unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Option { option: "password", .. }), "{error}");
}

#[test]
fn an_address_among_several_that_cannot_be_used_is_named() {
    let error = Options::new("mqtt://a").servers(["mqtt://b", "ftp://c"]).check().unwrap_err();
    assert!(matches!(error.kind(), ConnectErrorKind::Address(_)), "{error}");
    assert!(error.to_string().contains("ftp"), "{error}");
}
