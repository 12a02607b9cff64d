//! What a program that embeds the broker can decide.
//!
//! Rules say who may do what; hooks come after them and have the last word. There are two tiers:
//!
//! - A [`Hook`] is synchronous. It is called on the worker's thread, on the hot path, and must not block.
//! - An [`AsyncHook`] answers with a future. It is asked at CONNECT and SUBSCRIBE, where the client waits for a decision
//!   anyway, and at PUBLISH, where the one connection that published is not read from until it has answered.
//!
//! A stage that no hook wants costs one branch. Every answer is a value that says what to do and, where it refuses, what
//! the client is told. Hooks must not panic: it would end the connection's task.
//!
//! ```
//! use gridmq_broker::hooks::{Caller, Hook, Publication, PublishDecision, Refused, Stages};
//! use gridmq_proto::ReasonCode;
//!
//! /// Nobody publishes more than 100 bytes to `small/…`.
//! #[derive(Debug)]
//! struct Small;
//!
//! impl Hook for Small {
//!     fn stages(&self) -> Stages {
//!         Stages { publish: true, ..Stages::NONE }
//!     }
//!
//!     fn publish(&self, _caller: &Caller, publication: &Publication) -> PublishDecision {
//!         if publication.message.topic.as_str().starts_with("small/") && publication.message.payload.len() > 100 {
//!             return Refused::new(ReasonCode::QuotaExceeded).words("at most 100 bytes go to small/…").into();
//!         }
//!         PublishDecision::Route
//!     }
//! }
//!
//! let builder = gridmq_broker::Broker::builder().hook(std::sync::Arc::new(Small));
//! ```

mod connecting;
mod decision;

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_namespace::Principal;
use gridmq_proto::packet::SubscribeOptions;
use gridmq_proto::{Message, QoS, SubscriptionFilter, Version};

use crate::observer::ConnectionId;

pub use connecting::Connecting;
pub use decision::{
    ConnectDecision, DeliverDecision, PublishDecision, Refused, SubscribeDecision, UnsubscribeDecision, Welcome,
};

/// A decision that comes later. It runs on the worker's thread: it may await, and must not block. It is dropped when the
/// connection ends before it is done, and given up after [`Limits::decision_timeout`](crate::Limits::decision_timeout).
pub type Later<T> = Pin<Box<dyn Future<Output = T>>>;

/// Who does something.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Caller {
    /// The connection; `None` for the program that embeds the broker.
    pub connection: Option<ConnectionId>,
    /// The session's name.
    pub client_id: ByteString,
    /// Who it was admitted as.
    pub principal: Arc<Principal>,
    /// What it speaks.
    pub version: Version,
}

/// A message on its way from a publisher into the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "hooks build it field by field")]
pub struct Publication {
    /// The message.
    pub message: Message,
    /// Its QoS.
    pub qos: QoS,
    /// Whether it is to be retained.
    pub retain: bool,
}

/// A subscription that the rules allow.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "plain data")]
pub struct Wanted {
    /// The filter, shared or not.
    pub filter: SubscriptionFilter,
    /// What was asked for, the QoS at the most that the broker grants.
    pub options: SubscribeOptions,
}

/// A session that is about to get a message.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct Receiver<'a> {
    /// Its name.
    pub client_id: &'a ByteString,
    /// Who it was last admitted as; `None` for a session that was stored and whose client has not come back.
    pub principal: Option<&'a Arc<Principal>>,
    /// The QoS of the delivery.
    pub qos: QoS,
    /// Whether it comes from the retained messages.
    pub retained: bool,
}

/// Why a session has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum SessionEnd {
    /// It was not to outlive its connection.
    WithConnection,
    /// Its time was over.
    Expired,
    /// Its client asked for a new one.
    Replaced,
    /// Its queue was full.
    Overflowed,
    /// The rules no longer admit its client.
    NotAdmitted,
    /// The program that embeds the broker ended it.
    Discarded,
}

/// Which stages a hook wants to see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::exhaustive_structs, reason = "hooks build it over a constant")]
pub struct Stages {
    /// [`connect`](Hook::connect).
    pub connect: bool,
    /// [`publish`](Hook::publish).
    pub publish: bool,
    /// [`subscribe`](Hook::subscribe) and [`unsubscribe`](Hook::unsubscribe).
    pub subscribe: bool,
    /// [`deliver`](Hook::deliver): once for each message and each session that gets it.
    pub deliver: bool,
    /// [`disconnected`](Hook::disconnected) and [`session_ended`](Hook::session_ended).
    pub end: bool,
}

impl Stages {
    /// Every stage.
    pub const ALL: Self = Self { connect: true, publish: true, subscribe: true, deliver: true, end: true };
    /// None.
    pub const NONE: Self = Self { connect: false, publish: false, subscribe: false, deliver: false, end: false };
}

/// Decides at once. See the [module](self).
pub trait Hook: Send + Sync + Debug {
    /// Which functions are called; asked once, when it is added. Default: all.
    fn stages(&self) -> Stages {
        Stages::ALL
    }

    /// A client that the rules admit wants to come in. Default: it may.
    fn connect(&self, connecting: &Connecting) -> ConnectDecision {
        let _ = connecting;
        ConnectDecision::default()
    }

    /// A message that the rules allow is about to be routed; a will too, and what the program injects. Default: it is.
    fn publish(&self, caller: &Caller, publication: &Publication) -> PublishDecision {
        let _ = (caller, publication);
        PublishDecision::Route
    }

    /// A subscription that the rules allow is about to be made. Default: it is.
    fn subscribe(&self, caller: &Caller, wanted: &Wanted) -> SubscribeDecision {
        let _ = (caller, wanted);
        SubscribeDecision::Grant
    }

    /// A subscription is about to be given up. Default: it is.
    fn unsubscribe(&self, caller: &Caller, filter: &SubscriptionFilter) -> UnsubscribeDecision {
        let _ = (caller, filter);
        UnsubscribeDecision::Remove
    }

    /// A session is about to get a message, online or not. Called on the worker of the session. What was withheld
    /// counts as delivered; of a shared subscription, no other member gets it. Default: it gets it.
    fn deliver(&self, receiver: &Receiver<'_>, message: &Message) -> DeliverDecision {
        let _ = (receiver, message);
        DeliverDecision::Deliver
    }

    /// A connection whose client was in has ended.
    fn disconnected(&self, caller: &Caller, why: &str) {
        let _ = (caller, why);
    }

    /// A session has ended, with its subscriptions and messages.
    fn session_ended(&self, client_id: &str, end: SessionEnd) {
        let _ = (client_id, end);
    }
}

/// Decides later. Each function answers `None` where there is nothing to wait for, which is the default; it is asked
/// after every [`Hook`].
///
/// ```
/// use std::sync::Arc;
/// use gridmq_broker::hooks::{AsyncHook, ConnectDecision, Connecting, Later, Refused};
/// use gridmq_proto::ReasonCode;
///
/// #[derive(Debug)]
/// struct Accounts;
///
/// impl AsyncHook for Accounts {
///     fn connect(&self, connecting: &Arc<Connecting>) -> Option<Later<ConnectDecision>> {
///         let connecting = Arc::clone(connecting);
///         Some(Box::pin(async move {
///             // Ask a database here.
///             match connecting.username.as_deref() {
///                 Some("ann") => ConnectDecision::default(),
///                 _ => Refused::new(ReasonCode::NotAuthorized).words("no account").into(),
///             }
///         }))
///     }
/// }
///
/// let builder = gridmq_broker::Broker::builder().async_hook(Arc::new(Accounts));
/// ```
pub trait AsyncHook: Send + Sync + Debug {
    /// Which functions are called; asked once, when it is added. Default: [`connect`](Self::connect) and
    /// [`subscribe`](Self::subscribe).
    fn stages(&self) -> Stages {
        Stages { connect: true, subscribe: true, ..Stages::NONE }
    }

    /// As [`Hook::connect`].
    fn connect(&self, connecting: &Arc<Connecting>) -> Option<Later<ConnectDecision>> {
        let _ = connecting;
        None
    }

    /// As [`Hook::subscribe`], for all filters of a SUBSCRIBE that are allowed so far: one answer each, in their order.
    /// A missing one refuses.
    fn subscribe(&self, caller: &Caller, wanted: &[Wanted]) -> Option<Later<Vec<SubscribeDecision>>> {
        let _ = (caller, wanted);
        None
    }

    /// As [`Hook::publish`], for what clients publish: wills and injected messages do not wait. A future delays every
    /// later packet of that connection. The message is routed, or not, even if the connection ends meanwhile. It has to
    /// be asked for by [`stages`](Self::stages).
    fn publish(&self, caller: &Caller, publication: &Publication) -> Option<Later<PublishDecision>> {
        let _ = (caller, publication);
        None
    }
}

/// The hooks of a broker, by stage.
#[derive(Debug, Default)]
pub(crate) struct Hooks {
    pub(crate) connect: Vec<Arc<dyn Hook>>,
    pub(crate) publish: Vec<Arc<dyn Hook>>,
    pub(crate) subscribe: Vec<Arc<dyn Hook>>,
    pub(crate) deliver: Vec<Arc<dyn Hook>>,
    pub(crate) end: Vec<Arc<dyn Hook>>,
    pub(crate) connect_later: Vec<Arc<dyn AsyncHook>>,
    pub(crate) publish_later: Vec<Arc<dyn AsyncHook>>,
    pub(crate) subscribe_later: Vec<Arc<dyn AsyncHook>>,
}

impl Hooks {
    pub(crate) fn add(&mut self, hook: &Arc<dyn Hook>) {
        let Stages { connect, publish, subscribe, deliver, end } = hook.stages();
        for (wanted, stage) in [
            (connect, &mut self.connect),
            (publish, &mut self.publish),
            (subscribe, &mut self.subscribe),
            (deliver, &mut self.deliver),
            (end, &mut self.end),
        ] {
            stage.extend(wanted.then(|| Arc::clone(hook)));
        }
    }

    pub(crate) fn add_later(&mut self, hook: &Arc<dyn AsyncHook>) {
        let Stages { connect, publish, subscribe, .. } = hook.stages();
        for (wanted, stage) in [
            (connect, &mut self.connect_later),
            (publish, &mut self.publish_later),
            (subscribe, &mut self.subscribe_later),
        ] {
            stage.extend(wanted.then(|| Arc::clone(hook)));
        }
    }

    pub(crate) const fn is_silent_at_publish(&self) -> bool {
        self.publish.is_empty() && self.publish_later.is_empty()
    }

    /// What the synchronous hooks say of a publish: each sees what the one before has made of it.
    pub(crate) fn publish(&self, caller: &Caller, publication: &mut Publication) -> PublishDecision {
        for hook in &self.publish {
            match hook.publish(caller, publication) {
                PublishDecision::Route => {}
                PublishDecision::RouteAs(other) => *publication = *other,
                decision => return decision,
            }
        }
        PublishDecision::Route
    }

    /// The asynchronous hooks' say, if there is anything to wait for; the publication comes back with it.
    pub(crate) fn publish_later(&self, caller: &Caller, publication: &Publication) -> Option<Later<PublishDecision>> {
        let futures: Vec<_> = self.publish_later.iter().filter_map(|hook| hook.publish(caller, publication)).collect();
        (!futures.is_empty()).then(|| {
            Box::pin(async move {
                let mut made = PublishDecision::Route;
                for future in futures {
                    match future.await {
                        PublishDecision::Route => {}
                        PublishDecision::RouteAs(other) => made = PublishDecision::RouteAs(other),
                        decision => return decision,
                    }
                }
                made
            }) as Later<_>
        })
    }
}
