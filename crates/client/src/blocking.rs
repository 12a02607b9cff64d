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
//! Inside an async runtime, in its tasks and in its `spawn_blocking`, every call fails with [`Error::InsideRuntime`] and
//! does nothing: it would stop the tasks beside it. There, use the [async client](crate::Client), or a thread of your
//! own.

mod engine;
mod error;
mod request;
mod subscription;

use std::future::IntoFuture;
use std::sync::Arc;

use bytes::Bytes;
use gridmq_proto::{QoS, SubscriptionFilter, TopicName};

use self::engine::Engine;
pub use self::error::{Error, TimedOut};
pub use self::request::Request;
pub use self::subscription::{Messages, Subscription};
use crate::error::{ConnectError, DisconnectCause, PingError, PublishError, SubscribeError};
use crate::options::Options;

/// A client whose calls block: a handle, cheap to clone, for any number of threads.
///
/// When the last handle and the last stream of messages are dropped, the client disconnects in order. That takes 3 s
/// at most; inside an async runtime it is done in the background.
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

    /// A message to publish: set what it needs, then [`send`](Request::send) it.
    pub fn publish<T>(&self, topic: T, payload: impl Into<Bytes>) -> Request<'_, crate::PublishRequest>
    where
        T: TryInto<TopicName>,
        T::Error: Into<PublishError>,
    {
        Request::new(self, self.client.publish(topic, payload))
    }

    /// A subscription to make, `qos` at most: set what it needs, then [`send`](Request::send) it.
    pub fn subscribe<F>(&self, filter: F, qos: QoS) -> Request<'_, crate::SubscribeRequest>
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        Request::new(self, self.client.subscribe(filter, qos))
    }

    /// A subscription to give up by its filter: set what it needs, then [`send`](Request::send) it.
    pub fn unsubscribe<F>(&self, filter: F) -> Request<'_, crate::UnsubscribeRequest>
    where
        F: TryInto<SubscriptionFilter>,
        F::Error: Into<SubscribeError>,
    {
        Request::new(self, self.client.unsubscribe(filter))
    }

    /// Messages that match no live subscription: see [`crate::Client::messages`].
    #[must_use]
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

    /// Leaves in order; the server does not publish the will. Later calls fail.
    ///
    /// # Errors
    /// As awaiting [`crate::Client::disconnect`].
    pub fn disconnect(&self) -> Result<(), Error<DisconnectCause>> {
        self.wait(self.client.disconnect())
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

    /// The async client behind it: for its state, what its connection agreed on, its events.
    #[must_use]
    pub const fn asynchronous(&self) -> &crate::Client {
        &self.client
    }
}
