//! `gridmq serve --template`: the namespace that an ARM template describes.

#![cfg(unix)]
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[allow(dead_code, unreachable_pub, reason = "each test takes what it needs")]
mod common;

use std::path::Path;

use common::{Running, eventually, gridmq, run};
use serde_json::json;

fn template() -> serde_json::Value {
    let part = |kind: &str, name: &str, properties: serde_json::Value| {
        json!({ "type": format!("Microsoft.EventGrid/namespaces/{kind}"), "apiVersion": "2025-02-15",
            "name": format!("[format('{{0}}/{{1}}', parameters('namespaceName'), '{name}')]"), "properties": properties,
            "dependsOn": ["[resourceId('Microsoft.EventGrid/namespaces', parameters('namespaceName'))]"] })
    };
    json!({
        "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
        "contentVersion": "1.0.0.0",
        "parameters": {
            "namespaceName": { "type": "string", "defaultValue": "plant-7" },
            "devices": { "type": "array" }
        },
        "resources": [
            part("permissionBindings", "own-pub", json!({ "clientGroupName": "$all", "topicSpaceName": "own", "permission": "Publisher" })),
            part("topicSpaces", "own", json!({ "topicTemplates": ["devices/${client.authenticationName}/#"] })),
            part("topics", "telemetry", json!({ "eventRetentionInDays": 1 })),
            { "type": "Microsoft.EventGrid/namespaces/clients", "apiVersion": "2025-02-15",
              "name": "[concat(parameters('namespaceName'), '/', parameters('devices')[copyIndex()])]",
              "copy": { "name": "devices", "count": "[length(parameters('devices'))]" } },
            { "type": "Microsoft.EventGrid/namespaces", "apiVersion": "2025-02-15", "name": "[parameters('namespaceName')]",
              "location": "[resourceGroup().location]",
              "properties": { "topicSpacesConfiguration": { "state": "Enabled" } } }
        ]
    })
}

fn devices(dir: &Path, names: &[&str]) {
    let parameters = json!({ "parameters": { "devices": { "value": names } } });
    std::fs::write(dir.join("p.json"), parameters.to_string()).unwrap();
}

const SERVE: &str = "serve --template main.json --parameters p.json --plain 127.0.0.1:0 --trust-plain --log warn";

#[test]
fn a_template_is_served_and_read_again() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("main.json"), template().to_string()).unwrap();
    devices(dir.path(), &["device1"]);
    let mut broker = Running::start(gridmq(dir.path()).args(SERVE.split(' ')));
    let port = broker.port();
    assert!(broker.line().starts_with("namespace plant-7: "));
    let publish = |name: &str| run(dir.path(), &format!("pub -p {port} -u {name} -t devices/{name}/t -m 21 -q 1"));
    publish("device1").done();
    publish("device2").failed(1, &["0x87"]);
    run(dir.path(), &format!("pub -p {port} -u device1 -t other -m 21 -q 1")).failed(1, &["0x87"]);
    devices(dir.path(), &["device1", "device2"]);
    let pid = broker.child.id().to_string();
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    eventually("the second device may publish", || publish("device2").code == 0);
    // What is wrong leaves it as it was.
    devices(dir.path(), &["device3", "a b"]);
    assert!(std::process::Command::new("kill").args(["-HUP", &pid]).status().unwrap().success());
    publish("device2").done();
    publish("device3").failed(1, &["0x87"]);
}

#[test]
fn what_is_passed_over_or_wrong_is_said() {
    let dir = tempfile::tempdir().unwrap();
    let check = |more: &str| run(dir.path(), &format!("{SERVE} --check-config{more}"));
    std::fs::write(dir.path().join("main.json"), template().to_string()).unwrap();
    devices(dir.path(), &["device1"]);
    let ended = check("");
    assert!(
        ended.err.contains("main.json: Microsoft.EventGrid/namespaces/topics plant-7/telemetry is passed over"),
        "{ended:?}"
    );
    ended.done();
    check(" --namespace other.json").failed(2, &["leave out --namespace, or --template"]);
    std::fs::write(dir.path().join("p.json"), "{}").unwrap();
    check("").failed(1, &["main.json: parameters.devices: this parameter has no value", "give it"]);
    std::fs::write(dir.path().join("p.json"), "{").unwrap();
    check("").failed(1, &["p.json: line 1, column"]);
    devices(dir.path(), &["a b"]);
    check("").failed(1, &["main.json: resources[3].name: found \"a b\"", "letters"]);
    let mut broken = template();
    broken["resources"][1]["properties"]["topicTemplates"] = json!(["[concatt('a')]"]);
    std::fs::write(dir.path().join("main.json"), broken.to_string()).unwrap();
    check("").failed(1, &["main.json: resources[1].properties.topicTemplates[0]", "is concat() meant?"]);
    run(dir.path(), "serve --parameters p.json --plain 0").failed(2, &["give --template too"]);
}
