//! What becomes of a message that the other broker did not take.

use std::time::Duration;

use gridmq_client::error::PublishError;
use gridmq_client::preset::Rule;
use gridmq_proto::session::client::RequestError;
use gridmq_proto::{QoS, ReasonCode};

/// Attempts at a message that the other broker refuses without a reason that says whether it may think otherwise.
const UNCLEAR_ATTEMPTS: u32 = 5;
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// What to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// Send it again after that time.
    Again(Duration),
    /// Send it without RETAIN.
    Unretained,
    /// Send it at this QoS.
    At(QoS),
    /// Give it up.
    Lost(Loss),
    /// The client has ended: the message stays with the broker that has it.
    Over,
}

/// Why a message is given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Loss {
    TooLarge,
    Refused,
    Expired,
    Offline,
}

/// Judges the failure of the `attempt`th attempt.
pub(crate) fn of(error: &PublishError, attempt: u32) -> Fate {
    match error {
        PublishError::Refused { reason, .. } => match reason {
            // The other broker has no room now; it does not say that it never will.
            ReasonCode::QuotaExceeded => Fate::Again(wait(attempt)),
            ReasonCode::UnspecifiedError | ReasonCode::ImplementationSpecificError if attempt < UNCLEAR_ATTEMPTS => {
                Fate::Again(wait(attempt))
            }
            ReasonCode::PacketTooLarge => Fate::Lost(Loss::TooLarge),
            _ => Fate::Lost(Loss::Refused),
        },
        PublishError::Limit { limit, .. } => of_limit(limit),
        PublishError::GivenUp { why, .. } => of_limit(why),
        PublishError::Service { error, .. } => match error.rule {
            Rule::RetainedPayload => Fate::Unretained,
            Rule::Packet | Rule::Payload => Fate::Lost(Loss::TooLarge),
            Rule::Qos => Fate::At(if error.limit == 0 { QoS::AtMostOnce } else { QoS::AtLeastOnce }),
            _ => Fate::Lost(Loss::Refused),
        },
        PublishError::Expired { .. } => Fate::Lost(Loss::Expired),
        PublishError::QueueFull { .. } | PublishError::Dropped { .. } | PublishError::Timeout { .. } => {
            Fate::Again(FIRST_WAIT)
        }
        PublishError::Topic(_) | PublishError::Packet { .. } => Fate::Lost(Loss::Refused),
        // One of QoS 0 that was on its way when the connection ended comes here too.
        _ => Fate::Over,
    }
}

fn of_limit(limit: &RequestError) -> Fate {
    match limit {
        RequestError::RetainNotSupported => Fate::Unretained,
        RequestError::QosNotSupported { maximum, .. } => Fate::At(*maximum),
        RequestError::PacketTooLarge { .. } => Fate::Lost(Loss::TooLarge),
        RequestError::Expired => Fate::Lost(Loss::Expired),
        RequestError::NotConnected => Fate::Lost(Loss::Offline),
        RequestError::QueueFull { .. } | RequestError::NoPacketIdentifier => Fate::Again(FIRST_WAIT),
        _ => Fate::Lost(Loss::Refused),
    }
}

fn wait(attempt: u32) -> Duration {
    FIRST_WAIT.saturating_mul(1 << attempt.saturating_sub(1).min(10)).min(LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use gridmq_proto::TopicName;

    use super::*;

    fn refused(reason: ReasonCode) -> PublishError {
        PublishError::Refused {
            topic: TopicName::try_from("a").unwrap(),
            reason,
            reason_string: None,
            user_properties: Vec::new(),
        }
    }

    #[test]
    fn a_broker_without_room_is_asked_again_for_ever_and_ever_less_often() {
        let full = refused(ReasonCode::QuotaExceeded);
        assert_eq!(of(&full, 1), Fate::Again(Duration::from_secs(1)));
        assert_eq!(of(&full, 3), Fate::Again(Duration::from_secs(4)));
        assert_eq!(of(&full, u32::MAX), Fate::Again(LONGEST_WAIT));
    }

    #[test]
    fn what_the_other_broker_never_takes_is_given_up() {
        for reason in [ReasonCode::NotAuthorized, ReasonCode::TopicNameInvalid, ReasonCode::PayloadFormatInvalid] {
            assert_eq!(of(&refused(reason), 1), Fate::Lost(Loss::Refused));
        }
        let unclear = refused(ReasonCode::ImplementationSpecificError);
        assert_eq!(of(&unclear, UNCLEAR_ATTEMPTS - 1), Fate::Again(Duration::from_secs(8)));
        assert_eq!(of(&unclear, UNCLEAR_ATTEMPTS), Fate::Lost(Loss::Refused));
    }

    #[test]
    fn what_the_other_broker_cannot_do_is_left_out() {
        let limit = |limit| PublishError::Limit { topic: TopicName::try_from("a").unwrap(), limit };
        assert_eq!(of(&limit(RequestError::RetainNotSupported), 1), Fate::Unretained);
        let (asked, maximum) = (QoS::ExactlyOnce, QoS::AtLeastOnce);
        assert_eq!(of(&limit(RequestError::QosNotSupported { asked, maximum }), 1), Fate::At(QoS::AtLeastOnce));
        let too_large = RequestError::PacketTooLarge { size: 2, maximum: 1 };
        assert_eq!(of(&limit(too_large), 1), Fate::Lost(Loss::TooLarge));
    }
}
