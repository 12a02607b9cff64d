//! Event Grid's namespace resources in ARM's JSON shape (Microsoft.EventGrid/namespaces, 2025-02-15).
//!
//! Reading is generous as ARM is: `null` means absent, enumerations ignore case, and members that this crate does not
//! use are kept in `extra` and written back.

mod attributes;
mod ca_certificate;
mod client;
mod client_group;
mod mqtt;
mod namespace;
mod permission_binding;
mod topic_space;
mod words;

pub use attributes::{AttributeValue, Attributes};
pub use ca_certificate::{CaCertificate, CaCertificateProperties};
pub use client::{Client, ClientCertificateAuthentication, ClientProperties, ClientState, ValidationScheme};
pub use client_group::{ALL_CLIENTS, ClientGroup, ClientGroupProperties};
pub use mqtt::{
    AlternativeNameSource, ClientAuthentication, ConfigurationState, CustomDomain, CustomJwtAuthentication,
    DynamicEnrichment, EncodedIssuerCertificate, IssuerCertificate, RoutingEnrichments, StaticEnrichment,
    TopicSpacesConfiguration, UserIdentity, WebhookAuthentication,
};
pub use namespace::{Identity, InboundIpRule, Namespace, NamespaceProperties, Sku, TopicsConfiguration};
pub use permission_binding::{Permission, PermissionBinding, PermissionBindingProperties};
pub use topic_space::{TopicSpace, TopicSpaceProperties};

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

/// Members that are kept but not interpreted.
pub type Extra = Map<String, Value>;

/// ARM's envelope around a child resource of a namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct Resource<P> {
    /// The full ARM id; assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The resource name, unique among its kind in the namespace.
    pub name: String,
    /// The ARM type; assigned by the control plane.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// What the kind is about.
    #[serde(default = "P::default", deserialize_with = "nullable")]
    #[serde(bound(deserialize = "P: Default + Deserialize<'de>"))]
    pub properties: P,
    /// Other members of the envelope (`systemData`, `apiVersion`, …).
    #[serde(flatten)]
    pub extra: Extra,
}

impl<P> Resource<P> {
    /// A resource of that name, as a PUT would create it.
    #[must_use]
    pub fn new(name: impl Into<String>, properties: P) -> Self {
        Self { id: None, name: name.into(), kind: None, properties, extra: Extra::new() }
    }
}

/// Reads `null` as the default value.
pub(crate) fn nullable<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Default + Deserialize<'de>,
{
    Ok(Option::deserialize(deserializer)?.unwrap_or_default())
}

#[cfg(test)]
mod tests;
