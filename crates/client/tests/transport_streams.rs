//! Sockets: families, local addresses, Unix sockets, and streams that the application opens.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests"
)]

mod support;

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use gridmq_client::error::{ConnectErrorKind, Side, Stage};
use gridmq_client::{AddressFamily, Client, Dialer, Dialing, Target, Version};
use gridmq_proto::packet::{ConnAckProperties, Packet};
use support::Peer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::net::TcpListener;

async fn listener() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

async fn serve(io: impl AsyncRead + AsyncWrite + Unpin) {
    let mut server = Peer::new(io, Version::V5);
    server.accept(false, ConnAckProperties::default()).await;
    while server.next().await.is_some() {}
}

#[tokio::test]
#[cfg(target_os = "linux")]
async fn the_local_address_is_the_one_asked_for() {
    for (local, any_port) in [(SocketAddr::from(([127, 0, 0, 3], 0)), true), (([127, 0, 0, 4], 45_671).into(), false)] {
        let (listener, port) = listener().await;
        let client = async {
            let client = Client::builder(&format!("mqtt://localhost:{port}")).local_address(local).connect().await;
            client.unwrap().disconnect().await.unwrap();
        };
        let server = async {
            let (io, from) = listener.accept().await.unwrap();
            assert_eq!(from.ip(), local.ip());
            assert!(any_port || from.port() == local.port());
            serve(io).await;
        };
        tokio::join!(client, server);
    }
}

#[tokio::test]
async fn a_local_address_of_another_machine_is_told() {
    let (_listener, port) = listener().await;
    let elsewhere = IpAddr::from(Ipv4Addr::new(192, 0, 2, 1));
    let options = Client::builder(&format!("mqtt://127.0.0.1:{port}")).local_address(elsewhere);
    let error = options.connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Tcp, Side::Network));
    assert!(error.advice().contains("local_address"), "{error}");
}

#[tokio::test]
async fn a_family_that_is_left_out_is_not_tried() {
    let (_listener, port) = listener().await;
    let options = Client::builder(&format!("mqtt://127.0.0.1:{port}")).address_family(AddressFamily::V6);
    let error = options.connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Name, Side::Us));
    assert!(matches!(error.kind(), ConnectErrorKind::NoAddressOfFamily { .. }), "{error}");
}

/// Defect 12 of MQTTnet: linger is set to nothing, so closing can destroy DISCONNECT on its way.
#[tokio::test]
async fn mqttnet_defect_12_a_disconnect_arrives_and_is_followed_by_an_orderly_end() {
    let (listener, port) = listener().await;
    let client = async {
        let client = Client::builder(&format!("mqtt://127.0.0.1:{port}")).connect().await.unwrap();
        client.publish("a", vec![0; 300_000]).await.unwrap();
        client.disconnect().await.unwrap();
    };
    let server = async {
        let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
        server.accept(false, ConnAckProperties::default()).await;
        // Reading begins when the client has long done its part.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        assert_eq!(server.publish().await.payload.len(), 300_000);
        assert!(matches!(server.packet().await, Packet::Disconnect(_)));
        assert_eq!(server.io.read(&mut [0; 8]).await.expect("no reset"), 0);
    };
    tokio::join!(client, server);
}

#[tokio::test]
#[cfg(unix)]
async fn a_unix_socket_is_an_address() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("broker socket");
    let url = format!("unix://us%40er:word@{}", path.display().to_string().replace(' ', "%20"));
    let error = Client::builder(&url).connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Tcp, Side::Network));
    let ConnectErrorKind::UnixSocket { path: named, error: io } = error.kind() else { panic!("{error}") };
    assert_eq!((named, io.kind()), (&path, io::ErrorKind::NotFound));

    let listener = tokio::net::UnixListener::bind(&path).unwrap();
    let client = async {
        let client = Client::builder(&url).connect().await.unwrap();
        client.disconnect().await.unwrap();
    };
    let server = async {
        let mut server = Peer::new(listener.accept().await.unwrap().0, Version::V5);
        let connect = server.accept(false, ConnAckProperties::default()).await;
        assert_eq!(connect.username.as_deref(), Some("us@er"));
        while server.next().await.is_some() {}
    };
    tokio::join!(client, server);
}

/// Gives one end of a stream in memory, the other to the test.
#[derive(Debug, Default)]
struct Memory {
    asked: Mutex<Vec<(String, u16)>>,
    far: Mutex<Option<tokio::io::DuplexStream>>,
    refuses: bool,
}

impl Dialer for Memory {
    fn dial<'a>(&'a self, target: Target<'a>) -> Dialing<'a> {
        Box::pin(async move {
            self.asked.lock().unwrap().push((target.host.to_owned(), target.port));
            if self.refuses {
                return Err(io::Error::other("the tunnel is down"));
            }
            let (near, far) = tokio::io::duplex(1 << 16);
            *self.far.lock().unwrap() = Some(far);
            Ok(Box::new(near) as _)
        })
    }
}

#[tokio::test]
async fn a_dialer_opens_the_stream_and_is_told_where_to() {
    let dialer = Arc::new(Memory::default());
    let client = async {
        let options = Client::builder("mqtt://nowhere.invalid:77").dialer(Arc::clone(&dialer) as _);
        let client = options.connect().await.unwrap();
        client.disconnect().await.unwrap();
    };
    let server = async {
        let far = loop {
            if let Some(far) = dialer.far.lock().unwrap().take() {
                break far;
            }
            tokio::task::yield_now().await;
        };
        serve(far).await;
    };
    tokio::join!(client, server);
    assert_eq!(*dialer.asked.lock().unwrap(), [("nowhere.invalid".to_owned(), 77)]);
}

#[tokio::test]
async fn a_dialers_error_is_told_as_it_is() {
    let dialer = Arc::new(Memory { refuses: true, ..Memory::default() });
    let error = Client::builder("mqtt://nowhere.invalid").dialer(dialer).connect().await.unwrap_err();
    assert_eq!((error.stage(), error.side()), (Stage::Tcp, Side::Network));
    assert!(matches!(error.kind(), ConnectErrorKind::Dialer(io) if io.to_string() == "the tunnel is down"), "{error}");
}
