//! Checking signatures of certificates, each once.

use std::sync::{Mutex, PoisonError};

use aws_lc_rs::digest::{Context, SHA256};
use rustls::pki_types::{AlgorithmIdentifier, InvalidSignature, SignatureVerificationAlgorithm};

use crate::provider::provider;

/// How many good signatures are remembered.
const MAX_GOOD: usize = 32;

/// What stands for a signature with everything that it was checked against: SHA-256 of all of it.
type Mark = [u8; 32];

/// The signatures that were found good last.
///
/// Whether a signature is good depends on nothing but the key, what was signed and the signature, so that the same one
/// need not be checked again, neither by path building nor on the next connection to the same peer. What depends on the
/// time, such as validity and revocation, is not remembered, and neither is a failure.
#[derive(Debug, Default)]
pub(super) struct GoodSignatures(Mutex<Vec<Mark>>);

impl GoodSignatures {
    /// The algorithms of this crate's TLS, which look here first.
    pub(super) fn algorithms(&self) -> Vec<Remembering<'_>> {
        let all = provider().signature_verification_algorithms.all;
        all.iter().map(|algorithm| Remembering { algorithm: *algorithm, good: self }).collect()
    }

    /// Was it found good? It is then among the last ones again.
    fn contains(&self, mark: &Mark) -> bool {
        let mut good = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(found) = good.iter().rposition(|known| known == mark) else { return false };
        let mark = good.remove(found);
        good.push(mark);
        true
    }

    fn add(&self, mark: Mark) {
        let mut good = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another thread may have checked the same one.
        if good.contains(&mark) {
            return;
        }
        if good.len() == MAX_GOOD {
            good.remove(0);
        }
        good.push(mark);
    }
}

/// An algorithm that does not check again what it found good.
#[derive(Debug)]
pub(super) struct Remembering<'a> {
    algorithm: &'static dyn SignatureVerificationAlgorithm,
    good: &'a GoodSignatures,
}

impl SignatureVerificationAlgorithm for Remembering<'_> {
    fn verify_signature(&self, public_key: &[u8], message: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
        let (key_algorithm, algorithm) = (self.public_key_alg_id(), self.signature_alg_id());
        let mark = mark([key_algorithm.as_ref(), algorithm.as_ref(), public_key, message, signature]);
        if mark.is_some_and(|mark| self.good.contains(&mark)) {
            return Ok(());
        }
        self.algorithm.verify_signature(public_key, message, signature)?;
        if let Some(mark) = mark {
            self.good.add(mark);
        }
        Ok(())
    }

    fn public_key_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.public_key_alg_id()
    }

    fn signature_alg_id(&self) -> AlgorithmIdentifier {
        self.algorithm.signature_alg_id()
    }

    fn fips(&self) -> bool {
        self.algorithm.fips()
    }
}

/// Each part goes with its length, so that no two lists of parts have the same bytes.
fn mark(parts: [&[u8]; 5]) -> Option<Mark> {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part);
    }
    context.finish().as_ref().try_into().ok()
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::alg_id;

    use super::*;

    /// Finds every signature good that begins with a one, once.
    #[derive(Debug, Default)]
    struct Counting(Mutex<usize>);

    impl SignatureVerificationAlgorithm for Counting {
        fn verify_signature(&self, _: &[u8], _: &[u8], signature: &[u8]) -> Result<(), InvalidSignature> {
            *self.0.lock().unwrap() += 1;
            if signature.first() == Some(&1) { Ok(()) } else { Err(InvalidSignature) }
        }

        fn public_key_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_P256
        }

        fn signature_alg_id(&self) -> AlgorithmIdentifier {
            alg_id::ECDSA_SHA256
        }
    }

    fn counting() -> &'static Counting {
        Box::leak(Box::default())
    }

    #[test]
    fn only_a_good_signature_is_remembered_and_only_for_the_same_key_and_message() {
        let (inner, good) = (counting(), GoodSignatures::default());
        let algorithm = Remembering { algorithm: inner, good: &good };
        let check = |parts: [&[u8]; 3], is_good: bool, asked: usize| {
            assert_eq!(algorithm.verify_signature(parts[0], parts[1], parts[2]).is_ok(), is_good, "{parts:?}");
            assert_eq!(*inner.0.lock().unwrap(), asked, "{parts:?}");
        };
        check([b"key", b"message", b"\x01"], true, 1);
        check([b"key", b"message", b"\x01"], true, 1);
        check([b"key", b"message", b"\x00"], false, 2);
        check([b"key", b"message", b"\x00"], false, 3);
        check([b"kez", b"message", b"\x01"], true, 4);
        check([b"key", b"messagf", b"\x01"], true, 5);
        check([b"keym", b"essage", b"\x01"], true, 6);
        check([b"key", b"message", b"\x01"], true, 6);
    }

    #[test]
    fn what_is_met_again_stays_and_the_rest_is_forgotten_in_time() {
        let (inner, good) = (counting(), GoodSignatures::default());
        let algorithm = Remembering { algorithm: inner, good: &good };
        let check = |message: usize| algorithm.verify_signature(b"key", &message.to_be_bytes(), b"\x01").unwrap();
        for number in 1..=100 {
            check(0);
            check(number);
        }
        assert_eq!(*inner.0.lock().unwrap(), 101);
        assert_eq!(good.0.lock().unwrap().len(), MAX_GOOD);
        check(1);
        assert_eq!(*inner.0.lock().unwrap(), 102);
    }
}
