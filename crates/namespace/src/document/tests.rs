use proptest::prelude::*;

use super::*;

/// The kinds and paths of a document's problems.
fn problems(json: &str) -> Vec<(String, ProblemKind)> {
    match Resources::from_json(json) {
        Err(LoadError::Invalid { problems }) => {
            problems.into_iter().map(|problem| (problem.path, problem.kind)).collect()
        }
        other => panic!("{json}: {other:?}"),
    }
}

/// The path, line and words of a document of another shape.
fn shape(json: &str) -> (String, usize, String) {
    match Resources::from_json(json) {
        Err(LoadError::Shape { path, line, problem, .. }) => (path, line, problem),
        other => panic!("{json}: {other:?}"),
    }
}

#[test]
fn an_empty_object_is_a_namespace_that_nobody_can_enter() {
    let resources = Resources::from_json("\u{feff}{}").unwrap();
    assert_eq!(resources, Resources::default());
    assert_eq!(resources.namespace.name, DEFAULT_NAMESPACE);
}

#[test]
fn what_is_written_reads_the_same_and_writes_the_same() {
    let json = r#"{ "$schema": "s", "caCertificates": null, "clients": [
        { "name": "b", "properties": { "attributes": { "z": 1, "a": ["x"] }, "futureMember": { "k": [1, null] } } },
        { "name": "a", "id": "/x", "properties": { "state": "disabled", "authenticationName": "A" } } ] }"#;
    let first = Resources::from_json(json).unwrap();
    let text = first.to_json();
    let second = Resources::from_json(&text).unwrap();
    assert_eq!(first, second);
    assert_eq!(text, second.to_json());
    assert!(text.ends_with("}\n"));
}

#[test]
fn text_that_is_not_json_is_located() {
    assert_eq!(Resources::from_json(" \n"), Err(LoadError::Empty));
    for (json, line, column) in [("{\n  \"clients\": [,]\n}", 2, 15), ("{", 1, 1), ("{} x", 1, 4), ("nul", 1, 3)] {
        match Resources::from_json(json) {
            Err(LoadError::Syntax { line: found_line, column: found_column, problem }) => {
                assert_eq!((found_line, found_column), (line, column), "{json}: {problem}");
                assert!(!problem.contains(" at line"), "{problem}");
            }
            other => panic!("{json}: {other:?}"),
        }
    }
    let deep = "[".repeat(100_000);
    assert!(matches!(Resources::from_json(&deep), Err(LoadError::Shape { .. } | LoadError::Syntax { .. })));
    let deep = format!(r#"{{"namespace":{{"name":"abc","x":{}"#, "[".repeat(100_000));
    assert!(Resources::from_json(&deep).is_err());
}

#[test]
fn another_shape_is_located_by_its_path() {
    let client = |properties: &str| {
        format!("{{\"clients\": [{{\"name\": \"a\"}},\n{{\"name\": \"b\", \"properties\": {properties}}}]}}")
    };
    for (json, path, line) in [
        ("[]".to_owned(), "the document", 1),
        ("1".to_owned(), "the document", 1),
        (r#"{"topicspaces": []}"#.to_owned(), "topicspaces", 1),
        (r#"{"clients": {}}"#.to_owned(), "clients", 1),
        (r#"{"clients": [{}]}"#.to_owned(), "clients[0]", 1),
        (r#"{"clients": [["a"]]}"#.to_owned(), "clients[0]", 1),
        (client(r#"[]"#), "clients[1].properties", 2),
        (client(r#"{"attributes": {"floor": 1.5}}"#), "clients[1].properties.attributes.floor", 2),
        (client(r#"{"attributes": {"x": ["a", 1]}}"#), "clients[1].properties.attributes.x[1]", 2),
        (client(r#"{"attributes": []}"#), "clients[1].properties.attributes", 2),
        (client(r#"{"state": "On"}"#), "clients[1].properties.state", 2),
        (
            client(r#"{"clientCertificateAuthentication": {"validationScheme": "Dns"}}"#),
            "clients[1].properties.clientCertificateAuthentication.validationScheme",
            2,
        ),
        (
            r#"{"namespace": {"name": "abc", "properties": {"topicSpacesConfiguration":
                {"maximumSessionExpiryInHours": "1"}}}}"#
                .to_owned(),
            "namespace.properties.topicSpacesConfiguration.maximumSessionExpiryInHours",
            2,
        ),
    ] {
        let (found_path, found_line, problem) = shape(&json);
        assert_eq!((found_path.as_str(), found_line), (path, line), "{json}: {problem}");
        assert!(problem.contains("expected") || problem.contains("missing"), "{problem}");
    }
}

#[test]
fn each_rule_is_located_by_its_path_and_all_are_collected() {
    let json = r#"{
      "namespace": { "name": "n", "sku": { "capacity": 41 }, "properties": { "topicSpacesConfiguration":
        { "maximumSessionExpiryInHours": 9, "maximumClientSessionsPerAuthenticationName": 0 } } },
      "clients": [
        { "name": "a b" },
        { "name": "c", "properties": { "authenticationName": "Name" } },
        { "name": "c", "properties": { "authenticationName": "nAME" } },
        { "name": "d", "properties": { "authenticationName": "" , "attributes": { "a-b": 1 } } },
        { "name": "e", "properties": { "clientCertificateAuthentication": { "allowedThumbprints": ["aa"] } } },
        { "name": "f", "properties": { "clientCertificateAuthentication": { "validationScheme": "ThumbprintMatch" } } },
        { "name": "g", "properties": { "clientCertificateAuthentication":
          { "validationScheme": "ThumbprintMatch", "allowedThumbprints": ["xyz"] } } }
      ],
      "clientGroups": [
        { "name": "$all", "properties": { "query": "attributes.x = 1" } },
        { "name": "group" },
        { "name": "Group", "properties": { "query": "attributes.x ~ 1" } }
      ],
      "topicSpaces": [
        { "name": "empty" },
        { "name": "space", "properties": { "topicTemplates": ["a/#", "a/#/b", "${client.x}"] } }
      ],
      "permissionBindings": [
        { "name": "ok1", "properties": { "clientGroupName": "$all", "topicSpaceName": "SPACE", "permission": "publisher" } },
        { "name": "bad", "properties": { "clientGroupName": "nobody", "topicSpaceName": "nowhere" } },
        { "name": "none" }
      ],
      "caCertificates": [ { "name": "ca1" }, { "name": "ca2", "properties": { "encodedCertificate": "PEM" } } ]
    }"#;
    let expected = [
        ("namespace.name", ProblemKind::Name),
        ("namespace.sku.capacity", ProblemKind::Limit),
        ("namespace.properties.topicSpacesConfiguration.maximumSessionExpiryInHours", ProblemKind::Limit),
        (
            "namespace.properties.topicSpacesConfiguration.maximumClientSessionsPerAuthenticationName",
            ProblemKind::Limit,
        ),
        ("clients[0].name", ProblemKind::Name),
        ("clients[2].name", ProblemKind::Duplicate),
        ("clients[2].properties.authenticationName", ProblemKind::Duplicate),
        ("clients[3].properties.authenticationName", ProblemKind::Name),
        ("clients[3].properties.attributes", ProblemKind::Name),
        ("clients[4].properties.clientCertificateAuthentication.allowedThumbprints", ProblemKind::Superfluous),
        ("clients[5].properties.clientCertificateAuthentication.allowedThumbprints", ProblemKind::Limit),
        ("clients[6].properties.clientCertificateAuthentication.allowedThumbprints[0]", ProblemKind::Thumbprint),
        ("clientGroups[0].name", ProblemKind::Name),
        ("clientGroups[2].name", ProblemKind::Duplicate),
        ("clientGroups[1].properties.query", ProblemKind::Missing),
        ("clientGroups[2].properties.query", ProblemKind::Query),
        ("topicSpaces[0].properties.topicTemplates", ProblemKind::Limit),
        ("topicSpaces[1].properties.topicTemplates[1]", ProblemKind::Template),
        ("topicSpaces[1].properties.topicTemplates[2]", ProblemKind::Template),
        ("permissionBindings[1].properties.clientGroupName", ProblemKind::Reference),
        ("permissionBindings[1].properties.topicSpaceName", ProblemKind::Reference),
        ("permissionBindings[1].properties.permission", ProblemKind::Missing),
        ("permissionBindings[2].properties.clientGroupName", ProblemKind::Missing),
        ("permissionBindings[2].properties.topicSpaceName", ProblemKind::Missing),
        ("permissionBindings[2].properties.permission", ProblemKind::Missing),
        ("caCertificates[0].properties.encodedCertificate", ProblemKind::Missing),
        ("caCertificates[1].properties.encodedCertificate", ProblemKind::Certificate),
    ];
    let mut expected: Vec<_> = expected.map(|(path, kind)| (path.to_owned(), kind)).to_vec();
    let mut found = problems(json);
    let order = |problem: &(String, ProblemKind)| (problem.0.clone(), format!("{:?}", problem.1));
    expected.sort_by_key(order);
    found.sort_by_key(order);
    assert_eq!(found, expected);
}

#[test]
fn counts_and_sizes_are_limited() {
    let list = |count: usize, properties: &str| {
        let items: Vec<_> =
            (0..count).map(|at| format!(r#"{{"name":"name{at}","properties":{properties}}}"#)).collect();
        format!("[{}]", items.join(","))
    };
    let query = r#"{"query":"attributes.x = 1"}"#;
    assert!(Resources::from_json(&format!(r#"{{"clientGroups":{}}}"#, list(10, query))).is_ok());
    let found = problems(&format!(r#"{{"clientGroups":{}}}"#, list(11, query)));
    assert_eq!(found, [("clientGroups".to_owned(), ProblemKind::Limit)]);

    let found = problems(&format!(r#"{{"topicSpaces":{}}}"#, list(11, r#"{"topicTemplates":["a"]}"#)));
    assert_eq!(found, [("topicSpaces".to_owned(), ProblemKind::Limit)]);

    let templates: Vec<_> = (0..11).map(|at| format!("\"t{at}\"")).collect();
    let space =
        format!(r#"{{"topicSpaces":[{{"name":"abc","properties":{{"topicTemplates":[{}]}}}}]}}"#, templates.join(","));
    assert_eq!(problems(&space), [("topicSpaces[0].properties.topicTemplates".to_owned(), ProblemKind::Limit)]);

    let client = |bytes: usize| {
        format!(r#"{{"clients":[{{"name":"a","properties":{{"attributes":{{"k":"{}"}}}}}}]}}"#, "x".repeat(bytes))
    };
    assert!(Resources::from_json(&client(4095)).is_ok());
    assert_eq!(problems(&client(4096)), [("clients[0].properties.attributes".to_owned(), ProblemKind::Limit)]);
}

#[test]
fn ten_thousand_clients_fit_one_throughput_unit_and_problems_are_bounded() {
    let clients = |count: usize, name: &str| {
        let items: Vec<_> = (0..count).map(|at| format!(r#"{{"name":"{name}{at}"}}"#)).collect();
        format!(r#"{{"clients":[{}]}}"#, items.join(","))
    };
    assert!(Resources::from_json(&clients(10_000, "c")).is_ok());
    assert_eq!(problems(&clients(10_001, "c")), [("clients".to_owned(), ProblemKind::Limit)]);
    assert_eq!(problems(&clients(1000, "bad name ")).len(), 100);
}

#[test]
fn words_name_the_place_what_was_found_and_what_was_expected() {
    let error = Resources::from_json(r#"{"clientGroups":[{"name":"abc","properties":{"query":"attributes.x = "}}]}"#);
    let words = error.unwrap_err().to_string();
    for part in ["clientGroups[0].properties.query", "attributes.x = ", "at byte 15", "expected"] {
        assert!(words.contains(part), "{words}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = Resources::from_json(&text);
    }

    #[test]
    fn no_order_of_tokens_panics(tokens in prop::collection::vec(prop::sample::select(vec![
        "{", "}", "[", "]", ":", ",", "null", "1", "-1.5", "true", "\"a\"", "\"clients\"", "\"name\"", "\"properties\"",
        "\"attributes\"", "\"topicSpaces\"", "\"topicTemplates\"", "\"namespace\"", "\"query\"",
    ]), 0..60)) {
        let _ = Resources::from_json(&tokens.concat());
        let _ = Resources::from_json(&format!("{{\"clients\":[{{\"name\":{}", tokens.concat()));
    }

    #[test]
    fn documents_of_any_words_read_back_as_written(
        name in "\\PC{0,20}", key in "\\PC{0,5}", text in "\\PC{0,20}", number in any::<i64>(),
    ) {
        let json = serde_json::json!({ "clients": [ { "name": "x", "properties": {
            "authenticationName": name, "attributes": { "k": number, "t": text }, "other": { key: text } } } ] });
        if let Ok(resources) = Resources::from_json(&json.to_string()) {
            prop_assert_eq!(Resources::from_json(&resources.to_json()).unwrap(), resources);
        }
    }
}
