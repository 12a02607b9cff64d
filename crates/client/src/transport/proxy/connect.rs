//! The CONNECT method of HTTP (RFC 9110 §9.3.6).

use zeroize::Zeroizing;

use super::socks5::Host;
use crate::address::{shown, without_zone};
use crate::error::ProxyError;
use crate::transport::http::{Head, base64};

/// The request for a tunnel, with Basic credentials (RFC 7617) if there are any: to be wiped then.
pub(super) fn request(host: Host<'_>, port: u16, credentials: Option<(&str, &[u8])>) -> Vec<u8> {
    let authority = match host {
        Host::Name(name) => shown(without_zone(name), port),
        Host::Address(address) => shown(&address.to_string(), port),
    };
    let basic = credentials.map(|(username, password)| {
        let pair = Zeroizing::new([username.as_bytes(), b":", password].concat());
        Zeroizing::new(base64(&pair))
    });
    let mut parts = vec!["CONNECT ", &authority, " HTTP/1.1\r\nHost: ", &authority, "\r\n"];
    if let Some(basic) = &basic {
        parts.extend(["Proxy-Authorization: Basic ", basic, "\r\n"]);
    }
    parts.push("\r\n");
    // All at once, so that no shorter copy stays behind in memory.
    parts.concat().into_bytes()
}

/// Any 2xx opens the tunnel.
pub(super) fn judge(head: &Head) -> Result<(), ProxyError> {
    match head.status {
        200..=299 => Ok(()),
        status => {
            // Only the ways' names: the rest of a challenge is for who can answer it.
            let scheme = |challenge: &str| challenge.split_ascii_whitespace().next().map(str::to_owned);
            let challenges = head.all("Proxy-Authenticate").filter_map(scheme).collect();
            Err(ProxyError::Status { status, reason: head.reason.clone(), challenges })
        }
    }
}
