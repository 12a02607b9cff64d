//! Telemetry that survives everything: a device publishes numbered messages of QoS 1 and QoS 2 through a link that is cut
//! every second, and is itself killed and started again; its session is in a file. At the end every QoS 1 message has
//! arrived at least once and every QoS 2 message exactly once, or the program fails.
//!
//! ```text
//! gridmq serve --plain 127.0.0.1:1883
//! cargo run --release --example resilient_telemetry
//! ```
//!
//! The program is three things: this process, which counts what arrives; the proxy within it; and the device, which is
//! the same program started with `--publish`.
#[path = "../../testkit/src/fault.rs"]
#[allow(dead_code, unreachable_pub, unused_imports, reason = "an example uses its part of it")]
mod fault;

use std::collections::BTreeMap;
use std::error::Error;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fault::{Cut, Proxy};
use gridmq_client::{Client, QoS, Reconnect};
use tokio::process::{Child, Command};
use tokio::time::{Instant, interval, sleep, timeout};

const USAGE: &str =
    "usage: resilient_telemetry [--broker 127.0.0.1:1883] [--seconds 60] [--cut-ms 1000] [--kill-ms 3000]
    [--rate 200 messages per second]";
/// How long what is left may take once the link is whole again; and the device's end after that.
const PATIENCE: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(5);
/// Late duplicates would come in this time.
const LINGER: Duration = Duration::from_secs(2);

type Outcome<T> = Result<T, Box<dyn Error>>;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().collect();
    let device = args.iter().any(|arg| arg == "--publish");
    let outcome = if device { publish(&args).await } else { orchestrate(&args).await };
    if let Err(error) = outcome {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

fn option<'a>(args: &'a [String], name: &str) -> Option<&'a str> {
    args.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str())
}

fn number(args: &[String], name: &str, default: u64) -> Outcome<u64> {
    option(args, name).map_or(Ok(default), |text| text.parse().map_err(|_| format!("{name} {text}\n{USAGE}").into()))
}

fn unix_millis() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// The QoS of a message by its number, so that sender and counter agree without a word.
const fn qos_of(number: u64) -> QoS {
    if number.is_multiple_of(2) { QoS::ExactlyOnce } else { QoS::AtLeastOnce }
}

/// The device. The number of a message is its position in the session, which never repeats: what the file holds says which
/// number is next, also after the process was killed at any moment.
async fn publish(args: &[String]) -> Outcome<()> {
    let missing = || USAGE.to_owned();
    let link = option(args, "--publish").ok_or_else(missing)?;
    let store = option(args, "--store").ok_or_else(missing)?;
    let topic = option(args, "--topic").ok_or_else(missing)?;
    let until = number(args, "--until", 0)?;
    let pause = Duration::from_secs(1) / u32::try_from(number(args, "--rate", 200)?.max(1))?;
    let client = Client::builder(&format!("mqtt://{link}"))
        .client_id(format!("device-{}", topic.replace('/', "-")))
        .clean_start(false)
        .session_expiry(Duration::from_secs(3600))
        .keep_alive(Duration::from_secs(5))
        .connect_timeout(Duration::from_secs(5))
        .reconnect(Reconnect::new().first_wait(Duration::from_millis(50)).longest_wait(Duration::from_millis(500)))
        .store(Path::new(store))
        .start()?;
    let mut next = client.queue().last_position + 1;
    while unix_millis() < until {
        let ticket = client.publish(topic, next.to_string()).qos(qos_of(next)).enqueue().await?;
        if ticket.position() != Some(next) {
            return Err(format!("message {next} was given the position {:?}", ticket.position()).into());
        }
        next += 1;
        sleep(pause).await;
    }
    client.shutdown(PATIENCE).await?;
    println!("{}", next - 1);
    Ok(())
}

/// Starts the device.
fn device(link: &Proxy, store: &Path, topic: &str, until: u64, rate: u64) -> Outcome<Child> {
    let child = Command::new(std::env::current_exe()?)
        .args(["--publish", &link.address().to_string(), "--topic", topic, "--until", &until.to_string()])
        .args(["--rate", &rate.to_string()])
        .arg("--store")
        .arg(store)
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()?;
    Ok(child)
}

/// What has arrived: how often each number came.
#[derive(Default)]
struct Counts(BTreeMap<u64, u32>);

impl Counts {
    /// Messages of that QoS out of `sent`: how many there are, how many are missing, and how many came too often.
    fn of(&self, qos: QoS, sent: u64) -> (usize, usize, usize) {
        let times: Vec<_> =
            (1..=sent).filter(|n| qos_of(*n) == qos).map(|n| self.0.get(&n).copied().unwrap_or(0)).collect();
        let missing = times.iter().filter(|times| **times == 0).count();
        (times.len(), missing, times.iter().filter(|times| **times > 1).count())
    }
}

async fn orchestrate(args: &[String]) -> Outcome<()> {
    let broker = option(args, "--broker").unwrap_or("127.0.0.1:1883");
    let seconds = number(args, "--seconds", 60)?;
    let (cut, kill) = (number(args, "--cut-ms", 1000)?, number(args, "--kill-ms", 3000)?);
    let rate = number(args, "--rate", 200)?;
    let topic = format!("resilient/{}", unix_millis());
    let directory = tempfile::tempdir()?;
    let store = directory.path().join("session");
    let address = tokio::net::lookup_host(broker).await?.next().ok_or("the broker's name has no address")?;

    let counter = Client::builder(&format!("mqtt://{broker}")).client_id("counter").connect().await?;
    let mut messages = counter.subscribe(topic.as_str(), QoS::ExactlyOnce).await?;
    let link = Proxy::start(address, 1).await?;
    let until = unix_millis() + seconds * 1000;
    let mut child = device(&link, &store, &topic, until, rate)?;

    let mut counts = Counts::default();
    let mut kills = 0_u32;
    let (mut cuts, mut deaths) =
        (interval(Duration::from_millis(cut.max(1))), interval(Duration::from_millis(kill.max(1))));
    cuts.tick().await;
    deaths.tick().await;
    let end = Instant::now() + Duration::from_secs(seconds);
    let mut how = Cut::Fin;
    while Instant::now() < end {
        tokio::select! {
            message = messages.next() => take(message, &mut counts)?,
            _ = cuts.tick() => {
                link.cut(how);
                how = if how == Cut::Fin { Cut::Reset } else { Cut::Fin };
            }
            _ = deaths.tick() => {
                // SIGKILL: it has no time for anything.
                child.kill().await?;
                kills += 1;
                child = device(&link, &store, &topic, until, rate)?;
            }
            status = child.wait() => return Err(format!("the device ended by itself: {}", status?).into()),
            () = tokio::time::sleep_until(end) => {}
        }
    }

    // The link is whole, and the device has published all that it will: the rest has to arrive.
    let mut finished = Box::pin(timeout(PATIENCE + END, child.wait_with_output()));
    let output = loop {
        tokio::select! {
            message = messages.next() => take(message, &mut counts)?,
            output = &mut finished => break output.map_err(|_| "the device does not come to an end")??,
        }
    };
    if !output.status.success() {
        return Err(format!("the device failed: {}", output.status).into());
    }
    let sent: u64 = String::from_utf8_lossy(&output.stdout).trim().parse()?;
    while let Ok(message) = timeout(LINGER, messages.next()).await {
        take(message, &mut counts)?;
    }

    println!(
        "{sent} messages; the link was cut {} times in {} connections, the device killed {kills} times",
        link.cuts(),
        link.accepted()
    );
    let (at_least, lost_1, again_1) = counts.of(QoS::AtLeastOnce, sent);
    println!("QoS 1: {at_least} sent, {} arrived, {again_1} of them more than once, {lost_1} lost", at_least - lost_1);
    let (exactly, lost_2, again_2) = counts.of(QoS::ExactlyOnce, sent);
    println!("QoS 2: {exactly} sent, {} arrived, {again_2} of them more than once, {lost_2} lost", exactly - lost_2);
    let strangers = counts.0.range(sent + 1..).count();
    counter.disconnect().await?;
    if lost_1 + lost_2 + again_2 + strangers > 0 || sent == 0 {
        return Err(format!("not as promised ({strangers} messages arrived that were never accepted)").into());
    }
    println!("every QoS 1 message arrived at least once, every QoS 2 message exactly once");
    Ok(())
}

fn take(message: Option<gridmq_client::Message>, counts: &mut Counts) -> Outcome<()> {
    let message = message.ok_or("the counter lost its connection")?;
    let number = message.text().ok_or("a message that is no number")?.parse()?;
    *counts.0.entry(number).or_default() += 1;
    Ok(())
}
