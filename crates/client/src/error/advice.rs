//! What to do about what a server says.

use gridmq_proto::ReasonCode;

use super::{PublishError, SubscribeError};

/// After a CONNACK.
pub(super) const fn of_connack(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::NotAuthorized => {
            "check that the client is registered and enabled, that the user name is its authentication name, and that \
             the certificate sent is the one it is registered with (on Event Grid: signed by a registered CA, or with \
             a registered thumbprint)"
        }
        ReasonCode::BadUserNameOrPassword => "check user name and password",
        ReasonCode::ClientIdentifierNotValid => {
            "give a client identifier, of 1 to 23 letters and digits to be safe; on MQTT 3.1.1 an empty one needs a \
             clean session"
        }
        ReasonCode::UnsupportedProtocolVersion => "ask for another MQTT version, such as 3.1.1",
        ReasonCode::QuotaExceeded => {
            "the account or the client has as many connections or sessions as it may: close one, or let it expire"
        }
        ReasonCode::ConnectionRateExceeded | ReasonCode::ServerBusy | ReasonCode::ServerUnavailable => {
            "wait some seconds before the next try"
        }
        ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => "connect to the server that it names",
        ReasonCode::Banned => "ask the server's operator",
        ReasonCode::BadAuthenticationMethod => "use an authentication method that the server has",
        ReasonCode::MalformedPacket | ReasonCode::ProtocolError | ReasonCode::ImplementationSpecificError => {
            "something in the CONNECT does not suit the server: try without will, user properties and other options; \
             Event Grid takes no user properties here"
        }
        ReasonCode::PacketTooLarge => "the CONNECT is too large: shorten the will or the properties",
        ReasonCode::TopicNameInvalid => "give the will another topic",
        ReasonCode::PayloadFormatInvalid => "the will's payload is not the text that it says it is",
        ReasonCode::RetainNotSupported => "set no RETAIN on the will",
        ReasonCode::QosNotSupported => "give the will a lower QoS",
        _ => "the server's log may say more",
    }
}

/// After a DISCONNECT.
pub(super) const fn of_disconnect(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::SessionTakenOver => {
            "another connection uses the same client identifier: give each client its own (on Event Grid, each \
             authentication name too)"
        }
        ReasonCode::KeepAliveTimeout => "the server heard nothing for too long: the program or its network was stopped",
        ReasonCode::NotAuthorized => "the client's permission or registration was taken away",
        ReasonCode::ServerShuttingDown | ReasonCode::ServerBusy => "connect again after a while",
        ReasonCode::UseAnotherServer | ReasonCode::ServerMoved => "connect to the server that it names",
        ReasonCode::PacketTooLarge => "publish smaller messages",
        ReasonCode::QuotaExceeded | ReasonCode::MessageRateTooHigh => "publish less, or read faster",
        ReasonCode::ReceiveMaximumExceeded => "the server counts more unacknowledged messages than it allows",
        ReasonCode::QosNotSupported => "publish at a lower QoS",
        ReasonCode::RetainNotSupported => "publish without RETAIN",
        ReasonCode::AdministrativeAction => "ask the server's operator",
        ReasonCode::MaximumConnectTime => "connect again",
        _ => "the server's log may say more",
    }
}

/// After a PUBACK, PUBREC, SUBACK or UNSUBACK.
pub(super) const fn of_request(reason: ReasonCode) -> &'static str {
    match reason {
        ReasonCode::NotAuthorized => {
            "check the client's permission for this topic (on Event Grid: a permission binding of its group to a topic \
             space whose template covers it)"
        }
        ReasonCode::TopicNameInvalid => "use another topic",
        ReasonCode::TopicFilterInvalid => "use another topic filter",
        ReasonCode::QuotaExceeded => "wait, or ask for a larger quota",
        ReasonCode::PayloadFormatInvalid => "the payload is not the text that it says it is",
        ReasonCode::SharedSubscriptionsNotSupported => "subscribe without $share",
        ReasonCode::SubscriptionIdentifiersNotSupported => "subscribe without an identifier",
        ReasonCode::WildcardSubscriptionsNotSupported => "subscribe without wildcards",
        _ => "the server's log may say more",
    }
}

impl PublishError {
    /// What to do; empty where the error itself says it.
    #[must_use]
    pub const fn advice(&self) -> &'static str {
        match self {
            Self::Refused { reason, .. } => of_request(*reason),
            Self::Timeout { queued: true, .. } => {
                "wait: it stays queued; look at the client's state, and at the server"
            }
            Self::Timeout { queued: false, .. } => "publish less at once, or raise the limits of the queue",
            Self::Dropped { .. } => "wait before publishing more, or raise the limits of the queue",
            _ => "",
        }
    }
}

impl SubscribeError {
    /// What to do; empty where the error itself says it. Of several filters, about the first that was refused.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "try again; look at the client's state, and at the server",
            _ => self.reason().map_or("", of_request),
        }
    }
}
