//! A whole namespace as one JSON document.
//!
//! ```json
//! {
//!   "namespace": { "name": "ns1", "properties": { "topicSpacesConfiguration": { "state": "Enabled" } } },
//!   "clients": [ { "name": "client1", "properties": { "authenticationName": "client1-authn-ID" } } ],
//!   "clientGroups": [],
//!   "topicSpaces": [ { "name": "all-mine", "properties": { "topicTemplates": ["${client.authenticationName}/#"] } } ],
//!   "permissionBindings": [
//!     { "name": "mine-pub", "properties":
//!       { "clientGroupName": "$all", "topicSpaceName": "all-mine", "permission": "Publisher" } }
//!   ],
//!   "caCertificates": []
//! }
//! ```
//!
//! Every list may be left out. Without `namespace` the document describes a namespace `local` with its MQTT broker
//! enabled and every default.

mod problem;
mod unknown;
mod validate;

pub use problem::{LoadError, ProblemKind, ResourceProblem};
pub use unknown::UnknownMember;

use serde::{Deserialize, Serialize};

use crate::resource::{CaCertificate, Client, ClientGroup, Namespace, PermissionBinding, TopicSpace, nullable};

/// The name of a namespace whose document has none.
pub const DEFAULT_NAMESPACE: &str = "local";

/// The resources of one namespace, in the order in which they were given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, expecting = "an object")]
pub struct Resources {
    /// An editor's hint; no effect.
    #[serde(default, rename = "$schema", skip_serializing_if = "Option::is_none")]
    pub schema: Option<String>,
    /// The namespace itself.
    #[serde(default = "default_namespace")]
    pub namespace: Namespace,
    /// Its clients.
    #[serde(default, deserialize_with = "nullable")]
    pub clients: Vec<Client>,
    /// Its client groups; `$all` is built in and not listed.
    #[serde(default, deserialize_with = "nullable")]
    pub client_groups: Vec<ClientGroup>,
    /// Its topic spaces.
    #[serde(default, deserialize_with = "nullable")]
    pub topic_spaces: Vec<TopicSpace>,
    /// What its groups may do with its topic spaces.
    #[serde(default, deserialize_with = "nullable")]
    pub permission_bindings: Vec<PermissionBinding>,
    /// The certificate authorities that it trusts.
    #[serde(default, deserialize_with = "nullable")]
    pub ca_certificates: Vec<CaCertificate>,
}

fn default_namespace() -> Namespace {
    Namespace::enabled(DEFAULT_NAMESPACE)
}

impl Default for Resources {
    fn default() -> Self {
        Self::new(default_namespace())
    }
}

impl Resources {
    /// A namespace without further resources: nobody can connect to it.
    #[must_use]
    pub const fn new(namespace: Namespace) -> Self {
        Self {
            schema: None,
            namespace,
            clients: Vec::new(),
            client_groups: Vec::new(),
            topic_spaces: Vec::new(),
            permission_bindings: Vec::new(),
            ca_certificates: Vec::new(),
        }
    }

    /// Reads and validates a document; a byte-order mark is skipped.
    ///
    /// # Errors
    /// Text that is not JSON, JSON of another shape, or every problem that [`validate`](Self::validate) finds.
    pub fn from_json(text: &str) -> Result<Self, LoadError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        if text.trim().is_empty() {
            return Err(LoadError::Empty);
        }
        // A derived reader would take an array for an object without member names.
        if text.trim_start().starts_with('[') {
            return Err(LoadError::array());
        }
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let resources: Self =
            serde_path_to_error::deserialize(&mut deserializer).map_err(|error| problem::from_serde(&error))?;
        deserializer.end().map_err(|error| problem::syntax(&error))?;
        resources.validate().map_err(|problems| LoadError::Invalid { problems })?;
        Ok(resources)
    }

    /// The document as indented JSON, with members in a fixed order and a newline at the end.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Every key is a string and nothing fails to serialise, so that there is no error to report.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Members that nothing here knows, at most 100: they are kept and have no effect. What ARM itself writes is not
    /// among them, and what is misspelt is among the problems too.
    #[must_use]
    pub fn unknown_members(&self) -> Vec<UnknownMember> {
        unknown::find(self)
    }

    /// Checks names, sizes, counts, references, queries, templates, thumbprints, certificates and misspelt members.
    ///
    /// # Errors
    /// Every problem, at most 100 of them.
    pub fn validate(&self) -> Result<(), Vec<ResourceProblem>> {
        validate::validate(self)
    }
}

#[cfg(test)]
mod tests;
