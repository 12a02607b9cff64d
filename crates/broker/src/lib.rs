//! An MQTT broker as a library: it starts in one call, and decides as the rules that it is given decide.
//!
//! ```no_run
//! # async fn start(tls: gridmq_tls::ServerConfig) -> Result<(), gridmq_broker::StartError> {
//! use gridmq_broker::{Broker, Listener};
//!
//! let broker = Broker::builder().listener(Listener::tls(([127, 0, 0, 1], 8883), tls)).start().await?;
//! println!("listening on {:?}", broker.addresses());
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Layout
//! - [`Builder`], [`Listener`], [`Broker`]: what a program sees.
//! - `worker`: one thread per core, each a current-thread runtime that owns its connections and their sessions.
//! - `connection`: one task per connection; moves bytes between its socket and its worker.
//! - `mailbox`: what workers send each other, in batches over bounded queues.
//! - `directory`: which worker has a session; take-over.
//! - `index`, `retained`: what workers share.
//! - `tables`, `revive`: what the store keeps of sessions and retained messages, and how a start takes it up.
//! - [`hooks`]: what a program decides itself.
//! - [`control`]: sessions, retained messages and injected messages, for the program.
//! - [`events`]: what happens, as a stream.
//! - `credentials`: the certificates of listeners, and how they are replaced.
//! - `acceptor`: takes connections and deals them to workers in turn.
//! - `entrance`: what comes before MQTT, each step in a module of its own: `proxy`, `handshakes` and TLS, `websocket`.

mod acceptor;
mod broker;
mod builder;
mod by_slot;
mod clock;
mod computing;
mod connection;
pub mod control;
mod credentials;
mod directory;
mod entrance;
pub mod events;
#[doc(hidden)]
pub mod fuzzing;
mod handshakes;
pub mod hooks;
mod index;
mod insider;
mod listener;
mod live;
mod mailbox;
#[cfg(any(test, feature = "measure"))]
#[doc(hidden)]
pub mod measure;
mod monitor;
mod observer;
mod peer;
mod proxy;
mod retained;
mod revive;
mod routed;
mod shared;
mod stats;
mod store_status;
mod strategy;
mod stream;
mod sys;
mod tables;
mod trace;
mod websocket;
mod worker;

pub use broker::Broker;
pub use builder::{Builder, Limits, StartError};
pub use control::Control;
pub use credentials::{ListenerCredentials, SetTlsError};
pub use events::{Event, Events};
pub use insider::Stopped;
#[cfg(unix)]
pub use listener::UnixSocket;
pub use listener::{ListenAddress, Listener, ListenerLimits};
pub use monitor::{Health, Monitor};
pub use observer::{ConnectionId, Observer, Occurrence};
pub use peer::PeerAddress;
pub use proxy::{Network, NetworkError, ProxyProtocol};
pub use stats::Stats;
pub use store_status::StoreStatus;
pub use strategy::SharedStrategy;
pub use trace::{MAX_TRACE_TIME, MAX_TRACES, TraceError, TraceTarget};
pub use websocket::WebSocket;
