use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::{Cut, Faults, Pieces, Proxy, Way};

const PATIENCE: Duration = Duration::from_secs(10);

/// A client's and a server's end, with the proxy between.
async fn ends() -> (Proxy, TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let proxy = Proxy::start(listener.local_addr().unwrap(), 1).await.unwrap();
    let (client, server) = tokio::join!(TcpStream::connect(proxy.address()), listener.accept());
    (proxy, client.unwrap(), server.unwrap().0)
}

#[tokio::test]
async fn every_byte_passes_in_order_however_it_is_split_and_delayed() {
    for pieces in [Pieces::Whole, Pieces::Halves, Pieces::Bytes] {
        let (proxy, mut client, mut server) = ends().await;
        let delay = Duration::ZERO..=Duration::from_millis(2);
        proxy.set(Faults::both(&Way { pieces, delay, ..Way::default() }));
        let sent: Vec<u8> = (0..50_000_u32).map(|n| (n % 251) as u8).collect();
        let write = async {
            client.write_all(&sent).await.unwrap();
            client.shutdown().await.unwrap();
            let mut answer = String::new();
            client.read_to_string(&mut answer).await.unwrap();
            answer
        };
        let read = async {
            let mut got = Vec::new();
            server.read_to_end(&mut got).await.unwrap();
            server.write_all(b"done").await.unwrap();
            server.shutdown().await.unwrap();
            got
        };
        let (answer, got) = timeout(PATIENCE, async { tokio::join!(write, read) }).await.unwrap();
        assert!(got == sent, "{pieces:?}");
        assert_eq!(answer, "done");
        assert_eq!(proxy.bytes(), (50_000, 4));
        assert_eq!(proxy.cuts(), 0);
    }
}

#[tokio::test]
async fn a_cut_is_what_it_is_called() {
    for (how, expected) in [(Cut::Fin, None), (Cut::Reset, Some(std::io::ErrorKind::ConnectionReset))] {
        let (proxy, mut client, mut server) = ends().await;
        client.write_all(b"ping").await.unwrap();
        let mut four = [0; 4];
        server.read_exact(&mut four).await.unwrap();
        proxy.cut(how);
        for end in [&mut client, &mut server] {
            let read = timeout(PATIENCE, end.read(&mut four)).await.unwrap();
            assert_eq!(read.as_ref().err().map(std::io::Error::kind), expected, "{how:?}: {read:?}");
        }
        assert_eq!(proxy.cuts(), 1);
    }
}

#[tokio::test]
async fn a_stall_passes_nothing_and_loses_nothing() {
    let (proxy, mut client, mut server) = ends().await;
    proxy.set(Faults::silence());
    client.write_all(b"late").await.unwrap();
    let mut four = [0; 4];
    assert!(timeout(Duration::from_millis(100), server.read_exact(&mut four)).await.is_err());
    proxy.calm();
    timeout(PATIENCE, server.read_exact(&mut four)).await.unwrap().unwrap();
    assert_eq!(&four, b"late");
}

#[tokio::test]
async fn a_limit_lets_exactly_so_many_bytes_pass() {
    let (proxy, mut client, mut server) = ends().await;
    proxy.set(Faults { down: Way { limit: Some((3, Cut::Fin)), ..Way::default() }, ..Faults::default() });
    server.write_all(b"12345").await.unwrap();
    let mut got = Vec::new();
    timeout(PATIENCE, client.read_to_end(&mut got)).await.unwrap().unwrap();
    assert_eq!(got, b"123");
}

#[tokio::test]
async fn a_closed_proxy_and_one_that_is_dropped_let_nobody_in() {
    let (proxy, mut client, _server) = ends().await;
    proxy.set(Faults { closed: true, ..Faults::default() });
    let mut refused = TcpStream::connect(proxy.address()).await.unwrap();
    let mut byte = [0; 1];
    assert!(!matches!(timeout(PATIENCE, refused.read(&mut byte)).await.unwrap(), Ok(1..)));
    let address = proxy.address();
    drop(proxy);
    assert!(!matches!(timeout(PATIENCE, client.read(&mut byte)).await.unwrap(), Ok(1..)));
    let gone = async {
        while TcpStream::connect(address).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, gone).await.unwrap();
}
