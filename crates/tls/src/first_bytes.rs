//! What protocol the first bytes of a connection belong to.

use std::fmt;

/// What a peer seems to speak, judged by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FirstBytes {
    /// A TLS handshake record.
    TlsHandshake,
    /// A TLS alert record.
    TlsAlert,
    /// An MQTT CONNECT or CONNACK in the clear.
    Mqtt,
    /// HTTP in the clear.
    Http,
    /// SSH.
    Ssh,
    /// None of the above.
    Unknown,
    /// Nothing was sent.
    Nothing,
}

impl FirstBytes {
    /// Judges by at most the first sixteen bytes.
    #[must_use]
    pub fn recognise(bytes: &[u8]) -> Self {
        const HTTP: [&[u8]; 8] = [b"GET ", b"POST", b"PUT ", b"HEAD", b"HTTP", b"OPTI", b"DELE", b"PRI "];
        match bytes {
            [] => Self::Nothing,
            [0x16, 0x03, ..] => Self::TlsHandshake,
            [0x15, 0x03, ..] => Self::TlsAlert,
            // CONNACK: remaining length, acknowledge flags, reason code.
            [0x20, 0x02..=0x7f, 0x00 | 0x01, ..] => Self::Mqtt,
            // CONNECT: remaining length of one to four bytes, then the protocol name.
            [0x10, rest @ ..] => {
                let name = rest.iter().take(4).position(|byte| byte & 0x80 == 0).and_then(|last| rest.get(last + 1..));
                match name {
                    Some([0, 4, b'M', ..] | [0, 6, b'M', ..]) => Self::Mqtt,
                    _ => Self::Unknown,
                }
            }
            _ if bytes.starts_with(b"SSH-") => Self::Ssh,
            _ if HTTP.iter().any(|word| bytes.starts_with(word)) => Self::Http,
            _ => Self::Unknown,
        }
    }

    /// The protocol in words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::TlsHandshake => "a TLS handshake",
            Self::TlsAlert => "a TLS alert",
            Self::Mqtt => "MQTT without TLS",
            Self::Http => "HTTP without TLS",
            Self::Ssh => "SSH",
            Self::Unknown => "an unknown protocol",
            Self::Nothing => "nothing",
        }
    }
}

impl fmt::Display for FirstBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::FirstBytes;

    #[test]
    fn each_protocol_is_known_by_its_first_bytes() {
        for (bytes, expected) in [
            (&b""[..], FirstBytes::Nothing),
            (b"\x16\x03\x01\x02\x00", FirstBytes::TlsHandshake),
            (b"\x15\x03\x03\x00\x02\x02\x28", FirstBytes::TlsAlert),
            (b"\x10\x10\x00\x04MQTT\x05", FirstBytes::Mqtt),
            (b"\x10\xff\x01\x00\x06MQIsdp\x03", FirstBytes::Mqtt),
            (b"\x20\x03\x00\x87\x00", FirstBytes::Mqtt),
            (b"HTTP/1.1 400 Bad Request", FirstBytes::Http),
            (b"GET / HTTP/1.1", FirstBytes::Http),
            (b"SSH-2.0-OpenSSH", FirstBytes::Ssh),
            (b"\x10\xff\xff\xff\xff", FirstBytes::Unknown),
            (b"\x10", FirstBytes::Unknown),
            (b"\xff\xff", FirstBytes::Unknown),
        ] {
            assert_eq!(FirstBytes::recognise(bytes), expected, "{bytes:?}");
        }
    }
}
