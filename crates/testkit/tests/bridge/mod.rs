//! A site: a broker with a bridge to another one, and how to wait for it.
#![allow(dead_code, reason = "not every suite uses everything")]

use std::net::SocketAddr;
use std::time::Duration;

use gridmq_bridge::{Bridge, Mapping, Running};
use gridmq_broker::{Broker, Builder, Control, Listener};
use gridmq_client::Options;
use gridmq_proto::{QoS, Version};
use gridmq_testkit::OpenBroker;
use gridmq_testkit::wire::{Wire, lasting};

pub(crate) const NAME: &str = "site";
/// What its session is called here and there.
pub(crate) const HERE: &str = "$bridge/site";
pub(crate) const THERE: &str = "gridmq-site";

const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) fn mapping(filter: &str, local_prefix: &str, remote_prefix: &str) -> Mapping {
    Mapping::new(filter, QoS::AtLeastOnce, local_prefix, remote_prefix).unwrap()
}

pub(crate) fn bridge_to(remote: SocketAddr) -> Bridge {
    bridge_with(Options::new(&format!("mqtt://{remote}")))
}

pub(crate) fn bridge_with(remote: Options) -> Bridge {
    Bridge::new(NAME, remote).longest_wait(Duration::from_millis(20))
}

/// A broker and its bridge.
pub(crate) struct Site {
    pub(crate) broker: OpenBroker,
    pub(crate) bridge: Running,
}

impl Site {
    /// Starts both, and waits until everything is subscribed to here.
    pub(crate) async fn start(bridge: Bridge) -> Self {
        Self::with(Broker::builder().workers(2), bridge).await
    }

    pub(crate) async fn with(builder: Builder, bridge: Bridge) -> Self {
        let (client_id, queue) = bridge.session();
        let broker = OpenBroker::start(builder.insider(client_id, queue)).await;
        let bridge = bridge.start(broker.broker.control()).await.unwrap();
        Self { broker, bridge }
    }

    pub(crate) fn control(&self) -> Control {
        self.broker.broker.control()
    }

    pub(crate) async fn client(&self, name: &str) -> Wire {
        Wire::join(self.broker.address(), name, Version::V5).await
    }

    /// Waits until the remote broker is connected.
    pub(crate) async fn connected(&self) {
        self.until("it is connected", |status| status.connected).await;
    }

    pub(crate) async fn until(
        &self,
        what: &str,
        wanted: impl Fn(&gridmq_bridge::Status) -> bool,
    ) -> gridmq_bridge::Status {
        let handle = self.bridge.handle();
        match tokio::time::timeout(PATIENCE, handle.until(wanted)).await {
            Ok(status) => status,
            Err(_) => panic!("it did not happen that {what}: {:?}", handle.status()),
        }
    }

    pub(crate) async fn stop(self) {
        self.bridge.stop().await;
        self.broker.broker.shutdown().await;
    }
}

/// Waits until a session has so many subscriptions.
pub(crate) async fn subscribed(control: &Control, client_id: &str, count: usize) {
    let ask = async {
        while control.session(client_id).await.is_none_or(|session| session.subscriptions.len() != count) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ask).await.is_ok(), "{client_id} has not {count} subscriptions");
}

/// Waits until nothing waits for a session any more.
pub(crate) async fn emptied(control: &Control, client_id: &str) {
    let ask = async {
        while control.session(client_id).await.is_none_or(|session| session.info.queued_messages != 0) {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    assert!(tokio::time::timeout(PATIENCE, ask).await.is_ok(), "something waits for {client_id}");
}

/// A client whose session lasts.
pub(crate) async fn lasting_client(address: SocketAddr, name: &str) -> Wire {
    Wire::open(address, name, Version::V5, lasting).await.0
}

/// A broker on that port, where another one was.
pub(crate) async fn again(builder: Builder, address: SocketAddr) -> OpenBroker {
    OpenBroker { broker: builder.listener(Listener::plain(address)).start().await.expect("a broker") }
}
