//! The namespace of the example, as JSON in ARM's shape.

use gridmq_namespace::{Policy, Resources};
use serde_json::{Value, json};

use super::material::{Material, same_certificate};
use super::{CLIENT_1, CLIENT_2, TOPIC};
use crate::commands::serve;
use crate::error::Failure;
use crate::files::{self, Existing, NewFiles};

const FILE: &str = "namespace.json";
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The namespace, ready to decide.
pub(super) struct Ready {
    pub(super) policy: Policy,
    pub(super) summary: String,
}

/// Uses the file if it is there and registers our intermediate; else writes it.
pub(super) fn ensure(material: &Material) -> Result<Ready, Failure> {
    let path = material.file(FILE);
    let shown = files::shown(&path);
    let (text, how) = if path.exists() {
        let text = files::read_text(&path, MAX_BYTES, "the namespace file")?;
        let resources = Resources::from_json(&text).map_err(|error| Failure::from(error).during(&shown))?;
        let registered = resources.ca_certificates.iter().any(|authority| {
            let encoded = authority.properties.encoded_certificate.as_deref();
            encoded.is_some_and(|encoded| same_certificate(encoded, &material.intermediate_pem))
        });
        if registered { (text, "used as it is") } else { (write(material)?, "written anew for the new intermediate") }
    } else {
        (write(material)?, "written")
    };
    let policy = serve::policy(&text).map_err(|failure| failure.during(&shown))?;
    Ok(Ready { policy, summary: format!("{shown} {how}: clients {CLIENT_1} and {CLIENT_2}, topic space {TOPIC}") })
}

fn write(material: &Material) -> Result<String, Failure> {
    let text = format!("{:#}\n", document(&material.intermediate_pem));
    let mut new = NewFiles::default();
    new.add(material.file(FILE), text.as_str());
    new.write(Existing::Replace)?;
    Ok(text)
}

fn document(intermediate_pem: &str) -> Value {
    let client = |name: &str, authentication_name: &str| {
        json!({ "name": name, "properties": {
            "authenticationName": authentication_name,
            "clientCertificateAuthentication": { "validationScheme": "SubjectMatchesAuthenticationName" },
            "state": "Enabled",
        }})
    };
    let binding = |name: &str, permission: &str| {
        json!({ "name": name, "properties": {
            "clientGroupName": "$all", "topicSpaceName": "ContosoTopicSpace1", "permission": permission,
        }})
    };
    json!({
        "namespace": { "name": "quickstart", "location": "local", "properties": {
            "topicSpacesConfiguration": { "state": "Enabled", "maximumClientSessionsPerAuthenticationName": 1 },
        }},
        "clients": [client("client1", CLIENT_1), client("client2", CLIENT_2)],
        "topicSpaces": [{ "name": "ContosoTopicSpace1", "properties": { "topicTemplates": [TOPIC] } }],
        "permissionBindings": [
            binding("ContosoPublisher", "Publisher"),
            binding("ContosoSubscriber", "Subscriber"),
        ],
        "caCertificates": [{ "name": "quickstart-intermediate", "properties": {
            "description": "The intermediate that issued the clients' certificates",
            "encodedCertificate": intermediate_pem,
        }}],
    })
}
