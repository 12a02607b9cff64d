//! The bridges of `[[bridge]]`.

use std::sync::Arc;

use gridmq_bridge::{Bridge, Flow, Handle, discard_others};
use gridmq_broker::{Broker, Builder};
use gridmq_http::admin::{BridgeNumbers, Bridges};

use crate::config::Settings;
use crate::connection::remote;
use crate::error::Failure;

/// What `[[bridge]]` says, with every file read that it names.
pub(super) fn bridges(settings: &Settings) -> Result<Vec<Bridge>, Failure> {
    let one = |said: &crate::config::Bridge| {
        let read = || -> Result<Bridge, Failure> {
            let mut bridge = Bridge::new(said.name.as_str(), remote::options(said)?)
                .version(said.version.0)
                .longest_wait(said.longest_wait.0)
                .queue(said.queue_messages, said.queue_bytes.0, said.on_full.into());
            if let Some(client_id) = &said.client_id {
                bridge = bridge.client_id(client_id.as_str());
            }
            if let Some(expiry) = said.session_expiry {
                bridge = bridge.session_expiry(expiry.0);
            }
            if let Some(topic) = said.status_topic().map_err(Failure::failed)? {
                bridge = bridge.status_topic(topic);
            }
            for topics in &said.out {
                bridge = bridge.out(topics.mapping().map_err(Failure::failed)?);
            }
            for topics in &said.r#in {
                bridge = bridge.inward(topics.mapping().map_err(Failure::failed)?);
            }
            bridge.check().map_err(Failure::failed)?;
            Ok(bridge)
        };
        read().map_err(|failure| failure.during(format!("the bridge {}", said.name)))
    };
    settings.bridge.iter().map(one).collect()
}

/// Keeps their sessions for them.
pub(super) fn keep(builder: Builder, bridges: &[Bridge]) -> Builder {
    bridges.iter().map(Bridge::session).fold(builder, |builder, (client_id, queue)| builder.insider(client_id, queue))
}

/// Bridges at work.
pub(super) struct Running(Vec<gridmq_bridge::Running>);

/// Starts them.
pub(super) async fn start(bridges: Vec<Bridge>, settings: &Settings, broker: &Broker) -> Result<Running, Failure> {
    let mut running = Vec::new();
    for bridge in bridges {
        running.push(bridge.start(broker.control()).await.map_err(Failure::failed)?);
    }
    let names: Vec<String> = settings.bridge.iter().map(|bridge| bridge.name.clone()).collect();
    let control = broker.control();
    // What waits for a bridge that was taken away would fill its queue and then hold up publishers.
    tokio::spawn(async move {
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        discard_others(&control, &names).await;
    });
    Ok(Running(running))
}

impl Running {
    /// What metrics tell of them.
    pub(super) fn numbers(&self) -> Bridges {
        let handles: Vec<Handle> = self.0.iter().map(gridmq_bridge::Running::handle).collect();
        Arc::new(move || handles.iter().map(numbers).collect())
    }

    pub(super) async fn stop(self) {
        let all: Vec<_> = self.0.into_iter().map(|bridge| tokio::spawn(bridge.stop())).collect();
        for one in all {
            let _ = one.await;
        }
    }
}

fn numbers(handle: &Handle) -> BridgeNumbers {
    let status = handle.status();
    let flow = |direction, flow: Flow| {
        [
            (direction, "forwarded", flow.forwarded),
            (direction, "too_large", flow.too_large),
            (direction, "refused", flow.refused),
            (direction, "expired", flow.expired),
            (direction, "offline", flow.offline),
            (direction, "unmapped", flow.unmapped),
            (direction, "retried", flow.retried),
        ]
    };
    let messages = flow("out", status.out).into_iter().chain(flow("in", status.inward)).collect();
    BridgeNumbers {
        name: handle.name().to_owned(),
        connected: status.connected,
        connects: status.connects,
        failures: status.failures,
        messages,
    }
}
