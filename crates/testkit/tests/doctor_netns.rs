//! The doctor on broken paths, each in network namespaces of its own.
//!
//! A test starts itself again inside its namespaces, once for each role.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use gridmq_doctor::{Options, Report, Scheme, Target, run};
use gridmq_tls::issue::{CertificateAuthority, Validity};
use gridmq_tls::{ClientAuth, Identity, ServerConfig};
use tokio::net::TcpListener;

const ROLE: &str = "GRIDMQ_NETNS_ROLE";
const CLIENT: &str = "10.99.0.1";
const SERVER: &str = "10.99.0.2";
/// Routed, and nobody has it: what is sent there vanishes.
const HOLE: &str = "10.99.0.3";
const HOLE_6: &str = "fd00:99::3";
const READY: &str = "server ready";

/// Two namespaces joined by a cable; they go when this does.
struct Cable {
    near: String,
    far: String,
}

impl Cable {
    fn new(test: &str) -> Self {
        let tag = format!("{}{}", test.trim_start_matches("doctor_").get(..3).unwrap(), std::process::id());
        let cable = Self { near: format!("gmq-{tag}-a"), far: format!("gmq-{tag}-b") };
        let (near, far) = (&cable.near, &cable.far);
        for command in [
            format!("netns add {near}"),
            format!("netns add {far}"),
            format!("link add v0 netns {near} type veth peer name v1 netns {far}"),
            format!("-n {near} addr add {CLIENT}/24 dev v0"),
            format!("-n {near} addr add fd00:99::1/64 dev v0 nodad"),
            format!("-n {far} addr add {SERVER}/24 dev v1"),
            format!("-n {near} link set v0 up"),
            format!("-n {near} link set lo up"),
            format!("-n {far} link set v1 up"),
            format!("-n {far} link set lo up"),
            format!("-n {near} neigh add {HOLE} lladdr 02:00:00:00:00:99 dev v0 nud permanent"),
            format!("-n {near} -6 neigh add {HOLE_6} lladdr 02:00:00:00:00:99 dev v0 nud permanent"),
        ] {
            ip(&command);
        }
        cable
    }

    /// Names that only the near side knows.
    fn hosts(&self, lines: &str) {
        let directory = self.directory();
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join("hosts"), format!("127.0.0.1 localhost\n{lines}\n")).unwrap();
    }

    fn directory(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.near)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for name in [&self.near, &self.far] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
        let _ = std::fs::remove_dir_all(self.directory());
    }
}

fn ip(arguments: &str) {
    let output = Command::new("ip").args(arguments.split(' ')).output().expect("the program ip");
    assert!(output.status.success(), "ip {arguments}: {}", String::from_utf8_lossy(&output.stderr));
}

/// This test again, in a namespace and a role.
fn again(namespace: &str, test: &str, role: &str) -> Command {
    let mut command = Command::new("ip");
    command.args(["netns", "exec", namespace]).arg(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"]).env(ROLE, role);
    command
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server's role and waits until it listens.
fn start_server(namespace: &str, test: &str) -> Server {
    let mut child = again(namespace, test, "server").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = Server(child);
    assert!(lines.map_while(Result::ok).any(|line| line.contains(READY)), "the server did not start");
    server
}

/// Runs the client's role to its end.
fn run_client(namespace: &str, test: &str) {
    let output = again(namespace, test, "client").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "the client's role did not run: {}", text(&output.stdout));
}

fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}

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
    let cable = Cable::new("doctor_c03");
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
            let cable = Cable::new(test);
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
            let cable = Cable::new(test);
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
    let cable = Cable::new(test);
    cable.hosts(&format!("{HOLE} {host}"));
    run_client(&cable.near, test);
}
