use proptest::prelude::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::frames::{self, Control, Fault, Reader};
use super::*;

const MASK: [u8; 4] = [0x11, 0xa2, 0x7f, 0x00];

/// A client's frame.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        short @ ..126 => bytes.push(0x80 | short as u8),
        medium @ ..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend((medium as u16).to_be_bytes());
        }
        long => {
            bytes.push(0x80 | 127);
            bytes.extend((long as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// Reads in pieces of that size, as far as it goes.
fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, Vec<Control>, Option<Fault>) {
    let (mut payload, mut controls) = (Vec::new(), Vec::new());
    let mut reader = Reader::new();
    for piece in bytes.chunks(piece) {
        let mut piece = piece.to_vec();
        let mut taken = 0;
        loop {
            let rest = &mut piece[taken..];
            match reader.read(rest) {
                Ok((here, read, control)) => {
                    payload.extend_from_slice(&rest[..here]);
                    taken += read;
                    match control {
                        Some(control) => controls.push(control),
                        None => break,
                    }
                }
                Err(fault) => return (payload, controls, Some(fault)),
            }
        }
        assert_eq!(taken, piece.len());
    }
    (payload, controls, None)
}

#[test]
fn frames_are_taken_apart_wherever_they_are_cut() {
    let long = vec![7; 70_000];
    let bytes = [
        frame(0x82, b"a"),
        frame(0x02, b""),
        frame(0x89, b"hi"),
        frame(0x00, b"bc"),
        frame(0x8a, b""),
        frame(0x80, &[b'd'; 200]),
        frame(0x82, &long),
        frame(0x88, b"\x03\xe8bye"),
    ]
    .concat();
    for piece in [1, 2, 3, 7, 1000, bytes.len()] {
        let (payload, controls, fault) = read(&bytes, piece);
        assert_eq!(payload, [b"abc", &[b'd'; 200][..], &long].concat());
        assert_eq!(controls, [Control::Ping(b"hi".to_vec()), Control::Close(Some(1000))]);
        assert_eq!(fault, None);
    }
}

#[test]
fn every_breach_is_named() {
    let breach = |bytes: &[u8]| read(bytes, 1).2.map(Fault::code);
    assert_eq!(breach(&frame(0x81, b"text")), Some(1003));
    let unmasked = b"\x82\x01a".to_vec();
    let long_way = [vec![0x82, 0xfe, 0, 125], MASK.to_vec()].concat();
    let longer_way = [vec![0x82, 0xff, 0, 0, 0, 0, 0, 0, 0xff, 0xff], MASK.to_vec()].concat();
    let endless = [vec![0x82, 0xff], vec![0xff; 8], MASK.to_vec()].concat();
    for bytes in [
        unmasked,
        long_way,
        longer_way,
        endless,
        frame(0xc2, b"compressed"),
        frame(0x80, b"continues nothing"),
        [frame(0x02, b"a"), frame(0x82, b"b")].concat(),
        frame(0x83, b""),
        frame(0x8b, b""),
        frame(0x09, b"a ping in parts"),
        frame(0x89, &[0; 126]),
        frame(0x88, b"\x03"),
        frame(0x88, &1005_u16.to_be_bytes()),
        frame(0x88, &999_u16.to_be_bytes()),
        frame(0x88, b"\x03\xe8\xff"),
    ] {
        assert_eq!(breach(&bytes), Some(1002), "{bytes:x?}");
    }
}

fn stream() -> (Stream<DuplexStream>, DuplexStream) {
    let (near, far) = tokio::io::duplex(1024);
    (Stream::new(near, Vec::new()), far)
}

/// A packet of that length altogether.
fn packet(length: usize) -> Vec<u8> {
    let mut packet = vec![0x30];
    let digits = (1..5).find(|digits| length - 1 - digits < 1 << (7 * digits)).unwrap();
    let rest = length - 1 - digits;
    packet.extend((0..digits).map(|at| (rest >> (7 * at)) as u8 & 0x7f | if at + 1 < digits { 0x80 } else { 0 }));
    packet.resize(length, 5);
    packet
}

#[tokio::test]
async fn each_packet_is_a_frame_however_it_is_written() {
    // Less room than the packets need, so that they go out in parts.
    let (near, mut far) = tokio::io::duplex(32);
    let mut stream = Stream::new(near, Vec::new());
    let (small, large) = (packet(20), packet(300));
    let frame = |packet: &[u8]| [super::frames::Header::binary(packet.len()).as_slice(), packet].concat();
    let written = [&small[..], &small, &large, &small, &large[..100]].concat();
    let expected = [frame(&small), frame(&small), frame(&large), frame(&small), frame(&large), frame(&small)].concat();
    let writing = async {
        stream.write_all(&written).await.unwrap();
        stream.write_all(&large[100..]).await.unwrap();
        stream.write_all(&small).await.unwrap();
        stream.flush().await.unwrap();
    };
    let mut bytes = vec![0; expected.len()];
    let (_, read) = tokio::join!(writing, far.read_exact(&mut bytes));
    read.unwrap();
    assert_eq!(bytes, expected);
    // The first byte of a packet alone: from then on each write is a frame.
    let writing = async {
        stream.write_all(&small[..1]).await.unwrap();
        stream.write_all(&small[1..]).await.unwrap();
        stream.flush().await.unwrap();
    };
    let mut bytes = vec![0; 3 + 21];
    let (_, read) = tokio::join!(writing, far.read_exact(&mut bytes));
    read.unwrap();
    assert_eq!(bytes, [frame(&small[..1]), frame(&small[1..])].concat());
}

#[tokio::test]
async fn each_write_is_a_frame_and_pongs_go_between_two() {
    let (mut stream, mut far) = stream();
    let writing = async {
        stream.write_all(&packet(200)).await.unwrap();
        stream.write_all(&packet(70_000)).await.unwrap();
        stream.flush().await.unwrap();
    };
    let reading = async {
        let mut bytes = vec![0; 204 + 70_010];
        far.read_exact(&mut bytes).await.unwrap();
        bytes
    };
    let ((), bytes) = tokio::join!(writing, reading);
    assert_eq!((&bytes[..4], &bytes[4..204]), (&b"\x82\x7e\x00\xc8"[..], &packet(200)[..]));
    assert_eq!((&bytes[204..214], &bytes[214..]), (&b"\x82\x7f\0\0\0\0\0\x01\x11\x70"[..], &packet(70_000)[..]));
    far.write_all(&[frame(0x89, b"one"), frame(0x89, b"two"), frame(0x82, b"x")].concat()).await.unwrap();
    let mut got = [0; 64];
    assert_eq!((stream.read(&mut got).await.unwrap(), got[0]), (1, b'x'));
    let mut pong = [0; 5];
    far.read_exact(&mut pong).await.unwrap();
    assert_eq!(&pong, b"\x8a\x03two", "the last is enough");
}

#[tokio::test]
async fn a_pong_does_not_break_into_a_frame() {
    let (near, mut far) = tokio::io::duplex(64);
    let mut stream = Stream::new(near, Vec::new());
    let writing = stream.write(&packet(100)).await.unwrap();
    assert_eq!(writing, 62, "as much as there is room for, behind the header");
    far.write_all(&[frame(0x89, b"hi"), frame(0x82, b"x")].concat()).await.unwrap();
    assert_eq!(stream.read_u8().await.unwrap(), b'x');
    let mut bytes = vec![0; 64];
    far.read_exact(&mut bytes).await.unwrap();
    stream.write_all(&packet(100)[62..]).await.unwrap();
    stream.flush().await.unwrap();
    bytes.resize(64 + 38 + 4, 0);
    far.read_exact(&mut bytes[64..]).await.unwrap();
    assert_eq!(bytes, [&b"\x82\x64"[..], &packet(100), b"\x8a\x02hi"].concat());
}

#[tokio::test]
async fn closing_is_answered_and_said() {
    let (mut one, mut far) = stream();
    far.write_all(&[frame(0x82, b"last"), frame(0x88, b"\x03\xe9"), frame(0x82, b"late")].concat()).await.unwrap();
    let mut rest = Vec::new();
    one.read_to_end(&mut rest).await.unwrap();
    assert_eq!(rest, b"last");
    let mut close = [0; 4];
    far.read_exact(&mut close).await.unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xe9");
    assert!(one.write_all(b"x").await.is_err());

    let (mut one, mut far) = stream();
    one.shutdown().await.unwrap();
    far.read_exact(&mut close).await.unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xe8");
    far.write_all(&frame(0x88, b"\x03\xe8")).await.unwrap();
    assert_eq!(one.read(&mut [0; 8]).await.unwrap(), 0);

    let (mut one, mut far) = stream();
    far.write_all(&frame(0x81, b"text")).await.unwrap();
    assert_eq!(one.read(&mut [0; 8]).await.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
    far.read_exact(&mut close).await.unwrap();
    assert_eq!(&close, b"\x88\x02\x03\xeb");
}

const REQUEST: &str = "GET /mqtt HTTP/1.1\r\nHost: broker\r\nupgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Protocol: mqttv3.1, mqtt\r\n\r\n";

/// The answer to a request, and the stream that came of it.
async fn asked(request: &str, config: &WebSocket) -> (String, Result<Stream<DuplexStream>, UpgradeError>) {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    far.write_all(request.as_bytes()).await.unwrap();
    far.shutdown().await.unwrap();
    let outcome = upgrade(near, config).await;
    let mut answer = vec![0; 4096];
    let length = far.read(&mut answer).await.unwrap();
    answer.truncate(length);
    (String::from_utf8(answer).unwrap(), outcome)
}

#[tokio::test]
async fn a_request_is_answered_as_the_standard_says() {
    let (answer, stream) = asked(&format!("{REQUEST}\u{2}"), &WebSocket::default()).await;
    assert!(stream.is_ok());
    assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
    assert!(answer.contains("\r\nSec-WebSocket-Protocol: mqtt\r\n"), "{answer}");
    let elsewhere = WebSocket::default().path("ws");
    assert!(asked(&REQUEST.replace("/mqtt H", "/ws?token=1 H"), &elsewhere).await.1.is_ok());
    let ours = WebSocket::default().origins(["https://example.com"]);
    assert!(asked(REQUEST, &ours).await.1.is_ok());
    assert!(asked(&REQUEST.replace("Host", "Origin: https://EXAMPLE.com\r\nHost"), &ours).await.1.is_ok());
    for (request, status) in [
        (REQUEST.replace("/mqtt H", "/ H"), "404"),
        (REQUEST.replace("GET", "POST"), "405"),
        (REQUEST.replace("upgrade: WebSocket", "upgrade: h2c"), "426"),
        (REQUEST.replace("keep-alive, Upgrade", "keep-alive"), "426"),
        ("GET /mqtt HTTP/1.1\r\nHost: x\r\n\r\n".to_owned(), "426"),
        (REQUEST.replace(": 13", ": 8"), "426"),
        (REQUEST.replace("Key: ", "Key: x"), "400"),
        (REQUEST.replace("mqttv3.1, mqtt", "mqttv3.1"), "400"),
        (REQUEST.replace("mqttv3.1, mqtt", "MQTT"), "400"),
        (REQUEST.replace("Host: broker\r\n", ""), "400"),
        (REQUEST.replace("HTTP/1.1", "HTTP/1.0"), "400"),
        (REQUEST.replace("Host", " folded: x\r\nHost"), "400"),
        (REQUEST.replace("broker", &"x".repeat(9_000)), "431"),
    ] {
        let (answer, outcome) = asked(&request, &WebSocket::default()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{answer}");
        assert!(matches!(outcome, Err(UpgradeError::Refused(_))));
    }
    assert!(asked(&REQUEST.replace("Host", "Origin: https://evil.example\r\nHost"), &ours).await.0.contains(" 403 "));
    for (other, closed) in
        [("\u{10}\u{e}\0\u{4}MQTT", false), ("\u{16}\u{3}\u{1}", false), ("GET /mq", true), ("", true)]
    {
        let (answer, outcome) = asked(other, &WebSocket::default()).await;
        assert!(answer.is_empty());
        assert_eq!(matches!(outcome, Err(UpgradeError::Closed)), closed);
    }
}

#[tokio::test]
async fn what_follows_the_request_is_the_beginning() {
    let (near, mut far) = tokio::io::duplex(64 * 1024);
    far.write_all(&[REQUEST.as_bytes(), &frame(0x82, b"hi"), &frame(0x82, b"!")].concat()).await.unwrap();
    let mut stream = upgrade(near, &WebSocket::default()).await.unwrap();
    let mut bytes = [0; 3];
    stream.read_exact(&mut bytes).await.unwrap();
    assert_eq!(&bytes, b"hi!");
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(bytes in prop::collection::vec(any::<u8>(), 1..300), piece in 1usize..50) {
        let whole = read(&bytes, bytes.len());
        let pieces = read(&bytes, piece);
        // Where it is cut does not matter, but for what came before a breach in the same piece.
        prop_assert_eq!(&whole.2, &pieces.2);
        if whole.2.is_none() {
            prop_assert_eq!(whole, pieces);
        }
    }

    #[test]
    fn payloads_come_back(payloads in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 1..8), piece in 1usize..700) {
        let last = payloads.len() - 1;
        let frames = payloads.iter().enumerate().flat_map(|(at, payload)| {
            frame(if at == last { 0x80 } else { 0 } | if at == 0 { 2 } else { 0 }, payload)
        });
        let (got, controls, fault) = read(&frames.collect::<Vec<_>>(), piece);
        prop_assert_eq!((got, controls, fault), (payloads.concat(), Vec::new(), None));
    }

    #[test]
    fn no_request_breaks_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = request::head_length(&bytes);
        let _ = request::Request::parse(&bytes).map(|request| (request.path(), request.tokens("a").count()));
    }
}

#[test]
fn control_frames_are_the_standards() {
    assert_eq!(frames::pong(b"hi"), b"\x8a\x02hi");
    assert_eq!(frames::close(None), b"\x88\x00");
    assert_eq!(frames::close(Some(1003)), b"\x88\x02\x03\xeb");
}
