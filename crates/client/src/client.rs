//! The handle.

mod status;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{ByteString, QoS, SubscriptionFilter, TopicName, Version};
use tokio::sync::{mpsc, watch};

use crate::disconnect::DisconnectRequest;
use crate::driver::{PublishCommand, Request};
use crate::error::{DisconnectCause, PublishError, SubscribeError};
use crate::events::{Ledger, Source};
use crate::inbox::{Inbox, SubscriptionKey};
use crate::metrics::Metrics;
use crate::options::Options;
use crate::outbox::Gauge;
use crate::ping::PingRequest;
use crate::profile::Profile;
use crate::publish::PublishRequest;
use crate::secure::CredentialProvider;
use crate::state::{ConnectionInfo, ConnectionState};
use crate::subscribe::SubscribeRequest;
use crate::subscription::Messages;
use crate::unsubscribe::UnsubscribeRequest;

/// A connected client: a handle, cheap to clone, on a task that does the work.
///
/// When the last handle and the last stream of messages are dropped, the client disconnects in order, without finishing
/// what waits to be sent or acknowledged: [`shutdown`](Self::shutdown) does.
///
/// ```no_run
/// use gridmq_client::{Options, QoS};
///
/// # async fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = Options::new("mqtt://localhost").client_id("device1").connect().await?;
/// let other = client.clone();
/// tokio::spawn(async move { other.publish("a/b", "hello").qos(QoS::AtLeastOnce).await });
/// client.disconnect().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Client(Arc<Inner>);

/// The handle's end of the channels to the driver.
pub(crate) struct Inner {
    pub(crate) requests: mpsc::Sender<Request>,
    pub(crate) publishes: mpsc::Sender<PublishCommand>,
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) gauge: Arc<Gauge>,
    pub(crate) state: watch::Receiver<ConnectionState>,
    pub(crate) info: watch::Receiver<Option<Arc<ConnectionInfo>>>,
    pub(crate) events: Source,
    pub(crate) undelivered: Arc<Ledger>,
    /// The one of the options.
    pub(crate) client_id: ByteString,
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
    /// Starts with an address, such as `mqtts://host`: see [`Options::new`] for its forms.
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
        SubscribeRequest::new(self.clone(), [(filter, qos)])
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

    /// Leaves in order and at once; the server does not publish the will. What waits to be sent or acknowledged is not
    /// finished first: [`shutdown`](Self::shutdown) does that. Without a [store](crate::store) it is lost.
    pub fn disconnect(&self) -> DisconnectRequest {
        DisconnectRequest::new(self.clone())
    }

    /// Asks the server for a sign of life. An answer says that it has read what was sent before, messages of QoS 0
    /// among it: one that it ends the connection for is then known to have been refused.
    pub fn ping(&self) -> PingRequest {
        PingRequest::new(self.clone())
    }

    pub(crate) fn cause(&self) -> DisconnectCause {
        // On its way out, it takes nothing any more.
        let leaving = self.0.publishes.is_closed() && !self.0.requests.is_closed();
        let otherwise = if leaving { DisconnectCause::requested } else { DisconnectCause::stopped };
        self.disconnected().unwrap_or_else(otherwise)
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
