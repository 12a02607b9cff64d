//! A bridge at work.

use std::sync::Arc;
use std::time::Duration;

use gridmq_broker::Control;
use gridmq_client::{Client, ConnectionEvent, QoS};
use gridmq_proto::{TopicName, Version};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::bridge::{Bridge, StartError, WINDOW};
use crate::carry::{Carrier, Direction};
use crate::local;
use crate::status::{Counters, Handle, Status};

/// How long the broker in this process may take to let the bridge in.
const ADMISSION: Duration = Duration::from_secs(30);
/// How long each of its clients may take to leave.
const LEAVING: Duration = Duration::from_secs(2);

/// So many connections that were lost without anything acknowledged are hardly the network's doing.
const SUSPICIOUS: u32 = 4;

/// A bridge at work. Dropped, it stops as with [`stop`](Self::stop), in the background.
#[derive(Debug)]
#[must_use = "dropped, the bridge stops"]
pub struct Running {
    handle: Handle,
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Running {
    /// How it stands.
    #[must_use]
    pub fn status(&self) -> Status {
        self.handle.status()
    }

    /// Tells how it stands to whoever wants to know.
    #[must_use]
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// Takes no more messages, gives those on their way two seconds, and leaves both brokers, whose sessions stay. To be
    /// called before the local broker is shut down.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }
}

pub(crate) async fn start(bridge: Bridge, control: Control) -> Result<Running, StartError> {
    let (client_id, _) = bridge.session();
    let name: Arc<str> = bridge.name.as_str().into();
    let counters = Arc::new(Counters::default());
    let (stop, stopped) = watch::channel(false);
    // Its clients log what happens to them, and whose they are.
    let span = tracing::info_span!("bridge", name = &*name);
    let local = span.in_scope(|| local::start(control.clone(), &client_id, WINDOW))?;
    // Before there is a connection, so that none of a resumed session is missed.
    let local_rest = local.messages().manual_ack();
    match timeout(ADMISSION, local.connected()).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) | Err(_) => return Err(StartError::NotAdmitted(ADMISSION)),
    }
    let wanted: Vec<_> = bridge.out.iter().map(crate::Mapping::local_filter).collect();
    local::forget_other_filters(&control, &client_id, &wanted).await;
    let mut subscription = None;
    if !wanted.is_empty() {
        // Before the bridge counts as started: what is published after that is carried.
        let request = local.subscribe_all(bridge.local_filters()).manual_ack().or_fewer().timeout(ADMISSION);
        subscription = Some(request.await?);
    }
    let remote = span.in_scope(|| bridge.options().start())?;
    let remote_rest = remote.messages().manual_ack();
    let carrier = |direction, from: &Client, to: &Client| {
        let (filters, mappings, other_way, version) = match direction {
            Direction::Out => (bridge.local_filters(), &bridge.out, &bridge.inward, bridge.version),
            Direction::Inward => (bridge.remote_filters(), &bridge.inward, &bridge.out, Version::V5),
        };
        Carrier {
            name: Arc::clone(&name),
            direction,
            from: from.clone(),
            to: to.clone(),
            filters,
            mappings: mappings.clone(),
            other_way: other_way.clone(),
            properties: version.is_v5(),
            counters: Arc::clone(&counters),
            stop: stopped.clone(),
        }
    };
    let out = tokio::spawn(carrier(Direction::Out, &local, &remote).run(subscription, local_rest));
    let inward = tokio::spawn(carrier(Direction::Inward, &remote, &local).run(None, remote_rest));
    let watcher = Watcher {
        name: Arc::clone(&name),
        counters: Arc::clone(&counters),
        local: local.clone(),
        status_topic: bridge.status_topic.clone(),
    };
    let watching = tokio::spawn(watcher.run(remote.clone()));
    let task = tokio::spawn(async move {
        // They end when they are told to, or when whoever could tell them has gone. What they answer keeps their
        // subscriptions until the clients have left.
        let _subscriptions = (out.await, inward.await);
        let _ = remote.disconnect().timeout(LEAVING).await;
        let _ = watching.await;
        let _ = local.shutdown(LEAVING).await;
    });
    tracing::info!(bridge = &*name, "bridge started");
    Ok(Running { handle: Handle { name, counters }, stop, task })
}

/// Tells how the connection to the remote broker is.
struct Watcher {
    name: Arc<str>,
    counters: Arc<Counters>,
    local: Client,
    status_topic: Option<TopicName>,
}

impl Watcher {
    async fn run(self, remote: Client) {
        let bridge = &*self.name;
        let mut events = remote.events();
        self.tell(false).await;
        // Connections that were lost since the other broker acknowledged something.
        let (mut losses, mut acknowledged) = (0_u32, 0);
        while let Some(event) = events.next().await {
            match event {
                ConnectionEvent::Connected { session_present } => {
                    self.counters.add(&self.counters.connects);
                    let server = remote.info().map(|info| info.server.clone()).unwrap_or_default();
                    tracing::info!(bridge, server, session_present, "bridge connected");
                    self.tell(true).await;
                }
                ConnectionEvent::Rotated { .. } => self.tell(true).await,
                ConnectionEvent::AttemptFailed { .. } => {
                    self.counters.add(&self.counters.failures);
                }
                ConnectionEvent::RotationFailed { .. } => {
                    self.counters.add(&self.counters.failures);
                }
                ConnectionEvent::Lost { cause, .. } => {
                    self.counters.add(&self.counters.failures);
                    let forwarded = self.counters.read().out.forwarded;
                    losses = if forwarded == acknowledged { losses.saturating_add(1) } else { 1 };
                    acknowledged = forwarded;
                    if losses >= SUSPICIOUS && losses.is_power_of_two() && remote.queue().in_flight > 0 {
                        tracing::error!(
                            bridge, losses, %cause,
                            "the remote broker ends each connection and acknowledges nothing: it may not want a message \
                             that waits; look at its log, and at topic, QoS and size of what is carried"
                        );
                    }
                    self.tell(false).await;
                }
                ConnectionEvent::SessionLost => {
                    tracing::warn!(
                        bridge,
                        "the remote broker has no session of this bridge any more: what it kept is lost"
                    );
                }
                ConnectionEvent::SubscriptionLost { filter } => {
                    tracing::warn!(bridge, %filter, "the remote broker no longer allows a subscription");
                }
                ConnectionEvent::Disconnected(cause) => {
                    if !cause.is_requested() {
                        tracing::error!(bridge, %cause, "bridge ended: it comes back with the next start");
                    }
                    break;
                }
                _ => {}
            }
        }
        self.tell(false).await;
    }

    async fn tell(&self, connected: bool) {
        self.counters.set_connected(connected);
        if let Some(topic) = &self.status_topic {
            let payload = if connected { "1" } else { "0" };
            let told = self.local.publish(topic.clone(), payload).qos(QoS::AtLeastOnce).retain(true).enqueue().await;
            if let Err(error) = told {
                tracing::debug!(bridge = &*self.name, %error, "the status topic was not changed");
            }
        }
    }
}
