//! Who asks.

use std::sync::Arc;

use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use base64ct::{Base64, Encoding};
use gridmq_tls::{Anchors, Certificate, PresentedPeer, verify};
use zeroize::Zeroizing;

use super::reply::Refusal;
use super::{AUDIT, EstServer};
use crate::server::Connection;

/// The longest user name and password together.
const MAX_CREDENTIALS: usize = 4096;

/// Somebody who may enrol.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requester {
    pub(super) name: String,
    /// What showed it, for the log.
    pub(super) how: &'static str,
}

/// By password if one was sent, by a bootstrap certificate otherwise.
pub(super) async fn enrolling(
    server: &EstServer,
    connection: &Connection,
    fields: &HeaderMap,
) -> Result<Requester, Refusal> {
    if let Some((user, password)) = basic(fields) {
        if by_password(server, user.clone(), password).await? {
            return Ok(Requester { name: user, how: "password" });
        }
        tracing::warn!(target: AUDIT, from = %connection.from, user, "wrong user name or password");
        return Err(Refusal::Unauthorized("user name or password is wrong"));
    }
    if let Some(presented) = &connection.presented
        && !server.bootstrap.is_empty()
    {
        let leaf = verified(presented, &server.bootstrap, server.now())?;
        not_barred(server, &leaf)?;
        let name = leaf.subject().common_name();
        let name = name.ok_or_else(|| Refusal::Forbidden("the bootstrap certificate has no common name".to_owned()))?;
        return Ok(Requester { name: name.to_owned(), how: "bootstrap certificate" });
    }
    if server.users.is_empty() {
        return Err(Refusal::Forbidden("a bootstrap certificate that this server accepts is needed".to_owned()));
    }
    Err(Refusal::Unauthorized("a user name and a password are needed"))
}

/// By the certificate that is to be renewed.
pub(super) fn renewing(server: &EstServer, connection: &Connection) -> Result<Certificate, Refusal> {
    let presented = connection.presented.as_ref().ok_or_else(|| {
        Refusal::Forbidden("the certificate that is to be renewed must be presented in the TLS handshake".to_owned())
    })?;
    let leaf = verified(presented, &server.anchors, server.now())?;
    not_barred(server, &leaf)?;
    Ok(leaf)
}

/// Only the authority's own certificates can be barred: serial numbers of others say nothing.
fn not_barred(server: &EstServer, leaf: &Certificate) -> Result<(), Refusal> {
    let own = leaf.issuer() == server.authority.certificate().subject();
    match &server.barred {
        Some(barred) if own && barred(leaf) => Err(Refusal::Forbidden("the certificate is revoked".to_owned())),
        _ => Ok(()),
    }
}

fn verified(presented: &PresentedPeer, anchors: &Anchors, now: u64) -> Result<Certificate, Refusal> {
    match verify(presented, anchors, now) {
        Ok(peer) => Ok(peer.leaf().clone()),
        Err(error) => Err(Refusal::Forbidden(error.to_string())),
    }
}

async fn by_password(server: &EstServer, user: String, password: Zeroizing<Vec<u8>>) -> Result<bool, Refusal> {
    let internal = |error: &dyn std::fmt::Display| Refusal::Internal(error.to_string());
    let permit = Arc::clone(&server.checks).acquire_owned().await.map_err(|error| internal(&error))?;
    let users = Arc::clone(&server.users);
    let check = tokio::task::spawn_blocking(move || {
        let right = users.verify(&user, &password);
        drop(permit);
        right
    });
    check.await.map_err(|error| internal(&error))
}

/// RFC 7617 §2; what is not of that form is as good as nothing.
fn basic(fields: &HeaderMap) -> Option<(String, Zeroizing<Vec<u8>>)> {
    let value = fields.get(AUTHORIZATION)?.to_str().ok().filter(|value| value.len() <= MAX_CREDENTIALS)?;
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = Zeroizing::new(Base64::decode_vec(encoded.trim()).ok()?);
    let colon = plain.iter().position(|octet| *octet == b':')?;
    let user = std::str::from_utf8(plain.get(..colon)?).ok()?.to_owned();
    Some((user, Zeroizing::new(plain.get(colon + 1..)?.to_vec())))
}
