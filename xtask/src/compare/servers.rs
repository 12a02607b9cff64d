//! Brokers to measure against, and the source of packets.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::peers::Bench;
use super::rows::{Row, Server};
use super::version_of;
use crate::shell::{Context, Result, fail, target};

/// A client of the quickstart's namespace, by the name of its files.
const USER: &str = "client1-authn-ID";
/// Debian keeps the broker where only root's search path leads.
const MOSQUITTO: &str = "/usr/sbin/mosquitto";

/// A process that ends with this value.
#[derive(Debug)]
pub(super) struct Running(pub(super) Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The broker under all its ports.
#[derive(Debug)]
pub(super) struct Servers {
    pub(super) version: String,
    _processes: Vec<Running>,
    tcp: u16,
    tls: u16,
    mutual: u16,
    certificates: PathBuf,
}

impl Servers {
    /// Starts our broker or mosquitto, and waits until it serves.
    pub(super) fn start(mosquitto: bool, bench: &Bench) -> Result<Self> {
        let (tcp, tls, mutual) = (free_port()?, free_port()?, free_port()?);
        let certificates = bench.certificates.clone();
        let state = target().join("compare/state");
        let _ = std::fs::remove_dir_all(&state);
        std::fs::create_dir_all(&state).context(format_args!("cannot make {}", state.display()))?;
        let commands = if mosquitto {
            vec![mosquitto_command(&state, &certificates, [tcp, tls, mutual])?]
        } else {
            let serve = |name: &str| {
                let mut command = Command::new(&bench.gridmq);
                command.args(["serve", "--log", "error", "--data-dir"]).arg(state.join(name));
                command.arg("--cert").arg(certificates.join("server.pem"));
                command.arg("--key").arg(certificates.join("server.key"));
                command
            };
            let mut open = serve("open");
            open.args(["--plain", &at(tcp), "--listen", &at(tls)]);
            let mut closed = serve("namespace");
            closed.args(["--listen", &at(mutual), "--namespace"]).arg(certificates.join("namespace.json"));
            vec![open, closed]
        };
        let version = if mosquitto {
            version_of(Command::new(MOSQUITTO).arg("-h"))?
        } else {
            version_of(Command::new(&bench.gridmq).arg("--version"))?
        };
        let start = |mut command: Command| {
            let quiet = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
            quiet.spawn().map(Running).context("cannot start the broker")
        };
        let processes = commands.into_iter().map(start).collect::<Result<Vec<_>>>()?;
        [tcp, tls, mutual].into_iter().try_for_each(wait_for)?;
        Ok(Self { version, _processes: processes, tcp, tls, mutual, certificates })
    }

    /// Adds how to reach the server.
    pub(super) fn arguments(&self, server: Server, command: &mut Command) {
        let port = match server {
            Server::Tcp | Server::Source => self.tcp,
            Server::Tls => self.tls,
            Server::Mutual => self.mutual,
        };
        command.args(["--port", &port.to_string()]);
        if matches!(server, Server::Tls | Server::Mutual) {
            command.arg("--ca").arg(self.certificates.join("root-ca.pem"));
        }
        if server == Server::Mutual {
            command.arg("--cert").arg(self.certificates.join(format!("{USER}.pem")));
            command.arg("--key").arg(self.certificates.join(format!("{USER}.key")));
            command.args(["--user", USER]);
        }
    }
}

fn mosquitto_command(state: &Path, certificates: &Path, [tcp, tls, mutual]: [u16; 3]) -> Result<Command> {
    let dir = certificates.display();
    let encrypted = format!("cafile {dir}/root-ca.pem\ncertfile {dir}/server.pem\nkeyfile {dir}/server.key\n");
    let text = format!(
        "allow_anonymous true\npersistence false\nset_tcp_nodelay true\nmax_inflight_messages 0\n\
         max_queued_messages 0\nlog_type error\nuser root\n\
         listener {tcp} 127.0.0.1\n\
         listener {tls} 127.0.0.1\n{encrypted}\
         listener {mutual} 127.0.0.1\n{encrypted}require_certificate true\n"
    );
    let file = state.join("mosquitto.conf");
    std::fs::write(&file, text).context(format_args!("cannot write {}", file.display()))?;
    let mut command = Command::new(MOSQUITTO);
    command.arg("-c").arg(file);
    Ok(command)
}

fn at(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

pub(super) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("cannot listen")?;
    listener.local_addr().map(|address| address.port()).context("a listener has no address")
}

pub(super) fn wait_for(port: u16) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(20);
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    while TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_err() {
        if Instant::now() > until {
            return fail("the broker does not serve");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// A running source of packets.
#[derive(Debug)]
pub(super) struct Source {
    pub(super) port: String,
    _process: Running,
}

impl Source {
    /// Starts it for one row.
    pub(super) fn start(program: &Path, row: &Row) -> Result<Self> {
        let mut command = Command::new(program);
        command.args(row.arguments()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().map(Running).context("cannot start the source")?;
        let output = process.0.stdout.take().context("the source has no output")?;
        let line = BufReader::new(output).lines().next().context("the source ended")?;
        let port = line.context("the source does not say its port")?;
        Ok(Self { port, _process: process })
    }
}
