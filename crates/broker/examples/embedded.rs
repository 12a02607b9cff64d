//! A broker in a test, in ten lines: start it, let clients in, look at what they do, stop it.
//!
//! `cargo run -p gridmq-broker --example embedded`

use gridmq_broker::control::Injected;
use gridmq_broker::hooks::Publication;
use gridmq_broker::{Broker, Listener};
use gridmq_proto::{Message, QoS};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let broker = Broker::builder().workers(1).listener(Listener::plain(([127, 0, 0, 1], 0))).start().await?;
    println!("clients connect to {:?}", broker.addresses());
    let message = Message::new("hello".try_into()?, "world".into());
    let publication = Publication { message, qos: QoS::AtLeastOnce, retain: true };
    assert_eq!(broker.control().inject(publication).await?, Injected::NoSubscribers);
    assert_eq!(broker.retained_messages(), 1);
    broker.shutdown().await;
    Ok(())
}
