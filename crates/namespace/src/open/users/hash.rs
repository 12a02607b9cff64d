//! Argon2id in PHC strings.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use argon2::password_hash::phc::{self, Output};
use argon2::{Algorithm, Argon2, Params, Version};

/// The hash of a password as a PHC string: `$argon2id$v=19$m=19456,t=2,p=1$salt$hash`. It is never shown by `Debug`.
///
/// New hashes cost 19 MiB, two passes, one lane, with 16 bytes of salt and 32 of hash, which is what OWASP's password
/// storage cheat sheet advises. Hashes that others made are taken at their own cost, up to 256 MiB, 16 passes and 16
/// lanes.
#[derive(Clone)]
pub struct PasswordHash {
    text: Arc<str>,
    params: Params,
    salt: Arc<[u8]>,
    /// Without one, no password is right.
    expected: Option<Output>,
}

/// Why a text is no hash of a password, or a password cannot be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HashError {
    /// The password is empty.
    #[error("the password is empty; choose another")]
    EmptyPassword,
    /// More than 65,535 bytes, which CONNECT cannot carry.
    #[error("the password is longer than 65535 bytes; choose a shorter one")]
    LongPassword,
    /// No PHC string.
    #[error("the hash is no PHC string such as '$argon2id$v=19$m=19456,t=2,p=1$…'; make one with 'gridmq users add'")]
    NotPhc,
    /// Another algorithm, or Argon2's first version.
    #[error("the hash is not Argon2id in version 19; set the password anew with 'gridmq users add'")]
    Algorithm,
    /// A cost beyond the limits.
    #[error("the hash costs more than 256 MiB, 16 passes or 16 lanes; make a cheaper one with 'gridmq users add'")]
    Cost,
    /// No salt of 8 to 64 bytes or no hash of 16 to 64.
    #[error(
        "the salt or the hash is missing, shorter than 8 or 16 bytes, or longer than 64; make a new one with 'gridmq users add'"
    )]
    Length,
}

impl PasswordHash {
    /// KiB of memory that a new hash costs.
    pub const MEMORY_KIB: u32 = 19_456;
    /// Passes over it.
    pub const PASSES: u32 = 2;
    /// Lanes of it.
    pub const LANES: u32 = 1;

    const MAX_MEMORY_KIB: u32 = 256 * 1024;
    const MAX_PASSES: u32 = 16;
    const MAX_LANES: u32 = 16;
    const MAX_PASSWORD: usize = 65_535;

    /// Hashes a password with that salt, which must be random and used once. This takes tens of milliseconds.
    ///
    /// # Errors
    /// When the password is empty or too long.
    pub fn new(password: &[u8], salt: [u8; 16]) -> Result<Self, HashError> {
        match password.len() {
            0 => return Err(HashError::EmptyPassword),
            1..=Self::MAX_PASSWORD => {}
            _ => return Err(HashError::LongPassword),
        }
        let params = Params::new(Self::MEMORY_KIB, Self::PASSES, Self::LANES, None).map_err(|_| HashError::Cost)?;
        let hash = argon2::password_hash::CustomizedPasswordHasher::hash_password_customized(
            &Argon2::default(),
            password,
            &salt,
            Some("argon2id"),
            Some(u32::from(Version::V0x13)),
            params,
        );
        hash.map_err(|_| HashError::Length)?.to_string().parse()
    }

    /// The PHC string.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it is the hash of that password. This takes tens of milliseconds.
    #[must_use]
    pub fn verify(&self, password: &[u8]) -> bool {
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, self.params.clone());
        let mut out = [0; Output::MAX_LENGTH];
        let length = self.expected.map_or(Params::DEFAULT_OUTPUT_LEN, |expected| expected.len());
        let Some(out) = out.get_mut(..length) else { return false };
        if argon2.hash_password_into(password, &self.salt, out).is_err() {
            return false;
        }
        // The comparison of outputs takes the same time whatever differs.
        self.expected.is_some_and(|expected| Output::new(out).is_ok_and(|output| output == expected))
    }

    /// A hash that no password has, at the cost of new ones.
    pub(super) fn decoy() -> Self {
        Self { text: "".into(), params: Params::DEFAULT, salt: Arc::new([0; 16]), expected: None }
    }
}

impl FromStr for PasswordHash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Self, HashError> {
        let parsed = phc::PasswordHash::new(text).map_err(|_| HashError::NotPhc)?;
        if parsed.algorithm.as_str() != "argon2id" || parsed.version != Some(Version::V0x13.into()) {
            return Err(HashError::Algorithm);
        }
        let params = Params::try_from(&parsed).map_err(|_| HashError::Cost)?;
        if params.m_cost() > Self::MAX_MEMORY_KIB
            || params.t_cost() > Self::MAX_PASSES
            || params.p_cost() > Self::MAX_LANES
        {
            return Err(HashError::Cost);
        }
        let (Some(salt), Some(expected)) = (parsed.salt, parsed.hash) else { return Err(HashError::Length) };
        if salt.len() < 8 || expected.len() < 16 {
            return Err(HashError::Length);
        }
        Ok(Self { text: text.into(), params, salt: Arc::from(&*salt), expected: Some(expected) })
    }
}

impl PartialEq for PasswordHash {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for PasswordHash {}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(not shown)")
    }
}
