//! A server's side of MQTT over WebSocket, written out here, so that it is of another make than the client's.

use std::io::{Read, Write};
use std::net::{TcpListener as StdListener, TcpStream};
use std::thread::JoinHandle;

use base64ct::{Base64, Encoding};
use bytes::BytesMut;
use gridmq_client::Version;
use gridmq_proto::ReasonCode;
use gridmq_proto::codec::{Decoder, encode};
use gridmq_proto::packet::{Ack, ConnAck, ConnAckProperties, Packet};
use sha1_smol::Sha1;

/// Kinds of frames (RFC 6455 §5.2).
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PING: u8 = 9;
const PONG: u8 = 10;

/// What a server saw: path, host, subprotocol, one more header, the sizes of the frames, and the packets.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) path: String,
    pub(crate) host: String,
    pub(crate) subprotocol: String,
    pub(crate) extra: Option<String>,
    pub(crate) frames: Vec<usize>,
    pub(crate) packets: Vec<Packet>,
    pub(crate) close: bool,
}

/// A WebSocket, after its upgrade.
struct Socket(TcpStream);

impl Socket {
    /// Takes the upgrade and gives its request line and fields.
    fn accept(tcp: TcpStream) -> (Self, String) {
        let mut socket = Self(tcp);
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            socket.0.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let answer = format!(
            "HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {}\r\n\
             Sec-WebSocket-Protocol: {}\r\n\r\n",
            accept_key(&field(&request, "Sec-WebSocket-Key").unwrap()),
            field(&request, "Sec-WebSocket-Protocol").unwrap()
        );
        socket.0.write_all(answer.as_bytes()).unwrap();
        (socket, request)
    }

    /// A frame of less than 126 bytes.
    fn send(&mut self, kind: u8, payload: &[u8]) {
        let head = [0x80 | kind, u8::try_from(payload.len()).unwrap()];
        self.0.write_all(&[&head, payload].concat()).unwrap();
    }

    /// The client's next frame: its kind, and its payload unmasked; nothing when it has closed.
    fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.0.read_exact(&mut head).ok()?;
        assert_eq!((head[0] & 0xf0, head[1] & 0x80), (0x80, 0x80), "whole and masked");
        let mut length = [0; 8];
        let more = match head[1] & 0x7f {
            126 => 2,
            127 => 8,
            length_itself => {
                length[7] = length_itself;
                0
            }
        };
        self.0.read_exact(&mut length[8 - more..]).ok()?;
        let mut mask = [0; 4];
        self.0.read_exact(&mut mask).ok()?;
        let mut payload = vec![0; usize::try_from(u64::from_be_bytes(length)).unwrap()];
        self.0.read_exact(&mut payload).ok()?;
        payload.iter_mut().zip(mask.iter().cycle()).for_each(|(byte, mask)| *byte ^= mask);
        Some((head[0] & 0xf, payload))
    }
}

/// The value of a field of a request.
pub(crate) fn field(request: &str, name: &str) -> Option<String> {
    request.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": ")).map(str::to_owned)
}

/// What a server answers to a key (RFC 6455 §4.2.2).
fn accept_key(key: &str) -> String {
    let digest = Sha1::from(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11")).digest().bytes();
    Base64::encode_string(&digest)
}

/// A server that takes one client and everything that it says until it leaves.
pub(crate) fn server(listener: StdListener, version: Version) -> JoinHandle<Seen> {
    std::thread::spawn(move || {
        let (mut socket, request) = Socket::accept(listener.accept().unwrap().0);
        let mut seen = Seen {
            path: request.split(' ').nth(1).unwrap().to_owned(),
            host: field(&request, "Host").unwrap(),
            subprotocol: field(&request, "Sec-WebSocket-Protocol").unwrap(),
            extra: field(&request, "X-Extra"),
            ..Seen::default()
        };
        let (mut decoder, mut incoming) = (Decoder::for_server(1 << 24), BytesMut::new());
        socket.send(PING, b"are you there");
        while let Some((kind, bytes)) = socket.frame() {
            match kind {
                BINARY => {
                    seen.frames.push(bytes.len());
                    incoming.extend_from_slice(&bytes);
                }
                PONG => assert_eq!(bytes, b"are you there"),
                CLOSE => {
                    seen.close = true;
                    socket.send(CLOSE, &bytes);
                    return seen;
                }
                other => panic!("{other}"),
            }
            while let Some(packet) = decoder.decode(&mut incoming).unwrap() {
                let answer = match &packet {
                    Packet::Connect(_) => Packet::ConnAck(Box::new(ConnAck {
                        session_present: false,
                        reason: ReasonCode::Success,
                        properties: ConnAckProperties::default(),
                    })),
                    Packet::Publish(publish) => Packet::PubAck(Ack {
                        packet_id: publish.packet_id.unwrap(),
                        reason: ReasonCode::Success,
                        properties: None,
                    }),
                    _ => {
                        seen.packets.push(packet);
                        continue;
                    }
                };
                let mut bytes = BytesMut::new();
                encode(&answer, version, None, &mut bytes).unwrap();
                // Packets may be cut anywhere.
                for part in bytes.chunks(1) {
                    socket.send(BINARY, part);
                }
                seen.packets.push(packet);
            }
        }
        seen
    })
}

pub(crate) fn listener() -> (StdListener, u16) {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

/// The answer with what the key asks for.
pub(crate) fn filled(answer: &[u8], key: &str) -> Vec<u8> {
    const PLACE: &[u8] = b"{accept}";
    match answer.windows(PLACE.len()).position(|window| window == PLACE) {
        Some(at) => [&answer[..at], accept_key(key).as_bytes(), &answer[at + PLACE.len()..]].concat(),
        None => answer.to_vec(),
    }
}

pub(crate) const GOOD: &[u8] =
    b"HTTP/1.1 101 S\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\
                      Sec-WebSocket-Protocol: mqtt\r\n\r\n";
