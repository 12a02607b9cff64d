//! TLS over any asynchronous byte stream.
//!
//! Nothing here keeps time: a caller that wants a deadline for the handshake puts one around it.

use std::fmt;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsAcceptor, TlsConnector};

use crate::client::ClientConfig;
use crate::explain::{HandshakeReport, Role, Stage, TlsError};
use crate::peer::PresentedPeer;
use crate::server::ServerConfig;
use crate::server::judge::{Notes, noting};
use crate::versions::TlsVersion;

mod late;
mod report;
mod sniff;

use late::Late;
use report::{Account, ClientSeen, Seen, ServerSeen};
use sniff::Sniff;

/// How much of what a refused client already sent is read and thrown away.
const MAX_DISCARDED: usize = 64 * 1024;

/// What a complete handshake agreed on and showed.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HandshakeInfo {
    /// The TLS version.
    pub version: TlsVersion,
    /// The cipher suite, such as `TLS13_AES_256_GCM_SHA384`.
    pub cipher: String,
    /// The application protocol (RFC 7301), if one was agreed on.
    pub alpn: Option<Vec<u8>>,
    /// Client: the name that was asked for. Server: the name that the client asked for (SNI).
    pub server_name: Option<String>,
    /// The server asked for a client certificate.
    pub asked_for_certificate: bool,
    /// The subjects that this side sent, leaf first; empty for none.
    pub sent_chain: Vec<String>,
    /// The subjects that the other side sent, leaf first; empty for none.
    pub peer_chain: Vec<String>,
    /// Server: the client's certificate, whose key the client holds.
    pub presented: Option<PresentedPeer>,
}

/// Connects: proves `config`'s identity if asked, and believes only its trust.
///
/// `server_name` is a DNS name or an IP address (brackets around IPv6 are taken off); a DNS name is
/// sent as SNI. With TLS 1.3 the server judges the client's certificate after this returns: its
/// refusal is the first read's error.
///
/// # Errors
/// With whatever ended the handshake, and what was seen of it.
pub async fn connect<IO>(
    io: IO,
    server_name: &str,
    config: &ClientConfig,
) -> Result<(TlsStream<IO>, HandshakeInfo), TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let bare = server_name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(server_name);
    let bare = bare.strip_suffix('.').unwrap_or(bare);
    let name = ServerName::try_from(bare.to_owned()).map_err(|_| TlsError::invalid_server_name(server_name))?;
    let (tls, recorder) = config.recorded();
    match TlsConnector::from(tls).connect(name, Sniff::new(io)).into_fallible().await {
        Ok(stream) => {
            let seen = ClientSeen::new(bare, config, &recorder, stream.get_ref().0);
            let stream = finish(stream.into(), Seen::Client(seen))?;
            let info = stream.info();
            Ok((stream, info))
        }
        Err((error, mut io)) => {
            let seen = ClientSeen::new(bare, config, &recorder, &io);
            let mut report = seen.report();
            report.refusal = seen.refusal_of_server(&error);
            let error = late::alert_behind(error, &mut io).await;
            Err(TlsError::new(&error, Stage::Handshake, report))
        }
    }
}

/// Accepts: proves `config`'s identity and asks for the client's as `config` says.
///
/// # Errors
/// With whatever ended the handshake, and what was seen of it. The alert that tells the client has
/// been written by then.
pub async fn accept<IO>(io: IO, config: &ServerConfig) -> Result<(TlsStream<IO>, HandshakeInfo), TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let stream = accept_briefly(io, config).await?;
    let info = stream.info();
    Ok((stream, info))
}

/// As [`accept`], without putting into words what was agreed on, for servers of many clients: who the client is says
/// [`TlsStream::presented`].
///
/// # Errors
/// As [`accept`].
pub async fn accept_briefly<IO>(io: IO, config: &ServerConfig) -> Result<TlsStream<IO>, TlsError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut notes = Notes::default();
    let mut handshake = TlsAcceptor::from(config.as_rustls()).accept(Sniff::new(io)).into_fallible();
    let outcome = poll_fn(|cx| noting(&mut notes, || Pin::new(&mut handshake).poll(cx))).await;
    match outcome {
        Ok(stream) => {
            let (io, connection) = stream.get_ref();
            let mut seen = ServerSeen::new(config, io, connection.server_name());
            let shown = connection.peer_certificates().and_then(<[_]>::first);
            seen.presented =
                notes.presented.filter(|presented| Some(presented.leaf().der()) == shown.map(|leaf| &**leaf));
            if shown.is_some() && seen.presented.is_none() {
                // Without a judge's notes there is no telling who this is.
                let error = io::Error::other("the client's certificate was not judged in its own handshake");
                return Err(TlsError::new(&error, Stage::Handshake, seen.report()));
            }
            finish(stream.into(), Seen::Server(seen))
        }
        Err((error, mut io)) => {
            let mut report = ServerSeen::new(config, &io, None).report();
            report::add_presented(&mut report, notes);
            part(&mut io).await;
            Err(TlsError::new(&error, Stage::Handshake, report))
        }
    }
}

fn finish<IO>(inner: tokio_rustls::TlsStream<Sniff<IO>>, seen: Seen) -> Result<TlsStream<IO>, TlsError> {
    let (_, connection) = inner.get_ref();
    let version = connection.protocol_version().and_then(TlsVersion::from_rustls);
    let (Some(version), Some(_)) = (version, connection.negotiated_cipher_suite()) else {
        let error = io::Error::other("the handshake ended without a version or cipher suite");
        return Err(TlsError::new(&error, Stage::Handshake, seen.report()));
    };
    let account = Box::new(Account::new(seen, version));
    Ok(TlsStream { inner, account, version, heard: false, late: Late::default() })
}

/// Closes towards a client that was refused and reads what it already sent: unread bytes would make
/// the operating system reset the connection, and the alert be lost.
async fn part<IO: AsyncRead + AsyncWrite + Unpin>(io: &mut Sniff<IO>) {
    poll_fn(|cx| {
        if Pin::new(&mut *io).poll_shutdown(cx).is_ready() {
            let mut space = [0_u8; 1024];
            let mut discarded = 0;
            while discarded < MAX_DISCARDED {
                let mut buffer = ReadBuf::new(&mut space);
                match Pin::new(&mut *io).poll_read(cx, &mut buffer) {
                    Poll::Ready(Ok(())) if !buffer.filled().is_empty() => discarded += buffer.filled().len(),
                    _ => break,
                }
            }
        }
        Poll::Ready(())
    })
    .await;
}

/// A TLS connection whose handshake is complete.
///
/// Where TLS is the reason of an error from reading or writing, the error holds a [`TlsError`] that
/// knows what the handshake showed: see [`explain::from_io`](crate::explain::from_io).
///
/// When writing fails, what the other side sent before is read at once: if that is an alert, the
/// write's error is that alert. Bytes of the application's are kept, at most 64 KiB, and given to the
/// next reads, so that a DISCONNECT with its reason is not lost: after an error from writing, read
/// before giving up.
pub struct TlsStream<IO> {
    inner: tokio_rustls::TlsStream<Sniff<IO>>,
    account: Box<Account>,
    version: TlsVersion,
    /// A byte of the application's has arrived.
    heard: bool,
    late: Late,
}

impl<IO> TlsStream<IO> {
    /// The stream underneath.
    #[must_use]
    pub fn get_ref(&self) -> &IO {
        self.inner.get_ref().0.get_ref()
    }

    /// Server: the client's certificate, whose key the client holds.
    #[must_use]
    pub fn presented(&self) -> Option<&PresentedPeer> {
        self.account.seen().presented()
    }

    /// What was agreed on and shown.
    fn info(&self) -> HandshakeInfo {
        let (_, connection) = self.inner.get_ref();
        let seen = self.account.seen();
        HandshakeInfo {
            version: self.version,
            cipher: connection
                .negotiated_cipher_suite()
                .map(|suite| format!("{:?}", suite.suite()))
                .unwrap_or_default(),
            alpn: connection.alpn_protocol().map(<[u8]>::to_vec),
            server_name: seen.server_name().map(str::to_owned),
            asked_for_certificate: seen.asked_for_certificate(),
            sent_chain: seen.sent_chain(),
            peer_chain: seen.peer_chain(),
            presented: seen.presented().cloned(),
        }
    }

    /// What was seen of the handshake.
    #[must_use]
    pub fn report(&self) -> &HandshakeReport {
        self.account.report()
    }

    fn explain(&self, error: io::Error) -> io::Error {
        if error.get_ref().is_some_and(|inner| inner.is::<TlsError>()) {
            return error;
        }
        let is_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
        // A TLS 1.3 client has not heard yet what the server thinks of its certificate.
        let pending = self.account.role() == Role::Client && self.version == TlsVersion::V1_3 && !self.heard;
        if !(is_tls || pending && late::is_gone(&error)) {
            return error;
        }
        let explained = TlsError::new(&error, Stage::AfterHandshake, self.report().clone());
        io::Error::new(error.kind(), explained)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> TlsStream<IO> {
    /// The result of writing, with the reason that the other side gave before the connection went.
    fn written<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        let error = match result {
            Poll::Ready(Err(error)) => error,
            other => return other,
        };
        let error = self.late.reason_behind(error, &mut self.inner, cx);
        self.heard |= self.late.has_bytes();
        Poll::Ready(Err(self.explain(error)))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if let Some(result) = this.late.read(buffer) {
            return Poll::Ready(result.map_err(|error| this.explain(error)));
        }
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.inner).poll_read(cx, buffer);
        this.heard |= buffer.filled().len() > before;
        match result {
            Poll::Ready(Err(error)) => Poll::Ready(Err(this.explain(error))),
            other => other,
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_write(cx, bytes);
        this.written(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_write_vectored(cx, slices);
        this.written(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_flush(cx);
        this.written(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.inner).poll_shutdown(cx);
        this.written(cx, result)
    }
}

impl<IO> fmt::Debug for TlsStream<IO> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsStream")
            .field("version", &self.version)
            .field("peer_chain", &self.report().peer_chain)
            .finish_non_exhaustive()
    }
}
