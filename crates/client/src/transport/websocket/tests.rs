use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf};

use super::*;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

fn upgrade<'a>(headers: &'a [(String, String)]) -> Upgrade<'a> {
    let deadline = Instant::now() + Duration::from_secs(60);
    Upgrade { path: "/mqtt", host: "host".to_owned(), subprotocol: "mqtt", headers, max_packet: 1024, deadline }
}

/// What becomes of a server that answers so and closes.
async fn asked(answer: &[u8]) -> Result<Stream, Failure> {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    far.write_all(answer).await.unwrap();
    far.shutdown().await.unwrap();
    let outcome = upgrade(&[]).ask(Box::new(near), KEY).await;
    drop(far);
    outcome
}

fn good(more: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
         Sec-WebSocket-Accept: {ACCEPT}\r\n{more}\r\n"
    )
}

#[test]
fn the_request_is_the_standards() {
    let headers = [("Authorization".to_owned(), "Bearer x".to_owned())];
    let expected = "GET /mqtt HTTP/1.1\r\nHost: host\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
                    Sec-WebSocket-Protocol: mqtt\r\nAuthorization: Bearer x\r\n\r\n";
    assert_eq!(upgrade(&headers).request(KEY), expected);
    for (address, host) in [
        ("ws://host", "host"),
        ("ws://host:443", "host:443"),
        ("wss://host:443", "host"),
        ("wss://[::1]", "[::1]"),
        ("ws://[fe80::1%25eth0]:9001", "[fe80::1]:9001"),
    ] {
        assert_eq!(host_field(&Address::parse(address).unwrap()), host, "{address}");
    }
}

#[tokio::test]
async fn an_agreement_is_a_stream_and_what_followed_is_its_beginning() {
    let answer = [good("Sec-WebSocket-Protocol: mqtt\r\n").as_bytes(), b"\x82\x02hi\x82\x01!"].concat();
    let mut stream = asked(&answer).await.unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "hi!");
}

#[tokio::test]
async fn every_other_answer_has_its_type() {
    let error = |answer: String| async move {
        match asked(answer.as_bytes()).await {
            Err(Failure::WebSocket(error)) => error,
            other => panic!("{other:?}"),
        }
    };
    let subprotocol =
        |got: Option<&str>| WebSocketError::Subprotocol { asked: "mqtt".to_owned(), got: got.map(str::to_owned) };
    assert_eq!(error(good("")).await, subprotocol(None));
    assert_eq!(error(good("Sec-WebSocket-Protocol: mqttv3.1\r\n")).await, subprotocol(Some("mqttv3.1")));
    assert_eq!(error(String::new()).await, WebSocketError::Closed);
    assert_eq!(error("HTTP/1.1 101 Swi".to_owned()).await, WebSocketError::Closed);
    assert_eq!(error("HTTP/1.1 404 Not".repeat(1_000)).await, WebSocketError::HeadTooLong(MAX_HEAD));
    assert_eq!(error("SSH-2.0".to_owned()).await, WebSocketError::NotHttp(recognise(b"SSH-2.0")));
    for (answer, without) in [
        (good("").replace("WebSocket\r", "h2c\r"), "Upgrade: websocket"),
        (good("").replace("keep-alive, Upgrade", "close"), "Connection"),
        (good("").replace(ACCEPT, "x"), "Accept"),
        (good("Sec-WebSocket-Extensions: permessage-deflate\r\n"), "extension"),
        (good("broken\r\n"), "fields"),
    ] {
        let error = error(answer).await;
        assert!(matches!(error, WebSocketError::Handshake(what) if what.contains(without)), "{error}");
    }
    let refusal = "HTTP/1.1 302 Found\r\nLocation: wss://b/\r\nContent-Length: 4\r\n\r\nbodyjunk".to_owned();
    let WebSocketError::Status { status, reason, location, body } = error(refusal).await else { panic!() };
    assert_eq!((status, reason.as_str(), location.as_deref(), body.as_str()), (302, "Found", Some("wss://b/"), "body"));
    let long = format!("HTTP/1.1 503 Busy\r\n\r\n{}", "x".repeat(10_000));
    let WebSocketError::Status { body, .. } = error(long).await else { panic!() };
    assert_eq!(body.len(), MAX_BODY);
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for_long() {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    far.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\nsome").await.unwrap();
    let Err(Failure::WebSocket(error)) = upgrade(&[]).ask(Box::new(near), KEY).await else { panic!() };
    assert!(matches!(&error, WebSocketError::Status { body, .. } if body == "some"), "{error}");

    // Nor does it cost the status, when the time for all is up before.
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    far.write_all(b"HTTP/1.1 403 No\r\nContent-Length: 99\r\n\r\nsome").await.unwrap();
    let deadline = Instant::now() + Duration::from_millis(300);
    let upgrade = Upgrade { deadline, ..upgrade(&[]) };
    let asked = timeout_at(deadline, upgrade.ask(Box::new(near), KEY)).await.expect("in time");
    assert!(matches!(asked, Err(Failure::WebSocket(WebSocketError::Status { status: 403, .. }))), "{asked:?}");
}

#[test]
fn a_key_is_answered_as_the_standard_says_and_no_key_comes_twice() {
    assert_eq!(accept_key(KEY), ACCEPT);
    let (one, other) = (random_key().unwrap(), random_key().unwrap());
    assert!(one != other && one.len() == 24 && one.ends_with("=="), "{one} {other}");
}

async fn stream() -> (Stream, DuplexStream) {
    let (near, far) = tokio::io::duplex(64 * 1024);
    (Stream::new(Box::new(near), Vec::new(), 1024), far)
}

/// A client's frame: its first byte and its payload, unmasked.
async fn frame(far: &mut DuplexStream) -> (u8, Vec<u8>) {
    let mut head = [0; 2];
    far.read_exact(&mut head).await.unwrap();
    assert_eq!(head[1] & 0x80, 0x80, "a client masks");
    let length = match head[1] & 0x7f {
        126 => usize::from(far.read_u16().await.unwrap()),
        127 => usize::try_from(far.read_u64().await.unwrap()).unwrap(),
        length => usize::from(length),
    };
    let mut mask = [0; 4];
    far.read_exact(&mut mask).await.unwrap();
    let mut payload = vec![0; length];
    far.read_exact(&mut payload).await.unwrap();
    payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
    (head[0], payload)
}

#[tokio::test]
async fn what_is_written_between_two_flushes_is_one_binary_frame() {
    let (mut stream, mut far) = stream().await;
    for part in ["a", "bc", "def"] {
        stream.write_all(part.as_bytes()).await.unwrap();
    }
    stream.flush().await.unwrap();
    assert_eq!(frame(&mut far).await, (0x82, b"abcdef".to_vec()));
    stream.flush().await.unwrap();
    stream.write_all(b"x").await.unwrap();
    stream.flush().await.unwrap();
    assert_eq!(frame(&mut far).await, (0x82, b"x".to_vec()));
}

#[tokio::test]
async fn much_is_written_in_frames_and_none_is_lost() {
    let (mut stream, mut far) = stream().await;
    let sent: Vec<u8> = (0..500_000_u32).map(|n| (n % 251) as u8).collect();
    let writing = async {
        stream.write_all(&sent).await.unwrap();
        stream.flush().await.unwrap();
    };
    let reading = async {
        let mut got = Vec::new();
        while got.len() < 500_000 {
            let (kind, payload) = frame(&mut far).await;
            assert!(kind == 0x82 && payload.len() <= 64 * 1024);
            got.extend(payload);
        }
        got
    };
    assert!(tokio::join!(writing, reading).1 == sent);
}

#[tokio::test]
async fn pings_are_answered_and_frames_of_parts_are_joined() {
    let (mut stream, mut far) = stream().await;
    far.write_all(b"\x89\x02hi\x02\x01a\x80\x02bc\x8a\x00").await.unwrap();
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"abc");
    assert!(poll_once(stream.read_u8()).await.is_none());
    assert_eq!(frame(&mut far).await, (0x8a, b"hi".to_vec()));
}

#[tokio::test]
async fn closing_is_said_and_answered() {
    let (mut stream, mut far) = stream().await;
    stream.write_all(b"bye").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(frame(&mut far).await, (0x82, b"bye".to_vec()));
    assert_eq!(frame(&mut far).await.0, 0x88);
    far.write_all(b"\x88\x00").await.unwrap();
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);

    let (mut stream, mut far) = self::stream().await;
    far.write_all(b"\x82\x01x\x88\x02\x03\xe8").await.unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"x");
    assert_eq!(frame(&mut far).await, (0x88, vec![3, 0xe8]));
    stream.write_all(b"late").await.unwrap();
    assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

#[tokio::test]
async fn frames_that_are_not_mqtts_are_typed_errors() {
    for (bytes, expected) in [
        (&b"\x81\x02hi"[..], WebSocketError::TextFrame),
        (b"\x81\x01\xff", WebSocketError::NotUtf8),
        (b"\x88\x03\x03\xe8\xff", WebSocketError::NotUtf8),
        (b"\x88\x02\x03\xee", WebSocketError::CloseCode),
        (b"\x88\x02\x03\xed", WebSocketError::CloseCode),
        (b"\x88\x07\x03\xf3hello", WebSocketError::Left { code: 1011, reason: "hello".to_owned() }),
        (b"\x82\x7f\0\0\0\0\x10\0\0\0", WebSocketError::TooLong { size: 1 << 28, max: 1024 + (1 << 20) }),
    ] {
        let (mut stream, mut far) = stream().await;
        far.write_all(bytes).await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        assert_eq!(error.get_ref().unwrap().downcast_ref::<WebSocketError>(), Some(&expected));
    }
    for bytes in [&b"\x80\x00"[..], b"\xc2\x00", b"\x82\x81aaaax", b"\x83\x00", b"\x09\x00"] {
        let (mut stream, mut far) = stream().await;
        far.write_all(bytes).await.unwrap();
        let error = stream.read_u8().await.unwrap_err();
        let typed = error.get_ref().and_then(|inner| inner.downcast_ref::<WebSocketError>());
        assert!(matches!(typed, Some(WebSocketError::Protocol(_))), "{error:?}");
    }
}

#[tokio::test]
async fn a_server_that_only_closes_tcp_is_at_its_end() {
    let (mut stream, mut far) = stream().await;
    far.write_all(b"\x82\x01x\x82").await.unwrap();
    drop(far);
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
}

/// Writing fails at once.
#[derive(Debug)]
struct Refusing;

impl AsyncWrite for Refusing {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn what_the_server_said_is_read_although_nothing_can_be_written_any_more() {
    let io = tokio::io::join(&b"\x89\x00\x82\x04last"[..], Refusing);
    let mut stream = Stream::new(Box::new(io), Vec::new(), 1024);
    stream.write_all(b"x").await.unwrap();
    assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    let mut text = String::new();
    stream.read_to_string(&mut text).await.unwrap();
    assert_eq!(text, "last");
    assert_eq!(stream.flush().await.unwrap_err().kind(), io::ErrorKind::BrokenPipe);
}

/// Reads pings without an end, counts them, and takes nothing.
#[derive(Debug, Default)]
struct Flood(Arc<AtomicUsize>);

impl AsyncRead for Flood {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let ping = [&[0x89, 125][..], &[b'p'; 125]].concat();
        while buf.remaining() >= ping.len() {
            buf.put_slice(&ping);
            self.0.fetch_add(1, Ordering::Relaxed);
        }
        if buf.remaining() > 0 && buf.filled().is_empty() {
            panic!("no room for a ping");
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, _: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Pending
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

#[tokio::test]
async fn pings_of_a_server_that_reads_nothing_are_left_unread() {
    let flood = Flood::default();
    let pings = Arc::clone(&flood.0);
    let mut stream = Stream::new(Box::new(flood), Vec::new(), 1024);
    for _ in 0..1000 {
        assert!(poll_once(stream.read_u8()).await.is_none());
    }
    let read = pings.load(Ordering::Relaxed);
    // What the library reads ahead comes on top.
    assert!((64..64 + 256).contains(&read), "{read}");

    // One that reads goes on being answered.
    let (mut stream, mut far) = self::stream().await;
    let answered = async {
        for _ in 0..1000 {
            far.write_all(b"\x89\x02hi").await.unwrap();
            assert_eq!(frame(&mut far).await, (0x8a, b"hi".to_vec()));
        }
        far.write_all(b"\x82\x01x").await.unwrap();
    };
    let (byte, ()) = tokio::join!(stream.read_u8(), answered);
    assert_eq!(byte.unwrap(), b'x');
}

/// One ping, and then nothing. All that is written is taken, and goes out with the second flush, as over TLS whose
/// transport has no room for a moment.
#[derive(Debug)]
struct Lagging {
    ping: &'static [u8],
    flushed: Arc<AtomicUsize>,
}

impl AsyncRead for Lagging {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.ping.is_empty() {
            return Poll::Pending;
        }
        buf.put_slice(std::mem::take(&mut self.ping));
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Lagging {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.flushed.fetch_add(1, Ordering::Relaxed) {
            0 => Poll::Pending,
            _ => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[tokio::test]
async fn an_answer_that_is_still_below_is_flushed_although_nothing_else_is_written() {
    let flushed = Arc::new(AtomicUsize::new(0));
    let io = Lagging { ping: b"\x89\x02hi", flushed: Arc::clone(&flushed) };
    let mut stream = Stream::new(Box::new(io), Vec::new(), 1024);
    assert!(poll_once(stream.read_u8()).await.is_none());
    assert_eq!(flushed.load(Ordering::Relaxed), 1);
    assert!(poll_once(stream.read_u8()).await.is_none());
    assert_eq!(flushed.load(Ordering::Relaxed), 2);
    assert!(poll_once(stream.read_u8()).await.is_none());
    assert_eq!(flushed.load(Ordering::Relaxed), 2, "nothing is left to be flushed");
}

/// What a future gives at once.
async fn poll_once<F: Future>(future: F) -> Option<F::Output> {
    let mut future = std::pin::pin!(future);
    std::future::poll_fn(|cx| match future.as_mut().poll(cx) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
