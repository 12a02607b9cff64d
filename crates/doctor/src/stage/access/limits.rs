//! What the broker's limits say about what the application wants.

use gridmq_proto::packet::ConnAckProperties;
use gridmq_proto::{QoS, ReasonCode, SubscriptionFilter, TopicName};
use gridmq_tls::{Finding, Id};

use crate::stage::{Context, mqtt};

/// Judges without trying.
pub(super) fn judge(cx: &Context<'_>, limits: &ConnAckProperties) -> Vec<Finding> {
    let wants = &cx.options.wants;
    let known = &cx.profile.mqtt;
    let about = cx.target.to_string();
    let mut findings = Vec::new();
    let most = limits.maximum_qos.or_else(|| QoS::from_u8(known.maximum_qos)).unwrap_or(QoS::ExactlyOnce);
    if let Some(qos) = wants.qos.filter(|qos| *qos > most) {
        let why = format!("the broker takes QoS {} at most; QoS {} is wanted", mqtt::level(most), mqtt::level(qos));
        findings.push(cx.error(Id::G01, &about, why, "publish with a lower QoS"));
    }
    if wants.retain && limits.retain_available.map_or(!known.retain, |retain| !retain) {
        let why = "the broker takes no retained messages";
        findings.push(cx.error(Id::G02, &about, why, "publish without RETAIN"));
    }
    let size = limits.maximum_packet_size.map(u32::from).or(known.maximum_packet_size);
    if let (Some(wanted), Some(size)) = (wants.packet_size, size)
        && wanted > size
    {
        let why = format!("the broker takes packets of {size} bytes at most; {wanted} bytes are wanted");
        findings.push(cx.error(Id::G03, &about, why, "send smaller messages, or several"));
    }
    let alias = limits.topic_alias_maximum.or(known.maximum_topic_alias);
    if let Some(wanted) = wants.topic_alias {
        // What CONNACK does not name is zero [MQTT-3.2.2-18].
        let alias = alias.unwrap_or(0);
        if wanted > alias {
            let why = format!("the broker takes topic aliases up to {alias}; {wanted} is wanted");
            findings.push(cx.error(Id::G06, &about, why, "use as many aliases as CONNACK allows"));
        }
    }
    if let Some(text) = &wants.filter {
        match SubscriptionFilter::try_from(text.as_str()) {
            Err(error) => {
                let why = format!("the filter is not valid: {error}");
                findings.push(cx.error(Id::G04, text, why, "put # last and + alone between slashes"));
            }
            Ok(_) => {
                let wild = text.contains(['#', '+']) && limits.wildcard_subscription_available == Some(false);
                let shared = text.starts_with("$share/") && limits.shared_subscription_available == Some(false);
                if wild || shared {
                    let what = if wild { "wildcards" } else { "shared subscriptions" };
                    let why = format!("the broker takes no {what}");
                    findings.push(cx.error(Id::G04, text, why, "subscribe to the topics one by one"));
                }
            }
        }
    }
    if let Some(text) = &wants.topic
        && let Err(error) = TopicName::try_from(text.as_str())
    {
        let why = format!("the topic name is not valid: {error}");
        findings.push(cx.error(Id::G05, text, why, "use a name without # and +"));
    }
    findings
}

/// What a DISCONNECT says about what was just done.
pub(crate) fn by_disconnect(cx: &Context<'_>, reason: ReasonCode, about: &str) -> Finding {
    use ReasonCode as R;
    let (id, why, fix) = match reason {
        R::QosNotSupported => (Id::G01, "the broker takes no message of this QoS", "publish with a lower QoS"),
        R::RetainNotSupported => (Id::G02, "the broker takes no retained messages", "publish without RETAIN"),
        R::PacketTooLarge => (Id::G03, "the packet is larger than the broker takes", "send smaller messages"),
        R::TopicFilterInvalid | R::WildcardSubscriptionsNotSupported | R::SharedSubscriptionsNotSupported => {
            (Id::G04, "the broker does not accept the filter", "use a filter of a form that it takes")
        }
        R::TopicNameInvalid | R::MalformedPacket | R::ProtocolError => {
            (Id::G05, "the broker does not accept the topic or the packet", "use a topic of the form it takes")
        }
        R::TopicAliasInvalid => (Id::G06, "the topic alias is above the broker's maximum", "use fewer aliases"),
        R::NotAuthorized => (Id::G07, "the client may not do this", "give the client's group a permission for it"),
        R::SessionTakenOver => {
            (Id::G09, "another connection uses the same client identifier", "give every client its own identifier")
        }
        R::KeepAliveTimeout => {
            (Id::G10, "the broker missed a sign of life", "shorten the keep-alive, and let the client's loop run")
        }
        R::ReceiveMaximumExceeded => {
            (Id::G12, "too many messages wait for their acknowledgement", "acknowledge, or keep to the receive maximum")
        }
        R::MessageRateTooHigh | R::QuotaExceeded | R::ConnectionRateExceeded => {
            (Id::G13, "a rate or quota is exceeded", "send more slowly, or raise the quota")
        }
        R::MaximumConnectTime => (
            Id::G14,
            "the connection has lasted as long as its credentials allow",
            "connect again with renewed credentials before they run out",
        ),
        R::ServerBusy | R::ServerShuttingDown | R::UseAnotherServer | R::ServerMoved => {
            (Id::F10, "the broker stops or is busy", "connect again later")
        }
        _ => (Id::G16, "the broker ends the connection with a reason", "look the reason up in the service's log"),
    };
    cx.error(id, about, why, fix).seen(format!("DISCONNECT {reason}"))
}
