//! SOCKS5 (RFC 1928) with user name and password (RFC 1929), without I/O.

use std::net::IpAddr;

use crate::error::{ProxyError, SocksReply};

const VERSION: u8 = 5;
/// Ways to authenticate.
const NOTHING: u8 = 0;
const PASSWORD: u8 = 2;
const NO_METHOD: u8 = 0xff;
/// The version of the exchange of user name and password.
const PASSWORD_VERSION: u8 = 1;
const CONNECT: u8 = 1;
/// Kinds of addresses.
const V4: u8 = 1;
const NAME: u8 = 3;
const V6: u8 = 4;

/// Where the proxy is to lead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Host<'a> {
    /// A name of 255 bytes at most.
    Name(&'a str),
    Address(IpAddr),
}

/// A negotiation: write the greeting, then give it as many bytes as it wants and write what it gives, until it wants
/// none. It never wants a byte that is not the proxy's own.
pub(super) struct Socks5<'a> {
    credentials: Option<(&'a [u8], &'a [u8])>,
    host: Host<'a>,
    port: u16,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// The proxy chooses a way to authenticate.
    Method,
    /// It judges user name and password.
    Verdict,
    /// It replies: four bytes, the last of which says what follows.
    Reply,
    /// The length of a name.
    Length,
    /// The address and port that it connected from; they are of no use here.
    Bound(usize),
    Done,
}

impl<'a> Socks5<'a> {
    pub(super) const fn new(credentials: Option<(&'a [u8], &'a [u8])>, host: Host<'a>, port: u16) -> Self {
        Self { credentials, host, port, state: State::Method }
    }

    /// The ways to authenticate that we have.
    pub(super) fn greeting(&self) -> Vec<u8> {
        match self.credentials {
            Some(_) => vec![VERSION, 2, NOTHING, PASSWORD],
            None => vec![VERSION, 1, NOTHING],
        }
    }

    /// How many bytes are to be read next; none when the way is open.
    pub(super) const fn wants(&self) -> Option<usize> {
        match self.state {
            State::Method | State::Verdict => Some(2),
            State::Reply => Some(4),
            State::Length => Some(1),
            State::Bound(length) => Some(length),
            State::Done => None,
        }
    }

    /// Takes the bytes that it wanted, and gives what is to be written before the next are read.
    pub(super) fn take(&mut self, bytes: &[u8]) -> Result<Option<Vec<u8>>, ProxyError> {
        match (self.state, bytes) {
            (State::Method, [VERSION, method]) => self.authenticate(*method).map(Some),
            (State::Verdict, [_, 0]) => {
                // The version of this byte pair is wrong in some proxies and says nothing.
                self.state = State::Reply;
                self.request().map(Some)
            }
            (State::Verdict, [_, status]) => Err(ProxyError::CredentialsRefused { status: *status }),
            (State::Reply, [VERSION, reply, _, kind]) => {
                if let Some(reply) = SocksReply::from_byte(*reply) {
                    return Err(ProxyError::Refused(reply));
                }
                self.state = match *kind {
                    V4 => State::Bound(4 + 2),
                    V6 => State::Bound(16 + 2),
                    NAME => State::Length,
                    _ => return Err(ProxyError::Malformed("the kind of address in its reply")),
                };
                Ok(None)
            }
            (State::Length, [length]) => {
                self.state = State::Bound(usize::from(*length) + 2);
                Ok(None)
            }
            (State::Bound(_), _) => {
                self.state = State::Done;
                Ok(None)
            }
            (State::Reply, _) => Err(ProxyError::Malformed("the version in its reply")),
            (State::Method | State::Verdict | State::Length | State::Done, start) => {
                Err(ProxyError::Foreign { expected: "SOCKS5", start: start.to_vec() })
            }
        }
    }

    fn authenticate(&mut self, method: u8) -> Result<Vec<u8>, ProxyError> {
        match (method, self.credentials) {
            (NOTHING, _) => {
                self.state = State::Reply;
                self.request()
            }
            (PASSWORD, Some((username, password))) => {
                self.state = State::Verdict;
                // All at once, so that no shorter copy stays behind in memory.
                let mut bytes = Vec::with_capacity(3 + username.len() + password.len());
                bytes.push(PASSWORD_VERSION);
                for part in [username, password] {
                    bytes.push(u8::try_from(part.len()).map_err(|_| ProxyError::Malformed("our credentials' length"))?);
                    bytes.extend_from_slice(part);
                }
                Ok(bytes)
            }
            (NO_METHOD, credentials) => Err(ProxyError::NoMethod { with_credentials: credentials.is_some() }),
            (other, _) => Err(ProxyError::UnexpectedMethod(other)),
        }
    }

    fn request(&self) -> Result<Vec<u8>, ProxyError> {
        let mut bytes = vec![VERSION, CONNECT, 0];
        match self.host {
            Host::Name(name) => {
                let length = u8::try_from(name.len()).map_err(|_| ProxyError::Malformed("the name's length"))?;
                bytes.extend_from_slice(&[NAME, length]);
                bytes.extend_from_slice(name.as_bytes());
            }
            Host::Address(IpAddr::V4(address)) => {
                bytes.push(V4);
                bytes.extend_from_slice(&address.octets());
            }
            Host::Address(IpAddr::V6(address)) => {
                bytes.push(V6);
                bytes.extend_from_slice(&address.octets());
            }
        }
        bytes.extend_from_slice(&self.port.to_be_bytes());
        Ok(bytes)
    }
}

#[cfg(test)]
mod tests;
