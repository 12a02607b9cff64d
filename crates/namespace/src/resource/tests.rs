use super::*;

fn client(json: &str) -> Result<Client, String> {
    serde_json::from_str(json).map_err(|error| error.to_string())
}

#[test]
fn a_client_without_properties_has_the_documented_defaults() {
    for json in [r#"{"name":"Client3"}"#, r#"{"name":"Client3","properties":null}"#] {
        let client = client(json).unwrap();
        assert_eq!(client.authentication_name(), "Client3");
        assert_eq!(client.properties.state, ClientState::Enabled);
        let scheme = client.properties.client_certificate_authentication.validation_scheme;
        assert_eq!(scheme, ValidationScheme::SubjectMatchesAuthenticationName);
    }
}

#[test]
fn enumerations_ignore_case_and_are_written_in_arms() {
    let read = client(
        r#"{"name":"c","properties":{"state":"dISABLED",
            "clientCertificateAuthentication":{"validationScheme":"thumbprintmatch","allowedThumbprints":["AA"]}}}"#,
    )
    .unwrap();
    let json = serde_json::to_value(&read).unwrap();
    assert_eq!(json.pointer("/properties/state").unwrap(), "Disabled");
    let scheme = "/properties/clientCertificateAuthentication/validationScheme";
    assert_eq!(json.pointer(scheme).unwrap(), "ThumbprintMatch");
    assert!(client(r#"{"name":"c","properties":{"state":"Off"}}"#).is_err());
}

#[test]
fn attributes_are_integers_booleans_texts_and_arrays_of_texts() {
    let attributes: Attributes =
        serde_json::from_str(r#"{"floor":-6,"on":true,"type":"t","sensors":["a","b"],"none":[]}"#).unwrap();
    assert_eq!(attributes.get("floor"), Some(&AttributeValue::Integer(-6)));
    assert_eq!(attributes.get("on"), Some(&AttributeValue::Boolean(true)));
    assert_eq!(attributes.get("type"), Some(&AttributeValue::from("t")));
    assert_eq!(attributes.get("sensors"), Some(&AttributeValue::from(["a", "b"])));
    assert_eq!(attributes.bytes(), "floorontypesensorsnone".len() + 8 + 1 + 1 + 2);
    for refused in [
        r#"{"a":1.5}"#,
        r#"{"a":null}"#,
        r#"{"a":{}}"#,
        r#"{"a":[1]}"#,
        r#"{"a":9223372036854775808}"#,
        r#"{"a":1,"a":1}"#,
    ] {
        assert!(serde_json::from_str::<Attributes>(refused).is_err(), "{refused}");
    }
}

#[test]
fn what_is_not_interpreted_is_written_back() {
    let json = r#"{"id":"/x","name":"s1","type":"T","properties":{"topicTemplates":["a/#"],"provisioningState":
        "Succeeded","subscriptionSupport":"LowFanout"},"systemData":null}"#;
    let space: TopicSpace = serde_json::from_str(json).unwrap();
    let before: Value = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_value(&space).unwrap(), before);
}

#[test]
fn the_whole_namespace_is_written_back() {
    let json = r##"{"id":"/n","name":"ns1","type":"Microsoft.EventGrid/namespaces","location":"westus3",
      "tags":{"a":"b"},"sku":{"name":"Standard","capacity":2},
      "identity":{"type":"SystemAssigned, UserAssigned","principalId":"p","tenantId":"t",
        "userAssignedIdentities":{"/u":{"principalId":"p","clientId":"c"}}},
      "properties":{"isZoneRedundant":true,"publicNetworkAccess":"Enabled","minimumTlsVersionAllowed":"1.2",
        "inboundIpRules":[{"ipMask":"10.0.0.0/8","action":"Allow"}],"privateEndpointConnections":[],
        "topicsConfiguration":{"inputSchema":"CloudEventSchemaV1_0","hostname":"h"},
        "topicSpacesConfiguration":{"state":"Enabled","hostname":"m","maximumSessionExpiryInHours":2,
          "maximumClientSessionsPerAuthenticationName":3,"routeTopicResourceId":"/t",
          "routingEnrichments":{"static":[{"key":"k","valueType":"string","value":"v"}],
            "dynamic":[{"key":"k2","value":"${client.authenticationName}"}]},
          "routingIdentityInfo":{"type":"UserAssigned","userAssignedIdentity":"/u"},
          "customDomains":[{"fullyQualifiedDomainName":"mqtt.example","certificateUrl":"https://k"}],
          "clientAuthentication":{"alternativeAuthenticationNameSources":["ClientCertificateSubject"],
            "customJwtAuthentication":{"tokenIssuer":"i","issuerCertificates":[{"certificateUrl":"u"}],
              "encodedIssuerCertificates":[{"kid":"1","encodedCertificate":"PEM"}]},
            "webhookAuthentication":{"endpointUrl":"https://w","azureActiveDirectoryTenantId":"t",
              "azureActiveDirectoryApplicationIdOrUri":"api://a","identity":{"type":"SystemAssigned"}}}}}}"##;
    let namespace: Namespace = serde_json::from_str(json).unwrap();
    assert_eq!(namespace.throughput_units(), 2);
    let before: Value = serde_json::from_str(json).unwrap();
    assert_eq!(serde_json::to_value(&namespace).unwrap(), before);
}

#[test]
fn both_spellings_of_the_webhook_are_read() {
    let json = r#"{"webHookAuthentication":{"endpointUrl":"https://w"}}"#;
    let authentication: ClientAuthentication = serde_json::from_str(json).unwrap();
    assert!(authentication.webhook_authentication.is_some());
}
