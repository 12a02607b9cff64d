//! The client over WebSocket, secure WebSocket and a Unix socket, against Debian's mosquitto.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use gridmq_client::error::{ConnectErrorKind, Stage};
use gridmq_client::{Client, Options, QoS, Version};
use gridmq_testkit::peers::closed_port;
use gridmq_testkit::peers::programs::{Mosquitto, Program};
use gridmq_testkit::pki::Pki;
use gridmq_tls::{Identity, TlsVersion, Trust};

/// Adds a listener for WebSocket, and gives its port. mosquitto 2.0.11 starts with none but others beside it.
fn with_websocket(broker: Mosquitto) -> (Mosquitto, u16) {
    let port = closed_port().port();
    (broker.line(&format!("listener {port} 127.0.0.1")).line("protocol websockets"), port)
}

/// Starts it, and waits for its second listener too.
fn started(broker: &Mosquitto, port: u16) -> Program {
    let running = broker.start();
    for _ in 0..500 {
        if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return running;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    panic!("it does not listen: {}", running.log());
}

/// Sends itself messages of every quality of service, one of them large, and reads them back.
async fn round_trips(options: Options) {
    let client = options.client_id("interop").connect().await.unwrap();
    let mut messages = client.subscribe("a/#", QoS::ExactlyOnce).await.unwrap();
    for (qos, size) in [(QoS::AtMostOnce, 10), (QoS::AtLeastOnce, 80_000), (QoS::ExactlyOnce, 10_000)] {
        let payload: Vec<u8> = (0..size).map(|n| (n % 251) as u8).collect();
        client.publish("a/b", payload.clone()).qos(qos).await.unwrap();
        assert!(messages.next().await.unwrap().payload()[..] == payload);
    }
    client.disconnect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by cargo xtask test"]
async fn websocket_in_every_version() {
    let (broker, port) = with_websocket(Mosquitto::new());
    let _broker = started(&broker, port);
    let address = format!("ws://localhost:{port}/mqtt");
    for version in [Version::V5, Version::V3_1_1, Version::V3_1] {
        round_trips(Client::builder(&address).version(version)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by cargo xtask test"]
async fn secure_websocket_with_a_client_certificate() {
    let pki = Pki::default();
    let identity = Identity::from_pem(pki.client.chain_pem().as_bytes(), pki.client.key_pem().as_bytes()).unwrap();
    let trust = Trust::only_pem(pki.root.pem().as_bytes()).unwrap();
    let (broker, port) = with_websocket(Mosquitto::tls(&pki.server).requires(&pki.root.pem()));
    let broker = broker.line("certfile @server.pem").line("keyfile @server.key").line("cafile @clients.pem");
    let _broker = started(&broker.line("require_certificate true"), port);
    let address = format!("wss://localhost:{port}");
    for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
        let options = Client::builder(&address).trust(trust.clone()).tls_versions(version);
        round_trips(options.clone().identity(identity.clone())).await;
        // Its websockets may refuse late, and without an alert.
        let error = options.client_id("nobody").connect().await.unwrap_err();
        assert!(matches!(error.stage(), Stage::Tls | Stage::WebSocket), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs mosquitto; run by cargo xtask test"]
async fn websocket_and_plain_mqtt_are_told_apart() {
    let (broker, port) = with_websocket(Mosquitto::new());
    let plain = started(&broker, port);
    let error = Client::builder(&format!("ws://localhost:{}", plain.address.port())).connect().await.unwrap_err();
    assert_eq!(error.stage(), Stage::WebSocket);
    let address = format!("mqtt://localhost:{port}");
    let error = Client::builder(&address).client_id("plain").connect().await.unwrap_err();
    assert_eq!(error.stage(), Stage::Connect);
    assert!(!matches!(error.kind(), ConnectErrorKind::Timeout { .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg(unix)]
#[ignore = "needs mosquitto; run by cargo xtask test"]
async fn a_unix_socket() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("mosquitto.sock");
    let _broker = Mosquitto::new().line(&format!("listener 0 {}", path.display())).start();
    round_trips(Client::builder(&format!("unix://{}", path.display()))).await;
}
