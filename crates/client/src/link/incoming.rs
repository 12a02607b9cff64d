//! What was read and is not decoded.

use bytes::BytesMut;

/// Room for one read, in bytes: of a new block, and what has to be left of one to read into it again.
const BLOCK: usize = 16 * 1024;
const MIN_READ: usize = 4 * 1024;
/// A new block has room for just so many packets like the last, up to a size: where none ends within another, none is
/// copied to the next block.
const PACKETS: usize = 3;
const MAX_BLOCK: usize = 64 * 1024;

/// A block of memory that is read into until little of it is left: the messages that came in it share it as long as they
/// live, and with a block for every read, each small one would hold 16 KiB. Where packets are large it is larger, in
/// proportion to them.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) bytes: BytesMut,
    /// The size of the block, but for those that grew with a packet.
    block: usize,
    /// The size of the last packet.
    packet: usize,
    /// Something has arrived since [`Self::rest`] was called last.
    busy: bool,
}

impl Incoming {
    /// Sees to it that so many bytes can be read.
    pub(super) fn make_room(&mut self, needed: usize) {
        let needed = needed.max(MIN_READ);
        if self.room() < needed {
            self.block = self.packet.saturating_mul(PACKETS).clamp(BLOCK, MAX_BLOCK);
            self.bytes.reserve(needed.max(self.block));
        }
    }

    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// A packet of that size was decoded.
    pub(super) const fn took(&mut self, packet: usize) {
        self.packet = packet;
    }

    /// Something has arrived.
    pub(super) const fn arrived(&mut self) {
        self.busy = true;
    }

    /// Nothing more is there. Where that is so twice in a row, as it is when a PINGREQ is due, a large block is not kept;
    /// one given back between the messages of a busy stream would have to be asked for again at once.
    pub(super) fn rest(&mut self) {
        if !std::mem::take(&mut self.busy) && self.block > BLOCK && self.bytes.is_empty() {
            (self.bytes, self.block) = (BytesMut::new(), 0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(incoming: &mut Incoming, packet: usize) {
        incoming.bytes.extend_from_slice(&vec![0; packet]);
        drop(incoming.bytes.split_to(packet));
        incoming.took(packet);
    }

    #[test]
    fn a_block_is_in_proportion_to_the_packets() {
        for (packet, block) in
            [(30, BLOCK), (4096, BLOCK), (8192, 3 * 8192), (16_400, 3 * 16_400), (1 << 20, MAX_BLOCK)]
        {
            let mut incoming = Incoming::default();
            incoming.make_room(2);
            assert_eq!(incoming.room(), BLOCK);
            read(&mut incoming, packet);
            incoming.bytes = BytesMut::new();
            incoming.make_room(2);
            assert_eq!(incoming.room(), block, "{packet}");
        }
    }

    #[test]
    fn small_packets_use_a_block_up() {
        let mut incoming = Incoming::default();
        for left in (MIN_READ..BLOCK).rev().step_by(32) {
            incoming.make_room(2);
            read(&mut incoming, 32);
            assert!(incoming.room() <= left + 32, "{} {left}", incoming.room());
        }
    }

    #[test]
    fn a_large_block_is_not_kept_while_nothing_comes() {
        let mut incoming = Incoming::default();
        incoming.took(1 << 20);
        incoming.make_room(2);
        // Part of a packet: the rest is to come.
        incoming.bytes.extend_from_slice(&[0; 100]);
        incoming.rest();
        assert_eq!((incoming.bytes.len(), incoming.room()), (100, MAX_BLOCK - 100));
        incoming.bytes.clear();
        incoming.arrived();
        incoming.rest();
        assert_eq!(incoming.bytes.capacity(), MAX_BLOCK);
        incoming.rest();
        assert_eq!(incoming.bytes.capacity(), 0);
        // A small one is.
        incoming.took(30);
        incoming.make_room(2);
        incoming.rest();
        assert_eq!(incoming.bytes.capacity(), BLOCK);
    }
}
