//! Name constraints (RFC 5280 §4.2.1.10) on the kinds of names that this crate knows.

use super::Outcome;
use super::openssl::refused;
use crate::certificate::Certificate;
use crate::inspect::details::{Details, Form};

/// Holds every certificate's names against the constraints of all above it; the chain begins with the leaf.
pub(super) fn check<'a>(chain: impl Iterator<Item = (&'a Certificate, &'a Details)>) -> Result<(), Outcome> {
    let chain: Vec<_> = chain.collect();
    for (depth, (certificate, details)) in chain.iter().enumerate().rev() {
        // RFC 5280 exempts what an authority issued to itself, unless it is the leaf.
        if depth > 0 && certificate.is_self_issued() {
            continue;
        }
        let mut names = details.names.clone();
        names.extend(name_in_subject(certificate, details, depth));
        for (_, above) in chain.iter().skip(depth + 1) {
            for name in &names {
                if above.excluded.iter().any(|subtree| covers(subtree, name) == Some(true)) {
                    return Err(refused(certificate, 48, "excluded subtree violation"));
                }
                let mut of_kind = above.permitted.iter().filter_map(|subtree| covers(subtree, name)).peekable();
                if of_kind.peek().is_some() && !of_kind.any(|covered| covered) {
                    return Err(refused(certificate, 47, "permitted subtree violation"));
                }
            }
        }
    }
    Ok(())
}

/// The common name counts as a DNS name where there is no other and it looks like one.
fn name_in_subject(certificate: &Certificate, details: &Details, depth: usize) -> Option<Form> {
    if depth > 0 || details.names.iter().any(|name| matches!(name, Form::Dns(_))) {
        return None;
    }
    let name = certificate.subject().common_name()?;
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        !label.is_empty() && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    (name.contains('.') && name.split('.').all(label)).then(|| Form::Dns(name.to_owned()))
}

/// Does the subtree cover the name? `None` when they are of different kinds, and the subtree says nothing about it.
fn covers(subtree: &Form, name: &Form) -> Option<bool> {
    match (subtree, name) {
        (Form::Dns(base), Form::Dns(name)) => {
            // A leading dot is not in the standard, and is met.
            let (base, exact) = match base.strip_prefix('.') {
                Some(base) => (base, false),
                None => (base.as_str(), true),
            };
            Some(base.is_empty() || under(name, base, exact))
        }
        (Form::Email(base), Form::Email(address)) => {
            let host = address.rsplit_once('@').map_or("", |(_, host)| host);
            Some(match base.strip_prefix('.') {
                Some(domain) => under(host, domain, false),
                None if base.contains('@') => base.eq_ignore_ascii_case(address),
                None => base.eq_ignore_ascii_case(host),
            })
        }
        (Form::Uri(base), Form::Uri(uri)) => {
            let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
            let host = rest.split(['/', ':', '?', '#']).next().unwrap_or_default();
            Some(match base.strip_prefix('.') {
                Some(domain) => under(host, domain, false),
                None => base.eq_ignore_ascii_case(host),
            })
        }
        (Form::Ip(network), Form::Ip(address)) if network.len() == 2 * address.len() => {
            let (base, mask) = network.split_at(address.len());
            let mut bits = base.iter().zip(mask).zip(address);
            Some(bits.all(|((base, mask), octet)| base & mask == octet & mask))
        }
        (Form::Ip(_), Form::Ip(_)) => Some(false),
        _ => None,
    }
}

/// Is the name the base itself, where that counts, or below it?
fn under(name: &str, base: &str, itself: bool) -> bool {
    let Some(at) = name.len().checked_sub(base.len()) else { return false };
    match name.split_at_checked(at) {
        Some((front, end)) if end.eq_ignore_ascii_case(base) => {
            if front.is_empty() {
                itself
            } else {
                front.ends_with('.')
            }
        }
        _ => false,
    }
}
