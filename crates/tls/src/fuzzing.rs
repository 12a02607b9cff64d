//! What the fuzzers drive, and the seeded tests with them. Not for use; may change at any time.

/// The classifier, and everything that can be said of its result.
pub fn classify(bytes: &[u8]) {
    let classified = crate::classify::classify(bytes);
    assert!(!classified.items.is_empty(), "something is always named");
    let _ = format!("{classified} {:?}", classified.findings("file"));
}

/// The reader of certificates and keys, up to the cryptographic library.
pub fn pem(bytes: &[u8]) {
    let _ = crate::pem::certificates(bytes);
    if let Ok(material) = crate::pem::Material::read(bytes) {
        for key in &material.keys {
            let _ = key.load();
        }
    }
}

/// The reader of PKCS#7.
pub fn pkcs7(bytes: &[u8]) {
    let _ = crate::pkcs7::certificates(bytes, 1000);
}

/// The reader of PKCS#12, without a password.
pub fn pkcs12(bytes: &[u8]) {
    let _ = crate::pkcs12::open(bytes, "", &mut crate::keys::Budget::default());
}
