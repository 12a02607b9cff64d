//! Iteration, in the order of the hashes' bits from the lowest.

use std::slice;

use smallvec::SmallVec;

use super::Slot;

/// See [`PersistentMap::iter`](super::PersistentMap::iter).
pub(in crate::topic::index) struct Iter<'a, K, V> {
    pub(super) pending: SmallVec<[slice::Iter<'a, Slot<K, V>>; 4]>,
}

impl<'a, K, V> Iterator for Iter<'a, K, V> {
    type Item = (&'a K, &'a V);

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            match self.pending.last_mut()?.next() {
                Some(Slot::Leaf(leaf)) => return Some((&leaf.key, &leaf.value)),
                Some(Slot::Branch(below)) => self.pending.push(below.slots.iter()),
                None => drop(self.pending.pop()),
            }
        }
    }
}
