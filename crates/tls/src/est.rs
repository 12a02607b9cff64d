//! Messages of Enrollment over Secure Transport (RFC 7030, with the clarifications of RFC 8951), without I/O.
//!
//! A client makes a [`CertificateRequest`] with an [`EnrolmentKey`], sends [`CertificateRequest::body`] to the path
//! of an [`Operation`], and gives what came back to [`Answer::enrolled`]. [`Enrolled::into_identity`] checks the answer
//! against the request before anything old is replaced. [`renewal::Renewal`] says when to do it again.
//!
//! A server reads the request with [`read_request`], which demands proof that the sender holds the key,
//! and answers with [`certs_only`]. Time is an argument everywhere.
//!
//! | limit | value |
//! |---|---|
//! | a body, encoded | 1 MiB, [`MAX_BODY_BYTES`] |
//! | certificates in an answer | 32, [`MAX_CERTIFICATES`] |
//! | entries of the CSR attributes | 64, [`MAX_ATTRIBUTES`] |
//! | a wait that a server may ask for | 1 second to 7 days, [`MAX_RETRY_AFTER`] |

use std::fmt;

mod answer;
mod attributes;
mod base64;
mod certs_only;
mod enrolled;
mod error;
mod key;
pub mod renewal;
mod request;
mod retry_after;

pub use answer::{Answer, Enrolment};
pub use attributes::{CsrAttribute, CsrAttributes};
pub use certs_only::{certs_only, read_certs_only};
pub use enrolled::Enrolled;
pub use error::{AnswerError, RequestError};
pub use key::EnrolmentKey;
pub use request::{CertificateRequest, read_request};
pub use retry_after::retry_after;

/// The largest body that is read, as it comes: 1 MiB.
pub const MAX_BODY_BYTES: usize = 1024 * 1024;
/// The most certificates that are taken from one answer.
pub const MAX_CERTIFICATES: usize = 32;
/// The most entries of CSR attributes that are taken.
pub const MAX_ATTRIBUTES: usize = 64;
/// The longest wait that is honoured, in seconds; what asks for more gets this.
pub const MAX_RETRY_AFTER: u64 = 7 * 24 * 60 * 60;

/// The media type of a request (RFC 7030 §4.2.1).
pub const CONTENT_TYPE_REQUEST: &str = "application/pkcs10";
/// The media type of certificates (RFC 7030 §4.1.3).
pub const CONTENT_TYPE_CERTIFICATES: &str = "application/pkcs7-mime; smime-type=certs-only";
/// The media type of CSR attributes (RFC 7030 §4.5.2).
pub const CONTENT_TYPE_ATTRIBUTES: &str = "application/csrattrs";

const ROOT: &str = "/.well-known/est";

/// What a client can ask for (RFC 7030 §3.2.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Operation {
    /// The authorities' certificates.
    CaCerts,
    /// A first certificate.
    SimpleEnroll,
    /// A certificate in place of the one that the connection was made with.
    SimpleReenroll,
    /// What the server wants to see in requests.
    CsrAttrs,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::CaCerts, Self::SimpleEnroll, Self::SimpleReenroll, Self::CsrAttrs];

    /// The last segment of the path.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CaCerts => "cacerts",
            Self::SimpleEnroll => "simpleenroll",
            Self::SimpleReenroll => "simplereenroll",
            Self::CsrAttrs => "csrattrs",
        }
    }

    /// The path, under an authority's label if there is one (RFC 7030 §3.2.2).
    #[must_use]
    pub fn path(self, label: Option<&Label>) -> String {
        match label {
            None => format!("{ROOT}/{}", self.name()),
            Some(Label(label)) => format!("{ROOT}/{label}/{}", self.name()),
        }
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The name of one of a server's authorities in the path: 1 to 64 letters, digits, `-`, `_`, `.` and `~`, and no
/// operation's name.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Label(String);

impl Label {
    /// Reads a label.
    ///
    /// # Errors
    /// When it is empty, too long, has another character, or is an operation's name.
    pub fn new(text: &str) -> Result<Self, RequestError> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
        let operation = Operation::ALL.iter().any(|operation| operation.name() == text);
        if text.is_empty() || text.len() > 64 || !text.chars().all(allowed) || operation || text.starts_with('.') {
            return Err(RequestError::Label { label: text.to_owned() });
        }
        Ok(Self(text.to_owned()))
    }

    /// The label.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests;
