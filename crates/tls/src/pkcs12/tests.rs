use cbc::cipher::block_padding::Pkcs7;
use cbc::cipher::{BlockModeEncrypt, KeyIvInit};
use pkcs8::der::Encode;
use pkcs8::pkcs5::pbes2;
use pkcs12::kdf::{Pkcs12KeyType, derive_key_utf8};

use super::*;
use crate::tlv::{CONTEXT_0, INTEGER, OCTET_STRING, OID, SEQUENCE, element};

fn open(bytes: &[u8], password: &str) -> Result<Opened, OpenError> {
    super::open(bytes, password, &mut Budget::default())
}

fn outcome(bytes: &[u8], password: &str) -> Result<(usize, usize), OpenError> {
    open(bytes, password).map(|opened| (opened.keys.len(), opened.certificates.len()))
}

#[test]
fn every_generation_of_files_opens() {
    for (bytes, password, expected) in [
        (&include_bytes!("../../tests/data/modern.p12")[..], "secret", (1, 2)),
        (include_bytes!("../../tests/data/legacy.p12"), "secret", (1, 2)),
        (include_bytes!("../../tests/data/empty.p12"), "", (1, 2)),
        (include_bytes!("../../tests/data/plain.p12"), "", (1, 2)),
        (include_bytes!("../../tests/data/nokey.p12"), "secret", (0, 2)),
        (include_bytes!("../../tests/data/nochain.p12"), "secret", (1, 1)),
    ] {
        assert_eq!(outcome(bytes, password), Ok(expected));
    }
    for bytes in [&include_bytes!("../../tests/data/modern.p12")[..], include_bytes!("../../tests/data/legacy.p12")] {
        assert_eq!(outcome(bytes, "wrong"), Err(OpenError::WrongPassword));
        assert_eq!(outcome(bytes, ""), Err(OpenError::WrongPassword));
    }
}

#[test]
fn a_file_that_asks_for_years_is_refused() {
    let mut bytes = include_bytes!("../../tests/data/modern.p12").to_vec();
    // The last value is the MAC's count of iterations, in two octets.
    let at = bytes.len() - 2;
    assert_eq!(bytes[at - 2..at], [0x02, 0x02]);
    bytes[at] = 0xff;
    assert!(matches!(open(&bytes, ""), Err(OpenError::TooCostly(_))));
}

#[test]
fn every_beginning_of_a_file_is_refused() {
    let bytes = include_bytes!("../../tests/data/plain.p12");
    for end in 0..bytes.len() {
        assert!(open(&bytes[..end], "").is_err(), "{end}");
    }
}

fn sequence(fields: &[&[u8]]) -> Vec<u8> {
    element(SEQUENCE, &fields.concat())
}

/// The object identifier 1.2.840.113549.1 and what follows.
fn oid(rest: &[u8]) -> Vec<u8> {
    element(OID, &[&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01], rest].concat())
}

/// Parameters of PBES1 that ask for so many iterations, below 2^23.
fn asking_for(iterations: u32) -> Vec<u8> {
    let octets = iterations.to_be_bytes();
    let first = octets.iter().take_while(|octet| **octet == 0).count();
    sequence(&[&element(OCTET_STRING, b"saltsalt"), &element(INTEGER, &octets[first..])])
}

/// A file under an empty password, of which the encrypted part holds keys that ask for so many iterations each.
fn hiding(keys: usize, iterations: u32, legacy: bool) -> Vec<u8> {
    let triple_des = oid(&[0x0c, 0x01, 0x03]);
    let key = sequence(&[&sequence(&[&triple_des, &asking_for(iterations)]), &element(OCTET_STRING, &[7; 16])]);
    let bag = sequence(&[&oid(&[0x0c, 0x0a, 0x01, 0x02]), &element(CONTEXT_0, &key)]);
    let content = element(SEQUENCE, &bag.repeat(keys));
    let (algorithm, sealed) = if legacy {
        let derive = |kind, size| derive_key_utf8::<sha1::Sha1>("", b"saltsalt", kind, 1, size).unwrap();
        let (key, vector) = (derive(Pkcs12KeyType::EncryptionKey, 24), derive(Pkcs12KeyType::Iv, 8));
        let cipher = cbc::Encryptor::<des::TdesEde3>::new_from_slices(&key, &vector).unwrap();
        (sequence(&[&triple_des, &asking_for(1)]), cipher.encrypt_padded_vec::<Pkcs7>(&content))
    } else {
        let parameters = pbes2::Parameters::generate_pbkdf2_sha256_aes256cbc(1000, b"saltsalt", [0; 16]).unwrap();
        let algorithm = sequence(&[&oid(&[0x05, 0x0d]), &parameters.to_der().unwrap()]);
        (algorithm, parameters.encrypt(b"", &content).unwrap())
    };
    let info = sequence(&[&oid(&[0x07, 0x01]), &algorithm, &element(0x80, &sealed)]);
    let encrypted = element(CONTEXT_0, &sequence(&[&element(INTEGER, &[0]), &info]));
    let safe = sequence(&[&sequence(&[&oid(&[0x07, 0x06]), &encrypted])]);
    let data = element(CONTEXT_0, &element(OCTET_STRING, &safe));
    sequence(&[&element(INTEGER, &[3]), &sequence(&[&oid(&[0x07, 0x01]), &data])])
}

#[test]
fn keys_inside_encrypted_parts_cannot_ask_for_years() {
    for legacy in [false, true] {
        let error = open(&hiding(11, 1_000_000, legacy), "").unwrap_err();
        assert!(matches!(error, OpenError::TooCostly(_)), "legacy {legacy}: {error:?}");
        // The library opens the part, and then finds no key: the file is as the library wants it.
        assert_eq!(open(&hiding(3, 1, legacy), "").unwrap_err(), OpenError::WrongPassword);
        assert_eq!(sealed::parts(&hiding(3, 1, legacy))[0].open("").map(|content| content.is_empty()), Some(false));
        assert!(sealed::parts(&hiding(3, 1, legacy))[0].open("other").is_none());
    }
    for file in [&include_bytes!("../../tests/data/modern.p12")[..], include_bytes!("../../tests/data/legacy.p12")] {
        let parts = sealed::parts(file);
        assert!(!parts.is_empty() && parts.iter().all(|part| part.open("secret").is_some()));
    }
}
