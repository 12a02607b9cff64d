//! Who still has to judge a message before it is acknowledged.

use std::sync::{Arc, Mutex, PoisonError};

use gridmq_proto::codec::encoded_len;
use gridmq_proto::packet::{Ack, AckProperties, PacketType};
use gridmq_proto::session::{Judgement, PublishToken};
use gridmq_proto::{Packet, PacketId, ReasonCode};

use crate::error::RejectError;
use crate::inbox::Inbox;

/// What becomes of a message of QoS 1 or 2 that is dropped without a judgement, in a stream with manual
/// acknowledgement: a handler has panicked, or was given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnDrop {
    /// It stays unacknowledged: the server sends it again when the session is resumed. Until then it counts against
    /// the receive maximum, and the acknowledgements of later messages wait behind it.
    #[default]
    Keep,
    /// It is acknowledged.
    Ack,
    /// It is acknowledged with 0x83 (implementation specific error); where that is not possible, as on 3.1.1 and with
    /// Event Grid, with success.
    Reject,
}

/// One message of QoS 1 or 2, shared by all subscriptions that got it.
#[derive(Debug)]
struct Owed {
    token: PublishToken,
    inbox: Arc<Inbox>,
    opinion: Mutex<Opinion>,
}

#[derive(Debug, Default)]
struct Opinion {
    /// The first refusal.
    refused: Option<Judgement>,
    /// The first acceptance that says more than that.
    accepted: Option<Judgement>,
    /// Somebody let go of the message without a word: it stays unacknowledged, and the server sends it again when
    /// the session is resumed.
    abandoned: bool,
}

/// When the last of those who got the message is done with it, it is acknowledged.
impl Drop for Owed {
    fn drop(&mut self) {
        let opinion = std::mem::take(self.opinion.get_mut().unwrap_or_else(PoisonError::into_inner));
        if opinion.abandoned {
            self.inbox.abandoned(self.token);
        } else {
            let judgement = opinion.refused.or(opinion.accepted);
            self.inbox.complete(self.token, judgement.unwrap_or_else(|| ReasonCode::Success.into()));
        }
    }
}

#[derive(Debug)]
enum Duty {
    /// Nobody else got the message.
    Alone(PublishToken, Arc<Inbox>),
    Shared(Arc<Owed>),
}

impl Duty {
    fn inbox(&self) -> &Inbox {
        match self {
            Self::Alone(_, inbox) => inbox,
            Self::Shared(owed) => &owed.inbox,
        }
    }

    fn judge(self, judgement: Judgement) {
        match self {
            Self::Alone(token, inbox) => inbox.complete(token, judgement),
            Self::Shared(owed) if judgement.reason.is_failure() || judgement.properties.is_some() => {
                let mut opinion = owed.opinion.lock().unwrap_or_else(PoisonError::into_inner);
                let Opinion { refused, accepted, .. } = &mut *opinion;
                if judgement.reason.is_failure() { refused } else { accepted }.get_or_insert(judgement);
            }
            Self::Shared(_) => {}
        }
    }

    fn abandon(self) {
        match self {
            Self::Alone(token, inbox) => inbox.abandoned(token),
            Self::Shared(owed) => owed.opinion.lock().unwrap_or_else(PoisonError::into_inner).abandoned = true,
        }
    }
}

/// One subscription's duty to judge a message.
#[derive(Debug)]
pub(crate) struct Receipt {
    duty: Option<Duty>,
    on_drop: OnDrop,
}

impl Receipt {
    pub(crate) fn new(token: PublishToken, inbox: &Arc<Inbox>) -> Self {
        Self { duty: Some(Duty::Alone(token, Arc::clone(inbox))), on_drop: OnDrop::Keep }
    }

    /// A duty of one more subscription.
    pub(crate) fn share(&mut self) -> Self {
        let owed = match self.duty.take() {
            Some(Duty::Alone(token, inbox)) => Some(Arc::new(Owed { token, inbox, opinion: Mutex::default() })),
            Some(Duty::Shared(owed)) => Some(owed),
            None => None,
        };
        self.duty = owed.clone().map(Duty::Shared);
        Self { duty: owed.map(Duty::Shared), on_drop: self.on_drop }
    }

    pub(crate) const fn on_drop(&mut self, on_drop: OnDrop) {
        self.on_drop = on_drop;
    }

    pub(crate) fn accept(mut self) {
        if let Some(duty) = self.duty.take() {
            duty.judge(ReasonCode::Success.into());
        }
    }

    /// As [`accept`](Self::accept) for each, telling the driver once.
    pub(crate) fn accept_all(receipts: impl IntoIterator<Item = Self>) {
        let mut completions = Vec::new();
        let mut told = None;
        for mut receipt in receipts {
            match receipt.duty.take() {
                Some(Duty::Alone(token, inbox)) => {
                    completions.push((token, ReasonCode::Success.into()));
                    told.get_or_insert(inbox);
                }
                Some(shared) => shared.judge(ReasonCode::Success.into()),
                None => {}
            }
        }
        if let Some(inbox) = told {
            inbox.complete_all(completions);
        }
    }

    /// As [`accept`](Self::accept), and says more than that. An error leaves the duty as it is.
    pub(crate) fn accept_with(receipt: &mut Option<Self>, properties: AckProperties) -> Result<(), RejectError> {
        Self::judge(receipt, ReasonCode::Success, properties)
    }

    /// Judges the message a failure. An error leaves the duty as it is.
    pub(crate) fn reject(
        receipt: &mut Option<Self>,
        reason: ReasonCode,
        properties: AckProperties,
    ) -> Result<(), RejectError> {
        if !reason.is_failure() || !reason.valid_in(PacketType::PubAck) {
            return Err(RejectError::Reason { reason });
        }
        Self::judge(receipt, reason, properties)
    }

    fn judge(receipt: &mut Option<Self>, reason: ReasonCode, properties: AckProperties) -> Result<(), RejectError> {
        let Some(duty) = receipt.as_ref().and_then(|receipt| receipt.duty.as_ref()) else { return Ok(()) };
        let (profile, version) = (duty.inbox().profile(), duty.inbox().version());
        profile.check_ack(reason, &properties.user_properties).map_err(RejectError::Service)?;
        let properties = (!properties.is_empty()).then(|| Box::new(properties));
        // Before 5.0 a failure is sent as success; properties would be lost.
        let said = if version.is_v5() { reason } else { ReasonCode::Success };
        let ack = Ack { packet_id: PacketId::MIN, reason: said, properties: properties.clone() };
        encoded_len(&Packet::PubAck(ack), version).map_err(RejectError::Packet)?;
        if let Some(duty) = receipt.take().and_then(|mut receipt| receipt.duty.take()) {
            duty.judge(Judgement { reason, properties });
        }
        Ok(())
    }

    /// Whether acknowledgements can say more than that the message was taken.
    pub(crate) fn explains(&self) -> bool {
        self.duty.as_ref().is_none_or(|duty| duty.inbox().version().is_v5())
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        let Some(duty) = self.duty.take() else { return };
        match self.on_drop {
            OnDrop::Keep => duty.abandon(),
            OnDrop::Ack => duty.judge(ReasonCode::Success.into()),
            OnDrop::Reject => {
                let reason = ReasonCode::ImplementationSpecificError;
                let allowed = duty.inbox().profile().check_ack(reason, &Vec::new()).is_ok();
                duty.judge(if allowed { reason } else { ReasonCode::Success }.into());
            }
        }
    }
}
