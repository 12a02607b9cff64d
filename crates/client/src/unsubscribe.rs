//! Giving subscriptions up.

use std::future::IntoFuture;
use std::time::Duration;

use gridmq_proto::packet::{Unsubscribe, UserProperties};
use gridmq_proto::session::client::RequestError;
use gridmq_proto::{ByteString, Packet, PacketId, ReasonCode, SubscriptionFilter};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::client::Client;
use crate::driver::{Request, UnsubscribeCommand};
use crate::error::SubscribeError;
use crate::publish::Pending;
use crate::subscribe::{batches, check};

type Filters = Result<Vec<SubscriptionFilter>, SubscribeError>;

/// A subscription to give up; await it to send it. Its streams end once the server has agreed and what had arrived is
/// read.
///
/// ```no_run
/// # async fn run(client: gridmq_client::Client) -> Result<(), Box<dyn std::error::Error>> {
/// // A subscription that a resumed session has, and no stream of ours.
/// client.unsubscribe("old/#").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct UnsubscribeRequest(Asked);

/// Subscriptions to give up; await it to send it, and to get what became of each.
#[derive(Debug)]
#[must_use = "a request is sent when it is awaited"]
pub struct UnsubscribeAllRequest(Asked);

#[derive(Debug)]
struct Asked {
    client: Client,
    filters: Filters,
    user_properties: UserProperties,
    timeout: Option<Duration>,
}

/// What the server said of one filter.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Unsubscribed {
    /// The filter.
    pub filter: SubscriptionFilter,
    /// Success, [`ReasonCode::NoSubscriptionExisted`], or why the server refused. Always success on 3.1.1.
    pub reason: ReasonCode,
    /// What the UNSUBACK says for people, if anything; it may be about another filter of the same packet.
    pub reason_string: Option<ByteString>,
    /// The user properties of the UNSUBACK.
    pub user_properties: UserProperties,
}

impl Client {
    /// Subscriptions to give up by their filters, together, and to hear about each. What the server takes at most in
    /// one packet is minded: it may become several UNSUBSCRIBE.
    pub fn unsubscribe_all<F>(&self, filters: impl IntoIterator<Item = F>) -> UnsubscribeAllRequest
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        let filters = filters.into_iter().map(|filter| filter.try_into().map_err(Into::into)).collect();
        UnsubscribeAllRequest(Asked::new(self.clone(), filters))
    }
}

impl UnsubscribeRequest {
    pub(crate) const fn new(client: Client, filters: Filters) -> Self {
        Self(Asked::new(client, filters))
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.0.user_properties.push((name.into(), value.into()));
        self
    }

    /// How long to wait for the server's answer, and while there is no connection for the connection; the client's
    /// request timeout when not called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }
}

impl UnsubscribeAllRequest {
    /// Adds a user property (MQTT 5.0 only).
    #[doc(alias = "WithUserProperty")]
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.0.user_properties.push((name.into(), value.into()));
        self
    }

    /// How long to wait for the server's answers; the client's request timeout when not called.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.0.timeout = Some(timeout);
        self
    }
}

impl Asked {
    const fn new(client: Client, filters: Filters) -> Self {
        Self { client, filters, user_properties: Vec::new(), timeout: None }
    }

    async fn send(self) -> Result<Vec<Unsubscribed>, SubscribeError> {
        let Self { client, filters, user_properties, timeout: after } = self;
        let profile = client.profile();
        let batches = batches(filters?, profile.max_filters(), |filter| filter.as_str().len());
        for batch in &batches {
            profile.check_unsubscribe(batch).map_err(SubscribeError::Service)?;
            let (user_properties, filters) = (user_properties.clone(), batch.clone());
            check(&client, &Packet::Unsubscribe(Unsubscribe { packet_id: PacketId::MIN, user_properties, filters }))?;
        }
        let Some(first) = batches.iter().flatten().next().cloned() else {
            return Err(SubscribeError::Limit(RequestError::NoFilters));
        };
        let after = after.unwrap_or_else(|| client.request_timeout());
        let exchange = async {
            let mut answers = Vec::new();
            for filters in batches {
                let (reply, answer) = oneshot::channel();
                let user_properties = user_properties.clone();
                let command = UnsubscribeCommand { filters, user_properties, reply };
                client.requests().send(Request::Unsubscribe(Box::new(command))).await.ok()?;
                answers.push(answer);
            }
            let mut outcomes = Vec::new();
            for answer in answers {
                match answer.await.ok()? {
                    Ok(unsubscribed) => outcomes.extend(unsubscribed),
                    Err(error) => return Some(Err(error)),
                }
            }
            Some(Ok(outcomes))
        };
        match timeout(after, exchange).await {
            Ok(Some(outcomes)) => outcomes,
            Ok(None) => Err(SubscribeError::Disconnected(client.cause())),
            Err(_) => Err(SubscribeError::Timeout { filter: Box::new(first), after }),
        }
    }
}

impl IntoFuture for UnsubscribeRequest {
    type Output = Result<(), SubscribeError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async {
            let mut outcomes = self.0.send().await?.into_iter();
            match outcomes.find(|outcome| outcome.reason.is_failure()) {
                Some(Unsubscribed { filter, reason, reason_string, user_properties }) => {
                    Err(SubscribeError::Refused { filter: Box::new(filter), reason, reason_string, user_properties })
                }
                None => Ok(()),
            }
        })
    }
}

impl IntoFuture for UnsubscribeAllRequest {
    type Output = Result<Vec<Unsubscribed>, SubscribeError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.0.send())
    }
}
