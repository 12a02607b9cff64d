//! QoS 2 over the end of the process.
//!
//! A message is in the batches of every worker that has a session for it before its publisher's worker stores that the
//! publisher's packet identifier was received. In between its publisher knows nothing: after a start it sends the message
//! again, as new, to sessions of which some have it. So whoever stores such a message stores in the same batch who has
//! it; the batch with the identifier removes that again.

use std::collections::HashMap;

use bytestring::ByteString;
use gridmq_proto::{Message, PacketId};
use parking_lot::Mutex;

use crate::directory::SlotId;
use crate::mailbox::Target;

/// What a QoS 2 message was published as by a session that lasts.
#[derive(Debug, Clone)]
pub(crate) struct Origin {
    pub(crate) client_id: ByteString,
    pub(crate) packet_id: PacketId,
    pub(crate) fingerprint: u64,
}

/// Who has a message: a session, or a member of a shared subscription.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Receiver(pub(crate) Vec<u8>);

impl Receiver {
    pub(crate) fn new(client_id: &str, share: Option<&str>) -> Self {
        let (kind, name) = share.map_or((b'c', client_id), |share| (b's', share));
        let mut bytes = vec![kind];
        bytes.extend_from_slice(name.as_bytes());
        Self(bytes)
    }
}

/// Tells messages of one packet identifier apart: FNV-1a of the topic and the payload.
pub(crate) fn fingerprint(message: &Message) -> u64 {
    let bytes = message.topic.as_bytes().iter().chain(&[0]).chain(&message.payload);
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// Who has a message that was routed before the start.
#[derive(Debug, Clone, Default)]
pub(crate) struct Again {
    fingerprint: u64,
    sessions: Vec<SlotId>,
    shares: Vec<ByteString>,
}

impl Again {
    pub(crate) fn has(&self, target: &Target) -> bool {
        match &target.share {
            Some(share) => self.shares.iter().any(|name| **name == **share),
            None => self.sessions.contains(&target.slot),
        }
    }
}

/// What was being routed when the process before this one ended, by publisher.
#[derive(Debug, Default)]
pub(crate) struct Unfinished(Mutex<HashMap<(SlotId, PacketId), Again>>);

impl Unfinished {
    pub(crate) fn add(
        &self,
        publisher: SlotId,
        packet_id: PacketId,
        fingerprint: u64,
        receiver: &Receiver,
        find: impl Fn(&str) -> Option<SlotId>,
    ) {
        let mut all = self.0.lock();
        let again = all.entry((publisher, packet_id)).or_default();
        if again.fingerprint != fingerprint {
            *again = Again { fingerprint, ..Again::default() };
        }
        let Some((kind, name)) = receiver.0.split_first() else { return };
        let Ok(name) = std::str::from_utf8(name) else { return };
        match kind {
            b's' => again.shares.push(name.into()),
            _ => again.sessions.extend(find(name)),
        }
    }

    /// Who has the message, if it is the one that was being routed. Another one has taken its place.
    pub(crate) fn again(&self, publisher: SlotId, origin: &Origin, dup: bool) -> Option<Again> {
        let mut all = self.0.lock();
        let key = (publisher, origin.packet_id);
        let again = all.get(&key)?;
        if dup && again.fingerprint == origin.fingerprint {
            return Some(again.clone());
        }
        all.remove(&key);
        None
    }
}
