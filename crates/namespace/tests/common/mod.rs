//! Namespaces and clients for decisions.

#![allow(dead_code, reason = "each test uses a part of it")]

use std::sync::Arc;

use gridmq_namespace::gate::{ConnectRequest, Transport};
use gridmq_namespace::{Admission, Gate, Policy, Resources};
use gridmq_proto::time::Wall;

/// A time in 2026 at which the certificates of the tests hold.
pub(crate) const NOW: Wall = Wall::from_millis(1_767_225_600_000);

/// A gate over a document, which must be valid.
pub(crate) fn gate(json: &str) -> Gate {
    gate_of(json, 1)
}

/// The same as another generation.
pub(crate) fn gate_of(json: &str, generation: u64) -> Gate {
    let resources = Resources::from_json(json).unwrap_or_else(|error| panic!("{error}"));
    Gate::new(Arc::new(Policy::compile(resources, generation).unwrap()))
}

/// A CONNECT on a plain listener that trusts names.
pub(crate) fn plain(username: &str) -> ConnectRequest<'_> {
    ConnectRequest { username: Some(username), ..ConnectRequest::new("session1", Transport::Plain { trusted: true }) }
}

/// The admission of a registered client.
pub(crate) fn admit(gate: &Gate, username: &str) -> Admission {
    gate.admit(&plain(username), NOW).unwrap_or_else(|refusal| panic!("{username}: {refusal}"))
}

/// A document with those clients (as `name: attributes`), groups (name, query), topic spaces (name, templates) and
/// bindings (group, space, permission).
pub(crate) fn document(
    clients: &[(&str, &str)],
    groups: &[(&str, &str)],
    spaces: &[(&str, &[&str])],
    bindings: &[(&str, &str, &str)],
) -> String {
    let list = |items: Vec<serde_json::Value>| serde_json::Value::Array(items);
    let item = |name: &str, properties: serde_json::Value| serde_json::json!({"name": name, "properties": properties});
    serde_json::json!({
        "clients": list(clients.iter().map(|(name, attributes)| {
            let attributes: serde_json::Value = serde_json::from_str(attributes).unwrap();
            item(name, serde_json::json!({"attributes": attributes}))
        }).collect()),
        "clientGroups": list(groups.iter().map(|(name, query)| item(name, serde_json::json!({"query": query}))).collect()),
        "topicSpaces": list(spaces.iter().map(|(name, templates)| {
            item(name, serde_json::json!({"topicTemplates": templates}))
        }).collect()),
        "permissionBindings": list(bindings.iter().enumerate().map(|(at, (group, space, permission))| {
            item(&format!("binding{at}"), serde_json::json!({
                "clientGroupName": group, "topicSpaceName": space, "permission": permission,
            }))
        }).collect()),
    })
    .to_string()
}
