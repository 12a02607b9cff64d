//! QoS 2 over the end of a connection, and of the process.
//!
//! A message is in the batches of every worker that has a session for it before its publisher's worker stores that the
//! publisher's packet identifier was received. In between its publisher knows nothing: after a start it sends the message
//! again, as new, to sessions of which some have it. So whoever stores such a message stores in the same batch who has
//! it; the batch with the identifier removes that again.
//!
//! What a start finds of this, and of wills on their way, is [`Unfinished`]. So is a message that some sessions took and
//! others had no room for: it is not acknowledged, and where its publisher sends it again it is for the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};

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
}

/// What a message was published as. A packet identifier alone may be another message's by now, even another session's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RoutedAs {
    pub(crate) id: PacketId,
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

/// Sessions, and shared subscriptions by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Receivers {
    sessions: Vec<SlotId>,
    shares: Vec<ByteString>,
}

impl Receivers {
    pub(crate) fn add(&mut self, slot: SlotId, share: Option<&str>) {
        match share {
            Some(share) => self.shares.push(share.into()),
            None => self.sessions.push(slot),
        }
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.sessions.extend(other.sessions);
        self.shares.extend(other.shares);
    }

    fn len(&self) -> usize {
        self.sessions.len() + self.shares.len()
    }

    fn contains(&self, target: &Target) -> bool {
        match &target.share {
            Some(share) => self.shares.iter().any(|name| **name == **share),
            None => self.sessions.contains(&target.slot),
        }
    }
}

/// To whom a message goes that is routed again.
#[derive(Debug, Clone)]
pub(crate) enum Again {
    /// It was being routed before the start: not to these.
    But { fingerprint: u64, these: Receivers },
    /// Some had no room for it: to these.
    Only { fingerprint: u64, these: Receivers },
}

impl Default for Again {
    fn default() -> Self {
        Self::But { fingerprint: 0, these: Receivers::default() }
    }
}

impl Again {
    const fn fingerprint(&self) -> u64 {
        match self {
            Self::But { fingerprint, .. } | Self::Only { fingerprint, .. } => *fingerprint,
        }
    }

    pub(crate) fn is_done_with(&self, target: &Target) -> bool {
        match self {
            Self::But { these, .. } => these.contains(target),
            Self::Only { these, .. } => !these.contains(target),
        }
    }

    /// One more who has it; `find` knows sessions by client identifier.
    pub(crate) fn add(&mut self, receiver: &Receiver, find: impl Fn(&str) -> Option<SlotId>) {
        let Self::But { these, .. } = self else { return };
        let Some((kind, name)) = receiver.0.split_first() else { return };
        let Ok(name) = std::str::from_utf8(name) else { return };
        match kind {
            b's' => these.shares.push(name.into()),
            _ => these.sessions.extend(find(name)),
        }
    }
}

/// What may be routed again: messages that were on their way when the process before this one ended, and messages that
/// some took and others had no room for, which a publisher that cannot be told so sends on its next connection.
#[derive(Debug, Default)]
pub(crate) struct Unfinished {
    /// By publisher.
    messages: Mutex<HashMap<SlotId, HashMap<PacketId, Again>>>,
    /// Publishers among them: none, as a rule.
    publishers: AtomicUsize,
    wills: Mutex<Vec<(FiringId, WillRow, Again)>>,
}

impl Unfinished {
    /// Sessions without room for one message that are remembered. Where there are more, all get it that want it.
    const LACKING: usize = 1024;

    pub(crate) fn take_up_wills(&self, wills: Vec<(FiringId, WillRow, Again)>) {
        *self.wills.lock() = wills;
    }

    /// Wills that were on their way, and who has them.
    pub(crate) fn take_wills(&self) -> Vec<(FiringId, WillRow, Again)> {
        std::mem::take(&mut self.wills.lock())
    }

    /// `receiver` has what was being routed before the start.
    pub(crate) fn has_it(
        &self,
        publisher: SlotId,
        packet_id: PacketId,
        fingerprint: u64,
        receiver: &Receiver,
        find: impl Fn(&str) -> Option<SlotId>,
    ) {
        self.change(|all| {
            let again = all.entry(publisher).or_default().entry(packet_id).or_default();
            if !matches!(again, Again::But { fingerprint: of, .. } if *of == fingerprint) {
                *again = Again::But { fingerprint, these: Receivers::default() };
            }
            again.add(receiver, find);
        });
    }

    /// These had no room for a message, and all others who are to have it have it.
    pub(crate) fn is_lacked(&self, publisher: SlotId, routed: RoutedAs, by: Receivers) {
        if by.len() == 0 || by.len() > Self::LACKING {
            return self.forget(publisher, routed);
        }
        let only = Again::Only { fingerprint: routed.fingerprint, these: by };
        self.change(|all| all.entry(publisher).or_default().insert(routed.id, only));
    }

    /// To whom a message goes, if it was routed before. Another one has taken its place.
    pub(crate) fn again(&self, publisher: SlotId, routed: RoutedAs, dup: bool) -> Option<Again> {
        if self.is_empty() {
            return None;
        }
        let mut all = self.messages.lock();
        let messages = all.get_mut(&publisher)?;
        let again = messages.get(&routed.id)?;
        if dup && again.fingerprint() == routed.fingerprint {
            return Some(again.clone());
        }
        messages.remove(&routed.id);
        if messages.is_empty() {
            all.remove(&publisher);
        }
        self.publishers.store(all.len(), Ordering::Release);
        None
    }

    /// Nobody sends that message again.
    pub(crate) fn forget(&self, publisher: SlotId, routed: RoutedAs) {
        if !self.is_empty() {
            self.change(|all| {
                if let Some(messages) = all.get_mut(&publisher) {
                    if messages.get(&routed.id).is_some_and(|again| again.fingerprint() == routed.fingerprint) {
                        messages.remove(&routed.id);
                    }
                    if messages.is_empty() {
                        all.remove(&publisher);
                    }
                }
            });
        }
    }

    /// Nobody sends any message of that session again.
    pub(crate) fn forget_session(&self, publisher: SlotId) {
        if !self.is_empty() {
            self.change(|all| all.remove(&publisher));
        }
    }

    fn is_empty(&self) -> bool {
        self.publishers.load(Ordering::Acquire) == 0
    }

    fn change<T>(&self, how: impl FnOnce(&mut HashMap<SlotId, HashMap<PacketId, Again>>) -> T) {
        let mut all = self.messages.lock();
        how(&mut all);
        self.publishers.store(all.len(), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_of_a_message_is_no_other_ones() {
        let unfinished = Unfinished::default();
        let (publisher, id) = (SlotId::default(), PacketId::MIN);
        let [old, new] = [7, 8].map(|fingerprint| RoutedAs { id, fingerprint });
        let mut by = Receivers::default();
        by.add(publisher, None);
        unfinished.is_lacked(publisher, new, by);
        // The verdict on what an ended session had published under this identifier comes late.
        unfinished.forget(publisher, old);
        assert!(matches!(unfinished.again(publisher, new, true), Some(Again::Only { .. })));
        // Another message has taken its place.
        assert!(unfinished.again(publisher, old, true).is_none());
        assert!(unfinished.again(publisher, new, true).is_none() && unfinished.is_empty());
    }
}
