//! What a program can see of its client: metrics, packets, logs.

mod meter;

use std::sync::Arc;

use gridmq_proto::QoS;
use gridmq_proto::session::Admitted;
use gridmq_proto::session::client::Session;
use tracing::Span;

pub(crate) use self::meter::Meter;

use crate::connect::Plan;
use crate::error::PublishError;
use crate::events::ConnectionEvent;
use crate::inspect::Inspector;
use crate::metrics::{Cause, Condition, Load, MessageFate, Metrics};
use crate::secure::Tls;
use crate::state::{ConnectionInfo, ConnectionState};

/// Where the life of connections is logged.
const CONNECTION: &str = "gridmq_client::connection";

/// Who watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct WatchOptions {
    /// Absent: the client makes its own.
    pub(crate) metrics: Option<Arc<Metrics>>,
    pub(crate) inspector: Option<Arc<dyn Inspector>>,
    /// What logs call the client; absent: its identifier.
    pub(crate) log_name: Option<String>,
}

/// What one client tells those who watch it.
#[derive(Debug, Clone)]
pub(crate) struct Watch {
    metrics: Arc<Metrics>,
    inspector: Option<Arc<dyn Inspector>>,
    span: Span,
    /// The application has chosen the name.
    named: bool,
}

impl Watch {
    /// For the client that this plan makes.
    pub(crate) fn new(plan: &Plan) -> Self {
        let WatchOptions { metrics, inspector, log_name } = &plan.watch;
        let name = log_name.as_deref().unwrap_or(&plan.connect.client_id);
        let metrics = metrics.clone().unwrap_or_default();
        // A certificate that does not change; one that does is told of when it is used.
        if let Some(not_after) = plan.tls.as_ref().and_then(Tls::fixed_not_after) {
            metrics.certificate(not_after);
        }
        Self {
            metrics,
            inspector: inspector.clone(),
            span: tracing::info_span!(target: CONNECTION, "client", name),
            named: log_name.is_some(),
        }
    }

    pub(crate) const fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    /// The span that the client works in.
    pub(crate) fn span(&self) -> Span {
        self.span.clone()
    }

    /// For the packets of one connection.
    pub(crate) fn meter(&self) -> Meter {
        Meter::new(Arc::clone(&self.metrics), self.inspector.clone())
    }

    /// An attempt begins, after so many that failed; the span to make it in.
    pub(crate) fn attempt(&self, server: &str, failed: u32) -> Span {
        self.metrics.attempt();
        let span = tracing::info_span!(target: CONNECTION, parent: &self.span, "connect", server, failed);
        tracing::debug!(target: CONNECTION, parent: &span, "connecting");
        span
    }

    /// What the client is doing now.
    pub(crate) fn state(&self, state: &ConnectionState) {
        self.metrics.condition(match state {
            ConnectionState::Connecting { .. } => Condition::Connecting,
            ConnectionState::Rotating { .. } => Condition::Rotating,
            ConnectionState::Connected(info) => {
                self.connected(info);
                Condition::Connected
            }
            ConnectionState::Waiting { .. } => Condition::Waiting,
            ConnectionState::Disconnected(_) => Condition::Disconnected,
        });
    }

    fn connected(&self, info: &ConnectionInfo) {
        self.metrics.connected();
        let ConnectionInfo { server, session_present, .. } = info;
        if self.named {
            tracing::info!(target: CONNECTION, parent: &self.span, server, session_present, "connected");
        } else {
            let client_id = &*info.client_id;
            tracing::info!(target: CONNECTION, parent: &self.span, server, client_id, session_present, "connected");
        }
    }

    /// A message of that QoS was given to the session.
    pub(crate) fn admitted<E>(&self, outcome: &Result<Admitted, E>, qos: QoS) {
        self.metrics.message(
            match outcome {
                Ok(Admitted::Sent(_) | Admitted::Queued(_)) => MessageFate::Published,
                Ok(Admitted::Dropped | Admitted::Full) | Err(_) => MessageFate::Dropped,
            },
            qos,
        );
    }

    /// So many messages found a stream full.
    pub(crate) fn overflowed(&self, count: u64) {
        if count != 0 {
            self.metrics.overflowed(count);
        }
    }

    /// What waits in the session, and how many subscriptions there are.
    pub(crate) fn load(&self, session: Option<&Session>, subscriptions: usize) {
        let (messages, bytes) = session.map(Session::load).unwrap_or_default();
        let in_flight = session.map(Session::in_flight).unwrap_or_default();
        let [messages, bytes, in_flight, subscriptions] =
            [messages, bytes, in_flight, subscriptions].map(|number| number as u64);
        self.metrics.load(Load { messages, bytes, in_flight, subscriptions });
    }

    /// So many messages were not delivered, for the same kind of reason, and nobody awaits their outcomes.
    pub(crate) fn undelivered(&self, first: &PublishError, count: u64) {
        tracing::warn!(target: CONNECTION, parent: &self.span, count, %first, "messages were not delivered");
    }

    /// Something happened to the connection.
    pub(crate) fn event(&self, event: &ConnectionEvent) {
        let parent = &self.span;
        match event {
            ConnectionEvent::AttemptFailed { error, attempts, retry_in }
            | ConnectionEvent::RotationFailed { error, attempts, retry_in, .. } => {
                self.metrics.failed();
                tracing::warn!(target: CONNECTION, parent: parent, %error, attempts, ?retry_in, "no connection");
            }
            ConnectionEvent::Lost { cause, retry_in } => {
                self.metrics.reconnect(Cause::from(cause));
                tracing::warn!(target: CONNECTION, parent: parent, %cause, ?retry_in, "the connection was lost");
            }
            ConnectionEvent::Rotating { from, to } => {
                self.metrics.reconnect(Cause::Rotation);
                tracing::info!(target: CONNECTION, parent: parent, from, to, "moving to another certificate");
            }
            ConnectionEvent::ReauthenticationFailed { error, retry_in } => {
                tracing::warn!(target: CONNECTION, parent: parent, %error, ?retry_in, "no new proof of who we are");
            }
            ConnectionEvent::Reauthenticated => {
                tracing::debug!(target: CONNECTION, parent: parent, "authenticated anew");
            }
            ConnectionEvent::SessionLost => {
                tracing::warn!(target: CONNECTION, parent: parent, "the server has lost the session");
            }
            ConnectionEvent::Disconnected(cause) if cause.is_requested() => {
                tracing::info!(target: CONNECTION, parent: parent, "disconnected");
            }
            ConnectionEvent::Disconnected(cause) => {
                tracing::error!(target: CONNECTION, parent: parent, %cause, "disconnected for good");
            }
            _ => {}
        }
    }
}
