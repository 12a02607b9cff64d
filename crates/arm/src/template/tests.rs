use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use super::*;

/// A target that takes everything of Microsoft.EventGrid and keeps it in order.
#[derive(Default)]
struct Kept {
    order: Vec<String>,
    resources: BTreeMap<String, Json>,
}

impl Target for Kept {
    fn put(&mut self, resource: &Planned) -> Result<Option<Json>, TemplateError> {
        if !resource.id.kind.starts_with("Microsoft.EventGrid/") {
            return Ok(None);
        }
        if resource.body.get("refused").is_some() {
            return Err(Problem::new("it is refused", "leave it out").at("refused"));
        }
        let mut state = resource.body.clone();
        state.insert("id".to_owned(), json!(resource.id.to_string()));
        self.order.push(resource.id.name());
        self.resources.insert(resource.id.to_string(), Json::Object(state.clone()));
        Ok(Some(Json::Object(state)))
    }

    fn get(&self, id: &ResourceId) -> Option<Json> {
        self.resources.get(&id.to_string()).cloned()
    }

    fn list(&self, id: &ResourceId, function: &str) -> Option<Json> {
        (function == "listkeys").then(|| json!({ "key1": format!("of {}", id.name()) }))
    }
}

fn scope() -> Scope {
    Scope {
        subscription_id: "s".into(),
        tenant_id: "t".into(),
        resource_group: "g".into(),
        location: "westeurope".into(),
        deployment_name: "main".into(),
        utc_now: "20261124T000000Z".into(),
        seed: 7,
    }
}

fn deploy_to(kept: &mut Kept, template: &Json, parameters: &Json) -> Result<Deployed, TemplateError> {
    let given = parameters.as_object().unwrap().iter().map(|(name, value)| (name.clone(), json!({ "value": value })));
    Template::from_json(template.clone())?.deploy(&given.collect(), &scope(), kept)
}

fn deploy(template: &Json, parameters: &Json) -> (Kept, Deployed) {
    let mut kept = Kept::default();
    let deployed = deploy_to(&mut kept, template, parameters).unwrap();
    (kept, deployed)
}

fn fails(template: &Json, parameters: &Json, path: &str, words: &str) {
    let error = deploy_to(&mut Kept::default(), template, parameters).unwrap_err();
    assert_eq!(error.path, path, "{error}");
    assert!(error.to_string().contains(words), "{error}");
    assert!(!error.cure.is_empty());
}

fn client(name: &str, more: &Json) -> Json {
    let mut resource =
        json!({ "type": "Microsoft.EventGrid/namespaces/clients", "apiVersion": "2025-02-15", "name": name });
    let members = resource.as_object_mut().unwrap();
    members.extend(more.as_object().unwrap().clone());
    resource
}

fn properties<'k>(kept: &'k Kept, name: &str) -> &'k Json {
    let found = kept.resources.iter().find(|(id, _)| id.ends_with(&format!("/{name}")));
    &found.unwrap_or_else(|| panic!("{name} in {:?}", kept.resources.keys())).1["properties"]
}

#[test]
fn a_template_as_people_write_it() {
    let text = r#"{
      // Comments are read over, and what follows the last member too.
      "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
      "contentVersion": "1.0.0.0",
      "parameters": {
        "namespaceName": { "type": "string", "defaultValue": "[concat('ns-', parameters('site'))]" },
        "site": { "type": "string", "minLength": 2 },
      },
      "variables": { "template": "devices/${client.authenticationName}/#", "group": "[concat(parameters('site'), '-all')]" },
      "resources": [
        { "type": "Microsoft.EventGrid/namespaces/topicSpaces", "apiVersion": "2025-02-15",
          "name": "[format('{0}/{1}', parameters('namespaceName'), 'own')]",
          "properties": { "topicTemplates": ["[variables('template')]", "[[literal]"] },
          "dependsOn": ["[resourceId('Microsoft.EventGrid/namespaces', parameters('namespaceName'))]"] },
        { "type": "Microsoft.EventGrid/namespaces", "apiVersion": "2025-02-15", "name": "[parameters('namespaceName')]",
          "location": "[resourceGroup().location]", "properties": { "isZoneRedundant": true } },
        { "type": "Microsoft.Authorization/locks", "apiVersion": "2020-05-01", "name": "lock", "properties": {} }
      ],
      "outputs": {
        "id": { "type": "string", "value": "[resourceId('Microsoft.EventGrid/namespaces', parameters('namespaceName'))]" },
        "zones": { "type": "bool", "value": "[reference(parameters('namespaceName')).isZoneRedundant]" },
        "key": { "type": "string", "value": "[listKeys(parameters('namespaceName'), '2025-02-15').key1]" }
      }
    }"#;
    let mut kept = Kept::default();
    let parameters = read_parameters(r#"{"$schema": "x", "parameters": {"site": {"value": "plant"}}}"#).unwrap();
    let deployed = Template::parse(text).unwrap().deploy(&parameters, &scope(), &mut kept).unwrap();
    assert_eq!(kept.order, ["ns-plant", "ns-plant/own"]);
    assert_eq!(
        properties(&kept, "own")["topicTemplates"],
        json!(["devices/${client.authenticationName}/#", "[literal]"])
    );
    let namespace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.EventGrid/namespaces/ns-plant";
    assert_eq!(kept.resources[namespace]["location"], "westeurope");
    assert_eq!(deployed.outputs["id"], json!({ "type": "string", "value": namespace }));
    assert_eq!(deployed.outputs["zones"]["value"], true);
    assert_eq!(deployed.outputs["key"]["value"], "of ns-plant");
    assert_eq!(deployed.skipped.iter().map(ResourceId::name).collect::<Vec<_>>(), ["lock"]);
}

#[test]
fn a_template_as_bicep_builds_it() {
    let module = json!({
        "languageVersion": "2.0",
        "parameters": { "names": { "type": "array" }, "nothing": { "type": "string", "nullable": true } },
        "resources": {
            "known": { "existing": true, "type": "Microsoft.EventGrid/namespaces", "apiVersion": "2025-02-15", "name": "ns" },
            "clients": client(
                "[format('{0}/{1}', 'ns', parameters('names')[copyIndex()])]",
                &json!({
                    "copy": { "name": "clients", "count": "[length(parameters('names'))]" },
                    "properties": { "attributes": {
                        "number": "[copyIndex(1)]",
                        "site": "[reference('known').site]",
                        "given": "[coalesce(parameters('nothing'), 'none')]" } },
                }),
            ),
        },
        "outputs": {
            "ids": { "type": "array", "copy": { "count": "[length(parameters('names'))]",
                "input": "[resourceId('Microsoft.EventGrid/namespaces/clients', 'ns', parameters('names')[copyIndex()])]" } },
            "numbers": { "type": "array", "value": "[map(references('clients'), lambda('c', lambdaVariables('c').attributes.number))]" },
        },
    });
    let template = json!({
        "languageVersion": "2.0",
        "parameters": { "count": { "type": "int", "defaultValue": 3, "maxValue": 5 } },
        "variables": { "copy": [{ "name": "names", "count": "[parameters('count')]", "input": "[format('c{0}', copyIndex('names'))]" }] },
        "resources": {
            "inner": { "type": "Microsoft.Resources/deployments", "apiVersion": "2022-09-01", "name": "module",
                "dependsOn": ["ns"],
                "properties": { "mode": "Incremental", "expressionEvaluationOptions": { "scope": "inner" },
                    "parameters": { "names": { "value": "[variables('names')]" } }, "template": module } },
            "ns": { "type": "Microsoft.EventGrid/namespaces", "apiVersion": "2025-02-15", "name": "ns", "properties": { "site": "plant" } },
            "telemetry": { "condition": "[equals(parameters('count'), 0)]", "type": "Microsoft.EventGrid/namespaces/topics", "name": "ns/t" },
            "after": client("ns/after", &json!({ "dependsOn": ["telemetry", "inner"],
                "properties": { "ids": "[reference('inner').outputs.ids.value]" } })),
        },
        "outputs": { "numbers": { "type": "array", "value": "[reference('inner').outputs.numbers.value]" } },
    });
    let (kept, deployed) = deploy(&template, &json!({}));
    assert_eq!(kept.order, ["ns", "ns/c0", "ns/c1", "ns/c2", "ns/after"]);
    assert_eq!(properties(&kept, "c1")["attributes"], json!({ "number": 2, "site": "plant", "given": "none" }));
    assert_eq!(properties(&kept, "after")["ids"].as_array().unwrap().len(), 3);
    assert_eq!(deployed.outputs["numbers"], json!({ "type": "array", "value": [1, 2, 3] }));
}

#[test]
fn children_stand_within_their_parent_and_outer_templates_see_this_one() {
    let template = json!({
        "parameters": { "who": { "type": "string" } },
        "functions": [{ "namespace": "ours", "members": { "named": {
            "parameters": [{ "name": "name", "type": "string" }],
            "output": { "type": "string", "value": "[concat('client-', parameters('name'))]" } } } }],
        "resources": [
            { "type": "Microsoft.EventGrid/namespaces", "name": "ns", "resources": [
                { "type": "clients", "name": "[ours.named(parameters('who'))]", "properties": {
                    "copy": [{ "name": "words", "count": 2, "input": "[copyIndex('words')]" }] } }] },
            { "type": "Microsoft.Resources/deployments", "name": "outer", "properties": { "mode": "Incremental",
                "template": { "resources": [client("[concat('ns/', parameters('who'))]", &json!({}))] } } },
        ],
    });
    let (kept, _) = deploy(&template, &json!({ "who": "me" }));
    assert_eq!(kept.order, ["ns", "ns/client-me", "ns/me"]);
    assert_eq!(properties(&kept, "client-me"), &json!({ "words": [0, 1] }));
}

#[test]
fn parameters_are_checked() {
    let with = |definition: Json| json!({ "parameters": { "p": definition }, "resources": [] });
    for (definition, given, words) in [
        (json!({ "type": "string" }), json!({}), r#"no value; give it among the parameters: "p""#),
        (json!({ "type": "int" }), json!({ "p": "1" }), "a string; give one of type int"),
        (json!({ "type": "string", "allowedValues": ["a", "b"] }), json!({ "p": "c" }), r#"give one of "a", "b""#),
        (json!({ "type": "int", "minValue": 3 }), json!({ "p": 2 }), "give 3 or more"),
        (json!({ "type": "array", "maxLength": 1 }), json!({ "p": [1, 2] }), "give 1 or less"),
        (json!({ "type": "string" }), json!({ "p": "a", "q": "b" }), "is 'p' meant?"),
        (json!({ "type": "string", "defaultValue": "[parameters('p')]" }), json!({}), "refers to itself"),
    ] {
        let error = deploy_to(&mut Kept::default(), &with(definition), &given).unwrap_err();
        assert!(error.path.starts_with("parameters"), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
    assert!(deploy_to(&mut Kept::default(), &with(json!({ "type": "secureObject" })), &json!({ "p": {} })).is_ok());
}

#[test]
fn errors_name_the_place_and_the_cure() {
    let one = |more: Json| json!({ "resources": [client("ns/c", &more)] });
    let none = json!({});
    fails(
        &one(json!({ "properties": { "a": [0, "[concatt('x')]"] } })),
        &none,
        "resources[0].properties.a[1]",
        "is concat() meant?",
    );
    fails(&one(json!({ "dependsOn": ["ns/d"] })), &none, "resources[0].dependsOn", "is 'ns/c' meant?");
    fails(&one(json!({ "name": "c" })), &none, "resources[0].name", "do not belong together");
    fails(&one(json!({ "type": 1 })), &none, "resources[0].type", "a string");
    fails(&one(json!({ "condition": "yes" })), &none, "resources[0].condition", "give a bool");
    fails(&one(json!({ "copy": { "name": "l", "count": -1 } })), &none, "resources[0].copy.count", "give 0 to");
    fails(
        &one(json!({ "properties": { "a": "[reference('d')]" } })),
        &none,
        "resources[0].properties.a",
        "no resource 'd'",
    );
    fails(&one(json!({ "refused": 1 })), &none, "resources[0].refused", "leave it out");
    let twice = json!({ "resources": [client("ns/c", &none), client("NS/C", &none)] });
    fails(&twice, &none, "resources[1]", "stands at resources[0] already");
    let circle = json!({ "resources": [
        client("ns/a", &json!({ "dependsOn": ["ns/b"] })),
        client("ns/b", &json!({ "properties": { "a": "[reference('ns/a').x]" } })),
    ] });
    fails(&circle, &none, "resources[0]", "ns/a → ns/b → ns/a");
    let nested = json!({ "resources": [{ "type": "Microsoft.Resources/deployments", "name": "d", "properties": {
        "expressionEvaluationOptions": { "scope": "inner" }, "template": one(json!({ "properties": "[variables('v')]" })) } }] });
    fails(&nested, &none, "resources[0].properties.template.resources[0].properties", "no variable 'v'");
    let linked = json!({ "resources": [{ "type": "Microsoft.Resources/deployments", "name": "d", "properties": { "templateLink": {} } }] });
    fails(&linked, &none, "resources[0].properties", "templates elsewhere are not read");
}

#[test]
fn what_is_no_template_is_said_so() {
    for (text, words) in [
        ("", "no object"),
        ("[]", "no object"),
        ("{\"parameters\": {}}", "no member 'resources'"),
        ("{\"resources\": [}", "line 1, column 16"),
        ("{\"a\": 1 \"b\": 2}", "line 1, column"),
    ] {
        let error = Template::parse(text).unwrap_err();
        assert!(error.to_string().contains(words), "{text}: {error}");
    }
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(Template::parse(&deep).is_err());
    assert!(Template::parse("{template: 1, \"resources\": []}").is_ok());
}

#[test]
fn ten_thousand_clients_are_no_trouble() {
    let list: Vec<_> =
        (0..10_000).map(|number| json!({ "name": format!("device-{number}"), "floor": number % 7 })).collect();
    let template = json!({
        "parameters": { "devices": { "type": "array" } },
        "resources": [client(
            "[concat('ns/', parameters('devices')[copyIndex()].name)]",
            &json!({
                "copy": { "name": "devices", "count": "[length(parameters('devices'))]" },
                "properties": { "attributes": { "floor": "[parameters('devices')[copyIndex()].floor]" } },
            }),
        )],
    });
    let (kept, deployed) = deploy(&template, &json!({ "devices": list }));
    assert_eq!((kept.order.len(), deployed.resources.len()), (10_000, 10_000));
    assert_eq!(properties(&kept, "device-9999")["attributes"]["floor"], 9999 % 7);
}

#[test]
fn long_rows_of_dependencies_end_in_words() {
    let row = |number: usize| match number {
        0 => client("ns/c0", &json!({})),
        _ => client(&format!("ns/c{number}"), &json!({ "dependsOn": [format!("ns/c{}", number - 1)] })),
    };
    let backwards = json!({ "resources": (0..1000).rev().map(row).collect::<Vec<_>>() });
    let error = deploy_to(&mut Kept::default(), &backwards, &json!({})).unwrap_err();
    assert!(error.to_string().contains("wait for one another in a row"), "{error}");
    let forwards = json!({ "resources": (0..1000).map(row).collect::<Vec<_>>() });
    assert_eq!(deploy(&forwards, &json!({})).0.order.len(), 1000);
    let variables: Map<String, Json> =
        (0..1000).map(|number| (format!("v{number}"), json!(format!("[variables('v{}')]", number + 1)))).collect();
    let deep =
        json!({ "variables": variables, "resources": [client("ns/c", &json!({ "properties": "[variables('v0')]" }))] });
    fails(&deep, &json!({}), "variables.v254", "wait for one another in a row");
}
