use proptest::prelude::*;

use super::header::crc32c;
use super::*;

fn v2_header(version: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).unwrap().to_be_bytes();
    [&SIGNATURE[..], &[version, family], &length, rest].concat()
}

const V4: [u8; 12] = [192, 0, 2, 7, 198, 51, 100, 1, 0x14, 0xe9, 0x07, 0x5b];

fn addition(kind: u8, value: &[u8]) -> Vec<u8> {
    let length = u16::try_from(value.len()).unwrap().to_be_bytes();
    [&[kind], &length[..], value].concat()
}

fn tls(client: u8, verify: u32, names: &[&[u8]]) -> Vec<u8> {
    let names: Vec<u8> = names.iter().flat_map(|name| addition(0x22, name)).collect();
    addition(0x20, &[&[client][..], &verify.to_be_bytes(), &addition(0x21, b"TLSv1.3"), &names].concat())
}

fn from(text: &str) -> Option<PeerAddress> {
    Some(PeerAddress::Ip(text.parse().unwrap()))
}

fn proxied(text: &str) -> Header {
    Header::Proxy { from: from(text), name: None }
}

#[test]
fn a_line_of_version_1_is_read_whole_or_not() {
    assert_eq!(v1(b"PROXY TCP4 192.0.2.7 198.51.100.1 5353 1883\r\n").unwrap(), proxied("192.0.2.7:5353"));
    assert_eq!(v1(b"PROXY TCP6 2001:db8::7 ::1 0 65535\r\n").unwrap(), proxied("[2001:db8::7]:0"));
    for line in ["PROXY UNKNOWN\r\n", "PROXY UNKNOWN ffff:f...f:ffff ffff:f...f:ffff 65535 65535\r\n"] {
        assert_eq!(v1(line.as_bytes()).unwrap(), Header::Proxy { from: None, name: None });
    }
    for line in [
        "PROXY TCP4 192.0.2.7 198.51.100.1 5353 1883\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 5353\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 5353 1883 \r\n",
        "PROXY TCP4 192.0.2.7  198.51.100.1 5353 1883\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 +5353 1883\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 05353 1883\r\n",
        "PROXY TCP4 192.0.2.7 198.51.100.1 65536 1883\r\n",
        "PROXY TCP4 2001:db8::7 ::1 1 2\r\n",
        "PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n",
        "PROXY UNKNOWNX\r\n",
        "PROXY \r\n",
    ] {
        assert!(matches!(v1(line.as_bytes()), Err(ProxyError::Malformed(_))), "{line}");
    }
}

#[test]
fn a_header_of_version_2_tells_the_address() {
    assert_eq!(v2(&v2_header(0x21, 0x11, &V4)).unwrap(), proxied("192.0.2.7:5353"));
    let v6 = [&[0x20, 1, 0x0d, 0xb8][..], &[0; 11], &[7], &[0; 15], &[1], &[0x14, 0xe9, 0x07, 0x5b]].concat();
    assert_eq!(v2(&v2_header(0x21, 0x21, &v6)).unwrap(), proxied("[2001:db8::7]:5353"));
    let unix = v2(&v2_header(0x21, 0x31, &[b'/'; 216])).unwrap();
    assert_eq!(unix, Header::Proxy { from: Some(PeerAddress::Unix), name: None });
    assert_eq!(v2(&v2_header(0x21, 0x00, b"")).unwrap(), Header::Proxy { from: None, name: None });
    for family in [0x00, 0x11, 0xff] {
        assert_eq!(v2(&v2_header(0x20, family, b"")).unwrap(), Header::Local);
    }
    for header in [
        v2_header(0x21, 0x11, &V4[..11]),
        v2_header(0x21, 0x21, &V4),
        v2_header(0x21, 0x31, &[0; 215]),
        v2_header(0x21, 0x12, &V4),
        v2_header(0x22, 0x11, &V4),
        v2_header(0x11, 0x11, &V4),
        v2_header(0x21, 0x11, &[&V4[..], &[0x04, 0, 1]].concat()),
        v2_header(0x21, 0x11, &V4)[..20].to_vec(),
        SIGNATURE.to_vec(),
    ] {
        assert!(matches!(v2(&header), Err(ProxyError::Malformed(_))), "{header:x?}");
    }
}

#[test]
fn a_name_counts_only_if_its_certificate_was_verified() {
    let name = |addition: &[u8]| match v2(&v2_header(0x21, 0x11, &[&V4[..], addition].concat())) {
        Ok(Header::Proxy { name, .. }) => Ok(name),
        Ok(Header::Local) => panic!(),
        Err(error) => Err(error),
    };
    assert_eq!(name(&tls(0x07, 0, &[b"pump-1"])).unwrap().as_deref(), Some("pump-1"));
    assert_eq!(name(&tls(0x05, 0, &["Pumpe-ä".as_bytes()])).unwrap().as_deref(), Some("Pumpe-ä"));
    assert_eq!(name(&tls(0x07, 18, &[b"pump-1"])).unwrap(), None, "not verified");
    assert_eq!(name(&tls(0x01, 0, &[b"pump-1"])).unwrap(), None, "no certificate");
    assert_eq!(name(&tls(0x06, 0, &[b"pump-1"])).unwrap(), None, "no TLS");
    assert_eq!(name(&tls(0x07, 0, &[b""])).unwrap(), None);
    assert_eq!(name(&tls(0x07, 0, &[])).unwrap(), None);
    assert_eq!(name(&[addition(0x01, b"mqtt"), tls(0x07, 0, &[b"a"])].concat()).unwrap().as_deref(), Some("a"));
    for bad in [tls(0x07, 0, &[b"\xff"]), tls(0x07, 0, &[b"a", b"b"]), addition(0x20, &[7, 0, 0, 0])] {
        assert!(matches!(name(&bad), Err(ProxyError::Malformed(_))));
    }
}

#[test]
fn a_checksum_is_checked_where_there_is_one() {
    assert_eq!(crc32c(b"123456789".iter().copied()), 0xe306_9283);
    for (version, family) in [(0x21, 0x11), (0x20, 0x11), (0x20, 0x00)] {
        let addresses = if family == 0 { &[][..] } else { &V4 };
        let mut header = v2_header(version, family, &[addresses, &addition(0x03, &[0; 4])].concat());
        let sum = crc32c(header.iter().copied()).to_be_bytes();
        let place = header.len() - 4;
        header[place..].copy_from_slice(&sum);
        assert!(v2(&header).is_ok());
        header[place] ^= 1;
        assert!(v2(&header).is_err());
    }
}

fn config() -> ProxyProtocol {
    ProxyProtocol::from_sources(["192.0.2.0/24".parse().unwrap()])
}

const PROXY: PeerAddress =
    PeerAddress::Ip(std::net::SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)), 9));

async fn received(bytes: &[u8], config: &ProxyProtocol) -> (Result<Option<Said>, ProxyError>, Vec<u8>) {
    let mut rest = bytes;
    let outcome = receive(&mut rest, config, PROXY).await;
    (outcome, rest.to_vec())
}

#[tokio::test]
async fn what_follows_a_header_is_left_to_the_client() {
    let line = b"PROXY TCP4 198.51.100.9 198.51.100.1 5353 1883\r\n".to_vec();
    let header = v2_header(0x21, 0x11, &[&V4[..], &tls(0x07, 0, &[b"pump-1"])].concat());
    for header in [line, header.clone()] {
        let (said, rest) = received(&[&header[..], b"\x10\x0e"].concat(), &config()).await;
        let said = said.unwrap().unwrap();
        assert!(said.from.ip().is_some() && said.from != PROXY && said.name.is_none(), "names are not believed");
        assert_eq!(rest, b"\x10\x0e");
    }
    let (said, _) = received(&header, &config().trust_names(true)).await;
    assert_eq!(said.unwrap().unwrap().name.as_deref(), Some("pump-1"));
    let (said, _) = received(b"PROXY UNKNOWN\r\n", &config()).await;
    assert_eq!(said.unwrap(), Some(Said { from: PROXY, name: None }));
    assert_eq!(received(&v2_header(0x20, 0, b""), &config()).await.0.unwrap(), None);
}

#[tokio::test]
async fn headers_are_bounded_and_what_is_none_is_told_at_once() {
    let long = v2_header(0x21, 0x11, &[&V4[..], &addition(0xe0, &[0; 600])].concat());
    let error = received(&long, &config()).await.0.unwrap_err();
    assert!(matches!(error, ProxyError::TooLong { length: 631, longest: 536 }), "{error}");
    assert!(received(&long, &config().longest_header(700)).await.0.is_ok());
    let endless = [b"PROXY TCP4 ".to_vec(), vec![b'1'; 200]].concat();
    assert!(matches!(received(&endless, &config()).await, (Err(ProxyError::Malformed(_)), rest) if rest.len() == 104));
    for other in [&b"\x10\x0e\x00\x04MQTT"[..], b"\x16\x03\x01", b"GET / HTTP/1.1", b"PROXYTCP4"] {
        assert!(matches!(received(other, &config()).await.0, Err(ProxyError::NoHeader)));
    }
    for cut in [&b"PROXY TCP4 1"[..], &SIGNATURE, b"PRO", b""] {
        assert!(matches!(received(cut, &config()).await.0, Err(ProxyError::Closed)));
    }
    let stranger = PeerAddress::Ip("198.51.100.1:1".parse().unwrap());
    let error = receive(&mut &b"PROXY UNKNOWN\r\n"[..], &config(), stranger).await.unwrap_err();
    assert!(matches!(&error, ProxyError::NotAProxy(who) if *who == stranger), "{error}");
    assert!(receive(&mut &b"PROXY UNKNOWN\r\n"[..], &config(), PeerAddress::Unix).await.is_ok());
}

#[test]
fn networks_hold_their_addresses() {
    let network = |text: &str| text.parse::<Network>().unwrap();
    let ip = |text: &str| text.parse().unwrap();
    assert!(network("10.0.0.0/8").contains(ip("10.255.0.1")) && !network("10.0.0.0/8").contains(ip("11.0.0.1")));
    assert!(network("10.0.0.0/8").contains(ip("::ffff:10.1.1.1")));
    assert!(network("0.0.0.0/0").contains(ip("203.0.113.1")) && !network("0.0.0.0/0").contains(ip("::1")));
    assert!(network("::/0").contains(ip("::1")));
    assert!(network("2001:db8::/33").contains(ip("2001:db8:7fff::")));
    assert!(!network("2001:db8::/33").contains(ip("2001:db8:8000::")));
    assert!(network("192.0.2.1").contains(ip("192.0.2.1")) && !network("192.0.2.1").contains(ip("192.0.2.2")));
    assert_eq!(network("::1").to_string(), "::1/128");
    for text in ["", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/+8", "::/129", "10.0.0", "host/8"] {
        assert!(text.parse::<Network>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..300), version in 0x1fu8..0x23, family: u8) {
        let _ = v1(&bytes);
        let _ = v1(&[b"PROXY ", &bytes[..], b"\r\n"].concat());
        let _ = v2(&bytes);
        let _ = v2(&v2_header(version, family, &bytes));
        let _ = v2(&v2_header(0x21, 0x11, &[&V4[..], &addition(0x20, &bytes)].concat()));
    }

    #[test]
    fn addresses_come_back(source: [u8; 4], port: u16) {
        let source = std::net::SocketAddr::from((source, port));
        let line = format!("PROXY TCP4 {} 127.0.0.1 {port} 1883\r\n", source.ip());
        prop_assert!(line.len() <= V1_LONGEST);
        prop_assert_eq!(v1(line.as_bytes()).unwrap(), Header::Proxy { from: Some(source.into()), name: None });
    }
}
