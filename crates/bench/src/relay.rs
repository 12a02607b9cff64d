//! A floor to measure brokers against: copies packets from publishers to subscribers, and decides nothing.
//!
//! CONNECT and SUBSCRIBE get answers as they are; the first PUBLISH of a connection says by its topic to whom all of
//! it goes. After that only the lengths of packets are looked at, so that none is cut. QoS 0 alone: nothing is
//! acknowledged.

use std::cell::{Cell, RefCell};
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use bytes::BytesMut;
use gridmq_proto::packet::{ConnAck, Packet, SubAck};
use gridmq_proto::{ReasonCode, TopicFilter, Version, codec};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::LocalSet;

use crate::scan;

/// Bytes read at once.
const READ: usize = 256 * 1024;
/// A subscriber with so many bytes before it makes publishers wait.
const HIGH: usize = 1024 * 1024;

/// A subscriber, as publishers see it.
#[derive(Debug, Default)]
struct Reader {
    filters: RefCell<Vec<TopicFilter>>,
    waiting: RefCell<Vec<u8>>,
    /// Something waits.
    filled: Notify,
    /// Less than the mark waits.
    drained: Notify,
    gone: Cell<bool>,
}

#[derive(Debug, Default)]
struct Room {
    readers: RefCell<Vec<Rc<Reader>>>,
}

/// Serves until the process ends; says first where.
///
/// # Errors
/// If the address cannot be listened on.
pub fn relay(address: SocketAddr, listening: impl FnOnce(SocketAddr)) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    LocalSet::new().block_on(&runtime, async {
        let listener = TcpListener::bind(address).await?;
        listening(listener.local_addr()?);
        let room = Rc::new(Room::default());
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            let room = Rc::clone(&room);
            tokio::task::spawn_local(async move {
                // Whoever leaves, or says something that nobody understands, is gone.
                let _ = serve(stream, &room).await;
            });
        }
    })
}

async fn serve(stream: TcpStream, room: &Room) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let (mut input, mut output) = stream.into_split();
    let broken = |_| io::Error::from(io::ErrorKind::InvalidData);
    let mut decoder = codec::Decoder::for_server(codec::DEFAULT_MAX_CONNECT_SIZE);
    let mut buffer = BytesMut::new();
    let mut version = Version::V5;
    loop {
        // The first PUBLISH stays where it is.
        if buffer.first().is_some_and(|first| first >> 4 == 3) {
            return publish(input, room, buffer, decoder).await;
        }
        let answer = match decoder.decode(&mut buffer).map_err(broken)? {
            None => {
                buffer.reserve(4096);
                if input.read_buf(&mut buffer).await? == 0 {
                    return Ok(());
                }
                continue;
            }
            Some(Packet::Connect(connect)) => {
                version = connect.version;
                decoder.set_max_packet_size(codec::MAX_PACKET_SIZE);
                let (reason, properties) = (ReasonCode::Success, Default::default());
                Packet::ConnAck(Box::new(ConnAck { session_present: false, reason, properties }))
            }
            Some(Packet::Subscribe(subscribe)) => {
                let filters = subscribe.filters.iter().map(|filter| filter.filter.filter().clone()).collect();
                let reasons = subscribe.filters.iter().map(|_| ReasonCode::Success).collect();
                let ack = SubAck { packet_id: subscribe.packet_id, properties: Default::default(), reasons };
                write(&mut output, &Packet::SubAck(ack), version).await?;
                return subscribe_to(input, output, room, filters).await;
            }
            Some(Packet::PingReq) => Packet::PingResp,
            Some(_) => return Ok(()),
        };
        write(&mut output, &answer, version).await?;
    }
}

async fn write(output: &mut OwnedWriteHalf, packet: &Packet, version: Version) -> io::Result<()> {
    let mut out = BytesMut::new();
    codec::encode(packet, version, None, &mut out).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    output.write_all(&out).await
}

/// Writes what publishers leave here, all of it at once.
async fn subscribe_to(
    mut input: OwnedReadHalf,
    mut output: OwnedWriteHalf,
    room: &Room,
    filters: Vec<TopicFilter>,
) -> io::Result<()> {
    let reader = Rc::new(Reader { filters: RefCell::new(filters), ..Reader::default() });
    room.readers.borrow_mut().push(Rc::clone(&reader));
    let writing = async {
        let mut out = Vec::new();
        loop {
            std::mem::swap(&mut out, &mut *reader.waiting.borrow_mut());
            if out.is_empty() {
                reader.filled.notified().await;
                continue;
            }
            reader.drained.notify_waiters();
            output.write_all(&out).await?;
            out.clear();
        }
    };
    let reading = async {
        // DISCONNECT, or the end: nothing else is expected.
        let mut chunk = [0; 64];
        while let Ok(1..) = input.read(&mut chunk).await {
            if chunk.first() == Some(&0xE0) {
                break;
            }
        }
        io::Result::Ok(())
    };
    let outcome: io::Result<()> = tokio::select! {
        outcome = writing => outcome,
        outcome = reading => outcome,
    };
    reader.gone.set(true);
    reader.drained.notify_waiters();
    room.readers.borrow_mut().retain(|other| !Rc::ptr_eq(other, &reader));
    outcome
}

/// Copies whole packets to those whom the first one is for.
async fn publish(
    mut input: OwnedReadHalf,
    room: &Room,
    begun: BytesMut,
    mut decoder: codec::Decoder,
) -> io::Result<()> {
    let mut bytes = begun.to_vec();
    let mut readers = Vec::new();
    let mut chosen = false;
    loop {
        let mut whole = 0;
        while let Some(length) = bytes.get(whole..).and_then(scan::announced).filter(|n| whole + n <= bytes.len()) {
            if bytes.get(whole) == Some(&0xE0) {
                return Ok(());
            }
            whole += length;
        }
        if whole > 0 && !chosen {
            chosen = true;
            let mut first = BytesMut::from(bytes.get(..whole).unwrap_or_default());
            if let Ok(Some(Packet::Publish(first))) = decoder.decode(&mut first) {
                let topic = first.topic.ok_or(io::ErrorKind::InvalidData)?;
                let all = room.readers.borrow();
                let wants = |reader: &&Rc<Reader>| reader.filters.borrow().iter().any(|filter| filter.matches(&topic));
                readers = all.iter().filter(wants).cloned().collect();
            }
        }
        if let Some(packets) = bytes.get(..whole).filter(|packets| !packets.is_empty()) {
            for reader in &readers {
                reader.waiting.borrow_mut().extend_from_slice(packets);
                reader.filled.notify_one();
            }
            bytes.drain(..whole);
        }
        for reader in &readers {
            while reader.waiting.borrow().len() > HIGH && !reader.gone.get() {
                reader.drained.notified().await;
            }
        }
        bytes.reserve(READ);
        if input.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}
