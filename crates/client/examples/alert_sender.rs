//! A control tower that warns all vehicles: the alert scenario of Microsoft's MqttApplicationSamples.
//!
//! `alert_sender [--env-file control-tower.env] [text, such as "Heavy Rain"]`
use std::time::{Duration, SystemTime};

use gridmq_client::{Options, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env_file = std::env::args().skip_while(|arg| arg != "--env-file").nth(1);
    let text = std::env::args().skip(1).filter(|arg| arg != "--env-file").find(|arg| !arg.ends_with(".env"));
    let text = text.unwrap_or_else(|| "Heavy Rain".to_owned()).replace(['"', '\\'], "'");
    let client = Options::from_env_or_file(env_file)?.connect().await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs();
    // The type is weather.
    let alert = format!(r#"{{"type":0,"alert":"{text}","time":"{}"}}"#, date_and_time(now));
    client
        .publish("vehicles/weather/alert", alert)
        .qos(QoS::AtLeastOnce)
        .message_expiry(Duration::from_secs(300))
        .await?;
    println!("sent: {text}");
    Ok(client.disconnect().await?)
}

/// RFC 3339, from seconds since 1970.
fn date_and_time(seconds: u64) -> String {
    let (mut days, time) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    let leap = |year: u64| u64::from(year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)));
    while days >= 365 + leap(year) {
        days -= 365 + leap(year);
        year += 1;
    }
    let mut month = 0;
    let length = |month: usize| [31, 28 + leap(year), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
    while days >= length(month) {
        days -= length(month);
        month += 1;
    }
    let (hour, minute, second) = (time / 3600, time / 60 % 60, time % 60);
    format!("{year}-{:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z", month + 1, days + 1)
}
