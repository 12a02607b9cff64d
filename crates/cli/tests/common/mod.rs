//! Running the real program.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

pub const PATIENCE: Duration = Duration::from_secs(20);

/// The program, in a directory, with no settings from outside.
pub fn gridmq(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gridmq"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("GRIDMQ_") {
            command.env_remove(name);
        }
    }
    command.current_dir(dir).env("XDG_STATE_HOME", dir.join("state")).stdin(Stdio::null());
    command
}

/// How a run ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs it with words that are separated by single spaces.
pub fn run(dir: &Path, words: &str) -> Ended {
    ended(gridmq(dir).args(words.split(' ')))
}

pub fn ended(command: &mut Command) -> Ended {
    let output = command.output().unwrap();
    Ended {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// Runs it with this on standard input.
pub fn run_with_input(dir: &Path, words: &str, input: &[u8]) -> Ended {
    let mut command = gridmq(dir);
    command.args(words.split(' ')).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().expect("an exit code"),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

impl Ended {
    /// Succeeded; gives what it printed.
    #[track_caller]
    pub fn done(self) -> String {
        assert_eq!(self.code, 0, "{self:?}");
        self.out
    }

    /// Without what it printed before it failed.
    #[must_use]
    pub fn without_output(mut self) -> Self {
        self.out.clear();
        self
    }

    /// Failed with this code and one error that names every one of these, without a panic or a backtrace.
    #[track_caller]
    pub fn failed(self, code: i32, names: &[&str]) {
        assert_eq!(self.code, code, "{self:?}");
        let err = self.err.split_whitespace().collect::<Vec<_>>().join(" ");
        for name in names {
            assert!(err.contains(name), "{name:?} in {err:?}");
        }
        assert_eq!(err.matches("error:").count(), 1, "{err}");
        assert!(!err.contains("panicked") && !err.contains("RUST_BACKTRACE"), "{err}");
        assert_eq!(self.out, "");
    }
}

/// A program that runs until it is stopped, or the test ends.
pub struct Running {
    pub child: Child,
    pub out: BufReader<ChildStdout>,
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The next line that it prints.
    #[track_caller]
    pub fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "the program ended after {line:?}");
        line.truncate(line.len() - 1);
        line
    }

    /// The port in the next line of the form `listening on ADDRESS:PORT …`.
    #[track_caller]
    pub fn port(&mut self) -> u16 {
        let line = self.line();
        let address = line.split(' ').nth(2).unwrap();
        address.rsplit(':').next().unwrap().parse().unwrap_or_else(|_| panic!("no port in {line}"))
    }

    /// Asks it to stop, and gives its exit code.
    #[cfg(unix)]
    pub fn stop(&mut self, signal: &str) -> i32 {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().expect("it ends by itself");
            }
            assert!(begun.elapsed() < PATIENCE, "it does not stop");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// An open broker on a plain port.
pub fn open_broker(dir: &Path) -> (Running, u16) {
    let mut broker = Running::start(gridmq(dir).args(["serve", "--plain", "127.0.0.1:0", "--log", "error"]));
    let port = broker.port();
    (broker, port)
}

/// Tries until it holds; the words say what, should it never.
#[track_caller]
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A broker with a control plane over HTTPS, the certificate of its authority, and its admin secret.
#[cfg(unix)]
pub struct ControlPlane {
    pub running: Running,
    pub base: String,
    pub ca: std::path::PathBuf,
    pub secret: String,
}

#[cfg(unix)]
pub fn control_plane(dir: &Path) -> ControlPlane {
    run(dir, "certs init --dir ca").done();
    run(dir, "certs issue --dir ca --name server --server --dns localhost --ip 127.0.0.1").done();
    let serve = "serve --arm 127.0.0.1:0 --listen 127.0.0.1:0 --cert ca/server.pem --key ca/server.key --data-dir kept";
    let mut running = Running::start(gridmq(dir).args(serve.split(' ')));
    let (_mqtt, arm) = (running.port(), running.port());
    assert!(running.line().starts_with("the admin secret for ARM is in "));
    let secret = std::fs::read_to_string(dir.join("kept/admin-secret")).unwrap().trim().to_owned();
    ControlPlane { running, base: format!("https://localhost:{arm}"), ca: dir.join("ca/root-ca.pem"), secret }
}
