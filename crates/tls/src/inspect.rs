//! A readable account of certificates: what they say, how they hang together, and how different programs judge them.

mod account;
mod chain;
mod details;
mod judge;
mod signature;

pub use account::{Inspection, Lifetime, Thumbprints, sha256_hex};
pub use chain::{Chain, Fault, Link, MAX_SIGNATURE_CHECKS};
pub use judge::{
    Comparison, DEBIAN_SECURITY_LEVEL, Difference, Judge, MAX_CERTIFICATES, Outcome, Purpose, Question, Verdict,
};
pub use signature::{Digest, SignatureAlgorithm};

pub(crate) use signature::Signed;

#[cfg(test)]
mod tests;
