use super::*;

const CHAIN: &[u8] = include_bytes!("../../tests/data/chain.pem");
const LEAF_DER: &[u8] = include_bytes!("../../tests/data/leaf.der");

fn contents(bytes: &[u8]) -> Vec<(Content, Encoding)> {
    classify(bytes).items.into_iter().map(|item| (item.content, item.encoding)).collect()
}

#[test]
fn der_is_told_apart_by_its_structure() {
    use Content::{Certificate, EncryptedKey, Pkcs7, Pkcs12, PrivateKey};
    for (bytes, expected) in [
        (LEAF_DER, Certificate),
        (include_bytes!("../../tests/data/ec.sec1.der"), PrivateKey(KeyForm::Sec1)),
        (include_bytes!("../../tests/data/ec.pkcs8.der"), PrivateKey(KeyForm::Pkcs8)),
        (include_bytes!("../../tests/data/ec.aes.der"), EncryptedKey),
        (include_bytes!("../../tests/data/chain.der.p7b"), Pkcs7),
        (include_bytes!("../../tests/data/modern.p12"), Pkcs12(Pkcs12Form::Modern)),
        (include_bytes!("../../tests/data/legacy.p12"), Pkcs12(Pkcs12Form::Legacy)),
        (include_bytes!("../../tests/data/plain.p12"), Pkcs12(Pkcs12Form::Plain)),
        (&[0x30, 3, 2, 1, 7][..], Content::Der),
    ] {
        assert_eq!(contents(bytes), [(expected, Encoding::Der)]);
    }
}

#[test]
fn pem_is_told_apart_by_its_bytes_and_not_by_its_label() {
    let relabelled = String::from_utf8_lossy(CHAIN).replace("CERTIFICATE", "PRIVATE KEY");
    assert_eq!(contents(relabelled.as_bytes()), vec![(Content::Certificate, Encoding::Pem); 2]);
    for (bytes, expected) in [
        (&include_bytes!("../../tests/data/rsa2048.pkcs1.key")[..], Content::PrivateKey(KeyForm::Pkcs1)),
        (include_bytes!("../../tests/data/ec.traditional.key"), Content::EncryptedTraditionalKey),
        (include_bytes!("../../tests/data/trusted.pem"), Content::TrustedCertificate),
        (include_bytes!("../../tests/data/chain.p7b"), Content::Pkcs7),
        (include_bytes!("../../tests/data/request.csr"), Content::SigningRequest),
        (include_bytes!("../../tests/data/public.pem"), Content::PublicKey),
    ] {
        assert_eq!(contents(bytes), [(expected, Encoding::Pem)]);
    }
    let item = &classify(include_bytes!("../../tests/data/ec.params.key")).items[0];
    assert_eq!((&item.content, item.line), (&Content::Parameters, Some(1)));
}

#[test]
fn what_is_no_credential_is_named() {
    for (bytes, expected) in [
        (&b""[..], Content::Empty),
        (b"\xef\xbb\xbf\r\n", Content::Empty),
        (b"<!DOCTYPE html>\n<html><title>Sign in</title>", Content::Html),
        (b"{\"error\": \"denied\"}", Content::Json),
        (b"PuTTY-User-Key-File-3: ecdsa-sha2-nistp256\n", Content::PuttyKey),
        (b"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI me@host", Content::OpenSshPublicKey),
        (b"\xfe\xed\xfe\xed\0\0\0\x02", Content::JavaKeyStore),
        (b"PK\x03\x04rest", Content::Archive),
        (b"just words", Content::Text),
        (b"\x01\x02\x03", Content::Binary),
    ] {
        assert_eq!(contents(bytes), [(expected, Encoding::None)]);
    }
}

#[test]
fn every_oddity_is_noticed_and_becomes_its_entry() {
    use crate::catalogue::Id;
    let pem = String::from_utf8_lossy(CHAIN).into_owned();
    let utf16: Vec<u8> = pem.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let base64 = |bytes: &[u8]| {
        let text = crate::pem::encode(&[crate::Certificate::from_der(bytes).unwrap()]);
        text.lines().filter(|line| !line.starts_with('-')).collect::<String>()
    };
    for (bytes, oddity, id) in [
        (format!("\u{feff}{pem}").into_bytes(), Oddity::ByteOrderMark, Id::A06),
        (utf16, Oddity::Utf16 { big_endian: false }, Id::A07),
        (pem.replace('\n', "\r\n").into_bytes(), Oddity::WindowsLineEnds, Id::A08),
        (pem.replace('\n', "\r").into_bytes(), Oddity::CarriageReturnsOnly, Id::A09),
        (pem.replace('\n', "\\n").into_bytes(), Oddity::EscapedLineBreaks, Id::A09),
        (pem.replace('\n', "").into_bytes(), Oddity::LostLineBreaks, Id::A09),
        (pem.replace("-----BEGIN", "  -----BEGIN").into_bytes(), Oddity::Indented { line: 1 }, Id::A10),
        (base64(LEAF_DER).into_bytes(), Oddity::HeaderMissing, Id::A10),
        (
            format!("\n{}", pem.replacen("-----", "—", 1)).into_bytes(),
            Oddity::WrongDashes { line: 2, typographic: true },
            Id::A10,
        ),
        (pem.replacen("-----", "----", 1).into_bytes(), Oddity::WrongDashes { line: 1, typographic: false }, Id::A10),
        (LEAF_DER[..LEAF_DER.len() - 1].to_vec(), Oddity::DerCutOff, Id::A05),
        (format!("{pem}\0\0").into_bytes(), Oddity::NulBytes, Id::A35),
    ] {
        let classified = classify(&bytes);
        assert!(classified.oddities.contains(&oddity), "{oddity:?} in {classified:?}");
        assert!(classified.findings("a.pem").iter().any(|finding| finding.id == id), "{oddity:?}");
    }
    let cut: String = pem.lines().take(4).map(|line| format!("{line}\n")).collect();
    let expected = Oddity::CutOff { label: "CERTIFICATE".to_owned(), line: 1, last_line: 5 };
    assert_eq!(classify(cut.as_bytes()).oddities, [expected]);
    assert!(classify(CHAIN).findings("a.pem").is_empty());
}

#[test]
fn many_sections_take_time_in_proportion() {
    for unit in
        ["-----BEGIN X-----", "-----BEGIN X-----\n-----END X-----\n", "-----BEGIN ", "----BEGIN A----\n", "\\\\\\"]
    {
        let text = unit.repeat(1024 * 1024 / unit.len());
        let classified = classify(text.as_bytes());
        assert!(classified.items.len() <= MAX_PIECES + 1);
    }
}

proptest::proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..800)) {
        crate::fuzzing::classify(&bytes);
        crate::fuzzing::pem(&bytes);
    }

    #[test]
    fn damaged_files_never_panic(which in 0_usize..9, changes in proptest::collection::vec((0_usize..2000, proptest::num::u8::ANY), 0..4)) {
        let files: [&[u8]; 9] = [
            CHAIN,
            LEAF_DER,
            include_bytes!("../../tests/data/chain.der.p7b"),
            include_bytes!("../../tests/data/chain.p7b"),
            include_bytes!("../../tests/data/plain.p12"),
            include_bytes!("../../tests/data/ec.aes.der"),
            include_bytes!("../../tests/data/ec.sec1.der"),
            include_bytes!("../../tests/data/bag-attributes.pem"),
            include_bytes!("../../tests/data/trusted.pem"),
        ];
        let mut bytes = files[which].to_vec();
        for (place, byte) in changes {
            let place = place % bytes.len();
            bytes[place] = byte;
        }
        crate::fuzzing::classify(&bytes);
        crate::fuzzing::pem(&bytes);
        crate::fuzzing::pkcs7(&bytes);
        if which == 4 {
            crate::fuzzing::pkcs12(&bytes);
        }
    }
}
