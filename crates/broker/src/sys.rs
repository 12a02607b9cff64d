//! Counters as messages: `$SYS/broker/…`.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{Message, QoS, TopicName};
use tokio::sync::oneshot;

use crate::hooks::Publication;
use crate::shared::Shared;
use crate::worker::Worker;

/// Topics that are the broker's own.
const PREFIX: &str = "$SYS/";

/// Whether only the broker publishes there, and nothing of it is stored: where it publishes at all.
pub(crate) fn is_own(shared: &Shared, topic: &str) -> bool {
    shared.system_topics.is_some() && topic.starts_with(PREFIX)
}

/// The topics, and what is said there.
fn values(shared: &Shared, up: Duration) -> Vec<(&'static str, String)> {
    let stats = shared.counters.read();
    let counts = [
        ("$SYS/broker/uptime", up.as_secs()),
        ("$SYS/broker/clients/connected", stats.clients_connected),
        ("$SYS/broker/clients/total", stats.sessions),
        ("$SYS/broker/connections/accepted", stats.connections_accepted),
        ("$SYS/broker/connections/refused", stats.connections_refused),
        ("$SYS/broker/messages/received", stats.messages_received),
        ("$SYS/broker/messages/sent", stats.messages_delivered),
        ("$SYS/broker/messages/dropped", stats.messages_dropped),
        ("$SYS/broker/messages/refused", stats.messages_refused),
        ("$SYS/broker/retained messages/count", shared.retained.len() as u64),
        ("$SYS/broker/subscriptions/count", shared.realm.index.load().filters.len() as u64),
    ];
    let mut values = vec![("$SYS/broker/version", format!("gridmq {}", env!("CARGO_PKG_VERSION")))];
    values.extend(counts.into_iter().map(|(topic, count)| (topic, count.to_string())));
    values
}

/// Publishes what has changed, every interval; runs on one worker.
pub(crate) async fn publish(worker: Rc<RefCell<Worker>>, shared: Arc<Shared>, interval: Duration) {
    let started = tokio::time::Instant::now();
    let mut said: Vec<(&'static str, String)> = Vec::new();
    let mut ticks = tokio::time::interval(interval.max(Duration::from_secs(1)));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let values = values(&shared, started.elapsed());
        let changed = values.iter().filter(|value| !said.contains(value));
        {
            let mut worker = worker.borrow_mut();
            for (topic, value) in changed {
                let Ok(topic) = TopicName::try_from(*topic) else { continue };
                let message = Message::new(topic, Bytes::from(value.clone()));
                // Nobody waits to hear of it.
                let (nobody, _) = oneshot::channel();
                worker.inject(Publication { message, qos: QoS::AtMostOnce, retain: true }, None, nobody);
            }
            worker.commit();
        }
        said = values;
    }
}
