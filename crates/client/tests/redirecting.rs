//! Servers that name others: how often they are followed, and where to.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

#[path = "support/secure.rs"]
mod secure;
mod support;

use std::sync::Arc;
use std::time::Duration;

use gridmq_client::tls::Identity;
use gridmq_client::{Client, ConnectionEvent, Dialer, Dialing, Options, Proxy, ReasonCode, Reconnect, Target, Version};
use gridmq_proto::packet::{ConnAck, ConnAckProperties, Packet};
use gridmq_tls::TlsVersion;
use gridmq_tls::credentials::Published;
use secure::Pki;
use support::{Peer, bounded};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, DuplexStream};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

fn following() -> Reconnect {
    Reconnect::new().follow_server_reference()
}

/// Two servers in memory, told apart by their ports; what is dialled comes out in its order.
#[derive(Debug)]
struct Town(mpsc::Sender<(u16, DuplexStream)>);

impl Dialer for Town {
    fn dial<'a>(&'a self, target: Target<'a>) -> Dialing<'a> {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let taken = self.0.try_send((target.port, far));
        Box::pin(async move {
            taken.map_err(|_| std::io::ErrorKind::ConnectionRefused)?;
            Ok(Box::new(near) as _)
        })
    }
}

type Comes = mpsc::Receiver<(u16, DuplexStream)>;

fn town() -> (Arc<Town>, Comes) {
    let (sender, comes) = mpsc::channel(16);
    (Arc::new(Town(sender)), comes)
}

async fn next(comes: &mut Comes) -> (u16, DuplexStream) {
    bounded("the client", comes.recv()).await.expect("the client comes")
}

/// Names another server instead of letting the client in.
async fn send_away<IO: AsyncRead + AsyncWrite + Unpin>(io: IO, to: &str) {
    let mut server = Peer::new(io, Version::V5);
    server.connect().await;
    let properties = ConnAckProperties { server_reference: Some(to.into()), ..ConnAckProperties::default() };
    let ack = ConnAck { session_present: false, reason: ReasonCode::UseAnotherServer, properties };
    server.send(Packet::ConnAck(Box::new(ack))).await;
    server.hang_up().await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_named_and_away_is_waited_for() {
    let (town, mut comes) = town();
    let client = Options::new("mqtt://one:1").client_id("c").dialer(town).reconnect(following()).start().unwrap();
    for _ in 0..6 {
        let (port, gateway) = next(&mut comes).await;
        assert_eq!(port, 1);
        send_away(gateway, "two:2").await;
        let (port, away) = next(&mut comes).await;
        assert_eq!(port, 2);
        drop(away);
    }
    send_away(next(&mut comes).await.1, "two:2").await;
    let (port, there) = next(&mut comes).await;
    let _connect = Peer::new(there, Version::V5).accept(false, <_>::default()).await;
    assert_eq!((port, client.disconnected().is_none()), (2, true));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_named_and_lasts_for_moments_is_waited_for() {
    let (town, mut comes) = town();
    let client = Options::new("mqtt://one:1").client_id("c").dialer(town).reconnect(following()).start().unwrap();
    for _ in 0..6 {
        send_away(next(&mut comes).await.1, "two:2").await;
        let mut server = Peer::new(next(&mut comes).await.1, Version::V5);
        server.accept(false, <_>::default()).await;
        bounded("the connection", client.connected()).await.unwrap();
    }
    assert!(client.disconnected().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_client_behind_a_server_that_names_another_rotates_for_ever() {
    let pki = Pki::new();
    let config = pki.server(TlsVersion::V1_3);
    let (town, mut comes) = town();
    let identity = || {
        let issued = pki.device();
        Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
    };
    let credentials = Published::new(identity());
    let options = Options::new("mqtts://memory:1").client_id("c").dialer(town).trust(pki.trust());
    let client = options.credentials(Arc::new(credentials.clone())).reconnect(following()).start().unwrap();
    let mut events = client.events();
    let mut serve = async |session_present| {
        let (port, io) = next(&mut comes).await;
        assert_eq!(port, 1);
        send_away(gridmq_tls::stream::accept(io, &config).await.unwrap().0, "memory:2").await;
        let (port, io) = next(&mut comes).await;
        assert_eq!(port, 2);
        let mut server = Peer::new(gridmq_tls::stream::accept(io, &config).await.unwrap().0, Version::V5);
        server.accept(session_present, <_>::default()).await;
        server
    };
    let mut server = serve(false).await;
    bounded("the connection", client.connected()).await.unwrap();
    for _ in 0..6 {
        credentials.publish(identity());
        let Packet::Disconnect(_) = server.packet().await else { panic!() };
        server.hang_up().await;
        server = serve(true).await;
        let rotated = async {
            loop {
                match events.next().await.expect("the client goes on") {
                    ConnectionEvent::Rotated { .. } => break,
                    ConnectionEvent::RotationFailed { error, .. } => {
                        assert_eq!(error.reason(), Some(ReasonCode::UseAnotherServer), "{error}");
                    }
                    _ => {}
                }
            }
        };
        bounded("the rotation", rotated).await;
    }
}

/// Nobody comes, and the client has ended for what it was told.
async fn is_left(connecting: impl Future<Output = Result<Client, gridmq_client::ConnectError>>) {
    let error = bounded("connecting", connecting).await.unwrap_err();
    assert_eq!(error.reason(), Some(ReasonCode::UseAnotherServer), "{error}");
}

#[cfg(unix)]
#[tokio::test]
async fn a_server_on_a_unix_socket_leads_nowhere() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("s");
    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = elsewhere.local_addr().unwrap().to_string();
    let serve = async { send_away(listener.accept().await.unwrap().0, &reference).await };
    let options = Options::new(&format!("unix://device:secret@{}", path.display())).client_id("c");
    let ((), ()) = tokio::join!(is_left(options.reconnect(following()).connect()), serve);
    assert!(tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await.is_err());
}

#[tokio::test]
async fn a_stream_of_the_callers_leads_nowhere() {
    let (connect, server) = support::pair(Version::V5);
    let elsewhere = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let reference = elsewhere.local_addr().unwrap().to_string();
    let options = support::builder().reconnect(following());
    tokio::join!(is_left(connect(options)), send_away(server.io, &reference));
    assert!(tokio::time::timeout(Duration::from_millis(100), elsewhere.accept()).await.is_err());
}

/// SOCKS5 carries 255 bytes of a name.
#[tokio::test]
async fn a_name_that_is_none_is_not_asked_for() {
    let proxy = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = proxy.local_addr().unwrap().to_string();
    let reference = "a".repeat(250) + ".example";
    let serve = async {
        let (mut io, _) = proxy.accept().await.unwrap();
        let mut greeting = [0; 3];
        io.read_exact(&mut greeting).await.unwrap();
        io.write_all(&[5, 0]).await.unwrap();
        let mut request = [0; 4 + 1 + 6 + 2];
        io.read_exact(&mut request).await.unwrap();
        assert_eq!(&request[5..11], b"broker");
        io.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await.unwrap();
        send_away(io, &reference).await;
    };
    let options = Options::new("mqtt://broker").client_id("c").proxy(Proxy::socks5(&address));
    tokio::join!(is_left(options.reconnect(following()).connect()), serve);
    assert!(tokio::time::timeout(Duration::from_millis(100), proxy.accept()).await.is_err());
}
