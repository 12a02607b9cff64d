use super::*;
use crate::classify::{KeyForm, Pkcs12Form};
use crate::issue::{CertificateAuthority, Validity};

fn root_pem() -> String {
    CertificateAuthority::new_root("PEM Root", Validity::new(1_000, 2_000)).unwrap().certificate_pem()
}

fn one(text: &[u8]) -> Certificate {
    let mut all = certificates(text).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

#[test]
fn every_state_in_which_people_have_pem_is_read() {
    let pem = root_pem();
    let expected = one(pem.as_bytes());
    let lines: Vec<&str> = pem.lines().collect();
    for (state, text) in [
        ("byte order mark", format!("\u{feff}{pem}")),
        ("CRLF", pem.replace('\n', "\r\n")),
        ("CR only", pem.replace('\n', "\r")),
        ("line breaks lost", pem.replace('\n', "")),
        ("line breaks escaped", pem.replace('\n', "\\n")),
        ("line breaks escaped twice", pem.replace('\n', "\\r\\n")),
        ("line breaks as spaces", pem.replace('\n', " ")),
        ("indented", lines.iter().map(|line| format!("    {line}\n")).collect()),
        ("text before and after", format!("Bag Attributes\n  friendlyName: x\n{pem}end\n")),
        ("JSON", format!("{{\"certificatePem\": \"{}\"}}", pem.replace('\n', "\\n").replace('/', "\\/"))),
        ("JSON in JSON", pem.replace('\n', "\\\\n")),
        ("bare base64", lines[1..lines.len() - 1].join("\n")),
        ("old label", pem.replace("CERTIFICATE", "X509 CERTIFICATE")),
        ("no final newline", pem.trim_end().to_owned()),
    ] {
        assert_eq!(one(text.as_bytes()), expected, "{state}");
    }
    let utf16: Vec<u16> = pem.encode_utf16().collect();
    let little: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    let big: Vec<u8> = utf16.iter().flat_map(|unit| unit.to_be_bytes()).collect();
    for (state, bytes) in [
        ("UTF-16 LE", [&[0xff, 0xfe][..], &little].concat()),
        ("UTF-16 BE", [&[0xfe, 0xff][..], &big].concat()),
        ("UTF-16 LE without a mark", little),
        ("UTF-16 BE without a mark", big),
        ("DER", expected.der().to_vec()),
        ("DER and a newline", [expected.der(), b"\n"].concat()),
    ] {
        assert_eq!(one(&bytes), expected, "{state}");
    }
}

#[test]
fn what_is_damaged_is_named() {
    let pem = root_pem();
    let cut: String = pem.lines().take(3).collect::<Vec<_>>().join("\n");
    assert_eq!(
        certificates(format!("\n{cut}").as_bytes()),
        Err(PemError::CutOff { label: "CERTIFICATE".into(), line: 2 })
    );
    assert!(matches!(certificates(format!("{cut}\n{pem}").as_bytes()), Err(PemError::CutOff { line: 1, .. })));
    let damaged = pem.replacen("MII", "M\u{fe}I", 1);
    assert!(matches!(certificates(damaged.as_bytes()), Err(PemError::BadBase64 { line: 1, .. })));
    let four_dashes = pem.replace("-----", "----");
    assert_eq!(certificates(four_dashes.as_bytes()), Err(PemError::NearlyHeader { line: 1 }));
    assert!(matches!(
        certificates(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"),
        Err(PemError::BadCertificate { number: 1, .. })
    ));
    assert_eq!(certificates(&vec![b'x'; 1024 * 1024 + 1]), Err(PemError::TooLarge));
}

#[test]
fn what_is_not_a_certificate_is_recognised() {
    let pkcs12 = [
        &[0x30, 0x12, 0x02, 0x01, 0x03, 0x30, 0x0d][..],
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01, 0xa0, 0x00],
    ]
    .concat();
    let labelled = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes();
    for (text, expected) in [
        (pkcs12, Content::Pkcs12(Pkcs12Form::Plain)),
        (b"hello".to_vec(), Content::Text),
        (b" \r\n".to_vec(), Content::Empty),
        (b"<!DOCTYPE html><html>".to_vec(), Content::Html),
        (labelled("CERTIFICATE REQUEST"), Content::SigningRequest),
        (labelled("PUBLIC KEY"), Content::PublicKey),
        (labelled("OPENSSH PRIVATE KEY"), Content::OpenSshKey),
        (labelled("ENCRYPTED PRIVATE KEY"), Content::EncryptedKey),
        (labelled("EC PRIVATE KEY"), Content::PrivateKey(KeyForm::Sec1)),
        (labelled("SOMETHING"), Content::Other("SOMETHING".into())),
    ] {
        assert_eq!(certificates(&text), Err(PemError::NoCertificate { found: expected }));
    }
}

/// The certificate with another serial number; its signature does not matter here.
fn with_serial(der: &[u8], serial: &[u8]) -> Vec<u8> {
    use crate::tlv::{self, CONTEXT_0, INTEGER, SEQUENCE, element};
    let mut input = der;
    let mut certificate = tlv::expect(&mut input, SEQUENCE).unwrap();
    let mut signed = tlv::expect(&mut certificate, SEQUENCE).unwrap();
    let version = element(CONTEXT_0, tlv::expect(&mut signed, CONTEXT_0).unwrap());
    tlv::expect(&mut signed, INTEGER).unwrap();
    let signed = element(SEQUENCE, &[&version, &element(INTEGER, serial), signed].concat());
    element(SEQUENCE, &[&signed, certificate].concat())
}

#[test]
fn a_serial_that_is_too_long_is_no_damage() {
    let root = certificates(root_pem().as_bytes()).unwrap().remove(0);
    assert_eq!(certificates(&with_serial(root.der(), &[0x42; 20])).unwrap().len(), 1);
    let long = with_serial(root.der(), &[0x42; 24]);
    let error = certificates(&long).unwrap_err();
    assert!(
        matches!(&error, PemError::AgainstTheRules { number: 1, breach } if breach.contains("24 octets")),
        "{error}"
    );
    let cut =
        format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", base64_of(&long[..long.len() - 3]));
    assert!(matches!(certificates(cut.as_bytes()), Err(PemError::BadCertificate { number: 1, .. })));
}

fn base64_of(der: &[u8]) -> String {
    <base64ct::Base64 as base64ct::Encoding>::encode_string(der)
}
