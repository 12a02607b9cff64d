//! Two network namespaces joined by a cable. A test starts itself again inside them, once for each role.
#![allow(dead_code, reason = "each test program uses a part")]

use std::future::Future;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

const ROLE: &str = "GRIDMQ_NETNS_ROLE";
pub(crate) const CLIENT: &str = "10.99.0.1";
pub(crate) const SERVER: &str = "10.99.0.2";
/// Routed, and nobody has it: what is sent there vanishes.
pub(crate) const HOLE: &str = "10.99.0.3";
pub(crate) const HOLE_6: &str = "fd00:99::3";
pub(crate) const READY: &str = "server ready";

/// Two namespaces joined by a cable; they go when this does.
pub(crate) struct Cable {
    pub(crate) near: String,
    pub(crate) far: String,
}

impl Cable {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let tag = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
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
    pub(crate) fn hosts(&self, lines: &str) {
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

pub(crate) fn ip(arguments: &str) {
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

pub(crate) struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the server's role and waits until it listens.
pub(crate) fn start_server(namespace: &str, test: &str) -> Server {
    let mut child = again(namespace, test, "server").stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let server = Server(child);
    assert!(lines.map_while(Result::ok).any(|line| line.contains(READY)), "the server did not start");
    server
}

/// Runs the client's role to its end.
pub(crate) fn run_client(namespace: &str, test: &str) {
    let output = again(namespace, test, "client").output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "the client's role did not run: {}", text(&output.stdout));
}

pub(crate) fn role() -> Option<String> {
    std::env::var(ROLE).ok()
}

pub(crate) fn block_on<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap().block_on(future)
}
