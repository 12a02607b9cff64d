//! An MQTT 5.0, 3.1.1 and 3.1 client: a cheap handle to clone, and one task that does the work.
//!
//! ```no_run
//! use gridmq_client::tls::{Identity, Trust};
//! use gridmq_client::{Client, QoS};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::builder("mqtts://localhost:8883")
//!     .trust(Trust::only_pem_file("root-ca.pem".as_ref())?)
//!     .identity(Identity::from_pem_files("client1.pem".as_ref(), "client1.key".as_ref())?)
//!     .username("client1-authn-ID")
//!     .client_id("client1-session1")
//!     .connect()
//!     .await?;
//! let mut messages = client.subscribe("contosotopics/topic1", QoS::AtLeastOnce).await?;
//! client.publish("contosotopics/topic1", "hello world!").qos(QoS::AtLeastOnce).await?;
//! if let Some(message) = messages.next().await {
//!     println!("{}: {:?}", message.topic(), message.payload());
//! }
//! client.disconnect().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # How do I …
//! | | |
//! |---|---|
//! | connect to Event Grid | [`Options::event_grid`] |
//! | connect to AWS IoT Core | [`Options::aws_iot`] |
//! | connect to mosquitto | [`Options::plain`]; with TLS as above |
//! | prove who I am by a token | [`auth::JwtAuthenticator`] |
//! | rotate certificates | [`Options::credentials`] |
//! | come back as I want it | [`Reconnect`], [`Decision`] |
//! | queue offline | [`QueueOptions`], [`Ticket`]; over a restart [`store`] |
//! | receive | [`Subscription`], and with handlers [`Subscription::handle`] |
//! | request and respond | [`rpc`] |
//! | finish, and leave in order | [`Client::flush`], [`DisconnectRequest`] |
//! | see what it is doing | [`ConnectionState`], [`Events`], [`metrics::Metrics`] |
//! | test with an in-process broker | [the guide](https://github.com/gridmq/gridmq/blob/main/docs/client.md#test-with-an-in-process-broker) |
//!
//! The [guide](https://github.com/gridmq/gridmq/blob/main/docs/client.md) has all of that and more as examples that are
//! run, and `docs/mqttnet.md` beside it leads from MQTTnet's names to these.
//!
//! # How it works
//! ```text
//!  Client ── publish ──▶ bounded queue ─▶ ┌────────┐   ┌─────────────────┐
//!         ── subscribe ▶ bounded queue ─▶ │ driver │◀─▶│ session machine │  (gridmq-proto, no I/O)
//!  Message ─ ack ──────▶ inbox ─────────▶ │  task  │   └─────────────────┘
//!  Subscription ◀─ its own buffer ◀────── └────────┘◀─▶ TCP, TLS, WebSocket … ; a store
//! ```
//! The driver reads what has arrived, decodes all of it and writes once per turn. Nobody has to poll it. It lives as long
//! as the client, over as many connections as it takes.
//!
//! # Staying connected
//! [`Options::connect`] waits for the first connection and tells why there is none; [`Options::start`] does not wait. From
//! then on the client comes back by itself, as [`Reconnect`] says, until it is told to disconnect or a failure is final.
//! [`Client::state`] says what is so now, [`Client::events`] what happened. Each attempt looks the name up anew, asks for
//! credentials anew and has one deadline over all its stages.
//!
//! The session is resumed: with the same client identifier, without clean start, what is unacknowledged sent again in
//! order. If the server has lost it, that is told, subscriptions are made again, and messages that were not confirmed are
//! published again: at least once at QoS 1; at QoS 2 twice, if the server had the first. On MQTT 5.0 the session has to
//! outlive the connection for that. If the application asks for no session expiry, one of five minutes is asked for, and
//! taken back when the application disconnects. On MQTT 3.1.1 a clean session, the default, is lost with its connection.
//!
//! # Sending
//! A publish is admitted to the session's queue ([`QueueOptions`]), also while there is no connection, and from then on
//! the session owns it: a timeout or a dropped future changes only who hears of the outcome. Awaiting
//! [`Client::publish`] waits for the acknowledgement, [`PublishRequest::enqueue`] for admission only. With a
//! [`store`] the queue survives the process.
//!
//! # Acknowledgements
//! A message of QoS 1 or 2 is acknowledged when it is taken from its [`Subscription`], or, with
//! [`SubscribeRequest::manual_ack`], when [`Message::ack`] says so; always in the order of receipt [MQTT-4.6.0-2].
//! Until then it counts against the receive maximum, which is one for all subscriptions: one that does not take its
//! messages holds the server back for all. Pings and what is sent are not held back.
//!
//! # Certificates that change
//! With [`Options::credentials`] each generation of a [`CredentialProvider`](tls::CredentialProvider) is a
//! TLS configuration of its own. When a newer one appears, the client stops taking publishes (they wait), lets what it
//! has sent be acknowledged for up to 5 s, leaves with DISCONNECT 0x00 and comes back at once. A server that refuses the
//! new certificate gets the old one meanwhile, for as long as that is valid. With [`Reconnect::never`] the move goes on
//! until the certificate that was in use has run out, and any other loss of the connection ends the client.
//!
//! # Features
//! | feature | what for |
//! |---|---|
//! | `tls` (default) | TLS, identities and trust, options from the environment |
//! | `websocket` | `ws://` and `wss://` |
//! | `store` | a session in a file |
//! | `tokens` | tokens from Azure's identity endpoint and OpenID token endpoints |
//! | `watch` | `tls::WatchedFiles`: certificates from files that are watched |
//! | `blocking` | a façade for programs without a runtime |
//! | `est` | certificates renewed over EST (RFC 7030) |
//! | `platform-verifier` | trust what the operating system trusts |
//!
//! # Limits
//! | what | default |
//! |---|---|
//! | an attempt to connect, from the credentials to CONNACK | 30 s, [`Options::connect_timeout`] |
//! | a publish, subscribe or unsubscribe | 30 s, [`Options::request_timeout`], [`PublishRequest::timeout`] |
//! | messages that wait or are unacknowledged | 1,000 and 16 MiB, [`Options::queue`] |
//! | received messages of QoS 1 and 2 that wait for an acknowledgement | 256, [`Options::receive_maximum`] |
//! | a received packet | 16 MiB, [`Options::maximum_packet_size`] |
//! | QoS 0 messages in a stream's buffer; the rest is dropped and counted | 256 and 16 MiB, [`SubscribeRequest::buffer`] |
//! | topic aliases, either way | 16, [`Options::topic_alias_maximum`], [`Options::outbound_topic_aliases`] |
//! | events that wait for a slow reader | 64, [`Client::events`] |
//! | outcomes of messages that nobody awaits | 1,000 and 1 MiB, [`Client::undelivered`] |

mod address;
pub mod auth;
#[cfg(feature = "blocking")]
pub mod blocking;
mod client;
mod clock;
mod connect;
mod disconnect;
mod driver;
#[cfg(feature = "tls")]
pub mod env;
pub mod error;
#[cfg(feature = "est")]
pub mod est;
mod events;
mod flush;
#[cfg(any(feature = "tokens", feature = "est"))]
mod http;
mod inbox;
pub mod inspect;
mod lifecycle;
mod link;
mod message;
pub mod metrics;
mod options;
mod outbox;
mod ping;
pub mod preset;
mod profile;
mod publish;
mod queue;
pub mod raw;
mod receipt;
mod reconnect;
pub mod rpc;
mod secure;
mod shown;
mod state;
pub mod store;
mod subscribe;
mod subscription;
mod template;
#[cfg(feature = "tls")]
pub mod tls;
mod transport;
mod unsubscribe;
mod watch;
mod will;

pub use client::Client;
pub use disconnect::DisconnectRequest;
pub use error::{ConnectError, DisconnectCause, DisconnectError, PublishError, SubscribeError};
pub use events::{ConnectionEvent, Events, Undelivered, UndeliveredMessages};
pub use flush::{FlushError, FlushRequest};
pub use message::{AckToken, Message};
pub use options::Options;
pub use outbox::{Overflow, QueueOptions, QueueStatus};
pub use ping::PingRequest;
pub use publish::{PublishAllRequest, PublishRequest, Published, Ticket};
pub use queue::Shed;
pub use receipt::OnDrop;
pub use reconnect::{Decision, Failure, FailureKind, Reconnect};
pub use state::{ConnectionInfo, ConnectionState, Setback};
pub use subscribe::{Filter, RefusedFilter, SubscribeRequest};
pub use subscription::{GrantedFilter, Messages, Rejection, Subscription, TryNextError};
pub use template::{TemplateError, TopicTemplate};
pub use transport::{AddressFamily, ByteStream, Dialer, Dialing, LocalAddress, Proxy, ServerOrder, Target};
pub use unsubscribe::{UnsubscribeAllRequest, UnsubscribeRequest, Unsubscribed};
pub use will::Will;

pub use bytes::Bytes;
pub use gridmq_proto as proto;
pub use gridmq_proto::message::SubscriptionId;
pub use gridmq_proto::packet::{AckProperties, ConnAckProperties, RetainHandling, UserProperties};
pub use gridmq_proto::session::client::ServerLimits;
pub use gridmq_proto::{
    ByteString, MessageProperties, QoS, ReasonCode, SubscriptionFilter, TopicFilter, TopicName, Version,
};
