//! Requests and responses over MQTT.
//!
//! | scheme | caller | responder | what ties a response to its request |
//! |---|---|---|---|
//! | response topic and correlation data (MQTT 5.0 §4.10), as in Microsoft's `MqttApplicationSamples` | [`Caller`] | [`Responder::new`] | correlation data of 16 bytes |
//! | topics of MQTTnet's RPC extension: `MQTTnet.RPC/{id}/{method}` and `…/response`, also on 3.1.1 | [`MqttNetCaller`] | [`Responder::mqttnet`] | the topic, of which each call has one of its own |
//!
//! ```no_run
//! use gridmq_client::rpc::{CallFailure, Caller, Reply, Responder};
//! use gridmq_client::{Client, TopicTemplate};
//!
//! # async fn run(client: Client) -> Result<(), Box<dyn std::error::Error>> {
//! let responder = Responder::new(&client, "vehicles/vehicle03/command/+/request").await?;
//! tokio::spawn(responder.serve(|request| async move {
//!     match request.topic().levels().nth(3) {
//!         Some("unlock") => Ok(Reply::new("unlocked")),
//!         _ => Err(CallFailure::new("there is no such command").status(404)),
//!     }
//! }));
//!
//! let request = TopicTemplate::parse("vehicles/{vehicle}/command/{name}/request")?;
//! let response = TopicTemplate::parse("vehicles/{vehicle}/command/{name}/response")?;
//! let caller = Caller::new(&client, &request, &response).await?;
//! let answer = caller.call([("vehicle", "vehicle03"), ("name", "unlock")], "please").await?;
//! println!("{:?}", answer.text());
//! # Ok(())
//! # }
//! ```
//!
//! # Failures
//! A responder says that it failed by the user property `status`, a number outside 200 to 299, with words in the
//! payload; the caller gets it as [`CallError::Failed`]. The MQTTnet scheme has no failures on 3.1.1: the caller waits
//! until its time is up.
//!
//! # Connections that come and go
//! The subscriptions are the client's, so they are made again when a session was lost. A response that the server had
//! for the lost session is lost: its call ends by its timeout.
//!
//! # Limits
//! | what | default |
//! |---|---|
//! | a call, from the wait for its turn to the response | 30 s, [`CallerRequest::timeout`], [`CallRequest::timeout`] |
//! | calls at once; the next waits | 1,000, [`CallerRequest::concurrency`] |
//! | ended calls that a late response is told from an unknown one by | 1,024 |
//! | handlers at once; further requests wait unacknowledged | 16, [`ResponderRequest::concurrency`] |
//! | a handler, or until the request expires | 30 s, [`ResponderRequest::timeout`] |
//! | requests that are known again by their correlation data | those of 5 min, 1,024 at most |
//! | replies kept to answer such a request once more | 1 MiB together |

mod caller;
mod error;
mod listener;
mod memory;
mod mqttnet;
mod responder;

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::ByteString;

pub use self::caller::{CallRequest, Caller, CallerRequest, Response};
pub use self::error::{CallError, RpcError};
pub use self::listener::Strays;
pub use self::mqttnet::{MqttNetCall, MqttNetCaller};
pub use self::responder::{Counters, Request, Responder, ResponderRequest};

use crate::message::Message;
use crate::shown::Length;

/// How long a call or a handler may take.
const TIMEOUT: Duration = Duration::from_secs(30);
/// The user property that says how it went, of which no peer minds the case.
const STATUS: &str = "status";

/// What a responder answers.
#[derive(Clone)]
#[must_use]
pub struct Reply {
    payload: Bytes,
    content_type: Option<ByteString>,
    user_properties: Vec<(ByteString, ByteString)>,
    status: u16,
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Reply");
        shown.field("status", &self.status).field("payload", &Length(self.payload.len()));
        shown.field("content_type", &self.content_type.is_some());
        shown.field("user_properties", &self.user_properties.len()).finish()
    }
}

impl Reply {
    /// A reply with that payload and the status 200.
    pub fn new(payload: impl Into<Bytes>) -> Self {
        Self { payload: payload.into(), content_type: None, user_properties: Vec::new(), status: 200 }
    }

    /// The MIME type of the payload (MQTT 5.0 only).
    pub fn content_type(mut self, content_type: impl Into<ByteString>) -> Self {
        self.content_type = Some(content_type.into());
        self
    }

    /// Adds a user property (MQTT 5.0 only).
    pub fn user_property(mut self, name: impl Into<ByteString>, value: impl Into<ByteString>) -> Self {
        self.user_properties.push((name.into(), value.into()));
        self
    }

    fn weight(&self) -> usize {
        let properties = self.user_properties.iter().map(|(name, value)| name.len() + value.len());
        self.payload.len() + properties.sum::<usize>()
    }
}

/// That a responder could not do it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub struct CallFailure {
    status: u16,
    words: String,
}

impl CallFailure {
    /// A failure with words for people and the status 500.
    pub fn new(words: impl Into<String>) -> Self {
        Self { status: 500, words: words.into() }
    }

    /// Another status. One from 200 to 299 would be a success, and counts as 500.
    pub fn status(mut self, status: u16) -> Self {
        self.status = if (200..300).contains(&status) { 500 } else { status };
        self
    }
}

impl From<CallFailure> for Reply {
    fn from(CallFailure { status, words }: CallFailure) -> Self {
        Self { status, ..Self::new(words) }
    }
}

/// The status that a response carries.
fn status(message: &Message) -> Option<u16> {
    let properties = &message.properties().user_properties;
    properties.iter().find(|(name, _)| name.eq_ignore_ascii_case(STATUS)).and_then(|(_, value)| value.parse().ok())
}
