//! The first flight of TLS by hand: asks for everything, to learn what a server would choose.
//!
//! The hello carries no key share, so a TLS 1.3 server answers with a HelloRetryRequest that names
//! its group (RFC 8446 §4.1.4), and no handshake can be completed with it.

/// How many bytes of an answer are looked at.
pub const MAX_ANSWER: usize = 64 * 1024;

const SSL3: u16 = 0x0300;
const TLS12: u16 = 0x0303;
const HANDSHAKE: u8 = 22;
const ALERT: u8 = 21;
const SERVER_HELLO: u8 = 2;
const SERVER_KEY_EXCHANGE: u8 = 12;
const SERVER_HELLO_DONE: u8 = 14;
const NAMED_CURVE: u8 = 3;

/// Every suite that servers are met with, by number and name.
const SUITES: [(u16, &str); 40] = [
    (0x1302, "TLS_AES_256_GCM_SHA384"),
    (0x1301, "TLS_AES_128_GCM_SHA256"),
    (0x1303, "TLS_CHACHA20_POLY1305_SHA256"),
    (0x1304, "TLS_AES_128_CCM_SHA256"),
    (0x1305, "TLS_AES_128_CCM_8_SHA256"),
    (0xc02c, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
    (0xc02b, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
    (0xcca9, "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xc030, "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0xc02f, "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xcca8, "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0xc0ac, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM"),
    (0xc0ad, "TLS_ECDHE_ECDSA_WITH_AES_256_CCM"),
    (0xc0ae, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8"),
    (0xc024, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384"),
    (0xc023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256"),
    (0xc028, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384"),
    (0xc027, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0xc00a, "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA"),
    (0xc009, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA"),
    (0xc014, "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA"),
    (0xc013, "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x009f, "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009e, "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256"),
    (0xccaa, "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
    (0x006b, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA256"),
    (0x0067, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0039, "TLS_DHE_RSA_WITH_AES_256_CBC_SHA"),
    (0x0033, "TLS_DHE_RSA_WITH_AES_128_CBC_SHA"),
    (0x009d, "TLS_RSA_WITH_AES_256_GCM_SHA384"),
    (0x009c, "TLS_RSA_WITH_AES_128_GCM_SHA256"),
    (0x003d, "TLS_RSA_WITH_AES_256_CBC_SHA256"),
    (0x003c, "TLS_RSA_WITH_AES_128_CBC_SHA256"),
    (0x0035, "TLS_RSA_WITH_AES_256_CBC_SHA"),
    (0x002f, "TLS_RSA_WITH_AES_128_CBC_SHA"),
    (0xc012, "TLS_ECDHE_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0x000a, "TLS_RSA_WITH_3DES_EDE_CBC_SHA"),
    (0xc011, "TLS_ECDHE_RSA_WITH_RC4_128_SHA"),
    (0x0005, "TLS_RSA_WITH_RC4_128_SHA"),
    (0x00ff, "TLS_EMPTY_RENEGOTIATION_INFO_SCSV"),
];

const GROUPS: [(u16, &str); 15] = [
    (0x11ec, "X25519MLKEM768"),
    (0x001d, "X25519"),
    (0x0017, "secp256r1"),
    (0x0018, "secp384r1"),
    (0x0019, "secp521r1"),
    (0x001e, "x448"),
    (0x0016, "secp256k1"),
    (0x001a, "brainpoolP256r1"),
    (0x001b, "brainpoolP384r1"),
    (0x001c, "brainpoolP512r1"),
    (0x001f, "brainpoolP256r1tls13"),
    (0x0020, "brainpoolP384r1tls13"),
    (0x0100, "ffdhe2048"),
    (0x0101, "ffdhe3072"),
    (0x0102, "ffdhe4096"),
];

const SCHEMES: [u16; 19] = [
    0x0403, 0x0503, 0x0603, 0x0807, 0x0808, 0x0804, 0x0805, 0x0806, 0x0809, 0x080a, 0x080b, 0x0401, 0x0501, 0x0601,
    0x081a, 0x081b, 0x081c, 0x0203, 0x0201,
];

/// A ClientHello that offers the versions from TLS 1.0 up to `maximum` (0x0301 to 0x0304) and every
/// suite, group and scheme in use.
#[must_use]
pub fn client_hello(maximum: u16, server_name: Option<&str>, random: [u8; 32]) -> Vec<u8> {
    let mut extensions = Vec::new();
    if let Some(name) = server_name.filter(|name| name.parse::<std::net::IpAddr>().is_err()) {
        let entry = [&[0][..], &block(name.as_bytes())].concat();
        extension(&mut extensions, 0, &block(&entry));
    }
    extension(&mut extensions, 10, &block(&numbers(GROUPS.iter().map(|(group, _)| *group))));
    extension(&mut extensions, 11, &[1, 0]);
    if maximum >= TLS12 {
        extension(&mut extensions, 13, &block(&numbers(SCHEMES.iter().copied())));
    }
    if maximum > TLS12 {
        let versions = numbers((0x0301..=maximum).rev());
        extension(&mut extensions, 43, &[&[short(versions.len())][..], &versions].concat());
        extension(&mut extensions, 51, &[0, 0]);
    }
    let tls13 = maximum > TLS12;
    let suites = SUITES.iter().map(|(suite, _)| *suite).filter(|suite| tls13 || suite >> 8 != 0x13);

    let mut body = maximum.min(TLS12).to_be_bytes().to_vec();
    body.extend(random);
    // A session id, as clients of TLS 1.3 send for old middleboxes.
    if tls13 {
        body.push(32);
        body.extend(random.iter().rev());
    } else {
        body.push(0);
    }
    body.extend(block(&numbers(suites)));
    body.extend([1, 0]);
    body.extend(block(&extensions));

    let mut message = vec![1, 0];
    message.extend(block(&body));
    let mut record = vec![HANDSHAKE, 3, 1];
    record.extend(block(&message));
    record
}

fn short(length: usize) -> u8 {
    u8::try_from(length).unwrap_or(u8::MAX)
}

/// The bytes behind their length in two bytes. Everything here is far shorter than 64 KiB.
fn block(bytes: &[u8]) -> Vec<u8> {
    let length = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    let mut out = length.to_be_bytes().to_vec();
    out.extend(bytes.iter().take(usize::from(length)));
    out
}

fn numbers(values: impl Iterator<Item = u16>) -> Vec<u8> {
    values.flat_map(u16::to_be_bytes).collect()
}

fn extension(out: &mut Vec<u8>, kind: u16, content: &[u8]) {
    out.extend(kind.to_be_bytes());
    out.extend(block(content));
}

/// What a server answers to a hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Answer {
    /// More bytes are needed.
    Incomplete,
    /// It chose.
    Chosen {
        /// The version's number, such as 0x0303 for TLS 1.2.
        version: u16,
        /// The cipher suite's number.
        cipher: u16,
        /// The number of the group of the key exchange, if one was named.
        group: Option<u16>,
        /// Nothing more can follow that would tell the group.
        settled: bool,
    },
    /// An alert with this number.
    Alert(u8),
    /// Something that is not TLS.
    NotTls,
}

/// Reads an answer; call it again with all bytes when more have come.
#[must_use]
pub fn answer(bytes: &[u8]) -> Answer {
    let mut messages = Vec::new();
    let mut rest = bytes.get(..MAX_ANSWER).unwrap_or(bytes);
    let mut alert = None;
    while let Some((&kind, after)) = rest.split_first() {
        if !(20..=23).contains(&kind) || after.first().is_some_and(|major| *major != 3) {
            return if messages.is_empty() { Answer::NotTls } else { chosen(&messages) };
        }
        let Some((body, following)) = after.get(2..).and_then(take16) else { break };
        match kind {
            HANDSHAKE => messages.extend_from_slice(body),
            ALERT => alert = alert.or_else(|| body.get(1).copied()),
            _ => {}
        }
        rest = following;
    }
    match (chosen(&messages), alert) {
        (Answer::Chosen { version, cipher, group, .. }, Some(_)) => {
            Answer::Chosen { version, cipher, group, settled: true }
        }
        (Answer::Incomplete, Some(alert)) => Answer::Alert(alert),
        (answer, _) => answer,
    }
}

/// What the complete messages among these bytes say.
fn chosen(messages: &[u8]) -> Answer {
    let mut result = Answer::Incomplete;
    let mut rest = messages;
    while let [kind, a, b, c, after @ ..] = rest {
        let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
        let Some((body, following)) = after.split_at_checked(length) else { break };
        match (*kind, &mut result) {
            (SERVER_HELLO, _) => {
                let Some(hello) = server_hello(body) else { return Answer::NotTls };
                result = hello;
            }
            (SERVER_KEY_EXCHANGE, Answer::Chosen { group, settled, .. }) => {
                if let [NAMED_CURVE, high, low, ..] = *body {
                    *group = Some(u16::from_be_bytes([high, low]));
                }
                *settled = true;
            }
            (SERVER_HELLO_DONE, Answer::Chosen { settled, .. }) => *settled = true,
            _ => {}
        }
        rest = following;
    }
    result
}

fn server_hello(body: &[u8]) -> Option<Answer> {
    let mut version = number(body)?;
    if version < SSL3 {
        return None;
    }
    let session = body.get(34..)?;
    let after = session.get(1 + usize::from(*session.first()?)..)?;
    let cipher = number(after)?;
    let mut group = None;
    let mut extensions = after.get(3..).and_then(take16).map(|(all, _)| all).unwrap_or_default();
    while let Some(kind) = number(extensions) {
        let (content, following) = extensions.get(2..).and_then(take16)?;
        match kind {
            43 => version = number(content)?,
            51 => group = number(content),
            _ => {}
        }
        extensions = following;
    }
    Some(Answer::Chosen { version, cipher, group, settled: version > TLS12 })
}

fn number(bytes: &[u8]) -> Option<u16> {
    bytes.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
}

fn take16(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    bytes.get(2..)?.split_at_checked(usize::from(number(bytes)?))
}

/// The name of a version by its number.
#[must_use]
pub fn version_name(version: u16) -> String {
    match version {
        SSL3 => "SSL 3.0".to_owned(),
        0x0301..=0x0304 => format!("TLS 1.{}", version - 0x0301),
        other => format!("version 0x{other:04x}"),
    }
}

/// The name of a cipher suite by its number.
#[must_use]
pub fn cipher_name(cipher: u16) -> String {
    let known = SUITES.iter().find(|(number, _)| *number == cipher);
    known.map_or_else(|| format!("cipher suite 0x{cipher:04x}"), |(_, name)| (*name).to_owned())
}

/// The name of a group by its number.
#[must_use]
pub fn group_name(group: u16) -> String {
    let known = GROUPS.iter().find(|(number, _)| *number == group);
    known.map_or_else(|| format!("group 0x{group:04x}"), |(_, name)| (*name).to_owned())
}
