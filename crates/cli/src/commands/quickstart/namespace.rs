//! The namespace of the example, as JSON in ARM's shape.

use gridmq_namespace::resource::{ConfigurationState, Permission};
use gridmq_namespace::{Policy, Resources};
use serde_json::{Value, json};

use super::material::{Material, same_certificate};
use super::{CLIENT_1, CLIENT_2, TOPIC};
use crate::commands::serve;
use crate::error::Failure;
use crate::files::{self, Existing, NewFiles};
use crate::output::Style;

const FILE: &str = "namespace.json";
const MAX_BYTES: u64 = 16 * 1024 * 1024;

/// The namespace, ready to decide.
pub(super) struct Ready {
    pub(super) policy: Policy,
    pub(super) summary: String,
    /// The file is not as it was written, so that steps may come out differently.
    pub(super) edited: Option<String>,
}

/// Uses the file if it is there, and writes it if not. One that was written for an earlier intermediate and never
/// changed is written anew; one that somebody changed never is.
pub(super) fn ensure(material: &Material) -> Result<Ready, Failure> {
    let path = material.file(FILE);
    let shown = files::shown(&path);
    let (text, how) = if path.exists() {
        let text = files::read_text(&path, MAX_BYTES, "the namespace file")?;
        let resources = Resources::from_json(&text).map_err(|error| Failure::from(error).during(&shown))?;
        let authorities = || {
            resources.ca_certificates.iter().filter_map(|authority| authority.properties.encoded_certificate.as_deref())
        };
        let ours = &material.intermediate_pem;
        if authorities().any(|encoded| same_certificate(encoded, ours)) {
            let how = if authorities().any(|encoded| text == written(encoded)) { How::Kept } else { How::Edited };
            (text, how)
        } else if authorities().any(|encoded| text == written(encoded)) {
            (write(material)?, How::Renewed)
        } else {
            return Err(Failure::failed(format!(
                "{shown} was changed, so it is left alone, but no caCertificates entry of it is the intermediate that \
                 signs the clients of this directory: add {} to caCertificates, or remove {FILE} to have the example \
                 written, or use another --dir",
                files::shown(&material.file("intermediate-ca.pem"))
            )));
        }
    } else {
        (write(material)?, How::Written)
    };
    let serve::Source { policy, warnings } = serve::document(&text, &path)?;
    for warning in warnings {
        Style::stderr().warning(&warning);
    }
    let words = match how {
        How::Written => "written",
        How::Kept => "used again",
        How::Renewed => "written anew for the new intermediate",
        How::Edited => "used as it was changed",
    };
    let summary = format!("{shown}, {words}: {}", describe(policy.resources()));
    Ok(Ready { policy, summary, edited: (how == How::Edited).then_some(shown) })
}

/// Where the namespace came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum How {
    Written,
    Kept,
    Renewed,
    Edited,
}

/// What a namespace consists of, on one line.
pub(in crate::commands) fn describe(resources: &Resources) -> String {
    let clients = list("client", resources.clients.iter().map(gridmq_namespace::resource::Client::authentication_name));
    let templates = resources.topic_spaces.iter().flat_map(|space| &space.properties.topic_templates);
    let templates = list("topic template", templates.map(String::as_str));
    let may = |permission| {
        resources.permission_bindings.iter().filter(|it| it.properties.permission == Some(permission)).count()
    };
    let mqtt = resources.namespace.properties.topic_spaces_configuration.as_ref();
    let off =
        if mqtt.is_some_and(|mqtt| mqtt.state == ConfigurationState::Enabled) { "" } else { "; MQTT is DISABLED" };
    format!(
        "{clients}, {templates}, bindings to publish {} and to subscribe {}, CA certificates {}{off}",
        may(Permission::Publisher),
        may(Permission::Subscriber),
        resources.ca_certificates.len()
    )
}

/// `no clients`, `client a`, `clients a and b`, or how many there are.
fn list<'a>(what: &str, names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<_> = names.collect();
    match names.as_slice() {
        [] => format!("no {what}s"),
        [one] => format!("{what} {one}"),
        [one, two] => format!("{what}s {one} and {two}"),
        more => format!("{} {what}s", more.len()),
    }
}

fn write(material: &Material) -> Result<String, Failure> {
    let text = written(&material.intermediate_pem);
    let mut new = NewFiles::default();
    new.add(material.file(FILE), text.as_str());
    new.write(Existing::Replace)?;
    Ok(text)
}

/// The file's text for that intermediate.
fn written(intermediate_pem: &str) -> String {
    format!("{:#}\n", document(intermediate_pem))
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
