//! Every rule that the codec alone can judge. Rules without a number give the section of MQTT 5.0.

use super::Rule;
use crate::ReasonCode as R;

/// Declares the rules: name, number in 5.0, number in 3.1.1, section, reason code, words.
macro_rules! rules {
    ($($name:ident: $v5:expr, $v311:expr, $section:literal, $reason:ident, $words:literal;)+) => {
        $(pub(crate) static $name: Rule = Rule::new($v5, $v311, $section, R::$reason, $words);)+
    };
}

/// A numbered statement.
macro_rules! n {
    ($number:literal) => {
        Some(concat!("MQTT-", $number))
    };
}

rules! {
    // Data types
    UTF8: n!("1.5.4-1"), n!("1.5.3-1"), "§1.5.4", MalformedPacket, "a string is not well-formed UTF-8";
    NUL: n!("1.5.4-2"), n!("1.5.3-2"), "§1.5.4", MalformedPacket, "a string contains U+0000";
    VARINT_MINIMAL: n!("1.5.5-1"), None, "§1.5.5", MalformedPacket,
        "a variable byte integer uses more bytes than it needs";
    VARINT_LONG: None, None, "§1.5.5", MalformedPacket, "a variable byte integer goes on after four bytes";
    TRUNCATED: None, None, "§4.13.1", MalformedPacket, "a field reaches beyond the end of the packet";
    TRAILING: None, None, "§4.13.1", MalformedPacket, "the packet is longer than its fields";

    // Fixed header
    TYPE_ZERO: None, None, "§2.1.2", MalformedPacket, "packet type 0 is forbidden";
    AUTH_BEFORE_V5: None, None, "§2.1.2", ProtocolError, "packet type 15 does not exist before MQTT 5.0";
    DIRECTION: None, None, "§2.1.2", ProtocolError, "this packet does not go in this direction";
    FOREIGN: n!("3.1.0-1"), n!("3.1.0-1"), "§3.1", ProtocolError, "the first bytes are not MQTT";
    FIRST_IS_CONNECT: n!("3.1.0-1"), n!("3.1.0-1"), "§3.1", ProtocolError, "the first packet is not a CONNECT";
    FLAGS: n!("2.1.3-1"), n!("2.2.2-1"), "§2.1.3", MalformedPacket,
        "the lower four bits of the first byte are not those of this packet";
    FLAGS_PUBREL: n!("3.6.1-1"), n!("3.6.1-1"), "§3.6.1", MalformedPacket,
        "the lower four bits of the first byte are not 0010";
    FLAGS_SUBSCRIBE: n!("3.8.1-1"), n!("3.8.1-1"), "§3.8.1", MalformedPacket,
        "the lower four bits of the first byte are not 0010";
    FLAGS_UNSUBSCRIBE: n!("3.10.1-1"), n!("3.10.1-1"), "§3.10.1", MalformedPacket,
        "the lower four bits of the first byte are not 0010";
    FLAGS_DISCONNECT: n!("3.14.1-1"), n!("3.14.1-1"), "§3.14.1", MalformedPacket,
        "the lower four bits of the first byte are not 0000";
    FLAGS_AUTH: n!("3.15.1-1"), None, "§3.15.1", MalformedPacket,
        "the lower four bits of the first byte are not 0000";
    CONNECT_TOO_LARGE: None, None, "§3.1", PacketTooLarge, "the CONNECT is larger than this listener takes";
    TOO_LARGE_FOR_SERVER: n!("3.2.2-15"), None, "§3.2.2.3.6", PacketTooLarge,
        "the packet is larger than the server's maximum";
    TOO_LARGE_FOR_CLIENT: n!("3.1.2-24"), None, "§3.1.2.11.4", PacketTooLarge,
        "the packet is larger than the client's maximum";

    // Packet identifiers
    PACKET_ID_ZERO: n!("2.2.1-3"), n!("2.3.1-1"), "§2.2.1", ProtocolError, "the packet identifier is 0";
    PACKET_ID_ZERO_FROM_SERVER: n!("2.2.1-4"), n!("2.3.1-1"), "§2.2.1", ProtocolError,
        "the packet identifier is 0";
    ACK_ID_ZERO: n!("2.2.1-5"), n!("2.3.1-6"), "§2.2.1", ProtocolError, "the packet identifier is 0";
    SUBACK_ID_ZERO: n!("2.2.1-6"), n!("2.3.1-7"), "§2.2.1", ProtocolError, "the packet identifier is 0";
    PACKET_ID_MISSING: n!("2.2.1-3"), n!("2.3.1-1"), "§2.2.1", ProtocolError,
        "a PUBLISH above QoS 0 needs a packet identifier";
    PACKET_ID_AT_QOS_0: n!("2.2.1-2"), n!("2.3.1-5"), "§2.2.1", ProtocolError,
        "a PUBLISH at QoS 0 has no packet identifier";

    // Properties
    PROPERTY_UNKNOWN: None, None, "§2.2.2.2", MalformedPacket, "there is no such property";
    PROPERTY_MISPLACED: None, None, "§2.2.2.2", MalformedPacket, "the property does not belong here";
    PROPERTY_TWICE: None, None, "§2.2.2.2", ProtocolError, "the property stands here twice";
    PROPERTY_VALUE: None, None, "§2.2.2.2", ProtocolError, "the property has a value that is not allowed";
    TOO_MANY: None, None, "§4.13", QuotaExceeded, "the packet lists more than this receiver takes";

    // CONNECT
    PROTOCOL_NAME: n!("3.1.2-1"), n!("3.1.2-1"), "§3.1.2.1", UnsupportedProtocolVersion,
        "the protocol name is not MQTT";
    PROTOCOL_LEVEL: n!("3.1.2-2"), n!("3.1.2-2"), "§3.1.2.2", UnsupportedProtocolVersion,
        "the protocol level is not one of 3 (MQIsdp), 4 and 5 (MQTT)";
    CONNECT_RESERVED: n!("3.1.2-3"), n!("3.1.2-3"), "§3.1.2.3", MalformedPacket,
        "the reserved bit of the connect flags is set";
    WILL_QOS_WITHOUT_WILL: n!("3.1.2-11"), n!("3.1.2-13"), "§3.1.2.6", MalformedPacket,
        "Will QoS is set without Will Flag";
    WILL_QOS_3: n!("3.1.2-12"), n!("3.1.2-14"), "§3.1.2.6", MalformedPacket, "Will QoS is 3";
    WILL_RETAIN_WITHOUT_WILL: n!("3.1.2-13"), n!("3.1.2-15"), "§3.1.2.7", MalformedPacket,
        "Will Retain is set without Will Flag";
    PASSWORD_ALONE: None, n!("3.1.2-22"), "§3.1.2.9", MalformedPacket, "a password comes without a user name";
    CLIENT_ID_EMPTY: n!("3.1.3-8"), n!("3.1.3-8"), "§3.1.3.1", ClientIdentifierNotValid,
        "an empty client identifier needs Clean Session, and MQTT 3.1 allows none";
    AUTH_DATA_ALONE: None, None, "§3.1.2.11.10", ProtocolError, "authentication data come without a method";

    // CONNACK
    CONNACK_FLAGS: n!("3.2.2-1"), n!("2.2.2-1"), "§3.2.2.1", MalformedPacket,
        "a reserved bit of the acknowledge flags is set";
    SESSION_PRESENT_ON_FAILURE: n!("3.2.2-6"), n!("3.2.2-4"), "§3.2.2.1.1", ProtocolError,
        "Session Present is set although the connection was refused";
    CONNACK_REASON: n!("3.2.2-8"), None, "§3.2.2.2", ProtocolError, "this is no reason code of a CONNACK";

    // PUBLISH
    DUP_AT_QOS_0: n!("3.3.1-2"), n!("3.3.1-2"), "§3.3.1.1", MalformedPacket, "DUP is set at QoS 0";
    QOS_3: n!("3.3.1-4"), n!("3.3.1-4"), "§3.3.1.2", MalformedPacket, "both QoS bits are set";
    TOPIC_WILDCARD: n!("3.3.2-2"), n!("3.3.2-2"), "§3.3.2.1", TopicNameInvalid,
        "the topic name contains a wildcard";
    TOPIC_EMPTY: n!("4.7.3-1"), n!("4.7.3-1"), "§4.7.3", TopicNameInvalid, "the topic name is empty";
    TOPIC_MISSING: n!("4.7.3-1"), n!("4.7.3-1"), "§3.3.2.1", ProtocolError,
        "the topic name is empty and no topic alias stands for it";
    TOPIC_NUL: n!("4.7.3-2"), n!("4.7.3-2"), "§4.7.3", MalformedPacket, "the topic contains U+0000";
    TOPIC_LONG: n!("4.7.3-3"), None, "§4.7.3", TopicNameInvalid, "the topic is longer than 65,535 bytes";
    WILL_TOPIC_WILDCARD: n!("4.7.0-1"), n!("4.7.1-1"), "§4.7.1", TopicNameInvalid,
        "the will topic contains a wildcard";
    RESPONSE_TOPIC_WILDCARD: n!("3.3.2-14"), None, "§3.3.2.3.5", ProtocolError,
        "the response topic contains a wildcard";
    TOPIC_ALIAS_ZERO: n!("3.3.2-8"), None, "§3.3.2.3.4", TopicAliasInvalid, "the topic alias is 0";
    TOPIC_ALIAS_TOO_LARGE: n!("3.3.2-9"), None, "§3.3.2.3.4", TopicAliasInvalid,
        "the topic alias is above the receiver's maximum";
    TOPIC_ALIAS_UNKNOWN: None, None, "§3.3.2.3.4", ProtocolError,
        "the topic name is empty and its topic alias has not been set on this connection";
    SUBSCRIPTION_ID_FROM_CLIENT: n!("3.3.4-6"), None, "§3.3.4", ProtocolError,
        "a client's PUBLISH carries a subscription identifier";

    // Acknowledgements
    PUBACK_REASON: n!("3.4.2-1"), None, "§3.4.2.1", ProtocolError, "this is no reason code of a PUBACK";
    PUBREC_REASON: n!("3.5.2-1"), None, "§3.5.2.1", ProtocolError, "this is no reason code of a PUBREC";
    PUBREL_REASON: n!("3.6.2-1"), None, "§3.6.2.1", ProtocolError, "this is no reason code of a PUBREL";
    PUBCOMP_REASON: n!("3.7.2-1"), None, "§3.7.2.1", ProtocolError, "this is no reason code of a PUBCOMP";
    SUBACK_REASON: n!("3.9.3-2"), n!("3.9.3-2"), "§3.9.3", ProtocolError, "this is no reason code of a SUBACK";
    SUBACK_EMPTY: n!("3.8.4-6"), n!("3.8.4-5"), "§3.9.3", ProtocolError, "there is no reason code";
    UNSUBACK_REASON: n!("3.11.3-2"), None, "§3.11.3", ProtocolError, "this is no reason code of an UNSUBACK";
    UNSUBACK_EMPTY: n!("3.11.3-1"), None, "§3.11.3", ProtocolError, "there is no reason code";

    // SUBSCRIBE and UNSUBSCRIBE
    SUBSCRIBE_EMPTY: n!("3.8.3-2"), n!("3.8.3-3"), "§3.8.3", ProtocolError, "there is no topic filter";
    OPTIONS_RESERVED: n!("3.8.3-5"), n!("3.8.3-4"), "§3.8.3.1", MalformedPacket,
        "a reserved bit of the subscription options is set";
    OPTIONS_QOS_3: None, n!("3.8.3-4"), "§3.8.3.1", ProtocolError, "the maximum QoS of a subscription is 3";
    RETAIN_HANDLING_3: None, None, "§3.8.3.1", ProtocolError, "Retain Handling is 3";
    SHARED_NO_LOCAL: n!("3.8.3-4"), None, "§3.8.3.1", ProtocolError,
        "No Local is set on a shared subscription";
    UNSUBSCRIBE_EMPTY: n!("3.10.3-2"), n!("3.10.3-2"), "§3.10.3", ProtocolError, "there is no topic filter";
    FILTER_EMPTY: n!("4.7.3-1"), n!("4.7.3-1"), "§4.7.3", TopicFilterInvalid, "a topic filter is empty";
    FILTER_WILDCARD: n!("4.7.1-1"), n!("4.7.1-2"), "§4.7.1", TopicFilterInvalid,
        "a wildcard in a topic filter does not stand for whole levels";
    FILTER_SHARE: n!("4.8.2-2"), None, "§4.8.2", TopicFilterInvalid,
        "a shared subscription has no valid share name or no topic filter";

    // DISCONNECT and AUTH
    DISCONNECT_REASON: n!("3.14.2-1"), None, "§3.14.2.1", ProtocolError,
        "this is no reason code of a DISCONNECT";
    SESSION_EXPIRY_FROM_SERVER: n!("3.14.2-2"), None, "§3.14.2.2.2", ProtocolError,
        "a server's DISCONNECT carries a session expiry interval";
    AUTH_REASON: n!("3.15.2-1"), None, "§3.15.2.1", ProtocolError, "this is no reason code of an AUTH";
    AUTH_WITHOUT_METHOD: None, None, "§3.15.2.2.2", ProtocolError, "the authentication method is missing";
}
