//! Why a client is not admitted.

use std::fmt;

use gridmq_proto::ReasonCode;
use gridmq_tls::VerifyError;

use crate::event_grid::TokenProblem;
use crate::resource::ValidationScheme;
use crate::shown::{Shown, named};

/// A refused CONNECT, or the end of a connection whose client would be refused now.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
#[non_exhaustive]
pub struct Refusal {
    /// The reason code to answer.
    pub reason: ReasonCode,
    /// Why.
    pub why: RefusalKind,
    /// If the client's certificate does not hold: the chain that was seen, the rule, and the certificate that broke it.
    pub certificate: Option<Box<gridmq_tls::Refusal>>,
}

impl Refusal {
    /// A refusal with that reason code.
    #[must_use]
    pub const fn new(reason: ReasonCode, why: RefusalKind) -> Self {
        Self { reason, why, certificate: None }
    }
}

/// A refusal because a client's certificate does not hold, with the reason code that Event Grid answers.
impl From<gridmq_tls::Refusal> for Refusal {
    fn from(refusal: gridmq_tls::Refusal) -> Self {
        let why = RefusalKind::Certificate(refusal.rule.clone());
        Self { certificate: Some(Box::new(refusal)), ..Self::from(why) }
    }
}

/// A refusal with the reason code that Event Grid answers.
impl From<RefusalKind> for Refusal {
    fn from(why: RefusalKind) -> Self {
        let reason = match why {
            RefusalKind::BrokerDisabled => ReasonCode::ServerUnavailable,
            RefusalKind::UnsupportedAuthenticationMethod { .. } => ReasonCode::BadAuthenticationMethod,
            RefusalKind::BadCredentials { .. } => ReasonCode::BadUserNameOrPassword,
            RefusalKind::TooManyAttempts { .. } => ReasonCode::ConnectionRateExceeded,
            _ => ReasonCode::NotAuthorized,
        };
        Self::new(reason, why)
    }
}

/// Why a client is not admitted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum RefusalKind {
    /// The namespace's MQTT broker is off.
    BrokerDisabled,
    /// The client showed no certificate.
    NoCertificate,
    /// No client of that name is registered.
    UnknownClient {
        /// The name.
        authentication_name: String,
    },
    /// The client is registered and disabled.
    Disabled {
        /// Its name.
        authentication_name: String,
    },
    /// The certificate does not hold.
    Certificate(VerifyError),
    /// The certificate holds and names somebody else.
    NameMismatch {
        /// The client's authentication name.
        expected: String,
        /// Where the name has to stand.
        scheme: ValidationScheme,
        /// What the certificate says there.
        certificate: CertificateName,
    },
    /// The certificate's thumbprint is not registered for the client.
    ThumbprintMismatch {
        /// The client's authentication name.
        authentication_name: String,
        /// SHA-256 of the certificate that it showed, in lower-case hexadecimal.
        sha256: String,
    },
    /// The connection is not encrypted, and its listener takes nobody at their word.
    PlainNotTrusted,
    /// Nothing names the client.
    NoUsername {
        /// Whether the namespace takes names from certificates, and this one has none.
        sources_configured: bool,
    },
    /// MQTT 5's enhanced authentication by a method that is not served.
    UnsupportedAuthenticationMethod {
        /// The method.
        method: String,
    },
    /// The user name or the password is wrong, or one of them is missing.
    BadCredentials {
        /// The user name.
        username: String,
    },
    /// Neither a user name nor a certificate, and nobody is admitted without.
    AnonymousNotAllowed,
    /// So many wrong passwords came from there or for that name that this one was not looked at.
    TooManyAttempts {
        /// After how many seconds the next one is.
        seconds: u64,
    },
    /// The user that a connection belongs to is no longer there, or has another password.
    PasswordChanged {
        /// The user name.
        username: String,
    },
    /// A trusted proxy has verified the client's certificate, and its word is not enough for this client.
    NotVouched {
        /// The common name that the proxy said.
        vouched: String,
        /// The client's authentication name, or the user name that it gave.
        wanted: String,
    },
    /// Judged again, the client turned out to be another one.
    NameChanged {
        /// Whom the connection belongs to.
        from: String,
        /// Whom it would belong to now.
        to: String,
    },
    /// The token is not taken.
    Token(TokenProblem),
    /// The token that a connection rests on is of an issuer, or by a key, that is no longer registered.
    IssuerWithdrawn,
    /// Rules of an embedder, in their words.
    Other(String),
}

/// What a certificate says where the client's name has to stand.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateName {
    /// The subject in full.
    pub subject: String,
    /// The values that were compared; empty if the certificate has none of the kind.
    pub values: Vec<String>,
}

impl fmt::Display for RefusalKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BrokerDisabled => {
                f.write_str("the namespace's MQTT broker is disabled; set topicSpacesConfiguration.state to Enabled")
            }
            Self::NoCertificate => f.write_str(
                "Peer did not present client certificate for authentication; \
                 give the client its certificate and key, and check that both are loaded",
            ),
            Self::UnknownClient { authentication_name } => write!(
                f,
                "Client could not be found: no client has the authentication name {}; \
                 register it, or connect with the user name of a registered client",
                named(authentication_name)
            ),
            Self::Disabled { authentication_name } => {
                write!(f, "client {authentication_name:?} is disabled; set its state to Enabled")
            }
            Self::Certificate(error) => write!(f, "the client's certificate does not hold: {error}"),
            Self::NameMismatch { expected, scheme, certificate } => {
                write!(f, "the certificate of {} does not name the client: ", Shown(&certificate.subject))?;
                write!(f, "its authentication name is {expected:?}, and the {} ", field(*scheme))?;
                match certificate.values.as_slice() {
                    [] => f.write_str("is absent")?,
                    values => write!(f, "says {}", listed(values))?,
                }
                write!(f, "; issue a certificate for {expected:?}, or connect with the name that it has")
            }
            Self::ThumbprintMismatch { authentication_name, sha256 } => write!(
                f,
                "the certificate's thumbprint is not one of client {authentication_name:?}'s: it is {sha256} \
                 (SHA-256); add it to allowedThumbprints, or use the registered certificate"
            ),
            Self::PlainNotTrusted => f.write_str(
                "a plain connection proves nothing; connect with TLS and a client certificate, \
                 or let the listener trust loopback with --trust-plain",
            ),
            Self::NoUsername { sources_configured: false } => f.write_str(
                "CONNECT has no user name; give the client's authentication name as user name, \
                 or set alternativeAuthenticationNameSources",
            ),
            Self::NoUsername { sources_configured: true } => f.write_str(
                "CONNECT has no user name, and the certificate has none of the namespace's \
                 alternativeAuthenticationNameSources; give the client's authentication name as user name",
            ),
            Self::UnsupportedAuthenticationMethod { method } => write!(
                f,
                "the authentication method {} is not served; \
                 connect without one, with a user name and a client certificate",
                named(method)
            ),
            Self::BadCredentials { username } => write!(
                f,
                "the user name {} or its password is wrong; check both, or set the password with gridmq users add",
                named(username)
            ),
            Self::AnonymousNotAllowed => f.write_str(
                "nobody is admitted without a user name and its password, or a client certificate; \
                 give one of them, or start the broker with --anonymous",
            ),
            Self::TooManyAttempts { seconds } => {
                write!(f, "too many wrong passwords; this one was not looked at, try again in {seconds} s")
            }
            Self::PasswordChanged { username } => {
                write!(f, "the password of {} was changed or withdrawn; connect again", named(username))
            }
            Self::NotVouched { vouched, wanted } => write!(
                f,
                "the proxy vouches for the certificate of {}, which does not prove {}; connect with the name that the \
                 certificate has, and let the client's validation scheme be SubjectMatchesAuthenticationName",
                named(vouched),
                named(wanted)
            ),
            Self::NameChanged { from, to } => {
                write!(f, "the connection of {from:?} would now belong to {to:?}; connect again")
            }
            Self::Token(problem) => problem.fmt(f),
            Self::IssuerWithdrawn => f.write_str(
                "the token's issuer, or its key, is no longer registered; connect with a token of the present one",
            ),
            Self::Other(words) => f.write_str(words),
        }
    }
}

const fn field(scheme: ValidationScheme) -> &'static str {
    match scheme {
        ValidationScheme::SubjectMatchesAuthenticationName => "subject's common name",
        ValidationScheme::DnsMatchesAuthenticationName => "DNS name",
        ValidationScheme::UriMatchesAuthenticationName => "URI",
        ValidationScheme::IpMatchesAuthenticationName => "IP address",
        ValidationScheme::EmailMatchesAuthenticationName => "e-mail address",
        ValidationScheme::ThumbprintMatch => "thumbprint",
    }
}

/// How many of a certificate's names a sentence quotes.
const NAMED_VALUES: usize = 5;

fn listed(values: &[String]) -> String {
    let mut text = values.iter().take(NAMED_VALUES).map(|value| named(value)).collect::<Vec<_>>().join(", ");
    if values.len() > NAMED_VALUES {
        text.push_str(", …");
    }
    text
}
