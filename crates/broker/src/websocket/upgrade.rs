//! The opening handshake (RFC 6455 section 4.2).

use std::io;

use base64ct::{Base64, Encoding};
use sha1_smol::Sha1;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::request::{MAX_HEAD, Request, head_length, may_be_http};
use super::{Refusal, Stream, UpgradeError, WebSocket};

/// [MQTT-6.0.0-3], [MQTT-6.0.0-4].
const SUBPROTOCOL: &str = "mqtt";

/// Of what a client that was refused still sends, how much is read so that it gets its answer.
const PARTING: usize = 64 * 1024;

/// The answer to a key.
fn accept_key(key: &str) -> String {
    const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
    Base64::encode_string(&Sha1::from(format!("{key}{GUID}")).digest().bytes())
}

/// Judges a request; answers the key.
fn judge<'a>(request: &Request<'a>, config: &WebSocket) -> Result<&'a str, Refusal> {
    if request.path() != config.path {
        return Err(Refusal::NotFound);
    }
    if request.method != "GET" {
        return Err(Refusal::NotGet);
    }
    let named = |name: &str, wanted: &str| request.tokens(name).any(|token| token.eq_ignore_ascii_case(wanted));
    if !named("Upgrade", "websocket") || !named("Connection", "upgrade") {
        return Err(Refusal::NoUpgrade);
    }
    if request.all("Sec-WebSocket-Version").next() != Some("13") {
        return Err(Refusal::Version);
    }
    let (Some(_), None) = (request.all("Host").next(), request.all("Host").nth(1)) else {
        return Err(Refusal::Malformed);
    };
    if !config.origins.is_empty()
        && let Some(origin) = request.all("Origin").next()
        && !config.origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    {
        return Err(Refusal::Origin);
    }
    let mut keys = request.all("Sec-WebSocket-Key");
    let key = keys.next().filter(|key| Base64::decode_vec(key).is_ok_and(|key| key.len() == 16));
    let (Some(key), None) = (key, keys.next()) else { return Err(Refusal::NoKey) };
    if !request.tokens("Sec-WebSocket-Protocol").any(|offered| offered == SUBPROTOCOL) {
        return Err(Refusal::NoSubprotocol);
    }
    Ok(key)
}

/// Answers a client's request.
pub(crate) async fn upgrade<IO>(mut io: IO, config: &WebSocket) -> Result<Stream<IO>, UpgradeError>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let mut came = Vec::new();
    let judged = match read_head(&mut io, &mut came).await? {
        Some(length) => {
            let head = came.get(..length).unwrap_or_default();
            let answer = Request::parse(head).and_then(|request| judge(&request, config).map(accept_key));
            answer.map(|accept| (accept, length))
        }
        None => Err(Refusal::TooLong),
    };
    match judged {
        Ok((accept, length)) => {
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
            );
            io.write_all(answer.as_bytes()).await?;
            io.flush().await?;
            came.drain(..length.min(came.len()));
            Ok(Stream::new(io, came))
        }
        Err(refusal) => {
            part(io, refusal).await?;
            Err(UpgradeError::Refused(refusal))
        }
    }
}

/// Reads until the head is complete; answers its length, or nothing if it is too long.
async fn read_head<IO: AsyncRead + Unpin>(io: &mut IO, came: &mut Vec<u8>) -> Result<Option<usize>, UpgradeError> {
    let mut space = [0; 1024];
    loop {
        match io.read(&mut space).await? {
            0 => return Err(UpgradeError::Closed),
            read => came.extend_from_slice(space.get(..read).unwrap_or_default()),
        }
        if !may_be_http(came) {
            return Err(UpgradeError::NotHttp);
        }
        match head_length(came) {
            Some(length) if length <= MAX_HEAD => return Ok(Some(length)),
            None if came.len() <= MAX_HEAD => {}
            _ => return Ok(None),
        }
    }
}

/// Says why not, and closes when the client has heard it: the caller's deadline is the limit.
async fn part<IO: AsyncRead + AsyncWrite + Unpin>(mut io: IO, refusal: Refusal) -> io::Result<()> {
    let (status, fields, words) = refusal.answer();
    let answer = format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Type: text/plain; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{words}\n",
        words.len() + 1
    );
    io.write_all(answer.as_bytes()).await?;
    io.shutdown().await?;
    let mut space = [0; 1024];
    let mut discarded = 0;
    while discarded < PARTING {
        match io.read(&mut space).await {
            Ok(1..) => discarded += space.len(),
            Ok(0) | Err(_) => break,
        }
    }
    Ok(())
}
