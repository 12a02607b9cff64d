//! Topic names and filters (MQTT 5.0 §4.7, §4.8), Event Grid's templates for them, and the subscription index.
//!
//! A value of [`TopicName`], [`TopicFilter`] or [`SubscriptionFilter`] is valid by construction: text is parsed once,
//! where it enters. No function here recurses on the levels of a topic, so their number cannot exhaust the stack.

mod error;
mod filter;
mod index;
mod name;
mod shared;
mod template;

pub use error::{ShareFault, TopicError};
pub use filter::TopicFilter;
pub use index::{Group, Match, SubscriptionIndex};
pub use name::TopicName;
pub use shared::{SharedFilter, SubscriptionFilter};
pub use template::{
    AttributeValues, Resolved, TemplateError, TemplateErrorKind, TopicTemplate, Unresolved, UnresolvedReason, Variables,
};

/// The greatest length of a topic name or filter in bytes of UTF-8 [MQTT-4.7.3-3].
pub const MAX_TOPIC_BYTES: usize = 65_535;

/// How many levels a server should accept in one filter unless it is told otherwise.
///
/// The standard has no such limit. Every level of a stored filter costs the [`SubscriptionIndex`] a node of some
/// 200 bytes, so a filter of 65,535 empty levels would hold 200 times its own size; compare
/// [`TopicFilter::level_count`] with this before storing.
pub const DEFAULT_MAX_LEVELS: usize = 128;

/// Conversions that every validated piece of text offers; `parse` is the type's own check.
macro_rules! validated_text {
    ($type:ident) => {
        impl TryFrom<bytestring::ByteString> for $type {
            type Error = $crate::topic::TopicError;

            fn try_from(text: bytestring::ByteString) -> Result<Self, Self::Error> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = $crate::topic::TopicError;

            fn try_from(text: String) -> Result<Self, Self::Error> {
                Self::parse(text.into())
            }
        }

        impl TryFrom<&str> for $type {
            type Error = $crate::topic::TopicError;

            fn try_from(text: &str) -> Result<Self, Self::Error> {
                Self::parse(text.into())
            }
        }

        impl std::str::FromStr for $type {
            type Err = $crate::topic::TopicError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::parse(text.into())
            }
        }

        impl AsRef<str> for $type {
            fn as_ref(&self) -> &str {
                self.as_str()
            }
        }

        impl std::borrow::Borrow<str> for $type {
            fn borrow(&self) -> &str {
                self.as_str()
            }
        }

        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.as_str() == other.as_str()
            }
        }

        impl Eq for $type {}

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> std::cmp::Ordering {
                self.as_str().cmp(other.as_str())
            }
        }

        impl std::hash::Hash for $type {
            fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
                self.as_str().hash(state);
            }
        }

        impl std::fmt::Display for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Debug::fmt(self.as_str(), f)
            }
        }
    };
}
use validated_text;

/// What holds for names and filters alike: the length, and no U+0000.
fn check_text(text: &str) -> Result<(), TopicError> {
    if text.is_empty() {
        return Err(TopicError::Empty);
    }
    if text.len() > MAX_TOPIC_BYTES {
        return Err(TopicError::TooLong { bytes: text.len() });
    }
    if text.as_bytes().contains(&0) {
        return Err(TopicError::Nul);
    }
    Ok(())
}
