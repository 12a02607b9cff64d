//! A certificate authority that the namespace trusts.

use serde::{Deserialize, Serialize};

use gridmq_tls::time::Utc;

use super::{Extra, Resource};
use crate::anchors::ca_certificate;

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

impl CaCertificate {
    /// The first and the last second of the certificate's validity, as ARM writes them. `None`: it cannot be read.
    #[must_use]
    pub fn validity(&self) -> Option<(String, String)> {
        let certificate = ca_certificate(self.properties.encoded_certificate.as_deref()?).ok()?;
        Some((Utc(certificate.not_before()).rfc3339(), Utc(certificate.not_after()).rfc3339()))
    }
}
