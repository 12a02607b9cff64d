//! rumqttc under the control of a test: ../README.md describes options, commands and events.

mod v3;
mod v5;

use std::collections::HashMap;
use std::io::Write;
use std::time::Duration;

use rumqttc::{TlsConfiguration, Transport};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin};

/// The event loop and the program end with this.
pub type Failure = Box<dyn std::error::Error>;

/// What the command line says.
pub struct Options(HashMap<String, String>);

impl Options {
    fn read() -> Self {
        let mut values = HashMap::new();
        let mut words = std::env::args().skip(1).peekable();
        while let Some(word) = words.next() {
            let name = word.trim_start_matches("--").to_owned();
            let value = words.next_if(|next| !next.starts_with("--")).unwrap_or_default();
            values.insert(name, value);
        }
        Self(values)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub fn text(&self, name: &str) -> &str {
        self.get(name).unwrap_or_else(|| panic!("--{name} is missing"))
    }

    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.get(name).and_then(|value| value.parse().ok())
    }

    pub fn keep_alive(&self) -> Duration {
        Duration::from_secs(self.number("keep-alive").unwrap_or(30))
    }

    /// Where rumqttc connects: with WebSocket it wants a whole address in place of the name.
    pub fn address(&self) -> (String, u16) {
        let (host, port) = (self.text("host"), self.number("port").expect("--port"));
        match self.transport_name() {
            scheme @ ("ws" | "wss") => (format!("{scheme}://{host}:{port}/mqtt"), port),
            _ => (host.to_owned(), port),
        }
    }

    fn transport_name(&self) -> &str {
        self.get("transport").unwrap_or("tls")
    }

    pub fn transport(&self) -> Transport {
        let tls = || TlsConfiguration::Simple {
            ca: content(self.text("ca")),
            alpn: None,
            client_auth: Some((content(self.text("cert")), content(self.text("key")))),
        };
        match self.transport_name() {
            "tcp" => Transport::Tcp,
            "ws" => Transport::Ws,
            "wss" => Transport::wss_with_config(tls()),
            _ => Transport::tls_with_config(tls()),
        }
    }
}

/// The next command, in place of which the end of the input comes once.
pub async fn next_command(lines: &mut Lines<BufReader<Stdin>>) -> Result<Option<Value>, Failure> {
    match lines.next_line().await? {
        Some(line) => Ok(Some(serde_json::from_str(&line)?)),
        None => Ok(None),
    }
}

pub fn content(file: &str) -> Vec<u8> {
    std::fs::read(file).unwrap_or_else(|error| panic!("{file}: {error}"))
}

pub fn say(event: &str, mut fields: Value) {
    fields["event"] = event.into();
    let mut output = std::io::stdout().lock();
    writeln!(output, "{fields}").and_then(|()| output.flush()).expect("standard output");
}

pub fn say_message(options: &Options, number: u64, topic: &str, payload: &[u8], [qos, retain, dup]: [u8; 3]) {
    let id = (options.text("client-id"), std::process::id());
    let file = format!("{}/{}-{}-{number}", options.text("out-dir"), id.0, id.1);
    std::fs::write(&file, payload).expect("the directory for payloads");
    let flags = json!({"qos": qos, "retain": retain != 0, "dup": dup != 0});
    let mut fields = json!({"topic": topic, "bytes": payload.len(), "file": file});
    for (name, value) in flags.as_object().into_iter().flatten() {
        fields[name] = value.clone();
    }
    say("message", fields);
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let options = Options::read();
    let lines = BufReader::new(tokio::io::stdin()).lines();
    let outcome = match options.text("version") {
        "5" => v5::run(&options, lines).await,
        _ => v3::run(&options, lines).await,
    };
    if let Err(error) = outcome {
        say("error", json!({"kind": "rumqttc", "text": error.to_string()}));
        std::process::exit(1);
    }
    // A read of standard input may be under way.
    std::process::exit(0);
}
