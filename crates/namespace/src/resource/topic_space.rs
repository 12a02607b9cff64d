//! A set of topics.

use serde::{Deserialize, Serialize};

use super::{Extra, Resource, nullable};

/// A topic space: the topics that its templates match.
pub type TopicSpace = Resource<TopicSpaceProperties>;

/// The properties of a topic space.
///
/// The former `subscriptionSupport` has no effect and is kept in `extra`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct TopicSpaceProperties {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 to 10 topic filters that may hold variables such as `${client.authenticationName}`.
    #[serde(default, deserialize_with = "nullable")]
    pub topic_templates: Vec<String>,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}
