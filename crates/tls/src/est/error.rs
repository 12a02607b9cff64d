//! What can be wrong with a request and with an answer.

use crate::catalogue::{Finding, Id, Severity};
use crate::certificate::CertificateError;
use crate::identity::IdentityError;
use crate::issue;
use crate::time::Utc;

use super::{MAX_ATTRIBUTES, MAX_BODY_BYTES, MAX_CERTIFICATES};

/// Why a request cannot be made, or one that came cannot be used. The fault is with whoever made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// No label that can stand in the path.
    #[error(
        "{label:?} cannot be an authority's label: use 1 to 64 letters, digits, - _ . or ~, and no operation's name"
    )]
    Label {
        /// What was given.
        label: String,
    },
    /// A name that cannot be asked for.
    #[error("{name:?} is not a valid {kind}")]
    BadName {
        /// What was given.
        name: String,
        /// What it was given as.
        kind: &'static str,
    },
    /// The key cannot be made, read or used.
    #[error("the private key for the request cannot be used: {0}")]
    Key(String),
    /// Neither base64 nor DER.
    #[error("the request is neither base64 nor DER: send PKCS#10 in base64")]
    NotBase64,
    /// Not what can be answered.
    #[error("the request cannot be answered: {0}")]
    Unusable(#[from] issue::RequestError),
    /// The key signs in none of the ways that requests are signed in here.
    #[error("the key cannot sign a request: use ECDSA on P-256, P-384 or P-521, Ed25519, or RSA")]
    UnsupportedAlgorithm,
}

/// Why a server's answer cannot be used. Whatever was there before stays.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The server refused or failed.
    #[error("the EST server answered {status} {}{}; {}", reason(*.status), said(.words), cure(*.status))]
    Refused {
        /// The HTTP status code.
        status: u16,
        /// What the server said, shortened; empty for nothing.
        words: String,
        /// How many seconds the server wants to be left alone for.
        retry_after: Option<u64>,
    },
    /// The server sends its clients elsewhere. That is never followed, since credentials would go along.
    #[error(
        "the EST server answered {status} and points to {location:?}: redirects are not followed, so give that \
          server's own address"
    )]
    Redirected {
        /// The HTTP status code.
        status: u16,
        /// Where to.
        location: String,
    },
    /// A web page.
    #[error(
        "the answer is a web page ({content_type}), not EST: check the address and port, and whether a proxy answers \
          in the server's place"
    )]
    NotEst {
        /// The media type.
        content_type: String,
    },
    /// Larger than [`MAX_BODY_BYTES`].
    #[error("the answer is larger than {MAX_BODY_BYTES} bytes, which no EST answer is")]
    TooLarge,
    /// Neither base64 nor DER.
    #[error("the answer is neither base64 nor DER")]
    NotBase64,
    /// Not certs-only SignedData.
    #[error("the answer is no certs-only PKCS#7 message")]
    NotCertsOnly,
    /// No certificate in it.
    #[error("the answer holds no certificate")]
    NoCertificate,
    /// More than [`MAX_CERTIFICATES`].
    #[error("the answer holds more than {MAX_CERTIFICATES} certificates")]
    TooManyCertificates,
    /// One that cannot be parsed.
    #[error("certificate number {number} of the answer cannot be read: {source}")]
    BadCertificate {
        /// Which, from 1.
        number: usize,
        /// What is wrong with it.
        source: CertificateError,
    },
    /// Not `CsrAttrs`.
    #[error("the answer is no list of CSR attributes")]
    NotAttributes,
    /// More than [`MAX_ATTRIBUTES`].
    #[error("the answer holds more than {MAX_ATTRIBUTES} CSR attributes")]
    TooManyAttributes,
    /// None of the certificates is for the key of the request.
    #[error(
        "the server issued a certificate for another key than the request's ({}), so it is not used",
        .subjects.join(", ")
    )]
    OtherKey {
        /// Whom the certificates name.
        subjects: Vec<String>,
    },
    /// Not valid when it came.
    #[error(
        "the new certificate of {subject} is not valid yet (from {}), so it is not used: check this machine's clock \
          and the server's",
        Utc(*.not_before)
    )]
    NotYetValid {
        /// Whom it names.
        subject: String,
        /// From when, in seconds since 1970.
        not_before: u64,
    },
    /// Expired when it came.
    #[error(
        "the new certificate of {subject} has already expired ({}), so it is not used: check this machine's clock \
          and the server's",
        Utc(*.not_after)
    )]
    Expired {
        /// Whom it names.
        subject: String,
        /// Until when, in seconds since 1970.
        not_after: u64,
    },
    /// No use for clients.
    #[error(
        "the new certificate of {subject} may not authenticate a client (its extended key usage lacks clientAuth), \
          so it is not used: change the server's profile"
    )]
    NoClientUsage {
        /// Whom it names.
        subject: String,
    },
    /// The name changed.
    #[error(
        "the new certificate is for {new} and not, as asked, for {asked}, so it is not used: brokers would not know \
          the client again"
    )]
    OtherName {
        /// What was asked for.
        asked: String,
        /// What came.
        new: String,
    },
    /// The same certificate again.
    #[error("the server sent the certificate of {subject} that is being renewed, not a new one")]
    SameCertificate {
        /// Whom it names.
        subject: String,
    },
    /// Its chain does not end at the authorities that the server itself named.
    #[error(
        "the new certificate of {subject} does not verify under the server's own CA certificates, so it is not used: \
          {why}"
    )]
    Unverified {
        /// Whom it names.
        subject: String,
        /// The rule that failed.
        why: String,
    },
    /// Certificate and key make no identity.
    #[error("the new certificate and its key cannot be used together: {0}")]
    Identity(#[from] IdentityError),
}

impl AnswerError {
    /// The entry of the catalogue, where there is one.
    #[must_use]
    pub fn finding(&self) -> Option<Finding> {
        let (id, about) = match self {
            Self::OtherKey { subjects } => (Id::A19, subjects.join(", ")),
            Self::NotYetValid { subject, .. } => (Id::B02, subject.clone()),
            Self::Expired { subject, .. } => (Id::B01, subject.clone()),
            Self::NoClientUsage { subject } => (Id::B03, subject.clone()),
            Self::OtherName { new, .. } => (Id::B15, new.clone()),
            _ => return None,
        };
        let fix = "change what the EST server issues; the certificate that was there stays in use";
        Some(Finding::new(id, Severity::Error, about, self.to_string(), fix))
    }

    /// May the same request succeed later without anybody doing anything?
    #[must_use]
    pub const fn is_temporary(&self) -> bool {
        matches!(self, Self::Refused { status: 408 | 425 | 429 | 500 | 502..=504, .. })
    }

    /// How many seconds the server wants to be left alone for, if it said so.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        match self {
            Self::Refused { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

const fn reason(status: u16) -> &'static str {
    match status {
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "",
    }
}

fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" ({words})") }
}

const fn cure(status: u16) -> &'static str {
    match status {
        400 => "it does not like the request: compare names and key type with what its policy allows",
        401 => "give a user name and password that it knows, or a certificate that it accepts",
        403 => "it knows who asks and does not allow this: have its policy changed, or ask for an allowed name",
        404 => "it does not offer this there: check host, port and label, and whether it speaks EST at all",
        413 => "the request is too large for it",
        415 => "it does not take PKCS#10: it may not be an EST server",
        429 | 503 => "it is busy: try again later",
        501 => "it does not do this: use another operation",
        _ => "the cause is on its side: see its log",
    }
}
