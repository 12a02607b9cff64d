//! EST's requests over HTTP.

use bytes::Bytes;
use gridmq_tls::ClientConfig;
use gridmq_tls::est::{AnswerError, MAX_BODY_BYTES};
use http_body_util::Full;
use hyper::Request;
use std::time::Duration;

use super::error::EstErrorKind;
use super::server::Server;
use crate::http::{Call, HttpError, Received};

pub(super) async fn exchange(
    server: &Server,
    tls: &ClientConfig,
    request: Request<Full<Bytes>>,
    time: Duration,
) -> Result<Received, EstErrorKind> {
    let call = Call { host: &server.host, port: server.port, tls: Some(tls), time, bytes: MAX_BODY_BYTES };
    Ok(call.send(request).await?)
}

impl From<HttpError> for EstErrorKind {
    fn from(error: HttpError) -> Self {
        match error {
            HttpError::Name(error) => Self::Name(error),
            HttpError::Tcp(error) => Self::Tcp(error),
            HttpError::Tls(error) => Self::Tls(error),
            HttpError::Timeout { after } => Self::Timeout { after },
            HttpError::Broken(words) => Self::Http(words),
            HttpError::TooLarge { .. } => Self::Answer(AnswerError::TooLarge),
        }
    }
}
