//! Servers that are other people's programs: `openssl s_server`, mosquitto, and Python's `ssl`.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::closed_port;
use crate::pki::Entity;

const PATIENCE: Duration = Duration::from_secs(10);

/// Set by `cargo xtask test` once the `openssl` program is there.
pub const OPENSSL: &str = "GRIDMQ_OPENSSL";
/// Set by `cargo xtask test` once the `mosquitto` broker is there.
pub const MOSQUITTO: &str = "GRIDMQ_MOSQUITTO_BROKER";

/// Fails the test with what to do, unless the variable is set.
///
/// # Panics
/// When it is not.
pub fn require(variable: &str) {
    assert!(std::env::var_os(variable).is_some(), "{variable} is not set: run `cargo xtask test`, which installs it");
}

/// A running program; it is killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    files: TempDir,
}

impl Drop for Program {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Program {
    /// Its files.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.files.path()
    }

    /// What it has written to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.files.path().join("log")).unwrap_or_default()
    }
}

fn program(mut command: Command, address: SocketAddr, files: TempDir) -> Program {
    let log = fs::File::create(files.path().join("log")).expect("a log");
    let other = log.try_clone().expect("a log");
    let child = command.stdout(log).stderr(other).spawn().expect("a program");
    let running = Program { child, address, files };
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect_timeout(&address, Duration::from_millis(200)).is_err() {
        assert!(Instant::now() < deadline, "it does not listen: {}", running.log());
        std::thread::sleep(Duration::from_millis(10));
    }
    running
}

fn write(files: &TempDir, name: &str, text: &str) -> PathBuf {
    let path = files.path().join(name);
    fs::write(&path, text).expect("a file");
    path
}

/// `openssl s_server` with this identity and these options. What it is to read as commands (`R` asks for a new
/// handshake with the client's certificate) is typed half a second after somebody has connected.
pub fn s_server(server: &Entity, options: &[&str], typed: Option<&str>) -> Program {
    require(OPENSSL);
    let files = tempfile::tempdir().expect("a directory");
    let address = closed_port();
    let mut command = Command::new("openssl");
    command.arg("s_server").args(["-accept", &address.to_string()]);
    command.arg("-cert").arg(write(&files, "server.pem", &server.pem()));
    command.arg("-cert_chain").arg(write(&files, "chain.pem", &server.chain_pem()));
    command.arg("-key").arg(write(&files, "server.key", &server.key_pem()));
    command.args(options).stdin(Stdio::piped());
    let mut running = program(command, address, files);
    if let Some(text) = typed.map(str::to_owned)
        && let Some(mut input) = running.child.stdin.take()
    {
        std::thread::spawn(move || {
            for _ in 0..120 {
                std::thread::sleep(Duration::from_millis(150));
                if input.write_all(text.as_bytes()).and_then(|()| input.flush()).is_err() {
                    return;
                }
            }
        });
    }
    running
}

/// How mosquitto is set up.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Mosquitto {
    lines: Vec<String>,
    files: Vec<(&'static str, String)>,
}

impl Mosquitto {
    /// A listener without TLS that lets everybody in.
    pub fn new() -> Self {
        Self::default().line("allow_anonymous true")
    }

    /// A listener with TLS.
    pub fn tls(server: &Entity) -> Self {
        Self::new().file("certfile", "server.pem", server.chain_pem()).file("keyfile", "server.key", server.key_pem())
    }

    /// Requires client certificates that these authorities vouch for.
    pub fn requires(self, authorities_pem: &str) -> Self {
        self.file("cafile", "clients.pem", authorities_pem.to_owned()).line("require_certificate true")
    }

    /// Adds a line of configuration.
    pub fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// Adds a file and the option that names it.
    pub fn file(mut self, option: &'static str, name: &'static str, content: String) -> Self {
        self.lines.push(format!("{option} @{name}"));
        self.files.push((name, content));
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it does not start.
    #[must_use]
    pub fn start(&self) -> Program {
        require(MOSQUITTO);
        let files = tempfile::tempdir().expect("a directory");
        for (name, content) in &self.files {
            write(&files, name, content);
        }
        let address = closed_port();
        let mut text = format!("user root\npersistence false\nlistener {} 127.0.0.1\n", address.port());
        for line in &self.lines {
            text.push_str(&line.replace('@', &format!("{}/", files.path().display())));
            text.push('\n');
        }
        let configuration = write(&files, "mosquitto.conf", &text);
        let name = if Path::new("/usr/sbin/mosquitto").exists() { "/usr/sbin/mosquitto" } else { "mosquitto" };
        let mut command = Command::new(name);
        command.arg("-c").arg(configuration).stdin(Stdio::null());
        program(command, address, files)
    }
}

/// A server of Python's `ssl`: `body` is a program that is given `context`, a TLS server context with the identity,
/// and `listener`, a listening socket.
pub fn python(server: &Entity, body: &str) -> Program {
    require(OPENSSL);
    let files = tempfile::tempdir().expect("a directory");
    let chain = write(&files, "server.pem", &server.chain_pem());
    let key = write(&files, "server.key", &server.key_pem());
    let head = "import socket, ssl, sys, time\n\
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
        context.load_cert_chain(sys.argv[1], sys.argv[2])\n\
        listener = socket.create_server(('127.0.0.1', 0))\n\
        print(listener.getsockname()[1], flush=True)\n";
    let script = write(&files, "server.py", &format!("{head}{body}"));
    let mut child = Command::new("python3")
        .arg(script)
        .arg(chain)
        .arg(key)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("a pipe")).read_line(&mut line).expect("a port");
    let port = line.trim().parse().expect("a port");
    Program { child, address: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), files }
}
