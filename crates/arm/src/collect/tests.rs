use super::*;

fn scope() -> Scope {
    Scope {
        subscription_id: "s".into(),
        tenant_id: "t".into(),
        resource_group: "g".into(),
        location: "West Europe".into(),
        deployment_name: "main".into(),
        utc_now: "20261124T000000Z".into(),
        seed: 7,
    }
}

fn collected(template: &Json) -> Result<Collected, Vec<TemplateError>> {
    collect(&Template::from_json(template.clone()).unwrap(), &Map::new(), &scope())
}

fn part(kind: &str, name: &str, properties: &Json) -> Json {
    json!({ "type": format!("Microsoft.EventGrid/namespaces/{kind}"), "name": name, "properties": properties })
}

#[test]
fn a_namespace_and_its_parts_become_a_document_in_any_order() {
    let all = json!({ "clientGroupName": "$all", "topicSpaceName": "own", "permission": "Publisher" });
    let template = json!({
        "resources": [
            part("permissionBindings", "ns1/own-pub", &all),
            part("topics", "ns1/telemetry", &json!({})),
            part("topicSpaces", "ns1/own", &json!({ "topicTemplates": ["own/#"] })),
            part("clients", "ns1/device1", &json!({ "attributes": { "floor": 5 } })),
            { "type": "Microsoft.EventGrid/namespaces", "name": "NS1", "location": "westeurope",
              "properties": { "topicSpacesConfiguration": { "state": "Enabled", "maximumSessionExpiryInHours": 8 } } },
            { "type": "Microsoft.Authorization/roleAssignments", "name": "x" },
        ],
        "outputs": { "host": { "type": "string",
            "value": "[reference('NS1').topicSpacesConfiguration.hostname]" } },
    });
    let found = collected(&template).unwrap();
    let resources = &found.resources;
    assert_eq!(resources.namespace.name, "NS1");
    assert_eq!(resources.clients[0].name, "device1");
    assert_eq!((resources.topic_spaces.len(), resources.permission_bindings.len()), (1, 1));
    let skipped: Vec<_> = found.skipped.iter().map(|id| id.kind.as_str()).collect();
    assert_eq!(skipped, ["Microsoft.EventGrid/namespaces/topics", "Microsoft.Authorization/roleAssignments"]);
    assert_eq!(found.outputs["host"]["value"], "ns1.westeurope-1.ts.eventgrid.azure.net");
}

#[test]
fn parts_alone_have_a_namespace_with_every_default() {
    let found = collected(&json!({ "resources": [part("clients", "ns1/device1", &json!({}))] })).unwrap();
    assert_eq!(found.resources.namespace.name, "ns1");
    let mqtt = found.resources.namespace.properties.topic_spaces_configuration.unwrap();
    assert_eq!(mqtt.state.as_str(), "Enabled");
}

#[test]
fn what_is_wrong_is_named_where_the_template_has_it() {
    let group = |query: &str| part("clientGroups", "ns1/group", &json!({ "query": query }));
    for (resources, path, words) in [
        (json!([group("attributes.a = ")]), "resources[0].properties.query", "give"),
        (json!([{}]), "resources[0].type", "no 'type'"),
        (json!([part("clients", "ns1/a b", &json!({}))]), "resources[0].name", "letters"),
        (json!([part("clients", "ns1/a", &json!({ "state": "Off" }))]), "resources[0].properties.state", "Disabled"),
        (
            json!([part("clients", "ns1/a", &json!({})), part("clients", "ns2/b", &json!({}))]),
            "resources[1].name",
            "one namespace",
        ),
        (json!([]), "resources", "no Event Grid namespace"),
    ] {
        let errors = collected(&json!({ "resources": resources })).unwrap_err();
        assert_eq!(errors[0].path, path, "{errors:?}");
        assert!(errors[0].to_string().contains(words), "{errors:?}");
    }
    let two = json!([group("a"), part("topicSpaces", "ns1/space", &json!({ "topicTemplates": ["a/#/b"] }))]);
    assert_eq!(collected(&json!({ "resources": two })).unwrap_err().len(), 2);
}
