//! What `Debug` says of messages: that there is something and how much, not what.

use std::fmt;

use gridmq_proto::MessageProperties;

/// A payload, or other data.
pub(crate) struct Length(pub(crate) usize);

impl fmt::Debug for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0)
    }
}

/// The names of the properties that are set.
pub(crate) struct Names<'a>(pub(crate) &'a MessageProperties);

impl fmt::Debug for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let MessageProperties {
            payload_format_indicator,
            message_expiry_interval,
            content_type,
            response_topic,
            correlation_data,
            user_properties,
        } = self.0;
        let set = [
            ("payload_format_indicator", payload_format_indicator.is_some()),
            ("message_expiry_interval", message_expiry_interval.is_some()),
            ("content_type", content_type.is_some()),
            ("response_topic", response_topic.is_some()),
            ("correlation_data", correlation_data.is_some()),
            ("user_properties", !user_properties.is_empty()),
        ];
        f.debug_set().entries(set.into_iter().filter_map(|(name, set)| set.then_some(name))).finish()
    }
}
