use super::*;
use crate::classify::der;
use crate::passphrase::Passphrase;

fn first_key(bytes: &[u8]) -> PrivateKey {
    crate::pem::Material::read(bytes).unwrap().keys.remove(0)
}

#[test]
fn every_form_and_kind_is_loaded_or_named() {
    for bytes in [
        &include_bytes!("../../tests/data/ec.sec1.key")[..],
        include_bytes!("../../tests/data/ec.params.key"),
        include_bytes!("../../tests/data/ec.pkcs8.der"),
        include_bytes!("../../tests/data/secp521r1.key"),
        include_bytes!("../../tests/data/rsa2048.pkcs1.key"),
        include_bytes!("../../tests/data/ed25519.key"),
    ] {
        assert!(first_key(bytes).load().is_ok());
    }
    for (bytes, kind) in [
        (&include_bytes!("../../tests/data/rsa1024.key")[..], KeyKind::Rsa { bits: 1024 }),
        (include_bytes!("../../tests/data/secp256k1.key"), KeyKind::Ec { curve: "secp256k1".to_owned(), bits: 256 }),
        (
            include_bytes!("../../tests/data/brainpoolP256r1.key"),
            KeyKind::Ec { curve: "brainpoolP256r1".to_owned(), bits: 256 },
        ),
    ] {
        assert_eq!(first_key(bytes).load().map(drop), Err(KeyProblem::Unusable(kind)));
    }
}

#[test]
fn public_keys_are_named() {
    for (bytes, expected) in [
        (&include_bytes!("../../tests/data/leaf.crt")[..], "ECDSA P-256"),
        (include_bytes!("../../tests/data/rsa1024.crt"), "RSA 1024"),
        (include_bytes!("../../tests/data/ed25519.crt"), "Ed25519"),
        (include_bytes!("../../tests/data/secp521r1.crt"), "ECDSA P-521"),
    ] {
        let certificate = crate::pem::certificates(bytes).unwrap().remove(0);
        assert_eq!(KeyKind::of(certificate.public_key()).to_string(), expected);
    }
    assert_eq!(KeyKind::of(b"x").to_string(), "damaged");
    let oid = KeyKind::of(&[0x30, 8, 0x30, 3, 0x06, 1, 0x2b, 0x03, 1, 0]);
    assert_eq!(oid.to_string(), "unknown (1.3)");
    assert_eq!((oid.bits(), oid.is_usable()), (0, false));
}

fn check_cost(bytes: &[u8]) -> Result<(), TooCostly> {
    Budget::default().spend(bytes)
}

/// EncryptedPrivateKeyInfo with PBKDF2 of so many iterations, as far as its cost is concerned.
fn asking_for(oid: &[u8], parameters: &[u8]) -> Vec<u8> {
    let parameters = [&[0x04, 1, 0][..], parameters].concat();
    [oid, &[0x30, u8::try_from(parameters.len()).unwrap()], &parameters].concat()
}

#[test]
fn a_file_that_asks_for_years_is_refused() {
    const PBKDF2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
    const SCRYPT: &[u8] = &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];
    let modest = asking_for(PBKDF2, &[0x02, 3, 0x0f, 0x42, 0x40]);
    assert_eq!(check_cost(&modest), Ok(()));
    assert!(check_cost(&modest.repeat(11)).is_err(), "the sum counts");
    let mut budget = Budget::default();
    for _ in 0..10 {
        assert_eq!(budget.spend(&modest), Ok(()));
    }
    assert!(budget.spend(&modest).is_err(), "the sum over all attempts counts");
    let forty_bits = asking_for(PBKDF2, &[0x02, 6, 1, 0, 0, 0, 0, 0]);
    assert_eq!(check_cost(&forty_bits).unwrap_err().asked, 1 << 40);
    assert_eq!(check_cost(&asking_for(PBKDF2, &[0x02, 1, 0xff])).unwrap_err().asked, u64::MAX);
    // N = 2^20, r = 8: 1 GiB.
    let memory = asking_for(SCRYPT, &[0x02, 3, 0x10, 0, 0, 0x02, 1, 8, 0x02, 1, 1]);
    assert_eq!(check_cost(&memory).unwrap_err().asked, 1 << 30);
    // N = 2^14, r = 8, p = 2^20.
    let work = asking_for(SCRYPT, &[0x02, 2, 0x40, 0, 0x02, 1, 8, 0x02, 3, 0x10, 0, 0]);
    assert!(check_cost(&work).is_err());
}

#[cfg(feature = "encrypted-keys")]
#[test]
fn a_key_that_asks_for_years_is_refused_before_anything_is_computed() {
    let mut bytes = include_bytes!("../../tests/data/ec.aes.der").to_vec();
    let at = bytes.windows(4).position(|window| window == [0x02, 0x02, 0x08, 0x00]).unwrap();
    // The count of iterations stands in two octets: make it negative, which is beyond every limit.
    bytes[at + 2] = 0xff;
    assert!(matches!(
        decrypt(&bytes, &Passphrase::new("secret"), &mut Budget::default()),
        Err(DecryptError::TooCostly(_))
    ));
    assert!(der::kind(&bytes).is_some());
}
