//! A registered client.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{Attributes, Extra, Resource, nullable};

/// A client: who may connect, and how it proves that.
pub type Client = Resource<ClientProperties>;

impl Client {
    /// The authentication name in its original case; the resource name where none was given.
    #[must_use]
    pub fn authentication_name(&self) -> &str {
        self.properties.authentication_name.as_deref().unwrap_or(&self.name)
    }
}

/// The properties of a client; all are optional.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct ClientProperties {
    /// Free text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// 1 to 128 characters, unique ignoring case; defaults to the resource name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub authentication_name: Option<String>,
    /// How the client's certificate is judged.
    #[serde(default, deserialize_with = "nullable")]
    pub client_certificate_authentication: ClientCertificateAuthentication,
    /// A disabled client is refused.
    #[serde(default, deserialize_with = "nullable")]
    pub state: ClientState,
    /// What groups' queries and topic templates can refer to; less than 4 KB in all.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Attributes::is_empty")]
    pub attributes: Attributes,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provisioning_state: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How a client's certificate is judged.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct ClientCertificateAuthentication {
    /// Which field of the certificate names the client.
    #[serde(default, deserialize_with = "nullable")]
    pub validation_scheme: ValidationScheme,
    /// One or two thumbprints in hexadecimal, for [`ValidationScheme::ThumbprintMatch`] only.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub allowed_thumbprints: Vec<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

words! {
    /// Whether a client may connect at all.
    #[derive(Default)]
    #[non_exhaustive]
    ClientState {
        /// It may.
        #[default]
        Enabled,
        /// It may not.
        Disabled,
    }
}

words! {
    /// Which field of the certificate must name the client, or that its thumbprint is registered.
    #[derive(Default)]
    #[non_exhaustive]
    ValidationScheme {
        /// The subject: its common name, or the whole distinguished name.
        #[default]
        SubjectMatchesAuthenticationName,
        /// A DNS name among the subject alternative names.
        DnsMatchesAuthenticationName,
        /// A URI among the subject alternative names.
        UriMatchesAuthenticationName,
        /// An IP address among the subject alternative names.
        IpMatchesAuthenticationName,
        /// An e-mail address among the subject alternative names.
        EmailMatchesAuthenticationName,
        /// The certificate's thumbprint; no CA is needed.
        ThumbprintMatch,
    }
}
