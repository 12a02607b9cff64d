//! Recognising what is not MQTT: most often somebody took the wrong port.

use std::fmt;

/// A protocol that is not MQTT, recognised by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Foreign {
    /// A TLS ClientHello: the peer wants TLS where MQTT is spoken in the clear.
    Tls,
    /// A TLS alert: the peer speaks TLS and refused what it got.
    TlsAlert,
    /// An HTTP/1 request, perhaps a WebSocket upgrade.
    Http,
    /// The preface of HTTP/2.
    Http2,
    /// An HTTP/1 response.
    HttpResponse,
    /// The header of the PROXY protocol.
    ProxyProtocol,
    /// An SSH greeting.
    Ssh,
}

/// First bytes. None of them can begin a valid first packet of MQTT, whose first byte is 0x10 or 0x20.
const SIGNATURES: &[(&[u8], Foreign)] = &[
    (b"\x16\x03\x00", Foreign::Tls),
    (b"\x16\x03\x01", Foreign::Tls),
    (b"\x16\x03\x02", Foreign::Tls),
    (b"\x16\x03\x03", Foreign::Tls),
    (b"\x15\x03\x00", Foreign::TlsAlert),
    (b"\x15\x03\x01", Foreign::TlsAlert),
    (b"\x15\x03\x02", Foreign::TlsAlert),
    (b"\x15\x03\x03", Foreign::TlsAlert),
    (b"GET ", Foreign::Http),
    (b"POST ", Foreign::Http),
    (b"PUT ", Foreign::Http),
    (b"HEAD ", Foreign::Http),
    (b"OPTIONS ", Foreign::Http),
    (b"DELETE ", Foreign::Http),
    (b"PATCH ", Foreign::Http),
    (b"CONNECT ", Foreign::Http),
    (b"TRACE ", Foreign::Http),
    (b"PRI * HTTP/2", Foreign::Http2),
    (b"HTTP/", Foreign::HttpResponse),
    (b"PROXY ", Foreign::ProxyProtocol),
    (b"\r\n\r\n\0\r\nQUIT\n", Foreign::ProxyProtocol),
    (b"SSH-", Foreign::Ssh),
];

/// What the first bytes of a connection are, if they are not MQTT and are known.
#[must_use]
pub fn recognise(first_bytes: &[u8]) -> Option<Foreign> {
    SIGNATURES.iter().find(|(signature, _)| first_bytes.starts_with(signature)).map(|&(_, foreign)| foreign)
}

/// Whether more bytes could still show a foreign protocol.
pub(super) fn may_be_foreign(first_bytes: &[u8]) -> bool {
    SIGNATURES.iter().any(|(signature, _)| first_bytes.len() < signature.len() && signature.starts_with(first_bytes))
}

impl Foreign {
    /// What it is and what to do, for a log.
    #[must_use]
    pub const fn explain(self) -> &'static str {
        match self {
            Self::Tls => "this is a TLS ClientHello: the client wants TLS; point it at the TLS port, or turn TLS off",
            Self::TlsAlert => "this is a TLS alert: the peer speaks TLS; connect with TLS, or use the plain port",
            Self::Http => "this is an HTTP request; point it at the HTTP or WebSocket port",
            Self::Http2 => "this is an HTTP/2 preface; point it at the HTTP port",
            Self::HttpResponse => "this is an HTTP response: the peer is a web server, or an HTTP proxy refused",
            Self::ProxyProtocol => {
                "this is a PROXY protocol header; turn it off at the load balancer, or on at this listener"
            }
            Self::Ssh => "this is an SSH greeting; use the port of MQTT",
        }
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.explain())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_protocols_are_recognised() {
        assert_eq!(recognise(b"\x16\x03\x01\x02\x00\x01\x00"), Some(Foreign::Tls));
        assert_eq!(recognise(b"GET /mqtt HTTP/1.1\r\n"), Some(Foreign::Http));
        assert_eq!(recognise(b"PRI * HTTP/2.0\r\n"), Some(Foreign::Http2));
        assert_eq!(recognise(b"HTTP/1.1 400 Bad Request"), Some(Foreign::HttpResponse));
        assert_eq!(recognise(b"PROXY TCP4 192.0.2.1"), Some(Foreign::ProxyProtocol));
        assert_eq!(recognise(b"\x10\x10\0\x04MQTT\x04"), None);
        assert_eq!(recognise(b"\x16\x03"), None);
        assert_eq!(recognise(b""), None);
    }

    #[test]
    fn no_signature_begins_a_connect_or_a_connack() {
        for (signature, _) in SIGNATURES {
            assert!(![0x10, 0x20].contains(&signature[0]));
        }
    }
}
