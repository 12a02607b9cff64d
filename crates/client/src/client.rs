//! The handle.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{QoS, SubscriptionFilter, TopicName, Version};
#[cfg(feature = "tls")]
use gridmq_tls::CredentialStatus;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::time::timeout;

use crate::disconnect::DisconnectRequest;
use crate::driver::{PublishCommand, Request};
use crate::error::{DisconnectCause, PingError, PublishError, SubscribeError};
use crate::events::{ConnectionEvent, Events};
use crate::inbox::{Inbox, SubscriptionKey};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::outbox::{Gauge, QueueStatus};
use crate::profile::Profile;
use crate::publish::PublishRequest;
use crate::secure::CredentialProvider;
use crate::state::{ConnectionInfo, ConnectionState};
use crate::subscribe::SubscribeRequest;
use crate::subscription::Messages;
use crate::unsubscribe::UnsubscribeRequest;

/// A connected client: a handle, cheap to clone, on a task that does the work.
///
/// When the last handle and the last stream of messages are dropped, the client disconnects in order.
#[derive(Debug, Clone)]
pub struct Client(Arc<Inner>);

/// The handle's end of the channels to the driver.
#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) publishes: mpsc::Sender<PublishCommand>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) state: watch::Receiver<ConnectionState>,
    pub(crate) info: watch::Receiver<Option<Arc<ConnectionInfo>>>,
    /// Never read; what it is made anew from.
    pub(crate) events: broadcast::Receiver<ConnectionEvent>,
    #[cfg_attr(not(feature = "tls"), allow(dead_code, reason = "there are none"))]
    pub(crate) credentials: Option<Arc<dyn CredentialProvider>>,
    pub(crate) version: Version,
    /// What the service refuses.
    pub(crate) profile: Profile,
    pub(crate) request_timeout: Duration,
    pub(crate) keys: AtomicU64,
    pub(crate) metrics: Arc<Metrics>,
}

impl Client {
    /// Starts with an address: `mqtts://host`, `mqtts://user:password@host:port` (percent-encoded), `mqtt://host` for
    /// a plain connection, or a host with or without a port, which means TLS. The port is 8883 with TLS and 1883
    /// without, unless given.
    pub fn builder(address: &str) -> Options {
        Options::new(address)
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self(Arc::new(inner))
    }

    /// A message to publish: set what it needs, then await it.
    pub fn publish<T>(&self, topic: T, payload: impl Into<Bytes>) -> PublishRequest
    where
        T: TryInto<TopicName>,
        T::Error: Into<PublishError>,
    {
        PublishRequest::new(self.clone(), topic.try_into().map_err(Into::into), payload.into())
    }

    /// A subscription to make, `qos` at most: set what it needs, then await it. `$share/group/filter` makes it a
    /// shared one.
    ///
    /// Each message goes to every live subscription that matches its topic, or that it names by identifier. Where two
    /// of one client overlap, a server may send a message once for each.
    pub fn subscribe<F>(&self, filter: F, qos: QoS) -> SubscribeRequest
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        SubscribeRequest::new(self.clone(), filter.try_into().map(|filter| vec![(filter, qos)]).map_err(Into::into))
    }

    /// A subscription to give up by its filter, such as one that a resumed session has.
    pub fn unsubscribe<F>(&self, filter: F) -> UnsubscribeRequest
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        UnsubscribeRequest::new(self.clone(), filter.try_into().map(|filter| vec![filter]).map_err(Into::into))
    }

    /// Messages that match no live subscription: those of a resumed session that nobody has subscribed to yet, and
    /// late ones. A later call takes over from an earlier one, whose stream ends.
    ///
    /// Without such a stream, messages that match nothing are acknowledged and dropped. After a session was resumed
    /// they wait first, for the request timeout: a subscription made in that time gets those that match it.
    pub fn messages(&self) -> Messages {
        Messages::new(self.clone())
    }

    /// Leaves in order; the server does not publish the will.
    pub fn disconnect(&self) -> DisconnectRequest {
        DisconnectRequest::new(self.clone())
    }

    /// Asks the server for a sign of life. An answer says that it has read what was sent before, messages of QoS 0
    /// among it: one that it ends the connection for is then known to have been refused.
    ///
    /// # Errors
    /// No answer within the request timeout, or the end of the connection.
    pub async fn ping(&self) -> Result<(), PingError> {
        let after = self.request_timeout();
        let (reply, answer) = oneshot::channel();
        let exchange = async {
            self.requests().send(Request::Ping(reply)).await.ok()?;
            answer.await.ok()
        };
        match timeout(after, exchange).await {
            Ok(Some(())) => Ok(()),
            Ok(None) => Err(PingError::Disconnected(self.cause())),
            Err(_) => Err(PingError::Timeout { after }),
        }
    }

    /// The connection's state, to look at and to watch.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<ConnectionState> {
        self.0.state.clone()
    }

    /// What happens from now on, one thing after the other.
    #[must_use]
    pub fn events(&self) -> Events {
        Events(self.0.events.resubscribe())
    }

    /// What this client counts and measures.
    #[must_use]
    pub fn metrics(&self) -> Arc<Metrics> {
        Arc::clone(&self.0.metrics)
    }

    /// How the certificates of this client stand: the newest generation, when it ends, and why the latest attempt at a
    /// newer one failed. `None` without [`Options::credentials`]. The generation that the connection uses is in
    /// [`Self::info`].
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn credential_status(&self) -> Option<CredentialStatus> {
        self.0.credentials.as_ref().map(|credentials| credentials.status())
    }

    /// Why there is no connection any more and will be none; `None` while there is one, or the client is on its way to
    /// one.
    #[must_use]
    pub fn disconnected(&self) -> Option<DisconnectCause> {
        match &*self.0.state.borrow() {
            ConnectionState::Disconnected(cause) => Some(cause.clone()),
            _ if self.0.requests.is_closed() => Some(DisconnectCause::stopped()),
            _ => None,
        }
    }

    /// What the connection agreed on, or the latest one; `None` if there has been none.
    #[must_use]
    pub fn info(&self) -> Option<Arc<ConnectionInfo>> {
        self.0.info.borrow().clone()
    }

    /// How many messages wait to be sent or acknowledged, and how far they have come.
    #[must_use]
    pub fn queue(&self) -> QueueStatus {
        self.0.gauge.status()
    }

    pub(crate) fn cause(&self) -> DisconnectCause {
        self.disconnected().unwrap_or_else(DisconnectCause::stopped)
    }

    pub(crate) fn requests(&self) -> &mpsc::Sender<Request> {
        &self.0.requests
    }

    pub(crate) fn publishes(&self) -> &mpsc::Sender<PublishCommand> {
        &self.0.publishes
    }

    pub(crate) fn inbox(&self) -> &Inbox {
        &self.0.inbox
    }

    pub(crate) fn request_timeout(&self) -> Duration {
        self.0.request_timeout
    }

    pub(crate) fn version(&self) -> Version {
        self.0.version
    }

    pub(crate) fn profile(&self) -> Profile {
        self.0.profile
    }

    pub(crate) fn maximum_packet_size(&self) -> Option<u32> {
        self.0.info.borrow().as_ref()?.limits.maximum_packet_size
    }

    pub(crate) fn next_key(&self) -> SubscriptionKey {
        self.0.keys.fetch_add(1, Ordering::Relaxed)
    }
}
