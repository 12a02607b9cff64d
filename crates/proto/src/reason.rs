//! Reason codes (MQTT 5.0 §2.4) and their 3.1.1 counterparts.

use std::fmt;

use crate::packet::PacketType;

/// One bit per packet type.
const fn bit(packet: PacketType) -> u16 {
    1 << packet.as_u8()
}

const CONNACK: u16 = bit(PacketType::ConnAck);
const PUBACK: u16 = bit(PacketType::PubAck);
const PUBREC: u16 = bit(PacketType::PubRec);
const PUBREL: u16 = bit(PacketType::PubRel);
const PUBCOMP: u16 = bit(PacketType::PubComp);
const SUBACK: u16 = bit(PacketType::SubAck);
const UNSUBACK: u16 = bit(PacketType::UnsubAck);
const DISCONNECT: u16 = bit(PacketType::Disconnect);
const AUTH: u16 = bit(PacketType::Auth);

/// Writes the type and its look-ups from one table: variant, byte, name, packets, sentence.
macro_rules! reason_codes {
    ($($variant:ident = $byte:literal, $name:literal, $packets:expr, $sentence:literal;)+) => {
        /// What became of a request, or why a connection ends (MQTT 5.0 §2.4).
        ///
        /// 0x00 has three names in the standard; see [`Self::NORMAL_DISCONNECTION`], [`Self::GRANTED_QOS_0`] and
        /// [`Self::name_in`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(clippy::exhaustive_enums, reason = "the standard has these")]
        #[repr(u8)]
        pub enum ReasonCode {
            $(#[doc = concat!(stringify!($byte), ": ", $sentence)] $variant = $byte,)+
        }

        impl ReasonCode {
            /// All codes, in order.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// The code of that byte, if the standard has it.
            #[must_use]
            pub const fn from_u8(byte: u8) -> Option<Self> {
                match byte {
                    $($byte => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The name that the standard uses.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// One sentence for people.
            #[must_use]
            pub const fn explain(self) -> &'static str {
                match self {
                    $(Self::$variant => $sentence,)+
                }
            }

            const fn packets(self) -> u16 {
                match self {
                    $(Self::$variant => $packets,)+
                }
            }
        }
    };
}

reason_codes! {
    Success = 0x00, "Success", CONNACK | PUBACK | PUBREC | PUBREL | PUBCOMP | SUBACK | UNSUBACK | DISCONNECT | AUTH,
        "It was done as asked.";
    GrantedQos1 = 0x01, "Granted QoS 1", SUBACK, "The subscription was made; messages come at QoS 1 at most.";
    GrantedQos2 = 0x02, "Granted QoS 2", SUBACK, "The subscription was made; messages come at QoS 2 at most.";
    DisconnectWithWillMessage = 0x04, "Disconnect with Will Message", DISCONNECT,
        "The client leaves and wants its will published.";
    NoMatchingSubscribers = 0x10, "No matching subscribers", PUBACK | PUBREC,
        "The message was accepted, but nobody subscribes to its topic.";
    NoSubscriptionExisted = 0x11, "No subscription existed", UNSUBACK, "There was no such subscription to end.";
    ContinueAuthentication = 0x18, "Continue authentication", AUTH, "The next step of the authentication follows.";
    ReAuthenticate = 0x19, "Re-authenticate", AUTH, "The client starts authenticating anew.";
    UnspecifiedError = 0x80, "Unspecified error", CONNACK | PUBACK | PUBREC | SUBACK | UNSUBACK | DISCONNECT,
        "It failed, and the peer does not say why.";
    MalformedPacket = 0x81, "Malformed Packet", CONNACK | DISCONNECT,
        "A packet could not be parsed as the standard lays it out.";
    ProtocolError = 0x82, "Protocol Error", CONNACK | DISCONNECT,
        "A packet came that is not allowed here, or with a value that is not.";
    ImplementationSpecificError = 0x83, "Implementation specific error",
        CONNACK | PUBACK | PUBREC | SUBACK | UNSUBACK | DISCONNECT,
        "The packet is valid, but this implementation does not accept it.";
    UnsupportedProtocolVersion = 0x84, "Unsupported Protocol Version", CONNACK,
        "The server does not speak the version of MQTT that the client asked for.";
    ClientIdentifierNotValid = 0x85, "Client Identifier not valid", CONNACK,
        "The client identifier is well-formed, but the server does not allow it.";
    BadUserNameOrPassword = 0x86, "Bad User Name or Password", CONNACK,
        "The server does not accept this user name or password.";
    NotAuthorized = 0x87, "Not authorized", CONNACK | PUBACK | PUBREC | SUBACK | UNSUBACK | DISCONNECT,
        "The client is not allowed to do this.";
    ServerUnavailable = 0x88, "Server unavailable", CONNACK, "The MQTT server is not available; try later.";
    ServerBusy = 0x89, "Server busy", CONNACK | DISCONNECT, "The server has too much to do; try later.";
    Banned = 0x8A, "Banned", CONNACK, "An administrator has shut this client out.";
    ServerShuttingDown = 0x8B, "Server shutting down", DISCONNECT, "The server stops; connect again later.";
    BadAuthenticationMethod = 0x8C, "Bad authentication method", CONNACK | DISCONNECT,
        "The authentication method is not supported, or not the one in use.";
    KeepAliveTimeout = 0x8D, "Keep Alive timeout", DISCONNECT,
        "Nothing came for one and a half times the keep-alive time.";
    SessionTakenOver = 0x8E, "Session taken over", DISCONNECT,
        "Another connection uses the same client identifier.";
    TopicFilterInvalid = 0x8F, "Topic Filter invalid", SUBACK | UNSUBACK | DISCONNECT,
        "The topic filter is not accepted.";
    TopicNameInvalid = 0x90, "Topic Name invalid", CONNACK | PUBACK | PUBREC | DISCONNECT,
        "The topic name is not accepted.";
    PacketIdentifierInUse = 0x91, "Packet Identifier in use", PUBACK | PUBREC | SUBACK | UNSUBACK,
        "The packet identifier belongs to another packet; the two sides disagree about their session.";
    PacketIdentifierNotFound = 0x92, "Packet Identifier not found", PUBREL | PUBCOMP,
        "The packet identifier is not known; this is normal while a session recovers.";
    ReceiveMaximumExceeded = 0x93, "Receive Maximum exceeded", DISCONNECT,
        "More unacknowledged messages came than the receiver allowed.";
    TopicAliasInvalid = 0x94, "Topic Alias invalid", DISCONNECT,
        "The topic alias is zero, unknown, or above the receiver's maximum.";
    PacketTooLarge = 0x95, "Packet too large", CONNACK | DISCONNECT,
        "The packet is larger than the receiver allows.";
    MessageRateTooHigh = 0x96, "Message rate too high", DISCONNECT, "Messages come faster than allowed.";
    QuotaExceeded = 0x97, "Quota exceeded", CONNACK | PUBACK | PUBREC | SUBACK | DISCONNECT,
        "A limit of the server or of its administrator is reached.";
    AdministrativeAction = 0x98, "Administrative action", DISCONNECT, "An administrator closed the connection.";
    PayloadFormatInvalid = 0x99, "Payload format invalid", CONNACK | PUBACK | PUBREC | DISCONNECT,
        "The payload is not what its format indicator says.";
    RetainNotSupported = 0x9A, "Retain not supported", CONNACK | DISCONNECT,
        "The server does not keep retained messages.";
    QosNotSupported = 0x9B, "QoS not supported", CONNACK | DISCONNECT,
        "The QoS is higher than the server's Maximum QoS.";
    UseAnotherServer = 0x9C, "Use another server", CONNACK | DISCONNECT, "Use another server for now.";
    ServerMoved = 0x9D, "Server moved", CONNACK | DISCONNECT, "Use another server from now on.";
    SharedSubscriptionsNotSupported = 0x9E, "Shared Subscriptions not supported", SUBACK | DISCONNECT,
        "The server has no shared subscriptions for this client.";
    ConnectionRateExceeded = 0x9F, "Connection rate exceeded", CONNACK | DISCONNECT,
        "Connections are opened faster than allowed; wait before the next.";
    MaximumConnectTime = 0xA0, "Maximum connect time", DISCONNECT,
        "The connection has lasted as long as it was authorized for.";
    SubscriptionIdentifiersNotSupported = 0xA1, "Subscription Identifiers not supported", SUBACK | DISCONNECT,
        "The server does not take subscription identifiers.";
    WildcardSubscriptionsNotSupported = 0xA2, "Wildcard Subscriptions not supported", SUBACK | DISCONNECT,
        "The server does not take wildcards in subscriptions.";
}

impl ReasonCode {
    /// What 0x00 is called in DISCONNECT.
    pub const NORMAL_DISCONNECTION: Self = Self::Success;
    /// What 0x00 is called in SUBACK.
    pub const GRANTED_QOS_0: Self = Self::Success;

    /// Its byte on the wire.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        self as u8
    }

    /// The name that the standard uses in that packet; only 0x00 has several.
    #[must_use]
    pub const fn name_in(self, packet: PacketType) -> &'static str {
        match (self, packet) {
            (Self::Success, PacketType::Disconnect) => "Normal disconnection",
            (Self::Success, PacketType::SubAck) => "Granted QoS 0",
            _ => self.name(),
        }
    }

    /// Whether it says that something failed: 0x80 and above.
    #[must_use]
    pub const fn is_failure(self) -> bool {
        self.as_u8() >= 0x80
    }

    /// Whether the table of §2.4 allows it in that packet.
    #[must_use]
    pub const fn valid_in(self, packet: PacketType) -> bool {
        self.packets() & bit(packet) != 0
    }

    /// The code of a SUBACK that grants `qos`.
    #[must_use]
    pub const fn granted(qos: crate::QoS) -> Self {
        match qos {
            crate::QoS::AtMostOnce => Self::GRANTED_QOS_0,
            crate::QoS::AtLeastOnce => Self::GrantedQos1,
            crate::QoS::ExactlyOnce => Self::GrantedQos2,
        }
    }

    /// The return code of a 3.1.1 CONNACK that says the same. `None`: no return code fits, and the server closes
    /// without a CONNACK [MQTT-3.2.2-6 of 3.1.1].
    #[must_use]
    pub const fn to_v3_connect_code(self) -> Option<u8> {
        Some(match self {
            Self::Success => 0,
            Self::UnsupportedProtocolVersion => 1,
            Self::ClientIdentifierNotValid => 2,
            Self::ServerUnavailable
            | Self::ServerBusy
            | Self::UseAnotherServer
            | Self::ServerMoved
            | Self::ConnectionRateExceeded
            | Self::QuotaExceeded
            | Self::UnspecifiedError
            | Self::ImplementationSpecificError => 3,
            Self::BadUserNameOrPassword => 4,
            Self::NotAuthorized | Self::Banned | Self::BadAuthenticationMethod => 5,
            _ => return None,
        })
    }

    /// What a return code of a 3.1.1 CONNACK says; codes above 5 are reserved.
    #[must_use]
    pub const fn from_v3_connect_code(code: u8) -> Option<Self> {
        Some(match code {
            0 => Self::Success,
            1 => Self::UnsupportedProtocolVersion,
            2 => Self::ClientIdentifierNotValid,
            3 => Self::ServerUnavailable,
            4 => Self::BadUserNameOrPassword,
            5 => Self::NotAuthorized,
            _ => return None,
        })
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (0x{:02X})", self.name(), self.as_u8())
    }
}

#[cfg(test)]
mod tests;
