//! A vehicle that is warned, also of what was sent while it was away: the alert scenario of Microsoft's
//! MqttApplicationSamples.
//!
//! `alert_receiver [--env-file vehicle04.env]`
use std::time::Duration;

use gridmq_client::{Options, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env_file = std::env::args().skip_while(|arg| arg != "--env-file").nth(1);
    let options = Options::from_env_or_file(env_file)?.clean_start(false).session_expiry(Duration::from_secs(3600));
    let client = options.connect().await?;
    let resumed = client.info().is_some_and(|info| info.session_present);
    // Of a resumed session, what waited at the server comes to this subscription too.
    let mut alerts = client.subscribe("vehicles/weather/alert", QoS::AtLeastOnce).await?;
    println!("listening to vehicles/weather/alert, resumed: {resumed}");
    while let Some(alert) = alerts.next().await {
        println!("alert: {}", alert.text().unwrap_or("(no text)"));
    }
    client.disconnected().map_or(Ok(()), |cause| Err(cause.to_string().into()))
}
