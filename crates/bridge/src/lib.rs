//! A bridge: carries messages between a broker in this process and another broker, or Azure Event Grid.
//!
//! ```text
//!  local broker                              one bridge                                the other broker
//!  session $bridge/NAME ── PUBLISH ──▶ local client ─▶ mapping ─▶ remote client ── PUBLISH ──▶
//!  (its queue is the         ◀─ PUBACK ──────────── after ◀──────────────── PUBACK ──────────
//!   bridge's queue)    ◀── PUBLISH ── local client ◀─ mapping ◀─ remote client ◀── PUBLISH ── its session of us
//!                      ── PUBACK ──▶ ──────────────── then ──────────────── PUBACK ──▶
//! ```
//!
//! Nothing is kept here: a message of QoS 1 or 2 is acknowledged to the broker that it came from when the other one has
//! acknowledged it, so that until then it is the first one's, and as durable as that makes it. See docs/bridge.md and
//! docs/decisions/011-bridge.md.
//!
//! ```no_run
//! use gridmq_bridge::{Bridge, Mapping};
//! use gridmq_broker::{Broker, Listener};
//! use gridmq_client::{Options, QoS};
//!
//! # async fn run() -> Result<(), Box<dyn std::error::Error>> {
//! let bridge = Bridge::new("cloud", Options::new("mqtt://broker.example"))
//!     .out(Mapping::new("#", QoS::AtLeastOnce, "plant/", "sites/berlin/")?)
//!     .inward(Mapping::new("commands/#", QoS::AtLeastOnce, "", "sites/berlin/")?);
//! let (client_id, queue) = bridge.session();
//! let listener = Listener::plain(([127, 0, 0, 1], 1883));
//! let broker = Broker::builder().listener(listener).insider(client_id, queue).start().await?;
//! let running = bridge.start(broker.control()).await?;
//! println!("connected: {}", running.status().connected);
//! running.stop().await;
//! broker.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod bridge;
mod carry;
mod fate;
mod local;
mod mapping;
mod running;
mod status;

pub use bridge::{Bridge, BridgeError, StartError};
pub use local::{CLIENT_ID_PREFIX, discard_others};
pub use mapping::{Mapping, MappingError};
pub use running::Running;
pub use status::{Flow, Handle, Status};
