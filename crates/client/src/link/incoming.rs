//! What was read and is not decoded.

use std::time::Duration;

use bytes::BytesMut;
use gridmq_proto::time::Monotonic;

/// Room for one read, in bytes: of a new block, and what has to be left of one to read into it again.
const BLOCK: usize = 16 * 1024;
const MIN_READ: usize = 4 * 1024;
/// A new block has room for just so many packets like the largest of late, up to a size: where none ends within another,
/// none is copied to the next block.
const PACKETS: usize = 3;
const MAX_BLOCK: usize = 64 * 1024;
/// What is left of a packet's size in the sizing of blocks with each smaller one that follows: acknowledgements between
/// messages count for little.
const FADING: usize = 8;
/// How long nothing must have come for a large block to be given back.
const QUIET: Duration = Duration::from_secs(1);

/// A block of memory that is read into until little of it is left: the messages that came in it share it as long as they
/// live, and with a block for every read, each small one would hold 16 KiB. Where packets are large it is larger, in
/// proportion to them.
#[derive(Debug, Default)]
pub(super) struct Incoming {
    pub(super) bytes: BytesMut,
    /// The size of the block at least.
    block: usize,
    /// The size of late packets.
    packet: usize,
    /// When something came last.
    arrived: Monotonic,
}

impl Incoming {
    /// Sees to it that so many bytes can be read.
    pub(super) fn make_room(&mut self, needed: usize) {
        let needed = needed.max(MIN_READ);
        if self.room() < needed {
            let room = self.packet.saturating_mul(PACKETS).clamp(BLOCK, MAX_BLOCK).max(needed);
            self.bytes.reserve(room);
            self.block = self.bytes.capacity();
        }
    }

    fn room(&self) -> usize {
        self.bytes.capacity() - self.bytes.len()
    }

    /// A packet of that size was decoded.
    pub(super) fn took(&mut self, packet: usize) {
        self.packet = packet.max(self.packet - self.packet / FADING);
    }

    /// Something has arrived.
    pub(super) const fn arrived(&mut self, now: Monotonic) {
        self.arrived = now;
    }

    /// Nothing more is there. A large block is not kept where nothing has come for a while, as when a PINGREQ is due; one
    /// given back between the messages of a busy stream would have to be asked for again at once.
    pub(super) fn rest(&mut self, now: Monotonic) {
        if self.block > BLOCK && self.bytes.is_empty() && now.since(self.arrived) >= QUIET {
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
        let after = |time: Duration| Monotonic::default().after(time);
        for grown in [false, true] {
            let mut incoming = Incoming::default();
            incoming.took(if grown { 30 } else { 1 << 20 });
            incoming.make_room(if grown { 1 << 20 } else { 2 });
            let room = incoming.room();
            assert_eq!(room, if grown { 1 << 20 } else { MAX_BLOCK });
            // Part of a packet: the rest is to come.
            incoming.bytes.extend_from_slice(&[0; 100]);
            incoming.rest(after(QUIET));
            assert_eq!((incoming.bytes.len(), incoming.room()), (100, room - 100));
            incoming.bytes.clear();
            incoming.arrived(after(QUIET));
            incoming.rest(after(QUIET + QUIET / 2));
            assert_eq!(incoming.bytes.capacity(), room);
            incoming.rest(after(2 * QUIET));
            assert_eq!(incoming.bytes.capacity(), 0);
        }
        // A small one is.
        let mut incoming = Incoming::default();
        incoming.took(30);
        incoming.make_room(2);
        incoming.rest(after(QUIET));
        assert_eq!(incoming.bytes.capacity(), BLOCK);
    }

    #[test]
    fn acknowledgements_between_messages_count_for_little() {
        let mut incoming = Incoming::default();
        for _ in 0..10 {
            incoming.took(10_000);
            incoming.took(4);
        }
        incoming.make_room(2);
        assert!(incoming.room() > 2 * 10_000, "{}", incoming.room());
        // Where there is nothing else, they do.
        for _ in 0..100 {
            incoming.took(4);
        }
        incoming.bytes = BytesMut::new();
        incoming.make_room(2);
        assert_eq!(incoming.room(), BLOCK);
    }
}
