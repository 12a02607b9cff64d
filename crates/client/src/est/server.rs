//! Where an EST server is.

use gridmq_tls::est::{Label, Operation};
use hyper::Uri;

use super::error::EstErrorKind;
use crate::http::authority_port;

const PORT: u16 = 443;
const WELL_KNOWN: &str = ".well-known/est";

/// A server's address and the label of one of its authorities.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    /// Without brackets, if it is an IPv6 address.
    pub(super) host: String,
    pub(super) port: u16,
    label: Option<Label>,
}

impl Server {
    /// Reads `https://host[:port][/label]`, or with `/.well-known/est` before the label.
    pub(super) fn parse(url: &str) -> Result<Self, EstErrorKind> {
        let bad = |why: &'static str| EstErrorKind::Url { url: without_user(url), why };
        let uri: Uri = url.parse().map_err(|_| bad("it is no URL"))?;
        match uri.scheme_str() {
            Some("https") => {}
            Some("http") => return Err(bad("EST is spoken over TLS only, so it must begin with https://")),
            _ => return Err(bad("it must begin with https://")),
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(bad("user name and password are given apart, where logs do not see them"));
        }
        if uri.query().is_some() {
            return Err(bad("an EST server's URL has no query"));
        }
        let host = uri.host().filter(|host| !host.is_empty()).ok_or_else(|| bad("it names no host"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let path = uri.path().trim_matches('/');
        let path = path.strip_prefix(WELL_KNOWN).unwrap_or(path).trim_matches('/');
        let label = if path.is_empty() {
            None
        } else {
            Some(Label::new(path).map_err(|_| bad("after the host only an authority's label may follow"))?)
        };
        let port = match authority_port(&uri) {
            None => PORT,
            Some(_) => {
                uri.port_u16().filter(|&port| port != 0).ok_or_else(|| bad("its port is none: use 1 to 65535"))?
            }
        };
        Ok(Self { host: host.to_owned(), port, label })
    }

    pub(super) fn path(&self, operation: Operation) -> String {
        operation.path(self.label.as_ref())
    }

    /// `host:port`, for people and for the field `Host`.
    pub(super) fn authority(&self) -> String {
        let Self { host, port, .. } = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

/// A password that was written into the URL is not repeated.
fn without_user(url: &str) -> String {
    match (url.split_once("://"), url.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, rest))) => format!("{scheme}://…@{rest}"),
        _ => url.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_and_the_port_are_read() {
        for (url, host, port, path) in [
            ("https://ca.example.org", "ca.example.org", 443, "/.well-known/est/cacerts"),
            ("https://ca.example.org:9443/", "ca.example.org", 9443, "/.well-known/est/cacerts"),
            ("https://[::1]:9443/devices", "::1", 9443, "/.well-known/est/devices/cacerts"),
            ("https://ca/.well-known/est", "ca", 443, "/.well-known/est/cacerts"),
            ("https://ca/.well-known/est/devices/", "ca", 443, "/.well-known/est/devices/cacerts"),
        ] {
            let server = Server::parse(url).unwrap();
            assert_eq!((server.host.as_str(), server.port), (host, port), "{url}");
            assert_eq!(server.path(Operation::CaCerts), path, "{url}");
        }
    }

    #[test]
    fn what_is_no_est_server_is_refused_and_no_password_is_repeated() {
        let ports = ["https://ca:0", "https://ca:99999", "https://ca:"];
        let urls = ["", "ca", "http://ca", "https://", "https://ca/a/b", "https://ca/cacerts", "https://ca?x=1"];
        for url in urls.into_iter().chain(ports) {
            assert!(matches!(Server::parse(url), Err(EstErrorKind::Url { .. })), "{url}");
        }
        let Err(error) = Server::parse("https://user:secret@ca") else { panic!("refused") };
        assert!(!format!("{error} {error:?}").contains("secret"));
    }
}
