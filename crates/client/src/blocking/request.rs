//! Requests that are sent by a call that blocks.

use std::sync::Arc;

use gridmq_proto::QoS;

use super::{Client, Error, Subscription, Ticket};
use crate::error::{PublishError, SubscribeError};
use crate::publish::{PublishRequest, Published};
use crate::subscribe::SubscribeRequest;
use crate::unsubscribe::{UnsubscribeAllRequest, UnsubscribeRequest, Unsubscribed};

/// A request of the async client, sent by a call that blocks.
#[derive(Debug)]
#[must_use = "a request is sent by `send`"]
pub struct Request<'a, R> {
    client: &'a Client,
    request: R,
}

impl<'a, R> Request<'a, R> {
    pub(super) const fn new(client: &'a Client, request: R) -> Self {
        Self { client, request }
    }

    /// Sets anything that the async request can be set to: `.with(|request| request.content_type("text/plain"))`.
    pub fn with(self, set: impl FnOnce(R) -> R) -> Self {
        Self { client: self.client, request: set(self.request) }
    }
}

impl Request<'_, PublishRequest> {
    /// Publishes at this QoS; 0 when not called.
    pub fn qos(self, qos: QoS) -> Self {
        self.with(|request| request.qos(qos))
    }

    /// Has the server keep it for those who subscribe later.
    pub fn retain(self, retain: bool) -> Self {
        self.with(|request| request.retain(retain))
    }

    /// Sends it, and waits until it is written (QoS 0) or the server has it (QoS 1 and 2).
    ///
    /// # Errors
    /// As awaiting the [`PublishRequest`].
    pub fn send(self) -> Result<Published, Error<PublishError>> {
        self.client.wait(self.request)
    }

    /// Hands it over without waiting for the server: see [`PublishRequest::enqueue`].
    ///
    /// # Errors
    /// As [`PublishRequest::enqueue`].
    pub fn enqueue(self) -> Result<Ticket, Error<PublishError>> {
        let ticket = self.client.engine.run(self.request.enqueue())?.map_err(Error::Failed)?;
        Ok(Ticket::new(ticket, Arc::clone(&self.client.engine)))
    }
}

impl Request<'_, SubscribeRequest> {
    /// Sends it, and waits for the server's answer.
    ///
    /// # Errors
    /// As awaiting the [`SubscribeRequest`].
    pub fn send(self) -> Result<Subscription, Error<SubscribeError>> {
        let subscription = self.client.wait(self.request)?;
        Ok(Subscription::new(subscription, Arc::clone(&self.client.engine)))
    }
}

impl Request<'_, UnsubscribeRequest> {
    /// Sends it, and waits for the server's answer.
    ///
    /// # Errors
    /// As awaiting the [`UnsubscribeRequest`].
    pub fn send(self) -> Result<(), Error<SubscribeError>> {
        self.client.wait(self.request)
    }
}

impl Request<'_, UnsubscribeAllRequest> {
    /// Sends it, and waits for the server's answers: one for each filter.
    ///
    /// # Errors
    /// As awaiting the [`UnsubscribeAllRequest`].
    pub fn send(self) -> Result<Vec<Unsubscribed>, Error<SubscribeError>> {
        self.client.wait(self.request)
    }
}
