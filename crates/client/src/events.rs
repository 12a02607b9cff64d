//! What happens to a connection, one thing after the other.

mod undelivered;

use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use futures_core::Stream;
use gridmq_proto::SubscriptionFilter;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

pub(crate) use self::undelivered::Ledger;
pub use self::undelivered::{Undelivered, UndeliveredMessages};
use crate::error::{AuthError, ConnectError, DisconnectCause};

/// Events that wait for a slow reader; older ones are lost to it.
pub(crate) const BUFFER: usize = 64;

/// Something that happened to a connection. [`ConnectionState`](crate::ConnectionState) says what is so now, and
/// [`Client::undelivered`](crate::Client::undelivered) which messages did not make it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectionEvent {
    /// The server has accepted us: for the first time, or again after the connection was lost.
    Connected {
        /// Whether the server has a session of ours.
        session_present: bool,
    },
    /// An attempt to connect failed.
    AttemptFailed {
        /// Why.
        error: ConnectError,
        /// Attempts that have failed since there was a connection.
        attempts: u32,
        /// When the next one is; absent: there is none.
        retry_in: Option<Duration>,
    },
    /// The connection was lost.
    Lost {
        /// Why.
        cause: DisconnectCause,
        /// When the client tries to come back.
        retry_in: Duration,
    },
    /// The client leaves to come back with another certificate.
    Rotating {
        /// The generation in use until now.
        from: u64,
        /// The newest one.
        to: u64,
    },
    /// An attempt to come back failed.
    RotationFailed {
        /// The generation that it used.
        generation: u64,
        /// Attempts of this move so far.
        attempts: u32,
        /// Why.
        error: ConnectError,
        /// When the next one is; absent: there is none.
        retry_in: Option<Duration>,
    },
    /// The client is back.
    Rotated {
        /// The generation in use from now on. If the server refused the newer one, the old one again.
        generation: u64,
        /// Whether the server still had the session.
        session_present: bool,
    },
    /// The client has proved anew who it is, before the proof before ran out: see [`auth`](crate::auth).
    Reauthenticated,
    /// A new proof of who the client is could not be had. The one in use holds on until it runs out.
    ReauthenticationFailed {
        /// Why.
        error: AuthError,
        /// When the client asks again; absent: what is in use has run out, and the server decides.
        retry_in: Option<Duration>,
    },
    /// The server does not have the session any more (catalogue G11). Subscriptions are made again, and what it had not
    /// acknowledged is published again; messages that it would have kept for this client are lost.
    SessionLost,
    /// A subscription could not be made again; its stream has ended.
    SubscriptionLost {
        /// Which.
        filter: SubscriptionFilter,
    },
    /// The connection is over, and there will be no other.
    Disconnected(DisconnectCause),
    /// So many events were lost to this reader, which was slow. What is so now stands in
    /// [`Client::state`](crate::Client::state).
    Missed(u64),
}

type Received = (Result<ConnectionEvent, RecvError>, Receiver<ConnectionEvent>);

/// The events of one client: see [`Client::events`](crate::Client::events). It is a [`Stream`] too, and ends with the
/// client.
///
/// Who falls behind by more than 64 events is told with [`ConnectionEvent::Missed`] how many of the oldest are lost.
///
/// ```no_run
/// use gridmq_client::{Client, ConnectionEvent};
///
/// # async fn run(client: Client) {
/// let mut events = client.events();
/// while let Some(event) = events.next().await {
///     match event {
///         ConnectionEvent::SessionLost => println!("ask for the present state"),
///         ConnectionEvent::Lost { cause, retry_in } => println!("{cause}; again in {retry_in:?}"),
///         other => println!("{other:?}"),
///     }
/// }
/// # }
/// ```
#[must_use]
pub struct Events(State);

enum State {
    Idle(Receiver<ConnectionEvent>),
    /// The receiver is in there, so that a reader that stops waiting loses nothing.
    Waiting(Pin<Box<dyn Future<Output = Received> + Send + Sync>>),
    Ended,
}

impl Events {
    pub(crate) const fn new(events: Receiver<ConnectionEvent>) -> Self {
        Self(State::Idle(events))
    }

    /// The next event; `None` after the client's end.
    pub async fn next(&mut self) -> Option<ConnectionEvent> {
        poll_fn(|cx| self.poll(cx)).await
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        loop {
            match &mut self.0 {
                State::Ended => return Poll::Ready(None),
                State::Idle(_) => {
                    let State::Idle(mut events) = std::mem::replace(&mut self.0, State::Ended) else { continue };
                    self.0 = State::Waiting(Box::pin(async move { (events.recv().await, events) }));
                }
                State::Waiting(waiting) => {
                    let (event, events) = ready!(waiting.as_mut().poll(cx));
                    let event = match event {
                        Ok(event) => Some(event),
                        Err(RecvError::Lagged(missed)) => Some(ConnectionEvent::Missed(missed)),
                        Err(RecvError::Closed) => None,
                    };
                    self.0 = if event.is_some() { State::Idle(events) } else { State::Ended };
                    return Poll::Ready(event);
                }
            }
        }
    }
}

impl Stream for Events {
    type Item = ConnectionEvent;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ConnectionEvent>> {
        self.get_mut().poll(cx)
    }
}

impl fmt::Debug for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Events").field("ended", &matches!(self.0, State::Ended)).finish_non_exhaustive()
    }
}

/// Where handles get their events from.
#[derive(Debug)]
pub(crate) struct Source {
    /// From the client's start on, for who asks first.
    first: Mutex<Option<Receiver<ConnectionEvent>>>,
    /// Never read; what others are made from.
    later: Receiver<ConnectionEvent>,
}

impl Source {
    /// Of a client that is about to start.
    pub(crate) fn new(events: Receiver<ConnectionEvent>) -> Self {
        Self { first: Mutex::new(Some(events.resubscribe())), later: events }
    }

    pub(crate) fn events(&self) -> Events {
        let first = self.first.lock().unwrap_or_else(PoisonError::into_inner).take();
        Events::new(first.unwrap_or_else(|| self.later.resubscribe()))
    }
}
