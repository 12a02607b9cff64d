//! Numbers that mean something: TLS alerts, OpenSSL's errors, reason codes of MQTT.

use gridmq_tls::Id;

/// How many numbers of one kind are read.
const MAX_NUMBERS: usize = 64;

/// Every number in a text in lower case that means an entry, and what it was.
pub(super) fn read(text: &str) -> Vec<(Id, String)> {
    let mut found = Vec::new();
    alerts(text, &mut found);
    openssl(text, &mut found);
    reasons(text, &mut found);
    found
}

/// The entry that an alert from the server means to a client (RFC 8446 §6.2).
pub(super) const fn alert(code: u32) -> Option<Id> {
    Some(match code {
        40 | 47 | 71 | 109 => Id::D15,
        42 | 46 => Id::E05,
        43 => Id::E06,
        44 => Id::E08,
        45 => Id::E04,
        48 | 49 => Id::E02,
        70 | 86 => Id::D14,
        80 => Id::D17,
        100 => Id::E12,
        112 => Id::D12,
        116 => Id::E01,
        120 => Id::D16,
        _ => return None,
    })
}

/// `alert number 48`, `alert 48`, `alert(48)`, `alert: 48`, `alert code=48`.
fn alerts(text: &str, found: &mut Vec<(Id, String)>) {
    for (at, word) in text.match_indices("alert").take(MAX_NUMBERS) {
        let rest = text.get(at + word.len()..).unwrap_or_default();
        let rest = rest.trim_start_matches([' ', ':', '(', '=', '[', '#']);
        let rest =
            ["number", "code", "description"].iter().fold(rest, |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        let rest = rest.trim_start_matches([' ', ':', '(', '=', '[', '#']);
        if let Some((number, _)) = decimal(rest)
            && let Some(id) = alert(number)
        {
            found.push((id, format!("alert {number}")));
        }
    }
}

/// OpenSSL writes an alert of number n as reason 1000 + n in the low 12 bits of its error number.
fn openssl(text: &str, found: &mut Vec<(Id, String)>) {
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| word.len() == 8) {
        // The library's number for SSL: OpenSSL 3 shifts it by 23 bits, 1.1 by 24.
        if !word.starts_with("0a000") && !word.starts_with("14") {
            continue;
        }
        if let Ok(number) = u32::from_str_radix(word, 16)
            && let Some(code) = (number & 0xfff).checked_sub(1000)
            && let Some(id) = alert(code)
            && found.len() < MAX_NUMBERS
        {
            found.push((id, format!("OpenSSL error {}: alert {code}", word.to_ascii_uppercase())));
        }
    }
}

/// The packet that a reason code is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Packet {
    Connack,
    Puback,
    Suback,
    Disconnect,
}

/// `CONNACK 5`, `return code 5`, `reason code: 0x87`, `rc=5`, `reason code 135`.
fn reasons(text: &str, found: &mut Vec<(Id, String)>) {
    const WORDS: [&str; 12] = [
        "return code",
        "returncode",
        "reason code",
        "reasoncode",
        "reason_code",
        "connack",
        "puback",
        "pubrec",
        "suback",
        "disconnect",
        "rc",
        "reason",
    ];
    let mut count = 0;
    for word in WORDS {
        for (at, _) in text.match_indices(word).take(MAX_NUMBERS) {
            let alone =
                text.get(..at).and_then(|before| before.chars().next_back()).is_none_or(|c| !c.is_alphanumeric());
            let rest = text.get(at + word.len()..).unwrap_or_default();
            let Some(code) = alone.then(|| code(rest)).flatten() else { continue };
            let before = text.get(..at + word.len()).unwrap_or_default();
            let packet = packet(before);
            if let Some(id) = reason(packet, code) {
                let name = format!("{packet:?}").to_ascii_uppercase();
                found.push((id, format!("{name} 0x{code:02X}")));
                count += 1;
            }
            if count >= MAX_NUMBERS {
                return;
            }
        }
    }
}

/// A code in hexadecimal with `0x`, or in decimal, that follows at once.
fn code(text: &str) -> Option<u32> {
    let mut rest = text;
    for word in ["", "packet", "with", "return", "reason", "code", "is"] {
        rest = rest.trim_start_matches([' ', ':', '(', '=', '[', '#', '"', '\'', ',']);
        rest = rest.strip_prefix(word).unwrap_or(rest);
    }
    let rest = rest.trim_start_matches([' ', ':', '(', '=', '[', '#', '"', '\'']);
    if let Some(hex) = rest.strip_prefix("0x") {
        let end = hex.find(|c: char| !c.is_ascii_hexdigit()).unwrap_or(hex.len());
        return hex.get(..end).filter(|hex| hex.len() <= 2).and_then(|hex| u32::from_str_radix(hex, 16).ok());
    }
    // A date, a version or a time is no code.
    decimal(rest)
        .filter(|(_, rest)| !rest.starts_with(['.', ':', '-', '/']) || rest.len() == 1)
        .map(|(number, _)| number)
}

fn packet(before: &str) -> Packet {
    let last = |word: &str| before.rfind(word);
    let places = [
        (last("connack"), Packet::Connack),
        (last("puback").max(last("pubrec")), Packet::Puback),
        (last("suback"), Packet::Suback),
        (last("disconnect"), Packet::Disconnect),
    ];
    places
        .into_iter()
        .filter(|(place, _)| place.is_some())
        .max_by_key(|(place, _)| *place)
        .map_or(Packet::Connack, |(_, p)| p)
}

const fn reason(packet: Packet, code: u32) -> Option<Id> {
    Some(match (packet, code) {
        // MQTT 3.1.1 §3.2.2.3
        (Packet::Connack, 1) => Id::F01,
        (Packet::Connack, 2) => Id::F02,
        (Packet::Connack, 3) => Id::F10,
        (Packet::Connack, 4) => Id::F03,
        (Packet::Connack, 5) => Id::F04,
        // MQTT 5.0 §3.2.2.2
        (Packet::Connack, 0x81) => Id::F14,
        (Packet::Connack, 0x82) => Id::F09,
        (Packet::Connack, 0x84) => Id::F01,
        (Packet::Connack, 0x85) => Id::F02,
        (Packet::Connack, 0x86) => Id::F03,
        (Packet::Connack, 0x87 | 0x8a) => Id::F04,
        (Packet::Connack, 0x88 | 0x89 | 0x9c | 0x9d | 0x9f) => Id::F10,
        (Packet::Connack, 0x8c) => Id::F11,
        (Packet::Connack, 0x97) => Id::F13,
        (Packet::Connack, 0x9a) => Id::F05,
        (Packet::Connack, 0x9b) => Id::F06,
        // §3.4.2.1
        (Packet::Puback, 0x87) => Id::G07,
        // §3.9.3, and 3.1.1's only failure
        (Packet::Suback, 0x80 | 0x87) => Id::G08,
        (Packet::Suback, 0x8f) => Id::G04,
        // §3.14.2.1
        (Packet::Disconnect, 0x81 | 0x8f) => Id::G04,
        (Packet::Disconnect, 0x82) => Id::G05,
        (Packet::Disconnect, 0x87) => Id::G07,
        (Packet::Disconnect, 0x8b | 0x89 | 0x9c | 0x9d) => Id::F10,
        (Packet::Disconnect, 0x8d) => Id::G10,
        (Packet::Disconnect, 0x8e) => Id::G09,
        (Packet::Disconnect, 0x93) => Id::G12,
        (Packet::Disconnect, 0x94) => Id::G06,
        (Packet::Disconnect, 0x98) => Id::G16,
        (Packet::Disconnect, 0x9a) => Id::G02,
        (Packet::Disconnect, 0x9b) => Id::G01,
        (Packet::Disconnect, 0xa0) => Id::G14,
        (_, 0x90) => Id::G05,
        (_, 0x95) => Id::G03,
        (_, 0x96 | 0x97) => Id::G13,
        _ => return None,
    })
}

/// A decimal number of at most three digits, and what follows.
fn decimal(text: &str) -> Option<(u32, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    let follows_word = rest.starts_with(|c: char| c.is_alphanumeric());
    if digits.is_empty() || digits.len() > 3 || follows_word { None } else { Some((digits.parse().ok()?, rest)) }
}
