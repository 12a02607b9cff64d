//! QoS 2 over the end of the process.
//!
//! A message is in the batches of every worker that has a session for it before its publisher's worker stores that the
//! publisher's packet identifier was received. In between its publisher knows nothing: after a start it sends the message
//! again, as new, to sessions of which some have it. So whoever stores such a message stores in the same batch who has
//! it; the batch with the identifier removes that again.
//!
//! What a start finds of this, and of wills on their way, is [`Unfinished`].

use std::collections::HashMap;

use bytestring::ByteString;
use gridmq_proto::{Message, PacketId, QoS};
use parking_lot::Mutex;

use crate::directory::SlotId;
use crate::mailbox::Target;
use crate::tables::{FiringId, WillRow};

/// What a message is known by that a start may route again.
#[derive(Debug, Clone)]
pub(crate) enum Origin {
    /// What a QoS 2 message was published as by a session that lasts.
    Published { client_id: ByteString, packet_id: PacketId, fingerprint: u64 },
    /// A will that the store has.
    Will(FiringId),
}

impl Origin {
    /// Whether those who get it at that QoS are noted.
    pub(crate) fn is_noted_at(&self, qos: QoS) -> bool {
        match self {
            Self::Published { .. } => qos == QoS::ExactlyOnce,
            Self::Will(_) => qos != QoS::AtMostOnce,
        }
    }

    /// The packet identifier, if it has one.
    pub(crate) const fn packet_id(&self) -> Option<PacketId> {
        match self {
            Self::Published { packet_id, .. } => Some(*packet_id),
            Self::Will(_) => None,
        }
    }
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

    /// `find` knows sessions by client identifier.
    pub(crate) fn add(&mut self, receiver: &Receiver, find: impl Fn(&str) -> Option<SlotId>) {
        let Some((kind, name)) = receiver.0.split_first() else { return };
        let Ok(name) = std::str::from_utf8(name) else { return };
        match kind {
            b's' => self.shares.push(name.into()),
            _ => self.sessions.extend(find(name)),
        }
    }
}

/// What was being routed when the process before this one ended.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    /// By publisher.
    messages: Mutex<HashMap<(SlotId, PacketId), Again>>,
    wills: Mutex<Vec<(FiringId, WillRow, Again)>>,
}

impl Unfinished {
    pub(crate) fn new(wills: Vec<(FiringId, WillRow, Again)>) -> Self {
        Self { messages: Mutex::default(), wills: Mutex::new(wills) }
    }

    /// Wills that were on their way, and who has them.
    pub(crate) fn take_wills(&self) -> Vec<(FiringId, WillRow, Again)> {
        std::mem::take(&mut self.wills.lock())
    }

    pub(crate) fn add(
        &self,
        publisher: SlotId,
        packet_id: PacketId,
        fingerprint: u64,
        receiver: &Receiver,
        find: impl Fn(&str) -> Option<SlotId>,
    ) {
        let mut all = self.messages.lock();
        let again = all.entry((publisher, packet_id)).or_default();
        if again.fingerprint != fingerprint {
            *again = Again { fingerprint, ..Again::default() };
        }
        again.add(receiver, find);
    }

    /// Who has the message, if it is the one that was being routed. Another one has taken its place.
    pub(crate) fn again(&self, publisher: SlotId, packet_id: PacketId, fingerprint: u64, dup: bool) -> Option<Again> {
        let mut all = self.messages.lock();
        let key = (publisher, packet_id);
        let again = all.get(&key)?;
        if dup && again.fingerprint == fingerprint {
            return Some(again.clone());
        }
        all.remove(&key);
        None
    }
}
