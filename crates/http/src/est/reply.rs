//! Answers that are no success: a status, and a sentence in plain text.

use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;

/// Why a request is not granted, or not now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Nobody that may do this has shown themselves, and a password would help.
    Unauthorized(&'static str),
    /// Whoever asks may not have this.
    Forbidden(String),
    /// The request is none.
    Bad(String),
    /// Somebody has to decide first.
    Pending { seconds: u64 },
    /// There is no room for more now.
    Busy { seconds: u64, words: &'static str },
    /// Our own fault.
    Internal(String),
}

impl Refusal {
    /// For the log.
    pub(super) fn words(&self) -> &str {
        match self {
            Self::Unauthorized(words) | Self::Busy { words, .. } => words,
            Self::Forbidden(words) | Self::Bad(words) | Self::Internal(words) => words,
            Self::Pending { .. } => "waits for approval",
        }
    }

    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Unauthorized(_) => StatusCode::UNAUTHORIZED,
            Self::Forbidden(_) => StatusCode::FORBIDDEN,
            Self::Bad(_) => StatusCode::BAD_REQUEST,
            Self::Pending { .. } => StatusCode::ACCEPTED,
            Self::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response<Body> {
        let words = match &self {
            // What failed inside is for the log.
            Self::Internal(_) => "the certificate could not be issued: see the server's log",
            other => other.words(),
        };
        let mut response = Response::new(Body::from(format!("{words}\n")));
        *response.status_mut() = self.status();
        let fields = response.headers_mut();
        fields.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
        match self {
            Self::Unauthorized(_) => {
                let challenge = HeaderValue::from_static(r#"Basic realm="EST", charset="UTF-8""#);
                fields.insert(WWW_AUTHENTICATE, challenge);
            }
            Self::Pending { seconds } | Self::Busy { seconds, .. } => {
                fields.insert(RETRY_AFTER, HeaderValue::from(seconds));
            }
            _ => {}
        }
        response
    }
}
