//! Handshakes that verify nothing and write everything down, for diagnosis.
//!
//! A [`Probe`] takes any server's word, so nothing secret may be sent over it but what the user of a
//! diagnosis asked to send. What the server showed is judged afterwards with [`judge`](judge()),
//! against as many trusts as wanted. [`raw`] speaks the first flight of TLS by hand, to learn what a
//! server offers that this crate does not speak.
//!
//! Nothing here keeps time or waits on its own account: a caller puts a deadline around each call,
//! and [`Probe::seen`] tells what was seen so far, also after a call was abandoned.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::ClientConnection;
use rustls::client::Resumption;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

use crate::explain::Alert;
use crate::first_bytes::FirstBytes;
use crate::identity::Identity;
use crate::provider::provider;
use crate::versions::{TlsVersion, TlsVersions};

mod end;
mod judge;
pub mod raw;
mod recorder;
mod trace;

pub use end::{End, How, Phase, name_of as alert_name};
#[cfg(feature = "platform-verifier")]
pub use judge::judge_platform;
#[cfg(feature = "web-roots")]
pub use judge::judge_web_roots;
pub use judge::{Verdict, judge};

use recorder::Recorder;
use trace::Trace;

/// How many certificates of a server are kept.
pub const MAX_CERTIFICATES: usize = 1000;
/// How many bytes of a server's certificates are kept.
pub const MAX_CERTIFICATE_BYTES: usize = 1024 * 1024;
/// How many of the authorities that a server names are kept.
pub const MAX_HINTS: usize = 64;
/// How many of a connection's first bytes are kept.
pub const MAX_FIRST_BYTES: usize = 64;
/// How much is read at once.
const CHUNK: usize = 16 * 1024;

/// What a [`Probe`] offers.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Settings {
    /// The DNS name or IP address to ask for.
    pub server_name: String,
    /// Send the name (SNI, RFC 6066 §3), if it is a DNS name.
    pub send_server_name: bool,
    /// The versions to offer.
    pub versions: TlsVersions,
    /// The application protocols to offer (RFC 7301).
    pub alpn: Vec<Vec<u8>>,
    /// What to prove when asked.
    pub identity: Option<Identity>,
    /// The clock that the own signature is timed with.
    pub clock: fn() -> Instant,
}

impl Settings {
    /// Offers both versions and the name, and has nothing to prove.
    pub fn new(server_name: impl Into<String>, clock: fn() -> Instant) -> Self {
        Self {
            server_name: server_name.into(),
            send_server_name: true,
            versions: TlsVersions::BOTH,
            alpn: Vec::new(),
            identity: None,
            clock,
        }
    }
}

/// Why a probe cannot begin. It is the caller's to put right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProbeError {
    /// The name is neither a DNS name nor an IP address.
    #[error("{0:?} is neither a DNS name nor an IP address")]
    BadServerName(String),
    /// The TLS stack refused the combination.
    #[error("the TLS stack refused the configuration: {0}")]
    Tls(String),
}

/// A server's CertificateRequest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Request {
    /// The authorities that it names, at most [`MAX_HINTS`] of them.
    pub hints: Vec<String>,
    /// How many authorities it names.
    pub hint_count: usize,
    /// How many bytes their names have.
    pub hint_bytes: usize,
    /// The signature schemes that it accepts.
    pub schemes: Vec<String>,
}

/// What was seen of a connection so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Seen {
    /// The handshake is complete as far as this side can tell.
    pub complete: bool,
    /// The version that the server chose.
    pub version: Option<TlsVersion>,
    /// The cipher suite that it chose, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: Option<String>,
    /// The group of the key exchange.
    pub group: Option<String>,
    /// The application protocol that it chose.
    pub alpn: Option<Vec<u8>>,
    /// Its certificates in DER, leaf first, within [`MAX_CERTIFICATES`] and [`MAX_CERTIFICATE_BYTES`].
    pub server_chain: Vec<Vec<u8>>,
    /// How many certificates it sent.
    pub server_chain_length: usize,
    /// How many bytes they have.
    pub server_chain_bytes: usize,
    /// It asked for a certificate, with this request.
    pub request: Option<Request>,
    /// The subjects of the certificates that were sent, leaf first.
    pub sent: Vec<String>,
    /// There was a certificate to send, and its key fits none of the server's signature schemes.
    pub no_common_scheme: bool,
    /// The scheme of the own signature.
    pub scheme: Option<String>,
    /// How long the own signature took.
    pub signature_time: Option<Duration>,
    /// The server began a second handshake (TLS 1.2 renegotiation).
    pub renegotiation: bool,
    /// How many bytes came.
    pub received: u64,
    /// The first of them.
    pub first: Vec<u8>,
    /// How the connection ended, if it has.
    pub end: Option<End>,
}

impl Seen {
    /// What the first bytes look like.
    #[must_use]
    pub fn first_bytes(&self) -> FirstBytes {
        FirstBytes::recognise(&self.first)
    }

    /// The alert that the server ended the connection with.
    #[must_use]
    pub fn alert(&self) -> Option<&Alert> {
        match &self.end.as_ref()?.how {
            How::Alert(alert) => Some(alert),
            _ => None,
        }
    }
}

/// A connection that believes anybody. The methods can be abandoned at any await and called again.
pub struct Probe<IO> {
    io: IO,
    tls: ClientConnection,
    recorder: Arc<Recorder>,
    trace: Trace,
    sent: Vec<String>,
    /// Encrypted, to be written.
    out: Vec<u8>,
    /// Decrypted, to be delivered.
    plain: Vec<u8>,
    /// Writing failed; what the peer said before may still be read.
    broken: bool,
    /// Writing found the connection reset.
    reset: bool,
    complete: bool,
    end: Option<End>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Probe<IO> {
    /// Prepares a connection over `io`. Nothing is sent yet.
    ///
    /// # Errors
    /// When the name or the settings cannot be used.
    pub fn new(io: IO, settings: &Settings) -> Result<Self, ProbeError> {
        let bare = settings.server_name.trim_start_matches('[').trim_end_matches([']', '.']);
        let name = ServerName::try_from(bare.to_owned())
            .map_err(|_| ProbeError::BadServerName(settings.server_name.chars().take(256).collect()))?;
        let key = settings.identity.as_ref().map(Identity::certified_key);
        let recorder = Arc::new(Recorder::new(key, settings.clock));
        let stack = |error: rustls::Error| ProbeError::Tls(error.to_string());
        let mut config = rustls::ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&settings.versions.as_rustls())
            .map_err(stack)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::<Recorder>::clone(&recorder))
            .with_client_cert_resolver(Arc::<Recorder>::clone(&recorder));
        config.resumption = Resumption::disabled();
        config.enable_sni = settings.send_server_name;
        config.alpn_protocols.clone_from(&settings.alpn);
        let tls = ClientConnection::new(Arc::new(config), name).map_err(stack)?;
        Ok(Self {
            io,
            tls,
            recorder,
            trace: Trace::default(),
            sent: settings.identity.as_ref().map(Identity::chain_subjects).unwrap_or_default(),
            out: Vec::new(),
            plain: Vec::new(),
            broken: false,
            reset: false,
            complete: false,
            end: None,
        })
    }

    /// Shakes hands. True: complete as far as this side can tell. False: [`Self::seen`] has the end.
    pub async fn handshake(&mut self) -> bool {
        while self.tls.is_handshaking() && self.end.is_none() {
            self.flush().await;
            if self.tls.is_handshaking() {
                self.receive().await;
            }
        }
        self.flush().await;
        self.end.is_none()
    }

    /// The next decrypted bytes, at most some tens of KiB; `None` at the end.
    pub async fn read(&mut self) -> Option<Vec<u8>> {
        loop {
            if !self.plain.is_empty() {
                return Some(std::mem::take(&mut self.plain));
            }
            if self.end.is_some() {
                return None;
            }
            self.flush().await;
            self.receive().await;
        }
    }

    /// Sends bytes. That the peer has closed shows when reading, after what it said before that.
    pub async fn write(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(CHUNK) {
            if io::Write::write_all(&mut self.tls.writer(), piece).is_err() {
                self.broken = true;
            }
            self.flush().await;
        }
    }

    /// Says goodbye. The peer's answer is not waited for.
    pub async fn close(&mut self) {
        self.tls.send_close_notify();
        self.flush().await;
        // Gone is gone.
        let _ = self.io.shutdown().await;
    }

    /// What was seen so far.
    #[must_use]
    pub fn seen(&self) -> Seen {
        let mut seen = self.recorder.seen();
        seen.complete = self.complete;
        seen.version = self.tls.protocol_version().and_then(TlsVersion::from_rustls);
        seen.cipher = self.tls.negotiated_cipher_suite().map(|suite| format!("{:?}", suite.suite()));
        seen.group = self.tls.negotiated_key_exchange_group().map(|group| format!("{:?}", group.name()));
        seen.alpn = self.tls.alpn_protocol().map(<[u8]>::to_vec);
        if self.recorder.was_sent() {
            seen.sent.clone_from(&self.sent);
        }
        seen.renegotiation = self.trace.renegotiation() && seen.version == Some(TlsVersion::V1_2);
        seen.received = self.trace.received();
        seen.first = self.trace.first().to_vec();
        seen.end.clone_from(&self.end);
        seen
    }

    fn phase(&self) -> Phase {
        if self.complete { Phase::After } else { Phase::Handshake }
    }

    fn ended(&mut self, how: How) {
        if self.end.is_none() {
            self.end = Some(End { phase: self.phase(), how });
        }
    }

    /// Writes what waits to be written.
    async fn flush(&mut self) {
        while self.tls.wants_write() {
            // Into memory; cannot fail.
            if self.tls.write_tls(&mut self.out).is_err() {
                break;
            }
        }
        while !self.out.is_empty() && !self.broken {
            match self.io.write(&self.out).await {
                Ok(0) => self.broken = true,
                Err(error) => {
                    self.broken = true;
                    // The system tells of it once; reading then sees no more than an end.
                    self.reset |= error.kind() == io::ErrorKind::ConnectionReset;
                }
                Ok(written) => drop(self.out.drain(..written)),
            }
        }
        if self.broken {
            self.out.clear();
        } else if self.io.flush().await.is_err() {
            self.broken = true;
        }
    }

    /// Reads once and digests.
    async fn receive(&mut self) {
        let mut chunk = vec![0; CHUNK];
        match self.io.read(&mut chunk).await {
            Ok(0) => self.ended(if self.reset { How::Reset } else { How::Closed }),
            Err(error) => {
                let how = end::from_io(&error);
                self.ended(how);
            }
            Ok(length) => {
                let bytes = chunk.get(..length).unwrap_or_default();
                self.trace.follow(bytes);
                self.digest(bytes);
            }
        }
        if self.end.is_some() {
            // Our own alert, if there is one; the peer may be gone.
            self.flush().await;
        }
    }

    fn digest(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.end.is_none() {
            let before = bytes.len();
            if let Err(error) = self.tls.read_tls(&mut bytes) {
                self.ended(How::Violation(error.to_string()));
                return;
            }
            let outcome = self.tls.process_new_packets();
            if !self.tls.is_handshaking() {
                self.complete = true;
            }
            match outcome {
                Ok(state) => {
                    let waiting = state.plaintext_bytes_to_read().min(CHUNK);
                    let mut plain = vec![0; waiting];
                    if let Ok(length) = io::Read::read(&mut self.tls.reader(), &mut plain) {
                        self.plain.extend(plain.iter().take(length));
                    }
                    if state.peer_has_closed() {
                        self.ended(How::CloseNotify);
                    }
                }
                Err(error) => {
                    let how = end::from_tls(&error, self.trace.first());
                    self.ended(how);
                }
            }
            if bytes.len() == before {
                return;
            }
        }
    }
}

impl<IO> fmt::Debug for Probe<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe").field("complete", &self.complete).field("end", &self.end).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
