//! Answering requests.

use std::collections::HashMap;
use std::future::{Future, IntoFuture};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{QoS, SubscriptionFilter, TopicFilter, TopicName};
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};

use super::memory::{Memory, Name, Seen};
use super::mqttnet::{SUFFIX, filter};
use super::{CallFailure, Reply, RpcError, STATUS, TIMEOUT};
use crate::client::Client;
use crate::error::SubscribeError;
use crate::message::Message;
use crate::publish::Pending;
use crate::subscription::Subscription;

/// Handlers at once.
const CONCURRENCY: usize = 16;

/// A responder to set up; await it to subscribe to the requests.
#[derive(Debug)]
#[must_use = "nothing is subscribed to before it is awaited"]
pub struct ResponderRequest {
    client: Client,
    filter: Result<SubscriptionFilter, RpcError>,
    settings: Settings,
}

#[derive(Debug, Clone)]
struct Settings {
    /// Where responses go that are asked for without a response topic: below the request's topic.
    mqttnet: bool,
    concurrency: usize,
    timeout: Duration,
    qos: QoS,
    within: Option<TopicFilter>,
}

impl ResponderRequest {
    /// How many handlers may work at once, at least 1; 16 when not called. Further requests wait in the
    /// subscription, unacknowledged.
    pub const fn concurrency(mut self, handlers: usize) -> Self {
        self.settings.concurrency = handlers;
        self
    }

    /// How long a handler may take, if the request does not expire before; 30 s when not called. Then it is dropped,
    /// and the status 504 answered unless the request has expired.
    pub const fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The QoS of responses, and the highest of requests; 1 when not called.
    pub const fn qos(mut self, qos: QoS) -> Self {
        self.settings.qos = qos;
        self
    }

    /// Answers only to topics that match. Who asks chooses the response topic, and the response is published in the
    /// responder's name: without such a limit, in any topic that it may publish to.
    pub fn answers_within(mut self, filter: TopicFilter) -> Self {
        self.settings.within = Some(filter);
        self
    }

    async fn start(self) -> Result<Responder, RpcError> {
        let Self { client, filter, settings } = self;
        let filter = filter?;
        if !settings.mqttnet && !client.version().is_v5() {
            return Err(RpcError::Version);
        }
        let requests = client.subscribe(filter.clone(), settings.qos).await?;
        let counters = Arc::default();
        Ok(Responder { server: Server { client, filter, settings, counters, memory: Memory::default() }, requests })
    }
}

impl IntoFuture for ResponderRequest {
    type Output = Result<Responder, RpcError>;
    type IntoFuture = Pending<Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.start())
    }
}

/// Answers requests: see [`serve`](Self::serve). Dropping it gives its subscription up.
///
/// ```no_run
/// use gridmq_client::Client;
/// use gridmq_client::rpc::{CallFailure, Reply, Responder};
///
/// # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
/// let responder = Responder::new(&client, "vehicles/vehicle03/unlock/request").concurrency(4).await?;
/// responder
///     .serve(|request| async move {
///         match request.text() {
///             Some("please") => Ok(Reply::new("unlocked")),
///             _ => Err(CallFailure::new("say please").status(400)),
///         }
///     })
///     .await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Responder {
    server: Server,
    requests: Subscription,
}

impl Responder {
    /// Answers requests in these topics by their response topic and correlation data (MQTT 5.0 only). Several
    /// responders share the work by a shared subscription, `$share/group/filter`.
    #[allow(clippy::new_ret_no_self, reason = "it is made by a request")]
    pub fn new<F>(client: &Client, filter: F) -> ResponderRequest
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        let filter = filter.try_into().map_err(|error| RpcError::Subscribe(error.into()));
        Self::request(client, filter, false)
    }

    /// Answers calls of one method by the topics of MQTTnet's RPC extension, also on MQTT 3.1.1.
    pub fn mqttnet(client: &Client, method: &str) -> ResponderRequest {
        Self::request(client, filter(method).map(SubscriptionFilter::Plain), true)
    }

    fn request(client: &Client, filter: Result<SubscriptionFilter, RpcError>, mqttnet: bool) -> ResponderRequest {
        let (concurrency, timeout, qos) = (CONCURRENCY, TIMEOUT, QoS::AtLeastOnce);
        let settings = Settings { mqttnet, concurrency, timeout, qos, within: None };
        ResponderRequest { client: client.clone(), filter, settings }
    }

    /// What becomes of the requests, to look at while [`serve`](Self::serve) works.
    #[must_use]
    pub fn counters(&self) -> Arc<Counters> {
        Arc::clone(&self.server.counters)
    }

    /// Calls `handler` for each request until the subscription ends, which it does with the client.
    ///
    /// A request is acknowledged when its handler begins. One that comes again with the same response topic and
    /// correlation data within 5 minutes is not handled again: it gets the same reply. A handler that panics answers
    /// the status 500. Dropping the future aborts the handlers.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub async fn serve<H, F>(self, mut handler: H)
    where
        H: FnMut(Request) -> F + Send,
        F: Future<Output = Result<Reply, CallFailure>> + Send + 'static,
    {
        let Self { mut server, mut requests } = self;
        let limit = server.settings.concurrency.max(1);
        let mut tasks: JoinSet<Option<Reply>> = JoinSet::new();
        let mut names: HashMap<Id, Name> = HashMap::new();
        let mut open = true;
        while open || !tasks.is_empty() {
            let message = tokio::select! {
                biased;
                Some(ended) = tasks.join_next_with_id() => {
                    let (id, reply) = ended.unwrap_or_else(|error| (error.id(), None));
                    if let Some(name) = names.remove(&id) {
                        server.memory.done(&name, reply);
                    }
                    continue;
                }
                message = requests.next(), if open && tasks.len() < limit => message,
            };
            let Some(message) = message else {
                open = false;
                continue;
            };
            match server.judge(message) {
                Some(Work { answer, name, task: Task::Handle(request) }) => {
                    let running = handler(request);
                    let id = tasks.spawn(answer.handle(running)).id();
                    names.extend(name.map(|name| (id, name)));
                }
                Some(Work { answer, task: Task::Repeat(reply), .. }) => {
                    tasks.spawn(async move {
                        answer.send(&reply).await;
                        None
                    });
                }
                None => {}
            }
        }
    }
}

#[derive(Debug)]
struct Server {
    client: Client,
    filter: SubscriptionFilter,
    settings: Settings,
    counters: Arc<Counters>,
    memory: Memory,
}

struct Work {
    answer: Answer,
    /// To know it again.
    name: Option<Name>,
    task: Task,
}

enum Task {
    Handle(Request),
    Repeat(Reply),
}

impl Server {
    fn judge(&mut self, message: Message) -> Option<Work> {
        let now = Instant::now();
        let Self { client, filter, settings, counters, memory } = self;
        let properties = message.properties();
        let below = || TopicName::try_from(format!("{}{SUFFIX}", message.topic())).ok();
        let topic = properties.response_topic.clone().or_else(|| settings.mqttnet.then(below).flatten());
        let Some(topic) = topic else {
            return count(&counters.unanswerable);
        };
        // An answer that is a request would be answered in turn.
        if filter.filter().matches(&topic) || settings.within.as_ref().is_some_and(|within| !within.matches(&topic)) {
            return count(&counters.forbidden);
        }
        let data = properties.correlation_data.clone();
        let expires = properties.message_expiry_interval.map(|seconds| Duration::from_secs(seconds.into()));
        let patience = expires.map_or(settings.timeout, |expires| expires.min(settings.timeout));
        let answer = Answer {
            client: client.clone(),
            topic: topic.clone(),
            data: data.clone(),
            deadline: now + patience,
            expires: expires.map(|expires| now + expires),
            qos: settings.qos,
            counters: Arc::clone(counters),
        };
        let name = data.filter(|data| !data.is_empty()).map(|data| (topic, data));
        let seen = name.as_ref().map_or(Seen::New, |name| memory.see(now, name));
        let task = match seen {
            Seen::New => Task::Handle(Request { deadline: answer.deadline, message }),
            Seen::Done(Some(reply)) => {
                counters.repeated.fetch_add(1, Ordering::Relaxed);
                Task::Repeat(reply)
            }
            Seen::Running | Seen::Done(None) => return count(&counters.repeated),
        };
        Some(Work { answer, name, task })
    }
}

fn count<T>(counter: &AtomicU64) -> Option<T> {
    counter.fetch_add(1, Ordering::Relaxed);
    None
}

/// Where the answer to one request goes.
struct Answer {
    client: Client,
    topic: TopicName,
    data: Option<Bytes>,
    deadline: Instant,
    /// From then on nobody waits for it.
    expires: Option<Instant>,
    qos: QoS,
    counters: Arc<Counters>,
}

impl Answer {
    async fn handle(self, running: impl Future<Output = Result<Reply, CallFailure>> + Send + 'static) -> Option<Reply> {
        let mut handler = JoinSet::new();
        handler.spawn(running);
        let outcome = match timeout_at(self.deadline, handler.join_next()).await {
            Ok(Some(Ok(outcome))) => outcome,
            Ok(Some(Err(error))) => {
                tracing::error!(%error, topic = %self.topic, "a handler of requests has panicked");
                Err(CallFailure::new("the handler has failed"))
            }
            // There is one task, so the set is not empty before it has ended.
            Ok(None) | Err(_) => {
                count::<()>(&self.counters.late);
                Err(CallFailure::new("it took too long").status(504))
            }
        };
        count::<()>(if outcome.is_ok() { &self.counters.handled } else { &self.counters.failed });
        let reply = outcome.unwrap_or_else(Reply::from);
        self.send(&reply).await;
        Some(reply)
    }

    async fn send(&self, reply: &Reply) {
        let left = self.expires.map(|at| at.saturating_duration_since(Instant::now()));
        let v5 = self.client.version().is_v5();
        // Nobody waits any more; or the version has no way to say that it failed.
        if left.is_some_and(|left| left.is_zero()) || !v5 && reply.status != 200 {
            return;
        }
        let mut response = self.client.publish(self.topic.clone(), reply.payload.clone()).qos(self.qos);
        if v5 {
            response = response.user_property(STATUS, reply.status.to_string());
            if let Some(data) = &self.data {
                response = response.correlation_data(data.clone());
            }
            if let Some(content_type) = &reply.content_type {
                response = response.content_type(content_type.clone());
            }
            for (name, value) in &reply.user_properties {
                response = response.user_property(name.clone(), value.clone());
            }
            if let Some(left) = left {
                response = response.message_expiry(left);
            }
        }
        if let Err(error) = response.await {
            count::<()>(&self.counters.unsent);
            tracing::warn!(%error, topic = %self.topic, "a response was not published");
        }
    }
}

/// A request to answer.
#[derive(Debug)]
pub struct Request {
    message: Message,
    deadline: Instant,
}

impl Request {
    /// Where it was sent.
    #[must_use]
    pub const fn topic(&self) -> &TopicName {
        self.message.topic()
    }

    /// What is asked.
    #[must_use]
    pub const fn payload(&self) -> &Bytes {
        self.message.payload()
    }

    /// The payload as text, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&str> {
        self.message.text()
    }

    /// When the handler is dropped.
    #[must_use]
    pub const fn deadline(&self) -> Instant {
        self.deadline
    }

    /// The whole message.
    #[must_use]
    pub const fn message(&self) -> &Message {
        &self.message
    }
}

/// What became of the requests of one responder.
#[derive(Debug, Default)]
pub struct Counters {
    handled: AtomicU64,
    failed: AtomicU64,
    late: AtomicU64,
    repeated: AtomicU64,
    unanswerable: AtomicU64,
    forbidden: AtomicU64,
    unsent: AtomicU64,
}

impl Counters {
    /// Those that a handler answered.
    #[must_use]
    pub fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// Those whose handler failed, panicked or took too long.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    /// Those whose handler took too long.
    #[must_use]
    pub fn late(&self) -> u64 {
        self.late.load(Ordering::Relaxed)
    }

    /// Those that came again.
    #[must_use]
    pub fn repeated(&self) -> u64 {
        self.repeated.load(Ordering::Relaxed)
    }

    /// Those that said nowhere where the answer should go; they were not handled.
    #[must_use]
    pub fn unanswerable(&self) -> u64 {
        self.unanswerable.load(Ordering::Relaxed)
    }

    /// Those that wanted the answer where it must not go; they were not handled.
    #[must_use]
    pub fn forbidden(&self) -> u64 {
        self.forbidden.load(Ordering::Relaxed)
    }

    /// Responses that were not published.
    #[must_use]
    pub fn unsent(&self) -> u64 {
        self.unsent.load(Ordering::Relaxed)
    }
}
