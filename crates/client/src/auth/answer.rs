//! What token endpoints answer (RFC 6749 §5), and Azure's identity endpoints in the same form.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::Value;

use super::renewal::system_time;
use super::token::{MAX_TOKEN, Token};
use crate::clock::Clock;
use crate::error::AuthErrorKind;
use crate::http::Received;

/// The longest answer that is taken, in bytes.
pub(super) const MAX_ANSWER: usize = 64 * 1024;

/// The token in an answer to a request for one.
pub(super) fn token(received: &Received) -> Result<Token, AuthErrorKind> {
    let mut object = object(received)?;
    // Moved out, not copied: the token wipes it.
    let token = match object.get_mut("access_token").map(Value::take) {
        Some(Value::String(text)) => Token::new(text),
        _ => return Err(AuthErrorKind::Answer("it holds no access_token")),
    };
    match token.text().len() {
        0 => return Err(AuthErrorKind::Answer("it holds no access_token")),
        1..=MAX_TOKEN => {}
        _ => return Err(AuthErrorKind::TooLarge { limit: MAX_TOKEN }),
    }
    if let Some(kind) = object.get("token_type").and_then(Value::as_str)
        && !kind.eq_ignore_ascii_case("bearer")
    {
        return Err(AuthErrorKind::Answer("its token is no bearer token"));
    }
    // Azure's endpoints say when, OAuth's how long.
    let at = object.get("expires_on").and_then(seconds).and_then(|at| UNIX_EPOCH.checked_add(at));
    let at = at.or_else(|| now().checked_add(seconds(object.get("expires_in")?)?));
    Ok(match at {
        Some(at) => token.expires_at(at),
        None => token,
    })
}

fn now() -> SystemTime {
    system_time(Clock::start().now().wall)
}

/// The JSON object of an answer with status 200.
pub(super) fn object(received: &Received) -> Result<Value, AuthErrorKind> {
    if received.status != 200 {
        return Err(refused(received));
    }
    match serde_json::from_slice(&received.body) {
        Ok(value @ Value::Object(_)) => Ok(value),
        _ => Err(AuthErrorKind::Answer("it is no JSON object")),
    }
}

/// Seconds, as a number or, as Azure writes them, a text of digits. Older versions write dates, which say nothing here.
fn seconds(value: &Value) -> Option<Duration> {
    match value {
        Value::Number(number) => Duration::try_from_secs_f64(number.as_f64()?).ok(),
        Value::String(text) => text.parse().ok().map(Duration::from_secs),
        _ => None,
    }
}

fn refused(received: &Received) -> AuthErrorKind {
    let body: Value = serde_json::from_slice(&received.body).unwrap_or_default();
    let text = |value: Option<&Value>| value?.as_str().map(str::to_owned);
    // OAuth: error and error_description. Azure's gateways: an object in error, or a message alone.
    let inner = body.get("error").filter(|error| error.is_object()).unwrap_or(&body);
    let error = text(inner.get("error")).or_else(|| text(inner.get("code")));
    let words = text(inner.get("error_description")).or_else(|| text(inner.get("message")));
    AuthErrorKind::Refused { status: received.status, error, words }
}
