//! What a file may cost to open: a hostile one would ask for years.

#[cfg(any(feature = "encrypted-keys", feature = "pkcs12"))]
mod asked;

#[cfg(any(feature = "encrypted-keys", feature = "pkcs12"))]
pub(crate) use asked::Budget;

/// The most iterations of password hashing that opening one file may take in all, counted in those of PBKDF2 with an
/// output of one block: 10 million, some seconds.
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
