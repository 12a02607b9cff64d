//! Azure Event Grid's namespace as pure functions: who may connect, publish and subscribe, and why.
//!
//! Resources in ARM's JSON shape become a [`Policy`]; a [`gate::Gate`] over it turns decisions into tokens that the
//! broker demands. Nothing here does I/O, reads a clock or blocks.
//!
//! ```
//! use std::sync::Arc;
//!
//! use gridmq_namespace::gate::{ConnectRequest, DecisionCache, Gate, Transport};
//! use gridmq_namespace::{Policy, Resources};
//! use gridmq_proto::TopicName;
//! use gridmq_proto::time::Wall;
//!
//! let resources = Resources::from_json(
//!     r#"{
//!       "clients": [{ "name": "m1" }],
//!       "topicSpaces": [
//!         { "name": "own", "properties": { "topicTemplates": ["machines/${client.authenticationName}/#"] } }
//!       ],
//!       "permissionBindings": [{ "name": "own-pub", "properties":
//!         { "clientGroupName": "$all", "topicSpaceName": "own", "permission": "Publisher" } }]
//!     }"#,
//! )?;
//! let gate = Gate::new(Arc::new(Policy::compile(resources, 1).expect("from_json has validated it")));
//! let request = ConnectRequest {
//!     username: Some("m1"),
//!     ..ConnectRequest::new("session1", Transport::Plain { trusted: true })
//! };
//! let admission = gate.admit(&request, Wall::from_millis(0))?;
//!
//! let mut cache = DecisionCache::new();
//! assert!(gate.publish(&admission, &mut cache, &TopicName::try_from("machines/m1/temperature")?, "21.5").is_ok());
//! let denied = gate.publish(&admission, &mut cache, &TopicName::try_from("machines/m2/temperature")?, "21.5");
//! println!("{}", denied.unwrap_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Layout
//! - [`resource`]: the resources, one type each.
//! - [`document`]: a whole namespace as one JSON document, read, validated and written.
//! - [`limits`]: the documented limits of resources, one row each.
//! - [`query`]: the queries of client groups.
//! - [`policy`]: resources compiled for deciding; `event_grid` decides.
//! - [`open`]: rules without a namespace: users, access rules and a brake on guessing, or none of them.
//! - [`principal`]: who is connected, and what that gives it.
//! - [`explain`]: why a decision came out as it did.
//! - [`gate`]: rules, and the tokens that prove their decisions.
//! - [`profile`]: what holds for connections and sessions.
#![warn(clippy::indexing_slicing)]

mod anchors;
pub mod document;
mod event_grid;
pub mod explain;
mod fold;
pub mod gate;
pub mod limits;
pub mod open;
pub mod policy;
pub mod principal;
pub mod profile;
pub mod query;
pub mod resource;
mod shown;
mod variables;

pub use document::{LoadError, ResourceProblem, Resources};
pub use gate::{Admission, Authorized, Denied, Gate, Refusal, Rules, Verdict};
pub use open::Open;
pub use policy::Policy;
pub use principal::Principal;
