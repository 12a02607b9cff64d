//! Publishes its arguments: a host, a port, a topic, a message and, with TLS, the file of a root certificate.

use std::error::Error;

use rumqttc::{AsyncClient, Event, Incoming, MqttOptions, QoS};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [host, port, topic, message, rest @ ..] = words.as_slice() else {
        println!("usage: hello-rumqttc HOST PORT TOPIC MESSAGE [ROOT.pem]");
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        #[cfg_attr(not(feature = "tls"), expect(unused_mut, reason = "nothing else is set"))]
        let mut options = MqttOptions::new("hello", host.as_str(), port.parse()?);
        #[cfg(feature = "tls")]
        if let Some(root) = rest.first() {
            let ca = std::fs::read(root)?;
            let tls = rumqttc::TlsConfiguration::Simple { ca, alpn: None, client_auth: None };
            options.set_transport(rumqttc::Transport::tls_with_config(tls));
        }
        #[cfg(not(feature = "tls"))]
        let _ = rest;
        let (client, mut events) = AsyncClient::new(options, 10);
        client.publish(topic.as_str(), QoS::AtLeastOnce, false, message.as_bytes()).await?;
        while !matches!(events.poll().await?, Event::Incoming(Incoming::PubAck(_))) {}
        client.disconnect().await?;
        // The packet is written when it is polled for; what comes after is the end of the connection.
        let _ = events.poll().await;
        Ok(())
    })
}
