//! The doctor on broken paths, each in network namespaces of its own.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod netns;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_doctor::{Options, Report, Scheme, Target, run};
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{ClientAuth, Identity, ServerConfig};
use netns::{CLIENT, Cable, HOLE, HOLE_6, READY, SERVER, block_on, ip, role, run_client, start_server};
use tokio::net::TcpListener;

fn examine(scheme: Scheme, host: &str, port: u16) -> Report {
    let mut options = Options::default();
    options.patience = Duration::from_secs(3);
    let report = block_on(run(&Target::new(scheme, host, port), &options));
    println!("{report:#?}");
    report
}

fn codes(report: &Report) -> Vec<&'static str> {
    report.stages.iter().flat_map(|stage| &stage.findings).map(|finding| finding.id.code()).collect()
}

fn cause(report: &Report) -> Option<&'static str> {
    report.primary().map(|finding| finding.id.code())
}

/// A TLS server that takes everybody and says nothing.
fn serve_tls() {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let validity = Validity::days(now, 1);
    let root = CertificateAuthority::new_root("Narrow Root", validity).unwrap();
    let issued = root.issue_server([SERVER], validity).unwrap();
    let identity = Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap();
    let config = ServerConfig::builder().identity(identity).client_certificate(ClientAuth::Off).build().unwrap();
    block_on(async {
        let listener = TcpListener::bind((SERVER, 8883)).await.unwrap();
        println!("{READY}");
        loop {
            let (io, _) = listener.accept().await.unwrap();
            let config = config.clone();
            tokio::spawn(async move {
                let _connection = gridmq_tls::stream::accept(io, &config).await;
                tokio::time::sleep(Duration::from_secs(30)).await;
            });
        }
    });
}

#[test]
#[ignore = "needs root and iproute2; run by cargo xtask test"]
fn doctor_c03_port_filtered() {
    if role().is_some() {
        let report = examine(Scheme::Mqtts, HOLE, 8883);
        assert_eq!(cause(&report), Some("C03"));
        return;
    }
    let cable = Cable::new();
    run_client(&cable.near, "doctor_c03_port_filtered");
}

#[test]
#[ignore = "needs root and iproute2; run by cargo xtask test"]
fn doctor_c04_address_family_dead() {
    let test = "doctor_c04_address_family_dead";
    match role().as_deref() {
        Some("server") => serve_tls(),
        Some(_) => {
            let report = examine(Scheme::Https, "dual.example", 8883);
            assert!(codes(&report).contains(&"C04"), "{:?}", codes(&report));
            // The other family works, so the run goes on and ends in the stage server: nobody trusts the root.
            assert!(report.stages.iter().any(|stage| stage.facts.contains_key("version")));
        }
        None => {
            let cable = Cable::new();
            cable.hosts(&format!("{SERVER} dual.example\n{HOLE_6} dual.example"));
            let _server = start_server(&cable.far, test);
            run_client(&cable.near, test);
        }
    }
}

#[test]
#[ignore = "needs root and iproute2; run by cargo xtask test"]
fn doctor_c05_path_mtu() {
    let test = "doctor_c05_path_mtu";
    match role().as_deref() {
        Some("server") => serve_tls(),
        Some(_) => assert_eq!(cause(&examine(Scheme::Mqtts, SERVER, 8883)), Some("C05")),
        None => {
            let cable = Cable::new();
            // The cable's near end drops what is longer than its own MTU and says nothing, as a path without ICMP does.
            ip(&format!("-n {} link set v0 mtu 1000", cable.near));
            ip(&format!("-n {} link set v1 gso_max_segs 1", cable.far));
            ip(&format!("-n {} route replace 10.99.0.0/24 dev v0 src {CLIENT} advmss 1460", cable.near));
            let _server = start_server(&cable.far, test);
            run_client(&cable.near, test);
        }
    }
}

#[test]
#[ignore = "needs root and iproute2; run by cargo xtask test"]
fn doctor_c14_private_endpoint() {
    let (test, host) = ("doctor_c14_private_endpoint", "ns.westeurope-1.ts.eventgrid.azure.net");
    if role().is_some() {
        assert_eq!(cause(&examine(Scheme::Mqtts, host, 8883)), Some("C14"));
        return;
    }
    let cable = Cable::new();
    cable.hosts(&format!("{HOLE} {host}"));
    run_client(&cable.near, test);
}
