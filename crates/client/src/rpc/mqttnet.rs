//! Calls by the topics of MQTTnet's RPC extension.

use std::fmt::{self, Write as _};
use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{QoS, TopicFilter, TopicName};
use tokio::sync::{Mutex, Semaphore};
use tokio::time::timeout_at;

use super::caller::{Settings, Turn};
use super::listener::{Known, Listener, Names, by_topic};
use super::{CallError, Response, RpcError};
use crate::client::Client;
use crate::publish::Pending;
use crate::shown::Length;

/// What all topics begin with, and responses end in.
pub(super) const PREFIX: &str = "MQTTnet.RPC";
pub(super) const SUFFIX: &str = "/response";
/// Calls that are subscribed to together. No two calls may share a topic, or the repeated response to one would pass
/// for the response to the other.
const BATCH: usize = 16;

/// Calls by the topics of MQTTnet's RPC extension, `MQTTnet.RPC/{id}/{method}` and `…/response`: a handle, cheap to
/// clone. It works on MQTT 3.1.1, and with responders that know of no correlation data.
///
/// Each call has an id of its own. They are subscribed to 16 at a time, so that one call in 16 waits for a SUBACK.
///
/// ```no_run
/// use gridmq_client::Client;
/// use gridmq_client::rpc::MqttNetCaller;
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let caller = MqttNetCaller::new(&client);
/// println!("{:?}", caller.call("unlock", "please").await?.text());
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct MqttNetCaller(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    client: Client,
    settings: Settings,
    room: Semaphore,
    names: Names,
    batch: Mutex<Option<Batch>>,
}

#[derive(Debug)]
struct Batch {
    /// Not used yet.
    ids: Vec<String>,
    /// Lives as long as a call of the batch does.
    listener: Arc<Listener>,
}

impl MqttNetCaller {
    /// Calls over this client.
    #[must_use]
    pub fn new(client: &Client) -> Self {
        Self::with(client.clone(), Settings::default())
    }

    fn with(client: Client, settings: Settings) -> Self {
        let room = Semaphore::new(settings.concurrency.clamp(1, Semaphore::MAX_PERMITS));
        Self(Arc::new(Shared { client, settings, room, names: Names::new(), batch: Mutex::default() }))
    }

    /// Another limit of calls under way at once than 1,000; at least 1.
    #[must_use]
    pub fn concurrency(self, calls: usize) -> Self {
        Self::with(self.0.client.clone(), Settings { concurrency: calls, ..self.0.settings })
    }

    /// Another time that a call may take than 30 s.
    #[must_use]
    pub fn timeout(self, timeout: Duration) -> Self {
        Self::with(self.0.client.clone(), Settings { timeout, ..self.0.settings })
    }

    /// A call to make.
    pub fn call(&self, method: &str, payload: impl Into<Bytes>) -> MqttNetCall {
        MqttNetCall {
            caller: self.clone(),
            method: method.to_owned(),
            payload: payload.into(),
            qos: self.0.settings.qos,
            timeout: self.0.settings.timeout,
        }
    }
}

impl Shared {
    /// An id that nobody has used, and who listens for its response.
    async fn id(&self) -> Result<(String, Arc<Listener>), RpcError> {
        let mut batch = self.batch.lock().await;
        if let Some(Batch { ids, listener }) = &mut *batch
            && let Some(id) = ids.pop()
        {
            return Ok((id, Arc::clone(listener)));
        }
        let mut ids: Vec<_> = (0..BATCH).map(|_| hex(self.names.next())).collect();
        let filters = ids.iter().map(|id| (format!("{PREFIX}/{id}/+{SUFFIX}"), self.settings.qos));
        let subscription = self.client.subscribe_all(filters.collect::<Vec<_>>()).await?;
        let listener = Arc::new(Listener::start(subscription, Known::ByTopic));
        let id = ids.pop().unwrap_or_default();
        *batch = Some(Batch { ids, listener: Arc::clone(&listener) });
        Ok((id, listener))
    }
}

fn hex(bytes: [u8; 16]) -> String {
    bytes.iter().fold(String::with_capacity(32), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A call; await it to send it.
#[must_use = "a call is sent when it is awaited"]
pub struct MqttNetCall {
    caller: MqttNetCaller,
    method: String,
    payload: Bytes,
    qos: QoS,
    timeout: Duration,
}

impl fmt::Debug for MqttNetCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("MqttNetCall");
        shown.field("method", &self.method).field("payload", &Length(self.payload.len()));
        shown.field("qos", &self.qos).field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl MqttNetCall {
    /// The QoS of the request; 1 when not called.
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.qos = qos;
        self
    }

    /// How long this call may take.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    async fn send(self) -> Result<Response, CallError> {
        let Self { caller, method, payload, qos, timeout: after } = self;
        let Shared { client, room, .. } = &*caller.0;
        check(&method)?;
        let turn = Turn::wait(room, after).await?;
        let (id, listener) = match timeout_at(turn.deadline, caller.0.id()).await {
            Ok(id) => id?,
            Err(_) => return Err(CallError::Timeout { after, sent: false }),
        };
        let topic = |text: String| TopicName::try_from(text).map_err(|_| RpcError::Method { method: method.clone() });
        let request_topic = topic(format!("{PREFIX}/{id}/{method}"))?;
        let response_topic = topic(format!("{PREFIX}/{id}/{method}{SUFFIX}"))?;
        let name = by_topic(&response_topic);
        let Some(expected) = listener.expect(name, response_topic.clone()) else { return Err(CallError::Ended) };
        let mut request = client.publish(request_topic, payload).qos(qos);
        if client.version().is_v5() {
            request = request.response_topic(response_topic).message_expiry(after);
        }
        turn.exchange(request, expected).await
    }
}

impl IntoFuture for MqttNetCall {
    type Output = Result<Response, CallError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.send())
    }
}

fn check(method: &str) -> Result<(), RpcError> {
    filter(method).map(drop)
}

/// What a responder of that method subscribes to.
pub(super) fn filter(method: &str) -> Result<TopicFilter, RpcError> {
    let refused = || RpcError::Method { method: method.to_owned() };
    if method.is_empty() || method.contains(['/', '+', '#']) {
        return Err(refused());
    }
    TopicFilter::try_from(format!("{PREFIX}/+/{method}")).map_err(|_| refused())
}
