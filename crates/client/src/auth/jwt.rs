//! JSON Web Tokens as the data of enhanced authentication.

use std::fmt;
use std::sync::Arc;

use super::token::{Token, TokenSource};
use super::{Authenticator, BoxFuture, Grant};
use crate::error::AuthError;

/// Authenticates by a JSON Web Token: in CONNECT, and by AUTH 0x19 before it runs out.
///
/// When the token runs out is what its source says, or else, with the feature `tokens`, its claim `exp` (RFC 7519
/// §4.1.4). Where neither is known, it is not renewed while the connection lasts.
///
/// ```
/// use std::sync::Arc;
///
/// use gridmq_client::Options;
/// use gridmq_client::auth::{FileToken, JwtAuthenticator};
///
/// let token = JwtAuthenticator::custom(FileToken::new("/var/run/secrets/tokens/broker"));
/// let options = Options::new("mqtts://broker.example").authenticator(Arc::new(token));
/// # drop(options);
/// ```
#[derive(Clone)]
pub struct JwtAuthenticator {
    method: String,
    source: Arc<dyn TokenSource>,
}

impl JwtAuthenticator {
    /// By `OAUTH2-JWT`: Event Grid's method for Microsoft Entra tokens, whose audience is
    /// `https://eventgrid.azure.net/`.
    pub fn oauth2(source: impl TokenSource + 'static) -> Self {
        Self::with_method("OAUTH2-JWT", source)
    }

    /// By `CUSTOM-JWT`: Event Grid's method for tokens of another issuer, whose audience is the namespace's MQTT host
    /// name.
    pub fn custom(source: impl TokenSource + 'static) -> Self {
        Self::with_method("CUSTOM-JWT", source)
    }

    /// By a method with another name.
    pub fn with_method(method: impl Into<String>, source: impl TokenSource + 'static) -> Self {
        Self { method: method.into(), source: Arc::new(source) }
    }
}

impl fmt::Debug for JwtAuthenticator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwtAuthenticator").field("method", &self.method).field("source", &self.source).finish()
    }
}

impl Authenticator for JwtAuthenticator {
    fn method(&self) -> &str {
        &self.method
    }

    fn begin(&self) -> BoxFuture<'_, Result<Grant, AuthError>> {
        Box::pin(async {
            let token = self.source.token().await?;
            let expires_at = token.expiry().or_else(|| expiry(&token));
            let grant = Grant::new(token.into_bytes());
            Ok(match expires_at {
                Some(at) => grant.expires_at(at),
                None => grant,
            })
        })
    }
}

#[cfg(not(feature = "tokens"))]
const fn expiry(_: &Token) -> Option<std::time::SystemTime> {
    None
}

/// The claim `exp`. Who is the token's judge is the server: nothing is verified here, and what cannot be read says
/// nothing.
#[cfg(feature = "tokens")]
fn expiry(token: &Token) -> Option<std::time::SystemTime> {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    use std::time::{Duration, UNIX_EPOCH};
    use zeroize::Zeroizing;

    let mut parts = token.text().split('.');
    let (_header, claims, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    let claims = Zeroizing::new(Base64UrlUnpadded::decode_vec(claims.trim_end_matches('=')).ok()?);
    let claims: serde_json::Value = serde_json::from_slice(&claims).ok()?;
    // A number with a fraction is allowed (RFC 7519 §2).
    let seconds = Duration::try_from_secs_f64(claims.get("exp")?.as_f64()?).ok()?;
    UNIX_EPOCH.checked_add(seconds)
}

#[cfg(all(test, feature = "tokens"))]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use base64ct::{Base64UrlUnpadded, Encoding as _};

    use super::*;

    fn token(claims: &str) -> Token {
        let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        Token::new(format!("{}.{}.{}", part("{}"), part(claims), part("signature")))
    }

    #[test]
    fn the_claim_says_when_a_token_runs_out() {
        let at = |secs| Some(UNIX_EPOCH + Duration::from_secs_f64(secs));
        assert_eq!(expiry(&token(r#"{"exp":1700000000,"sub":"d"}"#)), at(1_700_000_000.0));
        assert_eq!(expiry(&token(r#"{"exp":1700000000.5}"#)), at(1_700_000_000.5));
        for claims in ["", "{}", "[]", r#"{"exp":"soon"}"#, r#"{"exp":-1}"#, r#"{"exp":1e300}"#, "\u{0}"] {
            assert_eq!(expiry(&token(claims)), None, "{claims}");
        }
        for text in ["", "opaque", "a.b", "..", "a.!.c"] {
            assert_eq!(expiry(&Token::new(text)), None, "{text}");
        }
    }
}
