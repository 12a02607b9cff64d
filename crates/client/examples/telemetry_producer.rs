//! A vehicle that tells its position every five seconds: the telemetry scenario of Microsoft's MqttApplicationSamples.
//!
//! `telemetry_producer [--env-file vehicle01.env] [--times N]`
use std::time::Duration;

use gridmq_client::{Options, QoS, TopicTemplate};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let env_file = std::env::args().skip_while(|arg| arg != "--env-file").nth(1);
    let times = std::env::args().skip_while(|arg| arg != "--times").nth(1).map_or(Ok(u32::MAX), |n| n.parse())?;
    let client = Options::from_env_or_file(env_file)?.connect().await?;
    let vehicle = client.client_id();
    let topic = TopicTemplate::parse("vehicles/{vehicle}/position")?.with("vehicle", &vehicle)?.topic()?;
    let mut every = tokio::time::interval(Duration::from_secs(5));
    for step in 0..times {
        every.tick().await;
        // Once around a lake.
        let (sine, cosine) = (f64::from(step) / 20.0).sin_cos();
        let (longitude, latitude) = (-122.25 + sine / 100.0, 47.62 + cosine / 100.0);
        let position = format!(r#"{{"type":"Point","coordinates":[{longitude:.6},{latitude:.6}]}}"#);
        client.publish(topic.clone(), position).qos(QoS::AtLeastOnce).await?;
        println!("{topic}");
    }
    Ok(client.disconnect().await?)
}
