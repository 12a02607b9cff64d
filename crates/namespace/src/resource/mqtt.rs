//! The MQTT part of a namespace.

use serde::{Deserialize, Serialize};

use super::words::words;
use super::{Extra, nullable};

/// The MQTT part of a namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct TopicSpacesConfiguration {
    /// Whether there is an MQTT broker; ARM's default is that there is none.
    #[serde(default, deserialize_with = "nullable")]
    pub state: ConfigurationState,
    /// Assigned by the control plane.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// The event topic that messages are routed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_topic_resource_id: Option<String>,
    /// What is added to routed messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_enrichments: Option<RoutingEnrichments>,
    /// Who routes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub routing_identity_info: Option<UserIdentity>,
    /// Hours, 1 to 8; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_session_expiry_in_hours: Option<u32>,
    /// 1 to 100; default 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum_client_sessions_per_authentication_name: Option<u32>,
    /// How clients authenticate beside the username and certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client_authentication: Option<ClientAuthentication>,
    /// Own host names.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub custom_domains: Vec<CustomDomain>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// What is added to routed messages.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct RoutingEnrichments {
    /// Fixed values.
    #[serde(default, rename = "static", deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub fixed: Vec<StaticEnrichment>,
    /// Values taken from the client or the message.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub dynamic: Vec<DynamicEnrichment>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A fixed enrichment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct StaticEnrichment {
    /// The attribute's name.
    pub key: String,
    /// `String`, in any case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value_type: Option<String>,
    /// The value.
    pub value: String,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An enrichment that is taken from the client or the message.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(expecting = "an object")]
pub struct DynamicEnrichment {
    /// The attribute's name.
    pub key: String,
    /// The expression, for example `${client.authenticationName}`.
    pub value: String,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A reference to a managed identity.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct UserIdentity {
    /// `None`, `SystemAssigned` or `UserAssigned`.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub kind: Option<String>,
    /// The ARM id of the user-assigned identity.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_assigned_identity: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// An own host name of a namespace.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct CustomDomain {
    /// The host name.
    pub fully_qualified_domain_name: String,
    /// `Pending`, `Approved` or `ErrorRetrievingDnsRecord`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validation_state: Option<String>,
    /// Who reads the certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<UserIdentity>,
    /// Where the certificate is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_url: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// How clients authenticate beside the username and certificate.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct ClientAuthentication {
    /// Where the authentication name comes from if CONNECT has no username, in order.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub alternative_authentication_name_sources: Vec<AlternativeNameSource>,
    /// Tokens of an own issuer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub custom_jwt_authentication: Option<CustomJwtAuthentication>,
    /// A webhook that decides.
    #[serde(default, alias = "webHookAuthentication", skip_serializing_if = "Option::is_none")]
    pub webhook_authentication: Option<WebhookAuthentication>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

words! {
    /// A field of the certificate that can name the client.
    #[non_exhaustive]
    AlternativeNameSource {
        /// The subject.
        ClientCertificateSubject,
        /// A DNS name.
        ClientCertificateDns,
        /// A URI.
        ClientCertificateUri,
        /// An IP address.
        ClientCertificateIp,
        /// An e-mail address.
        ClientCertificateEmail,
    }
}

words! {
    /// Whether the MQTT broker of a namespace is on.
    #[derive(Default)]
    #[non_exhaustive]
    ConfigurationState {
        /// It is off.
        #[default]
        Disabled,
        /// It is on.
        Enabled,
    }
}

/// Tokens of an own issuer.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct CustomJwtAuthentication {
    /// The `iss` that tokens must carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub token_issuer: Option<String>,
    /// The issuer's certificates in a key vault, at most 2.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub issuer_certificates: Vec<IssuerCertificate>,
    /// The issuer's certificates themselves.
    #[serde(default, deserialize_with = "nullable", skip_serializing_if = "Vec::is_empty")]
    pub encoded_issuer_certificates: Vec<EncodedIssuerCertificate>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A token issuer's certificate in a key vault.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct IssuerCertificate {
    /// Where the certificate is.
    pub certificate_url: String,
    /// Who reads it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<UserIdentity>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A token issuer's certificate itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct EncodedIssuerCertificate {
    /// The key id that tokens name.
    pub kid: String,
    /// PEM.
    pub encoded_certificate: String,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}

/// A webhook that decides who may connect.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
pub struct WebhookAuthentication {
    /// Who calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<UserIdentity>,
    /// Where it is; HTTPS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_url: Option<String>,
    /// The part of the URL without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint_base_url: Option<String>,
    /// For whom the caller's token is made out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_active_directory_application_id_or_uri: Option<String>,
    /// Whose token it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub azure_active_directory_tenant_id: Option<String>,
    /// Other members.
    #[serde(flatten)]
    pub extra: Extra,
}
