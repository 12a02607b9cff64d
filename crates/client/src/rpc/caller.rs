//! Calls by response topic and correlation data.

use std::fmt;
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{ByteString, QoS, ReasonCode, SubscriptionFilter, TopicName};
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::listener::{Expected, Known, Listener, Names, Strays};
use super::{CallError, RpcError, TIMEOUT, status};
use crate::client::Client;
use crate::message::Message;
use crate::publish::{Pending, PublishRequest};
use crate::shown::Length;
use crate::template::{TemplateError, TopicTemplate};

/// Calls at once.
const CONCURRENCY: usize = 1000;

/// A caller to set up; await it to subscribe to the responses.
#[derive(Debug)]
#[must_use = "nothing is subscribed to before it is awaited"]
pub struct CallerRequest {
    client: Client,
    request: TopicTemplate,
    response: TopicTemplate,
    settings: Settings,
}

/// What all calls have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Settings {
    pub(super) timeout: Duration,
    pub(super) concurrency: usize,
    pub(super) qos: QoS,
}

impl Default for Settings {
    fn default() -> Self {
        Self { timeout: TIMEOUT, concurrency: CONCURRENCY, qos: QoS::AtLeastOnce }
    }
}

impl CallerRequest {
    /// How long a call may take, from the wait for its turn to the response; 30 s when not called. The request
    /// expires with it, so that nobody begins what nobody waits for.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How many calls may be under way at once, at least 1; 1,000 when not called. The next waits.
    pub const fn concurrency(mut self, calls: usize) -> Self {
        self.settings.concurrency = calls;
        self
    }

    /// The QoS of requests, and the highest of responses; 1 when not called.
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.settings.qos = qos;
        self
    }

    async fn start(self) -> Result<Caller, RpcError> {
        let Self { client, request, response, settings } = self;
        if !client.version().is_v5() {
            return Err(RpcError::Version);
        }
        let subscription = client.subscribe(SubscriptionFilter::from(&response), settings.qos).await?;
        let listener = Listener::start(subscription, Known::ByData);
        let room = Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Ok(Caller(Arc::new(Shared { client, request, response, settings, listener, room, names: Names::new() })))
    }
}

impl IntoFuture for CallerRequest {
    type Output = Result<Caller, RpcError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// Calls by response topic and correlation data (MQTT 5.0 only): a handle, cheap to clone. One subscription serves all
/// calls; it is given up with the last handle.
///
/// ```no_run
/// use gridmq_client::rpc::Caller;
/// use gridmq_client::{Client, TopicTemplate};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let request = TopicTemplate::parse("vehicles/{vehicle}/unlock/request")?;
/// let response = TopicTemplate::parse("vehicles/{vehicle}/unlock/response")?;
/// let caller = Caller::new(&client, &request, &response).await?;
/// println!("{:?}", caller.call([("vehicle", "vehicle03")], "please").await?.text());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Caller(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    request: TopicTemplate,
    response: TopicTemplate,
    settings: Settings,
    listener: Listener,
    room: Semaphore,
    names: Names,
}

impl Caller {
    /// Calls by these topics. The parameters of `response` are subscribed to as `+`; each call fills them in.
    #[allow(clippy::new_ret_no_self, reason = "it is made by a request")]
    pub fn new(client: &Client, request: &TopicTemplate, response: &TopicTemplate) -> CallerRequest {
        let (client, request, response) = (client.clone(), request.clone(), response.clone());
        CallerRequest { client, request, response, settings: Settings::default() }
    }

    /// A call to make: the values of the topics' parameters, and what is asked.
    pub fn call<'v>(
        &self,
        values: impl IntoIterator<Item = (&'v str, &'v str)>,
        payload: impl Into<Bytes>,
    ) -> CallRequest {
        let topics = self.topics(values);
        CallRequest {
            caller: self.clone(),
            topics,
            payload: payload.into(),
            content_type: None,
            user_properties: Vec::new(),
            timeout: self.0.settings.timeout,
        }
    }

    fn topics<'v>(
        &self,
        values: impl IntoIterator<Item = (&'v str, &'v str)>,
    ) -> Result<(TopicName, TopicName), TemplateError> {
        let Shared { request, response, .. } = &*self.0;
        let (mut request, mut response) = (request.clone(), response.clone());
        for (name, value) in values {
            if response.parameters().any(|parameter| parameter == name) {
                response = response.with(name, value)?;
                request = request.with_all([(name, value)])?;
            } else {
                request = request.with(name, value)?;
            }
        }
        Ok((request.topic()?, response.topic()?))
    }

    /// Responses that nobody waited for.
    #[must_use]
    pub fn strays(&self) -> Strays {
        self.0.listener.strays()
    }
}

/// A call; await it to send it. Dropped before its end, it is given up: its response counts as late.
#[must_use = "a call is sent when it is awaited"]
pub struct CallRequest {
    caller: Caller,
    topics: Result<(TopicName, TopicName), TemplateError>,
    payload: Bytes,
    content_type: Option<ByteString>,
    user_properties: Vec<(ByteString, ByteString)>,
    timeout: Duration,
}

impl fmt::Debug for CallRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("CallRequest");
        shown.field("topics", &self.topics).field("payload", &Length(self.payload.len()));
        shown.field("user_properties", &self.user_properties.len()).field("timeout", &self.timeout);
        shown.finish_non_exhaustive()
    }
}

impl CallRequest {
    /// The MIME type of the payload.
    pub fn content_type(mut self, content_type: impl Into<ByteString>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a user property.
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    /// How long this call may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn send(self) -> Result<Response, CallError> {
        let Self { caller, topics, payload, content_type, user_properties, timeout } = self;
        let Shared { client, settings, listener, room, names, .. } = &*caller.0;
        let (request_topic, response_topic) = topics?;
        let turn = Turn::wait(room, timeout).await?;
        let name = Bytes::copy_from_slice(&names.next());
        let expected = listener.expect(name.clone(), response_topic.clone()).ok_or(CallError::Ended)?;
        let mut request = client.publish(request_topic, payload).qos(settings.qos);
        request = request.response_topic(response_topic).correlation_data(name).message_expiry(timeout);
        if let Some(content_type) = content_type {
            request = request.content_type(content_type);
        }
        for (name, value) in user_properties {
            request = request.user_property(name, value);
        }
        turn.exchange(request, expected).await
    }
}

impl IntoFuture for CallRequest {
    type Output = Result<Response, CallError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

/// A call that is under way.
#[derive(Debug)]
pub(super) struct Turn<'c> {
    _permit: tokio::sync::SemaphorePermit<'c>,
    pub(super) deadline: Instant,
    after: Duration,
}

impl<'c> Turn<'c> {
    pub(super) async fn wait(room: &'c Semaphore, after: Duration) -> Result<Self, CallError> {
        const YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);
        let deadline = Instant::now() + after.min(YEAR);
        match timeout_at(deadline, room.acquire()).await {
            // Nobody would wait for what was sent now.
            Ok(Ok(_)) if deadline <= Instant::now() => Err(CallError::Timeout { after, sent: false }),
            Ok(Ok(permit)) => Ok(Self { _permit: permit, deadline, after }),
            Ok(Err(_)) => Err(CallError::Ended),
            Err(_) => Err(CallError::Timeout { after, sent: false }),
        }
    }

    pub(super) async fn exchange(self, request: PublishRequest, mut expected: Expected) -> Result<Response, CallError> {
        let exchange = async {
            // The response may be here before the server's acknowledgement.
            tokio::select! {
                biased;
                answer = expected.answer() => return answer.ok_or(CallError::Ended),
                published = request.into_future() => {
                    if published?.reason == ReasonCode::NoMatchingSubscribers {
                        return Err(CallError::Nobody);
                    }
                }
            }
            expected.answer().await.ok_or(CallError::Ended)
        };
        let message = match timeout_at(self.deadline, exchange).await {
            Ok(answer) => answer?,
            Err(_) => return Err(CallError::Timeout { after: self.after, sent: true }),
        };
        let response = Response(message);
        match response.status() {
            Some(status) if !(200..300).contains(&status) => {
                Err(CallError::Failed { status, response: Box::new(response) })
            }
            _ => Ok(response),
        }
    }
}

/// What a responder answered.
#[derive(Debug)]
pub struct Response(Message);

impl Response {
    /// What was answered.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        self.0.payload()
    }

    /// The payload as text, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.0.text()
    }

    /// The user property `status`, if there is one and it is a number.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        status(&self.0)
    }

    /// The whole message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.0
    }
}

impl Clone for Response {
    fn clone(&self) -> Self {
        Self(self.0.copy())
    }
}
