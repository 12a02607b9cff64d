//! Servers that read a ClientHello and answer in bytes written by hand: what no TLS library would send.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{drain, listen, part};

/// What a ClientHello offers (RFC 8446 §4.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello {
    /// The legacy version.
    pub version: u16,
    /// The versions of the extension; empty if it is not there.
    pub versions: Vec<u16>,
    /// The cipher suites.
    pub suites: Vec<u16>,
    /// The groups.
    pub groups: Vec<u16>,
    /// The server name.
    pub server_name: Option<String>,
    /// The application protocols.
    pub alpn: Vec<Vec<u8>>,
}

impl Hello {
    /// Is this version offered?
    #[must_use]
    pub fn offers(&self, version: u16) -> bool {
        if self.versions.is_empty() { self.version >= version } else { self.versions.contains(&version) }
    }
}

/// TLS 1.0.
pub const TLS10: u16 = 0x0301;
/// TLS 1.1.
pub const TLS11: u16 = 0x0302;
/// TLS 1.2.
pub const TLS12: u16 = 0x0303;
/// TLS 1.3.
pub const TLS13: u16 = 0x0304;

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
    }

    fn number(&mut self, bytes: usize) -> Option<usize> {
        Some(self.take(bytes)?.iter().fold(0, |number, &byte| number << 8 | usize::from(byte)))
    }

    /// What follows a length of so many bytes.
    fn vector(&mut self, length_bytes: usize) -> Option<Self> {
        let length = self.number(length_bytes)?;
        self.take(length).map(Reader)
    }

    fn numbers(mut self) -> Vec<u16> {
        std::iter::from_fn(|| self.number(2)).map(|number| number as u16).collect()
    }
}

/// Reads a ClientHello from the records that carry it; `None` if it is not whole or not one.
#[must_use]
pub fn parse(mut records: &[u8]) -> Option<Hello> {
    let mut message = Vec::new();
    while let Some((&[22, 3, _, high, low], rest)) = records.split_first_chunk::<5>() {
        let length = usize::from(high) << 8 | usize::from(low);
        message.extend_from_slice(rest.get(..length)?);
        records = &rest[length..];
    }
    let mut reader = Reader(&message);
    if reader.number(1)? != 1 {
        return None;
    }
    let mut body = reader.vector(3)?;
    let mut hello = Hello { version: body.number(2)? as u16, ..Hello::default() };
    body.take(32)?;
    body.vector(1)?;
    hello.suites = body.vector(2)?.numbers();
    body.vector(1)?;
    let Some(mut extensions) = body.vector(2) else { return Some(hello) };
    while let Some(kind) = extensions.number(2) {
        let mut content = extensions.vector(2)?;
        match kind {
            0 => {
                let mut list = content.vector(2)?;
                list.number(1)?;
                hello.server_name = Some(String::from_utf8_lossy(list.vector(2)?.0).into_owned());
            }
            10 => hello.groups = content.vector(2)?.numbers(),
            16 => {
                let mut list = content.vector(2)?;
                hello.alpn = std::iter::from_fn(|| list.vector(1)).map(|name| name.0.to_vec()).collect();
            }
            43 => hello.versions = content.vector(1)?.numbers(),
            _ => {}
        }
    }
    Some(hello)
}

/// Reads until a ClientHello is whole; `None` if the client ends or sends something else.
async fn read(stream: &mut TcpStream) -> Option<Hello> {
    let mut bytes = Vec::new();
    while bytes.len() < 64 << 10 {
        if let Some(hello) = parse(&bytes) {
            return Some(hello);
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 || bytes.first() != Some(&22) {
            return None;
        }
    }
    None
}

/// Waits until a ClientHello is whole and leaves it in the socket for a TLS library to read.
pub(super) async fn peek(stream: &TcpStream) -> Option<Hello> {
    let mut space = vec![0; 16 << 10];
    for _ in 0..200 {
        let length = stream.peek(&mut space).await.ok()?;
        if length == 0 || space.first() != Some(&22) {
            return None;
        }
        if let Some(hello) = parse(&space[..length]) {
            return Some(hello);
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    None
}

/// What to answer to a ClientHello.
#[derive(Debug, Clone)]
pub enum Answer {
    /// These bytes, then the end.
    Close(Vec<u8>),
    /// These bytes, then silence.
    Stall(Vec<u8>),
}

/// Answers every ClientHello as `answer` says; closes towards whoever sends something else.
pub fn server(answer: impl Fn(&Hello) -> Answer + Send + Sync + Clone + 'static) -> SocketAddr {
    listen(move |mut stream| {
        let answer = answer.clone();
        async move {
            let Some(hello) = read(&mut stream).await else { return part(&mut stream).await };
            match answer(&hello) {
                Answer::Close(bytes) => {
                    stream.write_all(&bytes).await.ok();
                    part(&mut stream).await;
                }
                Answer::Stall(bytes) => {
                    stream.write_all(&bytes).await.ok();
                    drain(&mut stream).await;
                }
            }
        }
    })
}

/// A fatal alert (RFC 8446 §6).
#[must_use]
pub fn alert(code: u8) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, code]
}

/// Answers every ClientHello with this alert.
pub fn alerting(code: u8) -> SocketAddr {
    server(move |_| Answer::Close(alert(code)))
}

/// A ServerHello of TLS 1.2 or older that takes this suite, in a record.
#[must_use]
pub fn server_hello(version: u16, suite: u16) -> Vec<u8> {
    let mut body = version.to_be_bytes().to_vec();
    body.extend([0x5a; 32]);
    body.push(0);
    body.extend(suite.to_be_bytes());
    body.push(0);
    record(version, &message(2, &body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn record(version: u16, message: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in message.chunks(16 << 10) {
        bytes.push(22);
        bytes.extend(version.to_be_bytes());
        bytes.extend((part.len() as u16).to_be_bytes());
        bytes.extend_from_slice(part);
    }
    bytes
}

/// Sends the first half of a ServerHello, then nothing.
pub fn half_server_hello() -> SocketAddr {
    server(|_| {
        let mut bytes = server_hello(TLS12, 0xc02f);
        bytes.truncate(bytes.len() / 2);
        Answer::Stall(bytes)
    })
}

/// Sends a whole ServerHello, then nothing.
pub fn only_server_hello() -> SocketAddr {
    server(|_| Answer::Stall(server_hello(TLS12, 0xc02b)))
}

/// Speaks nothing newer than `newest`: refuses whoever does not offer it, and greets whoever does.
pub fn no_newer_than(newest: u16) -> SocketAddr {
    server(move |hello| {
        let old = if hello.versions.is_empty() { hello.version <= newest } else { hello.versions.contains(&newest) };
        match hello.suites.first() {
            Some(&suite) if old => Answer::Close(server_hello(newest, suite)),
            _ => Answer::Close(alert(70)),
        }
    })
}

/// Speaks TLS 1.2 with these suites alone, as an old server that knows only CBC or RSA key exchange does.
pub fn only_suites(suites: &'static [u16]) -> SocketAddr {
    server(move |hello| match suites.iter().find(|suite| hello.suites.contains(suite)) {
        Some(&suite) if hello.offers(TLS12) => Answer::Close(server_hello(TLS12, suite)),
        Some(_) => Answer::Close(alert(70)),
        None => Answer::Close(alert(40)),
    })
}

/// Speaks TLS with these groups alone: whoever does not offer one is refused.
pub fn only_groups(groups: &'static [u16]) -> SocketAddr {
    server(move |hello| match groups.iter().any(|group| hello.groups.contains(group)) {
        true => Answer::Close(server_hello(TLS12, 0xc02f)),
        false => Answer::Close(alert(40)),
    })
}

/// Speaks only these application protocols: whoever offers none of them is refused, also who offers none at all.
pub fn only_alpn(protocols: &'static [&'static str]) -> SocketAddr {
    server(move |hello| {
        let common = hello.alpn.iter().any(|offered| protocols.iter().any(|known| known.as_bytes() == offered));
        if common { Answer::Stall(server_hello(TLS12, 0xc02f)) } else { Answer::Close(alert(120)) }
    })
}

/// Sends this certificate so many times, in one message of TLS 1.2.
pub fn endless_chain(certificate: &[u8], times: usize) -> SocketAddr {
    let length = |bytes: usize| (bytes as u32).to_be_bytes()[1..].to_vec();
    let entry = [length(certificate.len()), certificate.to_vec()].concat();
    let entries = entry.repeat(times);
    let body = [length(entries.len()), entries].concat();
    let bytes = [server_hello(TLS12, 0xc02b), record(TLS12, &message(11, &body))].concat();
    server(move |_| Answer::Stall(bytes.clone()))
}
