//! What a file may cost to open: a hostile one would ask for years.

#[cfg(any(feature = "encrypted-keys", feature = "pkcs12"))]
mod asked;

/// The most iterations of password hashing that one loading may take in all, whatever number of keys and files it
/// opens and of passphrases it tries: 10 million, some seconds.
pub const MAX_PBKDF2_ITERATIONS: u64 = 10_000_000;
/// The most memory that scrypt may be asked for: 256 MiB.
pub const MAX_SCRYPT_BYTES: u64 = 256 * 1024 * 1024;

/// A file asks for more work than it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it asks for {asked} {unit}, and at most {limit} are spent on a file")]
#[non_exhaustive]
pub struct TooCostly {
    /// What it asks for.
    pub asked: u64,
    /// The limit.
    pub limit: u64,
    /// Of what.
    pub unit: &'static str,
}

/// What one loading has spent on password hashing.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    #[cfg_attr(
        not(any(feature = "encrypted-keys", feature = "pkcs12")),
        allow(dead_code, reason = "nothing is opened without these features")
    )]
    iterations: u64,
}
