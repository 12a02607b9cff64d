//! The rules of both standards that only a session can judge.

use crate::ReasonCode;
use crate::error::Rule;

macro_rules! rules {
    ($($name:ident: $v5:expr, $v311:expr, $section:literal, $reason:ident, $words:literal;)+) => {
        $(pub(super) static $name: Rule = Rule::new($v5, $v311, concat!("§", $section), ReasonCode::$reason, $words);)+
    };
}

rules! {
    FIRST_PACKET_NOT_CONNECT: Some("MQTT-3.1.0-1"), Some("MQTT-3.1.0-1"), "3.1", ProtocolError,
        "the first packet of a connection is not CONNECT";
    SECOND_CONNECT: Some("MQTT-3.1.0-2"), Some("MQTT-3.1.0-2"), "3.1", ProtocolError,
        "a second CONNECT on one connection";
    UNEXPECTED_PACKET: None, None, "2.1.2", ProtocolError,
        "a packet that this side of a connection never gets";
    TOPIC_MISSING: None, None, "3.3.2.1", ProtocolError,
        "PUBLISH has neither a topic nor a topic alias";
    CLIENT_EXCEEDS_RECEIVE_MAXIMUM: Some("MQTT-3.3.4-7"), None, "3.3.4", ReceiveMaximumExceeded,
        "more unacknowledged PUBLISH packets than the announced Receive Maximum";
    SERVER_EXCEEDS_RECEIVE_MAXIMUM: Some("MQTT-3.3.4-9"), None, "3.3.4", ReceiveMaximumExceeded,
        "more unacknowledged PUBLISH packets than the announced Receive Maximum";
    QOS_NOT_SUPPORTED: Some("MQTT-3.2.2-11"), None, "3.2.2", QosNotSupported,
        "PUBLISH has a QoS above the announced Maximum QoS";
    RETAIN_NOT_SUPPORTED: Some("MQTT-3.2.2-14"), None, "3.2.2", RetainNotSupported,
        "PUBLISH has RETAIN set where the server announced that it keeps no retained messages";
    WILDCARD_NOT_SUPPORTED: None, None, "3.2.2.3.11", WildcardSubscriptionsNotSupported,
        "SUBSCRIBE has a wildcard where the server announced that it takes none";
    IDENTIFIER_NOT_SUPPORTED: None, None, "3.2.2.3.12", SubscriptionIdentifiersNotSupported,
        "SUBSCRIBE has a subscription identifier where the server announced that it takes none";
    SHARED_NOT_SUPPORTED: None, None, "3.2.2.3.13", SharedSubscriptionsNotSupported,
        "SUBSCRIBE has a shared filter where the server announced that it takes none";
    EXPIRY_RAISED_AT_DISCONNECT: None, None, "3.14.2.2.2", ProtocolError,
        "DISCONNECT sets a session expiry although CONNECT set none";
    NOT_AUTH_DURING_AUTHENTICATION: Some("MQTT-3.1.2-30"), None, "3.1.2", ProtocolError,
        "a packet other than AUTH or DISCONNECT during enhanced authentication";
    AUTH_REASON_OUT_OF_TURN: Some("MQTT-3.15.2-1"), None, "3.15.2", ProtocolError,
        "AUTH has a reason code that is out of turn";
    AUTH_METHOD_CHANGED: Some("MQTT-4.12.0-5"), None, "4.12", ProtocolError,
        "AUTH has another authentication method than CONNECT";
    CLIENT_AUTH_WITHOUT_METHOD: Some("MQTT-4.12.0-7"), None, "4.12", ProtocolError,
        "AUTH although CONNECT had no authentication method";
    SERVER_AUTH_WITHOUT_METHOD: Some("MQTT-4.12.0-6"), None, "4.12", ProtocolError,
        "AUTH although CONNECT had no authentication method";
    CONNACK_EXPECTED: Some("MQTT-3.2.0-1"), Some("MQTT-3.2.0-1"), "3.2", ProtocolError,
        "the server's first packet is not CONNACK";
    SECOND_CONNACK: Some("MQTT-3.2.0-2"), None, "3.2", ProtocolError,
        "a second CONNACK on one connection";
    SESSION_PRESENT_UNASKED: Some("MQTT-3.2.2-4"), None, "3.2.2", ProtocolError,
        "CONNACK says that a session is present although this client has none";
    ACK_OF_UNKNOWN_REQUEST: None, None, "2.2.1", ProtocolError,
        "SUBACK or UNSUBACK for a packet identifier that is not in use";
    ACK_COUNT: Some("MQTT-3.8.4-6"), Some("MQTT-3.8.4-5"), "3.8.4", ProtocolError,
        "SUBACK or UNSUBACK has another number of reason codes than the request has filters";
}
