//! Tokens of this broker's own, for its control plane alone.

use std::fmt;

use aws_lc_rs::hmac;
use base64ct::{Base64UrlUnpadded, Encoding};
use serde_json::{Value as Json, json};

/// Seconds that a token is good for; a day, as Entra ID's longest.
const LIFE: u64 = 86_399;
/// Seconds that clocks may differ.
const SKEW: u64 = 300;
/// The only header that is written, and read.
const HEADER: &str = r#"{"typ":"JWT","alg":"HS256"}"#;
/// The longest token that is looked at.
const LONGEST: usize = 8 * 1024;

/// Gives out tokens and knows them again. Its key is made of the secret, so they outlast a restart.
pub(super) struct Issuer {
    /// Compares secrets without telling how far they agree.
    compare: hmac::Key,
    sign: hmac::Key,
    secret: hmac::Tag,
    tenant_id: String,
}

impl fmt::Debug for Issuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issuer").field("tenant_id", &self.tenant_id).finish_non_exhaustive()
    }
}

impl Issuer {
    pub(super) fn new(secret: &str, tenant_id: &str) -> Self {
        let key = |purpose: &str| {
            let master = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
            hmac::Key::new(hmac::HMAC_SHA256, hmac::sign(&master, purpose.as_bytes()).as_ref())
        };
        let compare = key("compare");
        let secret = hmac::sign(&compare, secret.as_bytes());
        Self { compare, sign: key("sign"), secret, tenant_id: tenant_id.to_owned() }
    }

    pub(super) fn is_secret(&self, given: &str) -> bool {
        hmac::verify(&self.compare, given.as_bytes(), self.secret.as_ref()).is_ok()
    }

    /// What a token endpoint answers. `wanted`: a scope or a resource.
    pub(super) fn answer(&self, client_id: &str, wanted: &str, base: &str, now: u64) -> Json {
        let audience = wanted.trim_end_matches(".default").trim_end_matches('/');
        let claims = json!({
            "aud": audience,
            "iss": format!("{base}/{}/", self.tenant_id),
            "iat": now,
            "nbf": now,
            "exp": now + LIFE,
            "appid": client_id,
            "oid": client_id,
            "sub": client_id,
            "tid": self.tenant_id,
            "idtyp": "app",
            "ver": "1.0",
        });
        let part = |text: &str| Base64UrlUnpadded::encode_string(text.as_bytes());
        let signed = format!("{}.{}", part(HEADER), part(&claims.to_string()));
        let signature = Base64UrlUnpadded::encode_string(hmac::sign(&self.sign, signed.as_bytes()).as_ref());
        json!({
            "token_type": "Bearer",
            "access_token": format!("{signed}.{signature}"),
            "expires_in": LIFE,
            "ext_expires_in": LIFE,
            // Managed identities are told in text.
            "expires_on": (now + LIFE).to_string(),
            "not_before": now.to_string(),
            "resource": audience,
            "client_id": client_id,
        })
    }

    /// Whether a token is one of these, or the secret itself; else why not.
    pub(super) fn verify(&self, token: &str, now: u64) -> Result<(), String> {
        if token.len() > LONGEST {
            return Err("The token is too long.".to_owned());
        }
        if self.is_secret(token) {
            return Ok(());
        }
        let unknown = || "The token is none that this broker gave out.".to_owned();
        let (signed, signature) = token.rsplit_once('.').ok_or_else(unknown)?;
        let signature = Base64UrlUnpadded::decode_vec(signature).map_err(|_| unknown())?;
        // What has this signature was written above, header and all.
        hmac::verify(&self.sign, signed.as_bytes(), &signature).map_err(|_| unknown())?;
        let claims = signed.split_once('.').and_then(|(_, claims)| Base64UrlUnpadded::decode_vec(claims).ok());
        let claims: Json = claims.and_then(|claims| serde_json::from_slice(&claims).ok()).ok_or_else(unknown)?;
        let time = |name: &str| claims.get(name).and_then(Json::as_u64);
        if time("exp").is_none_or(|end| end + SKEW < now) {
            return Err("The token's time is over.".to_owned());
        }
        if time("nbf").is_none_or(|begin| begin > now + SKEW) {
            return Err("The token's time has not begun: a clock is wrong.".to_owned());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "correct horse battery";

    fn token(issuer: &Issuer, now: u64) -> String {
        let answer = issuer.answer("me", "https://localhost:8443//.default", "https://localhost:8443", now);
        assert_eq!(answer["resource"], "https://localhost:8443");
        answer["access_token"].as_str().unwrap().to_owned()
    }

    #[test]
    fn a_token_is_good_for_its_time() {
        let issuer = Issuer::new(SECRET, "t");
        let token = token(&issuer, 1_000_000);
        assert!(issuer.verify(&token, 1_000_000).is_ok());
        assert!(issuer.verify(&token, 1_000_000 + LIFE).is_ok());
        assert!(issuer.verify(&token, 1_000_000 + LIFE + SKEW + 1).unwrap_err().contains("over"));
        assert!(issuer.verify(&token, 1_000_000 - SKEW - 1).unwrap_err().contains("not begun"));
        assert!(Issuer::new(SECRET, "t").verify(&token, 1_000_000).is_ok(), "after a restart too");
    }

    #[test]
    fn nothing_else_is_a_token() {
        let issuer = Issuer::new(SECRET, "t");
        let good = token(&issuer, 1000);
        let (header, rest) = good.split_once('.').unwrap();
        let (claims, signature) = rest.split_once('.').unwrap();
        let none = Base64UrlUnpadded::encode_string(br#"{"alg":"none"}"#);
        for wrong in [
            String::new(),
            "tok".to_owned(),
            format!("{header}.{claims}."),
            format!("{none}.{claims}."),
            format!("{none}.{claims}.{signature}"),
            format!("{header}.{claims}.{signature}x"),
            "a".repeat(LONGEST + 1),
        ] {
            assert!(issuer.verify(&wrong, 1000).is_err(), "{wrong}");
        }
        assert!(Issuer::new("another secret 1234", "t").verify(&good, 1000).is_err());
        assert!(issuer.verify(SECRET, 1000).is_ok() && issuer.verify("correct horse batterx", 1000).is_err());
    }
}
