//! A group of clients.

use serde::{Deserialize, Serialize};

use super::{Extra, Resource};

/// The built-in group of every client; it cannot be created.
pub const ALL_CLIENTS: &str = "$all";

/// A client group: the clients that a query selects.
pub type ClientGroup = Resource<ClientGroupProperties>;

/// The properties of a client group.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct ClientGroupProperties {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The query over attributes and authentication names, see [`crate::query`]. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}
