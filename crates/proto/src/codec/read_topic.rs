//! Topics of a packet: parsing them, and the statement that a bad one breaks.

use bytestring::ByteString;

use crate::SubscriptionFilter;
use crate::error::{Rule, SpecViolation, statements};
use crate::topic::{TopicError, TopicName};

fn violation(error: &TopicError, wildcard: &'static Rule, empty: &'static Rule) -> SpecViolation {
    match error {
        TopicError::Empty => SpecViolation::of(empty),
        TopicError::TooLong { bytes } => SpecViolation::of(&statements::TOPIC_LONG).seen(format_args!("{bytes} bytes")),
        TopicError::Nul => SpecViolation::of(&statements::TOPIC_NUL),
        TopicError::Wildcard { at } | TopicError::MisplacedWildcard { at } => {
            SpecViolation::of(wildcard).seen(format_args!("at byte {at}"))
        }
        TopicError::Share { fault } => SpecViolation::of(&statements::FILTER_SHARE).seen(fault),
    }
}

fn name(text: ByteString, wildcard: &'static Rule) -> Result<TopicName, SpecViolation> {
    TopicName::try_from(text).map_err(|error| violation(&error, wildcard, &statements::TOPIC_EMPTY))
}

/// The topic of a PUBLISH; not empty.
pub(super) fn publish_topic(text: ByteString) -> Result<TopicName, SpecViolation> {
    name(text, &statements::TOPIC_WILDCARD)
}

/// The topic of a will.
pub(super) fn will_topic(text: ByteString) -> Result<TopicName, SpecViolation> {
    name(text, &statements::WILL_TOPIC_WILDCARD)
}

/// A Response Topic.
pub(super) fn response_topic(text: ByteString) -> Result<TopicName, SpecViolation> {
    name(text, &statements::RESPONSE_TOPIC_WILDCARD)
}

/// A filter of a SUBSCRIBE or an UNSUBSCRIBE.
pub(super) fn filter(text: ByteString) -> Result<SubscriptionFilter, SpecViolation> {
    SubscriptionFilter::try_from(text)
        .map_err(|error| violation(&error, &statements::FILTER_WILDCARD, &statements::FILTER_EMPTY))
}
