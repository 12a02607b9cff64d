//! An MQTT 5.0, 3.1.1 and 3.1 client: a cheap handle to clone, and one task that does the work.
//!
//! ```no_run
//! use gridmq_client::{Client, QoS};
//! use gridmq_tls::{Identity, Trust};
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
//! # How it works
//! ```text
//!  Client ── publish ──▶ bounded queue ─▶ ┌────────┐   ┌─────────────────┐
//!         ── subscribe ▶ bounded queue ─▶ │ driver │◀─▶│ session machine │  (gridmq-proto, no I/O)
//!  Message ─ ack ──────▶ inbox ─────────▶ │  task  │   └─────────────────┘
//!  Subscription ◀─ its own buffer ◀────── └────────┘◀─▶ TCP or TLS
//! ```
//! The driver reads what has arrived, decodes all of it and writes once per turn. Nobody has to poll it.
//!
//! # Acknowledgements
//! A message of QoS 1 or 2 is acknowledged when it is taken from its [`Subscription`], or, with
//! [`SubscribeRequest::manual_ack`], when [`Message::ack`] says so; always in the order of receipt [MQTT-4.6.0-2].
//! Until then it counts against the receive maximum, so a slow application holds the server back.
//!
//! # Certificates that change
//! With [`Options::credentials`] each generation of a [`CredentialProvider`](gridmq_tls::CredentialProvider) is a
//! TLS configuration of its own. When a newer one appears, the client stops taking publishes (they wait), lets what it
//! has sent be acknowledged for up to 5 s, leaves with DISCONNECT 0x00 and comes back with the same client identifier
//! and no clean start. What is still unacknowledged is sent again. If the server has lost the session, the client
//! subscribes again and says so. A failed attempt is repeated after 1 s to 60 s (doubling, full jitter) until the
//! certificate that was in use has run out; a server that refuses the new certificate gets the old one meanwhile. Other
//! losses of the connection end it.
//!
//! On MQTT 5.0 the session has to outlive the connection for that. If the application asks for no session expiry, one of
//! twice the connect timeout (60 s at least) is asked for, and taken back when the application disconnects. On MQTT 3.1.1
//! with a clean session the move loses the session.
//!
//! # Limits
//! | what | default |
//! |---|---|
//! | name, TCP, TLS and CONNACK together | 30 s, [`Options::connect_timeout`] |
//! | a publish, subscribe or unsubscribe | 30 s, [`Options::request_timeout`] |
//! | received messages of QoS 1 and 2 that wait for an acknowledgement | 256, [`Options::receive_maximum`] |
//! | a received packet | 16 MiB, [`Options::maximum_packet_size`] |
//! | QoS 0 messages in a stream's buffer; the rest is dropped and counted | 256, [`SubscribeRequest::buffer`] |
//! | published messages of QoS 1 and 2 that the server has not acknowledged; publishing waits beyond | 1,000 or 16 MiB |

mod address;
mod client;
mod clock;
mod connect;
mod disconnect;
mod driver;
pub mod error;
#[cfg(feature = "est")]
pub mod est;
mod events;
mod inbox;
mod link;
mod message;
mod options;
mod publish;
mod queue;
mod receipt;
mod rotation;
mod state;
mod subscribe;
mod subscription;
mod transport;
mod unsubscribe;
mod will;

pub use client::Client;
pub use disconnect::DisconnectRequest;
pub use error::{ConnectError, DisconnectCause, PublishError, SubscribeError};
pub use events::{ConnectionEvent, Events};
pub use message::Message;
pub use options::Options;
pub use publish::{PublishRequest, Published};
pub use state::{ConnectionInfo, ConnectionState};
pub use subscribe::SubscribeRequest;
pub use subscription::{Messages, Subscription};
pub use transport::ByteStream;
pub use unsubscribe::UnsubscribeRequest;
pub use will::Will;

pub use gridmq_proto::packet::RetainHandling;
pub use gridmq_proto::{QoS, ReasonCode, Version};
