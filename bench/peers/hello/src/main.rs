//! Publishes its arguments: an address, a topic, a message and, with TLS, the file of a root certificate.

use std::error::Error;

use gridmq_client::{Client, QoS};

fn main() -> Result<(), Box<dyn Error>> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [address, topic, message, rest @ ..] = words.as_slice() else {
        println!("usage: hello-gridmq ADDRESS TOPIC MESSAGE [ROOT.pem]");
        return Ok(());
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let options = Client::builder(address);
        #[cfg(feature = "tls")]
        let options = match rest.first() {
            Some(root) => options.trust(gridmq_tls::Trust::only_pem_file(root.as_ref())?),
            None => options,
        };
        #[cfg(not(feature = "tls"))]
        let _ = rest;
        let client = options.connect().await?;
        client.publish(topic.as_str(), message.clone()).qos(QoS::AtLeastOnce).await?;
        client.disconnect().await?;
        Ok(())
    })
}
