//! A certificate authority that the namespace trusts.

use serde::{Deserialize, Serialize};

use super::{Extra, Resource};

/// A CA certificate: a root, or an intermediate that is trusted by itself.
pub type CaCertificate = Resource<CaCertificateProperties>;

/// The properties of a CA certificate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct CaCertificateProperties {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// One certificate in PEM, with or without its line breaks. Required.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoded_certificate: Option<String>,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issue_time_in_utc: Option<String>,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expiry_time_in_utc: Option<String>,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}
