//! A connection that may end at any time, and where to make the next.

use std::net::SocketAddr;

use bytes::BytesMut;
use gridmq_proto::codec::Decoder;
use gridmq_proto::{Packet, ReasonCode, Version};
use gridmq_testkit::wire::{connect, encoded, lasting};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// A generator that gives the same numbers again for the same seed.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// Where the broker is, if it is.
pub struct Where(watch::Sender<Option<SocketAddr>>);

pub type There = watch::Receiver<Option<SocketAddr>>;

impl Where {
    pub fn new() -> (Self, There) {
        let (tell, seen) = watch::channel(None);
        (Self(tell), seen)
    }

    pub fn set(&self, address: Option<SocketAddr>) {
        self.0.send_replace(address);
    }
}

/// The connection has ended, as it does when the broker is killed.
#[derive(Debug)]
pub struct Gone;

/// A connection of a client with a lasting session.
pub struct Link {
    tcp: TcpStream,
    version: Version,
    decoder: Decoder,
    received: BytesMut,
    /// The session was there.
    pub present: bool,
}

impl Link {
    /// Connects to the broker as soon as there is one. `known`: the broker has acknowledged the session before.
    pub async fn open(there: &mut There, client_id: &str, version: Version, known: bool) -> Self {
        loop {
            let Some(address) = *there.wait_for(Option::is_some).await.expect("the test goes on") else { continue };
            if let Ok(link) = Self::try_open(address, client_id, version).await {
                assert!(link.present || !known, "{client_id}: the broker has lost the session");
                return link;
            }
            tokio::select! {
                // The broker of that address is gone: its end is told, or the next one's start.
                _ = there.changed() => {}
                () = tokio::time::sleep(std::time::Duration::from_millis(20)) => {}
            }
        }
    }

    async fn try_open(address: SocketAddr, client_id: &str, version: Version) -> Result<Self, Gone> {
        let tcp = TcpStream::connect(address).await.map_err(|_| Gone)?;
        tcp.set_nodelay(true).map_err(|_| Gone)?;
        let decoder = Decoder::for_client(version, 1 << 20);
        let mut link = Self { tcp, version, decoder, received: BytesMut::new(), present: false };
        let mut packet = connect(client_id, version);
        lasting(&mut packet);
        link.send(&Packet::Connect(Box::new(packet))).await?;
        match link.next().await? {
            Packet::ConnAck(ack) => {
                assert_eq!(ack.reason, ReasonCode::Success, "{client_id}");
                link.present = ack.session_present;
                Ok(link)
            }
            other => panic!("{client_id}: not a CONNACK: {other:?}"),
        }
    }

    pub async fn send(&mut self, packet: &Packet) -> Result<(), Gone> {
        self.send_raw(&encoded(packet, self.version)).await
    }

    pub async fn send_raw(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        self.tcp.write_all(bytes).await.map_err(|_| Gone)
    }

    /// The next packet. Loses nothing when it is given up half-way.
    pub async fn next(&mut self) -> Result<Packet, Gone> {
        loop {
            match self.decoder.decode(&mut self.received) {
                Ok(Some(packet)) => return Ok(packet),
                Ok(None) => {}
                Err(violation) => panic!("the broker broke the protocol: {violation}"),
            }
            match self.tcp.read_buf(&mut self.received).await {
                Ok(0) | Err(_) => return Err(Gone),
                Ok(_) => {}
            }
        }
    }
}
