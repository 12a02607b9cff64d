//! The 27 properties of MQTT 5.0 (§2.2.2).
//!
//! [`Properties`] yields typed properties and refuses what no packet allows; each packet takes those that are its own
//! and refuses the others with [`Property::misplaced`].

use std::num::{NonZeroU16, NonZeroU32};

use bytes::Bytes;
use bytestring::ByteString;

use super::MAX_REMAINING_LENGTH;
use super::read::Reader;
use super::write::{Part, Sink};
use crate::error::{EncodeError, SpecViolation, statements};
use crate::message::SubscriptionId;
use crate::packet::UserProperties;
use crate::{MessageProperties, QoS};

/// Writes the identifiers and their names from one table.
macro_rules! property_ids {
    ($($id:ident = $byte:literal, $name:literal;)+) => {
        /// The identifier of a property.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        #[repr(u8)]
        pub(super) enum Id {
            $($id = $byte,)+
        }

        impl Id {
            const fn from_u32(id: u32) -> Option<Self> {
                match id {
                    $($byte => Some(Self::$id),)+
                    _ => None,
                }
            }

            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$id => $name,)+
                }
            }
        }
    };
}

property_ids! {
    PayloadFormatIndicator = 0x01, "Payload Format Indicator";
    MessageExpiryInterval = 0x02, "Message Expiry Interval";
    ContentType = 0x03, "Content Type";
    ResponseTopic = 0x08, "Response Topic";
    CorrelationData = 0x09, "Correlation Data";
    SubscriptionIdentifier = 0x0B, "Subscription Identifier";
    SessionExpiryInterval = 0x11, "Session Expiry Interval";
    AssignedClientIdentifier = 0x12, "Assigned Client Identifier";
    ServerKeepAlive = 0x13, "Server Keep Alive";
    AuthenticationMethod = 0x15, "Authentication Method";
    AuthenticationData = 0x16, "Authentication Data";
    RequestProblemInformation = 0x17, "Request Problem Information";
    WillDelayInterval = 0x18, "Will Delay Interval";
    RequestResponseInformation = 0x19, "Request Response Information";
    ResponseInformation = 0x1A, "Response Information";
    ServerReference = 0x1C, "Server Reference";
    ReasonString = 0x1F, "Reason String";
    ReceiveMaximum = 0x21, "Receive Maximum";
    TopicAliasMaximum = 0x22, "Topic Alias Maximum";
    TopicAlias = 0x23, "Topic Alias";
    MaximumQos = 0x24, "Maximum QoS";
    RetainAvailable = 0x25, "Retain Available";
    UserProperty = 0x26, "User Property";
    MaximumPacketSize = 0x27, "Maximum Packet Size";
    WildcardSubscriptionAvailable = 0x28, "Wildcard Subscription Available";
    SubscriptionIdentifierAvailable = 0x29, "Subscription Identifier Available";
    SharedSubscriptionAvailable = 0x2A, "Shared Subscription Available";
}

/// One decoded property; its value is valid wherever the property is.
#[derive(Debug)]
pub(super) enum Property {
    Flag(Id, bool),
    Two(Id, u16),
    Two1(Id, NonZeroU16),
    Four(Id, u32),
    Four1(Id, NonZeroU32),
    Text(Id, ByteString),
    Data(Id, Bytes),
    Qos(QoS),
    User(ByteString, ByteString),
}

impl Property {
    const fn id(&self) -> Id {
        match self {
            Self::Flag(id, _)
            | Self::Two(id, _)
            | Self::Two1(id, _)
            | Self::Four(id, _)
            | Self::Four1(id, _)
            | Self::Text(id, _)
            | Self::Data(id, _) => *id,
            Self::Qos(_) => Id::MaximumQos,
            Self::User(..) => Id::UserProperty,
        }
    }

    /// The violation of standing in a packet that does not have this property.
    pub(super) fn misplaced(&self) -> SpecViolation {
        SpecViolation::of(&statements::PROPERTY_MISPLACED).seen(self.id().name())
    }
}

/// Which property may stand several times besides User Property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeats {
    Nothing,
    /// In a server's PUBLISH, one per matching subscription (§3.3.2.3.8).
    SubscriptionIdentifiers,
}

/// The properties of one packet, in order.
#[derive(Debug)]
pub(super) struct Properties {
    reader: Reader,
    repeats: Repeats,
    /// One bit per identifier.
    seen: u64,
    user_properties_left: usize,
}

impl Properties {
    /// Reads the length and takes as many bytes off `reader`.
    pub(super) fn take(
        reader: &mut Reader,
        repeats: Repeats,
        max_user_properties: usize,
    ) -> Result<Self, SpecViolation> {
        let length = reader.varint("the property length")?;
        let reader = reader.section(length, "the properties")?;
        Ok(Self { reader, repeats, seen: 0, user_properties_left: max_user_properties })
    }

    /// The next property.
    pub(super) fn next(&mut self) -> Result<Option<Property>, SpecViolation> {
        if self.reader.is_empty() {
            return Ok(None);
        }
        let number = self.reader.varint("a property identifier")?;
        let id = Id::from_u32(number).ok_or_else(|| {
            SpecViolation::of(&statements::PROPERTY_UNKNOWN).seen(format_args!("identifier {number}"))
        })?;
        self.count(id)?;
        self.value(id).map(Some)
    }

    fn count(&mut self, id: Id) -> Result<(), SpecViolation> {
        if id == Id::UserProperty {
            self.user_properties_left = self
                .user_properties_left
                .checked_sub(1)
                .ok_or_else(|| SpecViolation::of(&statements::TOO_MANY).seen(id.name()))?;
            return Ok(());
        }
        let bit = 1 << id as u8;
        let repeatable = id == Id::SubscriptionIdentifier && self.repeats == Repeats::SubscriptionIdentifiers;
        if self.seen & bit != 0 && !repeatable {
            return Err(SpecViolation::of(&statements::PROPERTY_TWICE).seen(id.name()));
        }
        self.seen |= bit;
        Ok(())
    }

    fn value(&mut self, id: Id) -> Result<Property, SpecViolation> {
        let name = id.name();
        let reader = &mut self.reader;
        Ok(match id {
            Id::PayloadFormatIndicator
            | Id::RequestProblemInformation
            | Id::RequestResponseInformation
            | Id::RetainAvailable
            | Id::WildcardSubscriptionAvailable
            | Id::SubscriptionIdentifierAvailable
            | Id::SharedSubscriptionAvailable => match reader.u8(name)? {
                0 => Property::Flag(id, false),
                1 => Property::Flag(id, true),
                other => return Err(bad_value(id, other.into())),
            },
            Id::MaximumQos => match reader.u8(name)? {
                0 => Property::Qos(QoS::AtMostOnce),
                1 => Property::Qos(QoS::AtLeastOnce),
                other => return Err(bad_value(id, other.into())),
            },
            Id::ServerKeepAlive | Id::TopicAliasMaximum => Property::Two(id, reader.u16(name)?),
            Id::ReceiveMaximum => {
                Property::Two1(id, NonZeroU16::new(reader.u16(name)?).ok_or_else(|| bad_value(id, 0))?)
            }
            Id::TopicAlias => Property::Two1(
                id,
                NonZeroU16::new(reader.u16(name)?).ok_or_else(|| SpecViolation::of(&statements::TOPIC_ALIAS_ZERO))?,
            ),
            Id::MessageExpiryInterval | Id::SessionExpiryInterval | Id::WillDelayInterval => {
                Property::Four(id, reader.u32(name)?)
            }
            Id::MaximumPacketSize => {
                Property::Four1(id, NonZeroU32::new(reader.u32(name)?).ok_or_else(|| bad_value(id, 0))?)
            }
            Id::SubscriptionIdentifier => {
                Property::Four1(id, NonZeroU32::new(reader.varint(name)?).ok_or_else(|| bad_value(id, 0))?)
            }
            // A topic: U+0000 is among the things that its own check refuses.
            Id::ResponseTopic => Property::Text(id, reader.text(name)?),
            Id::ContentType
            | Id::AssignedClientIdentifier
            | Id::AuthenticationMethod
            | Id::ResponseInformation
            | Id::ServerReference
            | Id::ReasonString => Property::Text(id, reader.string(name)?),
            Id::CorrelationData | Id::AuthenticationData => Property::Data(id, reader.binary(name)?),
            Id::UserProperty => {
                Property::User(reader.string("a user property's name")?, reader.string("a user property's value")?)
            }
        })
    }
}

fn bad_value(id: Id, value: u32) -> SpecViolation {
    SpecViolation::of(&statements::PROPERTY_VALUE).seen(format_args!("{} is {value}", id.name()))
}

/// Puts a property that travels with a message where it belongs; gives any other back.
pub(super) fn take_message_property(
    property: Property,
    into: &mut Option<Box<MessageProperties>>,
) -> Result<Option<Property>, SpecViolation> {
    match property {
        Property::Flag(Id::PayloadFormatIndicator, text) => {
            into.get_or_insert_default().payload_format_indicator = Some(text);
        }
        Property::Four(Id::MessageExpiryInterval, seconds) => {
            into.get_or_insert_default().message_expiry_interval = Some(seconds);
        }
        Property::Text(Id::ContentType, text) => into.get_or_insert_default().content_type = Some(text),
        Property::Text(Id::ResponseTopic, text) => {
            let topic = super::read_topic::response_topic(text)?;
            into.get_or_insert_default().response_topic = Some(topic);
        }
        Property::Data(Id::CorrelationData, data) => into.get_or_insert_default().correlation_data = Some(data),
        Property::User(name, value) => into.get_or_insert_default().user_properties.push((name, value)),
        other => return Ok(Some(other)),
    }
    Ok(None)
}

/// Writing of single properties; absent ones take no bytes.
pub(super) trait PropertySink: Sink {
    fn flag(&mut self, id: Id, value: Option<bool>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u8(value.into());
        }
    }

    fn two(&mut self, id: Id, value: Option<u16>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u16(value);
        }
    }

    fn four(&mut self, id: Id, value: Option<u32>) {
        if let Some(value) = value {
            self.u8(id as u8);
            self.u32(value);
        }
    }

    fn text(&mut self, id: Id, value: Option<&str>) -> Result<(), EncodeError> {
        if let Some(value) = value {
            self.u8(id as u8);
            self.string(value, id.name())?;
        }
        Ok(())
    }

    fn data(&mut self, id: Id, value: Option<&[u8]>) -> Result<(), EncodeError> {
        if let Some(value) = value {
            self.u8(id as u8);
            self.binary(value, id.name())?;
        }
        Ok(())
    }

    fn subscription_identifier(&mut self, id: SubscriptionId) -> Result<(), EncodeError> {
        if Self::CHECKS && id.get() > MAX_REMAINING_LENGTH {
            return Err(bad_value(Id::SubscriptionIdentifier, id.get()).into());
        }
        self.u8(Id::SubscriptionIdentifier as u8);
        self.varint(id.get());
        Ok(())
    }

    fn user(&mut self, properties: &UserProperties) -> Result<(), EncodeError> {
        for (name, value) in properties {
            self.u8(Id::UserProperty as u8);
            self.string(name, "a user property's name")?;
            self.string(value, "a user property's value")?;
        }
        Ok(())
    }

    /// A method and the data for it, which must not come alone (§3.1.2.11.10).
    fn authentication(&mut self, method: Option<&str>, data: Option<&[u8]>) -> Result<(), EncodeError> {
        if Self::CHECKS && data.is_some() && method.is_none() {
            return Err(SpecViolation::of(&statements::AUTH_DATA_ALONE).into());
        }
        self.text(Id::AuthenticationMethod, method)?;
        self.data(Id::AuthenticationData, data)
    }
}

impl<S: Sink> PropertySink for S {}

/// The properties that travel with a message; `expiry` stands in for the message's own interval.
pub(super) struct WithExpiry<'a> {
    pub(super) properties: &'a MessageProperties,
    pub(super) expiry: Option<u32>,
}

impl Part for WithExpiry<'_> {
    fn write<S: Sink>(&self, sink: &mut S) -> Result<(), EncodeError> {
        let MessageProperties {
            payload_format_indicator,
            message_expiry_interval: _,
            content_type,
            response_topic,
            correlation_data,
            user_properties,
        } = self.properties;
        sink.flag(Id::PayloadFormatIndicator, *payload_format_indicator);
        sink.four(Id::MessageExpiryInterval, self.expiry);
        sink.text(Id::ContentType, content_type.as_deref())?;
        sink.text(Id::ResponseTopic, response_topic.as_ref().map(|topic| topic.as_str()))?;
        sink.data(Id::CorrelationData, correlation_data.as_deref())?;
        sink.user(user_properties)
    }
}
