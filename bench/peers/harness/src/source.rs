//! A server that does one thing: accepts one client after the other, answers CONNECT and SUBSCRIBE, and writes PUBLISH
//! packets encoded beforehand as fast as the client takes them. At QoS 1 at most `--window` are unacknowledged.
//! Prints its port first.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};

use peer_harness::{Arguments, TOPIC};

fn main() -> io::Result<()> {
    let args = Arguments::read();
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    loop {
        let (stream, _) = listener.accept()?;
        if let Err(error) = serve(stream, &args) {
            eprintln!("source: {error}");
        }
    }
}

/// Packets of the client, as far as this server has to know them.
struct Packets {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Packets {
    /// Calls `each` with the packets that are there; waits for at least one.
    fn read(&mut self, mut each: impl FnMut(u8, &[u8])) -> io::Result<()> {
        loop {
            let mut used = 0;
            while let Some((header, length)) = header(&self.buffer[used..]) {
                let (start, end) = (used + header, used + header + length);
                if self.buffer.len() < end {
                    break;
                }
                each(self.buffer[used] >> 4, &self.buffer[start..end]);
                used = end;
            }
            self.buffer.drain(..used);
            if used > 0 {
                return Ok(());
            }
            let mut chunk = [0; 16384];
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }
}

/// Length of the fixed header and of the rest.
fn header(bytes: &[u8]) -> Option<(usize, usize)> {
    let mut length = 0;
    for (place, &byte) in bytes.iter().skip(1).take(4).enumerate() {
        length |= usize::from(byte & 0x7F) << (7 * place);
        if byte < 0x80 {
            return Some((place + 2, length));
        }
    }
    None
}

fn serve(stream: TcpStream, args: &Arguments) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut out = stream.try_clone()?;
    let mut packets = Packets { stream, buffer: Vec::new() };
    let mut v5 = false;
    let mut window = args.window;
    packets.read(|_, body| {
        v5 = body.get(6) == Some(&5);
        if v5 {
            window = window.min(receive_maximum(body));
        }
    })?;
    out.write_all(if v5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] })?;
    let mut answer = Vec::new();
    while answer.is_empty() {
        packets.read(|kind, body| {
            if let (8, Some(&[high, low])) = (kind, body.first_chunk()) {
                answer = vec![0x90, if v5 { 4 } else { 3 }, high, low];
                if v5 {
                    answer.push(0);
                }
                answer.push(args.qos);
            }
        })?;
    }
    out.write_all(&answer)?;
    if args.qos == 0 { blast(&mut out, args, v5) } else { in_window(&mut out, &mut packets, args, v5, window) }
}

/// The client's Receive Maximum: the property 0x21 among those of CONNECT, which are few in these clients.
fn receive_maximum(connect: &[u8]) -> usize {
    let length = usize::from(connect.get(10).copied().unwrap_or(0));
    let mut properties = connect.get(11..11 + length).unwrap_or_default();
    while let Some((&id, rest)) = properties.split_first() {
        let size = match id {
            0x21 => return rest.get(..2).map_or(65535, |b| usize::from(u16::from_be_bytes([b[0], b[1]]))),
            0x11 | 0x27 => 4,
            0x22 => 2,
            0x17 | 0x19 => 1,
            _ => return 65535,
        };
        properties = rest.get(size..).unwrap_or_default();
    }
    65535
}

fn publish(args: &Arguments, v5: bool, id: u16) -> Vec<u8> {
    let mut body = vec![0, TOPIC.len() as u8];
    body.extend_from_slice(TOPIC.as_bytes());
    if args.qos > 0 {
        body.extend_from_slice(&id.to_be_bytes());
    }
    if v5 {
        body.push(0);
    }
    body.extend_from_slice(&args.payload());
    let mut packet = vec![0x30 | args.qos << 1];
    let mut length = body.len();
    loop {
        let low = (length & 0x7F) as u8;
        length >>= 7;
        packet.push(if length > 0 { low | 0x80 } else { low });
        if length == 0 {
            break;
        }
    }
    packet.extend_from_slice(&body);
    packet
}

fn blast(out: &mut TcpStream, args: &Arguments, v5: bool) -> io::Result<()> {
    let packet = publish(args, v5, 0);
    let together = (65536 / packet.len()).max(1);
    let many = packet.repeat(together);
    let mut left = args.count;
    while left > 0 {
        let now = left.min(together);
        out.write_all(&many[..now * packet.len()])?;
        left -= now;
    }
    wait_for_end(out)
}

fn in_window(out: &mut TcpStream, packets: &mut Packets, args: &Arguments, v5: bool, window: usize) -> io::Result<()> {
    let mut batch = Vec::new();
    let (mut sent, mut acknowledged) = (0, 0);
    while acknowledged < args.count {
        batch.clear();
        while sent < args.count && sent - acknowledged < window {
            batch.extend_from_slice(&publish(args, v5, (sent % 65535) as u16 + 1));
            sent += 1;
        }
        out.write_all(&batch)?;
        packets.read(|kind, _| acknowledged += usize::from(kind == 4))?;
    }
    wait_for_end(out)
}

/// The client leaves when it has all.
fn wait_for_end(stream: &mut TcpStream) -> io::Result<()> {
    let mut chunk = [0; 4096];
    while stream.read(&mut chunk).is_ok_and(|read| read > 0) {}
    Ok(())
}
