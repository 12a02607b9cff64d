//! The client on a path that goes dead without a word, in network namespaces of its own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod netns;

use std::io::ErrorKind;
use std::time::Duration;

use gridmq_broker::{Broker, Listener};
use gridmq_client::error::DisconnectKind;
use gridmq_client::{Client, ConnectionEvent, QoS};
use netns::{Cable, READY, SERVER, block_on, ip, role, run_client, start_server};

const PORT: u16 = 1883;
/// Far longer than the test: what notices the dead link is not MQTT.
const KEEP_ALIVE: Duration = Duration::from_secs(600);
/// How long the system may wait for an acknowledgement of TCP.
const USER_TIMEOUT: Duration = Duration::from_secs(2);
const PATIENCE: Duration = Duration::from_secs(60);

fn serve() {
    block_on(async {
        let address: std::net::SocketAddr = format!("{SERVER}:{PORT}").parse().unwrap();
        let _broker = Broker::builder().listener(Listener::plain(address)).start().await.unwrap();
        println!("{READY}");
        std::future::pending::<()>().await;
    });
}

async fn lose_the_path() {
    let client = Client::builder(&format!("mqtt://{SERVER}:{PORT}"))
        .keep_alive(KEEP_ALIVE)
        .tcp_user_timeout(Some(USER_TIMEOUT))
        .connect()
        .await
        .unwrap();
    let mut events = client.events();
    client.publish("a", "arrives").qos(QoS::AtLeastOnce).await.unwrap();
    // From now on nobody has the server's hardware address: what is sent vanishes.
    ip(&format!("neigh replace {SERVER} lladdr 02:00:00:00:00:99 dev v0 nud permanent"));
    let lost = client.publish("a", "waits").qos(QoS::AtLeastOnce).enqueue().await.unwrap();
    let cause = async {
        loop {
            if let ConnectionEvent::Lost { cause, .. } = events.next().await.expect("the client goes on") {
                return cause;
            }
        }
    };
    let cause = tokio::time::timeout(PATIENCE, cause).await.expect("the dead link is noticed");
    let DisconnectKind::Network(error) = cause.kind() else { panic!("{cause:?}") };
    assert_eq!(error.kind(), ErrorKind::TimedOut, "{cause:?}");
    // The path is there again, and what waited goes over it.
    ip(&format!("neigh del {SERVER} dev v0"));
    tokio::time::timeout(PATIENCE, lost).await.expect("the client is back").unwrap();
}

#[test]
#[ignore = "needs root and iproute2; run by cargo xtask test"]
fn netns_a_dead_link_is_noticed_by_the_tcp_user_timeout() {
    let test = "netns_a_dead_link_is_noticed_by_the_tcp_user_timeout";
    match role().as_deref() {
        Some("server") => serve(),
        Some(_) => block_on(lose_the_path()),
        None => {
            let cable = Cable::new();
            let _server = start_server(&cable.far, test);
            run_client(&cable.near, test);
        }
    }
}
