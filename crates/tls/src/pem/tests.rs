use super::*;
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
        ("old label", pem.replace("CERTIFICATE", "X509 CERTIFICATE")),
        ("no final newline", pem.trim_end().to_owned()),
    ] {
        assert_eq!(one(text.as_bytes()), expected, "{state}");
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
    let pem = root_pem();
    let der = one(pem.as_bytes()).der().to_vec();
    let utf16: Vec<u8> = [0xfeff_u16].into_iter().chain(pem.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let pkcs12 = [
        &[0x30, 0x82, 0x01, 0x00, 0x02, 0x01, 0x03, 0x30, 0x20][..],
        &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07, 0x01],
    ]
    .concat();
    let labelled = |label: &str| format!("-----BEGIN {label}-----\nAAAA\n-----END {label}-----\n").into_bytes();
    for (text, expected) in [
        (der, PemContent::DerCertificate),
        (utf16, PemContent::Utf16),
        (pkcs12, PemContent::Pkcs12),
        (b"hello".to_vec(), PemContent::NotPem),
        (labelled("CERTIFICATE REQUEST"), PemContent::SigningRequest),
        (labelled("PUBLIC KEY"), PemContent::PublicKey),
        (labelled("OPENSSH PRIVATE KEY"), PemContent::OpenSshKey),
        (labelled("ENCRYPTED PRIVATE KEY"), PemContent::EncryptedKey),
        (labelled("EC PRIVATE KEY"), PemContent::PrivateKey),
        (labelled("SOMETHING"), PemContent::Other("SOMETHING".into())),
    ] {
        assert_eq!(certificates(&text), Err(PemError::NoCertificate { found: expected }));
    }
}
