//! What the parameters of key derivation in a file ask for.

use super::{Budget, MAX_PBKDF2_ITERATIONS, MAX_SCRYPT_BYTES, TooCostly};
use crate::tlv::{self, INTEGER, OCTET_STRING, SEQUENCE};

/// The tag and length of an object identifier and its octets.
const PBKDF2: &[u8] = &[0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x05, 0x0c];
const SCRYPT: &[u8] = &[0x06, 0x09, 0x2b, 0x06, 0x01, 0x04, 0x01, 0xda, 0x47, 0x04, 0x0b];
/// 1.2.840.113549.1.12.1, of which one more octet names the cipher.
const PKCS12_PBE: &[u8] = &[0x06, 0x0a, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x0c, 0x01];

impl Budget {
    /// Adds what the parameters of key derivation that are visible in these bytes ask for.
    pub(crate) fn spend(&mut self, bytes: &[u8]) -> Result<(), TooCostly> {
        self.add(mac_iterations(bytes).unwrap_or(0))?;
        for (at, window) in bytes.windows(PBKDF2.len()).enumerate() {
            let (skip, scrypt) = match window {
                PBKDF2 => (PBKDF2.len(), false),
                SCRYPT => (SCRYPT.len(), true),
                PKCS12_PBE => (PKCS12_PBE.len() + 1, false),
                _ => continue,
            };
            let Some(parameters) = bytes.get(at + skip..).and_then(parameters) else { continue };
            self.add(if scrypt { scrypt_cost(parameters)? } else { count(parameters) })?;
        }
        Ok(())
    }

    fn add(&mut self, iterations: u64) -> Result<(), TooCostly> {
        self.iterations = self.iterations.saturating_add(iterations);
        if self.iterations > MAX_PBKDF2_ITERATIONS {
            return Err(TooCostly {
                asked: self.iterations,
                limit: MAX_PBKDF2_ITERATIONS,
                unit: "iterations of password hashing",
            });
        }
        Ok(())
    }
}

/// The fields after the salt.
fn parameters(mut input: &[u8]) -> Option<&[u8]> {
    let mut fields = tlv::expect(&mut input, SEQUENCE)?;
    tlv::expect(&mut fields, OCTET_STRING)?;
    Some(fields)
}

fn count(mut fields: &[u8]) -> u64 {
    tlv::expect(&mut fields, INTEGER).map_or(0, number)
}

/// Checks the memory, and gives the work in the order of iterations of PBKDF2.
fn scrypt_cost(mut fields: &[u8]) -> Result<u64, TooCostly> {
    let mut next = || tlv::expect(&mut fields, INTEGER).map_or(0, number);
    let (cost, block, parallel) = (next(), next(), next());
    let memory = cost.saturating_mul(block).saturating_mul(128);
    if memory > MAX_SCRYPT_BYTES {
        return Err(TooCostly { asked: memory, limit: MAX_SCRYPT_BYTES, unit: "bytes of memory for scrypt" });
    }
    // One block of scrypt's mixing costs about as much as two iterations.
    Ok(cost.saturating_mul(block).saturating_mul(parallel).saturating_mul(2))
}

/// PFX: version, authSafe, macData { digest, salt, iterations }.
fn mac_iterations(bytes: &[u8]) -> Option<u64> {
    let mut input = bytes;
    let mut pfx = tlv::expect(&mut input, SEQUENCE)?;
    tlv::expect(&mut pfx, INTEGER)?;
    tlv::expect(&mut pfx, SEQUENCE)?;
    let mut mac = tlv::expect(&mut pfx, SEQUENCE)?;
    tlv::expect(&mut mac, SEQUENCE)?;
    tlv::expect(&mut mac, OCTET_STRING)?;
    tlv::expect(&mut mac, INTEGER).map(number)
}

/// A negative number counts as beyond every limit.
fn number(integer: &[u8]) -> u64 {
    match integer {
        [0x80..=0xff, ..] => u64::MAX,
        _ => integer
            .iter()
            .try_fold(0_u64, |sum, byte| sum.checked_mul(256)?.checked_add(u64::from(*byte)))
            .unwrap_or(u64::MAX),
    }
}
