//! A client program that takes commands and tells events as lines of JSON (interop/README.md).

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Instant;

use serde_json::{Value, json};

use super::{PATIENCE, Stage, variable};

/// Which program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// interop/paho_client.py
    Paho,
    /// interop/mqttjs_client.mjs
    MqttJs,
    /// interop/paho_c_client.c
    PahoC,
    /// interop/mosquitto_client.c
    Mosquitto,
    /// interop/rumqttc
    Rumqttc,
    /// interop/awscrt_client.py
    Awscrt,
}

impl Kind {
    pub fn command(self) -> Command {
        let script = |name: &str| Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop").join(name);
        let (program, script) = match self {
            Self::PahoC => return Command::new(variable("GRIDMQ_INTEROP_PAHO_C")),
            Self::Mosquitto => return Command::new(variable("GRIDMQ_INTEROP_LIBMOSQUITTO")),
            Self::Rumqttc => return Command::new(variable("GRIDMQ_INTEROP_RUMQTTC")),
            Self::Awscrt => (variable("GRIDMQ_INTEROP_PYTHON"), script("awscrt_client.py")),
            Self::Paho => (variable("GRIDMQ_INTEROP_PYTHON"), script("paho_client.py")),
            Self::MqttJs => {
                variable("GRIDMQ_INTEROP_NODE_DIR");
                ("node".to_owned(), script("mqttjs_client.mjs"))
            }
        };
        let mut command = Command::new(program);
        command.arg(script);
        command
    }
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct Connect {
    kind: Kind,
    client: String,
    session: String,
    version: &'static str,
    options: Vec<String>,
}

impl Connect {
    /// As the registered client `client`, with a client id of the same name and a clean session.
    pub fn new(kind: Kind, version: &'static str, client: &str) -> Self {
        Self { kind, client: client.to_owned(), session: format!("{client}-session"), version, options: Vec::new() }
    }

    /// Another client id.
    pub fn session(mut self, id: &str) -> Self {
        id.clone_into(&mut self.session);
        self
    }

    /// Keep the session that there is, and for so many seconds after the connection.
    pub fn resume(mut self, expiry: u32) -> Self {
        self.options.push("--resume".to_owned());
        if self.version == "5" {
            self.options.extend(["--session-expiry".to_owned(), expiry.to_string()]);
        }
        self
    }

    /// With a will of QoS 1.
    pub fn will(mut self, topic: &str, file: &Path) -> Self {
        let file = file.to_str().unwrap();
        self.options.extend(["--will-topic", topic, "--will-file", file, "--will-qos", "1"].map(str::to_owned));
        self
    }

    /// Starts the program; it connects at once.
    pub fn start(&self, stage: &Stage) -> Driven {
        let files = stage.namespace.client(&self.client);
        let mut command = self.kind.command();
        command
            .args(["--host", &stage.namespace.host(), "--port", &stage.namespace.port().to_string()])
            .arg("--ca")
            .arg(stage.namespace.ca_file())
            .arg("--cert")
            .arg(files.cert)
            .arg("--key")
            .arg(files.key)
            .args(["--username", &files.username, "--client-id", &self.session, "--version", self.version])
            .arg("--out-dir")
            .arg(&stage.dir)
            .args(["--timeout", &PATIENCE.as_secs().to_string()])
            .args(&self.options);
        Driven::spawn(command, format!("{:?} {}", self.kind, self.session))
    }

    /// Starts the program and waits until it is connected over TLS.
    pub fn connected(&self, stage: &Stage) -> Driven {
        let mut driven = self.start(stage);
        let event = driven.expect("connected");
        assert!(event["tls"].as_str().is_some_and(|tls| tls.starts_with("TLSv1.")), "{event}");
        driven.session_present = event["session_present"].as_bool().unwrap();
        driven
    }
}

/// A running client; it is killed when dropped.
pub struct Driven {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Value>,
    /// Events that came while another was waited for.
    early: Vec<Value>,
    name: String,
    pub session_present: bool,
}

/// A message that the client received.
#[derive(Debug)]
pub struct Received {
    pub topic: String,
    pub qos: u64,
    pub retain: bool,
    pub payload: Vec<u8>,
}

impl Driven {
    pub fn spawn(mut command: Command, name: String) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdin = child.stdin.take();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, events) = sync_channel(4096);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                let event = serde_json::from_str(&line).unwrap_or_else(|_| json!({"event": "noise", "text": line}));
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Self { child, stdin, events, early: Vec::new(), name, session_present: false }
    }

    fn tell(&mut self, command: &Value) {
        let stdin = self.stdin.as_mut().unwrap();
        writeln!(stdin, "{command}").and_then(|()| stdin.flush()).unwrap();
    }

    /// Waits for an event of that kind; others that come before it are kept.
    #[track_caller]
    pub fn expect(&mut self, kind: &str) -> Value {
        if let Some(index) = self.early.iter().position(|event| event["event"] == kind) {
            return self.early.remove(index);
        }
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.events.recv_timeout(left) {
                Ok(event) if event["event"] == kind => return event,
                Ok(event) if event["event"] == "error" || event["event"] == "refused" => {
                    panic!("{}: waited for `{kind}`: {event}", self.name)
                }
                Ok(event) => self.early.push(event),
                Err(why) => panic!("{}: no `{kind}`: {why}; had {:?}", self.name, self.early),
            }
        }
    }

    /// Messages that arrived so far or arrive within the time, without waiting for any.
    pub fn messages_within(&mut self, time: std::time::Duration) -> Vec<Received> {
        let deadline = Instant::now() + time;
        while let Ok(event) = self.events.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            self.early.push(event);
        }
        let (messages, rest) =
            std::mem::take(&mut self.early).into_iter().partition(|event| event["event"] == "message");
        self.early = rest;
        let messages: Vec<Value> = messages;
        messages.iter().map(Received::read).collect()
    }

    /// Takes the subscription back, and waits until that is acknowledged.
    #[track_caller]
    pub fn unsubscribe(&mut self, filter: &str) {
        self.tell(&json!({"do": "unsubscribe", "filter": filter}));
        self.expect("unsubscribed");
    }

    #[track_caller]
    pub fn message(&mut self) -> Received {
        Received::read(&self.expect("message"))
    }

    /// Subscribes and tells the reason code of the SUBACK.
    #[track_caller]
    pub fn subscribe(&mut self, filter: &str, qos: u64) -> u64 {
        self.tell(&json!({"do": "subscribe", "filter": filter, "qos": qos}));
        self.expect("subscribed")["reasons"][0].as_u64().unwrap()
    }

    /// Publishes and waits for the acknowledgement.
    #[track_caller]
    pub fn publish(&mut self, topic: &str, file: &Path, qos: u64, retain: bool) {
        self.tell(&json!({"do": "publish", "topic": topic, "file": file, "qos": qos, "retain": retain}));
        let reason = self.expect("published")["reason"].as_u64().unwrap();
        // 0x10 is a success too: no matching subscribers.
        assert!(reason < 0x80, "{}: publish to {topic} was refused: {reason:#04x}", self.name);
    }

    /// Ends the connection without DISCONNECT.
    pub fn drop_connection(mut self) {
        self.tell(&json!({"do": "drop"}));
        assert!(self.child.wait().unwrap().success(), "{}", self.name);
    }

    /// Ends the connection with DISCONNECT.
    pub fn disconnect(mut self) {
        self.stdin = None;
        assert!(self.child.wait().unwrap().success(), "{}", self.name);
    }
}

impl Drop for Driven {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Received {
    fn read(event: &Value) -> Self {
        let file: PathBuf = event["file"].as_str().unwrap().into();
        Self {
            topic: event["topic"].as_str().unwrap().to_owned(),
            qos: event["qos"].as_u64().unwrap(),
            retain: event["retain"].as_bool().unwrap(),
            payload: std::fs::read(file).unwrap(),
        }
    }
}
