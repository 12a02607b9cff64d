//! Clients that note what they sent and what they were told, and what follows from that for a broker that starts again.
//!
//! A [`Stage`] is a running broker and its clients. Each step is done until it is acknowledged, or until the disk
//! [hangs](Plug): from then on nothing that must last may be acknowledged, and whatever is in spite of that stands in the
//! ledger. [`Stage::close`] gives it out when every connection was read to its end.

mod client;
mod plug;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use gridmq_proto::packet::{Publish, Will};
use gridmq_proto::{QoS, Version};

pub use client::{Client, Entry};
pub use plug::Plug;

use crate::wire::{self, Barrier};

/// A message, as its publisher knows it. Its payload names it.
#[derive(Debug, Clone)]
pub struct Published {
    /// Who published it.
    pub by: &'static str,
    /// Where.
    pub topic: String,
    /// At which QoS.
    pub qos: QoS,
    /// Who was subscribed by an acknowledged subscription when it was sent, and at which QoS they are to get it.
    pub due_to: Vec<(&'static str, QoS)>,
    /// PUBACK or PUBREC came and said yes.
    pub acknowledged: bool,
}

/// What was done to a topic's retained message: the payload, and whether that was acknowledged.
type Retained = Vec<(String, bool)>;

/// What all clients know.
#[derive(Debug, Clone, Default)]
pub struct Ledger {
    /// By name.
    pub clients: BTreeMap<&'static str, Client>,
    /// By payload.
    pub published: BTreeMap<String, Published>,
    retained: BTreeMap<String, Retained>,
    /// What the broker got wrong so far.
    pub broken: Vec<String>,
}

/// A broker and its clients.
#[derive(Debug)]
pub struct Stage {
    address: SocketAddr,
    plug: Plug,
    /// What is known.
    pub ledger: Ledger,
}

impl Stage {
    /// Nobody has connected.
    #[must_use]
    pub fn new(address: SocketAddr, plug: Plug) -> Self {
        Self { address, plug, ledger: Ledger::default() }
    }

    /// With what is known from before: nobody is connected.
    #[must_use]
    pub const fn again(address: SocketAddr, plug: Plug, ledger: Ledger) -> Self {
        Self { address, plug, ledger }
    }

    /// Connects a client, whose older connection is forgotten unless `closing`, and waits until it is in.
    pub async fn enter(&mut self, name: &'static str, entry: Entry, will: Option<Will>) {
        self.begin(name, entry, will).await;
        self.settle(name).await;
    }

    /// As [`enter`](Self::enter), without waiting.
    pub async fn begin(&mut self, name: &'static str, entry: Entry, will: Option<Will>) {
        if entry.clean_start {
            self.forgive(name);
        }
        let client = self.ledger.clients.entry(name).or_default();
        client.connect(self.address, name, entry, will).await;
    }

    /// What is owed to a client is owed no more: its session ends.
    fn forgive(&mut self, name: &'static str) {
        for published in self.ledger.published.values_mut() {
            published.due_to.retain(|(who, _)| *who != name);
        }
    }

    /// Subscribes, and waits.
    pub async fn subscribe(&mut self, name: &'static str, filter: &'static str, qos: QoS) {
        if let Some(client) = self.ledger.clients.get_mut(name) {
            client.subscribe(filter, qos).await;
        }
        self.settle(name).await;
    }

    /// Gives a subscription up, and waits.
    pub async fn unsubscribe(&mut self, name: &'static str, filter: &'static str) {
        if let Some(client) = self.ledger.clients.get_mut(name) {
            client.unsubscribe(filter).await;
        }
        self.settle(name).await;
    }

    /// Publishes, without waiting.
    pub async fn publish(&mut self, by: &'static str, topic: &str, payload: &str, qos: QoS) {
        self.send(by, wire::message(topic, payload, qos)).await;
    }

    /// Publishes a retained message, without waiting. An empty payload clears the topic.
    pub async fn retain(&mut self, by: &'static str, topic: &str, payload: &str) {
        let message = Publish { retain: true, ..wire::message(topic, payload, QoS::AtLeastOnce) };
        self.send(by, message).await;
    }

    async fn send(&mut self, by: &'static str, publish: Publish) {
        let Ledger { clients, published, retained, .. } = &mut self.ledger;
        let (topic, payload) = (wire::topic_of(&publish).to_owned(), wire::payload_of(&publish));
        let due = |(&name, client): (&&'static str, &Client)| Some((name, client.due(&topic)?.min(publish.qos)));
        let due_to = clients.iter().filter_map(due).filter(|(_, qos)| *qos != QoS::AtMostOnce).collect();
        let Some(client) = clients.get_mut(by).filter(|client| client.is_in()) else { return };
        if publish.retain {
            retained.entry(topic.clone()).or_default().push((payload.clone(), false));
        }
        let qos = publish.qos;
        published.insert(format!("{topic} {payload}"), Published { by, topic, qos, due_to, acknowledged: false });
        client.publish(publish).await;
    }

    /// Ends a connection without a word.
    pub fn drop(&mut self, name: &'static str) {
        if let Some(client) = self.ledger.clients.get_mut(name) {
            client.hang_up();
        }
    }

    /// Ends a session.
    pub async fn end(&mut self, name: &'static str) {
        self.forgive(name);
        if let Some(client) = self.ledger.clients.get_mut(name) {
            client.end().await;
        }
    }

    /// Reads until everything that a client awaits has come, or the disk hangs and the broker has seen all it sent.
    pub async fn settle(&mut self, name: &'static str) {
        let Some(client) = self.ledger.clients.get_mut(name) else { return };
        client.settle(&self.plug).await;
        self.note(name);
    }

    /// [`settle`](Self::settle) of all.
    pub async fn settle_all(&mut self) {
        for name in self.ledger.clients.keys().copied().collect::<Vec<_>>() {
            self.settle(name).await;
        }
    }

    /// Takes over what a client was told.
    fn note(&mut self, name: &'static str) {
        let Ledger { clients, published, retained, broken } = &mut self.ledger;
        let Some(client) = clients.get_mut(name) else { return };
        broken.extend(client.broken.drain(..).map(|what| format!("{name}: {what}")));
        for (publish, matched) in client.acknowledged.drain(..) {
            let (topic, payload) = (wire::topic_of(&publish), wire::payload_of(&publish));
            let Some(known) = published.get_mut(&format!("{topic} {payload}")) else { continue };
            known.acknowledged = true;
            if !matched && !known.due_to.is_empty() {
                broken.push(format!("'{payload}' matched nobody, and is due to {:?}", known.due_to));
            }
            let ops = retained.get_mut(topic).into_iter().flatten();
            ops.filter(|(what, _)| publish.retain && *what == payload)
                .for_each(|(_, acknowledged)| *acknowledged = true);
        }
    }

    /// Reads every connection to its end, which the broker makes.
    pub async fn close(mut self) -> Ledger {
        for name in self.ledger.clients.keys().copied().collect::<Vec<_>>() {
            if let Some(client) = self.ledger.clients.get_mut(name) {
                client.read_out().await;
            }
            self.note(name);
        }
        self.ledger
    }

    /// Sees whether a broker that started again has all that its clients were told, with `workers` workers; what is
    /// missing is in [`Ledger::broken`].
    pub async fn examine(&mut self, workers: usize) {
        self.examine_retained().await;
        let mut barrier = Barrier::new(self.address, workers).await;
        let names: Vec<_> = self.ledger.clients.keys().copied().collect();
        // First those who receive, so that nothing is due to nobody.
        for &name in &names {
            let Some(entry) = self.ledger.clients.get(name).and_then(Client::returning) else { continue };
            self.enter(name, entry, None).await;
        }
        let prober = names.iter().copied().find(|name| self.ledger.clients.get(name).is_some_and(Client::is_in));
        for topic in ["q1", "q2", "will"] {
            if let Some(name) = prober {
                self.publish(name, topic, &format!("probe {topic}"), QoS::AtLeastOnce).await;
            }
        }
        self.settle_all().await;
        for &name in &names {
            if let Some(client) = self.ledger.clients.get_mut(name).filter(|client| client.is_in()) {
                client.pass(&mut barrier).await;
            }
            self.note(name);
        }
        self.judge();
    }

    async fn examine_retained(&mut self) {
        let found = client::retained(self.address).await;
        for (topic, ops) in &self.ledger.retained {
            let last = ops.iter().rposition(|&(_, acknowledged)| acknowledged);
            let mut possible: Vec<_> =
                ops.iter().skip(last.unwrap_or(0)).map(|(payload, _)| payload.as_str()).collect();
            if last.is_none() {
                possible.push("");
            }
            let now = found.get(topic).map_or("", String::as_str);
            if !possible.contains(&now) {
                self.ledger.broken.push(format!("{topic} retains '{now}', not one of {possible:?}"));
            }
        }
    }

    fn judge(&mut self) {
        let Ledger { clients, published, broken, .. } = &mut self.ledger;
        for (what, known) in published.iter() {
            for &(who, qos) in &known.due_to {
                let Some(client) = clients.get(who) else { continue };
                let count = client.received.get(what).copied().unwrap_or(0);
                let wrong = match qos {
                    QoS::ExactlyOnce => count > 1 || known.acknowledged && count != 1,
                    _ => known.acknowledged && count == 0,
                };
                if wrong {
                    let acknowledged = known.acknowledged;
                    broken
                        .push(format!("'{what}' at {qos:?} came to {who} {count} times; acknowledged: {acknowledged}"));
                }
            }
        }
        for (name, client) in clients {
            for what in client.received.keys() {
                // A will may be published although its client was never told that it is in.
                if !published.contains_key(what) && !what.starts_with("will ") {
                    broken.push(format!("{name} got '{what}', which nobody published"));
                }
                if what.contains(" probe ") && client.gave_up(what.split(' ').next().unwrap_or_default()) {
                    broken.push(format!("{name} got '{what}' after it had unsubscribed"));
                }
            }
            for will in &client.wills_due {
                let count = client.received.get(will).copied().unwrap_or(0);
                if count == 0 || count > 1 && client.due("will") == Some(QoS::ExactlyOnce) {
                    broken.push(format!("{name} got '{will}', a will, {count} times"));
                }
            }
        }
    }
}

/// An entry for a session that lasts for an hour.
#[must_use]
pub const fn lasting(version: Version) -> Entry {
    Entry { version, clean_start: false, lasts: true }
}
