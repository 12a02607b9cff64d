//! Azure Resource Manager for Event Grid namespaces: resources, their operations, and templates. Nothing here knows HTTP.
//!
//! ```
//! use gridmq_arm::collect::collect;
//! use gridmq_arm::template::{Scope, Template, read_parameters};
//!
//! let template = Template::parse(
//!     r#"{
//!       "parameters": { "device": { "type": "string" } },
//!       "resources": [
//!         // As in a file of Bicep's, or as one writes it.
//!         { "type": "Microsoft.EventGrid/namespaces/clients", "name": "[concat('ns1/', parameters('device'))]" }
//!       ]
//!     }"#,
//! )?;
//! let parameters = read_parameters(r#"{ "device": { "value": "m1" } }"#)?;
//! let scope = Scope {
//!     subscription_id: "00000000-0000-0000-0000-000000000000".into(),
//!     tenant_id: "00000000-0000-0000-0000-000000000000".into(),
//!     resource_group: "local".into(),
//!     location: "local".into(),
//!     deployment_name: "main".into(),
//!     utc_now: "20261124T000000Z".into(),
//!     seed: 1,
//! };
//! let found = collect(&template, &parameters, &scope).map_err(|mut errors| errors.remove(0))?;
//! assert_eq!((&*found.resources.namespace.name, &*found.resources.clients[0].name), ("ns1", "m1"));
//! # Ok::<(), gridmq_arm::template::TemplateError>(())
//! ```
//!
//! # Layout
//! - [`collect`]: the one namespace that a template describes, for a broker that is started with it.
//! - [`plane`]: the control plane: what is answered to a request, and what changes by it.
//! - [`template`]: templates, as files or as `bicep build` makes them: read, evaluated and deployed.
#![warn(clippy::indexing_slicing)]

pub mod collect;
pub mod plane;
pub mod template;
