//! A map of vehicles: the telemetry scenario of Microsoft's MqttApplicationSamples.
//!
//! `telemetry_consumer [--env-file map-app.env]`
use gridmq_client::{Options, QoS, TopicTemplate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env_file = std::env::args().skip_while(|arg| arg != "--env-file").nth(1);
    let client = Options::from_env_or_file(env_file)?.connect().await?;
    let positions = TopicTemplate::parse("vehicles/{vehicle}/position")?;
    let mut messages = client.subscribe(&positions, QoS::AtLeastOnce).await?;
    println!("listening to {}", positions.filter());
    while let Some(message) = messages.next().await {
        let vehicle = positions.value("vehicle", message.topic()).unwrap_or_default();
        println!("{vehicle}: {}", message.text().unwrap_or("(no text)"));
    }
    client.disconnected().map_or(Ok(()), |cause| Err(cause.to_string().into()))
}
