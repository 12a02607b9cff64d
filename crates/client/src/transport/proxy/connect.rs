//! The CONNECT method of HTTP (RFC 9110 §9.3.6).

use super::socks5::Host;
use crate::address::{shown, without_zone};
use crate::error::ProxyError;
use crate::transport::http::{Head, base64};

/// The request for a tunnel, with Basic credentials (RFC 7617) if there are any.
pub(super) fn request(host: Host<'_>, port: u16, credentials: Option<(&str, &[u8])>) -> Vec<u8> {
    let authority = match host {
        Host::Name(name) => shown(without_zone(name), port),
        Host::Address(address) => shown(&address.to_string(), port),
    };
    let mut request = format!("CONNECT {authority} HTTP/1.1\r\nHost: {authority}\r\n");
    if let Some((username, password)) = credentials {
        let pair = [username.as_bytes(), b":", password].concat();
        request.push_str("Proxy-Authorization: Basic ");
        request.push_str(&base64(&pair));
        request.push_str("\r\n");
    }
    request.push_str("\r\n");
    request.into_bytes()
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
