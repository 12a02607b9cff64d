//! From certificates in any order to the chain that is sent.

use crate::certificate::Certificate;

/// What sorting noticed.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// The leaf was not the first certificate.
    pub(super) leaf_not_first: bool,
    /// The certificates after the leaf were not in the order of issue.
    pub(super) out_of_order: bool,
    /// The root that was left out.
    pub(super) root: Option<Certificate>,
    /// Certificates that do not belong to the leaf's chain.
    pub(super) unrelated: Vec<Certificate>,
}

/// Sorts by issuer from the leaf upwards; the root is left out unless it is the leaf.
pub(super) fn sort(given: &[Certificate], leaf: usize) -> (Vec<Certificate>, Notes) {
    let mut notes = Notes { leaf_not_first: leaf != 0, ..Notes::default() };
    let mut left: Vec<(usize, &Certificate)> = given.iter().enumerate().collect();
    let mut chain: Vec<Certificate> = Vec::with_capacity(given.len());
    let mut places = Vec::with_capacity(given.len());
    let mut next = left.iter().position(|(place, _)| *place == leaf);
    while let Some(found) = next {
        let (place, certificate) = left.remove(found);
        left.retain(|(_, other)| *other != certificate);
        places.push(place);
        if certificate.is_self_issued() && !chain.is_empty() {
            notes.root = Some(certificate.clone());
            break;
        }
        chain.push(certificate.clone());
        next = if certificate.is_self_issued() {
            None
        } else {
            left.iter().position(|(_, other)| certificate.names_as_issuer(other))
        };
    }
    notes.out_of_order = !notes.leaf_not_first && !places.is_sorted();
    notes.unrelated = left.into_iter().map(|(_, certificate)| certificate.clone()).collect();
    (chain, notes)
}
