//! Connects to an Event Grid namespace's MQTT broker with a client certificate, publishes, and receives.
use gridmq_client::tls::{Identity, Trust};
use gridmq_client::{Options, QoS};

const USAGE: &str = "usage: event_grid_tls --host HOST --cert FILE --key FILE [--port 8883] [--topic TOPIC]
    [--username client1-authn-ID] [--client-id client1-session1] [--cafile FILE, needed with gridmq quickstart]";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    if let Err(error) = run().await {
        eprintln!("{error}");
        std::process::exit(1);
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let option = |name: &str| args.windows(2).find(|pair| pair[0] == name).map(|pair| pair[1].as_str());
    let (Some(host), Some(cert), Some(key)) = (option("--host"), option("--cert"), option("--key")) else {
        return Err(USAGE.into());
    };
    let trust = option("--cafile").map(|file| Trust::only_pem_file(file.as_ref())).transpose()?;
    let topic = option("--topic").unwrap_or("contosotopics/topic1");
    // The preset knows what the service takes, and says so before anything is sent.
    let client = Options::event_grid(&format!("{host}:{}", option("--port").unwrap_or("8883")))
        .identity(Identity::from_pem_files(cert.as_ref(), key.as_ref())?)
        .trust(trust.unwrap_or_else(Trust::platform))
        .username(option("--username").unwrap_or("client1-authn-ID"))
        .client_id(option("--client-id").unwrap_or("client1-session1"))
        .connect()
        .await?;
    let mut messages = client.subscribe(topic, QoS::AtLeastOnce).await?;
    client.publish(topic, "hello world!").qos(QoS::AtLeastOnce).await?;
    if let Some(message) = messages.next().await {
        println!("{}: {}", message.topic(), message.text().unwrap_or("(no text)"));
    }
    Ok(client.disconnect().await?)
}
