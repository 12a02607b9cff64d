use super::*;

const BUNDLE: &[u8] = include_bytes!("../../tests/data/chain.der.p7b");

#[test]
fn a_bundle_gives_its_certificates_in_order() {
    let found = certificates(BUNDLE, 2).unwrap();
    assert_eq!(found.len(), 2);
    assert_eq!(found[0], include_bytes!("../../tests/data/leaf.der"));
    assert_eq!(certificates(BUNDLE, 1), Err(Pkcs7Error::TooMany));
}

#[test]
fn every_beginning_of_a_bundle_is_refused() {
    for end in 0..BUNDLE.len() {
        assert_eq!(certificates(&BUNDLE[..end], 9), Err(Pkcs7Error::NotSignedData), "{end}");
    }
}

/// Java and others write BER, with indefinite lengths.
#[test]
fn a_file_in_ber_is_read_as_one_in_der() {
    let mut input = BUNDLE;
    let info = tlv::expect(&mut input, SEQUENCE).unwrap();
    let ber = [&[SEQUENCE, 0x80], info, &[0, 0]].concat();
    assert_eq!(certificates(&ber, 9), certificates(BUNDLE, 9));
    assert_eq!(crate::pem::certificates(&ber), crate::pem::certificates(BUNDLE));
    assert_eq!(crate::pem::certificates(&ber).unwrap().len(), 2);
}
