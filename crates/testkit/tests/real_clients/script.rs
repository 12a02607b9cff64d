//! The common script: what every client goes through, over every transport and in every version that it has.

use std::fmt;
use std::path::{Path, PathBuf};

use gridmq_broker::{Broker, Listener, WebSocket};
use gridmq_testkit::authority::{Authority, identity};
use gridmq_tls::{ClientAuth, ClientTrust, ServerConfig};

use super::driven::{Driven, Kind};
use super::{PATIENCE, assert_same_bytes, pattern};

/// How the client reaches the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    Tcp,
    /// With certificates on both sides.
    Tls,
    WebSocket,
    /// With certificates on both sides.
    SecureWebSocket,
}

pub const TRANSPORTS: [Transport; 4] =
    [Transport::Tcp, Transport::Tls, Transport::WebSocket, Transport::SecureWebSocket];

impl Transport {
    fn option(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::WebSocket => "ws",
            Self::SecureWebSocket => "wss",
        }
    }

    fn is_encrypted(self) -> bool {
        matches!(self, Self::Tls | Self::SecureWebSocket)
    }
}

impl fmt::Display for Transport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::WebSocket => "WebSocket",
            Self::SecureWebSocket => "secure WebSocket",
        })
    }
}

/// A part of the script.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Connect,
    Qos0,
    Qos1,
    Qos2,
    Large,
    Retained,
    Will,
    Resume,
    Shared,
}

/// The script, in order.
pub const SCRIPT: [Step; 9] = [
    Step::Connect,
    Step::Qos0,
    Step::Qos1,
    Step::Qos2,
    Step::Large,
    Step::Retained,
    Step::Will,
    Step::Resume,
    Step::Shared,
];

impl Step {
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::Qos0 => "QoS 0",
            Self::Qos1 => "QoS 1",
            Self::Qos2 => "QoS 2",
            Self::Large => "large payload",
            Self::Retained => "retained",
            Self::Will => "will",
            Self::Resume => "session resume",
            Self::Shared => "shared subscription",
        }
    }

    /// What must come of it.
    pub fn outcome(self) -> &'static str {
        match self {
            Self::Connect => "two connections are admitted, without a session",
            Self::Qos0 => "1 B and 1 KiB go out and back at QoS 0, and arrive as sent, once",
            Self::Qos1 => "the same at QoS 1, acknowledged",
            Self::Qos2 => "the same at QoS 2, acknowledged",
            Self::Large => "1,000,000 bytes arrive as sent at QoS 1",
            Self::Retained => "a later subscriber gets the newest one, marked; an empty one removes it",
            Self::Will => "comes when the connection is lost, and not after DISCONNECT",
            Self::Resume => "the session is there after a lost connection, and what came meanwhile arrives in order",
            Self::Shared => "each of 20 messages goes to one of two members, and both get some",
        }
    }
}

/// What a client does not have. Everything else it runs.
pub fn lacks(kind: Kind, transport: Transport, step: Step) -> Option<&'static str> {
    match (kind, transport, step) {
        (Kind::Mosquitto, Transport::WebSocket | Transport::SecureWebSocket, _) => {
            Some("this library has no WebSocket")
        }
        (Kind::Awscrt, _, Step::Qos2) => Some("it refuses to publish at QoS 2, in 3.1.1 and in 5.0"),
        _ => None,
    }
}

/// Every client that runs it, with the version that is pinned or that Debian has.
const CLIENTS: [(Kind, &str); 6] = [
    (Kind::PahoC, "paho C 1.3.12"),
    (Kind::Paho, "paho Python 2.2.0"),
    (Kind::MqttJs, "MQTT.js 5.16.0"),
    (Kind::Mosquitto, "libmosquitto 2.0.11"),
    (Kind::Rumqttc, "rumqttc 0.25.1"),
    (Kind::Awscrt, "awscrt 0.38.1"),
];

/// The table of docs/interoperation.md.
pub fn table() -> String {
    let mut text = String::from("| client |");
    for transport in TRANSPORTS {
        text += &format!(" {transport} |");
    }
    text += "\n|---|---|---|---|---|\n";
    for (kind, name) in CLIENTS {
        text += &format!("| {name} |");
        for transport in TRANSPORTS {
            let mut lacking: Vec<&str> = SCRIPT.iter().filter_map(|step| lacks(kind, transport, *step)).collect();
            let all = lacking.len() == SCRIPT.len();
            lacking.dedup();
            text += &match (all, lacking.first()) {
                (_, None) => " whole |".to_owned(),
                (true, Some(why)) => format!(" none: {why} |"),
                (false, Some(why)) => format!(" all but a step: {why} |"),
            };
        }
        text += "\n";
    }
    text += "\n| step | what must come of it |\n|---|---|\n";
    for step in SCRIPT {
        text += &format!("| {} | {} |\n", step.name(), step.outcome());
    }
    text
}

/// An open broker that listens on every transport; those with TLS demand a certificate.
pub struct Site {
    pub broker: Broker,
    dir: PathBuf,
    _runtime: tokio::runtime::Runtime,
}

impl Site {
    fn new(name: &str) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // Files of an earlier run must not pass for this one's.
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(&dir).unwrap();
        let authority = Authority::new("Common Script");
        let client = authority.client("script");
        let files = [
            ("ca.pem", authority.root.certificate_pem()),
            ("client.pem", client.chain_pem()),
            ("client.key", client.key_pem().to_string()),
        ];
        for (name, text) in files {
            std::fs::write(dir.join(name), text).unwrap();
        }
        let tls = || {
            ServerConfig::builder()
                .identity(identity(&authority.server()))
                .client_certificate(ClientAuth::Required)
                .handshake_trust(ClientTrust::Anchors(authority.trust()))
                .build()
                .unwrap()
        };
        let any = std::net::SocketAddr::from(([127, 0, 0, 1], 0));
        // In the order of TRANSPORTS.
        let builder = Broker::builder()
            .workers(2)
            .listener(Listener::plain(any))
            .listener(Listener::tls(any, tls()))
            .listener(Listener::plain(any).websocket(WebSocket::default()))
            .listener(Listener::tls(any, tls()).websocket(WebSocket::default()));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let broker = runtime.block_on(builder.start()).unwrap();
        Self { broker, dir, _runtime: runtime }
    }

    fn file(&self, payload: &[u8]) -> PathBuf {
        let hash = payload.iter().fold(7_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
        let file = self.dir.join(format!("payload-{}-{hash}", payload.len()));
        std::fs::write(&file, payload).unwrap();
        file
    }
}

/// One run: a client over a transport in a version.
struct Run {
    site: Site,
    kind: Kind,
    transport: Transport,
    version: &'static str,
}

/// Runs the whole script.
pub fn run(kind: Kind, transport: Transport, version: &'static str) {
    let site = Site::new(&format!("script-{kind:?}-{transport:?}-{version}"));
    let run = Run { site, kind, transport, version };
    let mut one = run.connect("one", &[]);
    let mut two = run.connect("two", &[]);
    let mut done = 0;
    for step in SCRIPT {
        if let Some(why) = lacks(kind, transport, step) {
            println!("{kind:?}, {transport}, {version}: {}: not run: {why}", step.name());
            continue;
        }
        match step {
            Step::Connect => assert!(!one.session_present && !two.session_present),
            Step::Qos0 => run.exchange(&mut one, &mut two, 0, &[1, 1024]),
            Step::Qos1 => run.exchange(&mut one, &mut two, 1, &[1, 1024]),
            Step::Qos2 => run.exchange(&mut one, &mut two, 2, &[1, 1024]),
            Step::Large => run.exchange(&mut one, &mut two, 1, &[1_000_000]),
            Step::Retained => run.retained(&mut one, &mut two),
            Step::Will => run.will(&mut one, &mut two),
            Step::Resume => run.resume(&mut one),
            Step::Shared => run.shared(&mut one),
        }
        println!("{kind:?}, {transport}, {version}: {}: {}", step.name(), step.outcome());
        done += 1;
    }
    assert!(done >= SCRIPT.len() - 1, "a client that lacks so much is no witness");
    one.disconnect();
    two.disconnect();
}

impl Run {
    fn start(&self, id: &str, options: &[&str]) -> Driven {
        let index = TRANSPORTS.iter().position(|transport| *transport == self.transport).unwrap();
        let port = self.site.broker.addresses()[index].port().to_string();
        let mut command = self.kind.command();
        command.args(["--host", "localhost", "--port", &port, "--transport", self.transport.option()]);
        if self.transport.is_encrypted() {
            for (option, name) in [("--ca", "ca.pem"), ("--cert", "client.pem"), ("--key", "client.key")] {
                command.arg(option).arg(self.site.dir.join(name));
            }
        }
        command.args(["--client-id", id, "--version", self.version, "--out-dir"]).arg(&self.site.dir);
        command.args(["--timeout", &PATIENCE.as_secs().to_string()]).args(options);
        Driven::spawn(command, format!("{:?} {id}", self.kind))
    }

    #[track_caller]
    fn connect(&self, id: &str, options: &[&str]) -> Driven {
        let mut driven = self.start(id, options);
        let event = driven.expect("connected");
        assert_eq!(event["reason"], 0, "{event}");
        // Some clients do not tell; the listener speaks nothing else.
        assert!(event["tls"].is_null() || self.transport.is_encrypted(), "{event}");
        driven.session_present = event["session_present"].as_bool().unwrap();
        driven
    }

    fn exchange(&self, one: &mut Driven, two: &mut Driven, qos: u64, sizes: &[usize]) {
        let filter = format!("script/exchange/{qos}/+");
        for receiver in [&mut *one, &mut *two] {
            assert_eq!(receiver.subscribe(&filter, qos), qos);
        }
        for (turn, size) in sizes.iter().enumerate() {
            let (payload, topic) = (pattern(*size), format!("script/exchange/{qos}/{size}"));
            let (from, to) = if turn % 2 == 0 { (&mut *one, &mut *two) } else { (&mut *two, &mut *one) };
            from.publish(&topic, &self.site.file(&payload), qos, false);
            for receiver in [from, to] {
                let message = receiver.message();
                assert_eq!((message.topic.as_str(), message.qos, message.retain), (topic.as_str(), qos, false));
                assert_same_bytes(&message.payload, &payload);
            }
        }
        for receiver in [one, two] {
            receiver.unsubscribe(&filter);
        }
    }

    fn retained(&self, one: &mut Driven, two: &mut Driven) {
        let publish = |from: &mut Driven, payload: &[u8], retain| {
            from.publish("script/retained", &self.site.file(payload), 1, retain);
        };
        publish(one, b"older", true);
        publish(one, b"the newer one", true);
        assert_eq!(two.subscribe("script/retained", 1), 1);
        let message = two.message();
        assert!(message.retain);
        assert_same_bytes(&message.payload, b"the newer one");
        two.unsubscribe("script/retained");
        publish(one, b"", true);
        assert_eq!(two.subscribe("script/retained", 1), 1);
        publish(one, b"not kept", false);
        let message = two.message();
        assert!(!message.retain);
        assert_same_bytes(&message.payload, b"not kept");
        two.unsubscribe("script/retained");
    }

    fn will(&self, one: &mut Driven, two: &mut Driven) {
        assert_eq!(two.subscribe("script/will/+", 1), 1);
        let will = self.site.file(b"gone");
        let options = ["--will-topic", "script/will/lost", "--will-qos", "1", "--will-file", will.to_str().unwrap()];
        self.connect("mortal", &options).drop_connection();
        let message = two.message();
        assert_eq!((message.topic.as_str(), message.qos, message.retain), ("script/will/lost", 1, false));
        assert_same_bytes(&message.payload, b"gone");
        self.connect("polite", &options).disconnect();
        // The broker reads the DISCONNECT before this client can take its place, so its will would come first.
        self.connect("polite", &[]).disconnect();
        one.publish("script/will/none", &self.site.file(b"end"), 1, false);
        assert_eq!(two.message().topic, "script/will/none");
        two.unsubscribe("script/will/+");
    }

    fn resume(&self, one: &mut Driven) {
        let five = self.version == "5";
        let options: &[&str] = if five { &["--resume", "--session-expiry", "300"] } else { &["--resume"] };
        let highest = if lacks(self.kind, self.transport, Step::Qos2).is_none() { 2 } else { 1 };
        let mut wanderer = self.connect("wanderer", options);
        assert!(!wanderer.session_present);
        assert_eq!(wanderer.subscribe("script/resume", highest), highest);
        wanderer.drop_connection();
        let sent: Vec<(u64, Vec<u8>)> =
            (0..6).map(|number| (1 + number % highest, format!("message {number}").into_bytes())).collect();
        for (qos, payload) in &sent {
            one.publish("script/resume", &self.site.file(payload), *qos, false);
        }
        let mut wanderer = self.connect("wanderer", options);
        assert!(wanderer.session_present);
        // QoS 2 is told to the program after two more packets, so the order holds for each QoS by itself.
        let mut got: Vec<(u64, Vec<u8>)> =
            sent.iter().map(|_| wanderer.message()).map(|m| (m.qos, m.payload)).collect();
        let mut sent = sent;
        sent.sort_by_key(|(qos, _)| *qos);
        got.sort_by_key(|(qos, _)| *qos);
        assert_eq!(got, sent);
        wanderer.disconnect();
    }

    fn shared(&self, one: &mut Driven) {
        let mut members = [self.connect("left", &[]), self.connect("right", &[])];
        for member in &mut members {
            assert_eq!(member.subscribe("$share/crew/script/shared", 1), 1);
            assert_eq!(member.subscribe("script/end", 1), 1);
        }
        let sent: Vec<Vec<u8>> = (0..20).map(|number| format!("task {number:02}").into_bytes()).collect();
        for payload in &sent {
            one.publish("script/shared", &self.site.file(payload), 1, false);
        }
        one.publish("script/end", &self.site.file(b"end"), 1, false);
        let mut all = Vec::new();
        for mut member in members {
            let before = all.len();
            loop {
                let message = member.message();
                if message.topic == "script/end" {
                    break;
                }
                assert_eq!((message.topic.as_str(), message.qos), ("script/shared", 1));
                all.push(message.payload);
            }
            assert!(all.len() > before, "a member got none");
            member.disconnect();
        }
        all.sort();
        assert_eq!(all, sent);
    }
}
