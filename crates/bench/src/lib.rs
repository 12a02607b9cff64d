//! Drives any MQTT broker with load, and counts honestly what became of it.
//!
//! A [`Plan`] says everything: how many publish and subscribe, what, how fast, for how long; a
//! [`Scenario`](plan::scenario::Scenario) is a plan with a name. [`run`] carries it out and gives a [`Report`].
//!
//! # What is counted
//! Every message says in its first 16 bytes which it is ([`payload::Stamp`]), and every subscriber remembers of every
//! publisher what it has seen ([`tracker::Tracker`]): so a message that is lost, comes twice, out of order, changed or
//! from somewhere else is known as such. What the broker acknowledged is remembered too: a message that was
//! acknowledged and lost is a broken promise.
//!
//! # How the load is made
//! One thread with a current-thread runtime drives all connections (more on request). A PUBLISH is encoded once; before
//! it is sent again only its identifier and the head of its payload are written. What arrives is scanned, not decoded,
//! unless the plan is strict. So the generator takes little more than the copies of the kernel.

mod link;
mod open;
mod pacer;
pub mod payload;
pub mod plan;
pub mod process;
mod publisher;
mod relay;
mod report;
mod run;
mod scan;
mod shared;
mod subscriber;
mod template;
pub mod tracker;
mod transport;
mod worker;

pub use plan::Plan;
pub use relay::relay;
pub use report::{Bytes, Connects, Error, Generator, Machine, Rate, Report, Rss, Server, Times};
pub use run::{Fault, Observer, Progress, run};
