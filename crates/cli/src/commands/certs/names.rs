//! The alternative names of a leaf, as options.

use std::net::IpAddr;

use clap::Args;
use gridmq_tls::issue::LeafRequest;

#[derive(Debug, Args)]
#[group(id = "alternative-names")]
pub(super) struct Options {
    /// A DNS name it is for; may be repeated
    #[arg(long, value_name = "NAME", value_parser = dns_name)]
    pub(super) dns: Vec<String>,
    /// An IP address it is for; may be repeated
    #[arg(long, value_name = "ADDRESS")]
    pub(super) ip: Vec<IpAddr>,
    /// A URI it is for; may be repeated
    #[arg(long, value_name = "URI", value_parser = uri)]
    pub(super) uri: Vec<String>,
    /// An e-mail address it is for; may be repeated
    #[arg(long, value_name = "ADDRESS", value_parser = email)]
    pub(super) email: Vec<String>,
}

impl Options {
    pub(super) fn add_to(&self, request: LeafRequest) -> LeafRequest {
        let request = self.dns.iter().fold(request, |request, name| request.dns(name));
        let request = self.uri.iter().fold(request, |request, uri| request.uri(uri));
        let request = self.email.iter().fold(request, |request, address| request.email(address));
        self.ip.iter().fold(request, |request, address| request.ip(*address))
    }
}

/// Letters, digits, hyphens and underscores between dots, 63 at most each (RFC 1123); the first may be `*`.
pub(super) fn dns_name(text: &str) -> Result<String, String> {
    let label = |label: &str| {
        let inner = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
        (1..=63).contains(&label.len()) && label.chars().all(inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let name = text.strip_prefix("*.").unwrap_or(text);
    if text.len() > 253 || !name.split('.').all(label) {
        return Err("expected a host name such as localhost or broker.example.org, without scheme and port; an \
            address goes to --ip, and a name with other letters is written in its xn-- form"
            .to_owned());
    }
    Ok(text.to_owned())
}

/// A scheme, a colon and the rest, of the characters that a URI may hold (RFC 3986).
pub(super) fn uri(text: &str) -> Result<String, String> {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    let allowed = |c: char| c.is_ascii_graphic() && !matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}');
    let good = scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(in_scheme);
    if good && !rest.is_empty() && rest.chars().all(allowed) {
        return Ok(text.to_owned());
    }
    Err("expected a URI with its scheme, such as urn:device:7 or https://example.org/device7; other characters are \
        written as %XX"
        .to_owned())
}

/// Something before an `@` and a host name after it (RFC 5280 §4.2.1.6).
pub(super) fn email(text: &str) -> Result<String, String> {
    match text.rsplit_once('@') {
        Some((local, host)) if is_local(local) && !host.starts_with('*') && dns_name(host).is_ok() => {
            Ok(text.to_owned())
        }
        _ => Err("expected an e-mail address such as device7@example.org".to_owned()),
    }
}

fn is_local(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.chars().all(|c| c.is_ascii_graphic() && c != '@')
}

/// 1 to 64 characters (`ub-common-name`, RFC 5280 appendix A.1), none of them invisible.
pub(super) fn common_name(text: &str) -> Result<String, String> {
    if is_name(text, 64) {
        return Ok(text.to_owned());
    }
    Err("a common name has 1 to 64 characters, and no control characters".to_owned())
}

/// What is put before the words that tell the authorities apart.
pub(super) fn authority_name(text: &str) -> Result<String, String> {
    if is_name(text, 64 - " Intermediate CA".len()) {
        return Ok(text.to_owned());
    }
    Err("the name has 1 to 48 characters, and no control characters".to_owned())
}

fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.chars().count()) && !text.trim().is_empty() && !text.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uris_have_a_scheme() {
        for good in ["urn:device:7", "https://example.org/a%20b", "a+b-c.d:x"] {
            assert_eq!(uri(good).as_deref(), Ok(good));
        }
        for bad in ["", "device7", ":x", "urn:", "7:x", "urn:a b", "urn:ä", "not a uri", "urn:\n"] {
            uri(bad).unwrap_err();
        }
    }

    #[test]
    fn addresses_have_two_sides() {
        for good in ["a@b.example", "a.b+c@localhost"] {
            assert_eq!(email(good).as_deref(), Ok(good));
        }
        for bad in ["", "a", "@b", "a@", "a@b c", "a@b@c", "a b@c", "a@*.example"] {
            email(bad).unwrap_err();
        }
    }

    #[test]
    fn common_names_fit_the_standard() {
        assert_eq!(common_name(&"ü".repeat(64)), Ok("ü".repeat(64)));
        for bad in [String::new(), " ".to_owned(), "a".repeat(65), "a\nb".to_owned()] {
            common_name(&bad).unwrap_err();
        }
        authority_name(&"a".repeat(48)).unwrap();
        authority_name(&"a".repeat(49)).unwrap_err();
    }
}
