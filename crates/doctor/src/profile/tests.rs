use super::*;

#[test]
fn every_file_parses_and_its_hints_name_entries() {
    for text in FILES {
        let profile = Profile::parse(text).unwrap();
        for id in profile.hints.keys() {
            assert_eq!(id.parse::<Id>().unwrap().code(), id, "{}", profile.name);
        }
        assert!(profile.near_hosts.is_empty() || profile.near_hint.is_some(), "{}", profile.name);
    }
    assert_eq!(Profile::all().len(), FILES.len());
}

#[test]
fn hosts_lead_to_their_profiles() {
    for (host, name) in [
        ("ns.westeurope-1.ts.eventgrid.azure.net", "azure-event-grid"),
        ("NS.westeurope-1.TS.eventgrid.azure.net.", "azure-event-grid"),
        ("ns.westeurope-1.eventgrid.azure.net", "azure-event-grid"),
        ("hub.azure-devices.net", "azure-iot-hub"),
        ("a1b2-ats.iot.eu-west-1.amazonaws.com", "aws-iot"),
        ("0123.s1.eu.hivemq.cloud", "hivemq-cloud"),
        ("x.ala.eu-central-1.emqxsl.com", "emqx-cloud"),
        ("test.mosquitto.org", "mosquitto"),
        ("localhost", "generic"),
        ("azure-devices.net", "generic"),
        ("", "generic"),
    ] {
        assert_eq!(Profile::for_host(host).name, name, "{host}");
    }
}

#[test]
fn a_host_name_of_the_http_side_is_told_apart() {
    let profile = Profile::for_host("ns.westeurope-1.eventgrid.azure.net");
    assert!(profile.wrong_host("ns.westeurope-1.eventgrid.azure.net").is_some());
    assert!(profile.wrong_host("ns.westeurope-1.ts.eventgrid.azure.net").is_none());
    assert!(Profile::generic().wrong_host("localhost").is_none());
}

#[test]
fn hints_stand_before_the_general_fix() {
    let grid = Profile::by_name("Azure-Event-Grid").unwrap();
    assert_eq!(grid.fix(Id::F08), "remove the user properties from CONNECT");
    assert_eq!(grid.fix(Id::A19), Id::A19.fix());
    assert!(Profile::by_name("nothing").is_none());
}

#[test]
fn application_protocols_are_for_their_ports() {
    let aws = Profile::by_name("aws-iot").unwrap();
    assert_eq!(aws.alpn_for(443), ["x-amzn-mqtt-ca"]);
    assert!(aws.alpn_for(8883).is_empty());
}
