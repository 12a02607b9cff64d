//! Tokens of a namespace's own issuer: `CUSTOM-JWT`.
//!
//! Where the documentation is silent:
//! - A token holds until `exp` and not a moment longer; `nbf` may lie up to five minutes ahead, for clocks differ.
//! - Whoever shows a token needs no registered client; a registered one of that name that is disabled is refused.
//! - `aud` may name the host with or without `https://` and a slash at the end, in any case.
//! - Without `kid` each of the issuer's keys is tried.

use std::fmt;
use std::sync::Arc;

use bytestring::ByteString;
use gridmq_proto::time::Wall;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use crate::gate::{Exchange, Proof, Refusal, RefusalKind, Step};
use crate::limits;
use crate::resource::{AttributeValue, Attributes, CustomJwtAuthentication, Namespace};

/// The authentication method.
pub(crate) const METHOD: &str = "CUSTOM-JWT";
/// How far `nbf` may lie ahead.
const AHEAD: u64 = 300;
/// Claims that are no attributes.
const OWN: &[&str] = &["iss", "sub", "aud", "exp", "nbf", "iat", "jti"];

/// One key of the issuer.
#[derive(Clone)]
pub(crate) struct IssuerKey {
    kid: Arc<str>,
    /// As it was registered.
    encoded: Arc<str>,
    key: DecodingKey,
}

impl IssuerKey {
    /// Reads an RSA key from a certificate or a public key in PEM, with or without line breaks.
    pub(crate) fn read(kid: &str, encoded: &str) -> Result<Self, &'static str> {
        let key = match gridmq_tls::pem::certificates(encoded.as_bytes()).as_deref() {
            Ok([certificate]) => {
                DecodingKey::from_rsa_pem(gridmq_tls::pem::encode(std::slice::from_ref(certificate)).as_bytes())
            }
            Ok([_, _, ..]) => return Err("several certificates"),
            _ => DecodingKey::from_rsa_pem(encoded.as_bytes()),
        };
        let key = key.map_err(|_| "text that is no certificate or public key of RSA in PEM")?;
        Ok(Self { kid: kid.into(), encoded: encoded.into(), key })
    }
}

/// What tokens a namespace takes.
pub(crate) struct TokenIssuer {
    issuer: Arc<str>,
    keys: Vec<IssuerKey>,
    /// Host names that a token may be made out for.
    audiences: Vec<String>,
}

impl fmt::Debug for TokenIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenIssuer").field("issuer", &self.issuer).field("keys", &self.keys.len()).finish()
    }
}

/// Which key of which issuer has signed a token: what a connection still rests on after a change of resources.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SignedBy {
    pub(crate) issuer: Arc<str>,
    pub(crate) kid: Arc<str>,
    encoded: Arc<str>,
}

/// A token that was found good.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) name: ByteString,
    pub(crate) attributes: Attributes,
    pub(crate) expires_at: Wall,
    pub(crate) signed_by: SignedBy,
}

impl TokenIssuer {
    /// `None`: the namespace takes no tokens.
    pub(crate) fn new(namespace: &Namespace) -> Option<Self> {
        let mqtt = namespace.properties.topic_spaces_configuration.as_ref()?;
        let custom = mqtt.client_authentication.as_ref()?.custom_jwt_authentication.as_ref()?;
        let keys = custom.encoded_issuer_certificates.iter();
        let keys = keys.filter_map(|one| IssuerKey::read(&one.kid, &one.encoded_certificate).ok()).collect();
        let domains = mqtt.custom_domains.iter().map(|domain| domain.fully_qualified_domain_name.clone());
        let audiences = std::iter::once(namespace.mqtt_hostname()).chain(domains).collect();
        Some(Self { issuer: issuer_of(custom)?.into(), keys, audiences })
    }

    /// Whether a token that was signed so would be taken still.
    pub(crate) fn trusts(&self, signed_by: &SignedBy) -> bool {
        let same = |key: &IssuerKey| key.kid == signed_by.kid && key.encoded == signed_by.encoded;
        self.issuer == signed_by.issuer && self.keys.iter().any(same)
    }

    /// Judges a token.
    pub(crate) fn judge(&self, token: Option<&[u8]>, now: Wall) -> Result<Token, TokenProblem> {
        let token = token.ok_or(TokenProblem::Absent)?;
        if token.len() as u64 > limits::AUTHENTICATION_DATA.maximum {
            return Err(TokenProblem::TooLong(token.len()));
        }
        let header = decode_header(token).map_err(|_| TokenProblem::Malformed)?;
        if header.alg != Algorithm::RS256 {
            return Err(TokenProblem::Algorithm(format!("{:?}", header.alg)));
        }
        let kid = header.kid.as_deref();
        let mut candidates = self.keys.iter().filter(|key| kid.is_none_or(|kid| *key.kid == *kid)).peekable();
        if candidates.peek().is_none() {
            return Err(TokenProblem::UnknownKey(kid.unwrap_or_default().to_owned()));
        }
        // The claims are judged below, by the broker's clock and in its words.
        let mut validation = Validation::new(Algorithm::RS256);
        (validation.validate_exp, validation.validate_nbf, validation.validate_aud) = (false, false, false);
        validation.required_spec_claims.clear();
        let good = candidates.find_map(|key| {
            let claims = decode::<Map<String, Value>>(token, &key.key, &validation).ok()?.claims;
            Some((key, claims))
        });
        let (key, claims) = good.ok_or(TokenProblem::Signature)?;
        self.claims(key, &claims, now)
    }

    fn claims(&self, key: &IssuerKey, claims: &Map<String, Value>, now: Wall) -> Result<Token, TokenProblem> {
        let text = |name: &'static str| claims.get(name).and_then(Value::as_str).ok_or(TokenProblem::Missing(name));
        let seconds = |name: &'static str| {
            let value = claims.get(name);
            let whole = value.and_then(Value::as_u64);
            let fraction = || value.and_then(Value::as_f64).filter(|seconds| (0.0..1e15).contains(seconds));
            whole.or_else(|| fraction().map(|seconds| seconds as u64)).ok_or(TokenProblem::Missing(name))
        };
        let issuer = text("iss")?;
        if issuer != &*self.issuer {
            return Err(TokenProblem::Issuer { found: issuer.to_owned(), expected: self.issuer.to_string() });
        }
        let audiences = match claims.get("aud") {
            Some(Value::String(one)) => vec![one.as_str()],
            Some(Value::Array(several)) => several.iter().filter_map(Value::as_str).collect(),
            _ => return Err(TokenProblem::Missing("aud")),
        };
        if !audiences.iter().any(|one| self.audiences.iter().any(|host| is_host(one, host))) {
            let found = audiences.first().copied().unwrap_or_default().to_owned();
            return Err(TokenProblem::Audience { found, expected: self.audiences.join(" or ") });
        }
        let (expires, not_before) = (seconds("exp")?, seconds("nbf")?);
        if expires <= now.as_secs() {
            return Err(TokenProblem::Expired { seconds: now.as_secs() - expires });
        }
        if not_before > now.as_secs().saturating_add(AHEAD) {
            return Err(TokenProblem::NotYet { seconds: not_before - now.as_secs() });
        }
        let name = text("sub")?;
        if !limits::AUTHENTICATION_NAME.accepts(name.chars().count() as u64, 1) {
            return Err(TokenProblem::Missing("sub"));
        }
        Ok(Token {
            name: name.into(),
            attributes: attributes(claims),
            expires_at: Wall::from_millis(expires.saturating_mul(1000)),
            signed_by: SignedBy {
                issuer: Arc::clone(&self.issuer),
                kid: Arc::clone(&key.kid),
                encoded: Arc::clone(&key.encoded),
            },
        })
    }
}

fn issuer_of(custom: &CustomJwtAuthentication) -> Option<&str> {
    custom.token_issuer.as_deref().filter(|issuer| !issuer.is_empty())
}

fn is_host(audience: &str, host: &str) -> bool {
    let audience = audience.strip_prefix("https://").unwrap_or(audience);
    audience.strip_suffix('/').unwrap_or(audience).eq_ignore_ascii_case(host)
}

/// Claims that are integers of 32 bits, strings or arrays of strings; others are left out.
fn attributes(claims: &Map<String, Value>) -> Attributes {
    let value = |value: &Value| match value {
        Value::Number(number) => Some(AttributeValue::Integer(i32::try_from(number.as_i64()?).ok()?.into())),
        Value::String(text) => Some(AttributeValue::Text(text.clone())),
        Value::Array(items) => {
            let texts = items.iter().map(|item| item.as_str().map(str::to_owned)).collect::<Option<Vec<_>>>();
            texts.map(AttributeValue::Texts)
        }
        _ => None,
    };
    let others = claims.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    others.filter_map(|(name, claim)| Some((name.clone(), value(claim)?))).collect()
}

/// One token, at CONNECT or when the client authenticates again.
#[derive(Debug)]
pub(crate) struct TokenExchange(pub(crate) Arc<TokenIssuer>);

impl Exchange for TokenExchange {
    fn step(&mut self, data: Option<&[u8]>, now: Wall) -> Step {
        match self.0.judge(data, now) {
            Ok(token) => Step::Proven { proof: Proof::new(token), data: None },
            Err(problem) => Step::Refused(Refusal::from(RefusalKind::Token(problem))),
        }
    }
}

/// Why a token is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenProblem {
    /// There is none.
    #[error("there is no token; put it into the Authentication Data of CONNECT, or of AUTH")]
    Absent,
    /// It has more than 8 KB.
    #[error("the token has {0} bytes; make one of at most 8192")]
    TooLong(usize),
    /// It has not three parts in base64url, or its header is not JSON.
    #[error("this is no token; send the text of a JWT, three parts with dots between them")]
    Malformed,
    /// It is signed otherwise than by RS256.
    #[error("the token is signed by {0}; sign it by RS256")]
    Algorithm(String),
    /// No key of the namespace has its `kid`.
    #[error("the namespace has no key of the issuer with the kid '{0}'; register it in encodedIssuerCertificates")]
    UnknownKey(String),
    /// No key of the namespace has signed it.
    #[error(
        "no registered key has signed the token; sign it with the key of the issuer's certificate, or register that"
    )]
    Signature,
    /// A claim is not there, or of another type.
    #[error("the token has no usable claim {0}; it needs iss, sub, aud, exp and nbf")]
    Missing(&'static str),
    /// Another issuer.
    #[error("the token's iss is '{found}'; it has to be '{expected}', the namespace's tokenIssuer")]
    Issuer {
        /// What it says.
        found: String,
        /// What the namespace wants.
        expected: String,
    },
    /// For somebody else.
    #[error("the token's aud is '{found}'; it has to have {expected}")]
    Audience {
        /// What it says first.
        found: String,
        /// What the namespace answers to.
        expected: String,
    },
    /// It has ended.
    #[error("the token has expired {seconds} s ago; get a new one")]
    Expired {
        /// Since when.
        seconds: u64,
    },
    /// It has not begun.
    #[error("the token's nbf is {seconds} s ahead; wait, or check the issuer's clock")]
    NotYet {
        /// Until when.
        seconds: u64,
    },
}
