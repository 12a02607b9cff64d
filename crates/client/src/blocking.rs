//! A client for programs without a runtime.
//!
//! The same client, with calls that block. Its work is done in a thread of its own, so that it answers pings, sends and
//! comes back while the program does something else.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use gridmq_client::{Options, QoS, blocking};
//!
//! # fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = blocking::Client::connect(gridmq_client::Client::builder("mqtt://localhost"))?;
//! let mut messages = client.subscribe("sensors/+", QoS::AtLeastOnce).send()?;
//! client.publish("sensors/1", "21.5").qos(QoS::AtLeastOnce).send()?;
//! if let Some(message) = messages.next_within(Duration::from_secs(5))? {
//!     println!("{}: {:?}", message.topic(), message.payload());
//! }
//! client.disconnect()?;
//! # Ok(())
//! # }
//! ```
//!
//! Every call has the limits of the async one: [`Options::connect_timeout`] and [`Options::request_timeout`].
//!
//! Not here are requests and responses ([`rpc`](crate::rpc)), handlers, a time of its own for a flush or a ping, and giving
//! up a subscription whose stream is kept. [`Client::wait`] waits for those of the async client too:
//! `client.wait(client.asynchronous().flush().timeout(time))`, `client.wait(messages.asynchronous().unsubscribe())`,
//! `client.wait(caller.call(values, payload))`.
//!
//! Inside an async runtime, in its tasks and in its `spawn_blocking`, every call fails with [`Error::InsideRuntime`] and
//! does nothing: it would stop the tasks beside it. There, use the [async client](crate::Client), or a thread of your
//! own.

mod engine;
mod error;
mod events;
mod request;
mod status;
mod subscription;
mod ticket;

use std::future::IntoFuture;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::{QoS, SubscriptionFilter, TopicName};

use self::engine::Engine;
pub use self::error::{Error, TimedOut};
pub use self::events::{Events, UndeliveredMessages};
pub use self::request::Request;
pub use self::subscription::{Messages, Subscription};
pub use self::ticket::Ticket;
use crate::disconnect::DisconnectRequest;
use crate::error::{ConnectError, DisconnectError, PingError, PublishError, SubscribeError};
use crate::flush::FlushError;
use crate::options::Options;
use crate::publish::Published;
use crate::subscribe::Filter;

/// A client whose calls block: a handle, cheap to clone, for any number of threads.
///
/// When the last handle and the last stream of messages are dropped, the client disconnects in order. That takes 3 s
/// at most; inside an async runtime it is done in the background.
///
/// ```no_run
/// use gridmq_client::{Options, QoS, blocking};
///
/// # fn run() -> Result<(), Box<dyn std::error::Error>> {
/// let client = blocking::Client::connect(Options::new("mqtt://localhost"))?;
/// client.publish("a/b", "hello").qos(QoS::AtLeastOnce).send()?;
/// client.disconnect()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Client {
    client: crate::Client,
    engine: Arc<Engine>,
}

impl Client {
    /// Connects, and waits for the outcome: the blocking [`Options::connect`].
    ///
    /// # Errors
    /// As `Options::connect`, and if the thread cannot be started.
    pub fn connect(options: Options) -> Result<Self, Error<ConnectError>> {
        let mut engine = Engine::start()?;
        let client = engine.run(options.connect())?.map_err(Error::Failed)?;
        engine.own(client.clone());
        Ok(Self { client, engine: Arc::new(engine) })
    }

    /// Starts the client without waiting for a connection: the blocking [`Options::start`]. [`Self::connected`] waits for
    /// it.
    ///
    /// # Errors
    /// Only for options that cannot work, and if the thread cannot be started.
    pub fn start(options: Options) -> Result<Self, Error<ConnectError>> {
        let mut engine = Engine::start()?;
        let client = engine.run(async { options.start() })?.map_err(Error::Failed)?;
        engine.own(client.clone());
        Ok(Self { client, engine: Arc::new(engine) })
    }

    /// A message to publish: set what it needs, then [`send`](Request::send) it and wait for the server, or
    /// [`enqueue`](Request::enqueue) it and go on.
    pub fn publish<T>(&self, topic: T, payload: impl Into<Bytes>) -> Request<'_, crate::PublishRequest>
    where
        T: TryInto<TopicName>,
        T::Error: Into<PublishError>,
    {
        Request::new(self, self.client.publish(topic, payload))
    }

    /// Several messages to publish by one call, made by [`asynchronous`](Self::asynchronous)`().publish(..)`: the blocking
    /// [`crate::Client::publish_all`]. Waits for all, and gives the outcomes in the order of the messages.
    ///
    /// # Errors
    /// Only that of a call inside an async runtime.
    pub fn publish_all(
        &self,
        requests: impl IntoIterator<Item = crate::PublishRequest>,
    ) -> Result<Vec<Result<Published, PublishError>>, Error<PublishError>> {
        Ok(self.engine.run(self.client.publish_all(requests).into_future())?)
    }

    /// A subscription to make, `qos` at most: set what it needs, then [`send`](Request::send) it.
    pub fn subscribe<F>(&self, filter: F, qos: QoS) -> Request<'_, crate::SubscribeRequest>
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        Request::new(self, self.client.subscribe(filter, qos))
    }

    /// One subscription with several filters and one stream for all: see [`crate::Client::subscribe_all`].
    pub fn subscribe_all<F>(&self, filters: impl IntoIterator<Item = F>) -> Request<'_, crate::SubscribeRequest>
    where
        F: Into<Filter>,
    {
        Request::new(self, self.client.subscribe_all(filters))
    }

    /// A subscription to give up by its filter: set what it needs, then [`send`](Request::send) it.
    pub fn unsubscribe<F>(&self, filter: F) -> Request<'_, crate::UnsubscribeRequest>
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        Request::new(self, self.client.unsubscribe(filter))
    }

    /// Subscriptions to give up by their filters, together, and to hear about each: see
    /// [`crate::Client::unsubscribe_all`].
    pub fn unsubscribe_all<F>(&self, filters: impl IntoIterator<Item = F>) -> Request<'_, crate::UnsubscribeAllRequest>
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        Request::new(self, self.client.unsubscribe_all(filters))
    }

    /// Messages that match no live subscription: see [`crate::Client::messages`].
    pub fn messages(&self) -> Messages {
        Messages::new(self.client.messages(), Arc::clone(&self.engine))
    }

    /// Asks the server for a sign of life.
    ///
    /// # Errors
    /// No answer within the request timeout, or the end of the connection.
    pub fn ping(&self) -> Result<(), Error<PingError>> {
        self.engine.run(self.client.ping())?.map_err(Error::Failed)
    }

    /// Waits until every message that was taken before is decided: see [`crate::Client::flush`].
    ///
    /// # Errors
    /// When that takes longer than the request timeout, or the client ends first.
    pub fn flush(&self) -> Result<(), Error<FlushError>> {
        self.wait(self.client.flush())
    }

    /// Finishes what was handed over, for that long at most, then leaves in order: see [`crate::Client::shutdown`].
    ///
    /// # Errors
    /// When messages are left: how many, and why.
    pub fn shutdown(&self, within: Duration) -> Result<(), Error<FlushError>> {
        self.wait(self.client.shutdown(within))
    }

    /// Leaves in order and at once; the server does not publish the will. Later calls fail.
    ///
    /// # Errors
    /// As awaiting [`crate::Client::disconnect`].
    pub fn disconnect(&self) -> Result<(), Error<DisconnectError>> {
        self.wait(self.client.disconnect())
    }

    /// As [`disconnect`](Self::disconnect), with what the DISCONNECT is to say:
    /// `client.disconnect_with(|request| request.publish_will())`.
    ///
    /// # Errors
    /// As awaiting [`crate::Client::disconnect`].
    pub fn disconnect_with(
        &self,
        set: impl FnOnce(DisconnectRequest) -> DisconnectRequest,
    ) -> Result<(), Error<DisconnectError>> {
        self.wait(set(self.client.disconnect()))
    }

    /// Waits for anything that the async client, [`Self::asynchronous`], has to be awaited for.
    ///
    /// # Errors
    /// What it fails with.
    pub fn wait<T, E>(&self, request: impl IntoFuture<Output = Result<T, E>>) -> Result<T, Error<E>>
    where
        E: std::error::Error + 'static,
    {
        self.engine.run(request.into_future())?.map_err(Error::Failed)
    }

    /// The async client behind it.
    #[must_use]
    pub const fn asynchronous(&self) -> &crate::Client {
        &self.client
    }
}
