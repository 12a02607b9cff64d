//! A site of Event Grid: mutual TLS, and the authentication name as user name.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod bridge;

use bridge::{HERE, Site, THERE, bridge_with, emptied, mapping, subscribed};
use gridmq_client::Options;
use gridmq_proto::{QoS, Version};
use gridmq_testkit::Namespace;
use gridmq_testkit::wire::{Wire, payload_of};
use gridmq_tls::{Identity, Trust};

fn as_client(namespace: &Namespace, options: Options, name: &str) -> Options {
    let files = namespace.client(name);
    let trust = Trust::only_pem_file(&namespace.ca_file()).unwrap();
    let identity = Identity::from_pem_files(&files.cert, &files.key).unwrap();
    options.trust(trust).identity(identity).username(files.username)
}

async fn cloud_client(namespace: &Namespace, name: &str) -> gridmq_client::Client {
    let options = Options::new(&format!("mqtts://localhost:{}", namespace.port())).client_id(name);
    as_client(namespace, options, name).connect().await.unwrap()
}

#[tokio::test]
async fn a_site_is_carried_to_a_namespace_and_back() {
    for version in [Version::V5, Version::V3_1_1] {
        let cloud = gridmq_testkit::namespace(2).await;
        let options = as_client(&cloud, Options::new(&format!("mqtts://localhost:{}", cloud.port())), "client1");
        let bridge = bridge_with(options).version(version).out(mapping("#", "plant/", "interop/up/")).inward(mapping(
            "#",
            "commands/",
            "interop/down/",
        ));
        let site = Site::start(bridge).await;
        subscribed(&site.control(), HERE, 1).await;
        subscribed(&cloud.broker.control(), THERE, 1).await;
        let there = cloud_client(&cloud, "client2").await;
        let mut messages = there.subscribe("interop/up/#", QoS::AtLeastOnce).await.unwrap();
        let mut here: Wire = site.client("here").await;
        here.subscribe("commands/#", QoS::AtLeastOnce).await;
        here.publish("plant/7/temperature", "21.5", QoS::ExactlyOnce).await;
        let arrived = messages.next().await.unwrap();
        assert_eq!((arrived.topic().as_str(), arrived.text()), ("interop/up/7/temperature", Some("21.5")));
        there.publish("interop/down/7/stop", "now").qos(QoS::AtLeastOnce).await.unwrap();
        let command = here.take().await;
        assert_eq!(payload_of(&command), "now");
        assert_eq!(command.topic.unwrap().as_str(), "commands/7/stop");
        emptied(&site.control(), HERE).await;
        site.stop().await;
    }
}

#[tokio::test]
async fn without_its_certificate_it_is_not_let_in() {
    let cloud = gridmq_testkit::namespace(1).await;
    let trust = Trust::only_pem_file(&cloud.ca_file()).unwrap();
    let options = Options::new(&format!("mqtts://localhost:{}", cloud.port()));
    let options = options.trust(trust).username(cloud.client("client1").username);
    let site = Site::start(bridge_with(options).out(mapping("#", "", "interop/"))).await;
    let status = site.until("it has tried twice", |status| status.failures >= 2).await;
    assert_eq!(status.connects, 0);
}
