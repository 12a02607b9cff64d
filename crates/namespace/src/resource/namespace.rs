//! The namespace itself.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::mqtt::{ConfigurationState, CustomDomain, TopicSpacesConfiguration};
use super::{Extra, nullable};

/// A namespace in ARM's envelope.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct Namespace {
    /// The full ARM id; assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// 3 to 50 letters, digits and hyphens.
    pub name: String,
    /// The ARM type; assigned by the control plane.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// The owner's labels.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// The capacity in throughput units.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sku: Option<Sku>,
    /// The managed identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// What the namespace is about.
    #[serde(default, deserialize_with = "nullable")]
    pub properties: NamespaceProperties,
    /// Other members of the envelope.
    #[serde(flatten)]
    pub extra: Extra,
}

impl Namespace {
    /// A namespace of that name with the MQTT broker enabled and every default.
    #[must_use]
    pub fn enabled(name: impl Into<String>) -> Self {
        let topic_spaces_configuration =
            TopicSpacesConfiguration { state: ConfigurationState::Enabled, ..TopicSpacesConfiguration::default() };
        Self {
            name: name.into(),
            properties: NamespaceProperties {
                topic_spaces_configuration: Some(topic_spaces_configuration),
                ..NamespaceProperties::default()
            },
            ..Self::default()
        }
    }

    /// The host name of its MQTT broker: the one that the control plane assigned, else one of that form.
    #[must_use]
    pub fn mqtt_hostname(&self) -> String {
        let mqtt = self.properties.topic_spaces_configuration.as_ref();
        mqtt.and_then(|mqtt| mqtt.hostname.clone()).unwrap_or_else(|| self.hostname("ts."))
    }

    /// As [`mqtt_hostname`](Self::mqtt_hostname), of its topics.
    #[must_use]
    pub fn http_hostname(&self) -> String {
        let topics = self.properties.topics_configuration.as_ref();
        topics.and_then(|topics| topics.hostname.clone()).unwrap_or_else(|| self.hostname(""))
    }

    fn hostname(&self, service: &str) -> String {
        let region = self.location.as_deref().unwrap_or("local");
        let region: String = region.chars().filter(|c| !c.is_whitespace()).collect();
        format!("{}.{region}-1.{service}eventgrid.azure.net", self.name).to_lowercase()
    }

    /// Throughput units, 1 where none were given.
    #[must_use]
    pub fn throughput_units(&self) -> u32 {
        self.sku.as_ref().and_then(|sku| sku.capacity).unwrap_or(1)
    }
}

/// The capacity of a namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct Sku {
    /// `Standard`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Throughput units, 1 to 40; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A managed identity of ARM.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct Identity {
    /// `None`, `SystemAssigned`, `UserAssigned` or `SystemAssigned, UserAssigned`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The user-assigned identities by id.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "BTreeMap::is_empty")]
    pub user_assigned_identities: BTreeMap<String, serde_json::Value>,
    /// Other members (`principalId`, `tenantId`).
    #[serde(flatten)]
    pub extra: Extra,
}

/// The properties of a namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct NamespaceProperties {
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// The HTTP part.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topics_configuration: Option<TopicsConfiguration>,
    /// The MQTT part; without it the MQTT broker is disabled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic_spaces_configuration: Option<TopicSpacesConfiguration>,
    /// No effect here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub is_zone_redundant: Option<bool>,
    /// `Enabled`, `Disabled` or `SecuredByPerimeter`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_network_access: Option<String>,
    /// The addresses that may connect.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub inbound_ip_rules: Vec<InboundIpRule>,
    /// Only 1.2 is supported by Azure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_tls_version_allowed: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The addresses that may connect.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct InboundIpRule {
    /// CIDR notation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ip_mask: Option<String>,
    /// `Allow`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub action: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// The HTTP part of a namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct TopicsConfiguration {
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Own host names.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub custom_domains: Vec<CustomDomain>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}
