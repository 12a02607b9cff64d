use super::*;
use crate::document::LoadError;

fn client(properties: &str) -> String {
    format!(r#"{{"clients": [{{"name": "device1", "properties": {properties}}}]}}"#)
}

fn misspelt(json: &str) -> String {
    match Resources::from_json(json) {
        Err(LoadError::Invalid { problems }) => {
            assert_eq!(problems.len(), 1, "{problems:?}");
            assert_eq!(problems[0].kind, crate::document::ProblemKind::Misspelt);
            problems[0].path.clone()
        }
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn a_name_that_nearly_is_a_known_one_is_a_problem() {
    for name in ["State", "sate", "stat", "statee", "stace", "tsate"] {
        let path = misspelt(&client(&format!(r#"{{"{name}": "Disabled"}}"#)));
        assert_eq!(path, format!("clients[0].properties.{name}"));
    }
    let inner = client(r#"{"clientCertificateAuthentication": {"allowedthumbprints": []}}"#);
    assert_eq!(misspelt(&inner), "clients[0].properties.clientCertificateAuthentication.allowedthumbprints");
    let namespace = r#"{"namespace": {"name": "abc", "properties":
        {"topicSpacesConfiguration": {"maximumClientSessionPerAuthenticationName": 1}}}}"#;
    assert!(misspelt(namespace).ends_with("maximumClientSessionPerAuthenticationName"));
}

#[test]
fn a_property_beside_properties_is_a_problem() {
    let json = r#"{"clients": [{"name": "device1", "state": "Disabled"}]}"#;
    assert_eq!(misspelt(json), "clients[0].state");
}

#[test]
fn other_unknown_members_are_collected_and_arms_own_are_not() {
    let json = r#"{"clients": [{"name": "device1", "id": "/x", "type": "t", "systemData": {}, "properties":
        {"provisioningState": "Succeeded", "colour": "red", "stattes": 1}}],
        "namespace": {"name": "abc", "systemData": {}, "properties": {"privateEndpointConnections": [], "x": 1}}}"#;
    let found = Resources::from_json(json).unwrap().unknown_members();
    let found: Vec<_> = found.iter().map(|it| (it.path.as_str(), it.nearest, it.misspelt)).collect();
    assert_eq!(
        found,
        [
            ("namespace.properties.x", None, false),
            ("clients[0].properties.colour", None, false),
            ("clients[0].properties.stattes", Some("state"), false),
        ]
    );
}

/// The lists of names above are those that the types read.
#[test]
fn known_names_are_read() {
    use crate::resource as r;
    fn reads<T: serde::de::DeserializeOwned + serde::Serialize>(known: &[&str], required: &[&str]) {
        for name in known.iter().filter(|name| **name != "subscriptionSupport") {
            let mut json = serde_json::Map::new();
            for required in required {
                json.insert((*required).to_owned(), "x".into());
            }
            json.entry(*name).or_insert(serde_json::Value::Null);
            let read: T = serde_json::from_value(json.into()).unwrap();
            // An unknown member would be written back; a known one that is null is absent or a default.
            let written = serde_json::to_value(&read).unwrap();
            assert!(required.contains(name) || written.get(name) != Some(&serde_json::Value::Null), "{name}");
        }
    }
    reads::<r::Namespace>(NAMESPACE, &["name"]);
    reads::<r::Sku>(SKU, &[]);
    reads::<r::NamespaceProperties>(NAMESPACE_PROPERTIES, &[]);
    reads::<r::InboundIpRule>(IP_RULE, &[]);
    reads::<r::TopicsConfiguration>(TOPICS, &[]);
    reads::<r::CustomDomain>(DOMAIN, &["fullyQualifiedDomainName"]);
    reads::<r::TopicSpacesConfiguration>(TOPIC_SPACES, &[]);
    reads::<r::RoutingEnrichments>(ENRICHMENTS, &[]);
    reads::<r::StaticEnrichment>(ENRICHMENT, &["key", "value"]);
    reads::<r::ClientAuthentication>(AUTHENTICATION, &[]);
    reads::<r::CustomJwtAuthentication>(JWT, &[]);
    reads::<r::WebhookAuthentication>(WEBHOOK, &[]);
    reads::<r::ClientProperties>(CLIENT, &[]);
    reads::<r::ClientCertificateAuthentication>(CERTIFICATE_AUTHENTICATION, &[]);
    reads::<r::ClientGroupProperties>(GROUP, &[]);
    reads::<r::TopicSpaceProperties>(SPACE, &[]);
    reads::<r::PermissionBindingProperties>(BINDING, &[]);
    reads::<r::CaCertificateProperties>(CA, &[]);
}

#[test]
fn distances() {
    for (one, other, expected) in
        [("state", "STATE", 0), ("stat", "state", 1), ("staet", "state", 1), ("sat", "state", 2), ("x", "state", 3)]
    {
        assert_eq!(distance(one, other), expected, "{one} {other}");
    }
}
