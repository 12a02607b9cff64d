//! The header itself: bytes in, what they say out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::ProxyError;
use crate::peer::PeerAddress;

/// How a version 2 header begins.
pub(crate) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";

/// The longest header of version 1, its line end included.
pub(crate) const V1_LONGEST: usize = 107;

/// Types of version 2's additions.
const TYPE_CRC32C: u8 = 0x03;
const TYPE_SSL: u8 = 0x20;
const SUBTYPE_SSL_CN: u8 = 0x22;

/// The client connected by TLS; it showed a certificate in this connection, or in this session.
const CLIENT_SSL: u8 = 0x01;
const CLIENT_CERTIFICATE: u8 = 0x02 | 0x04;

/// A header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Header {
    /// The proxy speaks for itself, to see whether the broker is there.
    Local,
    /// It speaks for a client.
    Proxy {
        /// Nothing, if it does not know.
        from: Option<PeerAddress>,
        /// The common name of the client's certificate, which the proxy has verified.
        name: Option<String>,
    },
}

/// What is believed of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) from: PeerAddress,
    /// Proven, by a proxy that is trusted with it.
    pub(crate) name: Option<String>,
}

const fn malformed<T>(what: &'static str) -> Result<T, ProxyError> {
    Err(ProxyError::Malformed(what))
}

/// Reads a header of version 1, with its line end.
pub(crate) fn v1(line: &[u8]) -> Result<Header, ProxyError> {
    let line = line.strip_prefix(b"PROXY ").and_then(|line| line.strip_suffix(b"\r\n"));
    let Some(line) = line.and_then(|line| str::from_utf8(line).ok()) else {
        return malformed("its line is no line of text");
    };
    if line == "UNKNOWN" || line.starts_with("UNKNOWN ") {
        return Ok(Header::Proxy { from: None, name: None });
    }
    let mut words = line.split(' ');
    let family = words.next();
    let mut address = || {
        let address: IpAddr = words.next()?.parse().ok()?;
        (family == Some(if address.is_ipv4() { "TCP4" } else { "TCP6" })).then_some(address)
    };
    let (Some(source), Some(_)) = (address(), address()) else {
        return malformed("it names no two addresses of its family, which is TCP4 or TCP6");
    };
    let mut port = || {
        let word = words.next()?;
        let digits = word.bytes().all(|byte| byte.is_ascii_digit()) && (word == "0" || !word.starts_with('0'));
        word.parse::<u16>().ok().filter(|_| digits)
    };
    let (Some(port), Some(_), None) = (port(), port(), words.next()) else {
        return malformed("it does not end with two ports");
    };
    Ok(Header::Proxy { from: Some(SocketAddr::new(source, port).into()), name: None })
}

/// Reads a whole header of version 2.
pub(crate) fn v2(header: &[u8]) -> Result<Header, ProxyError> {
    let Some(([version, family, high, low], rest)) =
        header.strip_prefix(&SIGNATURE).and_then(|header| header.split_first_chunk())
    else {
        return malformed("it is too short");
    };
    if usize::from(u16::from_be_bytes([*high, *low])) != rest.len() {
        return malformed("it has not the length that it names");
    }
    let local = match version {
        0x20 => true,
        0x21 => false,
        _ if version >> 4 != 2 => return malformed("its version is not 2"),
        _ => return malformed("its command is neither LOCAL nor PROXY"),
    };
    let (from, additions) = match family {
        // What the proxy does not know, and datagrams, which nobody can send here.
        _ if local => return checked(header, rest, *family).map(|()| Header::Local),
        0x00 => (None, rest),
        0x11 => {
            let Some((&[a, b, c, d, _, _, _, _, high, low, _, _], rest)) = rest.split_first_chunk::<12>() else {
                return malformed("its IPv4 addresses are cut off");
            };
            let address = SocketAddr::from((Ipv4Addr::new(a, b, c, d), u16::from_be_bytes([high, low])));
            (Some(PeerAddress::Ip(address)), rest)
        }
        0x21 => {
            let Some((addresses, rest)) = rest.split_first_chunk::<36>() else {
                return malformed("its IPv6 addresses are cut off");
            };
            let (Some(source), Some(&[high, low])) = (addresses.first_chunk::<16>(), addresses.get(32..34)) else {
                return malformed("its IPv6 addresses are cut off");
            };
            let address = SocketAddr::from((Ipv6Addr::from(*source), u16::from_be_bytes([high, low])));
            (Some(PeerAddress::Ip(address)), rest)
        }
        0x31 => match rest.split_first_chunk::<216>() {
            Some((_, rest)) => (Some(PeerAddress::Unix), rest),
            None => return malformed("its Unix addresses are cut off"),
        },
        _ => return malformed("its address family is not one of streams"),
    };
    let mut name = None;
    let mut additions = Additions(additions);
    while let Some(addition) = additions.next() {
        match addition? {
            (TYPE_CRC32C, sum) => check(header, header.len() - additions.0.len() - sum.len(), sum)?,
            (TYPE_SSL, value) => name = common_name(value)?,
            _ => {}
        }
    }
    Ok(Header::Proxy { from, name })
}

/// A header whose address does not matter is right all the same.
fn checked(header: &[u8], rest: &[u8], family: u8) -> Result<(), ProxyError> {
    let addresses = match family {
        0x11 | 0x12 => 12,
        0x21 | 0x22 => 36,
        0x31 | 0x32 => 216,
        _ => 0,
    };
    // A proxy may leave the addresses out here, and a receiver must not mind what it finds.
    let mut additions = Additions(rest.get(addresses..).unwrap_or_default());
    while let Some(addition) = additions.next() {
        if let Ok((TYPE_CRC32C, sum)) = addition {
            check(header, header.len() - additions.0.len() - sum.len(), sum)?;
        }
    }
    Ok(())
}

/// Type, length, value, one after another.
struct Additions<'a>(&'a [u8]);

impl<'a> Iterator for Additions<'a> {
    type Item = Result<(u8, &'a [u8]), ProxyError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let split = self.0.split_first_chunk().and_then(|([kind, high, low], rest)| {
            let (value, rest) = rest.split_at_checked(usize::from(u16::from_be_bytes([*high, *low])))?;
            Some(((*kind, value), rest))
        });
        let Some((addition, rest)) = split else {
            self.0 = &[];
            return Some(malformed("one of its additions is cut off"));
        };
        self.0 = rest;
        Some(Ok(addition))
    }
}

/// The name in a certificate that was shown and verified.
fn common_name(value: &[u8]) -> Result<Option<String>, ProxyError> {
    let Some(([client, verify @ ..], additions)) = value.split_first_chunk::<5>() else {
        return malformed("what it says of TLS is cut off");
    };
    let mut name = None;
    for addition in Additions(additions) {
        if let (SUBTYPE_SSL_CN, value) = addition? {
            // Two names are none.
            if name.is_some() {
                return malformed("it names two clients of TLS");
            }
            name = Some(str::from_utf8(value).map_err(|_| ProxyError::Malformed("its client's name is not UTF-8"))?);
        }
    }
    let verified = client & CLIENT_SSL != 0 && client & CLIENT_CERTIFICATE != 0 && *verify == [0; 4];
    Ok(name.filter(|name| verified && !name.is_empty()).map(str::to_owned))
}

/// Compares the header's sum, which begins at `at` and counts as zero in itself.
fn check(header: &[u8], at: usize, sum: &[u8]) -> Result<(), ProxyError> {
    let Ok(stated) = <[u8; 4]>::try_from(sum) else { return malformed("its checksum is not of four bytes") };
    let bytes = header.iter().enumerate().map(|(place, byte)| if (at..at + 4).contains(&place) { 0 } else { *byte });
    if crc32c(bytes) != u32::from_be_bytes(stated) {
        return malformed("its checksum is another");
    }
    Ok(())
}

/// CRC32c (RFC 3720 appendix B.4), bit by bit: a header is short, and few have it.
pub(super) fn crc32c(bytes: impl Iterator<Item = u8>) -> u32 {
    let crc = bytes.fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(byte), |crc, _| (crc >> 1) ^ (0x82f6_3b78 & (crc & 1).wrapping_neg()))
    });
    !crc
}
