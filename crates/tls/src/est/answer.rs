//! What a server's answers mean (RFC 7030 §4).

use super::attributes::CsrAttributes;
use super::enrolled::Enrolled;
use super::error::AnswerError;
use super::{read_certs_only, retry_after};
use crate::certificate::Certificate;

/// How long to wait where a server says 202 and not for how long, in seconds.
const UNSAID_WAIT: u64 = 60;
/// How much of what a server says about a refusal is repeated.
const MAX_WORDS: usize = 200;

/// An HTTP answer, complete.
#[derive(Debug, Clone, Copy)]
pub struct Answer<'a> {
    status: u16,
    content_type: &'a str,
    retry_after: Option<&'a str>,
    location: Option<&'a str>,
    body: &'a [u8],
}

/// What became of a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Enrolment {
    /// It was granted.
    Issued(Enrolled),
    /// Somebody has to decide first: send the same request again, not sooner than this.
    Pending {
        /// In how many seconds.
        retry_after: u64,
    },
}

impl<'a> Answer<'a> {
    /// An answer with this status code and body.
    #[must_use]
    pub const fn new(status: u16, body: &'a [u8]) -> Self {
        Self { status, content_type: "", retry_after: None, location: None, body }
    }

    /// With the field `Content-Type`.
    #[must_use]
    pub const fn content_type(mut self, value: &'a str) -> Self {
        self.content_type = value;
        self
    }

    /// With the field `Retry-After`.
    #[must_use]
    pub const fn retry_after(mut self, value: Option<&'a str>) -> Self {
        self.retry_after = value;
        self
    }

    /// With the field `Location`.
    #[must_use]
    pub const fn location(mut self, value: Option<&'a str>) -> Self {
        self.location = value;
        self
    }

    /// The authorities' certificates: an answer to `cacerts` (§4.1.3).
    ///
    /// # Errors
    /// When the server refused, or answered something else.
    pub fn ca_certificates(&self, now: u64) -> Result<Vec<Certificate>, AnswerError> {
        self.check(now)?;
        read_certs_only(self.body)
    }

    /// What the server wants in requests: an answer to `csrattrs` (§4.5.2). 204 and 404 say that it wants nothing.
    ///
    /// # Errors
    /// When the server refused, or answered something else.
    pub fn csr_attributes(&self, now: u64) -> Result<CsrAttributes, AnswerError> {
        if matches!(self.status, 204 | 404) {
            return Ok(CsrAttributes::default());
        }
        self.check(now)?;
        CsrAttributes::from_body(self.body)
    }

    /// The answer to `simpleenroll` and `simplereenroll` (§4.2.3), at `now` (seconds since 1970).
    ///
    /// # Errors
    /// When the server refused, or answered something else.
    pub fn enrolled(&self, now: u64) -> Result<Enrolment, AnswerError> {
        if self.status == 202 {
            let asked = self.retry_after.and_then(|value| retry_after(value, now));
            return Ok(Enrolment::Pending { retry_after: asked.unwrap_or(UNSAID_WAIT) });
        }
        self.check(now)?;
        Ok(Enrolment::Issued(Enrolled::new(read_certs_only(self.body)?)))
    }

    fn check(&self, now: u64) -> Result<(), AnswerError> {
        let kind = self.content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match self.status {
            200 if matches!(kind.as_str(), "text/html" | "application/xhtml+xml") => {
                Err(AnswerError::NotEst { content_type: kind })
            }
            200 => Ok(()),
            status @ 300..=399 => Err(AnswerError::Redirected {
                status,
                location: self.location.unwrap_or_default().chars().take(MAX_WORDS).collect(),
            }),
            status => Err(AnswerError::Refused {
                status,
                words: self.words(&kind),
                retry_after: self.retry_after.and_then(|value| retry_after(value, now)),
            }),
        }
    }

    /// What the server said in plain text, on one line.
    fn words(&self, kind: &str) -> String {
        if !matches!(kind, "" | "text/plain") {
            return String::new();
        }
        let start = self.body.get(..self.body.len().min(4 * MAX_WORDS)).unwrap_or_default();
        let text = String::from_utf8_lossy(start);
        let text: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
        text.chars().filter(|c| !c.is_control()).take(MAX_WORDS).collect()
    }
}
