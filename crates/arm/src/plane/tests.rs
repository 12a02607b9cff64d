use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value as Json, json};

use super::{Method, Outcome, Place, Plane, Reply, Request};

const SUBSCRIPTION: &str = "/subscriptions/00000000-0000-0000-0000-000000000001";

/// A plane that whoever asks it changes.
struct Served(Plane);

/// Other bytes each time.
fn fresh() -> Option<[u8; 64]> {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let number = NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes();
    Some(std::array::from_fn(|at| number[at % 8] ^ at as u8))
}

fn request<'a>(method: Method, path: &'a str, query: &'a str, body: &'a [u8]) -> Request<'a> {
    let base = "https://localhost:8443";
    let (random, now) = (&fresh as _, "2026-11-24T17:00:00Z");
    Request { method, path, query, if_match: None, if_none_match: None, body, base, random, now }
}

impl Served {
    fn new() -> Self {
        Self(Plane::load(Place::default(), []).unwrap())
    }

    fn with(mut self, path: &str, body: Json) -> Self {
        let reply = self.put(path, body);
        assert!(matches!(reply.status, 200 | 201), "{reply:?}");
        self
    }

    fn ask(&mut self, request: &Request<'_>) -> Reply {
        let Outcome { reply, changes } = self.0.decide(request);
        assert!(changes.is_empty() || reply.status < 300, "what is refused changes nothing");
        self.0.apply(&changes);
        reply
    }

    fn put(&mut self, path: &str, body: Json) -> Reply {
        self.ask(&request(Method::Put, &at(path), "", body.to_string().as_bytes()))
    }

    fn patch(&mut self, path: &str, body: Json) -> Reply {
        self.ask(&request(Method::Patch, &at(path), "", body.to_string().as_bytes()))
    }

    fn get(&mut self, path: &str, query: &str) -> Reply {
        self.ask(&request(Method::Get, &at(path), query, b""))
    }

    fn post(&mut self, path: &str, body: Json) -> Reply {
        self.ask(&request(Method::Post, &at(path), "", body.to_string().as_bytes()))
    }

    fn delete(&mut self, path: &str) -> Reply {
        self.ask(&request(Method::Delete, &at(path), "", b""))
    }
}

/// Below the resource group, or as it is.
fn at(path: &str) -> String {
    if path.starts_with('/') {
        return path.to_owned();
    }
    format!("{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.EventGrid/namespaces/{path}")
}

fn enabled() -> Json {
    json!({ "location": "eastus", "properties": { "topicSpacesConfiguration": { "state": "enabled" } } })
}

fn member<'a>(reply: &'a Reply, pointer: &str) -> &'a Json {
    reply.body.as_ref().and_then(|body| body.pointer(pointer)).unwrap_or(&Json::Null)
}

fn names(reply: &Reply) -> Vec<&str> {
    member(reply, "/value").as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[test]
fn a_namespace_and_all_its_parts_are_made_read_and_removed() {
    let pem = rcgen_ca();
    let mut served = Served::new().with("ns1", enabled());
    for (path, body, status) in [
        ("ns1/clients/c:1", json!({ "properties": { "attributes": { "floor": 6, "tags": ["a"] } } }), 201),
        ("ns1/clientGroups/six", json!({ "properties": { "query": "attributes.floor = 6" } }), 200),
        ("ns1/topicSpaces/all", json!({ "location": "x", "properties": { "topicTemplates": ["a/#"] } }), 200),
        (
            "ns1/permissionBindings/six-pub",
            json!({ "properties": { "clientGroupName": "six", "topicSpaceName": "ALL", "permission": "publisher" } }),
            200,
        ),
        ("ns1/caCertificates/root", json!({ "properties": { "encodedCertificate": pem } }), 201),
        ("ns1/topics/orders", json!({}), 201),
        (
            "ns1/topics/orders/eventSubscriptions/sub1",
            json!({ "properties": { "deliveryConfiguration": { "deliveryMode": "queue" } } }),
            201,
        ),
    ] {
        let made = served.put(path, body.clone());
        assert_eq!(made.status, status, "{path}: {made:?}");
        assert_eq!(member(&made, "/properties/provisioningState"), "Succeeded");
        assert_eq!(served.put(path, body).status, 200, "again: {path}");
        let read = served.get(path, "api-version=2025-02-15");
        assert_eq!(read.status, 200);
        assert_eq!(member(&read, "/name"), path.rsplit('/').next().unwrap());
        assert_eq!(*member(&read, "/id"), at(path));
        // What a GET answers, a PUT takes.
        assert_eq!(served.put(path, read.body.clone().unwrap()).status, 200, "{path}");
        let after = served.get(path, "");
        assert_eq!(after.body, read.body, "{path}");
    }
    assert_eq!(*member(&served.get("ns1", ""), "/properties/topicSpacesConfiguration/state"), "Enabled");
    let hostname = "ns1.eastus-1.ts.eventgrid.azure.net";
    assert_eq!(*member(&served.get("ns1", ""), "/properties/topicSpacesConfiguration/hostname"), hostname);
    assert_eq!(*member(&served.get("ns1/permissionBindings/six-pub", ""), "/properties/permission"), "Publisher");
    assert!(member(&served.get("ns1/caCertificates/root", ""), "/properties/expiryTimeInUtc").is_string());
    assert_eq!(*member(&served.get("ns1/clients/C%3A1", ""), "/properties/authenticationName"), "c:1");

    let resources = served.0.served().unwrap();
    resources.validate().unwrap();
    assert_eq!((&*resources.namespace.name, resources.clients.len(), resources.ca_certificates.len()), ("ns1", 1, 1));

    let refused = served.delete("ns1/clientGroups/SIX");
    assert_eq!((refused.status, member(&refused, "/error/code")), (409, &json!("Conflict")));
    assert_eq!(served.delete("ns1/permissionBindings/six-pub").status, 200);
    assert_eq!(served.delete("ns1/clientGroups/six").status, 200);
    assert_eq!(served.delete("ns1/clientGroups/six").status, 204);
    assert_eq!(served.get("ns1/clientGroups/six", "").status, 404);
    assert_eq!(served.delete("ns1").status, 200);
    assert_eq!(served.get("ns1/topics/orders/eventSubscriptions/sub1", "").status, 404);
    assert!(served.0.served().is_none() && served.0.state_is_empty());
}

/// A CA certificate in PEM.
fn rcgen_ca() -> String {
    let mut params = rcgen::CertificateParams::default();
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().pem()
}

#[test]
fn what_is_wrong_is_told_with_its_member_and_changes_nothing() {
    let mut served = Served::new().with("ns1", enabled()).with("ns1/clients/one", json!({}));
    for (path, body, code, target) in [
        ("ns1/clients/bad name", json!({}), "InvalidRequest", "name"),
        ("n", json!({}), "InvalidRequest", "name"),
        ("ns1/clients/two", json!({ "properties": { "state": "Perhaps" } }), "InvalidRequest", "properties.state"),
        (
            "ns1/clients/two",
            json!({ "properties": { "authenticationName": "ONE" } }),
            "InvalidRequest",
            "properties.authenticationName",
        ),
        ("ns1/clients/two", json!({ "name": "three" }), "MismatchingResourceName", "name"),
        ("ns1/clientGroups/grp", json!({ "properties": { "query": "a =" } }), "InvalidRequest", "properties.query"),
        ("ns1/topicSpaces/tsp", json!({}), "InvalidRequest", "properties.topicTemplates"),
        (
            "ns1/permissionBindings/pub",
            json!({ "properties": { "clientGroupName": "$all", "topicSpaceName": "no", "permission": "Publisher" } }),
            "InvalidRequest",
            "properties.topicSpaceName",
        ),
        (
            "ns1/caCertificates/root",
            json!({ "properties": { "encodedCertificate": "no" } }),
            "InvalidRequest",
            "properties.encodedCertificate",
        ),
        ("ns1", json!({ "sku": { "capacity": 41 } }), "InvalidRequest", "sku.capacity"),
        (
            "ns1/topics/orders",
            json!({ "properties": { "eventRetentionInDays": 8 } }),
            "InvalidRequest",
            "properties.eventRetentionInDays",
        ),
    ] {
        let before = served.0.clone();
        let refused = served.put(path, body);
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
        assert_eq!(
            (member(&refused, "/error/code"), member(&refused, "/error/target")),
            (&json!(code), &json!(target))
        );
        assert!(refused.headers.iter().any(|(name, value)| *name == "x-ms-error-code" && value == code));
        assert_eq!(served.0.state.last, before.state.last);
    }
    let refused = served.put("ns2/clients/one", json!({}));
    assert_eq!((refused.status, member(&refused, "/error/code")), (404, &json!("ParentResourceNotFound")));
    let refused = served.ask(&request(Method::Put, &at("ns1/clients/x"), "", b"{"));
    assert_eq!((refused.status, member(&refused, "/error/code")), (400, &json!("InvalidRequestContent")));
    let refused = served.patch("ns1/clients/one", json!({}));
    assert_eq!(refused.status, 405);
    assert_eq!(served.get("/nowhere", "").status, 404);
    assert_eq!(served.get("ns1/pets/one", "").status, 404);
}

#[test]
fn a_namespace_has_no_more_parts_than_its_limits() {
    let mut served = Served::new().with("ns1", enabled());
    for number in 0..10 {
        served =
            served.with(&format!("ns1/topicSpaces/tsp{number}"), json!({ "properties": { "topicTemplates": ["a"] } }));
    }
    let body = json!({ "properties": { "topicTemplates": ["a"] } });
    let refused = served.put("ns1/topicSpaces/tsp10", body.clone());
    assert_eq!((refused.status, member(&refused, "/error/code")), (400, &json!("QuotaExceeded")));
    assert_eq!(served.put("ns1/topicSpaces/TSP9", body).status, 200, "one that is there can be replaced");
}

#[test]
fn lists_are_paged_and_filtered() {
    let mut served = Served::new().with("ns1", enabled());
    for number in 0..25 {
        served = served.with(&format!("ns1/clients/c{number:02}"), json!({}));
    }
    let mut link = Some(format!("{}?api-version=1&$top=10", at("ns1/clients")));
    let mut all = Vec::new();
    let mut pages = 0;
    while let Some(next) = link {
        pages += 1;
        let next = next.trim_start_matches("https://localhost:8443").to_owned();
        let (path, query) = next.split_once('?').unwrap();
        let page = served.get(path, query);
        all.extend(names(&page).into_iter().map(str::to_owned));
        link = member(&page, "/nextLink").as_str().map(str::to_owned);
    }
    let expected: Vec<_> = (0..25).map(|number| format!("c{number:02}")).collect();
    assert_eq!((pages, all), (3, expected));
    let found = served.get("ns1/clients", "$filter=contains%28name%2C%272%27%29&$top=100");
    assert_eq!(names(&found), ["c02", "c12", "c20", "c21", "c22", "c23", "c24"]);
    assert_eq!(served.get("ns1/clients", "$top=101").status, 400);
    assert_eq!(served.get("ns1/clients", "$filter=size%20eq%201").status, 400);
    assert_eq!(served.get("ns2/clients", "").status, 404);
    let all = served.get(&format!("{SUBSCRIPTION}/providers/Microsoft.EventGrid/namespaces"), "");
    assert_eq!(names(&all), ["ns1"]);
    let group = served.get(&format!("{SUBSCRIPTION}/resourcegroups/RG/providers/microsoft.eventgrid/namespaces"), "");
    assert_eq!(names(&group), ["ns1"]);
}

#[test]
fn keys_stay_until_one_is_made_anew() {
    let mut served = Served::new().with("ns1", enabled()).with("ns1/topics/orders", json!({}));
    let before = served.post("ns1/topics/orders/listKeys", Json::Null);
    assert_eq!(before.status, 200);
    served = served.with("ns1/topics/orders", json!({ "properties": { "eventRetentionInDays": 2 } }));
    assert_eq!(served.post("ns1/topics/orders/listkeys", Json::Null), before);
    let after = served.post("ns1/topics/orders/regenerateKey", json!({ "keyName": "key2" }));
    assert_eq!(member(&after, "/key1"), member(&before, "/key1"));
    assert_ne!(member(&after, "/key2"), member(&before, "/key2"));
    assert_eq!(served.post("ns1/topics/orders/regenerateKey", json!({ "keyName": "key3" })).status, 400);
    assert_eq!(served.post("ns1/topics/orders/sing", Json::Null).status, 404);
    assert_eq!(served.post("ns1/listKeys", Json::Null).status, 200);
}

#[test]
fn patch_changes_what_it_names() {
    let mut served = Served::new().with("ns1", enabled());
    let path = "ns1";
    let changed = served.patch(path, json!({ "tags": { "env": "dev" }, "sku": { "capacity": 3 } }));
    assert_eq!(
        (changed.status, member(&changed, "/tags/env"), member(&changed, "/sku/capacity")),
        (200, &json!("dev"), &json!(3))
    );
    let expiry = json!({ "properties": { "topicSpacesConfiguration": { "maximumSessionExpiryInHours": 2 } } });
    let changed = served.patch(path, expiry);
    assert_eq!(member(&changed, "/properties/topicSpacesConfiguration/state"), "Enabled");
    assert_eq!(member(&changed, "/location"), "eastus");
    assert_eq!(served.patch("ns2", json!({})).status, 404);
    let wrong = json!({ "properties": { "topicSpacesConfiguration": { "maximumSessionExpiryInHours": 9 } } });
    assert_eq!(served.patch(path, wrong).status, 400);
}

#[test]
fn conditions_guard_against_what_others_wrote() {
    let mut served = Served::new().with("ns1", enabled());
    let path = at("ns1/clients/one");
    let put = |if_match, if_none_match| Request { if_match, if_none_match, ..request(Method::Put, &path, "", b"{}") };
    assert_eq!(served.ask(&put(Some("*"), None)).status, 412);
    let made = served.ask(&put(None, Some("*")));
    assert_eq!(made.status, 201);
    let etag = made.headers.iter().find(|(name, _)| *name == "etag").unwrap().1.clone();
    assert_eq!(served.ask(&put(None, Some("*"))).status, 412);
    assert_eq!(served.ask(&put(Some(&etag), None)).status, 200);
    assert_eq!(served.ask(&put(Some(&etag), None)).status, 412, "it has changed");
}

#[test]
fn what_is_around_them_is_as_tools_expect() {
    let mut served = Served::new();
    let group = format!("{SUBSCRIPTION}/resourcegroups/any");
    assert_eq!(*member(&served.get(&group, ""), "/location"), "local", "any group can be asked for");
    assert_eq!(served.put(&group, json!({ "location": "eastus", "tags": { "a": "b" } })).status, 201);
    assert_eq!(*member(&served.get(&group, ""), "/location"), "eastus");
    assert_eq!(names(&served.get(&format!("{SUBSCRIPTION}/resourceGroups"), "")), ["any"]);
    let provider = served.get(&format!("{SUBSCRIPTION}/providers/microsoft.eventgrid"), "");
    assert_eq!(*member(&provider, "/resourceTypes/0/resourceType"), "namespaces");
    assert_eq!(*member(&provider, "/resourceTypes/0/apiVersions/0"), "2025-02-15");
    assert_eq!(served.post(&format!("{SUBSCRIPTION}/providers/Microsoft.EventGrid/register"), Json::Null).status, 200);
    assert_eq!(*member(&served.get("/subscriptions", ""), "/value/0/state"), "Enabled");
    assert_eq!(served.get("/tenants", "").status, 200);
    served = served.with(&format!("{group}/providers/Microsoft.EventGrid/namespaces/ns9"), enabled());
    assert_eq!(names(&served.get(&format!("{group}/resources"), "")), ["ns9"]);
    assert_eq!(served.delete(&group).status, 200);
    assert!(names(&served.get(&format!("{SUBSCRIPTION}/resources"), "")).is_empty(), "a group goes with all in it");
}

#[test]
fn rows_bring_everything_back() {
    let mut rows = std::collections::BTreeMap::new();
    let mut plane = Plane::load(Place::default(), []).unwrap();
    for (path, body) in [("ns1", enabled()), ("ns1/clients/one", json!({})), ("ns1/clients/two", json!({}))] {
        let outcome = plane.decide(&request(Method::Put, &at(path), "", body.to_string().as_bytes()));
        for change in &outcome.changes {
            match change {
                super::Change::Put { key, row } => rows.insert(key.clone(), row.clone()),
                super::Change::Remove { key } => rows.remove(key),
            };
        }
        plane.apply(&outcome.changes);
    }
    let again = Plane::load(Place::default(), rows.iter().map(|(key, row)| (key.as_str(), row.as_slice()))).unwrap();
    assert_eq!(again.served(), plane.served());
    assert_eq!(again.state.last, plane.state.last);
    let broken = Plane::load(Place::default(), [("/subscriptions/x", &b"{"[..])]).unwrap_err();
    assert!(broken.to_string().contains("/subscriptions/x"), "{broken}");
}

#[test]
fn the_first_enabled_namespace_is_served() {
    let mut served = Served::new().with("zzz", json!({})).with("yyy", enabled()).with("aaa", enabled());
    assert_eq!(served.0.served().unwrap().namespace.name, "yyy");
    served.delete("yyy");
    assert_eq!(served.0.served().unwrap().namespace.name, "aaa");
}

const DEPLOYMENT: &str = "/subscriptions/00000000-0000-0000-0000-000000000001/resourcegroups/rg/providers/Microsoft.Resources/deployments/main";

fn template(floor: u32) -> Json {
    let part = |kind: &str, name: &str, properties: Json| {
        json!({ "type": format!("Microsoft.EventGrid/namespaces/{kind}"), "apiVersion": "2025-02-15", "properties": properties,
            "name": format!("[concat(parameters('ns'), '/{name}')]"),
            "dependsOn": ["[resourceId('Microsoft.EventGrid/namespaces', parameters('ns'))]"] })
    };
    json!({
        "parameters": { "ns": { "type": "string" } },
        "resources": [
            part("clients", "one", json!({ "attributes": { "floor": floor } })),
            part("topics", "orders", json!({})),
            { "type": "Microsoft.Network/virtualNetworks", "apiVersion": "1", "name": "net", "properties": {} },
            { "type": "Microsoft.EventGrid/namespaces", "apiVersion": "2025-02-15", "name": "[parameters('ns')]",
              "location": "[resourceGroup().location]", "properties": { "topicSpacesConfiguration": { "state": "Enabled" } } }
        ],
        "outputs": {
            "host": { "type": "string", "value": "[reference(parameters('ns')).topicSpacesConfiguration.hostname]" },
            "key": { "type": "string", "value": "[listKeys(resourceId('Microsoft.EventGrid/namespaces', parameters('ns')), '1').key1]" }
        }
    })
}

/// As `az deployment group create` sends it.
fn deployment(template: &Json) -> String {
    format!(
        r#"{{"properties": {{"parameters": {{"ns": {{"value": "ns3"}}}}, "mode": "Incremental", template:{template} // as it is
}}}}"#
    )
}

#[test]
fn a_template_is_deployed_as_az_sends_it() {
    let mut served = Served::new();
    let body = deployment(&template(1));
    let validated = served.ask(&request(Method::Post, &format!("{DEPLOYMENT}/validate"), "", body.as_bytes()));
    assert_eq!(validated.status, 200, "{validated:?}");
    assert!(served.0.state_is_empty());
    let what_if = served.ask(&request(Method::Post, &format!("{DEPLOYMENT}/whatIf"), "", body.as_bytes()));
    let kinds = |reply: &Reply| -> Vec<String> {
        let changes = member(reply, "/properties/changes").as_array().unwrap();
        changes.iter().map(|change| change["changeType"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(kinds(&what_if), ["Create", "Create", "Create", "Unsupported"]);
    assert!(served.0.state_is_empty());

    let made = served.ask(&request(Method::Put, DEPLOYMENT, "api-version=2025-04-01", body.as_bytes()));
    assert_eq!((made.status, member(&made, "/properties/provisioningState")), (201, &json!("Succeeded")), "{made:?}");
    assert_eq!(*member(&made, "/properties/outputs/host/value"), "ns3.local-1.ts.eventgrid.azure.net");
    let keys = served.post("ns3/listKeys", Json::Null);
    assert_eq!(member(&made, "/properties/outputs/key/value"), member(&keys, "/key1"));
    assert_ne!(member(&keys, "/key1"), member(&served.post("ns3/topics/orders/listKeys", Json::Null), "/key1"));
    assert_eq!(served.0.served().unwrap().clients[0].name, "one");
    assert_eq!(served.get(DEPLOYMENT, "").body, made.body);
    let operations = served.get(&format!("{DEPLOYMENT}/operations"), "");
    assert_eq!(member(&operations, "/value").as_array().unwrap().len(), 3);

    let body = deployment(&template(2));
    let what_if = served.ask(&request(Method::Post, &format!("{DEPLOYMENT}/whatIf"), "", body.as_bytes()));
    let mut found = kinds(&what_if);
    found.sort();
    assert_eq!(found, ["Modify", "NoChange", "NoChange", "Unsupported"]);
    assert_eq!(served.ask(&request(Method::Put, DEPLOYMENT, "", body.as_bytes())).status, 200);
    assert_eq!(*member(&served.get("ns3/clients/one", ""), "/properties/attributes/floor"), 2);
}

#[test]
fn a_deployment_that_fails_has_changed_nothing() {
    let mut served = Served::new();
    let mut wrong = template(1);
    wrong["resources"][0]["properties"] = json!({ "state": "Perhaps" });
    let refused = served.ask(&request(Method::Put, DEPLOYMENT, "", deployment(&wrong).as_bytes()));
    assert_eq!((refused.status, member(&refused, "/error/code")), (400, &json!("DeploymentFailed")));
    assert_eq!(*member(&refused, "/error/details/0/target"), "properties.state");
    assert!(member(&refused, "/error/target").as_str().unwrap().ends_with("/clients/one"));
    let mut wrong = template(1);
    wrong["outputs"]["host"]["value"] = json!("[nothing()]");
    let refused = served.ask(&request(Method::Put, DEPLOYMENT, "", deployment(&wrong).as_bytes()));
    assert_eq!((refused.status, member(&refused, "/error/code")), (400, &json!("InvalidTemplate")));
    for body in [
        "{",
        r#"{"properties": {"mode": "Complete", "template": {"resources": []}}}"#,
        r#"{"properties": {"mode": "Incremental"}}"#,
    ] {
        assert_eq!(served.ask(&request(Method::Put, DEPLOYMENT, "", body.as_bytes())).status, 400, "{body}");
    }
    assert!(served.0.state_is_empty());
    assert_eq!(served.get(DEPLOYMENT, "").status, 404);
}

#[test]
fn ten_thousand_clients_go_in_one_deployment() {
    let many = json!({ "resources": [
        { "type": "Microsoft.EventGrid/namespaces", "apiVersion": "1", "name": "ns3", "properties": {} },
        { "type": "Microsoft.EventGrid/namespaces/clients", "apiVersion": "1", "name": "[format('ns3/c{0}', copyIndex())]",
          "dependsOn": ["ns3"], "copy": { "name": "clients", "count": 10_000 } }
    ] });
    let body = json!({ "properties": { "mode": "Incremental", "template": many } }).to_string();
    let mut served = Served::new();
    let made = served.ask(&request(Method::Put, DEPLOYMENT, "", body.as_bytes()));
    assert_eq!(made.status, 201, "{made:?}");
    let refused = served.put("ns3/clients/one-more", json!({}));
    assert_eq!((refused.status, member(&refused, "/error/code")), (400, &json!("QuotaExceeded")));
    let refused = served.put("ns3/clients/c7", json!({ "properties": { "authenticationName": "C8" } }));
    assert_eq!(*member(&refused, "/error/target"), "properties.authenticationName");
    assert_eq!(served.delete("ns3/clients/c8").status, 200);
    assert_eq!(served.put("ns3/clients/c7", json!({ "properties": { "authenticationName": "C8" } })).status, 200);
    assert_eq!(served.put("ns3/clients/c-new", json!({ "properties": { "authenticationName": "c7" } })).status, 201);
}

#[test]
fn roles_are_looked_up_and_assigned() {
    let mut served = Served::new().with("ns1", enabled());
    let scope = at("ns1");
    let found = served.get(
        &format!("{scope}/providers/Microsoft.Authorization/roleDefinitions"),
        "$filter=roleName%20eq%20%27EventGrid%20TopicSpaces%20Publisher%27",
    );
    let role = member(&found, "/value/0/id").as_str().unwrap().to_owned();
    assert_eq!(member(&found, "/value").as_array().unwrap().len(), 1);
    let name = "0f7a1c7e-6c5b-4b0e-9a53-2b1d6f1f6a11";
    let path = format!("{scope}/providers/Microsoft.Authorization/roleAssignments/{name}");
    let body = json!({ "properties": { "roleDefinitionId": role, "principalId": "p1" } });
    assert_eq!(served.put(&path, body.clone()).status, 201);
    assert_eq!(*member(&served.put(&path, body.clone()), "/error/code"), "RoleAssignmentExists");
    assert_eq!(*member(&served.get(&path, ""), "/properties/principalType"), "ServicePrincipal");
    let list = |served: &mut Served, scope: &str, query: &str| {
        names(&served.get(&format!("{scope}/providers/Microsoft.Authorization/roleAssignments"), query)).len()
    };
    assert_eq!(list(&mut served, &scope, "$filter=atScope()"), 1);
    assert_eq!(list(&mut served, SUBSCRIPTION, ""), 1);
    assert_eq!(list(&mut served, SUBSCRIPTION, "$filter=atScope()"), 0);
    assert_eq!(list(&mut served, &scope, "$filter=principalId%20eq%20%27p2%27"), 0);
    for wrong in [json!({}), json!({ "properties": { "roleDefinitionId": "x", "principalId": "p" } })] {
        assert_eq!(served.put(&path.replace("11", "12"), wrong).status, 400);
    }
    assert_eq!(served.put(&path.replace(name, "no-guid"), body).status, 400);
    assert_eq!(served.delete(&path).status, 200);
    assert_eq!(served.delete(&path).status, 204);
    assert_eq!(served.delete("ns1").status, 200);
}
