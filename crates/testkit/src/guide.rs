//! What the examples of docs/client.md run in: a broker, and a time in which they have to end.
//!
//! The examples are this crate's documentation tests. An error or a panic in one of them fails it.

use std::error::Error;
use std::time::Duration;

use gridmq_client::{Client, Options};
use tokio::runtime::Runtime;

use crate::broker::{self, ClientFiles, Namespace};

/// How long an example may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// What an example ends with.
pub type Outcome = Result<(), Box<dyn Error>>;

fn within(future: impl Future<Output = Outcome>) {
    let runtime = Runtime::new().expect("a runtime");
    runtime.block_on(async {
        tokio::time::timeout(PATIENCE, future).await.expect("the example ends").expect("the example succeeds");
    });
    // What it has left running must not hold it.
    runtime.shutdown_background();
}

/// Runs an example with the address of an open broker.
pub fn with_broker(example: impl AsyncFnOnce(String) -> Outcome) {
    within(async {
        let open = broker::open(1).await;
        example(format!("mqtt://{}", open.address())).await
    });
}

/// Runs an example with a client that is connected to an open broker.
pub fn with_client(example: impl AsyncFnOnce(Client) -> Outcome) {
    with_broker(async |address| {
        let client = Options::new(&address).client_id("guide").connect().await?;
        example(client).await
    });
}

/// Runs an example with a namespace that decides as Event Grid decides, and the files of a device.
pub fn with_namespace(example: impl AsyncFnOnce(&Namespace, ClientFiles) -> Outcome) {
    within(async {
        let namespace = broker::namespace(1).await;
        let files = namespace.client("client1");
        example(&namespace, files).await
    });
}

/// Runs an example that blocks, with the address of an open broker.
pub fn blocking(example: impl FnOnce(String) -> Outcome + Send + 'static) {
    let runtime = Runtime::new().expect("a runtime");
    let open = runtime.block_on(broker::open(1));
    let address = format!("mqtt://{}", open.address());
    let (tell, outcome) = std::sync::mpsc::sync_channel(1);
    std::thread::spawn(move || tell.send(example(address).map_err(|error| error.to_string())));
    outcome.recv_timeout(PATIENCE).expect("the example ends").expect("the example succeeds");
    runtime.shutdown_background();
}
