//! A persistent hash map: clones share everything, and a change copies one way from the root.
//!
//! Branches of 32 ways, chosen by five bits of the hash at each depth. The hash comes from the caller, who hashes a key
//! once for many maps. Keys whose 64 bits are equal share a last branch that is searched one by one.

mod iter;

use std::borrow::Borrow;
use std::sync::Arc;

use smallvec::SmallVec;

use iter::Iter;

/// Bits of the hash that choose among a branch's slots.
const BITS: u32 = 5;

/// See the module.
pub(super) struct PersistentMap<K, V> {
    /// Absent exactly if the map is empty.
    root: Option<Arc<Branch<K, V>>>,
}

#[derive(Clone)]
struct Branch<K, V> {
    /// Which of the 32 ways have a slot; unused where the hash has no bits left.
    ways: u32,
    /// Leaves below.
    len: usize,
    /// One for each bit in `ways`, in their order. Most branches of a trie have one.
    slots: SmallVec<[Slot<K, V>; 1]>,
}

#[derive(Clone)]
enum Slot<K, V> {
    Leaf(Leaf<K, V>),
    Branch(Arc<Branch<K, V>>),
}

#[derive(Clone)]
struct Leaf<K, V> {
    hash: u64,
    key: K,
    value: V,
}

/// Where a hash leads in one branch.
enum Place {
    Taken(usize),
    Free { at: usize, way: u32 },
}

impl<K, V> PersistentMap<K, V> {
    pub(super) fn len(&self) -> usize {
        self.root.as_ref().map_or(0, |root| root.len)
    }

    pub(super) const fn is_empty(&self) -> bool {
        self.root.is_none()
    }

    pub(super) fn get<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let mut branch = self.root.as_deref()?;
        let mut shift = 0;
        loop {
            let Place::Taken(at) = branch.place(shift, hash, key) else { return None };
            match branch.slots.get(at)? {
                Slot::Leaf(leaf) => return leaf.is(hash, key).then_some(&leaf.value),
                Slot::Branch(below) => branch = below,
            }
            shift += BITS;
        }
    }

    /// All entries, in an order that depends only on the hashes, as far as they differ.
    pub(super) fn iter(&self) -> Iter<'_, K, V> {
        Iter { pending: self.root.iter().map(|root| root.slots.iter()).collect() }
    }

    /// The entry at that place of [`iter`](Self::iter).
    pub(super) fn nth(&self, mut place: usize) -> Option<(&K, &V)> {
        let mut branch = self.root.as_deref()?;
        'branches: loop {
            for slot in &branch.slots {
                match slot {
                    Slot::Leaf(leaf) if place == 0 => return Some((&leaf.key, &leaf.value)),
                    Slot::Branch(below) if place < below.len => {
                        branch = below;
                        continue 'branches;
                    }
                    Slot::Leaf(_) => place -= 1,
                    Slot::Branch(below) => place -= below.len,
                }
            }
            return None;
        }
    }

    /// Gives away the values that no clone of this map shares, and drops the rest.
    pub(super) fn take_unshared(self, mut take: impl FnMut(V)) {
        let mut pending: SmallVec<[Arc<Branch<K, V>>; 8]> = self.root.into_iter().collect();
        while let Some(branch) = pending.pop() {
            for slot in Arc::into_inner(branch).map(|branch| branch.slots).unwrap_or_default() {
                match slot {
                    Slot::Leaf(leaf) => take(leaf.value),
                    Slot::Branch(below) => pending.push(below),
                }
            }
        }
    }
}

impl<K: Clone, V: Clone> PersistentMap<K, V> {
    /// The value of the key, made if there is none, and whether it was made. Always `Some`.
    pub(super) fn get_or_insert_with<Q: Eq + ?Sized>(
        &mut self,
        hash: u64,
        key: &Q,
        make: impl FnOnce() -> (K, V),
    ) -> Option<(&mut V, bool)>
    where
        K: Borrow<Q>,
    {
        Arc::make_mut(self.root.get_or_insert_default()).get_or_insert_with(0, hash, key, make)
    }

    /// Stores a value; gives the one that it replaced.
    pub(super) fn insert(&mut self, hash: u64, key: K, value: V) -> Option<V>
    where
        K: Eq,
    {
        let (stored, made) = self.get_or_insert_with(hash, &key, || (key.clone(), value.clone()))?;
        (!made).then(|| std::mem::replace(stored, value))
    }

    /// Removes an entry; gives its value. A miss copies nothing.
    pub(super) fn remove<Q: Eq + ?Sized>(&mut self, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.get(hash, key)?;
        let root = Arc::make_mut(self.root.as_mut()?);
        let value = root.remove(0, hash, key);
        if root.len == 0 {
            self.root = None;
        }
        value
    }
}

/// The bit of `ways` for the hash in a branch `shift` bits down; none where the hash has no bits left.
fn way(shift: u32, hash: u64) -> Option<u32> {
    hash.checked_shr(shift).map(|bits| 1 << (bits & ((1 << BITS) - 1)))
}

impl<K, V> Branch<K, V> {
    /// Where the key is in this branch, or would go. A taken place may hold another key's leaf.
    fn place<Q: Eq + ?Sized>(&self, shift: u32, hash: u64, key: &Q) -> Place
    where
        K: Borrow<Q>,
    {
        let Some(way) = way(shift, hash) else {
            let same = |slot: &Slot<K, V>| matches!(slot, Slot::Leaf(leaf) if leaf.is(hash, key));
            return match self.slots.iter().position(same) {
                Some(at) => Place::Taken(at),
                None => Place::Free { at: self.slots.len(), way: 0 },
            };
        };
        debug_assert_eq!(self.slots.len(), self.ways.count_ones() as usize, "one slot for each way");
        let at = (self.ways & (way - 1)).count_ones() as usize;
        if self.ways & way == 0 { Place::Free { at, way } } else { Place::Taken(at) }
    }
}

// A place is within `slots` by what `place` asserts; `?` below stands for what cannot be and keeps it free of panics.
impl<K: Clone, V: Clone> Branch<K, V> {
    /// Recurses at most 13 times, as deep as the hash has bits.
    fn get_or_insert_with<Q: Eq + ?Sized>(
        &mut self,
        shift: u32,
        hash: u64,
        key: &Q,
        make: impl FnOnce() -> (K, V),
    ) -> Option<(&mut V, bool)>
    where
        K: Borrow<Q>,
    {
        match self.place(shift, hash, key) {
            Place::Free { at, way } => {
                let (key, value) = make();
                self.slots.insert(at, Slot::Leaf(Leaf { hash, key, value }));
                self.ways |= way;
                self.len += 1;
                match self.slots.get_mut(at)? {
                    Slot::Leaf(leaf) => Some((&mut leaf.value, true)),
                    Slot::Branch(_) => None,
                }
            }
            Place::Taken(at) => {
                let slot = self.slots.get_mut(at)?;
                if let Slot::Leaf(leaf) = slot
                    && !leaf.is(hash, key)
                {
                    *slot = Slot::Branch(Arc::new(Self::of(leaf.clone(), shift + BITS)));
                }
                match slot {
                    Slot::Leaf(leaf) => Some((&mut leaf.value, false)),
                    Slot::Branch(below) => {
                        let found = Arc::make_mut(below).get_or_insert_with(shift + BITS, hash, key, make)?;
                        self.len += usize::from(found.1);
                        Some(found)
                    }
                }
            }
        }
    }

    /// Recurses at most 13 times, as deep as the hash has bits.
    fn remove<Q: Eq + ?Sized>(&mut self, shift: u32, hash: u64, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let Place::Taken(at) = self.place(shift, hash, key) else { return None };
        let slot = self.slots.get_mut(at)?;
        let value = match slot {
            Slot::Branch(below) => {
                let branch = Arc::make_mut(below);
                let value = branch.remove(shift + BITS, hash, key)?;
                // A lone leaf moves up, so the shape depends on the content and not on its history.
                if matches!(branch.slots.as_slice(), [Slot::Leaf(_)])
                    && let Some(leaf) = branch.slots.pop()
                {
                    *slot = leaf;
                }
                value
            }
            Slot::Leaf(leaf) if leaf.is(hash, key) => {
                let value = leaf.value.clone();
                self.slots.remove(at);
                self.ways &= !way(shift, hash).unwrap_or(0);
                value
            }
            Slot::Leaf(_) => return None,
        };
        self.len -= 1;
        Some(value)
    }

    /// A branch `shift` bits down with one leaf.
    fn of(leaf: Leaf<K, V>, shift: u32) -> Self {
        let ways = way(shift, leaf.hash).unwrap_or(0);
        Self { ways, len: 1, slots: SmallVec::from_iter([Slot::Leaf(leaf)]) }
    }
}

impl<K, V> Leaf<K, V> {
    fn is<Q: Eq + ?Sized>(&self, hash: u64, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.hash == hash && self.key.borrow() == key
    }
}

impl<K, V> Clone for PersistentMap<K, V> {
    fn clone(&self) -> Self {
        Self { root: self.root.clone() }
    }
}

impl<K, V> Default for PersistentMap<K, V> {
    fn default() -> Self {
        Self { root: None }
    }
}

impl<K, V> Default for Branch<K, V> {
    fn default() -> Self {
        Self { ways: 0, len: 0, slots: SmallVec::new() }
    }
}

#[cfg(test)]
mod tests;
