//! One HTTP/1.1 exchange over one TLS connection.

use std::error::Error as _;
use std::io;
use std::pin::pin;
use std::time::Duration;

use bytes::Bytes;
use gridmq_tls::est::{AnswerError, MAX_BODY_BYTES};
use gridmq_tls::{ClientConfig, explain};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HeaderName, LOCATION, RETRY_AFTER};
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;

use super::error::EstErrorKind;
use super::server::Server;

/// How long one address of several may take.
const PER_ADDRESS: Duration = Duration::from_secs(3);
const MAX_ADDRESSES: usize = 8;
const MAX_FIELDS: usize = 100;
const MAX_FIELD_BYTES: usize = 64 * 1024;

/// What came back, complete.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) content_type: String,
    pub(super) retry_after: Option<String>,
    pub(super) location: Option<String>,
    pub(super) body: Bytes,
}

pub(super) async fn exchange(
    server: &Server,
    tls: &ClientConfig,
    request: Request<Full<Bytes>>,
    limit: Duration,
) -> Result<Received, EstErrorKind> {
    let all = async {
        let tcp = dial(server).await?;
        let (stream, _) = gridmq_tls::stream::connect(tcp, &server.host, tls).await.map_err(Box::new)?;
        let (mut sender, connection) = http1::Builder::new()
            .max_headers(MAX_FIELDS)
            .max_buf_size(MAX_FIELD_BYTES)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| http(&error))?;
        let mut connection = pin!(connection);
        let mut answer = pin!(async {
            let response = sender.send_request(request).await.map_err(|error| http(&error))?;
            receive(response).await
        });
        let ended = tokio::select! {
            biased;
            answer = &mut answer => return answer,
            ended = &mut connection => ended,
        };
        // The connection knows better why it ended than a request that waits for it.
        match (answer.await, ended) {
            (Err(EstErrorKind::Http(_)), Err(error)) => Err(http(&error)),
            (answer, _) => answer,
        }
    };
    timeout(limit, all).await.unwrap_or(Err(EstErrorKind::Timeout { after: limit }))
}

async fn receive(response: Response<hyper::body::Incoming>) -> Result<Received, EstErrorKind> {
    let field = |name: HeaderName| {
        let value = response.headers().get(name)?.to_str().ok()?;
        Some(value.to_owned())
    };
    let status = response.status().as_u16();
    let content_type = field(CONTENT_TYPE).unwrap_or_default();
    let (retry_after, location) = (field(RETRY_AFTER), field(LOCATION));
    let body = Limited::new(response.into_body(), MAX_BODY_BYTES).collect().await;
    let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
        Ok(error) => http(&error),
        Err(error) if error.is::<LengthLimitError>() => EstErrorKind::Answer(AnswerError::TooLarge),
        Err(error) => EstErrorKind::Http(error.to_string()),
    })?;
    Ok(Received { status, content_type, retry_after, location, body: body.to_bytes() })
}

/// The first address that answers, each in turn.
async fn dial(server: &Server) -> Result<TcpStream, EstErrorKind> {
    let addresses = lookup_host((server.host.as_str(), server.port)).await.map_err(EstErrorKind::Name)?;
    let addresses: Vec<_> = addresses.take(MAX_ADDRESSES).collect();
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for (number, address) in addresses.iter().enumerate() {
        let opening = TcpStream::connect(address);
        let opened = if number + 1 == addresses.len() {
            opening.await
        } else {
            timeout(PER_ADDRESS, opening).await.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
        };
        match opened {
            Ok(stream) => {
                stream.set_nodelay(true).map_err(EstErrorKind::Tcp)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(EstErrorKind::Tcp(last))
}

/// TLS 1.3 servers refuse certificates after the handshake: the reason lies in the stream's error.
fn http(error: &hyper::Error) -> EstErrorKind {
    let mut source = error.source();
    let mut words = error.to_string();
    while let Some(cause) = source {
        if let Some(tls) = cause.downcast_ref::<io::Error>().and_then(explain::from_io) {
            return EstErrorKind::Tls(Box::new(tls));
        }
        words = format!("{words}: {cause}");
        source = cause.source();
    }
    EstErrorKind::Http(words)
}
