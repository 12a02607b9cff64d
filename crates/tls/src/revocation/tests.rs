use super::*;

#[test]
fn ocsp_cannot_be_demanded() {
    let demanding = Revocation::builder().ocsp(Ocsp::Required);
    assert_eq!(demanding.from_bytes(b"", 0).unwrap_err(), RevocationError::OcspUnsupported);
    let paths: [&Path; 0] = [];
    assert_eq!(demanding.load(&paths, 0).unwrap_err(), RevocationError::OcspUnsupported);
}
