//! The scenarios of Microsoft's `MqttApplicationSamples`: our examples in one role, paho-mqtt for Python in the other,
//! over an open broker.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use gridmq_testkit::OpenBroker;
use tokio::runtime::Runtime;

/// How long anything may take before it counts as not coming.
const PATIENCE: Duration = Duration::from_secs(30);

struct Stage {
    broker: OpenBroker,
    _runtime: Runtime,
}

impl Stage {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let broker = runtime.block_on(gridmq_testkit::open(1));
        Self { broker, _runtime: runtime }
    }

    /// One of the client's examples.
    fn ours(&self, name: &str, client: &str, arguments: &[&str]) -> Program {
        let mut command = Command::new(example(name));
        let port = self.broker.address().port().to_string();
        command
            .args(arguments)
            .env("MQTT_HOST_NAME", "127.0.0.1")
            .env("MQTT_TCP_PORT", port)
            .env("MQTT_USE_TLS", "false")
            .env("MQTT_CLIENT_ID", client);
        Program::spawn(command, name)
    }

    /// A role of interop/paho_samples.py.
    fn paho(&self, role: &str, client: &str) -> Program {
        let python = std::env::var("GRIDMQ_INTEROP_PYTHON").expect("run this suite by `cargo xtask test`");
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop/paho_samples.py");
        let mut command = Command::new(python);
        let port = self.broker.address().port().to_string();
        command.arg(script).args([role, "--host", "127.0.0.1", "--port", &port, "--client-id", client]);
        Program::spawn(command, role)
    }
}

/// Examples are built with the tests, beside them.
fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let file = test.parent().and_then(Path::parent).unwrap().join("examples").join(name);
    assert!(file.is_file(), "{} is missing: cargo build -p gridmq-client --examples", file.display());
    file
}

/// A running program; it is killed when dropped.
struct Program {
    child: Child,
    lines: Receiver<String>,
    name: String,
}

impl Program {
    fn spawn(mut command: Command, name: &str) -> Self {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let (sender, lines) = sync_channel(1024);
        std::thread::spawn(move || {
            for line in stdout.lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, lines, name: name.to_owned() }
    }

    /// The next line that begins so.
    #[track_caller]
    fn says(&self, beginning: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(line) if line.starts_with(beginning) => return line,
                Ok(_) => {}
                Err(why) => panic!("{}: no line `{beginning}`: {why}", self.name),
            }
        }
    }

    /// Waits for its end, which must be a success.
    #[track_caller]
    fn ends(mut self) {
        drop(self.child.stdin.take());
        let deadline = Instant::now() + PATIENCE;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().unwrap() {
                assert!(status.success(), "{}: {status}", self.name);
                return;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        panic!("{} does not end", self.name);
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn samples_telemetry_from_our_vehicle_to_their_map() {
    let stage = Stage::new();
    let map = stage.paho("telemetry-consumer", "map-app");
    map.says("ready");
    let vehicle = stage.ours("telemetry_producer", "vehicle01", &["--times", "1"]);
    let line = map.says("message");
    let position = line.strip_prefix("message vehicles/vehicle01/position ").expect(&line);
    let position: serde_json::Value = serde_json::from_str(position).unwrap();
    assert_eq!(position["type"], "Point");
    assert_eq!(position["coordinates"].as_array().unwrap().len(), 2);
    vehicle.ends();
    map.ends();
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn samples_telemetry_from_their_vehicle_to_our_map() {
    let stage = Stage::new();
    let map = stage.ours("telemetry_consumer", "map-app", &[]);
    map.says("listening");
    let vehicle = stage.paho("telemetry-producer", "vehicle02");
    for number in 0..3 {
        assert_eq!(
            map.says("vehicle02: "),
            format!("vehicle02: \"type\":\"Point\", \"coordinates\":[{number}.5,47.25]")
        );
    }
    vehicle.ends();
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn samples_command_from_our_app_to_their_vehicle() {
    let stage = Stage::new();
    let vehicle = stage.paho("command-receiver", "vehicle03");
    vehicle.says("ready");
    let app = stage.ours("command_client", "mobile-app", &[]);
    let request = vehicle.says("request");
    let parts: Vec<_> = request.split(' ').collect();
    assert_eq!(parts[1..3], ["vehicles/vehicle03/command/unlock/request", "application/protobuf"]);
    // UnlockRequest: when = 1 { seconds = 1 }, requestedFrom = 2.
    let name: String = b"mobile-app".iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(parts[4].starts_with("0a0608") && parts[4].ends_with(&format!("120a{name}")), "{request}");
    app.says("unlocked: false b\"placeholder\"");
    app.ends();
    vehicle.ends();
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn samples_command_from_their_app_to_our_vehicle() {
    let stage = Stage::new();
    let vehicle = stage.ours("command_server", "vehicle03", &[]);
    vehicle.says("listening");
    let app = stage.paho("command-invoker", "mobile-app");
    assert_eq!(app.says("response"), "response 0801 application/protobuf [[\"status\", \"200\"]]");
    app.ends();
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn samples_alert_from_our_tower_to_their_vehicle() {
    let stage = Stage::new();
    let first = stage.paho("alert-receiver", "vehicle04");
    first.says("new");
    first.says("ready");
    first.ends();
    // It waits for the vehicle.
    stage.ours("alert_sender", "control-tower", &["Black Ice"]).ends();
    let again = stage.paho("alert-receiver", "vehicle04");
    let line = again.says("message");
    let alert = line.strip_prefix("message vehicles/weather/alert ").expect(&line);
    let alert: serde_json::Value = serde_json::from_str(alert).unwrap();
    assert_eq!((&alert["type"], &alert["alert"]), (&0.into(), &"Black Ice".into()));
    let time = alert["time"].as_str().unwrap();
    assert!(time.len() == 20 && time.starts_with("20") && time.ends_with('Z'), "{time}");
    again.ends();
}

#[test]
#[ignore = "needs paho-mqtt for Python: cargo xtask test"]
fn samples_alert_from_their_tower_to_our_vehicle() {
    let stage = Stage::new();
    let first = stage.ours("alert_receiver", "vehicle05", &[]);
    first.says("listening to vehicles/weather/alert, resumed: false");
    // It is away without a word, and the session stays.
    drop(first);
    stage.paho("alert-sender", "control-tower").ends();
    let again = stage.ours("alert_receiver", "vehicle05", &[]);
    again.says("listening to vehicles/weather/alert, resumed: true");
    let alert = again.says("alert: ");
    let alert: serde_json::Value = serde_json::from_str(alert.trim_start_matches("alert: ")).unwrap();
    assert_eq!(alert["alert"], "Heavy Rain");
}

#[test]
#[ignore = "needs the client's examples: cargo xtask test"]
fn samples_command_between_our_own() {
    let stage = Stage::new();
    let vehicle = stage.ours("command_server", "vehicle03", &[]);
    vehicle.says("listening");
    let app = stage.ours("command_client", "mobile-app", &[]);
    app.says("unlocked: true");
    app.ends();
    vehicle.says("unlock: ");
}
