//! The broker's process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// A running `gridmq serve`.
pub struct Process {
    child: Child,
}

fn program() -> PathBuf {
    if let Some(given) = std::env::var_os("GRIDMQ_HOURS_BROKER") {
        return given.into();
    }
    // Programs are built with the tests, above them.
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("gridmq");
    assert!(program.is_file(), "{} is missing: cargo build --bin gridmq", program.display());
    program
}

impl Process {
    pub fn start(directory: &Path, durability: &str) -> Self {
        let mut command = Command::new(program());
        for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("GRIDMQ_")) {
            command.env_remove(name);
        }
        command.args([
            "serve",
            "--plain",
            "127.0.0.1:0",
            "--workers",
            "2",
            "--log",
            "warn",
            "--durability",
            durability,
        ]);
        command.arg("--data-dir").arg(directory.join("state")).current_dir(directory);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        Self { child: command.spawn().unwrap() }
    }

    /// Where it listens, when it does. `None`: it has ended.
    pub fn address(&mut self) -> Option<SocketAddr> {
        let out = BufReader::new(self.child.stdout.take().expect("asked for once"));
        let mut lines = out.lines().map_while(Result::ok);
        let address = lines.find_map(|line| line.strip_prefix("listening on ")?.split(' ').next()?.parse().ok());
        // What it prints later must not fill the pipe.
        std::thread::spawn(move || lines.count());
        address
    }

    /// SIGKILL, and waits until it is gone.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
