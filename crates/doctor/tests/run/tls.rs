use gridmq_doctor::{Options, Report, Scheme, Status};
use gridmq_tls::catalogue::Stage;
use gridmq_tls::issue::{CertificateAuthority, LeafRequest, Validity};
use gridmq_tls::{ClientAuth, ClientTrust, Identity, ServerConfig, TlsVersion, TlsVersions, Trust};

use crate::peers::{Manner, Pki, cause, examine, identity, ids, leaf_only, now, options, secure};

const HERE: [&str; 2] = ["localhost", "127.0.0.1"];

async fn against(server: Identity, options: &Options) -> Report {
    let config = ServerConfig::builder().identity(server).client_certificate(ClientAuth::Off).build().unwrap();
    examine(Scheme::Mqtts, secure(config, Manner::default()).await, options).await
}

fn trusting(pki: &Pki) -> Options {
    let mut options = options();
    options.trust = Some(pki.trust());
    options
}

#[tokio::test]
async fn a_healthy_server_has_no_errors() {
    let pki = Pki::new("Healthy");
    for versions in [TlsVersions::BOTH, TlsVersions::only(TlsVersion::V1_2), TlsVersions::only(TlsVersion::V1_3)] {
        let config = ServerConfig::builder()
            .identity(pki.server(&HERE))
            .client_certificate(ClientAuth::Required)
            .handshake_trust(ClientTrust::Anchors(pki.trust()))
            .versions(versions)
            .build()
            .unwrap();
        let mut options = trusting(&pki);
        options.identity = Some(pki.client("client1"));
        options.probe_topic = Some("doctor/probe".to_owned());
        let report = examine(Scheme::Mqtts, secure(config, Manner::default()).await, &options).await;
        assert_eq!(cause(&report), "none", "{report:#?}");
        assert!(report.stages.iter().all(|stage| stage.status == Status::Ok), "{report:#?}");
        assert_eq!((report.client_certificates.len(), report.server_certificates.len()), (2, 2));
        assert!(!report.timed_out);
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_servers_chain_is_named() {
    let pki = Pki::new("Mine");
    let other = Pki::new("Other");
    let past = Validity::new(now() - 90_000, now() - 9_000);
    let future = Validity::new(now() + 90_000, now() + 900_000);
    let issue = |request: &LeafRequest, validity| identity(&pki.intermediate.issue(request, validity).unwrap());
    let leaf = pki.intermediate.issue_server(HERE, pki.validity).unwrap();
    let cases = [
        ("D06", issue(&LeafRequest::server(HERE), past)),
        ("D07", issue(&LeafRequest::server(HERE), future)),
        ("D09", pki.server(&["192.0.2.1", "other.example"])),
        ("D10", issue(&LeafRequest::client("127.0.0.1").usage(gridmq_tls::issue::Usage::Server), pki.validity)),
        (
            "D11",
            identity(
                &pki.intermediate.issue(&LeafRequest::client("x").ip([127, 0, 0, 1].into()), pki.validity).unwrap(),
            ),
        ),
        ("D01", leaf_only(&leaf)),
        ("D01", other.server(&HERE)),
    ];
    for (id, server) in cases {
        let report = against(server, &trusting(&pki)).await;
        assert_eq!(cause(&report), id, "{report:#?}");
        assert_eq!(report.failed_stage().unwrap().stage, Stage::Server);
    }
}

#[tokio::test]
async fn another_name_is_d08() {
    let pki = Pki::new("Named");
    let mut options = trusting(&pki);
    options.server_name = Some("broker.example".to_owned());
    let report = against(pki.server(&["elsewhere.example"]), &options).await;
    assert_eq!(cause(&report), "D08", "{report:#?}");
}

#[tokio::test]
async fn a_self_signed_server_is_d04() {
    let pki = Pki::new("Mine");
    for is_ca in [false, true] {
        let issued = gridmq_tls::issue::self_signed(&LeafRequest::server(HERE), is_ca, pki.validity).unwrap();
        let report = against(identity(&issued), &trusting(&pki)).await;
        assert_eq!(cause(&report), "D04", "{report:#?}");
    }
}

#[tokio::test]
async fn the_clients_own_ca_as_trust_is_d02() {
    let (mine, servers) = (Pki::new("Client"), Pki::new("Server"));
    let mut options = trusting(&mine);
    options.identity = Some(mine.client("client1"));
    let report = against(servers.server(&HERE), &options).await;
    assert_eq!(cause(&report), "D02", "{report:#?}");
}

#[tokio::test]
async fn a_root_with_a_new_key_is_d03() {
    let validity = Validity::days(now(), 30);
    let old = CertificateAuthority::new_root("Rolling Root", validity).unwrap();
    let new = CertificateAuthority::new_root("Rolling Root", validity).unwrap();
    let mut options = options();
    options.trust = Some(Trust::only_pem(old.certificate_pem().as_bytes()).unwrap());
    let report = against(identity(&new.issue_server(HERE, validity).unwrap()), &options).await;
    assert_eq!(cause(&report), "D03", "{report:#?}");
}

#[tokio::test]
async fn a_refused_client_certificate_is_named_in_both_versions() {
    let pki = Pki::new("Broker");
    let other = Pki::new("Stranger");
    let past = Validity::new(now() - 90_000, now() - 9_000);
    let old = identity(&pki.intermediate.issue(&LeafRequest::client("old"), past).unwrap());
    let issued = pki.intermediate.issue_client("short", pki.validity).unwrap();
    let cases = [
        ("E01", None),
        ("E02", Some(identity(&other.root.issue_client("x", other.validity).unwrap()))),
        ("E03", Some(leaf_only(&issued))),
        ("E04", Some(old)),
        ("B09", Some(identity(&gridmq_tls::issue::self_signed_client("me", false, pki.validity).unwrap()))),
    ];
    for (id, client) in cases {
        for version in [TlsVersion::V1_2, TlsVersion::V1_3] {
            let config = ServerConfig::builder()
                .identity(pki.server(&HERE))
                .client_certificate(ClientAuth::Required)
                .handshake_trust(ClientTrust::Anchors(pki.trust()))
                .versions(version)
                .build()
                .unwrap();
            let mut options = trusting(&pki);
            options.identity.clone_from(&client);
            let report = examine(Scheme::Mqtts, secure(config, Manner::default()).await, &options).await;
            assert_eq!(cause(&report), id, "{version} {report:#?}");
            assert_eq!(report.failed_stage().unwrap().stage, Stage::Client);
        }
    }
}

#[tokio::test]
async fn a_server_that_does_not_ask_is_a_warning_until_it_refuses() {
    let pki = Pki::new("Deaf");
    let mut options = trusting(&pki);
    options.identity = Some(pki.client("client1"));
    let report = against(pki.server(&HERE), &options).await;
    assert_eq!((cause(&report).as_str(), ids(&report)), ("none", vec!["E15"]), "{report:#?}");

    let config =
        ServerConfig::builder().identity(pki.server(&HERE)).client_certificate(ClientAuth::Off).build().unwrap();
    let manner = Manner { connack: Some(gridmq_proto::ReasonCode::NotAuthorized), ..Manner::default() };
    let report = examine(Scheme::Mqtts, secure(config, manner).await, &options).await;
    assert_eq!(cause(&report), "E15", "{report:#?}");
}

#[tokio::test]
async fn any_tls_server_can_be_examined() {
    let pki = Pki::new("Web");
    let config =
        ServerConfig::builder().identity(pki.server(&HERE)).client_certificate(ClientAuth::Off).build().unwrap();
    let report = examine(Scheme::Https, secure(config, Manner::default()).await, &trusting(&pki)).await;
    assert_eq!(cause(&report), "none", "{report:#?}");
    let skipped: Vec<_> =
        report.stages.iter().filter(|stage| stage.status == Status::Skipped).map(|stage| stage.stage).collect();
    assert_eq!(skipped, [Stage::Connect, Stage::Access]);
}

#[tokio::test]
async fn the_systems_store_is_no_trust_that_was_given() {
    let pki = Pki::new("Unknown");
    for (trust, given) in [(None, false), (Some(Trust::platform()), false), (Some(Pki::new("Other").trust()), true)] {
        let mut options = options();
        options.trust = trust;
        let report = against(pki.server(&HERE), &options).await;
        let server = report.stages.iter().find(|stage| stage.stage == Stage::Server).unwrap();
        assert_eq!(!server.facts["given"].is_null(), given, "{report:#?}");
        assert!(["D01", "D19"].contains(&cause(&report).as_str()), "{report:#?}");
    }
}
