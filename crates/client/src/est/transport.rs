//! EST's requests over HTTP.

use std::time::Duration;

use bytes::Bytes;
use gridmq_tls::ClientConfig;
use gridmq_tls::est::{AnswerError, MAX_BODY_BYTES};
use http_body_util::Full;
use hyper::Request;

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
            // EST's own limit, and its own entry in the catalogue.
            HttpError::TooLarge { .. } => Self::Answer(AnswerError::TooLarge),
            error => Self::Http(error),
        }
    }
}
