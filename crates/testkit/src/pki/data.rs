//! The files in `crates/testkit/data`, which other programs made. Its README says how.

/// The passphrase of every file that has one.
pub const PASSPHRASE: &str = "correct horse";

macro_rules! files {
    ($($(#[$doc:meta])* $name:ident $file:literal,)*) => {
        $($(#[$doc])* pub const $name: &[u8] = include_bytes!(concat!("../../data/", $file));)*
    };
}

files! {
    /// The root.
    ROOT "root.pem",
    /// The intermediate.
    INTERMEDIATE "intermediate.pem",
    /// A sound client certificate.
    CLIENT "client.pem",
    /// Its key, SEC1.
    CLIENT_KEY "client.key",
    /// The client and its intermediate.
    CHAIN "chain.pem",
    /// The client's key, PKCS#8.
    PKCS8_KEY "client.pkcs8.key",
    /// The client's key, SEC1 after a section of parameters.
    PARAMETERS_KEY "client.parameters.key",
    /// The client's key, PKCS#8 under [`PASSPHRASE`].
    ENCRYPTED_KEY "client.encrypted.key",
    /// The client's key, SEC1 under [`PASSPHRASE`] in the form of old OpenSSL.
    TRADITIONAL_KEY "client.traditional.key",
    /// A client with an RSA key.
    RSA_CLIENT "client.rsa.pem",
    /// Its key, PKCS#1.
    RSA_KEY "client.rsa.key",
    /// The client's certificate as `TRUSTED CERTIFICATE`.
    TRUSTED "client.trusted.pem",
    /// The client's certificate in DER.
    DER "client.der",
    /// The chain in PKCS#7.
    PKCS7 "chain.p7b",
    /// A certificate request.
    REQUEST "client.csr.pem",
    /// A public key.
    PUBLIC_KEY "client.public.pem",
    /// A private key of OpenSSH.
    OPENSSH_KEY "openssh.key",
    /// A client with an RSA key of 1024 bits.
    RSA1024 "rsa1024.pem",
    /// Its key.
    RSA1024_KEY "rsa1024.key",
    /// A client on secp256k1.
    SECP256K1 "secp256k1.pem",
    /// Its key.
    SECP256K1_KEY "secp256k1.key",
    /// A client on brainpoolP256r1.
    BRAINPOOL "brainpool.pem",
    /// Its key.
    BRAINPOOL_KEY "brainpool.key",
    /// The client's key, certified with SHA-1.
    SHA1 "sha1.pem",
    /// The client's key, certified with MD5.
    MD5 "md5.pem",
    /// Who certified with MD5.
    MD5_ROOT "md5ca.pem",
    /// PKCS#12 of OpenSSL 3.
    MODERN_P12 "modern.p12",
    /// PKCS#12 with RC2-40.
    LEGACY_P12 "legacy.p12",
    /// PKCS#12 with 3DES and SHA-1.
    COMPAT_P12 "compat.p12",
    /// PKCS#12 without encryption, under an empty password.
    PASSWORDLESS_P12 "passwordless.p12",
    /// PKCS#12 without a private key.
    NOKEY_P12 "nokey.p12",
    /// PKCS#12 without the intermediate.
    NOCHAIN_P12 "nochain.p12",
}
