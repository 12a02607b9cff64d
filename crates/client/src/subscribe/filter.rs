//! One filter of a subscription, with options of its own.

use gridmq_proto::packet::{RetainHandling, SubscribeFilter, SubscribeOptions};
use gridmq_proto::{QoS, SubscriptionFilter};

use crate::error::SubscribeError;

/// A topic filter with its subscription options (MQTT 5.0 §3.8.3.1), for
/// [`Client::subscribe_all`](crate::Client::subscribe_all).
///
/// ```no_run
/// use gridmq_client::{Client, Filter, QoS};
///
/// # async fn run(client: Client) -> Result<(), gridmq_client::SubscribeError> {
/// let filters = [
///     Filter::new("alerts/#").qos(QoS::AtLeastOnce),
///     Filter::new("chat/+").qos(QoS::AtLeastOnce).no_local(),
///     Filter::new("$share/workers/jobs"),
/// ];
/// let mut messages = client.subscribe_all(filters).await?;
/// # Ok(())
/// # }
/// ```
#[doc(alias = "MqttTopicFilterBuilder")]
#[derive(Debug, Clone)]
#[must_use]
pub struct Filter(Result<SubscribeFilter, SubscribeError>);

impl Filter {
    /// A filter at QoS 0. `$share/group/filter` makes its subscription a shared one. A text that is no filter is an
    /// error of the subscription.
    pub fn new<F>(filter: F) -> Self
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        let filter = filter.try_into().map_err(Into::into);
        Self(filter.map(|filter| SubscribeFilter { filter, options: SubscribeOptions::default() }))
    }

    /// The highest QoS at which messages come; 0 when not called.
    #[doc(alias("WithQualityOfServiceLevel", "maximum_qos"))]
    pub fn qos(self, qos: QoS) -> Self {
        self.set(|options| options.qos = qos)
    }

    /// Leaves out what this client publishes itself (MQTT 5.0 only; an error on shared subscriptions).
    #[doc(alias = "WithNoLocal")]
    pub fn no_local(self) -> Self {
        self.set(|options| options.no_local = true)
    }

    /// Keeps the RETAIN flag as publishers set it (MQTT 5.0 only).
    #[doc(alias = "WithRetainAsPublished")]
    pub fn retain_as_published(self) -> Self {
        self.set(|options| options.retain_as_published = true)
    }

    /// Which retained messages to get at once (MQTT 5.0 only).
    #[doc(alias = "WithRetainHandling")]
    pub fn retain_handling(self, handling: RetainHandling) -> Self {
        self.set(|options| options.retain_handling = handling)
    }

    fn set(mut self, set: impl FnOnce(&mut SubscribeOptions)) -> Self {
        if let Ok(SubscribeFilter { options, .. }) = &mut self.0 {
            set(options);
        }
        self
    }

    pub(super) fn into_entry(self) -> Result<SubscribeFilter, SubscribeError> {
        self.0
    }
}

/// A filter and its highest QoS.
impl<F> From<(F, QoS)> for Filter
where
    F: TryInto<SubscriptionFilter>,
    F::Error: Into<SubscribeError>,
{
    fn from((filter, qos): (F, QoS)) -> Self {
        Self::new(filter).qos(qos)
    }
}
