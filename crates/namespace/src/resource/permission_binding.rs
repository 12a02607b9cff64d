//! What ties a group to a topic space.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{Extra, Resource};

/// A permission binding: the clients of a group may publish or subscribe to the topics of a space.
pub type PermissionBinding = Resource<PermissionBindingProperties>;

/// The properties of a permission binding; the three that matter are required.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct PermissionBindingProperties {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// The group that gets the permission; `$all` is every client.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_group_name: Option<String>,
    /// The topic space that the permission is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_space_name: Option<String>,
    /// What the group may do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub permission: Option<Permission>,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

words! {
    /// What a binding permits.
    #[non_exhaustive]
    Permission {
        /// To publish.
        Publisher,
        /// To subscribe.
        Subscriber,
    }
}
