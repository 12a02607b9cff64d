//! Stage access: what may be published and subscribed to, proved by a message that comes back.

use std::time::Duration;

use bytes::Bytes;
use gridmq_proto::packet::{Publish, Subscribe, SubscribeFilter, SubscribeOptions};
use gridmq_proto::{Packet, PacketId, QoS, ReasonCode, SubscriptionFilter, TopicName};
use gridmq_tls::catalogue::Stage;
use gridmq_tls::{Finding, Id};
use serde_json::json;

use super::connect::Session;
use super::mqtt::Event;
use super::{Context, Route, random, skipped};
use crate::report::{StageReport, Status};

mod deep;
mod limits;

pub(crate) use limits::by_disconnect;

const SUBSCRIPTION: PacketId = PacketId::MIN;

/// Judges what is wanted by the stated limits, and sends a message round if a topic was given.
pub(crate) async fn run(cx: &Context<'_>, route: Route, session: &mut Session) -> StageReport {
    let mut report = StageReport::new(Stage::Access);
    for finding in limits::judge(cx, &session.limits) {
        report.found(finding);
    }
    if cx.options.deep {
        cx.step(Stage::Access, "trying what the application will do");
        for finding in deep::run(cx, route).await {
            if !report.findings.iter().any(|known| known.id == finding.id) {
                report.found(finding);
            }
        }
    }
    let Some(text) = cx.options.probe_topic.clone() else {
        if report.findings.is_empty() && !cx.options.deep {
            return skipped(Stage::Access, "no topic was given to publish to and to receive from (--probe-topic)");
        }
        return report;
    };
    cx.step(Stage::Access, format!("sending a message round by {text}"));
    match loop_back(cx, session, &text).await {
        Ok(took) => {
            report.lines.push(format!("a message to {text} came back in {}", super::ms(took)));
            report.facts.insert("loop_back_ms".to_owned(), json!(u64::try_from(took.as_millis()).unwrap_or(u64::MAX)));
        }
        Err(finding) => report.found(*finding),
    }
    if report.status == Status::Ok && report.lines.is_empty() {
        report.lines.push("what is wanted is within the limits".to_owned());
    }
    report
}

/// Subscribes, publishes and receives.
async fn loop_back(cx: &Context<'_>, session: &mut Session, text: &str) -> Result<Duration, Box<Finding>> {
    let (Ok(topic), Ok(filter)) = (TopicName::try_from(text), SubscriptionFilter::try_from(text)) else {
        let why = "the probe's topic is not a valid topic name: it has a wildcard, or is empty or too long";
        return Err(Box::new(cx.error(Id::G05, text, why, "give a topic without # and +")));
    };
    let most = session.limits.maximum_qos.unwrap_or(QoS::AtLeastOnce).min(QoS::AtLeastOnce);
    subscribe(cx, session, text, filter, most).await?;
    let begun = tokio::time::Instant::now();
    let nonce = format!("gridmq-doctor-{:016x}", random());
    let publish = publish(topic, nonce.clone().into(), most, false);
    let limit = cx.patience();
    session.mqtt.send(&Packet::Publish(publish), limit).await;
    let until = begun + limit;
    let (mut arrived, mut accepted) = (None, most == QoS::AtMostOnce);
    while arrived.is_none() || !accepted {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        match session.mqtt.next(left).await {
            Event::Packet(Packet::Publish(message)) => {
                if let (QoS::AtLeastOnce, Some(id)) = (message.qos, message.packet_id) {
                    let ack = gridmq_proto::packet::Ack::new(id, ReasonCode::Success);
                    session.mqtt.send(&Packet::PubAck(ack), limit).await;
                }
                if message.payload == nonce.as_bytes() {
                    arrived = Some(begun.elapsed());
                }
            }
            Event::Packet(Packet::PubAck(ack)) if ack.reason.is_failure() => {
                return Err(Box::new(denied(cx, text, ack.reason)));
            }
            Event::Packet(Packet::PubAck(ack)) => {
                accepted = true;
                if ack.reason == ReasonCode::NoMatchingSubscribers {
                    let finding = silently_denied(cx, text).seen(format!("PUBACK {}", ack.reason));
                    return Err(Box::new(finding));
                }
            }
            Event::Packet(Packet::Disconnect(disconnect)) => {
                return Err(Box::new(by_disconnect(cx, disconnect.reason, text)));
            }
            Event::Packet(_) => {}
            Event::Ended => return Err(Box::new(cut_off(cx, text, Id::G07, "PUBLISH"))),
            Event::Broken(detail) => return Err(Box::new(cut_off(cx, text, Id::G07, "PUBLISH").seen(detail))),
            Event::Silence if accepted => return Err(Box::new(silently_denied(cx, text))),
            Event::Silence => {
                let why = "the broker does not acknowledge a PUBLISH";
                let fix = "look into the broker's log";
                return Err(Box::new(cx.error(Id::G07, text, why, fix)));
            }
        }
    }
    Ok(arrived.unwrap_or_default())
}

async fn subscribe(
    cx: &Context<'_>,
    session: &mut Session,
    text: &str,
    filter: SubscriptionFilter,
    qos: QoS,
) -> Result<(), Box<Finding>> {
    let options = SubscribeOptions { qos, ..SubscribeOptions::default() };
    let packet = Packet::Subscribe(Subscribe {
        packet_id: SUBSCRIPTION,
        subscription_identifier: None,
        user_properties: Vec::new(),
        filters: vec![SubscribeFilter { filter, options }],
    });
    let limit = cx.patience();
    session.mqtt.send(&packet, limit).await;
    let until = tokio::time::Instant::now() + limit;
    loop {
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        match session.mqtt.next(left).await {
            Event::Packet(Packet::SubAck(ack)) => {
                let reason = ack.reasons.first().copied().unwrap_or(ReasonCode::UnspecifiedError);
                return if reason.is_failure() { Err(Box::new(unsubscribed(cx, text, reason))) } else { Ok(()) };
            }
            Event::Packet(Packet::Disconnect(disconnect)) => {
                return Err(Box::new(by_disconnect(cx, disconnect.reason, text)));
            }
            Event::Packet(_) => {}
            Event::Ended => return Err(Box::new(cut_off(cx, text, Id::G08, "SUBSCRIBE"))),
            Event::Broken(detail) => return Err(Box::new(cut_off(cx, text, Id::G08, "SUBSCRIBE").seen(detail))),
            Event::Silence => {
                let why = "the broker does not answer SUBSCRIBE";
                return Err(Box::new(cx.error(Id::G08, text, why, "look into the broker's log")));
            }
        }
    }
}

/// A PUBLISH for the probe.
pub(super) fn publish(topic: TopicName, payload: Bytes, qos: QoS, retain: bool) -> Publish {
    Publish {
        dup: false,
        qos,
        retain,
        packet_id: (qos != QoS::AtMostOnce).then_some(SUBSCRIPTION),
        topic: Some(topic),
        topic_alias: None,
        subscription_identifiers: [].into_iter().collect(),
        payload,
        properties: None,
    }
}

fn unsubscribed(cx: &Context<'_>, text: &str, reason: ReasonCode) -> Finding {
    let finding = match reason {
        ReasonCode::TopicFilterInvalid
        | ReasonCode::WildcardSubscriptionsNotSupported
        | ReasonCode::SharedSubscriptionsNotSupported => {
            cx.error(Id::G04, text, "the broker does not accept the filter", "use a filter of a form that it takes")
        }
        ReasonCode::QuotaExceeded => {
            cx.error(Id::G13, text, "a quota of subscriptions is reached", "subscribe to fewer filters")
        }
        _ => cx.error(
            Id::G08,
            text,
            "the client may not subscribe to the topic",
            "give the client's group a permission to subscribe to it",
        ),
    };
    finding.seen(format!("SUBACK {reason}"))
}

fn silently_denied(cx: &Context<'_>, text: &str) -> Finding {
    let why = "the broker grants the subscription and accepts the message, and does not deliver it: \
               subscribing, or publishing, is denied without a word";
    let fix = "check the permissions of this client for the topic, to subscribe first and then to publish";
    cx.error(Id::G08, text, why, fix)
}

fn denied(cx: &Context<'_>, text: &str, reason: ReasonCode) -> Finding {
    let finding = match reason {
        ReasonCode::TopicNameInvalid => {
            cx.error(Id::G05, text, "the broker does not accept the topic name", "use a topic of the form it takes")
        }
        ReasonCode::QuotaExceeded => cx.error(Id::G13, text, "a quota of messages is reached", "send fewer messages"),
        _ => cx.error(
            Id::G07,
            text,
            "the client may not publish to the topic",
            "give the client's group a permission to publish to it",
        ),
    };
    finding.seen(format!("PUBACK {reason}"))
}

fn cut_off(cx: &Context<'_>, text: &str, id: Id, packet: &str) -> Finding {
    let why = format!("the broker closes the connection on {packet} and gives no reason");
    cx.error(id, text, why, "look into the broker's log; a missing permission is the usual reason")
}
