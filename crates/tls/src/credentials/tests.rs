//! What the tests of several modules share.

use crate::identity::Identity;
use crate::issue::{CertificateAuthority, Validity};

/// 2026-01-01, so that tests need no clock.
pub(super) const NOW: u64 = 1_767_225_600;

pub(super) fn authority() -> CertificateAuthority {
    CertificateAuthority::new_root("Watched Root", Validity::days(NOW, 30)).unwrap()
}

/// An identity that ends after `days`.
pub(super) fn identity(name: &str, days: u32) -> Identity {
    let issued = authority().issue_client(name, Validity::days(NOW, days)).unwrap();
    Identity::from_pem(issued.chain_pem().as_bytes(), issued.key_pem().as_bytes()).unwrap()
}
