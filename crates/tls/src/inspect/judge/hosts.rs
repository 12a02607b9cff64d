//! OpenSSL's match of a host name: alternative names if there are any of the kind, else the common name.

use std::net::IpAddr;

use super::Outcome;
use super::openssl::refused;
use crate::certificate::Certificate;

pub(super) fn check(leaf: &Certificate, host: &str) -> Result<(), Outcome> {
    let names = leaf.alternative_names();
    if let Ok(address) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return match names.ip.contains(&address) {
            true => Ok(()),
            false => Err(refused(leaf, 64, "IP address mismatch")),
        };
    }
    let matched = match (names.dns.is_empty(), leaf.subject().common_name()) {
        (false, _) => names.dns.iter().any(|name| matches(name, host)),
        (true, Some(name)) => matches(name, host),
        (true, None) => false,
    };
    if matched { Ok(()) } else { Err(refused(leaf, 62, "hostname mismatch")) }
}

/// Does a pattern such as `*.example.org` cover the host? A wildcard stands for one whole label, the first.
pub(super) fn matches(pattern: &str, host: &str) -> bool {
    let host = host.trim_end_matches('.');
    match pattern.strip_prefix("*.") {
        Some(rest) if rest.contains('.') => {
            host.split_once('.').is_some_and(|(label, domain)| !label.is_empty() && domain.eq_ignore_ascii_case(rest))
        }
        _ => pattern.eq_ignore_ascii_case(host),
    }
}
