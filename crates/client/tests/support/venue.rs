//! Connections over memory, one after the other: where a client comes back to.
#![allow(dead_code, reason = "each test uses its part")]

use std::sync::Arc;
use std::time::Duration;

use gridmq_client::{Client, Dialer, Dialing, Options, Reconnect, Target, Version};
use gridmq_proto::packet::{ConnAckProperties, Connect};
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

use crate::support::{Peer, bounded};

#[derive(Debug)]
struct Memory(mpsc::Sender<DuplexStream>);

impl Dialer for Memory {
    fn dial<'a>(&'a self, _: Target<'a>) -> Dialing<'a> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let taken = self.0.try_send(far);
        Box::pin(async move {
            taken.map_err(|_| std::io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(near) as _)
        })
    }
}

/// The server's ends.
pub(crate) struct Venue {
    comes: mpsc::Receiver<DuplexStream>,
    version: Version,
    dialer: Arc<Memory>,
}

impl Venue {
    pub(crate) fn new(version: Version) -> Self {
        let (sender, comes) = mpsc::channel(64);
        Self { comes, version, dialer: Arc::new(Memory(sender)) }
    }

    /// A client that comes here, and comes back within a second.
    pub(crate) fn options(&self) -> Options {
        Client::builder("mqtt://memory")
            .client_id("tester")
            .version(self.version)
            .clean_start(false)
            .dialer(Arc::clone(&self.dialer) as _)
            .reconnect(Reconnect::new().longest_wait(Duration::from_secs(1)))
    }

    /// As [`Self::options`], with a session that lasts for an hour.
    pub(crate) fn lasting(&self) -> Options {
        let options = self.options();
        if self.version.is_v5() { options.session_expiry(Duration::from_secs(3600)) } else { options }
    }

    /// The next connection.
    pub(crate) async fn next(&mut self) -> Peer<DuplexStream> {
        let io = bounded("the client", self.comes.recv()).await.expect("the client comes");
        Peer::new(io, self.version)
    }

    /// The next connection, let in.
    pub(crate) async fn accept(
        &mut self,
        session_present: bool,
        properties: ConnAckProperties,
    ) -> (Peer<DuplexStream>, Connect) {
        let mut server = self.next().await;
        let connect = server.accept(session_present, properties).await;
        (server, connect)
    }

    /// A client of that kind, and the server that has let it in.
    pub(crate) async fn connected(&mut self, options: Options) -> (Client, Peer<DuplexStream>) {
        let (client, (server, _)) = tokio::join!(options.connect(), self.accept(false, <_>::default()));
        (client.expect("connected"), server)
    }
}
